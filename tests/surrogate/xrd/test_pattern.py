from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.formats.record import Axis, Radiation, Scan
from surrogate.xrd.atlas import COPPER
from surrogate.xrd.pattern import Unusable, as_data, make_pattern
from tests.surrogate.xrd.mixtures import gaussians, scan_of

ANGLES = np.arange(20.0, 60.0, 0.02)
PEAKS = {25.0: 5000.0, 31.3: 2000.0, 43.0: 800.0, 52.7: 3000.0}


def counts(seed=0, angles=ANGLES, **options):
    return np.random.default_rng(seed).poisson(gaussians(angles, PEAKS, **options)).astype(float)


def bare(values, *, axis=None, sigma=None, unit="arbitrary", radiation=COPPER):
    """Return a scan of which no counts are known."""
    axis = axis or Axis(quantity="two_theta", unit="deg", values=ANGLES)
    return Scan(kind="diffractogram", axis=axis, values=np.asarray(values), unit=unit, sigma=sigma, radiation=radiation)


def by(quantity, unit, values):
    return Axis(quantity=quantity, unit=unit, values=np.asarray(values))


def wavenumber(angles):
    return 4.0 * np.pi * np.sin(np.radians(angles / 2.0)) / COPPER.wavelength_angstrom[0]


def says(pattern, words):
    return any(words in warning for warning in pattern.warnings)


def test_a_good_scan_is_taken_without_a_word():
    pattern = make_pattern(scan_of(ANGLES, counts()))
    assert pattern.warnings == ()
    assert pattern.two_theta_deg[0] == ANGLES[0] and pattern.two_theta_deg[-1] == pytest.approx(ANGLES[-1], abs=0.03)
    assert pattern.scale == pytest.approx(5000.0, rel=0.08)
    assert (pattern.intensity - pattern.baseline).max() == pytest.approx(1.0, abs=0.02)
    assert pattern.width_deg == pytest.approx(0.1, rel=0.25)


def test_the_variance_is_that_of_counting():
    pattern = make_pattern(scan_of(ANGLES, counts()), step_deg=0.02)
    flat = (pattern.two_theta_deg > 33.0) & (pattern.two_theta_deg < 41.0)
    assert np.median(pattern.variance[flat]) * pattern.scale**2 == pytest.approx(100.0, rel=0.15)
    assert np.var(pattern.intensity[flat]) == pytest.approx(np.median(pattern.variance[flat]), rel=0.2)


def test_peaks_weigh_less_than_counting_says():
    pattern = make_pattern(scan_of(ANGLES, counts()))
    top = int(pattern.intensity.argmax())
    assert pattern.weight[top] < 0.7 / pattern.variance[top]
    assert np.median(pattern.weight * pattern.variance) > 0.95


def test_the_baseline_runs_below_the_peaks():
    slope = 100.0 + 300.0 * (60.0 - ANGLES) / 40.0
    mean = gaussians(ANGLES, PEAKS, background=0.0) + slope
    pattern = make_pattern(scan_of(ANGLES, np.random.default_rng(0).poisson(mean)))
    true = np.interp(pattern.two_theta_deg, ANGLES, slope)
    assert np.abs(pattern.baseline * pattern.scale - true).max() < 60.0


def test_an_attenuated_scan_has_the_variance_of_what_was_detected():
    detected = counts()
    plain = scan_of(ANGLES, detected)
    weak = np.full(len(detected), 20.0)
    scan = replace(plain, values=detected * weak, attenuation=weak, sigma=plain.sigma * weak)
    one, other = make_pattern(plain), make_pattern(scan)
    assert other.variance == pytest.approx(one.variance, rel=0.02)


def test_counts_per_second_have_the_variance_of_their_counts():
    """Also where a point counted nothing."""
    rng = np.random.default_rng(0)
    mean = gaussians(ANGLES, PEAKS, background=0.5)
    detected = rng.poisson(mean).astype(float)
    scan = replace(scan_of(ANGLES, detected), values=detected / 100.0, unit="counts/s", sigma=None)
    one, other = make_pattern(scan_of(ANGLES, detected)), make_pattern(scan)
    assert np.median(other.variance / one.variance) == pytest.approx(1.0, rel=0.1)
    assert (other.variance / one.variance).max() < 3.0


