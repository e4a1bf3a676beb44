import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner import Continuous, Integer, SearchSpace
from planner.ascent import Climbers, Score, Slopes


def climb(space: SearchSpace, score: Score, rows: np.ndarray, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Follow the best of each climber's steps, and check that none leaves the region."""
    climbers, scores = Climbers(Slopes(space.region), rows), score(rows)
    for _ in range(rounds):
        climbers.learn(scores, score(climbers.differences()))
        steps = climbers.steps()
        assert space.region.feasible(steps.reshape(-1, space.region.width)).all()
        heights = score(steps.reshape(-1, space.region.width)).reshape(steps.shape[:2])
        top, each = heights.argmax(axis=1), np.arange(len(steps))
        better = heights[each, top] > scores
        climbers.rows[better], scores[better] = steps[each, top][better], heights[each, top][better]
    return climbers.rows, scores


def bowl(space: SearchSpace, goal: np.ndarray, seed: int) -> Score:
    root = np.random.default_rng(seed).standard_normal((space.width, space.width))
    curved = root @ root.T + 0.3 * np.eye(space.width)
    return lambda rows: (
        -np.einsum("ij,jk,ik->i", space.encode_rows(rows) - goal, curved, space.encode_rows(rows) - goal)
    )


@given(seed=st.integers(0, 2**16))
def test_reaches_the_top_inside(seed: int) -> None:
    space = SearchSpace([Continuous("a", -3.0, 5.0), Continuous("b", 1e-3, 1e2, scale="log"), Continuous("c", 0, 1)])
    goal = np.random.default_rng(seed).uniform(0.2, 0.8, 3)
    rows, _ = climb(space, bowl(space, goal, seed), space.sample_rows(4, np.random.default_rng(seed)), 40)
    assert space.encode_rows(rows) == pytest.approx(np.tile(goal, (4, 1)), abs=2e-3)


@given(seed=st.integers(0, 2**16))
def test_stops_at_walls_where_no_way_leads_up(seed: int) -> None:
    """At the end the gradient is a sum of outward normals with weights that are not negative (Karush, Kuhn, Tucker)."""
    space = SearchSpace([Continuous(name, 0, 1) for name in "abcd"], ["a + b + c + d == 1", "a + 0.5*b <= 0.6"])
    goal = np.random.default_rng(seed).uniform(-0.5, 1.0, 4)
    score = bowl(space, goal, seed)
    rows, scores = climb(space, score, space.sample_rows(3, np.random.default_rng(seed)), 60)
    everywhere = space.sample_rows(2000, np.random.default_rng(seed + 1))
    near = rows[0] + 0.05 * (everywhere - rows[0])
    assert scores.max() >= max(score(everywhere).max(), score(near).max()) - 1e-3
    assert rows.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-9)


def test_leaves_levels_alone() -> None:
    space = SearchSpace([Integer("k", 0, 9), Continuous("x", 0, 1)])
    rows, _ = climb(space, lambda rows: -((rows[:, 1] - 0.7) ** 2) + rows[:, 0], np.array([[3.0, 0.1], [5.0, 0.9]]), 10)
    assert rows[:, 0].tolist() == [3.0, 5.0]
    assert rows[:, 1] == pytest.approx(np.full(2, 0.7), abs=1e-3)


def test_a_score_that_is_flat_moves_nobody() -> None:
    space = SearchSpace([Continuous("x", 0, 1)])
    climbers = Climbers(Slopes(space.region), np.array([[0.3]]))
    climbers.learn(np.zeros(1), np.zeros(1))
    assert climbers.steps().ravel().tolist() == [0.3] * climbers.steps().shape[1]


def test_climbers_that_go_on_alone_keep_what_they_learnt() -> None:
    space = SearchSpace([Continuous(name, 0, 1) for name in "abc"])
    score = bowl(space, np.array([0.4, 0.5, 0.6]), 3)
    climbers = Climbers(Slopes(space.region), space.sample_rows(4, np.random.default_rng(0)))
    for _ in range(3):
        scores = score(climbers.rows)
        climbers.learn(scores, score(climbers.differences()))
        before = climbers.steps()
        climbers.rows = before[:, 2].copy()
    climbers.learn(score(climbers.rows), score(climbers.differences()))
    which, steps = np.array([False, True, False, True]), climbers.steps()
    climbers.keep(which)
    assert climbers.steps() == pytest.approx(steps[which])
