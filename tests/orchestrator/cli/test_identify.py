"""`labpilot identify`: what is refused, what is printed and written, and what an interrupt leaves."""

import json
import math
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from orchestrator.cli import identify as identify_module
from orchestrator.cli import main
from orchestrator.cli.identifying import told
from surrogate.xrd import library as library_module
from surrogate.xrd.library import Library, Rejected
from surrogate.xrd.phase import Phase, Site
from surrogate.xrd.result import Alternative, Cell, Curves, Identification, PhaseClaim, ResidualPeak


def phase(name="halite"):
    sites = tuple(
        Site(element=element, position=(x, 0.0, 0.0), occupancy=1.0, b_iso_angstrom2=None)
        for element, x in (("Na", 0.0), ("Cl", 0.5))
    )
    return Phase(
        name=name, formula="NaCl", space_group="F m -3 m", space_group_number=225, crystal_system="cubic",
        cell=(5.64, 5.64, 5.64, 90.0, 90.0, 90.0), sites=sites, source="a book",
    )  # fmt: skip


def claim(name="halite", probability=0.97):
    values = (5.6402, 5.6402, 5.6402, 90.0, 90.0, 90.0)
    return PhaseClaim(
        name=name, formula="NaCl", space_group="F m -3 m", probability=probability, weight_fraction=0.7,
        weight_interval=(0.65, 0.75), cell=Cell(values=values, esd=(2e-4,) * 3 + (0.0,) * 3, volume_angstrom3=179.4),
        reference_cell=values, crystallite_nm=80.0, texture=1.0,
    )  # fmt: skip


def found(file="a.xy", verdict="identified", curves=None, **changes):
    given = {
        "phases": (claim(),), "alternatives": (Alternative(phases=("halite",), probability=0.97),),
        "rwp": 7.9, "rexp": 3.7, "gof": 2.1, "seconds": 0.31, "reasons": (),
    } | changes  # fmt: skip
    return Identification(file=file, verdict=verdict, curves=curves, **given)


def unusable(file):
    return Identification(file=file, verdict="unusable", reasons=("the file is empty",))


def drawn():
    theta = np.linspace(10.0, 60.0, 50)
    flat = np.full(50, 100.0)
    return Curves(
        two_theta_deg=theta, observed=flat, sigma=np.sqrt(flat), calculated=flat, background=flat,
        contributions={"halite": np.zeros(50)}, ticks_deg={"halite": np.array([31.7])},
    )  # fmt: skip


class FakeIdentifier:
    """Says halite to every file, but of files whose name begins with 'bad' that they are unusable."""

    def __init__(self):
        self.asked = []
        self.proposer = None
        self.interrupt_after = math.inf
        self.is_closed = False

    def identify_files(self, paths, *, workers=1, curves=False):
        self.asked.append(SimpleNamespace(paths=list(paths), workers=workers, curves=curves))
        try:
            for number, path in enumerate(paths):
                if number >= self.interrupt_after:
                    raise KeyboardInterrupt
                yield (
                    unusable(str(path))
                    if path.name.startswith("bad")
                    else found(str(path), curves=drawn() if curves else None)
                )
        finally:
            self.is_closed = True


@pytest.fixture
def fake(monkeypatch):
    identifier = FakeIdentifier()
    identifier.settings = []

    def make(library, **settings):
        identifier.settings.append(settings)
        return identifier

    monkeypatch.setitem(main.COMMANDS, "identify", "Say which phases a diffraction pattern holds.")
    monkeypatch.setattr(identify_module, "_identifier", make)
    monkeypatch.setattr(library_module, "embedded_library", lambda names=None: Library(phases=(phase(),)))
    monkeypatch.setattr(library_module, "load_library", lambda folder, *, chemistry=None: Library(phases=(phase(),)))
    return identifier


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cifs").mkdir()
    (tmp_path / "data").mkdir()
    for name in ("b.xy", "a.xy", ".hidden.xy", "picture.png", "structure.cif"):
        (tmp_path / "data" / name).write_text("1 2\n")
    (tmp_path / "data" / "powder.cif").write_text("data_x\n_pd_meas_2theta_scan 1\n")
    return tmp_path


