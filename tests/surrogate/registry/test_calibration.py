import numpy as np
import pytest
from scipy import stats

from surrogate.registry.calibration import (
    ALARM,
    WINDOW,
    calibration_of,
    conformal_factor,
    coverage,
    ks_of,
)


def of_normal(z):
    return list(stats.norm.cdf(z))


def test_nothing_is_said_of_fewer_than_8_results():
    assert calibration_of([0.5] * 7) is None
    assert calibration_of([0.5] * 8) is not None


def test_coverage_counts_what_lies_in_the_middle():
    pits = np.array([0.01, 0.06, 0.5, 0.94, 0.96])
    assert coverage(pits, 0.9) == 0.6 and coverage(pits, 0.5) == 0.2 and coverage(pits, 0.98) == 1.0


@pytest.mark.parametrize("n", [8, 20, 40])
def test_the_significance_of_the_ks_distance_is_that_of_scipy(n):
    pits = np.random.default_rng(n).random(n) ** 1.5
    distance, p = ks_of(list(pits))
    exact = stats.kstest(pits, "uniform", method="exact")
    assert distance == pytest.approx(exact.statistic)
    assert p == pytest.approx(exact.pvalue, rel=0.1, abs=0.01)


@pytest.mark.parametrize("factor", [1.0, 2.5])
def test_the_factor_undoes_what_is_too_narrow(factor):
    rng = np.random.default_rng(3)
    held = []
    for _ in range(2000):
        z = factor * rng.standard_normal(21)
        found = conformal_factor(of_normal(z[:20]))
        held.append(abs(z[20]) <= 1.6449 * found)
    # at least 90 %, and at most 1 in 21 more, whatever n is
    assert 0.9 - 0.02 < np.mean(held) < 0.9 + 1 / 21 + 0.02


def test_the_factor_needs_9_results():
    assert conformal_factor([0.5] * 8) is None
    assert conformal_factor([0.5] * 9) == 0.0


def test_sure_forecasts_raise_an_alarm_that_says_what_to_do():
    found = calibration_of(of_normal(3.0 * np.random.default_rng(0).standard_normal(WINDOW)))
    assert found is not None and found.factor is not None
    assert any("90 % intervals held" in one for one in found.alarms)
    assert 2.0 < found.factor < 4.5 and found.ece > 0.2


def test_biased_forecasts_raise_an_alarm():
    found = calibration_of(of_normal(1.0 + 0.7 * np.random.default_rng(1).standard_normal(WINDOW)))
    assert found is not None and any("unevenly" in one for one in found.alarms)


def test_calibrated_forecasts_raise_alarms_as_rarely_as_is_said():
    rng = np.random.default_rng(11)
    for n in (8, 20, WINDOW):
        alarms = [bool(calibration_of(list(rng.random(n))).alarms) for _ in range(2000)]  # type: ignore[union-attr]
        assert np.mean(alarms) < 1.5 * ALARM, n
