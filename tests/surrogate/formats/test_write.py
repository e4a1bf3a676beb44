"""Writing, and reading back."""

import json
import os
import runpy
from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from surrogate.formats import columns, labpilot_csv
from surrogate.formats.errors import NotUnderstood
from surrogate.formats.read import read_bytes, read_file
from surrogate.formats.record import Axis, Content, MeasurementFile, Scan
from surrogate.formats.write import Exists, numbered, write_csv, write_nexus, write_parquet, write_safely
from surrogate.formats.write_csv import csv_text
from surrogate.xrd.formats import nxxrd

SEEDS = {
    name: make
    for part in ("text", "xrd", "spectra")
    for name, make in runpy.run_path(str(Path(__file__).with_name(f"seeds_{part}.py")))["SEEDS"].items()
}
ARRAYS = ("values", "sigma", "counts", "attenuation", "count_time_s")


def assert_same_scan(one: Scan, other: Scan) -> None:
    np.testing.assert_array_equal(one.axis.values, other.axis.values)
    assert (one.axis.quantity, one.axis.unit) == (other.axis.quantity, other.axis.unit)
    for name in ARRAYS:
        left, right = getattr(one, name), getattr(other, name)
        assert (left is None) == (right is None), name
        if left is not None:
            np.testing.assert_array_equal(left, right, err_msg=name)
    for name in ("kind", "unit", "quantity", "radiation", "title"):
        assert getattr(one, name) == getattr(other, name), name
    ours, theirs = (
        {key: value for key, value in scan.facts.items() if not key.startswith("original_")} for scan in (one, other)
    )
    assert ours == theirs
    assert [type(value) for value in ours.values()] == [type(value) for value in theirs.values()]


def assert_same(file: MeasurementFile, content: Content) -> None:
    assert len(content.scans) == len(file.scans)
    for one, other in zip(file.scans, content.scans, strict=True):
        assert_same_scan(one, other)
    assert content.warnings == file.warnings


@pytest.mark.parametrize("name", ["pattern", "spectrum", "several"])
def test_nexus_reads_back_to_the_same_numbers_facts_and_header(request, tmp_path, name):
    file = request.getfixturevalue(name)
    (path,) = write_nexus(tmp_path / "out.nxs", file)
    content = nxxrd.read(path.read_bytes())
    assert_same(file, content)
    assert content.header == file.header
    assert content.format == "NeXus of PANalytical XRDML 1.5"
    assert content.scans[0].facts["original_sha256"] == file.sha256
    assert content.scans[0].facts["original_reader"] == "xrdml"


def test_nexus_plots_by_default_and_names_units_as_nexus_does(tmp_path, pattern):
    write_nexus(tmp_path / "out.nxs", pattern)
    with h5py.File(tmp_path / "out.nxs") as root:
        entry = root[root.attrs["default"]]
        data = entry[entry.attrs["default"]]
        assert data.attrs["signal"] == "intensity"
        assert list(data.attrs["axes"]) == ["two_theta"]
        assert data["two_theta"].attrs["units"] == "deg"
        assert entry["instrument/source/k_alpha_one"][()] == 1.540598
        assert entry["instrument/source/xray_tube_voltage"].attrs["units"] == "kV"
        assert entry["original/sha256"].asstr()[()] == pattern.sha256


def test_a_nexus_file_of_a_later_layout_is_refused(tmp_path, pattern):
    (path,) = write_nexus(tmp_path / "out.nxs", pattern)
    with h5py.File(path, "a") as root:
        root["entry"].attrs["labpilot_layout"] = 2
    with pytest.raises(NotUnderstood, match="update labpilot"):
        nxxrd.read(path.read_bytes())


@pytest.mark.parametrize("name", ["pattern", "spectrum"])
def test_csv_reads_back_to_the_same_numbers_and_facts(request, tmp_path, name):
    file = request.getfixturevalue(name)
    (path,) = write_csv(tmp_path / "out.csv", file)
    assert labpilot_csv.recognises(path.read_bytes())
    assert_same(file, labpilot_csv.read(path.read_bytes()))


@pytest.mark.parametrize(
    "saved",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: b"\r\n" + text.replace("\n", "\r\n").encode(),
    ],
    ids=["mark", "utf-16", "line ends"],
)
def test_csv_that_an_editor_has_saved_reads_back(pattern, saved):
    data = saved(csv_text(pattern, 0))
    assert labpilot_csv.recognises(data)
    assert_same(pattern, labpilot_csv.read(data))


def test_halves_of_characters_in_csv_are_replaced(pattern):
    text = csv_text(pattern, 0).replace("# title: rutile, 2nd", '# title: "a\\ud800"')
    assert labpilot_csv.read(text.encode()).scans[0].title == "a?"


def test_csv_is_a_table_for_any_program(pattern):
    lines = csv_text(pattern, 0).splitlines()
    assert "# sha256: " + pattern.sha256 in lines
    assert "# wavelength_angstrom: [1.540598, 1.544426]" in lines
    names = next(line for line in lines if not line.startswith("#"))
    assert names == "two_theta (deg),intensity (counts),sigma (counts),counts (counts),attenuation (1),count_time (s)"


