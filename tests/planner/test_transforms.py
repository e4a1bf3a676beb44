import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from planner.transforms import TargetScale, knees_to_try

VALUES = arrays(float, st.integers(2, 20), elements=st.floats(-1e3, 1e3))


@given(VALUES, st.sampled_from([None, 0.1, 10.0]))
def test_inverse_undoes_forward(y: np.ndarray, knee: float | None) -> None:
    scale = TargetScale.of(y, knee)
    assert scale.inverse(scale.forward(y)) == pytest.approx(y, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("knee", [None, 0.5])
def test_slope_is_the_derivative(knee: float | None) -> None:
    scale = TargetScale.of(np.array([0.0, 1.0, 4.0, 20.0]), knee)
    y, step = np.array([-1.0, 0.0, 0.3, 15.0]), 1e-6
    numeric = (scale.forward(y + step) - scale.forward(y - step)) / (2 * step)
    assert scale.slope(y) == pytest.approx(numeric, rel=1e-5)


@pytest.mark.parametrize("knee", [None, 0.5])
def test_moments_are_those_of_samples(knee: float | None) -> None:
    scale = TargetScale.of(np.array([0.0, 1.0, 4.0, 20.0]), knee)
    mean, sd = scale.moments(np.array([0.5, -1.0]), np.array([0.3, 0.6]))
    z = np.array([0.5, -1.0]) + np.array([0.3, 0.6]) * np.random.default_rng(0).standard_normal((400_000, 2))
    y = scale.inverse(z)
    assert mean == pytest.approx(y.mean(axis=0), rel=0.02)
    assert sd == pytest.approx(y.std(axis=0), rel=0.02)


@pytest.mark.parametrize(("value", "spread"), [(3.0, 3.0), (-1e-15, 1e-15), (1e280, 1e280), (0.0, 1.0)])
def test_constant_data_have_a_scale_of_their_size(value: float, spread: float) -> None:
    scale = TargetScale.of(np.array([value, value]), None)
    assert scale.forward(np.array([value, value + spread])).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("size", [1e-270, 1e-15, 1e280])
@pytest.mark.parametrize("knee", [None, 0.1])
def test_the_unit_of_the_data_changes_nothing(size: float, knee: float | None) -> None:
    y = np.array([0.0, 0.2, 0.3, 1.0])
    plain = TargetScale.of(y, knee)
    scale = TargetScale.of(y * size, None if knee is None else knee * size)
    assert scale.forward(y * size) == pytest.approx(plain.forward(y))
    for there, here in zip(scale.moments(np.zeros(2), np.ones(2)), plain.moments(np.zeros(2), np.ones(2)), strict=True):
        assert there / size == pytest.approx(here)


def test_bends_only_skewed_data_of_one_sign() -> None:
    rng = np.random.default_rng(0)
    assert knees_to_try(rng.standard_normal(100)) == [None]
    assert knees_to_try(rng.uniform(1, 2, 100)) == [None]
    assert knees_to_try(np.exp(rng.standard_normal(4))) == [None]
    assert len(knees_to_try(np.exp(2 * rng.standard_normal(100)))) == 3
    assert len(knees_to_try(-np.exp(2 * rng.standard_normal(100)))) == 3