def run(*arguments):
    return main.supervise(["identify", *map(str, arguments)])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["data"], "--phases DIR names a folder of CIF files, --embedded uses those that labpilot carries"),
        (["data", "--embedded", "--phases", "cifs"], "exclude each other"),
        (["data", "--phases", "nowhere"], "--phases nowhere is no folder"),
        (["data", "--embedded", "--chemistry", "Li,Xx"], "Xx is no element; write as in Li,Mn,O"),
        (["data", "--embedded", "--chemistry", ","], "that is no element"),
        (["data", "--embedded", "--chemistry", "TiO2"], "TiO2 is no element; write its elements, Ti,O"),
        (["data", "--embedded", "--chemistry", "O,Fe2O3"], "Fe2O3 is no element; write its elements, Fe,O"),
        (["data", "--embedded", "--chemistry", "Mnx"], "Mnx is no element; write as in Li,Mn,O"),
        (["data", "--embedded", "--chemistry", "CO"], "CO may be Co or C,O; write the one that you mean"),
        (["data", "--embedded", "--json", "x", "--html", "./x"], "--json and --html both name x"),
        (["data", "--embedded", "--chemistry", "Li,O"], "--embedded holds no phase of Li, O only"),
        (["data", "--embedded", "--wavelength", "154.06"], "no X-ray wavelength in angstrom"),
        (["nothing.xy", "--embedded"], "there is no file nothing.xy"),
        (["cifs", "--embedded"], "the folder cifs holds no file"),
        (["*.raw", "--embedded"], "no file matches *.raw"),
        (["data/picture.png*", "--embedded", "--json", "data"], "is a directory; name a file in it"),
        (["data", "--embedded", "--html", "data"], "is a directory; name a file in it"),
        (["data", "--embedded", "--html", "no/where.html"], "there is no directory no"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_starts(fake, folder, capsys, arguments, says):
    assert run(*arguments) == 2
    assert says in capsys.readouterr().err
    assert fake.asked == []


def test_a_folder_gives_its_patterns_in_order_and_what_is_none_is_told(fake, folder, capsys):
    assert run("data", "--embedded") == 0
    assert [path.name for path in fake.asked[0].paths] == ["a.xy", "b.xy", "powder.cif"]
    assert "2 files of the folders are no patterns" in capsys.readouterr().err


def test_files_folders_and_globs_together_name_each_file_once(fake, folder, capsys):
    assert run("data/b.xy", "data", "data/*.xy", "data/structure.cif", "--embedded") == 0
    assert [path.name for path in fake.asked[0].paths] == ["b.xy", "a.xy", "powder.cif", "structure.cif"]


def test_a_name_with_brackets_is_a_file_if_there_is_one(fake, folder, capsys):
    (folder / "run[1].xy").write_text("1 2\n")
    assert run("run[1].xy", "--embedded") == 0
    assert fake.asked[0].paths[0].name == "run[1].xy"


def test_options_reach_the_identifier(fake, folder, capsys):
    options = ["--wavelength", "0.7093", "--max-phases", "2", "--workers", "3", "--chemistry", "na-CL"]
    assert run("data/a.xy", "--embedded", *options) == 0
    assert fake.settings == [{"wavelength": 0.7093, "max_phases": 2, "network": None}]
    assert (fake.asked[0].workers, fake.asked[0].curves) == (3, False)


def test_the_chemistry_reaches_the_library(fake, folder, monkeypatch, capsys):
    asked = []

    def load(path, *, chemistry=None):
        asked.append((path.name, chemistry))
        return Library(phases=(phase(),))

    monkeypatch.setattr(library_module, "load_library", load)
    assert run("data/a.xy", "--phases", "cifs", "--chemistry", "Na, Cl, D") == 0
    assert asked == [("cifs", ["Na", "Cl", "H"])]


def test_each_pattern_is_told_in_a_few_lines(fake, folder, capsys):
    assert run("data/a.xy", "--embedded") == 0
    assert capsys.readouterr().out.splitlines() == [
        "data/a.xy: identified",
        "  halite NaCl  P 0.97  70 (65 to 75) wt%  a 5.6402(2)",
        "  Rwp 7.9 %  GoF 2.1  unknown phase < 0.01  0.31 s",
    ]


def test_doubt_is_told():
    peaks = tuple(
        ResidualPeak(two_theta_deg=20.0 + k, d_angstrom=3.0 - k / 10, height_sigma=6.0 + k, relative_height=0.1)
        for k in range(7)
    )
    sets = (Alternative(phases=("a", "b"), probability=0.5), Alternative(phases=(), probability=0.4))
    lines = told(
        found(verdict="cannot tell", alternatives=sets, unknown_peaks=peaks, amorphous_fraction=0.05, reasons=("why",))
    )
    assert lines[2:] == [
        "  Rwp 7.9 %  GoF 2.1  unknown phase < 0.01  amorphous 5.0 %  0.31 s",
        "  could be: a + b (0.50); no phase (0.40)",
        "  not explained, d in angstrom: 2.400 (12 sigma), 2.500 (11 sigma), 2.600 (10 sigma), 2.700 (9 sigma), "
        "2.800 (8 sigma) and 2 more",
        "  - why",
    ]


def test_an_unusable_file_does_not_stop_the_rest_and_ends_with_3(fake, folder, capsys):
    (folder / "data" / "bad.xy").write_text("")
    assert run("data", "--embedded", "--json", "out.json") == 3
    told_there = capsys.readouterr().out
    assert "data/bad.xy: unusable\n  - the file is empty\n" in told_there
    assert told_there.endswith("4 patterns: 3 identified, 1 unusable\n")
    assert [item["verdict"] for item in json.loads((folder / "out.json").read_text())] == [
        "identified", "identified", "unusable", "identified",
    ]  # fmt: skip


def test_json_on_stdout_is_alone_there(fake, folder, capsys):
    assert run("data", "--embedded", "--json", "-") == 0
    captured = capsys.readouterr()
    assert [item["file"] for item in json.loads(captured.out)] == ["data/a.xy", "data/b.xy", "data/powder.cif"]
    assert "3 patterns: 3 identified" in captured.err


def test_the_fields_of_the_list_are_those_that_are_documented(fake, folder, capsys):
    run("data/a.xy", "--embedded", "--json", "out.json")
    (item,) = json.loads((folder / "out.json").read_text())
    documented = {
        "file", "phases", "alternatives", "unknown_probability", "amorphous_fraction", "rwp", "gof", "verdict",
        "seconds",
    }  # fmt: skip
    assert documented <= item.keys()
    assert {"name", "formula", "probability", "weight_fraction", "weight_interval", "cell"} <= item["phases"][0].keys()
    assert not (folder / "out.json.partial").exists()


def test_quiet_prints_the_summary_only(fake, folder, capsys):
    assert run("data", "--embedded", "--quiet") == 0
    assert capsys.readouterr().out == "3 patterns: 3 identified\n"


def test_an_interrupt_keeps_what_was_done(fake, folder, capsys):
    fake.interrupt_after = 2
    assert run("data", "--embedded", "--json", "out.json", "--html", "out.html") == 130
    assert [item["file"] for item in json.loads((folder / "out.json").read_text())] == ["data/a.xy", "data/b.xy"]
    assert "interrupted after 2 of 3 patterns" in (folder / "out.html").read_text()
    assert "interrupted after 2 of 3 patterns; those are in out.json and out.html" in capsys.readouterr().err


def test_an_interrupt_while_a_result_is_told_stops_the_identifier(fake, folder, monkeypatch, capsys):
    def interrupt(_teller, _found):
        raise KeyboardInterrupt

    monkeypatch.setattr("orchestrator.cli.identifying.Teller.tell", interrupt)
    # held here, so that being collected cannot close it
    results = fake.identify_files([folder / "data" / "a.xy", folder / "data" / "b.xy"])
    monkeypatch.setattr(fake, "identify_files", lambda _paths, **_options: results)
    assert run("data", "--embedded") == 130
    assert fake.is_closed


def test_an_interrupt_before_the_first_result_leaves_an_empty_list(fake, folder, capsys):
    fake.interrupt_after = 0
    assert run("data", "--embedded", "--json", "out.json", "--html", "out.html") == 130
    assert json.loads((folder / "out.json").read_text()) == []


def test_a_defect_half_way_keeps_what_was_done_too(fake, folder, monkeypatch, capsys):
    def failing(paths, **_options):
        yield found("one")
        raise RuntimeError("a defect")

    monkeypatch.setattr(fake, "identify_files", failing)
    assert run("data", "--embedded", "--json", "out.json") == 1
    assert [item["file"] for item in json.loads((folder / "out.json").read_text())] == ["one"]


def test_the_page_is_written_with_curves_and_the_losses_of_the_library(fake, folder, monkeypatch, capsys):
    losses = Library(
        phases=(phase(),),
        rejected=tuple(Rejected(file=f"{k}.cif", reason="no atoms") for k in range(5)),
        merged=(("salt", "halite"),),
    )
    monkeypatch.setattr(library_module, "load_library", lambda _folder, *, chemistry=None: losses)
    assert run("data", "--phases", "cifs", "--html", "page.html", "--html-limit", "2") == 0
    assert fake.asked[0].curves
    text = (folder / "page.html").read_text()
    assert text.count('<section class="pattern"') == 2
    captured = capsys.readouterr()
    for told_there in (
        "5 structures of the library could not be used: 0.cif: no atoms; 1.cif: no atoms; 2.cif: no atoms and 2 more",
        "1 duplicate in the library count once: salt is halite",
    ):
        assert told_there in text
        assert told_there in captured.err
    assert "Compared with 1 phases of cifs." in text
    assert all(f"<li>{k}.cif: no atoms</li>" in text for k in range(5))
    assert "all of them are named in page.html" in captured.err


def test_an_old_output_is_not_read_as_a_pattern(fake, folder, capsys):
    assert run("data", "--embedded", "--html", "data/page") == 0
    assert run("data", "--embedded", "--html", "data/page") == 0
    assert [path.name for path in fake.asked[1].paths] == ["a.xy", "b.xy", "powder.cif"]


def test_a_library_without_phases_says_what_became_of_its_files(fake, folder, monkeypatch, capsys):
    empty = Library(phases=(), rejected=(Rejected(file="cifs/x.cif", reason="no atoms"),))
    monkeypatch.setattr(library_module, "load_library", lambda _folder, *, chemistry=None: empty)
    assert run("data", "--phases", "cifs") == 2
    assert "holds no phase that can be used" in capsys.readouterr().err


def test_of_many_patterns_the_page_shows_few_and_the_list_all(fake, folder, capsys):
    many = folder / "many"
    many.mkdir()
    for number in range(300):
        (many / f"{number:05d}.xy").write_text("1 2\n")
    assert run("many", "--embedded", "--quiet", "--json", "out.json", "--html", "out.html", "--html-limit", "1") == 0
    assert len(json.loads((folder / "out.json").read_text())) == 300
    assert (folder / "out.html").stat().st_size < 6_000_000


def test_progress_is_a_line_now_and_then_where_there_is_no_terminal(fake, folder, monkeypatch, capsys):
    moments = iter(range(0, 1000, 20))
    monkeypatch.setattr("orchestrator.cli.identifying.time", SimpleNamespace(monotonic=lambda: next(moments)))
    assert run("data", "--embedded", "--json", "-") == 0
    assert "2 of 3 patterns" in capsys.readouterr().err


def test_a_network_is_passed_on_and_what_it_does_not_know_is_told(fake, folder, capsys):
    fake.proposer = SimpleNamespace(note="the network knows 1 of the library's 2 phases")
    assert run("data", "--embedded", "--network", "n.npz") == 0
    assert fake.settings[0]["network"] == Path("n.npz")
    assert "note: the network knows 1 of" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "says"), [(None, "n.npz cannot be read: No such file"), ("no network", "n.npz holds no network")]
)
def test_a_file_that_is_no_network_is_refused_before_anything_starts(folder, capsys, text, says):
    if text is not None:
        (folder / "n.npz").write_text(text)
    assert run("data", "--embedded", "--network", "n.npz") == 2
    assert says in capsys.readouterr().err


