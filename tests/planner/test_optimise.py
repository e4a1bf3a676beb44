import numpy as np
import pytest

from planner import Categorical, Continuous, Integer, SearchSpace
from planner.optimise import _alone, _climb, best_row, candidate_rows


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def search(space: SearchSpace, score, taken: set[bytes] | None = None, n: int = 100) -> np.ndarray:
    row = best_row(
        space, score, candidate_rows(space, n, np.empty((0, space.region.width)), rng()), taken or set(), rng()
    )
    assert row is not None
    assert space.region.feasible(row[None])[0]
    return row


def test_climbs_to_the_best_grid_point_of_a_mixture(vials: SearchSpace) -> None:
    ideal = np.array([4.2, 2.0, 0, 1.75, 0, 0, 1.25, 0, 0, 0])
    weights = np.array([0.1, 1, 4, 1, 4, 4, 0.5, 4, 4, 4])
    assert search(vials, lambda rows: -np.sum(weights * np.abs(rows - ideal), axis=1), n=300) == pytest.approx(ideal)


def test_follows_a_ridge_along_a_constraint() -> None:
    space = SearchSpace([Continuous(name, 0, 1) for name in "abc"], ["a + b + c == 1", "a <= 0.5"])
    row = search(space, lambda rows: rows[:, 0] - (rows[:, 1] - 0.2) ** 2)
    assert row == pytest.approx([0.5, 0.2, 0.3], abs=0.02)
    assert row.sum() == pytest.approx(1.0, abs=1e-12)


def test_tries_every_word_and_number() -> None:
    space = SearchSpace(
        [Categorical("s", list("abcdefgh")), Integer("k", 1, 500), Continuous("x", 1e-3, 1e3, scale="log")]
    )
    row = search(
        space, lambda rows: (rows[:, 0] == 5) - np.abs(rows[:, 1] - 321) / 500 - np.abs(np.log10(rows[:, 2]) - 1)
    )
    assert space.points(row[None])[0]["s"] == "f"
    assert row[1] == pytest.approx(321, abs=3)
    assert row[2] == pytest.approx(10, rel=0.05)


def test_passes_over_what_is_taken() -> None:
    space = SearchSpace([Integer("a", 0, 9)])
    taken = set(space.keys(np.array([[9.0], [8.0]])))
    assert search(space, lambda rows: rows[:, 0], taken).tolist() == [7.0]
    everything = set(space.keys(np.arange(10.0)[:, None]))
    assert (
        best_row(space, lambda rows: rows[:, 0], candidate_rows(space, 10, np.empty((0, 1)), rng()), everything, rng())
        is None
    )


def test_scores_every_point_of_a_small_space() -> None:
    space = SearchSpace([Integer("a", 0, 60), Integer("b", 0, 60)])
    needle = np.array([17.0, 43.0])
    assert search(space, lambda rows: np.all(rows == needle, axis=1).astype(float), n=10).tolist() == needle.tolist()


def test_of_climbers_that_meet_the_highest_goes_on() -> None:
    space = SearchSpace([Continuous("x", 0.0, 10.0), Continuous("y", 0.0, 1.0)])
    rows = np.array([[1.0, 0.1], [1.05, 0.105], [5.0, 0.1], [1.0, 0.5]])
    assert _alone(space.neighbourhood, rows, np.array([0.1, 0.3, 0.2, 0.0])).tolist() == [False, True, True, True]


def test_climbers_meet_by_ratios_on_a_logarithmic_scale_and_in_one_word_only() -> None:
    space = SearchSpace([Continuous("c", 1e-6, 1.0, scale="log"), Categorical("w", [f"w{i}" for i in range(300)])])
    rows = np.array([[1e-5, 10.0], [1.01e-5, 10.0], [1e-4, 10.0], [1e-5, 11.0]])
    assert _alone(space.neighbourhood, rows, np.array([3.0, 2.0, 1.0, 0.0])).tolist() == [True, False, True, True]


def test_climbers_that_stop_early_keep_what_they_found() -> None:
    """The first two start on one slope and meet, the third climbs another, higher hill by itself."""
    space = SearchSpace([Continuous("x", 0.0, 1.0), Continuous("y", 0.0, 1.0)])

    def score(rows: np.ndarray) -> np.ndarray:
        low = -40.0 * ((rows[:, 0] - 0.2) ** 2 + (rows[:, 1] - 0.3) ** 2)
        high = 1.0 - 60.0 * ((rows[:, 0] - 0.8) ** 2 + 3.0 * (rows[:, 1] - rows[:, 0]) ** 2)
        return np.maximum(low, high)

    rows = np.array([[0.25, 0.3], [0.2, 0.33], [0.6, 0.55]])
    climbed, heights = _climb(space.neighbourhood, score, rows, score(rows), rng())
    assert score(climbed) == pytest.approx(heights)
    assert np.all(heights >= score(rows))
    assert climbed[:2].mean(axis=0) == pytest.approx([0.2, 0.3], abs=0.03)
    assert climbed[2] == pytest.approx([0.8, 0.8], abs=0.02)
