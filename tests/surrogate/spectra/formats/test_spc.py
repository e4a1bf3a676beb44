"""Galactic SPC: both versions, all kinds of numbers, and two readers that agree."""

from __future__ import annotations

import json
import runpy
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
from surrogate.spectra.formats import spc, spc_library

seeds = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[2] / "formats" / "seeds_spectra.py")))

READERS = (
    Reader(name="spc", version="1", module="surrogate.spectra.formats.spc"),
    Reader(name="spc-library", version="1", module="surrogate.spectra.formats.spc_library", checks=("spc",)),
)
WHOLE = st.lists(st.integers(-30_000, 30_000), min_size=2, max_size=40)


@pytest.fixture(autouse=True)
def both_readers(monkeypatch):
    monkeypatch.setattr(read_module, "readers", lambda: READERS)


@given(
    values=WHOLE,
    exponent=st.sampled_from([-128, 16, 20, 32]),
    flags=st.sampled_from([0, 1]),
    order=st.sampled_from("<>"),
)
def test_numbers_come_back_in_every_kind(values, exponent, flags, order):
    unit = 1.0 if exponent == -128 else 2.0 ** (exponent - (16 if flags else 32))
    y = np.array(values) * max(unit, 1.0)
    data = seeds.spc((y.tolist(),), exponent=exponent, flags=flags, order=order)
    scans = spc.read(data).scans
    np.testing.assert_array_equal(scans[0].values, y)
    np.testing.assert_allclose(scans[0].axis.values, np.linspace(400, 426, len(values)))


@given(values=WHOLE)
def test_old_files_have_their_halves_exchanged(values):
    content = spc.read(seeds.spc_old((values, values[::-1]), exponent=32))
    np.testing.assert_array_equal([scan.values for scan in content.scans], [values, values[::-1]])
    assert content.scans[0].axis.quantity == "wavenumber" and content.scans[0].quantity == "absorbance"
    assert content.scans[0].facts["started_at"] == "1994-03-21T14:05"


def test_old_files_of_short_numbers():
    values = [1, -2, 300]
    np.testing.assert_array_equal(spc.read(seeds.spc_old((values,), exponent=16, flags=1)).scans[0].values, values)


@pytest.mark.parametrize(
    "options",
    [
        {}, {"exponent": -128}, {"flags": 1}, {"x": np.linspace(1, 2, 14) ** 2}, {"log": b"ORIGIN=here\r\nRUN=7"},
        {"y": (seeds.CURVE, seeds.CURVE[::-1])}, {"y": ((1, 2, 3), (4, 5)), "own_x": ((1, 2, 4), (7, 9))},
    ],
    ids=["whole", "float", "short", "explicit x", "log", "several", "own x"],
)  # fmt: skip
def test_two_readers_agree(options):
    file = read_bytes(seeds.spc(**options), name="a.spc")
    assert file.checked_by == ("spc-library",)
    assert file.format == "Galactic SPC, new"


def test_own_axes_belong_to_their_traces():
    scans = spc.read(seeds.spc(((1, 2, 3), (4, 5)), own_x=((1, 2, 4), (7, 9)))).scans
    np.testing.assert_array_equal(scans[0].axis.values, [1, 2, 4])
    np.testing.assert_array_equal(scans[1].axis.values, [7, 9])


def test_the_log_is_kept_in_the_header():
    assert json.loads(spc.read(seeds.spc(log=b"RUN=7")).header)["log"] == "RUN=7"


@pytest.mark.parametrize(
    ("x_type", "quantity", "unit"),
    [(1, "wavenumber", "/cm"), (3, "wavelength", "nm"), (13, "raman_shift", "/cm"), (14, "energy", "eV")],
)
def test_axis_types(x_type, quantity, unit):
    axis = spc.read(seeds.spc(x_type=x_type)).scans[0].axis
    assert (axis.quantity, axis.unit) == (quantity, unit)


def test_labels_of_axes_are_read_where_the_type_is_arbitrary():
    content = spc.read(seeds.spc(x_type=0, flags=0x20, labels=b"Raman Shift (cm-1)\0Counts\0\0"))
    assert content.scans[0].axis.quantity == "raman_shift" and content.warnings == ()


def test_an_axis_of_no_known_type_is_said():
    content = spc.read(seeds.spc(x_type=10))
    assert content.scans[0].axis.quantity == "unknown" and "type 10" in content.warnings[0]


def test_counts_are_counts():
    scan = spc.read(seeds.spc(((1, 4, 9),), y_type=4)).scans[0]
    assert scan.unit == "counts" and scan.counts is not None


def test_infinite_values_are_unknown_and_said():
    content = spc.read(seeds.spc(((1.0, np.inf, 3.0),), exponent=-128))
    assert np.isnan(content.scans[0].values[1]) and "1 values are infinite" in content.warnings[0]


@pytest.mark.parametrize(
    ("main", "own", "y"), [(16, -128, 1), (-128, 20, 2), (20, -128, 1)], ids=["own float", "float or 20", "20 or float"]
)
def test_exponents_that_contradict_are_refused(main, own, y):
    with pytest.raises(NotUnderstood, match=f"exponents {main} of its header and {own} of its subfile"):
        spc.read(seeds.spc((seeds.CURVE,) * y, exponent=main, sub_exponent=own))


def test_another_exponent_of_a_single_subfile_is_said_and_not_checked():
    data = seeds.spc(exponent=16, sub_exponent=3)
    file = read_bytes(data, name="a.spc")
    np.testing.assert_array_equal(file.scans[0].values, seeds.CURVE)
    assert file.checked_by == () and "the exponent 16 of its header is taken" in file.warnings[0]
    with pytest.raises(NotUnderstood, match="different exponents"):
        spc_library.read(data)


@pytest.mark.parametrize("size", [256, 511, 530, 560])
def test_a_cut_file_is_refused(size):
    with pytest.raises(NotUnderstood, match="too few|it ends at byte"):
        spc.read(seeds.spc()[:size])


def test_huge_declared_counts_allocate_nothing():
    data = bytearray(seeds.spc())
    data[4:8] = b"\xff\xff\xff\x7f"
    with pytest.raises(NotUnderstood, match="it says that it holds 2147483647 points"):
        spc.read(bytes(data))


def test_other_files_are_not_recognised():
    assert not spc.recognises(b"PK\x03\x04" + bytes(600)), "a zip archive has the version byte too"
    assert not spc.recognises(b"#K a text of a spectrometer\n" * 40)
    assert not spc.recognises(b"\x00K")


def test_text_with_the_version_byte_is_for_others():
    assert not spc.recognises(b"AL\r\n" + b"x" * 24 + b"\r\n" + b"10.00 34\n" * 60)