def test_help_needs_no_numerics(fake):
    assert "torch" not in vars(identify_module)
    assert sys.modules["orchestrator.cli.identify"].__doc__.startswith("`labpilot identify PATTERN...`")


@pytest.mark.parametrize("option", ["--json", "--html"])
def test_a_measurement_that_the_shell_made_an_output_is_kept(fake, folder, capsys, option):
    names = sorted(str(path) for path in folder.glob("data/*.xy"))
    assert run("--embedded", option, *names) == 2
    assert Path(names[0]).read_text() == "1 2\n"
    told_there = capsys.readouterr().err
    assert f"{option} {names[0]} exists and is no" in told_there and "Did the shell" in told_there
    assert fake.asked == []


@pytest.mark.parametrize("option", ["--json", "--html"])
def test_an_output_that_is_named_as_a_pattern_is_refused(fake, folder, capsys, option):
    (folder / "data" / "a.xy").write_text("")
    assert run("--embedded", option, "data/a.xy", "data/a.xy", "data/b.xy") == 2
    assert "data/a.xy is named as a pattern and as an output" in capsys.readouterr().err


def test_only_lists_and_pages_of_ours_are_replaced(fake, folder, capsys):
    for _ in range(2):
        assert run("data", "--embedded", "--json", "out.json", "--html", "out.html") == 0
    fake.interrupt_after = 0
    for _ in range(2):
        assert run("data", "--embedded", "--json", "empty.json") == 130
    for name, text in (("list.json", "[1, 2]"), ("page.html", "<!doctype html><title>mine</title>")):
        (folder / name).write_text(text)
        assert run("data", "--embedded", f"--{name.rpartition('.')[2]}", name) == 2
        assert (folder / name).read_text() == text
        assert "is not replaced; name another file, or move this one away" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with names")