def test_sigmas_of_the_file_are_believed_where_it_gives_no_counts():
    mean = gaussians(ANGLES, PEAKS)
    sigma = np.full(len(ANGLES), 7.0)
    noisy = mean + 7.0 * np.random.default_rng(0).standard_normal(len(ANGLES))
    pattern = make_pattern(bare(noisy, sigma=sigma))
    assert np.median(pattern.variance) * pattern.scale**2 == pytest.approx(49.0, rel=0.1) and not pattern.warnings


def test_sigmas_of_the_file_are_believed_where_its_values_happen_to_be_whole():
    """As of intensities that were scaled and rounded."""
    mean = gaussians(ANGLES, PEAKS, background=400.0)
    sigma = np.full(len(ANGLES), 90.0)
    noisy = np.round(mean + 90.0 * np.random.default_rng(0).standard_normal(len(ANGLES))).clip(min=0.0)
    pattern = make_pattern(bare(noisy, sigma=sigma))
    assert np.median(pattern.variance) * pattern.scale**2 == pytest.approx(8100.0, rel=0.1)


@pytest.mark.parametrize("scale", [1e-6, 0.37, 1e6 * np.pi])
def test_noise_of_what_is_no_counts_is_estimated(scale):
    detected = counts(3)
    pattern = make_pattern(bare(scale * (detected + 0.25)))
    assert says(pattern, "their noise was estimated")
    flat = (pattern.two_theta_deg > 33.0) & (pattern.two_theta_deg < 41.0)
    assert np.median(pattern.variance[flat]) * (pattern.scale / scale) ** 2 == pytest.approx(100.0, rel=0.5)


def test_whole_numbers_are_taken_as_counts():
    pattern = make_pattern(bare(counts()))
    flat = (pattern.two_theta_deg > 33.0) & (pattern.two_theta_deg < 41.0)
    assert (
        np.median(pattern.variance[flat]) * pattern.scale**2 == pytest.approx(100.0, rel=0.15) and not pattern.warnings
    )


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (np.zeros(0), "0 usable points"),
        (np.array([3.0, 5.0]), "2 usable points; at least 30"),
        (np.full(2000, 12.0), "all 2000 intensities are 12"),
        (np.zeros(2000), "all 2000 intensities are 0"),
        (np.full(2000, np.nan), "0 usable points"),
        (np.full(2000, np.inf), "0 usable points"),
    ],
    ids=["none", "two", "constant", "zero", "nan", "infinite"],
)
def test_scans_without_anything_to_see_are_refused(values, match):
    with pytest.raises(Unusable, match=match):
        make_pattern(bare(values, axis=by("two_theta", "deg", ANGLES[: len(values)])))


def test_a_scan_over_less_than_a_degree_is_refused():
    angles = np.linspace(30.0, 30.5, 100)
    with pytest.raises(Unusable, match=r"covers 0\.50 deg"):
        make_pattern(scan_of(angles, counts(angles=angles)))


def test_negative_intensities_are_taken_with_a_warning():
    values = counts() - 100.0
    pattern = make_pattern(bare(values))
    assert says(pattern, f"{int((values < 0).sum())} intensities are negative")
    assert np.isfinite(pattern.weight).all() and (pattern.weight >= 0.0).all()


def test_points_that_are_no_numbers_are_left_out():
    values = counts()
    values[[100, 900, 1500]] = [np.nan, np.inf, -np.inf]
    scan = replace(scan_of(ANGLES, counts()), values=values, counts=None, sigma=None)
    pattern = make_pattern(scan)
    assert says(pattern, "3 of 2000 points are no numbers")
    assert np.isfinite(pattern.intensity).all() and np.isfinite(pattern.weight).all()


def test_a_descending_axis_is_turned_round():
    one = make_pattern(scan_of(ANGLES, counts()))
    other = make_pattern(scan_of(ANGLES[::-1], counts()[::-1]))
    assert other.warnings == () and other.intensity == pytest.approx(one.intensity)


