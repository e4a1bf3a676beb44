from orchestrator.knowledge import Knowledge
from orchestrator.records import TrialRecord
from planner import Integer, Objective, Observation, SearchSpace

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


def noisy_ends(replicates, *, elsewhere=False):
    """Return what knows the valley between two ends well, and the ends, which are the best, badly."""
    space = SearchSpace([Integer("k", 0, 12)])
    told = [(0, 1.0, 0.8), (10, 1.1, 0.8), *((k, 0.2 * (k - 5) ** 2 - 4.0, 0.01) for k in (1, 2, 3, 5, 6, 7, 8, 9))]
    known = [Observation(parameters={"k": k}, values={"y": y}, noise={"y": sd}) for k, y, sd in told]
    known += [Observation(parameters={"k": k}, values={"y": -9.0}, noise={"y": 0.01}) for k in (11, 12)]
    return Knowledge(
        space=space,
        objectives=[Objective("y", "maximize")],
        seed=0,
        policy="auto",
        options={"start": 1, "replicates": replicates},
        known=known,
        deadline_s=60.0 if elsewhere else None,
    )


def test_a_repeat_that_says_so_is_no_duplicate_here_or_in_another_process():
    for knowledge in (noisy_ends(3), noisy_ends(3, elsewhere=True)):
        try:
            answer = knowledge.ask(1)
            assert (answer.policy, answer.fallback_reason) == ("auto", "")
            (proposal,) = answer.proposals
            assert proposal.is_repeat and proposal.parameters["k"] in (0, 10)
            assert proposal.reason.startswith("again, as measurement 2 of this recipe")
            one = trial(1, proposal)
            assert knowledge.tell([one], findings(one)) == []
            assert knowledge.ask(2).fallback_reason == ""
        finally:
            knowledge.close()
    (new,) = noisy_ends(1).ask(1).proposals
    assert new.parameters == {"k": 4} and not new.is_repeat
