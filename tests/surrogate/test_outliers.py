import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surrogate.matern_gp import fit_gp
from surrogate.outliers import FEWEST, MOST, doubtful


def smooth(X: np.ndarray) -> np.ndarray:
    return np.sin(5 * X[:, 0]) + np.cos(4 * X[:, 1])


def standard(y: np.ndarray) -> np.ndarray:
    return (y - y.mean()) / y.std()


def found(X: np.ndarray, y: np.ndarray, noise: np.ndarray | None = None) -> set[int]:
    return set(doubtful(X, y, noise, fit_gp(X, y, noise).hyperparameters).tolist())


@pytest.mark.parametrize("seed", range(4))
def test_gross_errors_are_found_and_nothing_else(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.random((40, 2))
    y = smooth(X) + 0.05 * rng.standard_normal(40)
    wrong = set(rng.choice(40, 3, replace=False).tolist())
    for place in wrong:
        y[place] += rng.choice([-6.0, 6.0])
    assert found(X, standard(y)) == wrong


def test_a_wrong_label_within_the_range_is_found_where_neighbours_know_better() -> None:
    X = np.linspace(0, 1, 25)[:, None]
    y = 4 * X[:, 0]
    y[12] = 3.9
    assert found(X, standard(y)) == {12}


@pytest.mark.parametrize("seed", range(6))
def test_of_results_without_errors_all_are_believed(seed: int) -> None:
    rng = np.random.default_rng([1, seed])
    X = rng.random((30, 2))
    assert found(X, standard(smooth(X) + 0.2 * rng.standard_normal(30))) == set()


def test_what_is_known_to_be_noisy_may_be_far_off() -> None:
    X = np.linspace(0, 1, 20)[:, None]
    y, noise = standard(np.sin(4 * X[:, 0])), np.full(20, 1e-4)
    y[7] += 1.0
    assert found(X, y, noise) == {7}
    noise[7] = 1.0
    assert found(X, y, noise) == set()


@pytest.mark.parametrize("sd", [0.0, 1e-9, 1e-3])
def test_a_gross_error_is_found_beside_repeats_however_sharp_results_are_told_to_be(sd: float) -> None:
    X = np.append(np.linspace(0, 1, 15), [0.5, 0.5])[:, None]
    y = np.sin(6 * X[:, 0])
    y[4] += 2.5
    assert found(X, standard(y), np.full(17, sd**2)) == {4}


def test_few_results_are_believed_whatever_they_are() -> None:
    X = np.linspace(0, 1, FEWEST - 1)[:, None]
    y = np.zeros(FEWEST - 1)
    y[3] = 50.0
    assert found(X, standard(y)) == set()


@settings(max_examples=30, deadline=None)
@given(
    y=st.lists(st.floats(-1e6, 1e6), min_size=FEWEST, max_size=20),
    repeats=st.integers(1, 4),
)
def test_at_most_a_share_is_doubted_whatever_came_back(y: list[float], repeats: int) -> None:
    values = np.array(y)
    values = (values - values.mean()) / (values.std() or 1.0)
    X = np.repeat(np.linspace(0, 1, -(-len(y) // repeats))[:, None], repeats, axis=0)[: len(y)]
    places = doubtful(X, values, None, None)
    assert len(places) <= MOST * len(y)
    assert sorted(set(places.tolist())) == places.tolist()
