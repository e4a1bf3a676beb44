from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

from planner.goals import Interval
from planner.hits import NoisyLogHit, log_between, log_hit
from surrogate.matern_gp import GP, Kernel

X = np.array([[0.1], [0.5], [0.9]])
Y = np.array([0.0, 1.0, 0.3])


def process(noise: float = 1e-8) -> GP:
    return GP(kernel=Kernel(np.array([0.3]), 1.0), mean=0.0, X=X, y=Y, noise=np.full(3, noise))


def exact(mean: float, sd: float, low: float, high: float, gap: float) -> float:
    with mpmath.workdps(400):
        m, s, a, b, d = (mpmath.mpf(each) for each in (mean, sd, low, high, gap))

        def ramp(c: Any) -> Any:
            u = (m - c) / s
            return s * (mpmath.npdf(u) + u * mpmath.ncdf(u))

        return float(mpmath.log(ramp(a - d) - ramp(a) - ramp(b) + ramp(b + d)))


def test_it_is_the_closed_form_to_many_digits() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        sd, gap = 10 ** rng.uniform(-3, 1), 10 ** rng.uniform(-6, 1)
        mean = 0.3 + sd * rng.uniform(-25, 25)
        half = 0.5 * rng.choice([0.0, 10 ** rng.uniform(-6, 1)])
        found = log_hit(np.array(mean), np.array(sd), 0.3 - half, 0.3 + half, np.array(gap))
        assert float(found) == pytest.approx(exact(mean, sd, 0.3 - half, 0.3 + half, gap), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("mean", [-1.0, 0.2, 1.3, 2.5])
def test_it_is_what_many_draws_say(mean: float) -> None:
    low, high, gap, sd = 0.5, 0.9, 0.8, 0.7
    z = mean + sd * np.random.default_rng(1).standard_normal(2_000_000)
    gain = np.maximum(gap - np.maximum(np.maximum(low - z, z - high), 0.0), 0.0)
    found = log_hit(np.array(mean), np.array(sd), low, high, np.array(gap))
    assert np.exp(found) == pytest.approx(gain.mean(), rel=0.01)


def test_it_has_a_slope_however_far_away() -> None:
    far = np.concatenate([-np.logspace(6, 0, 100), [0.0], np.logspace(0, 6, 100)])
    scores = log_hit(far, np.full(len(far), 0.1), -0.2, 0.2, np.array(0.5))
    assert np.isfinite(scores).all()
    assert np.all(np.diff(scores[:100]) > 0)
    assert np.all(np.diff(scores[101:]) < 0)
    assert scores == pytest.approx(scores[::-1], rel=1e-12)


def differences(score: Callable[[np.ndarray], np.ndarray], at: np.ndarray, step: float) -> np.ndarray:
    return (score(at + step) - score(at - step)) / (2 * step)


@pytest.mark.parametrize("width", [0.0, 1e-3, 1.0])
@pytest.mark.parametrize("gap", [1e-4, 0.049, 0.051, 3.0])
def test_small_differences_give_its_slope(width: float, gap: float) -> None:
    at = np.linspace(-12.0, 12.0, 97)

    def score(mean: np.ndarray) -> np.ndarray:
        return log_hit(mean, np.ones_like(mean), -0.5 * width, 0.5 * width, np.array(gap))

    fine, coarse = differences(score, at, 1e-5), differences(score, at, 1e-3)
    assert fine == pytest.approx(coarse, abs=2e-3), "rounding, or a seam between formulas, would show here"


def test_the_chance_of_an_interval_keeps_its_digits_in_both_tails() -> None:
    low = np.array([-40.0, -3.0, -1e-6, 2.0, 39.999])
    high = np.array([-39.0, 4.0, 1e-6, 2.5, 40.0])
    with mpmath.workdps(400):
        expected = [float(mpmath.log(mpmath.ncdf(b) - mpmath.ncdf(a))) for a, b in zip(low, high, strict=True)]
    assert log_between(low, high) == pytest.approx(expected, rel=1e-8)


def test_without_noise_it_is_the_expected_improvement_of_the_distance() -> None:
    new = np.linspace(0, 1, 11)[[2, 3, 7]][:, None]
    mean, sd = process().posterior(new)
    expected = log_hit(mean, sd, 0.6, 0.7, np.array(0.3))
    found = NoisyLogHit(process(), X, Interval(0.6, 0.7), n_draws=64, rng=np.random.default_rng(0))(new)
    assert found == pytest.approx(expected, abs=0.02)


def test_with_noise_it_is_what_many_draws_say() -> None:
    gp, new, aim = process(noise=0.05), np.array([[0.62], [0.3]]), Interval(0.5, 0.6)
    mean, covariance = gp.joint(np.vstack([X, new]))
    values = np.random.default_rng(0).multivariate_normal(mean, covariance, size=400_000)
    merits = aim.merit(values)
    expected = np.log(np.mean(np.maximum(merits[:, 3:] - merits[:, :3].max(axis=1)[:, None], 0), axis=0))
    found = NoisyLogHit(gp, X, aim, n_draws=4000, rng=np.random.default_rng(1))(new)
    assert found == pytest.approx(expected, abs=0.06)


def test_where_it_is_hit_already_the_most_likely_to_hit_is_worth_most() -> None:
    aim = Interval(0.9, 1.1)
    worth = NoisyLogHit(process(), X, aim, n_draws=32, rng=np.random.default_rng(0))
    assert worth.chance_of_hit == 1.0
    grid = np.linspace(0, 1, 401)[:, None]
    mean, sd = process().posterior(grid)
    likely = log_between((aim.low - mean) / sd, (aim.high - mean) / sd)
    assert likely[np.argmax(worth(grid))] == pytest.approx(likely.max(), abs=1e-3)


def test_a_pending_point_counts() -> None:
    worth, rng = NoisyLogHit(process(), X, Interval(0.6, 0.6), n_draws=32, rng=np.random.default_rng(0)), rng_of(1)
    grid = np.linspace(0, 1, 101)[:, None]
    best = grid[np.argmax(worth(grid))]
    before = worth(best[None])[0]
    worth.add(best, rng)
    assert worth(best[None])[0] < before - 1.0


def rng_of(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)
