import pytest

from orchestrator.hours.room import Limit
from orchestrator.proposed import BadProposal, Proposed, restricted
from planner import Integer, Observation, Proposal, SearchSpace
from planner.within import Within

SPACE = SearchSpace([Integer("k", 0, 9)])
UP_TO_FOUR = Limit(within=Within(most=4.0, points=(), said="time bound it"), fits=lambda point: point["k"] <= 4)


def proposal(name, k, **more):
    return Proposal(id=name, parameters={"k": k}, reason="", **more)


def observation(k, proposal_id=None):
    return Observation(parameters={"k": k}, values={"y": 1.0}, proposal_id=proposal_id)


@pytest.mark.parametrize(
    ("proposals", "limit", "match"),
    [
        ([proposal("a", 1), proposal("b", 2), proposal("c", 3)], None, "proposed 3 points when asked for 2"),
        ([proposal("a", 1), proposal("b", 1)], None, "{'k': 1} twice, and not as a repeat"),
        ([proposal("a", 7)], None, "{'k': 7} twice"),
        ([proposal("a", 12)], None, "what the space does not admit"),
        ([proposal("a", 5)], UP_TO_FOUR, "takes too long: {'k': 5}"),
    ],
    ids=["too-many", "twice-at-once", "once-more", "inadmissible", "too-long"],
)
def test_what_may_not_be_tried_is_refused(proposals, limit, match):
    proposed = Proposed(SPACE)
    proposed.take([proposal("before", 7)])
    with pytest.raises(BadProposal, match=match):
        proposed.refuse(proposals, 2, limit)


def test_repeats_that_say_so_and_points_given_up_may_be_tried_again():
    proposed = Proposed(SPACE)
    proposed.take([proposal("before", 7), proposal("lost", 3)])
    proposed.refuse([proposal("a", 7, is_repeat=True)], 1, None)
    proposed.give_up("lost")
    proposed.refuse([proposal("b", 3)], 1, UP_TO_FOUR)


def test_the_second_answer_to_a_proposal_is_a_replicate():
    proposed = Proposed(SPACE)
    proposed.take([proposal("a", 7)])
    first = proposed.addressed([observation(7, "a")])
    assert [one.proposal_id for one in first] == ["a"] and not proposed.is_settled("a")
    proposed.settle(first)
    assert proposed.is_settled("a")
    assert [one.proposal_id for one in proposed.addressed([observation(7, "a")])] == [None]


def test_what_answers_no_proposal_settles_one_that_is_pending_at_its_point():
    proposed = Proposed(SPACE)
    proposed.take([proposal("a", 7), proposal("b", 7, is_repeat=True), proposal("c", 2)])
    proposed.settle([observation(7)])
    assert [proposed.is_settled(name) for name in "abc"] == [True, False, False]
    proposed.settle([observation(7), observation(1)])
    assert [proposed.is_settled(name) for name in "abc"] == [True, True, False]


def test_points_that_do_not_fit_are_not_chosen_among():
    points = [{"k": 2}, {"k": 5}]
    assert restricted(None) == {}
    assert restricted(UP_TO_FOUR) == {"within": UP_TO_FOUR.within}
    within = restricted(UP_TO_FOUR, points)["within"]
    assert within.points == ({"k": 2},) and within.most == 4.0
    assert within.said == "the best of 1 point that were thought of ahead; time bound it"
    assert restricted(None, points)["within"].points == tuple(points)