def test_a_pipe_is_no_output(fake, folder, capsys):
    os.mkfifo(folder / "pipe")
    assert run("data", "--embedded", "--json", "pipe") == 2
    assert "is a device or a pipe; name a file, or - for stdout" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no folder that nobody can write to")
def test_a_page_that_cannot_be_written_is_told_before_anything_starts(fake, folder, capsys):
    assert run("data", "--embedded", "--html", "/proc/x.html") == 6
    assert "--html /proc/x.html cannot be written" in capsys.readouterr().err
    assert fake.asked == []


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="names of files are characters there")
def test_a_name_that_is_no_utf_8_is_in_the_list_and_on_the_page(fake, folder):
    name = os.fsencode(folder / "data") + b"/lat\xe9.xy"
    Path(os.fsdecode(name)).write_text("1 2\n")
    code = run("data", "--embedded", "--quiet", "--json", "out.json", "--html", "out.html")
    listed = [item["file"] for item in json.loads((folder / "out.json").read_text(encoding="utf-8"))]
    assert (code, len(listed)) == (0, 4)
    assert os.fsencode(listed[2]) == b"data/lat\xe9.xy"
    assert r"data/lat\udce9.xy" in (folder / "out.html").read_text(encoding="utf-8")


def test_the_list_names_all_that_the_library_lost_once(fake, folder, monkeypatch, capsys):
    rejected = tuple(Rejected(file=f"{k}.cif", reason="no atoms") for k in range(8))
    lost = Library(phases=(phase(),), rejected=rejected, merged=(("salt", "halite"),))
    monkeypatch.setattr(library_module, "load_library", lambda _folder, *, chemistry=None: lost)
    assert run("data", "--phases", "cifs", "--json", "out.json") == 0
    first, *rest = json.loads((folder / "out.json").read_text())
    assert first["library"] == {
        "phases": 1,
        "rejected": [{"file": f"{k}.cif", "reason": "no atoms"} for k in range(8)],
        "merged": [{"name": "salt", "kept": "halite"}],
    }
    assert not any("library" in item for item in rest)
    assert "all of them are named in out.json" in capsys.readouterr().err


def test_few_losses_are_told_in_full_at_once(fake, folder, monkeypatch, capsys):
    lost = Library(phases=(phase(),), rejected=(Rejected(file="x.cif", reason="no atoms"),))
    monkeypatch.setattr(library_module, "load_library", lambda _folder, *, chemistry=None: lost)
    assert run("data", "--phases", "cifs") == 0
    told_there = capsys.readouterr().err
    assert "could not be used: x.cif: no atoms\n" in told_there and "all of them" not in told_there


def test_a_folder_without_cif_files_is_called_so(folder, capsys):
    assert run("data/a.xy", "--phases", "cifs") == 2
    assert "--phases cifs holds no CIF file, and its folders hold none" in capsys.readouterr().err
