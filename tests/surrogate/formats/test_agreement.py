"""When two readings of a file are the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.formats.agreement import difference
from surrogate.formats.record import Axis, Radiation, Scan

N = 50
X = 10.0 + 0.02 * np.arange(N)
Y = np.linspace(100.0, 900.0, N)


def scan(**changes) -> Scan:
    x, quantity, unit = changes.pop("x", X), changes.pop("axis", "two_theta"), changes.pop("axis_unit", "deg")
    fields = {"kind": "diffractogram", "values": Y, "unit": "counts"} | changes
    return Scan(axis=Axis(quantity=quantity, unit=unit, values=x), **fields)


def changed(values, place, value):
    values = np.array(values, dtype=float)
    values[place] = value
    return values


def lines(*angstrom):
    return Radiation(wavelength_angstrom=angstrom, ratio=(1.0, 0.5)[: len(angstrom)])


def test_a_reading_agrees_with_itself():
    assert difference([scan()], [scan()]) == ""


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=2, max_size=30))
def test_any_numbers_agree_with_themselves(values):
    one = scan(x=np.arange(float(len(values))), values=np.array(values))
    assert difference([one], [one]) == ""


@given(st.lists(st.floats(1e-30, 1e30), min_size=2, max_size=30))
def test_numbers_of_single_precision_agree(values):
    x = np.arange(float(len(values)))
    one, two = np.array(values), np.array(values, dtype=np.float32).astype(float)
    assert difference([scan(x=x, values=one)], [scan(x=x, values=two)]) == ""


def test_an_axis_summed_in_single_precision_agrees_also_near_zero():
    x = -0.5 + 0.001 * np.arange(1001)
    summed = (np.float32(-0.5) + np.float32(0.001) * np.arange(1001, dtype=np.float32)).astype(float)
    assert np.abs(summed - x)[495:505].max() > 1e-6 * np.abs(x[499])
    assert difference([scan(x=x, values=x + 1)], [scan(x=summed, values=x + 1)]) == ""


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"values": changed(Y, 3, 0.0)}, {"values": changed(Y, 3, 1.0)}),
        ({"values": changed(Y * 1e9, 3, 0.0)}, {"values": changed(Y * 1e9, 3, -1.0)}),
        ({"values": changed(changed(Y, 3, 1.0), 9, 1e9)}, {"values": changed(changed(Y, 3, 2.0), 9, 1e9)}),
        ({"values": changed(Y, 3, 0.0)}, {"values": changed(Y, 3, np.nan)}),
        ({"values": changed(Y, 3, np.inf)}, {"values": changed(Y, 3, -np.inf)}),
        ({"values": changed(Y, 3, 14602.0)}, {"values": changed(Y, 3, 604.4)}),
        ({"x": X}, {"x": changed(X, 3, X[3] + 1e-4)}),
        ({"counts": Y}, {"counts": changed(Y, 3, 5.0)}),
        ({"attenuation": np.ones(N)}, {"attenuation": np.full(N, 2.0)}),
        ({"count_time_s": np.ones(N)}, {"count_time_s": np.full(N, 2.0)}),
        ({"radiation": lines(1.5406)}, {"radiation": lines(0.7093)}),
        ({"radiation": lines(1.5406, 1.5444)}, {"radiation": lines(1.5406, 1.39)}),
        ({"axis": "two_theta"}, {"axis": "omega"}),
        ({"axis": "q", "axis_unit": "/Ao"}, {"axis": "q", "axis_unit": "/nm"}),
        ({"unit": "counts"}, {"unit": "counts/s"}),
    ],
    ids=["zero", "masked beside large ones", "beside a spike", "missing", "sign of infinity", "attenuated once", "axis",
         "counts", "attenuation", "times", "wavelength", "second line", "quantity", "unit of the axis", "unit"],
)  # fmt: skip
def test_readings_that_differ_are_told_apart(ours, theirs):
    for one, two in ((ours, theirs), (theirs, ours)):
        assert "different" in difference([scan(**one)], [scan(**two)])


@pytest.mark.parametrize(
    "silent",
    [{"axis": "unknown", "axis_unit": "1"}, {"unit": "arbitrary"}, {"counts": None}, {"radiation": None}],
    ids=["axis", "unit", "counts", "radiation"],
)
def test_what_only_one_says_is_not_compared(silent):
    full = scan(counts=Y, attenuation=np.ones(N), radiation=lines(1.5406))
    assert difference([full], [scan(**silent)]) == ""


def test_an_attenuated_zero_is_a_zero():
    zeros = changed(Y, slice(0, 40), 0.0)
    assert difference([scan(values=zeros)], [scan(values=-zeros * -24.16 / 24.16)]) == ""


def test_the_worst_point_that_is_apart_is_named():
    two = changed(changed(Y * (1 + 5e-7), 3, 1.0), 4, 2.0)
    assert difference([scan(), scan()], [scan(), scan(values=two)]).startswith("different values in scan 2: ")
    assert difference([scan()], [scan(), scan()]) == "1 and 2 scans"
    assert difference([scan()], [scan(x=X[:-1], values=Y[:-1])]) == "50 and 49 points in scan 1"
