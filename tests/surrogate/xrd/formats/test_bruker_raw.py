"""Bruker RAW, all versions; files are written byte by byte from the published layout."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.formats.errors import NotUnderstood
from surrogate.xrd.formats import bruker_raw
from surrogate.xrd.formats.binary import Bytes

LINES = (1.5406, 1.54439)


@pytest.mark.parametrize("make", ["raw2", "raw3", "raw4"])
def test_each_version_gives_angles_counts_and_lines(seeds, open_file, make):
    scan = open_file(getattr(seeds, make)()).scans[0]
    np.testing.assert_allclose(scan.axis.values, seeds.TWO_THETA, rtol=1e-12)
    np.testing.assert_array_equal(scan.counts, seeds.COUNTS)
    assert (scan.radiation.wavelength_angstrom, scan.radiation.ratio) == (LINES, (1.0, 0.5))
    assert (scan.axis.quantity, scan.axis.unit, scan.radiation.anode) == ("two_theta", "deg", "Cu")


def test_version_4_agrees_with_the_second_reader_where_that_knows_the_layout(seeds, open_file):
    assert open_file(seeds.raw4()).checked_by == ("fairmat",)
    assert open_file(seeds.raw4(record=4)).checked_by == ()


def test_the_header_of_1_01_is_kept_by_field(seeds, open_file):
    file = open_file(seeds.raw3())
    expected = {"started_at": "2024-05-06T07:08:09", "operator": "Ada", "sample": "rutile", "radius_mm": 217.5,
                "tube_voltage_kv": 40.0, "temperature_k": 298.0, "status": "done"}  # fmt: skip
    assert expected.items() <= file.scans[0].facts.items()
    assert '"operator": "Ada"' in file.header


@pytest.mark.parametrize("more", [0, 40, 200])
def test_ranges_of_1_01_follow_each_other(seeds, open_file, more):
    ranges = [seeds.raw3_range([c * f for c in seeds.COUNTS], more=more) for f in (1, 2)]
    assert [scan.counts.max() for scan in open_file(seeds.raw3(*ranges)).scans] == [14602.0, 29204.0]


def test_ranges_of_2_and_4_follow_each_other(seeds, open_file):
    assert len(open_file(seeds.raw2(seeds.raw2_range(), seeds.raw2_range(header=48))).scans) == 2
    assert len(open_file(seeds.raw4(ranges=3)).scans) == 3


def test_recorded_angles_are_used(seeds, open_file):
    places = [angle + 0.003 * i * i for i, angle in enumerate(seeds.TWO_THETA)]
    scan = open_file(seeds.raw3(seeds.raw3_range(varying=places))).scans[0]
    np.testing.assert_array_equal(scan.axis.values, places)
    np.testing.assert_array_equal(scan.counts, seeds.COUNTS)


def test_what_version_2_does_not_say_is_a_warning(seeds, open_file):
    assert "two theta is assumed" in open_file(seeds.raw2()).warnings[0]


def test_rocking_curves_have_omega_as_their_axis(seeds, open_file):
    old = open_file(seeds.raw3(seeds.raw3_range(kind=3))).scans[0].axis
    new = open_file(seeds.raw4(kind="Rocking Curve", drive="Theta")).scans[0].axis
    assert (old.quantity, old.values[0], new.quantity, new.values[0]) == ("omega", 12.25, "omega", 12.25)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (lambda s: s.raw3(s.raw3_range(kind=5)), "of kind 5"),
        (lambda s: s.raw4(kind="Phi Scan", drive="Phi"), "'Phi Scan' of phi"),
        (lambda s: s.raw3()[:-8], "12 points of 4 bytes each, and 40 bytes are left"),
        (lambda s: s.raw4()[:-2], "ends at byte"),
        (lambda s: s.raw2()[:-4], "12 points of 4 bytes each"),
        (lambda s: s.raw3()[:300], "ends after 300 bytes"),
        (lambda s: s.raw3() + b"more", "4 bytes follow its last range"),
        (lambda s: s.raw2(s.raw2_range((1.0, float("nan"), 2.0))), "not finite"),
        (lambda s: b"RAW " + bytes(400), "first version"),
        (lambda s: b"RAW_1.06Powdat" + bytes(400), "STOE"),
        (lambda s: b"FI\x00\x00" + bytes(400), "Rigaku"),
        (lambda s: b"RAW4.01\x00" + bytes(400), "after RAW4.00"),
    ],
    ids=["phi 3", "phi 4", "cut 3", "cut 4", "cut 2", "header", "more", "nan", "v1", "stoe", "rigaku", "v4.01"],
)
def test_what_is_not_read_is_refused_with_the_reason(seeds, open_file, data, reason):
    with pytest.raises(NotUnderstood, match=reason):
        open_file(data(seeds))


@given(st.integers(0, 2**32 - 1))
def test_a_declared_number_of_points_is_checked_against_the_bytes(seeds, points):
    data = bytearray(seeds.raw3())
    data[716:720] = points.to_bytes(4, "little")
    if points == 12:
        return
    with pytest.raises(NotUnderstood):
        bruker_raw.read(bytes(data))


@given(st.integers(1, 99_999), st.integers(0, 4))
def test_single_precision_comes_back_as_the_decimal_that_was_written(digits, places):
    value = digits / 10**places
    assert Bytes(np.float32(value).tobytes()).f32(0) == value