def test_an_axis_in_disorder_is_put_in_order_with_a_warning():
    order = np.random.default_rng(0).permutation(len(ANGLES))
    one = make_pattern(scan_of(ANGLES, counts()))
    other = make_pattern(scan_of(ANGLES[order], counts()[order]))
    assert says(other, "do not ascend") and other.intensity == pytest.approx(one.intensity)


def test_two_passes_over_one_range_are_averaged():
    angles = np.concatenate([ANGLES, ANGLES])
    pattern = make_pattern(scan_of(angles, np.concatenate([counts(0), counts(1)])))
    one = make_pattern(scan_of(ANGLES, counts(0)))
    assert says(pattern, "do not ascend")
    assert pattern.scale == pytest.approx(one.scale, rel=0.05) and pattern.width_deg == pytest.approx(
        one.width_deg, rel=0.5
    )
    assert 500 < pattern.grid.n < 3000


def test_many_passes_over_one_range_are_averaged():
    """Most steps between neighbours are then nothing at all."""
    angles = np.tile(ANGLES, 4)
    pattern = make_pattern(scan_of(angles, np.concatenate([counts(seed) for seed in range(4)])))
    one = make_pattern(scan_of(ANGLES, counts(0)))
    assert pattern.width_deg == pytest.approx(one.width_deg, rel=0.5) and 500 < pattern.grid.n < 3000


def test_a_gap_has_no_weight():
    kept = (ANGLES < 33.0) | (ANGLES > 41.0)
    pattern = make_pattern(scan_of(ANGLES[kept], counts()[kept]))
    gap = (pattern.two_theta_deg > 33.1) & (pattern.two_theta_deg < 40.9)
    assert not pattern.weight[gap].any() and np.isinf(pattern.variance[gap]).all() and not pattern.intensity[gap].any()
    assert (pattern.weight[(pattern.two_theta_deg < 32.9) | (pattern.two_theta_deg > 41.1)] > 0.0).all()


def test_a_change_of_step_inside_a_scan_is_taken_as_it_is():
    angles = np.concatenate([np.arange(20.0, 40.0, 0.01), np.arange(40.0, 60.0, 0.04)])
    values = np.random.default_rng(0).poisson(gaussians(angles, PEAKS)).astype(float)
    pattern = make_pattern(scan_of(angles, values))
    seen = pattern.weight > 0.0
    assert pattern.grid.step_deg < 0.041
    model = np.interp(pattern.two_theta_deg, ANGLES, gaussians(ANGLES, PEAKS)) / pattern.scale
    pull = (pattern.intensity - model)[seen] / np.sqrt(pattern.variance[seen])
    flat = np.abs(pattern.two_theta_deg[seen][:, None] - np.array(list(PEAKS))).min(axis=1) > 0.4
    assert pull[flat].std() == pytest.approx(1.0, abs=0.25)


def test_a_saturated_detector_is_noticed():
    values = np.minimum(counts(background=20.0), 3000.0)
    assert says(make_pattern(scan_of(ANGLES, values)), "the detector was saturated")
    assert not says(make_pattern(scan_of(ANGLES, counts())), "saturated")


def test_q_and_d_axes_are_two_theta():
    values = counts()
    plain = make_pattern(scan_of(ANGLES, values), step_deg=0.02)
    q = wavenumber(ANGLES)
    axes = {
        "q": by("q", "/Ao", q),
        "q by nm": by("q", "/nm", 10.0 * q),
        "d": by("d_spacing", "Ao", 2.0 * np.pi / q),
        "d in nm": by("d_spacing", "nm", 0.2 * np.pi / q),
        "unnamed": by("unknown", "1", ANGLES),
    }
    for name, axis in axes.items():
        found = make_pattern(replace(scan_of(ANGLES, values), axis=axis), step_deg=0.02)
        assert found.two_theta_deg[0] == pytest.approx(20.0) and found.grid.n == plain.grid.n, name
        assert found.intensity == pytest.approx(plain.intensity, abs=0.02), name


@pytest.mark.parametrize("quantity", ["energy", "omega", "wavelength", "time"])
def test_an_axis_of_something_else_is_refused(quantity):
    with pytest.raises(Unusable, match=f"the axis is {quantity}"):
        make_pattern(replace(scan_of(ANGLES, counts()), axis=by(quantity, "eV", ANGLES)))


