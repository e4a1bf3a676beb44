import numpy as np
import pytest
import torch
from gpytorch.kernels import MaternKernel

from surrogate.matern_gp import GP, Kernel, fit_gp


def wavy(X: np.ndarray) -> np.ndarray:
    return np.sin(5 * X[:, 0]) + 0.5 * np.cos(4 * X[:, 1])


def test_the_kernel_is_matern() -> None:
    rng = np.random.default_rng(0)
    left, right, lengths = rng.random((5, 3)), rng.random((4, 3)), np.array([0.2, 0.7, 3.0])
    reference = MaternKernel(nu=2.5, ard_num_dims=3).double()
    reference.lengthscale = torch.as_tensor(lengths)
    expected = 1.7 * reference(torch.as_tensor(left), torch.as_tensor(right)).to_dense().detach().numpy()
    assert Kernel(lengths, 1.7)(left, right) == pytest.approx(expected, abs=1e-10)


def test_learns_a_function_and_its_noise() -> None:
    rng = np.random.default_rng(1)
    X = rng.random((60, 3))
    gp = fit_gp(X, wavy(X) + 0.1 * rng.standard_normal(60), None)
    new = rng.random((300, 3))
    mean, sd = gp.posterior(new)
    error = wavy(new) - mean
    assert np.sqrt(np.mean(error**2)) < 0.1
    assert 0.05 < np.sqrt(gp.noise[0]) < 0.2
    assert np.mean(np.abs(error) < 1.645 * sd) > 0.8
    assert gp.kernel.lengths[2] > 2 * gp.kernel.lengths[:2].max(), "the third column does nothing"


def test_known_noise_is_believed() -> None:
    X = np.array([[0.0], [0.0], [1.0], [1.0], [0.5]])
    gp = fit_gp(X, np.array([1.0, -1.0, 0.0, 0.2, 0.5]), np.array([1e-6, 25.0, 0.1, 0.1, 0.1]))
    mean, sd = gp.posterior(np.array([[0.0]]))
    assert mean[0] == pytest.approx(1.0, abs=0.01)
    assert sd[0] < 0.01


def test_equal_data_give_equal_fits() -> None:
    rng = np.random.default_rng(2)
    X = rng.random((20, 2))
    first, second = (fit_gp(X, wavy(X), None) for _ in range(2))
    assert np.array_equal(first.kernel.lengths, second.kernel.lengths)
    assert first.evidence == second.evidence


@pytest.mark.parametrize("n", [1, 2, 3])
def test_predicts_from_the_prior_where_data_are_too_few_to_fit(n: int) -> None:
    X = np.linspace(0, 1, n)[:, None]
    gp = fit_gp(X, np.ones(n), None)
    mean, sd = gp.posterior(np.array([[0.0], [8.0]]))
    assert abs(mean[0] - 1) < 0.1
    assert sd[0] < 0.3
    assert sd[1] == pytest.approx(1.0, abs=0.01)


def test_pending_points_make_sure_and_change_no_mean() -> None:
    rng = np.random.default_rng(3)
    X = rng.random((10, 2))
    gp = fit_gp(X, wavy(X), None)
    new = np.array([[0.9, 0.1]])
    later = gp.with_pending(new)
    assert later.posterior(new)[1] < gp.posterior(new)[1]
    assert later.posterior(new)[0] == pytest.approx(gp.posterior(new)[0], abs=1e-6)


def test_values_that_were_not_measured_move_the_mean() -> None:
    rng = np.random.default_rng(4)
    X = rng.random((10, 2))
    gp = fit_gp(X, wavy(X), None)
    new = np.array([[0.9, 0.1], [0.1, 0.8]])
    wanted = gp.posterior(new)[0] + np.array([-2.0, 1.0])
    later = gp.with_values(new, wanted)
    assert len(later.noise) == 12
    assert np.all(np.abs(later.posterior(new)[0] - wanted) < 0.5 * np.array([2.0, 1.0]))


def test_upside_down() -> None:
    gp = GP(kernel=Kernel(np.ones(1), 1.0), mean=0.3, X=np.zeros((1, 1)), y=np.ones(1), noise=np.array([0.1]))
    mean, sd = gp.posterior(np.array([[0.5]]))
    down = gp.negated().posterior(np.array([[0.5]]))
    assert (down[0], down[1]) == (-mean, sd)


def test_it_says_at_how_many_independent_places_values_lie() -> None:
    X = np.array([[0.0], [0.0], [0.0], [50.0], [50.0]])
    kernel = Kernel(np.array([0.5]), 2.0)
    exact = GP(kernel, 0.0, X, np.zeros(5), np.full(5, 1e-6))
    assert exact.places == pytest.approx(2.0, abs=1e-4)
    smoother = kernel(X, X) @ np.linalg.inv(kernel(X, X) + np.diag([0.5, 0.1, 1.0, 2.0, 0.3]))
    assert GP(kernel, 0.0, X, np.zeros(5), np.array([0.5, 0.1, 1.0, 2.0, 0.3])).places == pytest.approx(
        np.trace(smoother)
    )
