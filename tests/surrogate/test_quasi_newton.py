"""Searches against SciPy's, which are slower and find the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from surrogate.matern_gp_fit import LogPosterior
from surrogate.quasi_newton import minimum

FAR = np.full(4, 9.0)


def rosenbrock(place):
    x, y = place
    return (
        float((1 - x) ** 2 + 100 * (y - x * x) ** 2),
        np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)]),
    )


def bowl(curvature, centre):
    return lambda place: (
        float(0.5 * (place - centre) @ curvature @ (place - centre)),
        curvature @ (place - centre),
    )


def test_a_bent_valley_is_followed_to_its_end():
    found = minimum(rosenbrock, np.array([-1.2, 1.0]), -FAR[:2], FAR[:2], evaluations=200, least_gain=1e-14)
    assert found.place == pytest.approx([1.0, 1.0], abs=1e-5)
    assert found.evaluations < 80


@given(st.integers(0, 10_000), st.integers(1, 5))
def test_a_bowl_within_bounds_has_the_minimum_that_scipy_finds(seed, d):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((d, d))
    slope = bowl(root @ root.T + 0.05 * np.eye(d), rng.uniform(-2.0, 2.0, d))
    low, high = -rng.uniform(0.0, 1.5, d), rng.uniform(0.1, 1.5, d)
    start = rng.uniform(low, high)
    found = minimum(slope, start, low, high, evaluations=500, least_gain=1e-12, least_slope=1e-8)
    theirs = minimize(slope, start, jac=True, method="L-BFGS-B", bounds=list(zip(low, high, strict=True)))
    assert np.all((low <= found.place) & (found.place <= high))
    assert found.value <= float(theirs.fun) + 1e-5 * (1.0 + abs(float(theirs.fun)))


def test_a_start_outside_is_moved_to_the_bounds():
    found = minimum(bowl(np.eye(2), np.zeros(2)), np.array([5.0, -5.0]), np.ones(2), 2 * np.ones(2), evaluations=20)
    assert found.place == pytest.approx([1.0, 1.0])


def test_places_that_are_out_of_the_question_are_left():
    def walled(place):
        value, slopes = bowl(np.eye(1), np.array([0.0]))(place)
        return (float("nan"), slopes) if place[0] < 0.5 else (value, slopes)

    found = minimum(walled, np.array([3.0]), -FAR[:1], FAR[:1], evaluations=60)
    assert 0.5 <= found.place[0] < 1.0


def test_no_more_evaluations_than_allowed():
    counts = []

    def slope(place):
        counts.append(1)
        return rosenbrock(place)

    found = minimum(slope, np.array([-1.2, 1.0]), -FAR[:2], FAR[:2], evaluations=7)
    assert len(counts) == found.evaluations == 7
    assert found.value < rosenbrock(np.array([-1.2, 1.0]))[0]


def test_what_was_learnt_of_the_curvature_saves_evaluations():
    rng = np.random.default_rng(3)
    root = rng.standard_normal((4, 4))
    curvature = root @ root.T + 0.1 * np.eye(4)
    one = minimum(bowl(curvature, np.zeros(4)), np.ones(4), -FAR, FAR, evaluations=200, least_gain=1e-12)
    alike = bowl(curvature, np.full(4, 0.3))
    cold = minimum(alike, np.ones(4), -FAR, FAR, evaluations=200, least_gain=1e-12)
    warm = minimum(alike, np.ones(4), -FAR, FAR, evaluations=200, least_gain=1e-12, curvature=one.curvature)
    assert warm.value == pytest.approx(cold.value, abs=1e-8)
    assert warm.evaluations < cold.evaluations


@pytest.mark.parametrize("size", [-1.0, 1e-12, 1e-9, 1e-3, 1e3, 1e9])
def test_a_curvature_that_misleads_is_given_up(size):
    slope = bowl(np.diag([1.0, 3.0]), np.zeros(2))
    found = minimum(slope, np.ones(2), -FAR[:2], FAR[:2], evaluations=100, curvature=size * np.eye(2))
    assert found.place == pytest.approx([0.0, 0.0], abs=1e-3)
    assert found.evaluations < 40


def test_steps_grow_where_the_curvature_falls():
    """Log posteriors are steep where searches begin, and flat about their optima: 357 evaluations with short steps."""
    used = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        X = rng.random((40, 4))
        y = np.sin(5 * X[:, 0]) + X[:, 1] + 0.3 * rng.standard_normal(40)
        posterior = LogPosterior(X, (y - y.mean()) / y.std(), None)

        def slope(theta, posterior=posterior):
            value, slopes = posterior(theta)
            return -value, -slopes

        start = np.log([1.0, 1.0, 1.0, 1.0, 1.0, 0.02])
        used += minimum(slope, start, np.full(6, -9.0), np.full(6, 9.0), evaluations=120).evaluations
    assert used < 290


def test_a_search_ends_where_it_meets_what_is_known():
    met = []

    def is_known(place, value):
        met.append((place.copy(), value))
        return value < 10.0

    found = minimum(rosenbrock, np.array([-1.2, 1.0]), -FAR[:2], FAR[:2], evaluations=200, is_known=is_known)
    assert found.value < 10.0 and len(met) < 5
