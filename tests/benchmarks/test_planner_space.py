import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planner_peers.coding import decode, encode, slices
from planner_space import Axis, Bound, Space, levels

AXES = (
    Axis(name="a", kind="continuous", low=0.0, high=1.0),
    Axis(name="b", kind="continuous", low=0.1, high=1.0),
    Axis(name="k", kind="integer", low=2, high=5),
    levels("r", [1.5, 1.6, 2.0]),
    Axis(name="c", kind="categorical", levels=("x", "y", "z")),
)
SHARES = Bound(weights={"a": 1.0, "b": 1.0}, relation="<=", bound=1.0)
SPACE = Space(axes=AXES, bounds=(SHARES,))
GOOD = {"a": 0.3, "b": 0.5, "k": 4, "r": 1.6, "c": "y"}


@pytest.mark.parametrize(
    "change",
    [
        {"a": -0.01},
        {"a": float("nan")},
        {"a": 0.51},
        {"k": 4.5},
        {"k": 6},
        {"r": 1.7},
        {"c": "w"},
        {"c": 1.0},
    ],
    ids=str,
)
def test_what_breaks_the_space_is_found(change):
    assert SPACE.violations(GOOD) == []
    assert len(SPACE.violations({**GOOD, **change})) == 1


def test_an_equality_holds_to_both_sides():
    space = Space(axes=AXES[:2], bounds=(Bound(weights={"a": 1.0, "b": 1.0}, relation="==", bound=1.0),))
    assert space.violations({"a": 0.4, "b": 0.6}) == []
    assert space.violations({"a": 0.4, "b": 0.59})
    assert space.violations({"a": 0.4, "b": 0.61})


@given(st.integers(0, 2**32 - 1))
def test_drawn_points_keep_to_the_space_and_survive_coding_and_json(seed):
    told = Space.from_json(json.loads(json.dumps(SPACE.to_json())))
    assert told == SPACE
    for point in told.sample(5, np.random.default_rng(seed)):
        assert told.violations(point) == []
        code = encode(SPACE, [point])[0]
        assert len(code) == slices(SPACE)[-1].stop == 7
        assert SPACE.key(decode(SPACE, code)) == SPACE.key(point)


def test_shares_are_drawn_uniformly_over_the_simplex():
    points = Space(axes=AXES[:2], bounds=(SHARES,)).sample(20_000, np.random.default_rng(0))
    a = np.array([point["a"] for point in points])
    b = np.array([point["b"] for point in points])
    # of the triangle with legs of 0.9, a quarter lies beyond half of a leg
    assert np.mean(a > 0.45) == pytest.approx(0.25, abs=0.01)
    assert np.mean(b - 0.1 > 0.45) == pytest.approx(0.25, abs=0.01)


def test_points_apart_by_rounding_are_one_point():
    assert SPACE.key(GOOD) == SPACE.key({**GOOD, "a": 0.3 + 1e-12, "k": 4.0})
    assert SPACE.key(GOOD) != SPACE.key({**GOOD, "a": 0.3 + 1e-7})
    assert SPACE.key(GOOD) != SPACE.key({**GOOD, "c": "z"})
