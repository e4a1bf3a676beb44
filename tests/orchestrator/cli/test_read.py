"""`labpilot read`: what files are, drawn and as JSON."""

from __future__ import annotations

import json
import os
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from orchestrator.cli import main, read
from orchestrator.cli.main import supervise
from orchestrator.cli.read import read_or_reason

SEEDS = Path(__file__).parents[2] / "surrogate" / "formats" / "seeds_xrd.py"
seeds = SimpleNamespace(**runpy.run_path(str(SEEDS)))


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch) -> Iterator[Path]:
    """Work in a folder with two files, a broken one and one of another kind."""
    (tmp_path / "rutile.xrdml").write_bytes(seeds.xrdml())
    (tmp_path / "two.ras").write_bytes(seeds.ras(seeds.ras_scan(), seeds.ras_scan(FILE_SAMPLE="anatase")))
    (tmp_path / "broken.xrdml").write_bytes(seeds.xrdml()[:700])
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.4 nothing")
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def test_a_file_is_told_with_format_reader_check_hash_and_scan(capsys):
    assert supervise(["read", "rutile.xrdml"]) == 0
    out = capsys.readouterr().out
    for words in (
        "rutile.xrdml: PANalytical XRDML 1.5, read by ",
        "checked by fairmat",
        "sha256 ",
        "2θ from 24.5 to 24.72 °",
        "12, in steps of 0.02 °",
        "whole counts up to 14602",
        "1.5 s for each point",
        "Cu 1.540598 Å, 1.544426 Å (x 0.5)",
        "tube voltage:   45 kV",
    ):
        assert words in out


def test_what_scans_have_in_common_is_told_once(capsys):
    assert supervise(["read", "two.ras"]) == 0
    out = capsys.readouterr().out
    assert "scan 2, diffractogram 'anatase'" in out
    assert out.count("tube voltage:") == 1
    assert "warning: the header gives K-alpha 2 without its ratio" in out


def test_what_is_the_same_in_a_scan_is_not_told_again(capsys):
    Path("twice.ras").write_bytes(seeds.ras(seeds.ras_scan(), seeds.ras_scan()))
    assert supervise(["read", "twice.ras"]) == 0
    out = capsys.readouterr().out
    assert "scan 2, diffractogram 'rutile', the same\n" in out
    assert out.count("points:") == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is unreadable for this user")
def test_a_file_that_must_not_be_read_does_not_stop_the_others(capsys):
    Path("two.ras").chmod(0)
    assert supervise(["read", "two.ras", "rutile.xrdml"]) == 3
    told = capsys.readouterr()
    assert told.err == "labpilot: two.ras cannot be read: Permission denied\n"
    assert "rutile.xrdml: PANalytical" in told.out


def test_a_directory_is_no_measurement(capsys):
    Path("folder").mkdir()
    assert supervise(["read", "folder"]) == 3
    assert capsys.readouterr().err == "labpilot: folder is a directory; name the files in it\n"


def test_one_bad_file_does_not_stop_the_others(capsys):
    assert supervise(["read", "broken.xrdml", "missing.xy", "letter.pdf", "rutile.xrdml"]) == 3
    told = capsys.readouterr()
    assert "rutile.xrdml: PANalytical" in told.out
    reasons = told.err.splitlines()
    assert reasons[0].startswith("labpilot: broken.xrdml (xrdml): it is no whole XML")
    assert reasons[1] == "labpilot: missing.xy cannot be read: No such file or directory"
    assert reasons[2].startswith("labpilot: letter.pdf is a PDF, which shows a measurement")


def test_json_holds_an_entry_for_each_file(capsys):
    assert supervise(["read", "--json", "rutile.xrdml", "broken.xrdml"]) == 3
    found = json.loads(capsys.readouterr().out)
    scan = found[0]["scans"][0]
    assert scan["axis"] == {"quantity": "two_theta", "unit": "deg", "first": 24.5, "last": 24.72, "points": 12}
    assert (scan["has_counts"], scan["count_time_s"], scan["wavelength_ratio"]) == (True, 1.5, [1.0, 0.5])
    assert found[1]["error"].startswith("broken.xrdml (xrdml)")


def test_json_has_null_for_what_is_no_number(capsys):
    Path("nan.xy").write_bytes(b"# laser: 1e999\n10 nan\n11 2.5\n12 3.5\n")
    supervise(["read", "--json", "nan.xy"])
    text = capsys.readouterr().out
    assert "NaN" not in text and "Infinity" not in text
    assert json.loads(text)[0]["scans"][0]["values"]["least"] == 2.5


