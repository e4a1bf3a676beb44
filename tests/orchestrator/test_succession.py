import pytest

from orchestrator.planner_process import PlannerProcess
from orchestrator.succession import Succession
from planner import Integer, Objective, Observation, Planner, SearchSpace
from planner.errors import BadOption

POINTS = [{"k": 1}, {"k": 4}]


def tell(planner):
    planner.tell([Observation(parameters=point, values={"y": 1.0}) for point in POINTS])


def succession(policy="sobol", **more):
    goal = [Objective("y", "maximize")]
    space = SearchSpace([Integer("k", 0, 9)])
    return Succession(space=space, objectives=goal, seed=3, policy=policy, options={}, deadline_s=None, **more)


def told(planner):
    return [one.parameters for one in planner.observations]


def test_the_first_planner_is_told_what_was_known_before():
    assert told(succession(story=[tell]).planner) == POINTS


def test_whatever_takes_over_is_told_the_whole_story():
    planners = succession()
    first = planners.planner
    planners.do(tell)
    assert planners.succeed()
    assert planners.planner is not first and told(planners.planner) == told(first) == POINTS
    assert told(planners.another("random", {})) == POINTS


def test_what_the_planner_refuses_is_no_part_of_the_story():
    planners = succession()
    with pytest.raises(KeyError):
        planners.do(lambda _planner: {}["nothing"])
    assert planners.story == []


def test_a_hint_that_another_policy_does_not_follow_is_left_out():
    planners = succession("logei")
    planners.do(lambda planner: planner.hint("low", {"box": {"k": [0, 3]}}, confidence=0.9))
    planners.do(tell)
    with pytest.raises(BadOption, match="cannot follow hints"):
        planners.story[0](planners.another("random", {}))
    assert told(planners.another("random", {})) == POINTS


def test_none_takes_over_after_the_end():
    planners = succession()
    last = planners.planner
    planners.close()
    assert not planners.succeed()
    planners.close()
    assert planners.planner is last


@pytest.mark.parametrize(("policy", "kind"), [("logei", PlannerProcess), ("random", Planner)])
def test_only_a_policy_with_a_model_works_in_a_process_of_its_own(policy, kind):
    goal, space = [Objective("y", "maximize")], SearchSpace([Integer("k", 0, 9)])
    planners = Succession(space=space, objectives=goal, seed=3, policy=policy, options={}, deadline_s=60.0)
    try:
        assert isinstance(planners.planner, kind)
    finally:
        planners.close()
    if isinstance(planners.planner, PlannerProcess):
        assert planners.planner.process.exitcode is not None
