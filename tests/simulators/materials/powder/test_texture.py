"""Texture keeps the whole, and few grains scatter about it."""

import numpy as np
import pytest

from simulators.materials.powder.texture import graininess, march_dollase


@pytest.mark.parametrize("r", [0.4, 1.0, 2.5])
def test_the_mean_over_all_directions_is_one(r):
    cosine = (np.arange(20000) + 0.5) / 20000
    assert march_dollase(cosine[None, :], r)[0] == pytest.approx(1.0, rel=1e-3)


def test_platelets_lie_flat():
    along, across = march_dollase(np.array([[1.0], [0.0]]), 0.5)
    assert along == pytest.approx(0.5**-3) and across == pytest.approx(0.5**1.5)


def test_the_variance_is_one_over_the_grains_that_reflect():
    factors = graininess(np.full(40000, 8), 1e4, np.random.default_rng(0))
    assert factors.mean() == pytest.approx(1.0, abs=0.01)
    assert factors.var() == pytest.approx(1.0 / (8 * 1e4 * 2e-3), rel=0.05)
