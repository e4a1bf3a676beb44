"""Renishaw WDF: spectra and maps come back, sizes that lie are refused."""

from __future__ import annotations

import json
import runpy
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.formats import read as read_module
from surrogate.formats.errors import NotUnderstood
from surrogate.formats.read import read_bytes
from surrogate.formats.readers import Reader
from surrogate.spectra.formats import wdf

seeds = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[2] / "formats" / "seeds_spectra.py")))

READERS = (
    Reader(name="wdf", version="1", module="surrogate.spectra.formats.wdf"),
    Reader(name="wdf-library", version="1", module="surrogate.spectra.formats.wdf_library", checks=("wdf",)),
)


@pytest.mark.parametrize("count", [1, 2, 6])
def test_two_readers_agree(monkeypatch, count):
    monkeypatch.setattr(read_module, "readers", lambda: READERS)
    file = read_bytes(seeds.wdf([np.array(seeds.CURVE) + n for n in range(count)]), name="a.wdf")
    assert file.checked_by == ("wdf-library",) and len(file.scans) == count
    assert file.format == "Renishaw WDF, WiRE 5.3.0.1234" and file.warnings == ()


@given(y=st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=5, max_size=5), min_size=1, max_size=4))
def test_spectra_come_back(y):
    content = wdf.read(seeds.wdf(y, unit=0))
    np.testing.assert_array_equal([scan.values for scan in content.scans], y)
    np.testing.assert_allclose(content.scans[0].axis.values, np.linspace(1800, 200, 5))


def test_settings_and_places_are_facts():
    content = wdf.read(seeds.wdf())
    facts = content.scans[1].facts
    assert facts["laser_nm"] == pytest.approx(532.0, abs=0.01) and facts["laser_wavenumber_per_cm"] == 18797.0
    assert (facts["exposure_s"], facts["accumulations"], facts["integration_s"]) == (0.5, 3, 1.5)
    assert (facts["x_um"], facts["y_um"]) == (1.0, 1.0) and facts["measurement"] == "map"
    assert str(facts["started_at"]).startswith("2024-01-17T")
    header = json.loads(content.header)
    assert header["TEXT"] == "a comment" and header["WMAP"]["nx"] == 2


def test_counts_are_counts_only_where_whole():
    assert wdf.read(seeds.wdf([[1, 2, 3]])).scans[0].counts is not None
    scan = wdf.read(seeds.wdf([[1, 2.5, 3]])).scans[0]
    assert scan.counts is None and scan.unit == "counts"


@pytest.mark.parametrize(("code", "quantity"), [(1, "raman_shift"), (3, "wavelength"), (4, "energy"), (2, "unknown")])
def test_axis_units(code, quantity):
    content = wdf.read(seeds.wdf(x_unit=code))
    assert content.scans[0].axis.quantity == quantity
    assert bool(content.warnings) == (quantity == "unknown")


def test_an_unfinished_map_is_said():
    content = wdf.read(seeds.wdf(capacity=9))
    assert len(content.scans) == 2 and content.warnings == ("2 of 9 spectra were measured",)
    assert content.scans[1].facts["y_um"] == 1.0


def test_a_large_map_is_read_in_part_and_that_is_said(monkeypatch):
    monkeypatch.setattr(wdf, "LARGEST_SCANS", 3)
    content = wdf.read(seeds.wdf([seeds.CURVE] * 5))
    assert len(content.scans) == 3 and content.warnings == ("it holds 5 spectra; the first 3 are read",)


@pytest.mark.parametrize(
    ("at", "value", "reason"),
    [
        (60, 0, "0 points"), (60, 0x7FFFFFFF, "over an axis of 14"), (72, 0, "0 spectra"),
        (88, 3, "over an axis of 3"), (8, 100, "a header of 100 bytes"),
    ],
)  # fmt: skip
def test_headers_that_lie_are_refused(at, value, reason):
    data = bytearray(seeds.wdf())
    data[at : at + 4] = struct.pack("<I", value)
    with pytest.raises(NotUnderstood, match=reason):
        wdf.read(bytes(data))


def test_counts_beyond_the_block_are_refused():
    data = bytearray(seeds.wdf())
    data[64:80] = struct.pack("<QQ", 1 << 40, 1 << 40)
    with pytest.raises(NotUnderstood, match="its block DATA has"):
        wdf.read(bytes(data))


@pytest.mark.parametrize("size", [0, 15, 1 << 50], ids=["zero", "less than its head", "beyond the file"])
def test_block_sizes_that_lie_are_refused(size):
    data = bytearray(seeds.wdf())
    data[512 + 8 : 512 + 16] = struct.pack("<Q", size)
    with pytest.raises(NotUnderstood, match=f"says {size} bytes"):
        wdf.read(bytes(data))


@pytest.mark.parametrize("size", [4, 511, 600])
def test_a_cut_file_is_refused(size):
    with pytest.raises(NotUnderstood, match="too few|that are left"):
        wdf.read(seeds.wdf()[:size])
