import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surrogate.matern_gp import fit_gp
from surrogate.transfer.thinning import spread_out
from tests.surrogate.transfer.worlds import bump


@settings(max_examples=50, deadline=None)
@given(n=st.integers(1, 60), d=st.integers(1, 4), most=st.integers(1, 70), seed=st.integers(0, 9))
def test_as_many_as_wanted_are_taken_each_once_and_in_order(n, d, most, seed):
    X = np.round(np.random.default_rng(seed).random((n, d)), 1)
    taken = spread_out(X, most)
    assert len(taken) == min(n, most)
    assert (np.diff(taken) > 0).all() and taken[0] >= 0 and taken[-1] < n


def test_what_is_left_lies_near_what_is_taken():
    X = np.random.default_rng(0).random((2000, 2))
    taken = X[spread_out(X, 100)]
    nearest = np.linalg.norm(X[:, None] - taken[None], axis=2).min(axis=1)
    assert nearest.max() < 0.12  # a square of 100 even cells has half-diagonals of 0.07


def test_equal_points_are_taken_last():
    X = np.vstack([np.zeros((50, 2)), [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]])
    assert {50, 51, 52} < set(spread_out(X, 4).tolist())


def test_a_model_of_a_thinned_grid_knows_every_direction():
    """Every k-th row of a table that runs through a grid lies on a few lines."""
    line = np.linspace(0.0, 1.0, 50)
    grid = np.array([(a, b) for a in line for b in line])
    some = spread_out(grid, 100)
    rows = np.linspace(0, len(grid) - 1, 100).round().astype(int)

    def error(taken):
        mean, _ = fit_gp(grid[taken], bump(grid[taken]) - 0.5, None).posterior(grid)
        return np.abs(mean + 0.5 - bump(grid)).max()

    assert error(some) < 0.1 < error(rows)


def test_very_many_points_are_thinned_in_time_and_alike():
    X = np.random.default_rng(1).random((300_000, 6))
    first = spread_out(X, 50)
    assert len(first) == 50 and first.tolist() == spread_out(X, 50).tolist()


@pytest.mark.parametrize("most", [1, 2])
def test_few_are_taken_too(most):
    assert len(spread_out(np.random.default_rng(2).random((9, 3)), most)) == most
