import numpy as np
import pytest

from planner import Continuous, Objective, Observation, SearchSpace
from planner.policies.base import PlannerData
from planner.policies.guest import Answer, Guest, Known


class Listener(Guest):
    """Remembers what it is told."""

    name, title = "listener", "Listener"
    heard: Known

    def _recommend(self, data, known, n, seed):
        self.heard = known
        return [Answer(row=np.array([0.5]))]


def told(objectives: list[Objective], *values: dict[str, float], noise: dict[str, float] | None = None) -> Listener:
    space = SearchSpace([Continuous("x", 0.0, 1.0)])
    results = [
        Observation(parameters={"x": 0.1 * index}, values=one, noise=noise or {}) for index, one in enumerate(values)
    ]
    listener = Listener(space, objectives, "gp")
    data = PlannerData(space=space, objectives=tuple(objectives), observations=tuple(results))
    listener.propose(data, 1, np.random.default_rng(0))
    return listener


def test_distances_are_told_to_be_minimised_and_limits_come_last() -> None:
    goals = [Objective("i", "at_most", limit=0.5), Objective("y", "target", target=5.0, tolerance=1.0)]
    listener = told(goals, {"y": 2.0, "i": 0.1}, {"y": 5.5, "i": 0.9}, noise={"y": 0.2})
    assert listener.heard.values == pytest.approx(np.array([[2.0, 0.1], [0.0, 0.9]]))
    assert listener.heard.noise[:, 0] == pytest.approx([0.2, 0.2])
    assert [(one.name, one.direction) for one in listener._goals.wanted] == [("y", "minimize")]
    assert [one.name for one in listener._goals.limits] == ["i"]


def test_desirabilities_are_told_as_one_number() -> None:
    goals = [Objective(name, "maximize", desirability=(0.0, 1.0)) for name in "uv"]
    listener = told(goals, {"u": 0.25, "v": 1.0}, {"u": 0.5})
    assert listener.heard.values[0] == pytest.approx([0.5])
    assert np.isnan(listener.heard.values[1, 0]), "half a result has none"
    assert [one.direction for one in listener._goals.wanted] == ["maximize"]


def test_plain_goals_are_told_as_they_are() -> None:
    listener = told([Objective("u", "minimize"), Objective("v", "maximize")], {"u": 0.25, "v": 1.0})
    assert listener.heard.values == pytest.approx(np.array([[0.25, 1.0]]))
    assert [one.direction for one in listener._goals.wanted] == ["minimize", "maximize"]
