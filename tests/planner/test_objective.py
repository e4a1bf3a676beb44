import numpy as np
import pytest

from planner import BadOption, Objective, Observation, Planner, SearchSpace
from planner.objective import check_together
from planner.parameters import Continuous


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"direction": "up"}, "direction must be one of maximize, minimize", id="no direction"),
        pytest.param({"direction": "target"}, "direction 'target' needs target=", id="no target"),
        pytest.param({"direction": "window", "low": 1.0}, "needs high=", id="half a window"),
        pytest.param({"direction": "at_most"}, "needs limit=", id="no limit"),
        pytest.param({"direction": "maximize", "limit": 1.0}, "limit does not belong to", id="foreign number"),
        pytest.param({"direction": "window", "low": 2.0, "high": 2.0}, "must be below high", id="no width"),
        pytest.param({"direction": "target", "target": float("nan")}, "must be a finite number", id="nan"),
        pytest.param({"direction": "target", "target": "5"}, "must be a finite number", id="text"),
        pytest.param({"direction": "target", "target": 1.0, "tolerance": -1.0}, "not be below 0", id="tolerance"),
        pytest.param({"direction": "maximize", "weight": 2.0}, "needs a desirability", id="idle weight"),
        pytest.param({"direction": "maximize", "desirability": (1, 0)}, "lesser value first", id="upside down"),
        pytest.param({"direction": "maximize", "desirability": (1, 2, 3)}, "two finite numbers", id="three"),
        pytest.param(
            {"direction": "maximize", "desirability": (0, 1), "weight": 0.0}, "weight must be", id="no weight"
        ),
        pytest.param(
            {"direction": "at_most", "limit": 1.0, "desirability": (0, 1)}, "takes no desirability", id="limit"
        ),
        pytest.param(
            {"direction": "target", "target": 3.0, "desirability": (0, 2)}, "must lie between them", id="outside"
        ),
    ],
)
def test_bad_objectives_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(BadOption, match=message):
        Objective("y", **arguments)


def test_merit_is_what_is_lacking() -> None:
    values = np.array([1.0, 4.0, 4.9, 5.0, 7.0])
    assert Objective("y", "target", target=5.0, tolerance=0.2).merit(values) == pytest.approx([-3.8, -0.8, 0, 0, -1.8])
    assert Objective("y", "window", low=4.0, high=5.0).merit(values) == pytest.approx([-3, 0, 0, 0, -2])
    assert Objective("y", "minimize").merit(values) == pytest.approx(-values)


def test_among_hits_the_middle_ranks_highest() -> None:
    window = Objective("y", "window", low=4.0, high=6.0)
    assert sorted([3.0, 4.1, 5.1, 7.5], key=window.rank) == [7.5, 3.0, 4.1, 5.1]


def test_limits_include_their_ends() -> None:
    most, least = Objective("y", "at_most", limit=1.0), Objective("y", "at_least", limit=1.0)
    assert [most.keeps(0.9), most.keeps(1.0), most.keeps(1.1)] == [True, True, False]
    assert [least.keeps(0.9), least.keeps(1.0), least.keeps(1.1)] == [False, True, True]
    assert Objective("y", "maximize").keeps(-1e9)


@pytest.mark.parametrize(
    ("objective", "text"),
    [
        (Objective("y", "target", target=5.0, tolerance=0.1), "y at 5 +- 0.1"),
        (Objective("y", "window", low=1.0, high=2.0), "y from 1 to 2"),
        (Objective("y", "at_most", limit=0.05), "y at most 0.05"),
        (Objective("y", "maximize"), "maximize y"),
    ],
)
def test_it_says_what_it_wants(objective: Objective, text: str) -> None:
    assert str(objective) == text


def test_objectives_that_make_no_sense_together() -> None:
    limit, wish = Objective("i", "at_most", limit=1.0), Objective("u", "maximize", desirability=(0.0, 1.0))
    with pytest.raises(BadOption, match="nothing is to be optimised beside it"):
        check_together((limit,))
    with pytest.raises(BadOption, match="'v' has no desirability, and others have"):
        check_together((wish, Objective("v", "maximize"), limit))
    check_together((wish, limit))


def test_the_best_hits_and_keeps_to_limits() -> None:
    space = SearchSpace([Continuous("x", 0.0, 1.0)])
    planner = Planner(space, [Objective("y", "target", target=5.0), Objective("i", "at_most", limit=1.0)])
    assert planner.best() is None
    told = [(0.1, 5.0, 2.0), (0.2, 4.0, 0.5), (0.3, 7.0, 0.5)]
    planner.tell([Observation(parameters={"x": x}, values={"y": y, "i": i}) for x, y, i in told[:1]])
    assert planner.best() is None, "what exceeds the limit is not the best"
    planner.tell([Observation(parameters={"x": x}, values={"y": y, "i": i}) for x, y, i in told[1:]])
    planner.tell([Observation(parameters={"x": 0.4}, values={"y": 5.0})])
    best = planner.best()
    assert best is not None
    assert best.values["y"] == 4.0, "what was not measured may exceed the limit"


def test_the_best_of_desirabilities_is_the_best_of_all_together() -> None:
    space = SearchSpace([Continuous("x", 0.0, 1.0)])
    wishes = [Objective(name, "maximize", desirability=(0.0, 1.0)) for name in ("u", "v")]
    planner = Planner(space, wishes)
    for x, u, v in ((0.1, 1.0, 0.0), (0.2, 0.5, 0.5), (0.3, 0.1, 0.9)):
        planner.tell([Observation(parameters={"x": x}, values={"u": u, "v": v})])
    whole, part = planner.best(), planner.best("u")
    assert whole is not None
    assert part is not None
    assert (whole.parameters["x"], part.parameters["x"]) == (0.2, 0.1)
