import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner import Categorical, Continuous, Integer, SpaceError
from planner.parameters import nearest_level


@pytest.mark.parametrize(
    ("parameter", "grid"),
    [
        (Continuous("x", 1, 2, step=0.25), [1, 1.25, 1.5, 1.75, 2]),
        (Continuous("x", 1, 5.1, step=2), [1, 3, 5]),
        (Continuous("x", 0, 1, levels=[1, 0.1, 0.5]), [0.1, 0.5, 1]),
        (Continuous("x", 0, 1, count=3), [0, 0.5, 1]),
        (Continuous("x", 1, 100, count=3, scale="log"), [1, 10, 100]),
        (Continuous("x", 3, 3), [3]),
        (Continuous("x", 3, 3, count=1), [3]),
        (Integer("x", -1, 2), [-1, 0, 1, 2]),
        (Categorical("x", ["p", "q"]), [0, 1]),
    ],
    ids=["step", "step leaves a rest", "levels", "count", "log count", "one value", "count one", "integer", "words"],
)
def test_grids(parameter: Continuous | Integer | Categorical, grid: list[float]) -> None:
    assert parameter.grid is not None
    assert parameter.grid.tolist() == grid
    assert parameter.bounds == (grid[0], grid[-1])


def test_levels_are_round_numbers() -> None:
    grid = Continuous("x", 1, 5, step=0.2).grid
    assert grid is not None
    assert grid[3] == 1.6
    assert len(grid) == 21


def test_without_levels_every_value_is_admissible() -> None:
    assert Continuous("x", 0, 1).grid is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Continuous("x", 2, 1, unit="mL"), "low 2 mL is above high 1 mL"),
        (lambda: Continuous("x", 0, 1, scale="log"), "log scale needs low > 0"),
        (lambda: Continuous("x", float("nan"), 1), "finite"),
        (lambda: Continuous("x", 0, float("inf")), "finite"),
        (lambda: Continuous("x", True, 2), "finite"),
        (lambda: Continuous("", 0, 1), "needs a name"),
        (lambda: Continuous("x", 0, 1, step=0), "positive"),
        (lambda: Continuous("x", 0, 1, step=1e-9), "leave it out"),
        (lambda: Continuous("x", 0, 1, step=0.1, count=3), "one of step"),
        (lambda: Continuous("x", 1, 2, step=0.1, scale="log"), "takes levels or count"),
        (lambda: Continuous("x", 0, 1, count=1), "at least 2"),
        (lambda: Continuous("x", 0, 1, levels=[]), "at least one"),
        (lambda: Continuous("x", 0, 1, levels=[0.5, 2]), "level 2 lies outside 0 to 1"),
        (lambda: Continuous("x", 0, 1, levels=[0.5, 0.5]), "twice"),
        (lambda: Continuous("x", 0, 1, scale="cubic"), "linear or log"),  # type: ignore[arg-type]
        (lambda: Integer("x", 0.5, 2), "whole"),  # type: ignore[arg-type]
        (lambda: Integer("x", 3, 2), "above high"),
        (lambda: Integer("x", 0, 2, scale="log"), "log scale"),
        (lambda: Integer("x", 0, 10**8), "use Continuous"),
        (lambda: Categorical("x", []), "at least one"),
        (lambda: Categorical("x", ["a", "a"]), "twice"),
        (lambda: Categorical("x", "water"), "list of words"),
        (lambda: Categorical("x", ["a", 3]), "words"),  # type: ignore[list-item]
    ],
)
def test_refuses_what_makes_no_sense(make, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        make()


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        (Continuous("x", 0, 1, unit="mL"), 1.5, "lies outside 0 to 1 mL"),
        (Continuous("x", 0, 1, step=0.25), 0.3, "no level of its grid; next is 0.25"),
        (Continuous("x", 0, 1), "wet", "no finite number"),
        (Continuous("x", 0, 1), float("nan"), "no finite number"),
        (Continuous("x", 0, 1), True, "no finite number"),
        (Integer("x", 0, 5), 2.5, "no level"),
        (Categorical("x", ["water", "ethanol"]), "watre", "did you mean 'water'"),
    ],
)
def test_says_what_is_wrong_with_a_value(parameter, value: object, message: str) -> None:
    assert message in (parameter.violation(value) or "")


def test_rounding_is_no_violation() -> None:
    assert Continuous("x", 0, 1, step=0.1).violation(0.1 + 0.2) is None


def test_values_are_plain() -> None:
    assert type(Continuous("x", 0, 1).value(np.float64(0.5))) is float
    assert type(Integer("x", 0, 5).value(np.float64(2.0))) is int
    assert type(Categorical("x", ["a", "b"]).value(np.float64(1.0))) is str


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=8, unique=True), st.floats(-200, 200))
def test_nearest_level_is_nearest(levels: list[float], number: float) -> None:
    grid = np.array(sorted(levels))
    found = grid[nearest_level(grid, np.array([number]))[0]]
    assert abs(found - number) == np.min(np.abs(grid - number))


def test_messages_leave_the_unit_of_plain_numbers_out() -> None:
    with pytest.raises(SpaceError, match="low 5 is above high 1; exchange them"):
        Continuous("x", 5, 1)
    with pytest.raises(SpaceError, match="a log scale needs low > 0, not 0$"):
        Continuous("x", 0, 1, scale="log")
