"""`labpilot convert`: NeXus, CSV and Parquet, with another axis."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from orchestrator.cli.main import supervise
from surrogate.formats import read_file

SEEDS = Path(__file__).parents[2] / "surrogate" / "formats" / "seeds_xrd.py"
seeds = SimpleNamespace(**runpy.run_path(str(SEEDS)))


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch) -> None:
    """Work in a folder with a file of one scan, one of two, and a broken one."""
    (tmp_path / "rutile.xrdml").write_bytes(seeds.xrdml())
    (tmp_path / "two.raw").write_bytes(seeds.raw3(seeds.raw3_range(), seeds.raw3_range()))
    (tmp_path / "broken.raw").write_bytes(seeds.raw3()[:-9])
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("to", "suffix"), [("nexus", ".nxs"), ("csv", ".csv")])
def test_what_is_written_reads_back_to_the_same(capsys, to, suffix):
    assert supervise(["convert", "rutile.xrdml", "--to", to]) == 0
    assert capsys.readouterr().out == f"rutile{suffix}\n"
    one, other = read_file("rutile.xrdml").scans[0], read_file(f"rutile{suffix}").scans[0]
    for left, right in ((one.axis.values, other.axis.values), (one.values, other.values), (one.sigma, other.sigma)):
        np.testing.assert_allclose(left, right, rtol=1e-12)
    assert one.radiation == other.radiation
    assert one.facts.items() <= other.facts.items()


def test_parquet(capsys):
    assert supervise(["convert", "rutile.xrdml", "--to", "parquet", "--out", "x.parquet"]) == 0
    np.testing.assert_array_equal(pq.read_table("x.parquet")["counts"].to_numpy(), seeds.COUNTS)


def test_several_scans_are_entries_or_numbered_files(capsys):
    assert supervise(["convert", "two.raw", "--to", "nexus"]) == 0
    assert supervise(["convert", "two.raw", "--to", "csv", "--out", "map.csv"]) == 0
    assert capsys.readouterr().out == "two.nxs\nmap-1.csv\nmap-2.csv\n"
    assert len(read_file("two.nxs").scans) == 2


def test_the_axis_is_converted_by_the_wavelength_of_the_file():
    assert supervise(["convert", "rutile.xrdml", "--to", "csv", "--axis", "d"]) == 0
    axis = read_file("rutile.csv").scans[0].axis
    expected = 1.540598 / 2.0 / np.sin(np.radians(seeds.TWO_THETA) / 2.0)
    assert (axis.quantity, axis.unit) == ("d_spacing", "Ao")
    np.testing.assert_allclose(axis.values, expected, rtol=1e-12)


def test_a_wavelength_may_be_given():
    arguments = ["convert", "rutile.xrdml", "--to", "csv", "--axis", "q", "--wavelength", "0.7093"]
    assert supervise(arguments) == 0
    axis = read_file("rutile.csv").scans[0].axis
    np.testing.assert_allclose(axis.values, 4 * np.pi / 0.7093 * np.sin(np.radians(seeds.TWO_THETA) / 2), rtol=1e-12)


def test_an_axis_without_a_wavelength_is_refused(capsys):
    Path("bare.xrdml").write_bytes(seeds.xrdml(lines="<x/>"))
    assert supervise(["convert", "bare.xrdml", "--to", "csv", "--axis", "q"]) == 2
    error = capsys.readouterr().err
    assert "scan 1, --axis q:" in error
    assert "--wavelength gives it" in error
    assert not Path("bare.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["rutile.xrdml", "--to", "csv", "--axis", "feet"], 2, "it is none of two_theta, q, d, nm, um, eV, /cm"),
        (["rutile.xrdml", "--to", "csv", "--axis", "eV"], 2, "--axis eV: "),
        (["rutile.xrdml", "--to", "csv", "--axis-is", "feet"], 2, "--axis-is 'feet': it is none of two_theta, q"),
        (
            ["rutile.xrdml", "--to", "csv", "--axis-is", "q"],
            2,
            "the file says that its axis is two_theta in °; leave",
        ),
        ([".", "--to", "csv"], 2, ". is a directory; name a file in it"),
        (["..", "--to", "csv"], 2, ".. is a directory; name a file in it"),
        (["rutile.xrdml", "--to", "csv", "--out", ".", "--force"], 2, "is a directory; name a file in it, such as rut"),
        (["rutile.xrdml", "--to", "csv", "--out", "none/x.csv"], 2, "none is no directory"),
        (["rutile.xrdml", "--to", "csv", "--out", "rutile.xrdml", "--force"], 2, "is the file that is read"),
        (["broken.raw", "--to", "csv"], 3, "12 points of 4 bytes each, and 39 bytes are left"),
        (["missing.raw", "--to", "csv"], 3, "missing.raw cannot be read: No such file or directory"),
    ],
    ids=[
        "axis",
        "no such axis",
        "no such axis is",
        "axis is known",
        "here",
        "above",
        "out is a folder",
        "folder",
        "itself",
        "broken",
        "missing",
    ],
)
def test_what_cannot_be_done_is_said(capsys, arguments, code, message):
    assert supervise(["convert", *arguments]) == code
    assert message in capsys.readouterr().err


def test_a_file_is_not_replaced_by_chance(capsys):
    Path("rutile.csv").write_text("mine")
    assert supervise(["convert", "rutile.xrdml", "--to", "csv"]) == 2
    assert capsys.readouterr().err == "labpilot: rutile.csv exists; --force replaces it\n"
    assert Path("rutile.csv").read_text() == "mine"
    assert supervise(["convert", "rutile.xrdml", "--to", "csv", "--force"]) == 0


@pytest.fixture
def bare(files) -> Path:
    """Write two columns without a name."""
    path = Path("bare.xy")
    path.write_text("".join(f"{x:.2f} {y}\n" for x, y in zip(seeds.TWO_THETA, seeds.COUNTS, strict=True)))
    return path


def test_an_axis_that_the_file_does_not_name_is_asked_for(capsys, bare):
    assert supervise(["convert", str(bare), "--to", "csv", "--axis", "d", "--wavelength", "1.540598"]) == 2
    assert "--axis-is says it, as in --axis-is two_theta" in capsys.readouterr().err


def test_an_axis_may_be_said_and_converted(capsys, bare):
    said = ["--axis-is", "two_theta", "--axis", "d", "--wavelength", "1.540598"]
    assert supervise(["convert", str(bare), "--to", "csv", *said]) == 0
    assert "note: the axis was taken as two_theta in ° because --axis-is says so" in capsys.readouterr().out
    found = read_file("bare.csv")
    expected = 1.540598 / 2.0 / np.sin(np.radians(seeds.TWO_THETA) / 2.0)
    np.testing.assert_allclose(found.scans[0].axis.values, expected, rtol=1e-12)
    assert found.scans[0].kind == "diffractogram"
    assert any("because --axis-is says so" in warning for warning in found.warnings)


def test_an_axis_that_was_said_needs_no_conversion(bare):
    assert supervise(["convert", str(bare), "--to", "csv", "--axis-is", "nm"]) == 0
    scan = read_file("bare.csv").scans[0]
    assert (scan.kind, scan.axis.quantity, scan.axis.unit) == ("spectrum", "wavelength", "nm")


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="names of files are characters there")
@pytest.mark.parametrize("to", ["nexus", "csv", "parquet"])
def test_a_name_that_is_no_utf_8_is_no_obstacle(to):
    path = Path(os.fsdecode(b"lat\xe9.xrdml"))
    path.write_bytes(seeds.xrdml())
    assert supervise(["convert", str(path), "--to", to, "--out", "out"]) == 0
