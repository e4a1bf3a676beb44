import numpy as np
import pytest

from surrogate.gp import NotPositiveDefinite, condition, factor, log_evidence, maximise, slope_covariance
from surrogate.kernels import Matern52, ProcessingKernel

KERNEL = Matern52(length=0.3, variance=2.0)
X = np.array([-0.8, -0.3, 0.0, 0.2, 0.9])
Y = np.sin(3 * X)
NOISE = np.array([1e-4, 2e-4, 1e-4, 3e-4, 1e-4])
Q = np.linspace(-1.0, 1.0, 9)


def posterior():
    return condition(KERNEL, X, Y, NOISE)


def test_posterior_is_that_of_the_textbook():
    inverse = np.linalg.inv(KERNEL.value(X, X) + np.diag(NOISE))
    cross = KERNEL.value(Q, X)
    np.testing.assert_allclose(posterior().mean(Q)[:, 0], cross @ inverse @ Y, atol=1e-9)
    covariance = KERNEL.value(Q, Q) - cross @ inverse @ cross.T
    np.testing.assert_allclose(posterior().covariance(Q), covariance, atol=1e-9)
    np.testing.assert_allclose(posterior().variance(Q, prior=2.0), np.diag(covariance), atol=1e-9)


def test_slope_of_the_mean_is_the_mean_of_the_slope():
    step = 1e-5
    numeric = (posterior().mean(Q + step) - posterior().mean(Q - step)) / (2 * step)
    np.testing.assert_allclose(posterior().slope_mean(Q), numeric, rtol=1e-5, atol=1e-6)


def test_slope_covariances_are_derivatives_of_the_covariance():
    step, grid = 1e-4, np.array([-0.45, 0.1, 0.55])
    both = np.concatenate([grid + step, grid - step])
    c = posterior().covariance(np.concatenate([both, grid]))
    value = (c[:3, 6:] - c[3:6, 6:]) / (2 * step)
    np.testing.assert_allclose(posterior().slope_value_covariance(grid), value, rtol=1e-3, atol=1e-4)
    slope = (c[:3, :3] - c[:3, 3:6] - c[3:6, :3] + c[3:6, 3:6]) / (4 * step**2)
    np.testing.assert_allclose(slope_covariance(posterior(), KERNEL, grid), slope, rtol=1e-2, atol=1e-2)


def test_noise_of_one_point_is_its_own():
    noise = np.array([1e-6, 1e-6, 100.0, 1e-6, 1e-6])
    sd = np.sqrt(condition(KERNEL, X, Y, noise).variance(X, prior=2.0))
    assert sd[2] > 20 * sd[1]


def test_outputs_share_one_covariance():
    two = condition(KERNEL, X, np.stack([Y, -2 * Y], axis=1), NOISE).mean(Q)
    np.testing.assert_allclose(two[:, 1], -2 * two[:, 0])


def test_no_data_gives_the_prior():
    empty = condition(KERNEL, np.empty(0), np.empty((0, 1)), 0.1)
    np.testing.assert_allclose(empty.covariance(Q), KERNEL.value(Q, Q))
    np.testing.assert_array_equal(empty.mean(Q), 0.0)


def test_points_of_several_dimensions():
    kernel = ProcessingKernel(lengths=(30.0, 0.4))
    z = np.array([[500.0, 2.5], [520.0, 2.9], [700.0, 3.5]])
    fitted = condition(kernel, z, np.array([1.0, 2.0, 3.0]), 1e-8)
    np.testing.assert_allclose(fitted.mean(z)[:, 0], [1.0, 2.0, 3.0], atol=1e-5)


def evidence_of(parameters):
    length, variance, noise = np.exp(parameters)
    k = Matern52(length=length).value(X, X)
    step = 1e-6
    by_length = (Matern52(length=length * (1 + step)).value(X, X) - k) / step
    slopes = [variance * by_length, variance * k, noise * np.eye(len(X))]
    return log_evidence(variance * k + noise * np.eye(len(X)), slopes, np.stack([Y, Y**2], axis=1))


def test_gradient_of_the_evidence():
    at = np.log([0.4, 1.5, 0.02])
    value, gradient = evidence_of(at)
    for i in range(3):
        step = np.eye(3)[i] * 1e-5
        numeric = (evidence_of(at + step)[0] - evidence_of(at - step)[0]) / 2e-5
        assert gradient[i] == pytest.approx(numeric, rel=1e-3)
    assert np.isfinite(value)


def test_maximise_climbs_the_evidence_within_bounds():
    start = np.log([0.05, 1.0, 0.5])
    best = maximise(evidence_of, start, [(-4.0, 2.0), (-3.0, 3.0), (-8.0, 0.0)])
    assert evidence_of(best)[0] > evidence_of(start)[0] + 1.0
    assert best[2] >= -8.0


def test_maximise_keeps_the_start_where_nothing_can_be_evaluated():
    def hopeless(point):
        raise NotPositiveDefinite("always")

    start = np.array([1.0, 2.0])
    np.testing.assert_array_equal(maximise(hopeless, start, [(0.0, 3.0), (0.0, 3.0)]), start)


def test_nearly_singular_covariances_get_jitter():
    twice = np.ones((3, 3))
    lower = factor(twice)
    np.testing.assert_allclose(lower @ lower.T, twice, atol=1e-5)


@pytest.mark.parametrize("bad", [np.full((2, 2), np.nan), -np.eye(2)], ids=["nan", "negative"])
def test_hopeless_covariances_are_refused(bad):
    with pytest.raises(NotPositiveDefinite, match=r"NaN|indefinite"):
        factor(bad)
