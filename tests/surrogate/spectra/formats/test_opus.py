"""Bruker OPUS: curves with the right axis and kind, and blocks that belong together."""

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
from surrogate.spectra.formats import opus, opus_library

seeds = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[2] / "formats" / "seeds_spectra.py")))

READERS = (
    Reader(name="opus", version="1", module="surrogate.spectra.formats.opus"),
    Reader(name="opus-library", version="1", module="surrogate.spectra.formats.opus_library", checks=("opus",)),
)
CURVE = seeds.CURVE


def test_two_readers_agree(monkeypatch):
    monkeypatch.setattr(read_module, "readers", lambda: READERS)
    file = read_bytes(seeds.opus(), name="a.0")
    assert file.checked_by == ("opus-library",) and len(file.scans) == 3 and file.warnings == ()


@given(y=st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=30), factor=st.sampled_from([1.0, 0.5, -2.0]))
def test_values_come_back(y, factor):
    scan = opus.read(seeds.opus([(3, 4, y)], factor=factor, status={"MNY": 0, "MXY": 0})).scans[0]
    np.testing.assert_array_equal(scan.values, np.array(y) * factor)
    np.testing.assert_allclose(scan.axis.values, np.linspace(4000, 400, len(y)))


@pytest.mark.parametrize(
    ("source", "kind", "quantity", "unit", "of"),
    [
        (3, 4, "absorbance", "1", None), (3, 5, "transmittance", "1", None), (3, 12, "reflectance", "1", None),
        (1, 1, "single_channel", "arbitrary", "sample"), (2, 1, "single_channel", "arbitrary", "reference"),
        (1, 2, "interferogram", "arbitrary", "sample"), (3, 10, "intensity", "arbitrary", None),
    ],
)  # fmt: skip
def test_kinds(source, kind, quantity, unit, of):
    scan = opus.read(seeds.opus([(source, kind, CURVE)])).scans[0]
    assert (scan.quantity, scan.unit, scan.facts.get("of")) == (quantity, unit, of)
    assert scan.axis.quantity == ("raman_shift" if kind == 10 else "wavenumber") and scan.axis.unit == "/cm"


def test_results_come_before_single_channels_and_interferograms():
    scans = opus.read(seeds.opus([(1, 2, CURVE), (2, 1, CURVE), (3, 5, CURVE)])).scans
    assert [scan.quantity for scan in scans] == ["transmittance", "single_channel", "interferogram"]


@pytest.mark.parametrize(("code", "quantity", "unit"), [("MI", "wavelength", "um"), ("MIN", "time", "min")])
def test_axis_units(code, quantity, unit):
    axis = opus.read(seeds.opus(x_unit=code)).scans[0].axis
    assert (axis.quantity, axis.unit) == (quantity, unit)


def test_an_unknown_axis_is_said():
    assert "'LGW'" in opus.read(seeds.opus(x_unit="LGW")).warnings[0]


def test_parameters_are_facts_and_header():
    content = opus.read(seeds.opus())
    facts = content.scans[0].facts
    assert facts["sample"] == "film 7" and facts["scans"] == 32 and facts["resolution_per_cm"] == 4.0
    assert facts["started_at"] == "2024-05-17T13:45:10.123+02:00"
    assert "VERTEX 70" in {block.get("INS") for block in json.loads(content.header).values()}


def test_extremes_that_contradict_are_said_with_numbers():
    warnings = opus.read(seeds.opus([(3, 4, CURVE)], status={"MXY": 9.0})).warnings
    assert len(warnings) == 1 and "MXY is 9, and the block" in warnings[0] and "has 1.2" in warnings[0]


def test_two_curves_of_one_kind_are_told_by_their_extremes():
    data = seeds.opus([(3, 4, CURVE), (3, 4, [2 * value for value in CURVE])], factor=1.0)
    scans = opus.read(data).scans
    assert [scan.values.max() for scan in scans] == [1200, 2400]
    np.testing.assert_array_equal([scan.values for scan in opus_library.read(data).scans], [s.values for s in scans])


def test_two_curves_that_cannot_be_told_are_refused():
    with pytest.raises(NotUnderstood, match="several sets of parameters fit"):
        opus.read(seeds.opus([(3, 4, CURVE), (3, 4, CURVE)]))


def test_a_series_alone_is_refused_with_the_reason():
    data = bytearray(seeds.opus([(3, 4, CURVE)]))
    at = 24 + 12 * 3
    data[at : at + 4] = struct.pack("<I", struct.unpack_from("<I", data, at)[0] | 2 << 19)
    with pytest.raises(NotUnderstood, match="a series of spectra, in 56 bytes, is not read"):
        opus.read(bytes(data))


@pytest.mark.parametrize("status", [{"NPT": 999}, {"NPT": -1}, {"NPT": 1}], ids=["many", "negative", "one"])
def test_points_that_do_not_fit_are_refused(status):
    with pytest.raises(NotUnderstood, match="no parameters fit"):
        opus.read(seeds.opus([(3, 4, CURVE)], status=status))


@pytest.mark.parametrize("length", [0xFFFC, 0x8000, 0x7FFF])
def test_lengths_of_parameters_that_lie_are_refused(length):
    """A length of -4 words keeps the package in an endless loop; it must never get there."""
    data = bytearray(seeds.opus())
    at = data.index(b"NPT\0") + 6
    data[at : at + 2] = struct.pack("<H", length)
    for reader in (opus, opus_library):
        with pytest.raises(NotUnderstood, match="'NPT' at byte"):
            reader.read(bytes(data))


@pytest.mark.parametrize("size", [4, 30, 200, 600])
def test_a_cut_file_is_refused(size):
    with pytest.raises(NotUnderstood, match="too few|cut short"):
        opus.read(seeds.opus()[:size])


def test_blocks_that_overlap_many_times_are_refused():
    data = bytearray(seeds.opus())
    entries = b"".join(struct.pack("<Iii", 3 | 3 << 2 | 4 << 10, len(data) // 4, 4) for _ in range(3))
    data[24 : 24 + len(entries)] = entries
    with pytest.raises(NotUnderstood, match="overlap|cut short"):
        opus.read(bytes(data))
