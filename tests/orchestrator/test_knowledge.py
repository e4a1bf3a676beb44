from orchestrator.knowledge import Knowledge
from orchestrator.records import TrialRecord
from planner import Integer, Objective, SearchSpace

SPACE = SearchSpace([Integer("k", 0, 3)])


def known():
    return Knowledge(space=SPACE, objectives=[Objective("y", "maximize")], seed=3, policy="random", options={})


def trial(number, proposal, *, is_again=False, outcome="measured"):
    proposal_id = None if is_again else proposal.id
    return TrialRecord(
        number=number,
        parameters=dict(proposal.parameters),
        ask=0,
        is_control=False,
        proposal_id=proposal_id,
        outcome=outcome,
    )


def findings(*trials):
    return {one.number: [{"parameters": one.parameters, "values": {"y": 1.0}, "sd": {}}] for one in trials}


def test_a_trial_made_again_may_answer_what_was_proposed_once_more_meanwhile():
    knowledge = known()
    proposal = knowledge.ask(1).proposals[0]
    again, itself = trial(1, proposal, is_again=True), trial(2, proposal)
    assert knowledge.tell([again, itself], findings(again, itself)) == []
    assert len(knowledge.planner.observations) == 2
    assert knowledge.planner.pending == ()


def test_a_proposal_that_a_trial_made_again_has_answered_is_not_given_back_where_its_own_trial_is_lost():
    knowledge = known()
    proposal, other = knowledge.ask(2).proposals
    again, itself = trial(1, proposal, is_again=True), trial(2, proposal, outcome="lost")
    assert knowledge.tell([again, itself], findings(again)) == []
    assert [one.id for one in knowledge.planner.pending] == [other.id]
