import numpy as np
import pytest

from planner.feasibility import fit_viability
from surrogate.matern_gp import Kernel

RNG = np.random.default_rng(0)


def test_learns_where_recipes_fail() -> None:
    codes = RNG.random((80, 3))
    viability = fit_viability(codes, codes[:, 0] < 0.6)
    new = RNG.random((500, 3))
    chance = viability.probability(new)
    works = new[:, 0] < 0.6
    assert np.mean((chance > 0.5) == works) > 0.9
    assert chance[new[:, 0] < 0.4].min() > 0.5
    assert chance[new[:, 0] > 0.8].max() < 0.4


def test_failures_without_a_pattern_forbid_nothing() -> None:
    codes = RNG.random((120, 4))
    works = np.ones(120, dtype=bool)
    works[[17, 90]] = False
    viability = fit_viability(codes, works)
    assert viability.probability(codes).min() > 0.6


def test_knows_nothing_far_from_data() -> None:
    viability = fit_viability(np.array([[0.0], [0.05], [0.1]]), np.array([False, False, False]))
    near, far = viability.probability(np.array([[0.05], [50.0]]))
    assert near < far < 0.6


def test_the_approximation_agrees_with_integration() -> None:
    codes = np.array([[0.0], [0.4], [1.0]])
    works = np.array([True, True, False])
    viability = fit_viability(codes, works)
    everywhere = np.vstack([codes, [[0.7]]])
    kernel: Kernel = viability.kernel
    latent = RNG.multivariate_normal(np.zeros(4), kernel(everywhere, everywhere) + 4.0, size=400_000)
    chance = 1 / (1 + np.exp(-latent))
    weight = chance[:, 0] * chance[:, 1] * (1 - chance[:, 2])
    exact = float(np.sum(weight * chance[:, 3]) / weight.sum())
    assert viability.probability(np.array([[0.7]]))[0] == pytest.approx(exact, abs=0.08)


def test_many_results_are_thinned_and_failures_kept() -> None:
    codes = RNG.random((900, 2))
    works = ~((codes[:, 0] > 0.9) & (codes[:, 1] > 0.9))
    viability = fit_viability(codes, works)
    assert len(viability.codes) <= 260
    assert viability.probability(np.array([[0.97, 0.97]]))[0] < 0.3
    assert viability.probability(np.array([[0.3, 0.3]]))[0] > 0.9
