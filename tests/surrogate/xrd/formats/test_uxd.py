import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.formats.errors import NotUnderstood
from surrogate.xrd.formats.uxd import read, recognises

seeds = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[2] / "formats" / "seeds_text.py")))

HEAD = "_FILEVERSION=1\n_DRIVE='COUPLED'\n_STEPTIME=2\n_STEPSIZE=0.5\n_START=10\n"


def test_counts_are_placed_by_start_and_step():
    content = read(seeds.uxd())
    scan = content.scans[0]
    np.testing.assert_allclose(scan.axis.values, seeds.TWO_THETA, rtol=1e-12)
    np.testing.assert_array_equal(scan.counts, seeds.COUNTS)
    np.testing.assert_array_equal(scan.count_time_s, np.full(seeds.N, 2.0))
    assert scan.radiation.wavelength_angstrom == (1.5406, 1.54439)
    assert (scan.radiation.ratio, scan.radiation.anode) == ((1.0, 0.5), "Cu")
    assert (content.format, scan.title) == ("Bruker UXD 2", "Quarz")
    assert "_WLRATIO=0.500000" in content.header


def test_a_rate_of_whole_counts_has_their_sigma():
    content = read(seeds.uxd())
    scan = content.scans[1]
    assert scan.unit == "counts/s"
    np.testing.assert_array_equal(scan.counts, seeds.COUNTS)
    np.testing.assert_allclose(scan.values, seeds.COUNTS / 4)
    np.testing.assert_allclose(scan.sigma, np.sqrt(seeds.COUNTS + 1) / 4)
    assert content.warnings == ()


def test_a_rate_of_no_whole_counts_has_no_sigma():
    content = read(f"{HEAD}_CPS\n1.3 2.7 3.9\n".encode())
    assert (content.scans[0].counts, content.scans[0].sigma) == (None, None)
    assert "the intensities are not whole counts: they have no counting error here" in content.warnings


def test_a_wavelength_that_is_not_that_of_the_anode_is_told():
    content = read(f"_WL1=1.789\n_ANODE='Cu'\n{HEAD}_COUNTS\n1 2 3\n".encode())
    assert content.warnings == ("the header gives 1.789 Ao, and K-alpha 1 of Cu is 1.5406 Ao",)


def test_the_axis_is_of_the_drive_and_not_of_the_word_that_opens_the_data():
    (scan,) = read(b"_FILEVERSION=2\n_DRIVE='THETA'\n_2THETACOUNTS\n17.1 5\n17.2 9\n").scans
    assert (scan.axis.quantity, scan.axis.values.tolist()) == ("omega", [17.1, 17.2])


def test_another_drive_is_told():
    content = read(b"_FILEVERSION=2\n_DRIVE='PHI'\n_2THETACOUNTS\n0 5\n5 9\n")
    assert content.scans[0].axis.quantity == "unknown"
    assert "drive 'PHI'" in content.warnings[0]


def test_times_of_each_point_are_read():
    (scan,) = read(b"_FILEVERSION=2\n_DRIVE='COUPLED'\n_2THETACOUNTSTIME\n10 5 1.5\n11 9 2.5\n").scans
    assert (scan.values.tolist(), scan.count_time_s.tolist()) == ([5, 9], [1.5, 2.5])


def test_each_range_has_its_own_time_and_none_of_another():
    text = f"{HEAD}_COUNTS\n1 2 3\n_DRIVE='COUPLED'\n_STEPSIZE=1\n_START=50\n_COUNTS\n4 5\n"
    first, second = read(text.encode()).scans
    assert first.count_time_s is not None
    assert second.count_time_s is None
    assert second.axis.values.tolist() == [50, 51]


def test_values_may_be_parted_by_commas():
    (scan,) = read(f"{HEAD}_2THETACOUNTS\n10.0, 5\n10.5, 7\n".encode()).scans
    assert scan.counts.tolist() == [5, 7]


def test_a_list_of_peaks_is_left_out_with_a_warning():
    content = read(f"{HEAD}_COUNTS\n1 2 3\n_D-I\n3.34 100\n4.25 20\n".encode())
    assert len(content.scans) == 1
    assert "a list of peaks was left out" in content.warnings


def test_wavelengths_without_a_ratio_are_told():
    content = read(f"_WL1=1.5406\n_WL2=1.5444\n{HEAD}_COUNTS\n1 2 3\n".encode())
    assert content.scans[0].radiation.ratio == (1.0, 0.5)
    assert content.warnings == ("the header gives K-alpha 2 without its ratio; 0.5 is assumed",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD, "no range of counts or rates"),
        (f"{HEAD}_COUNTS\n1 2 x\n", "line 7, '1 2 x', holds something that is no number"),
        (f"{HEAD}_2THETACOUNTS\n1 2 3\n", "range 1 holds 3 numbers, not 2 for each point"),
        (f"{HEAD}_COUNTS\n", "range 1 holds 0 numbers"),
        (f"{HEAD}_STEPCOUNT=99\n_COUNTS\n1 2\n", "declares 99 points and holds 2"),
        ("_FILEVERSION=1\n_DRIVE='COUPLED'\n_STEPSIZE=0.5\n_COUNTS\n1 2\n", "neither positions nor a start and a step"),
        ("_FILEVERSION=1\n1 2\n", "line 2, '1 2', stands before any data"),
    ],
)
def test_broken_files_are_refused(text, message):
    with pytest.raises(NotUnderstood, match=message):
        read(text.encode())


@pytest.mark.parametrize(
    ("data", "own"),
    [
        (seeds.uxd(), True), (b"; a\n\n;b\r\n\r\n_FILEVERSION=1\n", True), (b"_pd_meas=1\n", False),
        (b"data_\n", False),
        (b"\n" * 60_000, False), (b"", False), (b";\n" * 20_000, False),
    ],
)  # fmt: skip
def test_files_are_recognised_by_their_first_line(data, own):
    assert recognises(data) is own


@given(st.lists(st.integers(0, 10**7), min_size=2, max_size=50).filter(any))
def test_counts_round_trip(values):
    (scan,) = read(f"{HEAD}_COUNTS\n{' '.join(map(str, values))}\n".encode()).scans
    assert scan.counts.tolist() == values
