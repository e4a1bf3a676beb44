"""Bruker BRML."""

import numpy as np
import pytest

from surrogate.formats.errors import NotUnderstood


def test_a_scan_is_read_with_all_that_the_file_says(seeds, open_file):
    file = open_file(seeds.brml())
    scan = file.scans[0]
    assert (file.format, file.checked_by, file.warnings) == ("Bruker BRML 7.6", ("fairmat",), ())
    np.testing.assert_allclose(scan.axis.values, seeds.TWO_THETA, rtol=1e-14)
    np.testing.assert_array_equal(scan.counts, seeds.COUNTS)
    np.testing.assert_array_equal(scan.count_time_s, np.full(12, 1.5))
    assert scan.radiation.wavelength_angstrom == (1.5406, 1.54439)
    expected = {"tube_voltage_kv": 40.0, "tube_current_ma": 25.0, "sample": "rutile", "operator": "Ada"}
    assert expected.items() <= scan.facts.items()
    assert "CreatingVersion" in file.header


def test_intensities_are_multiplied_by_the_absorption_factor_already(seeds, open_file):
    stored = (np.array(seeds.COUNTS) * seeds.FACTORS).tolist()
    scan = open_file(seeds.brml(seeds.brml_scan(stored, factors=seeds.FACTORS))).scans[0]
    np.testing.assert_array_equal(scan.counts, seeds.COUNTS)
    np.testing.assert_array_equal(scan.values, stored)
    np.testing.assert_array_equal(scan.attenuation, seeds.FACTORS)


def test_where_intensities_do_not_tell_about_absorption_the_file_is_refused(seeds, open_file):
    stored = (np.array(seeds.COUNTS) * 1.237).tolist()
    with pytest.raises(NotUnderstood, match="do not tell whether"):
        open_file(seeds.brml(seeds.brml_scan(stored, factors=seeds.FACTORS)))


def test_steps_that_vary_are_taken_from_the_points(seeds, open_file):
    places = (24.5 + np.cumsum(np.linspace(0.01, 0.05, 12))).round(4).tolist()
    file = open_file(seeds.brml(seeds.brml_scan(positions=places)))
    np.testing.assert_array_equal(file.scans[0].axis.values, places)
    assert "the recorded positions are used" in file.warnings[0]
    assert file.checked_by == ()


def test_several_scans_come_in_the_order_of_the_manifest(seeds, open_file):
    scans = [seeds.brml_scan((np.array(seeds.COUNTS) * factor).tolist()) for factor in (1, 2, 3)]
    assert [scan.counts.max() for scan in open_file(seeds.brml(*scans)).scans] == [14602.0, 29204.0, 43806.0]


@pytest.mark.parametrize(
    ("scan", "reason"),
    [
        ({"channels": 1280}, "1280 channels for each point"),
        ({"counts": (5, 6), "positions": (24.5, 24.5)}, "none of the axes that are known moved"),
    ],
    ids=["frames", "nothing moved"],
)
def test_what_is_no_scan_is_refused(seeds, open_file, scan, reason):
    with pytest.raises(NotUnderstood, match=reason):
        open_file(seeds.brml(seeds.brml_scan(**scan)))


def test_of_two_routes_one_must_be_measured(seeds, open_file):
    two = seeds.brml_scan(flag="Smoothed")
    route = two[two.index("<DataRoute ") : two.index("</DataRoutes>")]
    with pytest.raises(NotUnderstood, match="2 data routes"):
        open_file(seeds.brml(two.replace(route, route + route)))


def test_a_member_that_the_manifest_names_must_be_there(seeds, open_file):
    data = seeds.zipped({
        "Experiment0/DataContainer.xml": "<D><RawDataReferenceList><string>x.xml</string></RawDataReferenceList></D>",
        "Experiment0/RawData0.xml": seeds.brml_scan(),
    })  # fmt: skip
    with pytest.raises(NotUnderstood, match=r"holds no x\.xml"):
        open_file(data)
