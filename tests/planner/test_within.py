from multiprocessing import Pipe

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner import (
    Categorical,
    Continuous,
    Integer,
    NothingWithin,
    Objective,
    Observation,
    Planner,
    SearchSpace,
    SpaceError,
    Within,
)

HOLD = Continuous("hold", 1.0, 8.0, unit="h")
SPACE = SearchSpace([HOLD, Continuous("temperature", 600.0, 900.0), Categorical("powder", ["fine", "coarse"])])
COARSE = {"powder": {"coarse": 2.0}}


def lasts(point):
    return 1.0 + point["hold"] + (2.0 if point["powder"] == "coarse" else 0.0)


def planner(policy="logei", space=SPACE, **options):
    return Planner(space, [Objective("yield", "maximize")], seed=3, policy=policy, options=options)


def through_a_pipe(value):
    near, far = Pipe()
    with near, far:
        near.send(value)
        return far.recv()


def told(planner, n=6, within=None):
    for proposal in planner.ask(n, within=within):
        values = {"yield": proposal.parameters["hold"]}  # the longer the better
        planner.tell([Observation(parameters=proposal.parameters, values=values, proposal_id=proposal.id)])
    return planner


@pytest.mark.parametrize("policy", ["logei", "random", "sobol", "uncertainty", "auto"])
def test_no_policy_proposes_what_takes_too_long(policy):
    asked = told(planner(policy))
    for proposal in asked.ask(4, within=Within(most=4.5, formula="1 + hold", words=COARSE, said="time bound it")):
        assert lasts(proposal.parameters) <= 4.5 + 1e-9
        assert proposal.reason.endswith("; time bound it")


def test_the_longest_that_fits_is_found_where_longer_is_better():
    asked = told(planner(), 8, Within(most=3.0, formula="1 + hold", words=COARSE))
    best = asked.ask(1, within=Within(most=4.5, formula="1 + hold", words=COARSE))[0]
    assert 3.0 < lasts(best.parameters) <= 4.5 + 1e-9


def test_nothing_of_it_is_remembered():
    restricted, free = told(planner()), told(planner())
    restricted.ask(1, within=Within(most=3.0, formula="1 + hold", words=COARSE))
    free.ask(1)
    kept = [one.parameters for one in restricted.ask(3)]
    assert any(lasts(one) > 3.0 for one in kept)


def test_equal_histories_give_equal_proposals():
    within = through_a_pipe(Within(most=3.5, formula="1 + hold", words=COARSE))
    first, second = told(planner()), told(planner())
    assert first.ask(3, within=within) == second.ask(3, within=within)


def test_nothing_fits():
    with pytest.raises(NothingWithin, match="no untried point takes at most 1.5: 0 proposals were told") as caught:
        planner().ask(1, within=Within(most=1.5, formula="1 + hold"))
    assert isinstance(through_a_pipe(caught.value), NothingWithin)


def test_only_these_points():
    points = tuple({"hold": float(hold), "temperature": 700.0, "powder": "fine"} for hold in (2, 3))
    asked = told(planner())
    found = asked.ask(4, within=Within(most=4.0, points=points))
    assert sorted(one.parameters["hold"] for one in found) == [2.0, 3.0]
    with pytest.raises(NothingWithin):
        asked.ask(1, within=Within(most=4.0, points=points))


def test_what_exists_under_conditions_counts_as_nothing_elsewhere():
    space = SearchSpace([Categorical("mill", ["yes", "no"]), Continuous("minutes", 5.0, 60.0, when={"mill": ["yes"]})])
    found = planner("random", space).ask(40, within=Within(most=20.0, formula="10 + minutes"))
    assert all(one.parameters.get("minutes", 0.0) <= 10.0 + 1e-9 for one in found)
    assert {one.parameters["mill"] for one in found} == {"yes", "no"}
    only = planner("random", space).ask(5, within=Within(most=12.0, formula="10 + minutes"))
    assert {one.parameters["mill"] for one in only} == {"no"}


def test_a_pool_and_a_policy_with_a_list_of_its_own():
    points = [{"hold": float(hold), "n": n} for hold in range(1, 6) for n in (1, 2)]
    space = SearchSpace([HOLD, Integer("n", 1, 2)], candidates=points)
    found = planner("random", space).ask(20, within=Within(most=3.0, formula="hold"))
    assert len(found) == 6 and all(one.parameters["hold"] <= 3.0 for one in found)


def test_what_people_want_waits_until_it_fits():
    asked = planner("random")
    asked.suggest({"hold": 8.0, "temperature": 700.0, "powder": "fine"})
    first = asked.ask(1, within=Within(most=4.0, formula="1 + hold", words=COARSE))[0]
    second = asked.ask(1)[0]
    assert first.parameters["hold"] < 8.0
    assert second.parameters["hold"] == 8.0 and second.reason == "suggested by a person"


def test_what_is_shared_fits_for_all():
    space = SearchSpace([HOLD, Continuous("dose", 0.0, 1.0)], shared=["hold"])
    found = planner("random", space).ask(4, within=Within(most=3.0, formula="hold + dose"))
    assert len({one.parameters["hold"] for one in found}) == 1
    assert all(one.parameters["hold"] + one.parameters["dose"] <= 3.0 + 1e-9 for one in found)


@pytest.mark.parametrize(
    ("within", "message"),
    [
        (Within(most=1.0, formula="1 + holt"), "no formula of the parameters that are numbers: .*holt"),
        (Within(most=1.0, formula="hold", words={"powdr": {}}), "'powdr' is no categorical parameter; did you mean"),
        (Within(most=1.0, formula="hold", words={"powder": {"fin": 1.0}}), "'fin' is no level of 'powder'"),
    ],
    ids=["formula", "parameter", "level"],
)
def test_mistakes(within, message):
    with pytest.raises(SpaceError, match=message):
        planner().ask(1, within=within)


@settings(max_examples=40, deadline=None)
@given(
    formula=st.sampled_from(["1 + hold", "hold*temperature/300", "max(hold, 3)", "9 - hold", "2 + 0*hold"]),
    most=st.floats(1.5, 12.0),
    extra=st.floats(0.0, 3.0),
    seed=st.integers(0, 99),
)
def test_every_draw_keeps_to_the_bound(formula, most, extra, seed):
    from planner.within import kept_rows

    within = Within(most=most, formula=formula, words={"powder": {"coarse": extra}})
    rows = SPACE.sample_rows(2000, np.random.default_rng(seed))
    try:
        part = SPACE.within(within)
    except SpaceError:
        assert not kept_rows(SPACE, within, rows).any()
        return
    assert kept_rows(SPACE, within, part.sample_rows(50, np.random.default_rng(seed))).all()
    assert part.region.feasible(rows).tolist() == kept_rows(SPACE, within, rows).tolist()