def test_an_unnamed_axis_that_cannot_be_angles_is_refused():
    with pytest.raises(Unusable, match="the axis is unknown"):
        make_pattern(replace(scan_of(ANGLES, counts()), axis=by("unknown", "1", ANGLES * 10.0)))


def test_lines_beyond_reach_and_zero_are_left_out():
    q = np.linspace(0.0, 9.0, 3000)
    pattern = make_pattern(replace(scan_of(q, np.arange(3000.0) % 97), axis=by("q", "/Ao", q)))
    assert says(pattern, "out of range") and pattern.two_theta_deg[0] > 0.0 and pattern.two_theta_deg[-1] < 180.0
    spacings = np.linspace(0.0, 5.0, 3000)
    pattern = make_pattern(replace(scan_of(q, np.arange(3000.0) % 97), axis=by("d_spacing", "Ao", spacings)))
    assert says(pattern, "out of range")


def test_a_missing_wavelength_is_assumed_with_a_warning():
    pattern = make_pattern(scan_of(ANGLES, counts(), radiation=None))
    assert says(pattern, "copper K-alpha was assumed") and pattern.radiation == COPPER
    given = make_pattern(scan_of(ANGLES, counts(), radiation=None), wavelength_angstrom=0.7093)
    assert given.warnings == () and given.radiation.wavelength_angstrom == (0.7093,)


@pytest.mark.parametrize("mean", [1.5418, 1.54184, 1.5419])
def test_the_mean_wavelength_of_copper_is_its_two_lines(mean):
    pattern = make_pattern(scan_of(ANGLES, counts(), Radiation(wavelength_angstrom=(mean,), ratio=(1.0,), anode="Cu")))
    assert pattern.radiation == COPPER and says(pattern, "mean copper wavelength")


@pytest.mark.parametrize("given", [1.5406, 1.54056, 1.540598, 1.5418, 1.54184])
def test_copper_given_by_hand_is_its_two_lines(given):
    assert make_pattern(scan_of(ANGLES, counts()), wavelength_angstrom=given).radiation == COPPER


def test_a_wavelength_by_hand_goes_before_that_of_the_file():
    pattern = make_pattern(scan_of(ANGLES, counts()), wavelength_angstrom=1.78897)
    assert pattern.radiation.wavelength_angstrom == (1.78897,)


def test_lines_that_are_no_x_rays_or_have_no_strength_are_left_out():
    radiation = Radiation(wavelength_angstrom=(1.540598, 1.544426, 0.0), ratio=(1.0, 0.5, 0.0))
    assert make_pattern(scan_of(ANGLES, counts(), radiation)).radiation.ratio == (1.0, 0.5)
    with pytest.raises(Unusable, match="none of X-rays"):
        make_pattern(scan_of(ANGLES, counts(), Radiation(wavelength_angstrom=(15.4,), ratio=(1.0,))))


@pytest.mark.parametrize("given", [-1.0, 0.0, np.nan, np.inf, 0.05, 10.0])
def test_a_wavelength_by_hand_that_is_none_is_refused_with_what_to_do(given):
    with pytest.raises(Unusable, match=r"angstrom is none of X-rays.*Settings.*--wavelength.*1\.5406 for copper"):
        make_pattern(scan_of(ANGLES, counts()), wavelength_angstrom=given)


@pytest.mark.parametrize(("lines", "ratios"), [((1.5406, 1.5444), (1.0,)), ((1.5406,), (1.0, 0.5))])
def test_wavelengths_and_ratios_that_do_not_match_are_refused_with_what_to_do(lines, ratios):
    radiation = Radiation(wavelength_angstrom=lines, ratio=ratios)
    with pytest.raises(Unusable, match=f"{len(lines)} wavelengths and {len(ratios)} ratios.*--wavelength"):
        make_pattern(scan_of(ANGLES, counts(), radiation))
    given = make_pattern(scan_of(ANGLES, counts(), radiation), wavelength_angstrom=1.5406)
    assert given.radiation == COPPER


