from typing import Any

import numpy as np
import pytest

from planner import BadOption, Continuous, SearchSpace
from planner.soft import Near, Soft, read_earlier

SPACE = SearchSpace([Continuous("t", 100.0, 200.0), Continuous("v", 0.0, 1.0)])
POINTS = [{"t": float(t), "v": v} for t in range(100, 201, 20) for v in (0.1, 0.5, 0.9)]
VALUES = [0.1 * (point["t"] - 100.0) for point in POINTS]
TABLE = {"points": POINTS, "values": VALUES, "threshold": 5.0, "lo": 0.2}


def test_an_earlier_table_says_where_a_threshold_is_exceeded() -> None:
    [soft] = read_earlier(SPACE, [TABLE], minimize=False)
    low, high = SPACE.encode([{"t": 105.0, "v": 0.3}, {"t": 195.0, "v": 0.3}])
    factors = np.exp(soft.log_factor(np.stack([low, high])))
    assert factors == pytest.approx([0.2, 1.0], abs=0.05)
    [other] = read_earlier(SPACE, [TABLE], minimize=True)
    assert np.exp(other.log_factor(np.stack([low, high]))) == pytest.approx([1.0, 0.2], abs=0.05)


def test_far_from_what_was_measured_it_leaves_about_a_half() -> None:
    few = {"points": [{"t": 101.0, "v": 0.0}, {"t": 102.0, "v": 0.02}], "values": [1.0, 2.0], "threshold": 1.5}
    [soft] = read_earlier(SPACE, [few], minimize=False)
    assert 0.3 < soft.of.probability(SPACE.encode([{"t": 190.0, "v": 1.0}]))[0] < 0.75


def test_forbidding_never_gives_infinities() -> None:
    hard = {**TABLE, "threshold": 1e6, "lo": 0}
    [soft] = read_earlier(SPACE, [hard], minimize=False)
    found = soft.log_factor(SPACE.encode(POINTS))
    assert np.isfinite(found).all() and (found < -20).all()


def test_a_neighbourhood_falls_with_the_distance() -> None:
    soft = Soft(Near(np.array([0.5, 0.5]), 0.1), 0.0)
    at, near, far = np.exp(soft.log_factor(np.array([[0.5, 0.5], [0.6, 0.6], [1.0, 1.0]])))
    assert at == 1.0
    assert near == pytest.approx(np.exp(-0.5))
    assert 0 < far < 1e-5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (TABLE, "takes a list of tables"),
        (["t"], "table 0 .* must be a mapping"),
        ([{**TABLE, "treshold": 1}], "did you mean 'threshold'"),
        ([{"points": POINTS, "values": VALUES}], "lacks 'threshold'"),
        ([{**TABLE, "points": POINTS[:3]}], "3 points and 18 values"),
        ([{**TABLE, "points": [], "values": []}], "0 points; at least 2 are needed, or leave the table out"),
        ([{**TABLE, "values": [*VALUES[:-1], float("nan")]}], "value 17 must be a finite number"),
        ([{**TABLE, "threshold": "high"}], "threshold must be a finite number"),
        ([{**TABLE, "lo": 1.5}], "from 0 to 1, not 1.5"),
        ([{**TABLE, "points": [*POINTS[:-1], {"t": 150.0}]}], "'v' is missing"),
        ([{**TABLE, "points": [*POINTS[:-1], {"t": 150.0, "v": 0.5, "w": 1.0}]}], "point 17 has 'w'"),
        ([{**TABLE, "points": [*POINTS[:-1], 3]}], "point 17 must map"),
        ([{**TABLE, "points": [{"t": 900.0, "v": 0.5}] * 18}], "every point lies outside the space"),
    ],
)
def test_what_is_no_table_is_refused_with_what_to_do(given: Any, message: str) -> None:
    with pytest.raises(BadOption, match=message):
        read_earlier(SPACE, given, minimize=False)
