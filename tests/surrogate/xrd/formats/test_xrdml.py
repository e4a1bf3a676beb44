"""PANalytical XRDML."""

import numpy as np
import pytest

from surrogate.formats.errors import NotUnderstood
from surrogate.xrd.formats import xrdml


@pytest.mark.parametrize("version", ["1.0", "1.3", "1.5", "2.1"])
def test_a_scan_is_read_with_all_that_the_file_says(seeds, open_file, version):
    file = open_file(seeds.xrdml(version=version))
    scan = file.scans[0]
    assert (file.format, file.checked_by, file.warnings) == (f"PANalytical XRDML {version}", ("fairmat",), ())
    assert (scan.axis.quantity, scan.axis.unit, scan.unit, scan.title) == ("two_theta", "deg", "counts", "rutile")
    np.testing.assert_allclose(scan.axis.values, seeds.TWO_THETA, rtol=1e-14)
    np.testing.assert_array_equal(scan.counts, seeds.COUNTS)
    np.testing.assert_array_equal(scan.sigma, np.sqrt(np.array(seeds.COUNTS) + 1.0))
    np.testing.assert_array_equal(scan.count_time_s, np.full(12, 1.5))
    assert scan.radiation.wavelength_angstrom == (1.540598, 1.544426)
    assert (scan.radiation.ratio, scan.radiation.anode) == ((1.0, 0.5), "Cu")
    expected = {
        "tube_voltage_kv": 45.0, "tube_current_ma": 40.0, "phi_deg": 90.0, "sample_id": "S-17",
        "started_at": "2024-05-06T07:08:09+02:00", "omega_start_deg": 12.25, "k_beta_angstrom": 1.39225,
    }  # fmt: skip
    assert expected.items() <= scan.facts.items()


def test_counts_are_multiplied_by_the_attenuation_and_intensities_are_not(seeds, open_file):
    factors, counts = np.array(seeds.FACTORS), np.array(seeds.COUNTS, dtype=float)
    raw = open_file(seeds.xrdml(seeds.xrdml_scan(tag="counts", factors=factors), version="2.1")).scans[0]
    done = open_file(seeds.xrdml(seeds.xrdml_scan(np.round(counts * factors, 2), factors=factors))).scans[0]
    for scan in (raw, done):
        np.testing.assert_array_equal(scan.counts, counts)
        np.testing.assert_array_equal(scan.attenuation, factors)
        np.testing.assert_allclose(scan.values, counts * factors, rtol=1e-6)
        np.testing.assert_allclose(scan.sigma, np.sqrt(counts + 1.0) * factors)


def test_intensities_rounded_to_whole_numbers_still_give_the_counts_behind_the_attenuator(seeds, open_file):
    rounded = np.round(np.array(seeds.COUNTS) * seeds.FACTORS)
    scan = open_file(seeds.xrdml(seeds.xrdml_scan(rounded, factors=seeds.FACTORS))).scans[0]
    np.testing.assert_array_equal(scan.counts, seeds.COUNTS)
    np.testing.assert_array_equal(scan.values, rounded)


def test_intensities_that_are_no_counts_have_no_poisson_error(seeds, open_file):
    file = open_file(seeds.xrdml(seeds.xrdml_scan(np.array(seeds.COUNTS) * 0.9137)))
    assert file.scans[0].counts is None
    assert file.scans[0].sigma is None
    assert "not whole counts" in file.warnings[0]


def test_listed_positions_and_times_for_each_point(seeds, open_file):
    places = np.cumsum(np.linspace(0.01, 0.05, 12)) + 20.0
    scan = seeds.xrdml_scan(
        positions=f"<listPositions>{' '.join(map(repr, places.tolist()))}</listPositions>",
        time=f'<countingTimes unit="seconds">{seeds.words(np.arange(1.0, 13.0))}</countingTimes>',
    )
    found = open_file(seeds.xrdml(scan)).scans[0]
    np.testing.assert_array_equal(found.axis.values, places)
    np.testing.assert_array_equal(found.count_time_s, np.arange(1.0, 13.0))