def test_points_that_tell_nothing_have_no_weight_and_the_others_keep_theirs():
    values = np.minimum(counts(), 3000.0)
    values[(ANGLES > 33.0) & (ANGLES < 37.0)] = 0.0
    pattern, whole = make_pattern(scan_of(ANGLES, values)), make_pattern(scan_of(ANGLES, counts()))
    assert says(pattern, "off or stuck") and says(pattern, "saturated")
    off = (pattern.two_theta_deg > 33.0) & (pattern.two_theta_deg < 37.0)
    top = np.abs(pattern.two_theta_deg - 25.0) < 0.02
    assert not pattern.weight[off | top].any() and np.isinf(pattern.variance[off | top]).all()
    away = np.abs(pattern.two_theta_deg - 35.0) > 2.1
    assert (pattern.weight[away] > 0.0).mean() > 0.99 and whole.weight.all()
    assert np.median(pattern.baseline[off]) * pattern.scale == pytest.approx(90.0, abs=25.0)


def test_a_spike_does_not_set_the_scale():
    values = counts()
    values[900] = 1e6
    pattern = make_pattern(scan_of(ANGLES, values))
    assert says(pattern, "single points") and pattern.scale == pytest.approx(5000.0, rel=0.08)


def test_a_step_is_levelled():
    mean = gaussians(ANGLES, PEAKS, background=300.0)
    pattern = make_pattern(scan_of(ANGLES, np.random.default_rng(0).poisson(np.where(ANGLES > 38.0, 0.4 * mean, mean))))
    flat = (pattern.two_theta_deg > 44.0) & (pattern.two_theta_deg < 50.0)
    assert says(pattern, "jumps by a factor")
    assert np.median(pattern.intensity[flat]) * pattern.scale == pytest.approx(300.0, rel=0.08)


def test_counts_of_known_times_are_brought_to_one():
    mean, time_s = gaussians(ANGLES, PEAKS), np.where(ANGLES > 40.0, 3.0, 1.0)
    scan = replace(scan_of(ANGLES, np.random.default_rng(0).poisson(time_s * mean)), count_time_s=time_s)
    pattern = make_pattern(scan)
    flats = [np.abs(pattern.two_theta_deg - at) < 2.5 for at in (37.0, 48.0)]
    low, high = (float(np.median(pattern.intensity[flat])) for flat in flats)
    assert low == pytest.approx(high, rel=0.05) and pattern.warnings == ()
    assert np.var(pattern.intensity[flats[1]]) == pytest.approx(np.median(pattern.variance[flats[1]]), rel=0.4)
    assert np.median(pattern.variance[flats[0]]) > 2.0 * np.median(pattern.variance[flats[1]])


def test_humps_are_fitted_finely_where_nothing_is_sharp():
    glass = gaussians(ANGLES, {30.0: 500.0}, fwhm_deg=6.0)
    found = make_pattern(scan_of(ANGLES, np.random.default_rng(0).poisson(glass)))
    assert found.humps.shape[1] > make_pattern(scan_of(ANGLES, counts())).humps.shape[1] > 0
    columns = np.column_stack([found.smooth, found.humps]) * np.sqrt(found.weight)[:, None]
    value = found.intensity * np.sqrt(found.weight)
    left = value - columns @ np.linalg.lstsq(columns, value, rcond=None)[0]
    assert np.mean(left**2) < 1.2


def test_the_edge_of_the_direct_beam_has_columns_of_its_own():
    angles = np.arange(5.0, 60.0, 0.02)
    mean = gaussians(angles, PEAKS)
    rng = np.random.default_rng(0)
    rising = make_pattern(scan_of(angles, rng.poisson(mean + 5000.0 * np.exp(-(angles - 5.0) / 0.7))))
    plain = make_pattern(scan_of(angles, rng.poisson(mean)))
    assert rising.smooth.shape[1] == plain.smooth.shape[1] + 3
    slope = make_pattern(scan_of(angles, rng.poisson(mean * (1.0 + 5.0 / angles))))
    assert slope.smooth.shape[1] == plain.smooth.shape[1]


