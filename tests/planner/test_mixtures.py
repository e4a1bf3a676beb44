import numpy as np
import pytest

from planner import Continuous, Integer, SearchSpace
from planner.mixtures import CountedMixture, StickMixture

RNG = np.random.default_rng(0)


def region(parameters, constraint: str):
    return SearchSpace(parameters, [constraint]).region


@pytest.mark.parametrize(
    ("parameters", "constraint", "size"),
    [
        ([Integer(n, 0, 2) for n in "abc"], "a + b + c <= 2", 10),
        ([Integer(n, 0, 2) for n in "abc"], "a + b + c == 2", 6),
        ([Integer(n, 0, 2) for n in "abc"], "a + b + c >= 5", 4),
        ([Integer("a", -3, 3), Integer("b", 0, 2)], "a - 2*b == 0", 2),
        ([Continuous(n, 0, 0.3, step=0.1) for n in "ab"], "a + b <= 0.3", 10),
        ([Integer(n, 0, 2) for n in "ab"], "a + b >= -7", 9),
        ([Integer(n, 0, 2) for n in "ab"], "a + b == 9", 0),
        ([Continuous("a", 0, 1, levels=[0, 0.125, 1]), Integer("b", 0, 4)], "a + b/4 == 1", 2),
    ],
)
def test_counts_rows(parameters, constraint: str, size: int) -> None:
    counted = CountedMixture.of(region(parameters, constraint))
    assert counted is not None
    assert counted.size == size


def test_counts_beyond_what_a_float_holds() -> None:
    counted = CountedMixture.of(region([Integer(f"v{i}", 0, 9) for i in range(40)], "v0 + v1 <= 5"))
    assert counted is not None
    assert counted.size == 21 * 10**38


@pytest.mark.parametrize(
    ("parameters", "constraint"),
    [
        ([Continuous(n, 0, 1, step=0.1) for n in "ab"], "a + 0.3333333*b <= 1.1"),
        ([Continuous("a", 0, 1, step=0.1), Continuous("b", 0, 1)], "a + b <= 1"),
    ],
    ids=["no common unit", "a continuous column"],
)
def test_leaves_what_it_cannot_count(parameters, constraint: str) -> None:
    assert CountedMixture.of(region(parameters, constraint)) is None


def test_sticks_keep_the_sum_exactly() -> None:
    (stick,) = StickMixture.of(region([Continuous(n, 0, 1) for n in "abcd"], "a + b + c + d == 1"))
    rows = stick.draw(RNG.random((500, 4)), RNG)
    assert np.abs(rows.sum(axis=1) - 1).max() < 1e-15
    assert rows.min() >= 0


def test_sticks_follow_signs_and_offsets() -> None:
    space = region([Continuous("a", 1, 3), Continuous("b", -2, 5)], "2*a - b <= 0")
    (stick,) = StickMixture.of(space)
    rows = stick.draw(RNG.random((500, 2)), RNG)
    assert np.all(2 * rows[:, 0] - rows[:, 1] <= 1e-12)
    assert rows[:, 0].min() >= 1
    assert rows[:, 1].max() <= 5


def test_sticks_are_broken_under_the_sum_where_there_are_bounds_beside_it() -> None:
    space = SearchSpace([Continuous(n, 0, 1) for n in "abc"], ["a + b + c == 1", "a + 0.5*b <= 0.6"]).region
    (stick,) = StickMixture.of(space)
    assert stick.is_equality
    kept = space.feasible(stick.draw(RNG.random((500, 3)), RNG))
    assert 0.3 < kept.mean() < 1
