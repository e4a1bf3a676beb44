import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner import Continuous, Objective, Observation, Planner, SearchSpace
from planner.contradictions import Contradiction, contradictions
from planner.models import TargetModel, fit_target, target_data

SPACE = SearchSpace([Continuous("x", 0.0, 1.0)])


def found_in(observations: list[Observation]) -> list[Contradiction]:
    def model() -> TargetModel:
        return fit_target(target_data(SPACE, observations, "y"), "y")

    return contradictions(SPACE, observations, "y", model)


def seen(x: float, y: float, sd: float | None = None) -> Observation:
    return Observation(parameters={"x": x}, values={"y": y}, noise={} if sd is None else {"y": sd})


def smooth(sd: float, seed: int = 0) -> list[Observation]:
    rng = np.random.default_rng(seed)
    return [seen(float(x), float(np.sin(6.0 * x) + sd * rng.standard_normal())) for x in np.linspace(0.0, 1.0, 13)]


def test_told_noise_is_what_a_difference_is_held_against() -> None:
    assert found_in([seen(0.5, 1.0, 0.1), seen(0.5, 1.6, 0.1)]) == []
    (found,) = found_in([seen(0.5, 1.0, 0.1), seen(0.5, 3.0, 0.1), seen(0.2, 1.0, 0.1)])
    assert (found.low, found.high, found.parameters) == (1.0, 3.0, {"x": 0.5})
    assert found.deviations == pytest.approx(2.0 / np.hypot(0.1, 0.1))
    assert "y was 1 and 3 at x 0.5, 14 standard deviations of their noise apart; look for a mistake" in str(found)
    assert found_in([seen(0.5, 1.0, 0.0), seen(0.5, 1.1, 0.0)]) == []  # nobody measures without noise


def test_a_vague_result_hides_no_contradiction_of_sharp_ones() -> None:
    sharp = [seen(0.5, 1.0, 0.01), seen(0.5, 3.0, 0.01)]
    for vague in (seen(0.5, -10.0, 20.0), seen(0.5, 30.0, 20.0), seen(0.5, 5.0)):
        (found,) = found_in([*sharp, vague])
        assert (found.low, found.high) == (1.0, 3.0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1e-250, 1e12, 1e279])
def test_contradictions_are_the_same_in_any_unit(size: float) -> None:
    told = [*smooth(0.05), seen(0.25, 1.0), seen(0.25, -1.5), seen(0.75, -1.0), seen(0.75, -0.9)]
    other = [seen(one.parameters["x"], size * one.values["y"]) for one in told]
    (found,), (there,) = found_in(told), found_in(other)
    assert there.low == pytest.approx(size * found.low, rel=1e-9) and there.high == pytest.approx(size * found.high)
    assert there.deviations == pytest.approx(found.deviations, rel=1e-3)


@pytest.mark.parametrize("far", [9.9e37, 1e200])
def test_a_result_from_far_away_harms_nothing(far: float) -> None:
    told = [*smooth(0.05), seen(0.25, 1.0), seen(0.25, -9.0), seen(far, 0.3)]
    assert [one.parameters["x"] for one in found_in(told)] == [0.25]


def test_noise_that_is_not_told_is_learnt_without_the_recipe_in_question() -> None:
    told = smooth(0.05)
    assert found_in([*told, seen(0.5, 0.1), seen(0.5, 0.2)]) == []
    found = found_in([*told, seen(0.25, 1.0), seen(0.25, -1.5), seen(0.75, -1.0), seen(0.75, -0.9)])
    assert [one.parameters["x"] for one in found] == [0.25]
    assert found[0].deviations > 10


def test_where_other_recipes_scatter_as_much_nothing_is_said() -> None:
    rng = np.random.default_rng(3)
    told = [seen(x, float(rng.standard_normal())) for x in np.linspace(0.0, 1.0, 8) for _ in range(2)]
    assert found_in(told) == []


@pytest.mark.parametrize(
    "told",
    [
        [],
        [seen(0.5, 1.0)],
        [seen(0.5, 1.0), seen(0.5, 100.0)],
        [Observation(parameters={"x": 0.5}, failure="broke")] * 3,
        [seen(0.5, 2.0) for _ in range(9)],
        [seen(0.5, 1e12), seen(0.5, -1e12), *(seen(0.1 * k, 0.0) for k in range(10))][:3],
    ],
    ids=["nothing", "one", "only these", "failures", "all equal", "too few others"],
)
def test_too_little_to_tell_is_no_contradiction(told: list[Observation]) -> None:
    assert found_in(told) == []


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), sd=st.floats(0.01, 1.0), times=st.integers(2, 6))
def test_honest_noise_is_seldom_called_a_contradiction(seed: int, sd: float, times: int) -> None:
    rng = np.random.default_rng([seed, times])
    repeated = [seen(0.5, float(np.sin(3.0) + sd * np.clip(rng.standard_normal(), -2.5, 2.5))) for _ in range(times)]
    assert found_in([*smooth(sd, seed), *repeated]) == []


def test_the_default_planner_says_it_in_every_reason_and_in_its_diagnostics() -> None:
    planner = Planner(SPACE, [Objective("y", "maximize")], seed=0)
    planner.tell([*smooth(0.05), seen(0.25, 1.0)])
    assert "contradict" not in planner.ask(1)[0].reason
    assert "alarms" not in planner.diagnostics()
    planner.tell([seen(0.25, -1.5)])
    (alarm,) = planner.diagnostics()["alarms"]
    assert alarm.startswith("results of one recipe contradict each other: y was -1.5 and 1.0")
    assert all(alarm in one.reason for one in planner.ask(2))