def test_csv_is_understood_by_the_reader_of_columns(monkeypatch, spectrum):
    monkeypatch.setattr(columns, "readers", tuple)
    found = columns.read(csv_text(spectrum, 0).encode()).scans[0]
    np.testing.assert_array_equal(found.axis.values, spectrum.scans[0].axis.values)
    np.testing.assert_array_equal(found.values, spectrum.scans[0].values)
    assert (found.axis.quantity, found.axis.unit, found.quantity) == ("wavelength", "nm", "reflectance")


@given(
    arrays(np.float64, 12, elements=st.floats(-1e300, 1e300)),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
)
def test_any_numbers_and_titles_survive_csv(values, title):
    scan = Scan(
        kind="spectrum",
        axis=Axis(quantity="energy", unit="eV", values=np.linspace(1.0, 2.0, 12)),
        values=values,
        unit="arbitrary",
        title=title,
        facts={title: title},
    )
    file = MeasurementFile(name="x", format="f", reader="r", version="1", sha256="0", header="", scans=(scan,))
    assert_same_scan(scan, labpilot_csv.read(csv_text(file, 0).encode()).scans[0])


def test_csv_that_was_changed_is_refused(pattern):
    text = csv_text(pattern, 0)
    for broken, reason in (
        (text[:-5].rpartition(",")[0], "as many columns"),
        (text.replace("two_theta (deg)", "angle (deg)"), "was it changed"),
        (text.replace("\n10.0,", "\nten,"), "holds no number"),
    ):
        with pytest.raises(NotUnderstood, match=reason):
            labpilot_csv.read(broken.encode())


def test_parquet_keeps_columns_units_and_the_rest(tmp_path, pattern):
    (path,) = write_parquet(tmp_path / "out.parquet", pattern)
    table = pq.read_table(path)
    np.testing.assert_array_equal(table["intensity"].to_numpy(), pattern.scans[0].values)
    assert table.schema.field("two_theta").metadata == {b"unit": b"deg"}
    about = json.loads(table.schema.metadata[b"labpilot"])
    assert (about["sha256"], about["header"], about["facts"]) == (
        pattern.sha256, pattern.header, dict(pattern.scans[0].facts),
    )  # fmt: skip
    assert about["radiation"] == {"anode": "Cu", "wavelength_angstrom": [1.540598, 1.544426], "ratio": [1.0, 0.497]}


def test_several_scans_go_to_numbered_files(tmp_path, several):
    paths = write_csv(tmp_path / "map.csv", several)
    assert [path.name for path in paths[:2]] == ["map-01.csv", "map-02.csv"]
    assert labpilot_csv.read(paths[11].read_bytes()).scans[0].title == "scan 11"
    assert numbered(tmp_path / "map.csv", 1) == [tmp_path / "map.csv"]


def test_nothing_is_replaced_by_chance(tmp_path, several):
    (tmp_path / "map-07.csv").write_text("mine")
    with pytest.raises(Exists, match=r"map-07\.csv exists"):
        write_csv(tmp_path / "map.csv", several)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map-07.csv"]
    assert len(write_csv(tmp_path / "map.csv", several, force=True)) == 12


def test_what_fails_leaves_nothing(tmp_path):
    def fail(part):
        part.write_text("half")
        raise OSError("no space")

    (tmp_path / "old").write_text("old")
    with pytest.raises(OSError, match="no space"):
        write_safely(tmp_path / "old", fail, force=True)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("old", "old")]


def test_a_file_that_came_meanwhile_is_kept(tmp_path):
    def slow(part):
        part.write_text("ours")
        (tmp_path / "new").write_text("theirs")

    with pytest.raises(Exists):
        write_safely(tmp_path / "new", slow)
    assert (tmp_path / "new").read_text() == "theirs"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_is_for_others_as_the_mask_says(tmp_path):
    mask = os.umask(0o027)
    try:
        write_safely(tmp_path / "new", lambda part: part.write_text("x") and None)
    finally:
        os.umask(mask)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_every_format_survives_nexus_and_csv(tmp_path, name):
    file = read_bytes(SEEDS[name](), name=name)
    (path,) = write_nexus(tmp_path / "out.nxs", file)
    again = read_file(path)
    assert (again.reader, again.header) == ("nexus", file.header)
    assert_same(file, Content(format="", header="", scans=again.scans, warnings=again.warnings))
    for scan, each in zip(file.scans, write_csv(tmp_path / "out.csv", file), strict=True):
        back = read_file(each)
        assert back.reader == "labpilot_csv"
        assert_same_scan(scan, back.scans[0])


def test_csv_that_is_read_back_names_the_original(pattern):
    facts = labpilot_csv.read(csv_text(pattern, 0).encode()).scans[0].facts
    assert facts["original_sha256"] == pattern.sha256
    assert facts["original_file"] == pattern.name
    assert (facts["original_reader"], facts["original_reader_version"]) == (pattern.reader, pattern.version)


def test_a_copy_of_a_copy_names_the_original_too(tmp_path, pattern):
    (first,) = write_csv(tmp_path / "first.csv", pattern)
    (second,) = write_csv(tmp_path / "second.csv", read_file(first))
    assert read_file(second).scans[0].facts["original_sha256"] == pattern.sha256
