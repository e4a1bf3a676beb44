"""What a campaign's planner foretells of its proposals, in its own process or another, and where it cannot."""

import pytest

from orchestrator.knowledge import Knowledge
from orchestrator.planner_process import PlannerLost
from orchestrator.records import TrialRecord
from planner import Continuous, Objective, Planner, SearchSpace

SPACE = SearchSpace([Continuous("x", 0.0, 1.0)])
POINTS = [{"x": n / 20.0} for n in range(21)]
SOURCE = {"name": "May", "points": POINTS, "values": [(one["x"] - 0.6) ** 2 for one in POINTS]}


def known(policy="transfer", deadline_s=None, direction="minimize"):
    options = {"sources": [SOURCE], "follow": True} if policy == "transfer" else {}
    return Knowledge(
        space=SPACE,
        objectives=[Objective("y", direction)],
        seed=3,
        policy=policy,
        options=options,
        deadline_s=deadline_s,
    )


def told(knowledge, answer, first=1):
    trials, findings = [], {}
    for number, proposal in enumerate(answer.proposals, start=first):
        parameters = dict(proposal.parameters)
        trials.append(
            TrialRecord(
                number=number,
                parameters=parameters,
                ask=0,
                is_control=False,
                proposal_id=proposal.id,
                outcome="measured",
            )
        )
        value = (parameters["x"] - 0.5) ** 2
        findings[number] = [{"parameters": parameters, "values": {"y": value}, "sd": {}}]
    assert knowledge.tell(trials, findings) == []


def test_each_proposal_is_foretold_by_every_model_that_can():
    knowledge = known()
    first = knowledge.ask(2)
    assert [set(one) for one in first.foretold.forecasts] == [{"transfer"}] * 2 and set(first.foretold.live) == {
        "transfer"
    }
    told(knowledge, first)
    second = knowledge.ask(3)
    assert [set(one) for one in second.foretold.forecasts] == [{"transfer", "cold"}] * 3
    assert all(sd > 0.0 for one in second.foretold.forecasts for targets in one.values() for _, sd in targets.values())
    assert second.foretold.live["cold"].told == 2


def test_a_planner_elsewhere_foretells_the_same():
    here, there = known(), known(deadline_s=300.0)
    try:
        for knowledge in (here, there):
            told(knowledge, knowledge.ask(3))
            knowledge.follow("cold")
        left, right = here.ask(2), there.ask(2)
        assert [one.parameters for one in left.proposals] == [one.parameters for one in right.proposals]
        assert left.foretold.forecasts == right.foretold.forecasts
        assert {name: one.data_sha256 for name, one in left.foretold.live.items()} == {
            name: one.data_sha256 for name, one in right.foretold.live.items()
        }
        assert here.replayed(2) == there.replayed(2) != {}
    finally:
        there.close()


@pytest.mark.parametrize("policy", ["random", "sobol", "grid"])
def test_policies_without_a_model_are_asked_nothing(policy):
    knowledge = known(policy)
    answer = knowledge.ask(2)
    assert (
        not answer.foretold.forecasts
        and answer.foretold.live == {}
        and knowledge.replayed(5) == {} == knowledge.live_models()
    )


def test_a_model_that_fails_costs_its_forecasts_and_not_the_ask(monkeypatch):
    def broken(*_):
        raise ArithmeticError("no factor")

    monkeypatch.setattr(Planner, "forecasts", broken)
    knowledge = known()
    answer = knowledge.ask(2)
    assert (
        len(answer.proposals) == 2
        and not answer.foretold.forecasts
        and answer.foretold.live == {}
        and not answer.fallback_reason
    )


def test_a_planner_that_is_lost_over_forecasts_is_there_again_for_the_next_ask(monkeypatch):
    def lost(*_):
        raise PlannerLost("forecasts took longer than 1 s; the planner's process was ended")

    quiet, knowledge = known(), known()
    told(quiet, quiet.ask(2))
    with monkeypatch.context() as patch:
        patch.setattr(Planner, "forecasts", lost)
        before = knowledge.planner
        answer = knowledge.ask(2)
    assert answer.foretold.live == {} and knowledge.planner is not before
    told(knowledge, answer)
    left, right = knowledge.ask(2), quiet.ask(2)
    assert [one.parameters for one in left.proposals] == [one.parameters for one in right.proposals]
    assert set(left.foretold.live) == {"transfer", "cold"}


def test_a_policy_with_one_model_has_nothing_to_replay_or_to_follow():
    knowledge = known("logei")
    told(knowledge, knowledge.ask(4))
    assert knowledge.replayed(4) == {}
    knowledge.follow("transfer")
    assert len(knowledge.ask(1).proposals) == 1
