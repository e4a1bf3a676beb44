"""The levels of the protocol: what they mix, and that their patterns can be made."""

import numpy as np
import pytest

from simulators.materials.powder.levels import LEVELS
from simulators.materials.powder.library import structures
from simulators.materials.powder.pattern import Scan, simulate

POOL = tuple(structures().values())


@pytest.mark.parametrize("name", LEVELS)
def test_mixtures_are_as_the_level_says(name):
    level, rng = LEVELS[name], np.random.default_rng(0)
    drawn = [level.mixture(POOL, rng) for _ in range(300)]
    known = [len(one.mixture.shares) - len(one.unknown) for one in drawn]
    assert set(known) == {1, 2, 3, 4}
    assert {len(one.unknown) for one in drawn} == ({0, 1, 2} if name == "L3" else {0})
    weights = np.array([share.weight for one in drawn for share in one.mixture.shares])
    assert weights.min() >= level.least_weight - 1e-12
    lacking = [s.weight for one in drawn for s in one.mixture.shares if s.structure.name in one.unknown]
    assert all(0.05 <= weight <= 0.4 for weight in lacking)
    assert all(len({s.structure.name for s in one.mixture.shares}) == len(one.mixture.shares) for one in drawn)


def test_a_pool_that_is_too_small_is_told():
    with pytest.raises(ValueError, match="needs more than 0 structures"):
        LEVELS["L1"].mixture((), np.random.default_rng(0))


@pytest.mark.parametrize("name", LEVELS)
def test_patterns_of_each_level_can_be_made(name):
    level, rng = LEVELS[name], np.random.default_rng(1)
    for _ in range(6):
        drawn = level.mixture(POOL, rng)
        made = simulate(drawn.mixture, scan=Scan(), sample=level.sample, instrument=level.instrument(rng), rng=rng)
        assert np.all(np.isfinite(made.truth.expected)) and made.truth.expected.min() >= 0.0
        assert set(made.truth.weights) == set(made.truth.contributions) == set(made.truth.cells)
        assert sum(made.truth.weights.values()) == pytest.approx(1.0)
