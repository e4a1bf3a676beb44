"""Horiba LabSpec 6 XML: spectra and maps come back with their settings."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.formats.errors import NotUnderstood
from surrogate.spectra.formats import labspec_xml

seeds = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[2] / "formats" / "seeds_spectra.py")))


@given(y=st.lists(st.lists(st.integers(-9999, 9999), min_size=4, max_size=4), min_size=1, max_size=5))
def test_spectra_come_back(y):
    scans = labspec_xml.read(seeds.labspec_xml(y)).scans
    np.testing.assert_array_equal([scan.values for scan in scans], y)
    np.testing.assert_allclose(scans[0].axis.values, np.linspace(100, 1400, 4), rtol=1e-6)


@pytest.mark.parametrize(
    ("words", "quantity", "unit"),
    [
        ("1/cm", "raman_shift", "/cm"),
        ("1/cm abs", "wavenumber", "/cm"),
        ("nm", "wavelength", "nm"),
        ("eV", "energy", "eV"),
    ],
)
def test_axis_units(words, quantity, unit):
    content = labspec_xml.read(seeds.labspec_xml(unit=words))
    assert (content.scans[0].axis.quantity, content.scans[0].axis.unit) == (quantity, unit)
    assert content.warnings == ()


@pytest.mark.parametrize(("words", "unit"), [("Cnt", "counts"), ("Cnt/sec", "counts/s")])
def test_ordinate_units(words, unit):
    assert labspec_xml.read(seeds.labspec_xml(ordinate=words)).scans[0].unit == unit


def test_settings_are_facts():
    scan = labspec_xml.read(seeds.labspec_xml()).scans[0]
    assert scan.title == "film 7" and scan.facts["laser_nm"] == 632.817
    assert (scan.facts["exposure_s"], scan.facts["accumulations"], scan.facts["integration_s"]) == (3.0, 2.0, 6.0)


def test_places_of_a_map_run_along_x_first():
    scans = labspec_xml.read(seeds.labspec_xml([[n, n] for n in range(6)], grid=(3, 2))).scans
    assert [(scan.facts["x_um"], scan.facts["y_um"]) for scan in scans] == [
        (0.0, 0.0), (0.5, 0.0), (1.0, 0.0), (0.0, 0.5), (0.5, 0.5), (1.0, 0.5)
    ]  # fmt: skip


def test_a_map_that_does_not_fit_its_places_is_said():
    content = labspec_xml.read(seeds.labspec_xml([[1, 2]] * 5, grid=(3, 2)))
    assert "a map of 3 x 2 places with 5 spectra" in content.warnings[0] and "x_um" not in content.scans[0].facts


def test_rows_of_another_length_are_refused():
    data = seeds.labspec_xml([[1, 2, 3], [4, 5, 6]]).replace(b"4 5 6", b"4 5")
    with pytest.raises(NotUnderstood, match="row 1 has 2 of 3 points"):
        labspec_xml.read(data)


def test_entities_are_refused():
    data = seeds.labspec_xml().replace(b"<LSX_Data>", b'<!DOCTYPE x [<!ENTITY a "b">]><LSX_Data>')
    with pytest.raises(NotUnderstood, match="DOCTYPE"):
        labspec_xml.read(data)


def test_a_cut_file_is_refused():
    with pytest.raises(NotUnderstood, match="no whole XML"):
        labspec_xml.read(seeds.labspec_xml()[:-30])


def test_values_are_not_in_the_header():
    header = labspec_xml.read(seeds.labspec_xml()).header
    assert "633 " in header and "1187" not in header


def test_other_files_are_not_recognised():
    assert labspec_xml.recognises(seeds.labspec_xml())
    assert not labspec_xml.recognises(b"<xrdMeasurements/>") and not labspec_xml.recognises(b"LSX_Data")
