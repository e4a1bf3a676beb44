"""Short lists for results that have not come, and the best of them once they have."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner import BadSave, Continuous, Integer, Objective, Observation, Planner, SearchSpace, Within
from planner.policies.base import POLICIES
from planner.speculation import short_list
from surrogate.compute.plain import packed, unpacked

SPACE = SearchSpace([Continuous("x", 0.0, 1.0), Continuous("z", 0.0, 1.0)], ["x + z <= 1.5"])
GOAL = [Objective("y", "maximize")]


def value(point):
    return 1.0 - (point["x"] - 0.7) ** 2 - (point["z"] - 0.3) ** 2


def grown(n=12, policy="logei", objectives=GOAL, space=SPACE, **options):
    planner = Planner(space, objectives, seed=5, policy=policy, options=options)
    for _ in range(n):
        told(planner, planner.ask(1)[0])
    return planner


def told(planner, proposal, y=None):
    values = {"y": value(proposal.parameters) if y is None else y}
    planner.tell([Observation(parameters=proposal.parameters, values=values, proposal_id=proposal.id)])


def imagined(proposal, y):
    return [{"parameters": dict(proposal.parameters), "values": {"y": y}, "proposal_id": proposal.id}]


def listed(planner, proposal, y, n=5):
    return short_list(planner.document(), imagined(proposal, y), n)


def test_what_is_listed_first_is_what_the_planner_asks_for_where_the_result_is_as_imagined():
    planner = grown()
    under_way = planner.ask(1)[0]
    found = listed(planner, under_way, 0.9)
    told(planner, under_way, 0.9)
    assert len(found) == 5 and found == [dict(one.parameters) for one in planner.ask(5)]


def test_what_is_imagined_never_reaches_the_planner():
    planner = grown()
    under_way = planner.ask(1)[0]
    before = planner.document()
    listed(planner, under_way, 0.9)
    listed(planner, under_way, -3.0)
    assert planner.document() == before


def test_another_result_leads_elsewhere():
    planner = grown()
    under_way = planner.ask(1)[0]
    assert listed(planner, under_way, 3.0) != listed(planner, under_way, -3.0)


def test_the_document_passes_the_queue_unchanged():
    document = grown(3).document()
    assert unpacked(packed(document)) == json.loads(json.dumps(document)) == document


def test_the_same_job_twice_lists_the_same_whatever_came_between():
    planner, other = grown(), grown(6)
    under_way, elsewhere = planner.ask(1)[0], other.ask(1)[0]
    first = listed(planner, under_way, 0.5)
    listed(other, elsewhere, 0.1)
    assert listed(planner, under_way, 0.5) == first


def test_a_space_that_is_used_up_lists_nothing():
    planner = Planner(SearchSpace([Integer("k", 0, 1)]), GOAL, policy="random")
    first, second = planner.ask(2)
    told(planner, second, 0.0)
    assert short_list(planner.document(), imagined(first, 1.0), 5) == []


def test_what_is_no_planner_is_refused():
    with pytest.raises(BadSave, match="no saved planner"):
        short_list({"space": {}, "objectives": []}, [], 1)


@pytest.mark.parametrize(
    ("policy", "objectives"),
    [
        ("logei", GOAL),
        ("auto", GOAL),
        ("auto", [Objective("y", "learn")]),
        ("integrated_variance", [Objective("y", "learn")]),
        ("uncertainty", [Objective("y", "learn")]),
        ("mobile_chemist", GOAL),
        ("soft_constraints", GOAL),
        ("level_set", [Objective("y", "learn")]),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0].direction,
)
def test_the_best_of_a_list_is_chosen_by_the_model_that_knows_the_result(policy, objectives):
    planner = grown(12, policy, objectives, **({"level": 0.8} if policy == "level_set" else {}))
    assert planner.chooses_among()
    points = SPACE.points(SPACE.rows([{"x": 0.05, "z": 0.9}, {"x": 0.68, "z": 0.33}, {"x": 0.4, "z": 0.4}]))
    chosen = planner.ask(1, within=Within(most=0.0, points=points, said="of a list"))[0]
    assert dict(chosen.parameters) in points and chosen.reason.endswith("; of a list")
    if objectives == GOAL:
        assert dict(chosen.parameters) != points[0]


def test_a_map_is_learnt_of_the_whole_space_also_by_a_list():
    planner = grown(12, "integrated_variance", [Objective("y", "learn")])
    corner, middle = {"x": 0.001, "z": 0.999}, {"x": 0.45, "z": 0.5}
    one = planner.ask(1, within=Within(most=0.0, points=[corner, middle]))[0]
    # of two points alone, the corner is as much of the space as the middle is
    assert dict(one.parameters) == middle


@pytest.mark.parametrize("policy", [name for name in POLICIES if name in ("random", "sobol", "grid")])
def test_policies_that_score_nothing_do_not_choose_among_points(policy):
    assert not Planner(SearchSpace([Integer("k", 0, 9)]), GOAL, policy=policy).chooses_among()


@settings(max_examples=15, deadline=None)
@given(y=st.floats(-5.0, 5.0), seed=st.integers(0, 50), n=st.integers(1, 5))
def test_every_point_of_a_list_is_admissible_untried_and_there_once(y, seed, n):
    planner = Planner(SPACE, GOAL, seed=seed, policy="logei", options={"start": 4})
    for _ in range(5):
        told(planner, planner.ask(1)[0])
    under_way = planner.ask(1)[0]
    found = listed(planner, under_way, y, n)
    keys = SPACE.keys(SPACE.rows(found))
    assert len(set(keys)) == len(found) == n
    assert not any(SPACE.violations(point) for point in found)
    assert not set(keys) & set(SPACE.keys(SPACE.rows([one.parameters for one in (*planner.observations, under_way)])))
