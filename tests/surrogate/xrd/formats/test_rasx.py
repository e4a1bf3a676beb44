"""Rigaku RASX."""

import numpy as np
import pytest

from surrogate.formats.errors import NotUnderstood


def test_a_scan_is_read_and_the_second_reader_agrees(seeds, open_file):
    file = open_file(seeds.rasx())
    scan = file.scans[0]
    assert file.checked_by == ("fairmat",)
    np.testing.assert_allclose(scan.axis.values, seeds.TWO_THETA, rtol=1e-14)
    np.testing.assert_array_equal(scan.counts, seeds.COUNTS)
    np.testing.assert_allclose(scan.count_time_s, np.full(12, 1.5))
    expected = {"sample": "rutile", "operator": "Ada", "instrument": "SmartLab", "tube_voltage_kv": 40.0}
    assert expected.items() <= scan.facts.items()
    assert scan.radiation.wavelength_angstrom == (1.540593, 1.544414)


def test_twin_files_in_two_formats_are_equal(seeds, open_file):
    one, other = open_file(seeds.ras()).scans[0], open_file(seeds.rasx()).scans[0]
    np.testing.assert_array_equal(one.axis.values, other.axis.values)
    np.testing.assert_array_equal(one.values, other.values)
    assert one.radiation == other.radiation


def test_scans_come_in_the_order_of_their_numbers(seeds, open_file):
    scans = [(np.array(seeds.COUNTS) * factor).tolist() for factor in range(1, 13)]
    found = [scan.counts.max() / 14602.0 for scan in open_file(seeds.rasx(*scans)).scans]
    assert found == list(range(1, 13))


def test_attenuation_is_multiplied_in_and_the_second_reader_is_not_asked(seeds, open_file):
    file = open_file(seeds.rasx(factors=seeds.FACTORS))
    np.testing.assert_allclose(file.scans[0].values, np.array(seeds.COUNTS) * seeds.FACTORS)
    assert file.checked_by == ()


def test_images_are_left_alone(seeds, open_file):
    file = open_file(seeds.rasx(images=True))
    np.testing.assert_array_equal(file.scans[0].counts, seeds.COUNTS)
    assert file.checked_by == ()


def test_a_profile_without_conditions_is_refused(seeds, open_file):
    with pytest.raises(NotUnderstood, match="holds no Data0/MesurementConditions0.xml"):
        open_file(seeds.zipped({"Data0/Profile0.txt": "1 2 1\n2 3 1\n"}))
