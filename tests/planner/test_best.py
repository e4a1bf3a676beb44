import numpy as np
import pytest

from planner import Continuous, Fidelity, Objective, Observation, Planner, SearchSpace

LINE = SearchSpace([Continuous("x", 0.0, 1.0)])


def told(planner: Planner, values: dict[float, dict[str, float]]) -> Planner:
    planner.tell([Observation(parameters={"x": x}, values=each) for x, each in values.items()])
    return planner


def test_what_is_recommended_is_what_is_expected_to_be_best_not_what_was_lucky() -> None:
    planner = Planner(LINE, [Objective("y", "maximize")])
    rng = np.random.default_rng(0)
    told(
        planner, {x: {"y": -4.0 * (x - 0.6) ** 2 + 0.1 * rng.standard_normal()} for x in np.linspace(0, 1, 21).tolist()}
    )
    planner.tell([Observation(parameters={"x": 0.15}, values={"y": 0.9}, noise={})])  # luck, among many that say no
    best, found = planner.best(), planner.recommended()
    assert best is not None and best.parameters == {"x": 0.15}
    assert found is not None and abs(float(found.parameters["x"]) - 0.6) < 0.15
    assert found.predictions["y"].mean < 0.5 and found.predictions["y"].sd > 0
    assert found.results == 1


def test_results_of_one_recipe_are_counted_together() -> None:
    planner = Planner(LINE, [Objective("y", "minimize")])
    told(planner, {0.0: {"y": 1.0}, 0.5: {"y": 0.0}, 1.0: {"y": 1.0}, 0.25: {"y": 0.3}})
    told(planner, {0.5: {"y": 0.1}})
    found = planner.recommended()
    assert found is not None and (found.parameters, found.results) == ({"x": 0.5}, 2)


def test_recipes_that_keep_to_limits_come_first() -> None:
    planner = Planner(LINE, [Objective("y", "maximize"), Objective("i", "at_most", limit=0.5)])
    told(planner, {x: {"y": x, "i": x} for x in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)})
    found = planner.recommended()
    assert found is not None and found.parameters == {"x": 0.4}


def test_of_several_objectives_desirability_is_what_counts() -> None:
    wishes = [Objective(name, "maximize", desirability=(0.0, 1.0)) for name in "yz"]
    planner = told(Planner(LINE, wishes), {x: {"y": x, "z": 1.0 - x} for x in (0.0, 0.25, 0.5, 0.75, 1.0)})
    found = planner.recommended()
    assert found is not None and found.parameters == {"x": 0.5}


def test_of_several_fidelities_only_what_counts_is_recommended() -> None:
    space = SearchSpace([Continuous("x", 0.0, 1.0), Fidelity("source", {"cheap": 0.1, "full": 1.0})])
    planner = Planner(space, [Objective("y", "maximize")])
    points = [(0.1, "cheap", 9.0), (0.5, "cheap", 8.0), (0.2, "full", 1.0), (0.6, "full", 2.0), (0.9, "full", 0.5)]
    planner.tell([Observation(parameters={"x": x, "source": s}, values={"y": y}) for x, s, y in points])
    found = planner.recommended()
    assert found is not None and found.parameters == {"x": 0.6, "source": "full"}


@pytest.mark.parametrize(
    ("objective", "observations"),
    [
        (Objective("y", "maximize"), []),
        (Objective("y", "maximize"), [Observation(parameters={"x": 0.5}, failure="broke")]),
        (Objective("y", "learn"), [Observation(parameters={"x": 0.5}, values={"y": 1.0})]),
    ],
    ids=["nothing yet", "failed", "a map"],
)
def test_where_there_is_nothing_to_recommend_it_is_none(objective: Objective, observations: list[Observation]) -> None:
    planner = Planner(LINE, [objective])
    planner.tell(observations)
    assert planner.recommended() is None
