import numpy as np
import pytest

from surrogate.xrd.flaws import checked
from tests.surrogate.xrd.mixtures import gaussians

ANGLES = np.arange(20.0, 60.0, 0.02)
PEAKS = {25.0: 5000.0, 31.3: 2000.0, 43.0: 800.0, 52.7: 3000.0}


def expected(**options):
    return gaussians(ANGLES, PEAKS, fwhm_deg=0.12, **options)


def counts(seed=0, **options):
    return np.random.default_rng(seed).poisson(expected(**options)).astype(float)


def check(values, angles=ANGLES):
    values = np.asarray(values, float)
    return checked(angles, values, np.maximum(values, 0.0) + 1.0, values)


def within(low, high):
    return (low < ANGLES) & (high > ANGLES)


@pytest.mark.parametrize("background", [0.3, 3.0, 30.0, 1000.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_good_scan_is_left_as_it_is(background, seed):
    values = counts(seed, background=background)
    found = check(values)
    assert found.warnings == () and not found.ignored.any() and np.array_equal(found.value, values)


@pytest.mark.parametrize("background", [5.0, 30.0, 1000.0])
def test_zeros_inside_a_scan_are_ignored_and_bridged(background):
    values, off = counts(background=background), within(33.0, 37.0)
    values[off] = 0.0
    found = check(values)
    assert (found.ignored == off).mean() > 0.999 and "off or stuck: 33.02 to 3" in found.warnings[0]
    assert found.value[off].mean() == pytest.approx(background, rel=0.5)


def test_a_value_that_is_repeated_too_long_is_ignored():
    values, stuck = counts(), within(33.0, 34.0)
    values[stuck] = 104.0
    found = check(values)
    assert np.array_equal(found.ignored, stuck) and "(104)" in found.warnings[0]


def test_a_shutter_that_leaks_a_little_is_dead_too():
    values, off = counts(background=200.0), within(33.0, 37.0)
    values[off] = np.random.default_rng(1).poisson(1.0, off.sum())
    found = check(values)
    assert np.array_equal(found.ignored, off)


def test_a_single_point_without_counts_is_ignored():
    values = counts()
    values[700] = 0.0
    assert np.flatnonzero(check(values).ignored).tolist() == [700]


@pytest.mark.parametrize(
    "values",
    [
        expected(background=0.0),
        np.round(expected(background=0.0)),
        expected(background=10.0),
        np.round(expected(background=10.0)),
        np.maximum(counts() - 110.0, 0.0),
        np.random.default_rng(0).poisson(expected(background=0.05)),
    ],
    ids=["calculated", "rounded", "flat", "flat and rounded", "clipped", "few counts"],
)
def test_constants_that_are_how_a_file_is_written_are_believed(values):
    found = check(values)
    assert not found.ignored.any() and not any("stuck" in warning for warning in found.warnings)


@pytest.mark.parametrize("background", [1.0, 100.0, 1000.0])
@pytest.mark.parametrize("limit", [1500.0, 3000.0])
def test_a_plateau_at_the_top_is_saturation_whatever_the_background(background, limit):
    values = np.minimum(counts(background=background), limit)
    found = check(values)
    assert np.array_equal(found.ignored, values == limit) and "saturated" in found.warnings[0]


def test_a_limit_that_wavers_is_one_too():
    values = counts(background=100.0)
    at_limit = values > 2500.0
    values[at_limit] = 2500.0 + np.random.default_rng(1).integers(-2, 3, at_limit.sum())
    found = check(values)
    assert found.ignored[at_limit].mean() > 0.9 and not found.ignored[~at_limit].any()


def test_equal_highest_values_happen_at_low_counts():
    """Broad peaks, of which many points are about as high."""
    n_equal = 0
    for seed in range(150):
        mean = gaussians(ANGLES, {30.0: 500.0, 45.0: 490.0}, fwhm_deg=1.5, background=20.0)
        values = np.random.default_rng(seed).poisson(mean).astype(float)
        n_equal += int((values == values.max()).sum() > 1)
        assert check(values).warnings == ()
    assert n_equal > 5


@pytest.mark.parametrize("height", [300.0, 1e5])
def test_single_points_far_above_their_neighbours_are_ignored(height):
    values = counts()
    values[[300, 900]] += height
    found = check(values)
    assert np.flatnonzero(found.ignored).tolist() == [300, 900] and "26.00, 38.00 deg" in found.warnings[0]
    assert np.abs(found.value[[300, 900]] - 100.0).max() < 60.0 and found.variance[300] < 300.0


@pytest.mark.parametrize("step_deg", [0.01, 0.02, 0.03, 0.05, 0.1])
def test_the_sharpest_lines_are_no_spikes(step_deg):
    angles = np.arange(20.0, 60.0, step_deg)
    mean = gaussians(angles, dict.fromkeys(np.arange(22.0, 58.0, 1.7), 20000.0), fwhm_deg=0.055, background=50.0)
    found = check(np.random.default_rng(0).poisson(mean), angles)
    assert not found.ignored.any()


@pytest.mark.parametrize("factor", [0.4, 0.6, 2.0])
def test_a_step_is_told_and_levelled(factor):
    mean = expected(background=200.0)
    behind = ANGLES > 35.0
    found = check(np.random.default_rng(0).poisson(np.where(behind, factor * mean, mean)))
    (warning,) = found.warnings
    told = float(warning.split("factor ")[1].split(" ")[0])
    assert told == pytest.approx(factor, rel=0.1) and "at 35.0" in warning and not found.ignored.any()
    flat = behind & (ANGLES < 42.0)
    assert found.value[flat].mean() == pytest.approx(200.0, rel=0.08)
    assert found.value[flat].var() == pytest.approx(found.variance[flat].mean(), rel=0.3)


def test_a_level_that_changes_across_a_gap_is_no_step():
    kept = (ANGLES < 33.0) | (ANGLES > 41.0)
    mean = np.where(ANGLES > 41.0, 2.0, 1.0) * expected(background=200.0)
    values = np.random.default_rng(0).poisson(mean)[kept]
    assert check(values, ANGLES[kept]).warnings == ()


def test_an_edge_of_a_broad_peak_is_no_step():
    mean = gaussians(ANGLES, {30.0: 3000.0, 40.0: 2000.0}, fwhm_deg=2.0, background=100.0)
    for seed in range(10):
        assert check(np.random.default_rng(seed).poisson(mean)).warnings == ()
