import numpy as np
import pytest

from planner import Categorical, Continuous, Objective, Observation, Planner, Proposal, SearchSpace, UnknownProposal

SPACE = SearchSpace([Continuous("x", 0.0, 1.0), Continuous("idle", 0.0, 1.0), Categorical("word", ["u", "v"])])


def value(point) -> float:
    return -((float(point["x"]) - 0.6) ** 2) + 0.05 * (point["word"] == "u")


def told(n: int, direction="maximize", policy="auto") -> Planner:
    planner = Planner(SPACE, [Objective("y", direction)], seed=2, policy=policy)
    for _ in range(n):
        one = planner.ask(1)[0]
        planner.tell([Observation(parameters=one.parameters, values={"y": value(one.parameters)}, proposal_id=one.id)])
    return planner


def test_an_explanation_says_what_is_expected_what_matters_and_what_is_near() -> None:
    planner = told(14)
    proposal = planner.ask(1)[0]
    why = planner.explain(proposal)
    assert why.predictions["y"].mean == pytest.approx(proposal.predictions["y"].mean)
    assert why.gains["y"] >= 0.0
    shares = why.matters["y"]
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["x"] > 0.7 > 0.1 > shares["idle"]
    distances = [one.distance for one in why.nearest]
    assert distances == sorted(distances)
    codes = SPACE.encode([one.parameters for one in planner.observations])
    far = np.sqrt(np.mean((codes - SPACE.encode([proposal.parameters])) ** 2, axis=1))
    assert distances[0] == pytest.approx(far.min())
    text = str(why)
    assert all(
        word in text for word in ("proposed:", "expected improvement", "what matters to y: x", "known at distance")
    )


def test_what_would_change_its_mind_is_true() -> None:
    planner = told(10)
    turn = planner.explain(planner.ask(1)[0]).turn
    assert turn is not None
    other = Planner(SPACE, [Objective("y", "maximize")], seed=2)
    for one in planner.observations:
        is_turned = one.parameters == turn.at
        changed = {"y": turn.instead if is_turned else one.values["y"]}
        ahead = [p for p in planner._ledger.finished.values() if p.id == one.proposal_id]
        other.adopt(ahead)
        other.tell([Observation(parameters=one.parameters, values=changed, proposal_id=one.proposal_id)])
    assert other.ask(1)[0].parameters == turn.leads_to


def test_its_mind_is_not_changed_to_what_was_proposed() -> None:
    planner = told(10)
    for proposal in planner.ask(4):
        turn = planner.explain(proposal).turn
        assert turn is not None
        apart = SPACE.encode([proposal.parameters, turn.leads_to])
        assert np.sqrt(np.mean((apart[0] - apart[1]) ** 2)) > 0.1


def test_explaining_changes_nothing() -> None:
    planner, twin = told(8), told(8)
    first = planner.ask(1)
    planner.explain(first[0])
    assert twin.ask(1) == first
    assert planner.ask(2) == twin.ask(2)


def test_before_anything_was_measured_there_is_little_to_say() -> None:
    planner = told(0)
    why = planner.explain(planner.ask(1)[0])
    assert (why.predictions, why.nearest, why.turn) == ({}, (), None)
    assert "fills the space" in str(why)


@pytest.mark.parametrize(("direction", "policy"), [("learn", "auto"), ("maximize", "random"), ("minimize", "sobol")])
def test_every_policy_is_explained(direction, policy: str) -> None:
    planner = told(6, direction, policy)
    why = planner.explain(planner.ask(1)[0])
    assert ("y" in why.gains) == (direction != "learn")
    if policy != "auto":
        assert why.turn is None  # no result leads these elsewhere


def test_what_was_never_given_out_is_refused() -> None:
    with pytest.raises(UnknownProposal):
        told(1).explain(Proposal(id="9-9", parameters={"x": 0.1, "idle": 0.1, "word": "u"}))
