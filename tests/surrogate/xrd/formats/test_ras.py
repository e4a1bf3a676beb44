"""Rigaku RAS."""

import numpy as np
import pytest

from surrogate.formats.errors import NotUnderstood


@pytest.mark.parametrize("encoding", ["shift_jis", "utf-8", "utf-8-sig"])
def test_a_scan_is_read_with_all_that_the_file_says(seeds, open_file, encoding):
    file = open_file(seeds.ras(encoding=encoding))
    scan = file.scans[0]
    np.testing.assert_allclose(scan.axis.values, seeds.TWO_THETA, rtol=1e-14)
    np.testing.assert_array_equal(scan.counts, seeds.COUNTS)
    np.testing.assert_allclose(scan.count_time_s, np.full(12, 1.5))
    expected = {"sample": "rutile", "tube_voltage_kv": 40.0, "started_at": "2024-05-06T07:08:09",
                "scan_axis": "2θ/θ"}  # fmt: skip
    assert expected.items() <= scan.facts.items()
    assert (scan.radiation.wavelength_angstrom, scan.radiation.anode) == ((1.540593, 1.544414), "Cu")
    assert file.warnings == ("the header gives K-alpha 2 without its ratio; 0.5 is assumed",)
    assert '*FILE_SAMPLE "rutile"' in file.header


def test_whether_the_attenuator_was_multiplied_in_is_told_by_what_is_whole(seeds, open_file):
    factors, counts = np.array(seeds.FACTORS), np.array(seeds.COUNTS, dtype=float)
    raw = open_file(seeds.ras(seeds.ras_scan(counts, factors=factors))).scans[0]
    done = open_file(seeds.ras(seeds.ras_scan(counts * factors, factors=factors))).scans[0]
    for scan in (raw, done):
        np.testing.assert_array_equal(scan.counts, counts)
        np.testing.assert_allclose(scan.values, counts * factors)
    with pytest.raises(NotUnderstood, match="do not tell whether"):
        open_file(seeds.ras(seeds.ras_scan(counts * 1.237, factors=factors)))


def test_rates_become_counts_where_their_time_makes_them_whole(seeds, open_file):
    step = {"MEAS_SCAN_MODE": "STEP", "MEAS_SCAN_SPEED": "2.0", "MEAS_SCAN_SPEED_UNIT": "sec"}
    rates = np.array(seeds.COUNTS) / 2.0
    scan = open_file(seeds.ras(seeds.ras_scan(rates, MEAS_SCAN_UNIT_Y="cps", **step))).scans[0]
    assert scan.unit == "counts/s"
    np.testing.assert_array_equal(scan.values, rates)
    np.testing.assert_array_equal(scan.counts, seeds.COUNTS)
    np.testing.assert_allclose(scan.sigma, np.sqrt(np.array(seeds.COUNTS) + 1.0) / 2.0)


def test_a_detector_of_strips_has_no_counting_time(seeds, open_file):
    scan = open_file(seeds.ras(seeds.ras_scan(MEAS_SCAN_MODE_INTERNAL="TDI_1D"))).scans[0]
    assert scan.count_time_s is None


def test_several_scans(seeds, open_file):
    file = open_file(seeds.ras(seeds.ras_scan(), seeds.ras_scan(FILE_SAMPLE="anatase")))
    assert [scan.title for scan in file.scans] == ["rutile", "anatase"]


def test_a_file_without_its_end_is_read_if_all_points_are_there(seeds, open_file):
    cut = seeds.ras().split(b"*RAS_INT_END")[0]
    assert "ends within its last scan" in open_file(cut).warnings[-1]
    with pytest.raises(NotUnderstood, match="holds 11 points and declares 12"):
        open_file(cut[: cut.rindex(b"\r\n", 0, -2) + 2])


def test_one_line_of_the_tube(seeds, open_file):
    lines = open_file(seeds.ras(seeds.ras_scan(MEAS_COND_XG_WAVE_TYPE="Ka1"))).scans[0].radiation
    assert lines.wavelength_angstrom == (1.540593,)


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"MEAS_SCAN_AXIS_X": "Torsion", "MEAS_SCAN_AXIS_X_INTERNAL": ""}, "'Torsion', an axis that is not known"),
        ({"MEAS_SCAN_UNIT_X": "gon"}, "axis is in 'gon'"),
        ({"MEAS_SCAN_UNIT_Y": "V"}, "in 'v', and not in counts"),
        ({"HW_XG_WAVE_LENGTH_UNIT": "nm"}, "wavelengths are in 'nm'"),
        ({"MEAS_DATA_COUNT": "13"}, "holds 12 points and declares 13"),
    ],
)
def test_what_is_not_known_is_refused(seeds, open_file, keys, reason):
    with pytest.raises(NotUnderstood, match=reason):
        open_file(seeds.ras(seeds.ras_scan(**keys)))


def test_a_header_without_points_is_refused(seeds, open_file):
    with pytest.raises(NotUnderstood, match="no numbers follow"):
        open_file(seeds.ras().split(b"*RAS_INT_START")[0])