def test_several_scans_and_an_empty_one(seeds, open_file):
    empty = seeds.xrdml_scan(values=[])
    file = open_file(seeds.xrdml(seeds.xrdml_scan(), empty, seeds.xrdml_scan(np.array(seeds.COUNTS) * 2)))
    assert [scan.counts.max() for scan in file.scans] == [14602.0, 29204.0]
    assert file.warnings == ("1 of 3 scans hold no points and are left out",)


def test_a_rocking_curve_has_omega_as_its_axis(seeds, open_file):
    scan = seeds.xrdml_scan(positions="<commonPosition>24.5</commonPosition>")
    found = open_file(seeds.xrdml(scan)).scans[0]
    assert found.axis.quantity == "omega"
    assert found.facts["two_theta_deg"] == 24.5


def test_one_attenuation_for_all_points_is_applied_where_the_second_reader_leaves_it_out(seeds, open_file):
    more = "<commonBeamAttenuationFactor>10</commonBeamAttenuationFactor>"
    file = open_file(seeds.xrdml(seeds.xrdml_scan(tag="counts", more=more), version="2.1"))
    np.testing.assert_array_equal(file.scans[0].values, 10.0 * np.array(seeds.COUNTS))
    assert file.checked_by == ()


@pytest.mark.parametrize(
    ("more", "warning"),
    [
        ({"status": "Aborted"}, "'Aborted'"),
        ({"time": ""}, "how long a point was counted"),
        ({"more": "<commonDivergenceCorrection>1.2</commonDivergenceCorrection>"}, "divergence corrections"),
    ],
    ids=["aborted", "no time", "divergence"],
)
def test_what_is_doubtful_is_a_warning(seeds, open_file, more, warning):
    assert any(warning in told for told in open_file(seeds.xrdml(seeds.xrdml_scan(**more))).warnings)


def test_a_wavelength_that_is_not_the_anodes_is_noticed(seeds, open_file):
    lines = '<usedWavelength><kAlpha1 unit="Angstrom">0.7093</kAlpha1></usedWavelength>'
    assert "K-alpha 1 of Cu is 1.5406" in open_file(seeds.xrdml(lines=lines)).warnings[0]


def test_a_monochromator_in_the_incident_beam_leaves_one_line(seeds, open_file):
    crystal = b'<xRayTube><tension unit="kV">45'
    data = seeds.xrdml().replace(crystal, b'<monochromator name="Ge"/>' + crystal)
    file = open_file(data)
    assert file.scans[0].radiation.wavelength_angstrom == (1.540598,)
    assert "taken as absent" in file.warnings[0]


def test_a_file_in_utf_16_is_read(seeds, open_file):
    data = seeds.xrdml().decode().replace('encoding="UTF-8"', 'encoding="UTF-16"').encode("utf-16")
    np.testing.assert_array_equal(open_file(data).scans[0].counts, seeds.COUNTS)


def test_the_header_is_kept_without_the_lists_of_points(seeds):
    header = xrdml.read(seeds.xrdml()).header
    assert "<name>rutile</name>" in header
    assert "14602" not in header


@pytest.mark.parametrize(
    ("scan", "reason"),
    [
        ({"factors": (1.0, 2.0)}, "2 beamAttenuationFactors for 12 points"),
        ({"factors": (0.0,) * 12}, "one of its beamAttenuationFactors is 0"),
        ({"unit": "furlongs"}, "in 'furlongs', and not in counts"),
        ({"positions": "<listPositions>1 2 3</listPositions>"}, "3 positions of 2Theta for 12 points"),
        ({"positions": "<startPosition>x</startPosition>"}, "neither a list nor a start and an end"),
        ({"values": (1.0, float("nan"), 2.0)}, "not finite"),
    ],
)
def test_a_scan_that_contradicts_itself_is_refused(seeds, open_file, scan, reason):
    with pytest.raises(NotUnderstood, match=reason):
        open_file(seeds.xrdml(seeds.xrdml_scan(**scan)))


def test_entities_are_not_expanded(seeds, open_file):
    bomb = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]>'
    with pytest.raises(NotUnderstood, match="document type"):
        open_file(seeds.xrdml(root=bomb))


def test_a_cut_file_is_refused(seeds, open_file):
    with pytest.raises(NotUnderstood, match="no whole XML"):
        open_file(seeds.xrdml()[:-200])
