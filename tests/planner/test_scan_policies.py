import numpy as np
import pytest

from planner.scan_policies import ScanUncertainty, acquisition, fixed_order
from surrogate.gp import condition
from surrogate.kernels import Matern52

KERNEL = Matern52(length=0.3)
GRID = np.linspace(-1.0, 1.0, 15)
SEEN = np.array([-0.6, 0.1])
NOISE = 0.01


def uncertain():
    posterior = condition(KERNEL, SEEN, np.zeros(2), NOISE)
    return ScanUncertainty(
        covariance=posterior.covariance(GRID),
        slope_covariance=posterior.slope_value_covariance(GRID),
        noise_variance=NOISE,
    )


def test_integrated_variance_is_what_one_more_measurement_removes():
    before = condition(KERNEL, SEEN, np.zeros(2), NOISE).variance(GRID, prior=1.0)
    removed = [
        np.sum(before - condition(KERNEL, np.append(SEEN, x), np.zeros(3), NOISE).variance(GRID, prior=1.0))
        for x in GRID
    ]
    np.testing.assert_allclose(acquisition("integrated_variance", uncertain()), removed, rtol=1e-6)


def test_integrated_gradient_is_what_one_more_measurement_removes_of_the_slope():
    step = 1e-4
    both = np.concatenate([GRID + step, GRID - step])
    n = len(GRID)

    def slope_variance(x):
        c = condition(KERNEL, x, np.zeros(len(x)), NOISE).covariance(both)
        return np.diag(c[:n, :n] - c[:n, n:] - c[n:, :n] + c[n:, n:]) / (4 * step**2)

    removed = [np.sum(slope_variance(SEEN) - slope_variance(np.append(SEEN, x))) for x in GRID]
    np.testing.assert_allclose(acquisition("integrated_gradient", uncertain()), removed, rtol=1e-3, atol=1e-2)


def test_uncertainty_is_the_variance_itself():
    np.testing.assert_array_equal(acquisition("uncertainty", uncertain()), np.diag(uncertain().covariance))


def test_a_noisier_instrument_removes_less():
    known = uncertain()
    noisy = ScanUncertainty(
        covariance=known.covariance, slope_covariance=known.slope_covariance, noise_variance=10 * NOISE
    )
    for policy in ("integrated_gradient", "integrated_variance"):
        assert (acquisition(policy, noisy) < acquisition(policy, known)).all()


@pytest.mark.parametrize("policy", ["random", "grid", "sobol"])
@pytest.mark.parametrize(("points", "n"), [(1, 1), (5, 16), (16, 16), (7, 100)])
def test_an_order_visits_every_place_once(policy, points, n):
    order = fixed_order(policy, points, n, np.random.default_rng(0))
    assert sorted(order) == list(range(n))


def test_a_grid_is_even():
    assert fixed_order("grid", 5, 17, np.random.default_rng(0))[:5] == [0, 4, 8, 12, 16]


def test_sobol_points_fill_the_range_sooner_than_chance():
    order = fixed_order("sobol", 16, 256, np.random.default_rng(0))
    assert {index // 32 for index in order[:8]} == set(range(8))


@pytest.mark.parametrize("policy", ["integrated_gradient", "integrated_variance", "uncertainty"])
def test_policies_that_look_have_no_order(policy):
    assert fixed_order(policy, 5, 17, np.random.default_rng(0)) is None
