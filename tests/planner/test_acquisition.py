import numpy as np
import pytest
from scipy.stats import norm

from planner.acquisition import Draws, IntegratedVariance, NoisyLogEI, NoisyLogParEGO, TotalUncertainty, log_h
from planner.models import TargetModel
from planner.transforms import TargetScale
from surrogate.matern_gp import GP, Kernel

X = np.array([[0.1], [0.5], [0.9]])
Y = np.array([0.0, 1.0, 0.3])


def process(y: np.ndarray = Y, noise: float = 1e-8) -> GP:
    return GP(kernel=Kernel(np.array([0.3]), 1.0), mean=0.0, X=X, y=y, noise=np.full(3, noise))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_log_h_is_the_logarithm_of_the_improvement() -> None:
    u = np.linspace(-8, 8, 81)
    assert log_h(u) == pytest.approx(np.log(norm.pdf(u) + u * norm.cdf(u)), rel=1e-6, abs=1e-6)


def test_log_h_rises_and_stays_finite_far_below() -> None:
    u = -np.logspace(0.5, 12, 200)[::-1]
    values = log_h(u)
    assert np.isfinite(values).all()
    assert np.all(np.diff(values) > 0)
    assert values == pytest.approx(-0.5 * u * u - np.log(2 * np.pi) / 2 - 2 * np.log(-u), rel=0.05)


def test_without_noise_it_is_the_expected_improvement() -> None:
    new = np.linspace(0, 1, 11)[[2, 3, 7]][:, None]
    mean, sd = process().posterior(new)
    u = (mean - 1.0) / sd
    expected = np.log(sd * (norm.pdf(u) + u * norm.cdf(u)))
    found = NoisyLogEI(process(), X, n_draws=64, rng=rng())(new)
    assert found == pytest.approx(expected, abs=0.02)


def test_with_noise_it_is_what_many_draws_say() -> None:
    gp, new = process(noise=0.05), np.array([[0.62], [0.3]])
    points = np.vstack([X, new])
    mean, covariance = gp.joint(points)
    values = rng().multivariate_normal(mean, covariance, size=400_000)
    expected = np.log(np.mean(np.maximum(values[:, 3:] - values[:, :3].max(axis=1)[:, None], 0), axis=0))
    assert NoisyLogEI(gp, X, n_draws=4000, rng=rng())(new) == pytest.approx(expected, abs=0.05)


def test_a_chosen_point_is_worth_little_when_chosen_again() -> None:
    worth, chance = NoisyLogEI(process(), X, n_draws=32, rng=rng()), rng()
    grid = np.linspace(0, 1, 101)[:, None]
    best = grid[np.argmax(worth(grid))]
    before = worth(best[None])[0]
    worth.add(best, chance)
    assert worth(best[None])[0] < before - 5


def test_draws_agree_with_the_posterior() -> None:
    gp, chance = process(noise=0.1), rng()
    draws = Draws(gp, X, n_draws=4000, rng=chance)
    draws.add(np.array([0.3]), chance)
    mean, sd = gp.posterior(np.vstack([X, [[0.3]]]))
    assert draws.values.mean(axis=1) == pytest.approx(mean, abs=0.02)
    assert draws.values.std(axis=1) == pytest.approx(sd, abs=0.02)


def test_compromises_find_both_ends_of_a_front() -> None:
    worth, chance = NoisyLogParEGO([process(), process(-Y)], X, n_draws=64, rng=rng()), rng()
    grid = np.linspace(-0.5, 1.5, 201)[:, None]
    chosen = []
    for _ in range(8):
        chosen.append(float(grid[np.argmax(worth(grid)), 0]))
        worth.add(np.array([chosen[-1]]), chance)
    mean, _ = process().posterior(np.array(chosen)[:, None])
    assert mean.max() > 0.8
    assert mean.min() < 0.1


def test_integrated_variance_is_what_a_measurement_removes() -> None:
    everywhere = np.linspace(-1, 1, 40)[:, None]
    gp = process(noise=0.05)
    worth = IntegratedVariance([TargetModel(TargetScale.of(Y, None), gp)], np.empty((0, 1)), everywhere)
    new = np.array([[-0.4], [0.3]])
    before = gp.posterior(everywhere)[1] ** 2
    removed = [np.mean(before - gp.with_pending(point[None]).posterior(everywhere)[1] ** 2) for point in new]
    assert np.exp(worth(new)) == pytest.approx(removed, rel=1e-3)
    worth.add(new[0], rng())
    assert worth(new)[0] < np.log(removed[0]) - 1


def test_uncertainty_is_greatest_far_from_data() -> None:
    models = [TargetModel(TargetScale.of(Y, None), process())]
    worth = TotalUncertainty(models, np.empty((0, 1)))
    grid = np.array([[0.1], [0.3], [2.0]])
    assert np.argsort(worth(grid)).tolist() == [0, 1, 2]
    worth.add(np.array([2.0]), rng())
    assert np.argmax(worth(grid)) == 1
    assert np.argmax(TotalUncertainty(models, np.array([[2.0]]))(grid)) == 1
