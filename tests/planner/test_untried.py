import numpy as np

from planner import Continuous, Integer, SearchSpace
from planner.untried import first_untried, listed_rows, spread_rows, untried_rows

TEN = SearchSpace([Integer("a", 0, 9)])


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def keys(space: SearchSpace, values: list[float]) -> set[bytes]:
    return set(space.keys(np.array(values, dtype=float)[:, None]))


def test_takes_a_sequence_in_order_without_what_is_taken() -> None:
    chunks = iter([np.array([[3.0], [1.0], [3.0]]), np.array([[4.0], [5.0]])])
    assert first_untried(TEN, 3, keys(TEN, [1]), chunks).ravel().tolist() == [3, 4, 5]


def test_lists_the_rest_where_drawing_finds_nothing_new() -> None:
    rows = untried_rows(TEN, 4, keys(TEN, [0, 1, 2, 3, 4, 5]), lambda n: np.zeros((n, 1)), rng())
    assert sorted(rows.ravel()) == [6, 7, 8, 9]


def test_returns_fewer_where_fewer_are_left() -> None:
    rows = untried_rows(TEN, 4, keys(TEN, list(range(8))), lambda n: TEN.sample_rows(n, rng()), rng())
    assert sorted(rows.ravel()) == [8, 9]


def test_spreads_away_from_what_is_known() -> None:
    space = SearchSpace([Continuous("a", 0, 1), Continuous("b", 0, 1)])
    known = np.array([[0.1, 0.1]])
    distances = []
    for seed in range(40):
        rows = spread_rows(space, 3, known, set(), np.random.default_rng(seed))
        distances.append(np.linalg.norm(rows - known, axis=1).min())
    random = np.linalg.norm(np.random.default_rng(0).random((40, 3, 2)) - known, axis=2).min(axis=1)
    assert np.mean(distances) > 1.1 * random.mean()


def test_spreads_over_sparse_recipes_in_a_mixture(vials: SearchSpace) -> None:
    rows = spread_rows(vials, 20, np.empty((0, 10)), set(), rng())
    assert ((rows[:, 2:] == 0).sum(axis=1) >= 4).all()


def test_lists_only_what_is_small() -> None:
    rows = listed_rows(TEN, 10)
    assert rows is not None
    assert rows.ravel().tolist() == list(range(10))
    assert listed_rows(TEN, 9) is None
    assert listed_rows(SearchSpace([Continuous("a", 0, 1)]), 100) is None
