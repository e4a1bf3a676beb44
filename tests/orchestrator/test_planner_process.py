"""A planner elsewhere: the same answers, and what happens when it hangs, dies or refuses."""

import os
import signal

import pytest

from orchestrator.knowledge import Knowledge
from orchestrator.planner_process import PlannerLost, PlannerProcess, _passable
from planner import Continuous, Integer, Objective, Observation, Planner, SearchSpace, SearchSpaceExhausted

SPACE = SearchSpace([Continuous("x", 0.0, 1.0), Integer("k", 0, 3)])
SMALL = SearchSpace([Integer("k", 0, 1)])
GOAL = [Objective("y", "maximize")]


@pytest.fixture
def elsewhere():
    made = []

    def make(space=SPACE, policy="sobol", deadline_s=20.0):
        made.append(PlannerProcess(space, GOAL, seed=3, policy=policy, options={}, deadline_s=deadline_s))
        return made[-1]

    yield make
    for planner in made:
        planner.close()
        assert planner.process.exitcode is not None


def told(planner):
    """Ask twice and tell in between; return what was proposed."""
    first = planner.ask(2)
    planner.tell([Observation(parameters=one.parameters, values={"y": 1.0}, proposal_id=one.id) for one in first])
    return [*first, *planner.ask(2)]


def test_it_answers_as_one_in_this_process_does(elsewhere):
    here = Planner(SPACE, GOAL, seed=3, policy="sobol")
    assert [p.parameters for p in told(elsewhere())] == [p.parameters for p in told(here)]


def test_what_the_planner_raises_is_raised_here_and_it_goes_on(elsewhere):
    planner = elsewhere(SMALL)
    assert len(planner.ask(2)) == 2
    with pytest.raises(SearchSpaceExhausted):
        planner.ask(1)
    assert planner.diagnostics(with_model=False)


def test_one_that_hangs_is_ended_at_its_deadline(elsewhere):
    planner = elsewhere(deadline_s=1.0)
    os.kill(planner.process.pid, signal.SIGSTOP)
    with pytest.raises(PlannerLost, match="ask took longer than 1 s"):
        planner.ask(1)
    assert planner.process.exitcode == -signal.SIGKILL
    with pytest.raises(PlannerLost, match="no more"):
        planner.ask(1)


def test_one_that_dies_says_with_what(elsewhere):
    planner = elsewhere()
    planner.process.kill()
    planner.process.join()
    with pytest.raises(PlannerLost, match="exit code -9|no more"):
        planner.ask(1)


def test_a_campaign_goes_on_without_the_planner_and_tells_the_next_one_everything():
    knowledge = Knowledge(space=SPACE, objectives=GOAL, seed=3, policy="auto", options={}, deadline_s=60.0)
    try:
        first = knowledge.ask(2)
        assert first.fallback_reason == ""
        knowledge.planner.process.kill()
        second = knowledge.ask(2)
        assert second.policy == "random" and "PlannerLost" in second.fallback_reason
        third = knowledge.ask(1)
        assert third.fallback_reason == "" and third.policy == "auto"
        assert knowledge.planner.diagnostics(with_model=False)["pending"] == 5
    finally:
        knowledge.close()
    with pytest.raises(PlannerLost, match="the campaign has ended"):
        knowledge.ask(1)


class Unpassable(Exception):
    def __init__(self, *, why):
        super().__init__(why)


def test_an_error_that_cannot_be_made_anew_elsewhere_is_told_by_its_words():
    found = _passable(Unpassable(why="no reason"))
    assert type(found) is RuntimeError and str(found) == "Unpassable: no reason"
    assert _passable(error := ValueError("plain")) is error