def test_a_pattern_of_background_alone_is_usable():
    flat = np.random.default_rng(0).poisson(50.0, len(ANGLES)).astype(float)
    pattern = make_pattern(scan_of(ANGLES, flat))
    assert np.isfinite(pattern.intensity).all() and (pattern.weight > 0.0).all() and pattern.width_deg > 0.0


def test_a_very_fine_scan_is_made_coarser_and_keeps_its_area():
    angles = np.arange(20.0, 60.0, 0.002)
    values = np.random.default_rng(0).poisson(gaussians(angles, PEAKS, fwhm_deg=0.2)).astype(float)
    pattern = make_pattern(scan_of(angles, values))
    assert 0.02 < pattern.grid.step_deg < 0.1
    area = float(np.clip(pattern.intensity - pattern.baseline, 0.0, None).sum()) * pattern.grid.step_deg * pattern.scale
    assert area == pytest.approx(sum(PEAKS.values()) * 0.2 * 1.0645, rel=0.1)
    # averages of many points are known better than each of them
    flat = (pattern.two_theta_deg > 34.0) & (pattern.two_theta_deg < 40.0)
    assert np.var(pattern.intensity[flat]) == pytest.approx(np.median(pattern.variance[flat]), rel=0.4)


@pytest.mark.parametrize("n", [30, 31, 60])
def test_the_shortest_scans_are_taken(n):
    angles = np.linspace(20.0, 60.0, n)
    pattern = make_pattern(scan_of(angles, 10.0 + np.arange(n) % 7))
    assert pattern.grid.n >= 15 and np.isfinite(pattern.weight).all()


def test_one_spike_in_a_desert_is_taken():
    values = np.zeros(2000)
    values[700] = 1e9
    pattern = make_pattern(bare(values))
    assert np.isfinite(pattern.intensity).all() and np.isfinite(pattern.weight).all()


def test_the_step_may_be_given():
    assert make_pattern(scan_of(ANGLES, counts()), step_deg=0.05).grid.step_deg == 0.05


def test_what_is_given_is_not_changed():
    angles, values = ANGLES[::-1].copy(), counts()
    before = values.copy()
    make_pattern(scan_of(angles, values))
    assert np.array_equal(values, before) and np.array_equal(angles, ANGLES[::-1])


@given(st.lists(st.floats(-1e6, 1e6), min_size=30, max_size=60), st.floats(0.0, 100.0), st.floats(1.1, 80.0))
def test_whatever_is_measured_gives_finite_numbers_or_a_reason(values, begin, span):
    scan = bare(values, axis=by("two_theta", "deg", np.linspace(begin, begin + span, len(values))))
    try:
        pattern = make_pattern(scan)
    except Unusable as error:
        assert str(error)
        return
    for array in (pattern.intensity, pattern.weight, pattern.baseline, pattern.smooth, pattern.humps):
        assert np.isfinite(array).all()
    assert (pattern.weight >= 0.0).all() and pattern.scale > 0.0 and pattern.weight.any()


def test_a_fit_gets_smooth_columns_first():
    pattern = make_pattern(scan_of(ANGLES, counts()))
    data = as_data(pattern)
    assert data.n_free == pattern.smooth.shape[1]
    assert data.background.shape == (pattern.grid.n, pattern.smooth.shape[1] + pattern.humps.shape[1])
    assert data.intensity.shape == data.weight.shape == (1, pattern.grid.n) and float(data.width_deg) > 0.0


@pytest.mark.parametrize("given", [1.5406, 1.540598, 1.54056])
def test_copper_s_first_line_without_an_anode_is_its_two_lines(given):
    pattern = make_pattern(scan_of(ANGLES, counts(), Radiation(wavelength_angstrom=(given,), ratio=(1.0,))))
    assert pattern.radiation == COPPER and says(pattern, "no anode: both K-alpha lines of copper were assumed")


@pytest.mark.parametrize(("given", "anode"), [(1.5406, "Cu"), (1.54, ""), (0.7093, "")])
def test_one_line_that_is_meant_so_stays_alone(given, anode):
    radiation = Radiation(wavelength_angstrom=(given,), ratio=(1.0,), anode=anode)
    pattern = make_pattern(scan_of(ANGLES, counts(), radiation))
    assert pattern.radiation == radiation and pattern.warnings == ()