def test_json_is_a_whole_list_however_reading_ends(capsys, monkeypatch):
    def interrupted(path):
        if path.name == "two.ras":
            raise KeyboardInterrupt
        return read_or_reason(path)

    monkeypatch.setattr(read, "read_or_reason", interrupted)
    supervise(["read", "--json", "rutile.xrdml", "two.ras"])
    assert [found["file"] for found in json.loads(capsys.readouterr().out)] == ["rutile.xrdml"]


def test_without_a_drawing_no_file_is_kept(monkeypatch):
    kept = []
    monkeypatch.setattr(read, "_draw", lambda shown, *_, **__: kept.extend(shown))
    assert supervise(["read", "rutile.xrdml", "two.ras"]) == 0
    assert kept == []


def test_a_drawing_that_cannot_be_written_is_no_defect(capsys):
    Path("a.png").mkdir()
    assert supervise(["read", "rutile.xrdml", "--png", "a.png", "--force"]) == 6
    assert "labpilot: a.png cannot be written: Is a directory" in capsys.readouterr().err


def test_files_are_drawn(capsys):
    assert supervise(["read", "rutile.xrdml", "two.ras", "--png", "a.png", "--html", "a.html"]) == 0
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    assert Path("a.html").read_text().count("<section>") == 2
    assert capsys.readouterr().out.endswith("a.png\na.html\n")


def test_a_drawing_is_not_replaced_by_chance(capsys):
    Path("a.png").write_text("mine")
    assert supervise(["read", "rutile.xrdml", "--png", "a.png"]) == 2
    assert capsys.readouterr().err == "labpilot: a.png exists; --force replaces it\n"
    assert Path("a.png").read_text() == "mine"
    assert supervise(["read", "rutile.xrdml", "--png", "a.png", "--force"]) == 0
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")


def test_a_drawing_in_no_folder_is_refused_before_reading(capsys):
    assert supervise(["read", "rutile.xrdml", "--html", "none/a.html"]) == 2
    assert capsys.readouterr() == ("", "labpilot: none is no directory\n")


def test_of_many_scans_the_first_are_told(capsys):
    Path("map.ras").write_bytes(seeds.ras(*[seeds.ras_scan()] * 30))
    assert supervise(["read", "map.ras"]) == 0
    out = capsys.readouterr().out
    assert "scan 20," in out
    assert "and 10 more scans" in out
    assert "scan 21," not in out


def test_the_command_is_in_the_help():
    assert "read" in main.COMMANDS
    assert isinstance(main._load("read"), typer.core.TyperCommand)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--png", "r.jpg"], "--png r.jpg: what is drawn is a PNG; name it r.png"),
        (["--png", "x.png", "--html", "./x.png"], "--png and --html both name x.png"),
        (["--html", "rutile.xrdml", "--force"], "rutile.xrdml is to be read and would be replaced by its drawing"),
    ],
    ids=["jpg", "one file", "itself"],
)
def test_drawings_that_cannot_be_meant_are_refused(capsys, arguments, says):
    before = Path("rutile.xrdml").read_bytes()
    assert supervise(["read", "rutile.xrdml", *arguments]) == 2
    assert says in capsys.readouterr().err
    assert Path("rutile.xrdml").read_bytes() == before
    assert not list(Path().glob("r.*")) and not list(Path().glob("x.*"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with names")
def test_a_pipe_is_not_waited_for(capsys):
    os.mkfifo("pipe.xy")
    assert supervise(["read", "pipe.xy", "rutile.xrdml"]) == 3
    told = capsys.readouterr()
    assert told.err.startswith("labpilot: pipe.xy is a pipe or a device, no file; copy what comes out of it to a file")
    assert "rutile.xrdml: PANalytical" in told.out


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="names of files are characters there")
def test_a_name_that_is_no_utf_8_is_drawn_and_listed(capsys):
    path = Path(os.fsdecode(b"lat\xe9.xrdml"))
    path.write_bytes(seeds.xrdml())
    assert supervise(["read", "--json", str(path), "--png", "a.png", "--html", "a.html"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["file"] == str(path)
    assert r"lat\udce9.xrdml" in Path("a.html").read_text(encoding="utf-8")
