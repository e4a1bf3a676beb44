import numpy as np
import pytest

from surrogate.fidelity_gp import FidelityGP, Layer, joined
from surrogate.matern_gp import GP, Kernel


def codes(X: np.ndarray, level: int) -> np.ndarray:
    return np.hstack([X, np.eye(2)[[level] * len(X)]])


def two_levels(factor: float, *, scale: float = 0.2) -> tuple[FidelityGP, GP]:
    """Return a process of two levels, the second of which counts, and the same target without the first."""
    rng = np.random.default_rng(0)
    cheap, full = rng.random((15, 2)), rng.random((6, 2))
    layers = [
        Layer(kernel=Kernel(np.array([0.5, 0.5]), 2.0), mean=0.3, noise=np.full(15, 1e-4)),
        Layer(
            kernel=Kernel(np.array([0.7, 0.4]), scale),
            mean=-0.1,
            noise=np.full(6, 1e-3),
            parent=0 if factor else None,
            factor=factor,
        ),
    ]
    values = [np.sin(6 * cheap[:, 0]), -2.0 * np.sin(6 * full[:, 0]) + full[:, 1]]
    X = np.vstack([codes(cheap, 0), codes(full, 1)])
    gp = joined(layers, X, values, start=2, target=1, levels=np.repeat([0, 1], [15, 6]))
    return gp, GP(kernel=layers[1].kernel, mean=-0.1, X=full, y=values[1], noise=layers[1].noise)


def test_without_a_factor_the_target_is_left_to_itself() -> None:
    gp, alone = two_levels(0.0)
    new = np.random.default_rng(1).random((50, 2))
    for found, expected in zip(gp.posterior(codes(new, 1)), alone.posterior(new), strict=True):
        assert found == pytest.approx(expected, abs=1e-9)
    assert gp.told(codes(new[:3], 1), 0) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("factor", [-2.0, 0.5, 3.0])
def test_the_joint_process_is_that_of_kennedy_and_ohagan(factor: float) -> None:
    gp, _ = two_levels(factor)
    rng = np.random.default_rng(2)
    x, z = rng.random((4, 2)), rng.random((3, 2))
    k, own = Kernel(np.array([0.5, 0.5]), 2.0), Kernel(np.array([0.7, 0.4]), 0.2)
    expected = factor**2 * k(x, z) + own(x, z)
    assert gp.kernel(codes(x, 1), codes(z, 1)) == pytest.approx(expected)
    # the cheap level on the target's scale: its own variance is the target's
    unit = np.sqrt((factor**2 * 2.0 + 0.2) / 2.0)
    assert gp.kernel(codes(x, 1), codes(z, 0)) == pytest.approx(factor * k(x, z) * unit)
    assert gp.kernel(codes(x, 0), codes(z, 0)) == pytest.approx(k(x, z) * unit**2)


def test_a_cheap_measurement_tells_what_the_posterior_says() -> None:
    gp, _ = two_levels(2.0)
    point = codes(np.array([[0.37, 0.9]]), 1)
    told = gp.told(point, 0)[0]
    before, after = gp.posterior(point)[1], gp.with_pending(gp.at(point, 0)).posterior(point)[1]
    assert 0.0 < told < 1.0
    assert 1.0 - (after[0] / before[0]) ** 2 == pytest.approx(told, rel=1e-6)


def test_noise_is_that_of_the_level() -> None:
    gp, _ = two_levels(2.0)
    assert gp.typical_noise == pytest.approx(1e-3)
    assert gp.noise_at(codes(np.zeros((2, 2)), 0)) == pytest.approx(1e-4 * gp.spreads[0] ** -2)


def test_it_stays_itself_upside_down() -> None:
    gp, _ = two_levels(2.0)
    new = codes(np.random.default_rng(3).random((5, 2)), 1)
    mean, sd = gp.posterior(new)
    turned_mean, turned_sd = gp.negated().posterior(new)
    assert isinstance(gp.negated(), FidelityGP)
    assert turned_mean == pytest.approx(-mean)
    assert turned_sd == pytest.approx(sd)
