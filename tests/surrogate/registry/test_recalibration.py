import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from surrogate.registry.calibration import WINDOW
from surrogate.registry.recalibration import correction
from surrogate.registry.scores import log_score, log_scores


def of_normal(z):
    return list(stats.norm.cdf(z))


def corrections(factor, n, runs=200):
    rng = np.random.default_rng(n)
    return np.array([correction(of_normal(factor * rng.standard_normal(n))) for _ in range(runs)])


def test_nothing_is_corrected_by_fewer_than_8_results():
    assert correction([1.0] * 7) == 1.0
    assert correction([1.0] * 8) > 1.5


@pytest.mark.parametrize("n", [8, 20, 40])
def test_calibrated_forecasts_are_told_nearly_as_they_are(n):
    found = corrections(1.0, n)
    assert found.min() > 0.6 and np.mean(found < 0.95) < 0.04
    assert 1.0 <= np.median(found) < 1.05 and np.quantile(found, 0.95) < 1.6


@pytest.mark.parametrize("factor", [1.5, 2.0, 3.0])
def test_forecasts_that_are_too_sure_are_widened_the_more_results_the_nearer_the_truth(factor):
    few, many = corrections(factor, 8), corrections(factor, 40)
    assert 1.0 < np.median(few) <= np.median(many) < 1.05 * factor
    assert np.median(many) > 0.85 * factor


def test_forecasts_that_are_too_wide_are_narrowed_late_and_never_beyond_the_truth():
    few, some, many = (corrections(0.5, n) for n in (8, 12, 40))
    assert np.all(few == 1.0) and np.median(some) > 0.65
    assert 0.5 < np.median(many) < 0.75
    assert np.mean(many < 0.5) < 0.04


def test_gross_errors_beside_good_forecasts_keep_intervals_as_wide_as_they_are():
    z = np.concatenate([0.4 * np.random.default_rng(2).standard_normal(34), [4.0, -5.0, 6.0, 4.0, -8.0, 3.0]])
    assert correction(of_normal(z)) == 1.0
    assert correction(of_normal(z[:34])) < 0.7


@pytest.mark.parametrize("factor", [1.0, 1.6, 2.5])
def test_told_intervals_hold_the_next_result(factor):
    rng = np.random.default_rng(5)
    held = []
    for _ in range(1000):
        z = factor * rng.standard_normal(26)
        held.append(abs(z[25]) <= 1.6449 * correction(of_normal(z[:25])))
    assert 0.86 < np.mean(held) < 0.94


def test_old_results_are_forgotten():
    sure, right = of_normal(3.0 * np.random.default_rng(0).standard_normal(60)), list(np.linspace(0.02, 0.98, WINDOW))
    assert correction([*sure, *right]) == correction(right) == pytest.approx(1.0, abs=0.05)
    assert correction(sure) > 2.0


@given(st.lists(st.floats(0, 1), max_size=60))
def test_whatever_came_the_correction_is_a_number_above_zero(pits):
    assert 0.2 < correction(pits) < 13.0


def test_scores_of_other_scales_are_those_of_other_standard_deviations():
    z, scales = np.array([0.3, -4.0]), np.array([0.5, 2.0])
    found = log_scores(z[:, None], scales)
    expected = [[log_score(0.0, float(s), float(v)) for s in scales] for v in z]
    assert found == pytest.approx(np.array(expected))
