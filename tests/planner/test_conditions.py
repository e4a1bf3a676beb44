"""Parameters that exist only under conditions: in the space, and in what planners propose."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner import (
    BadObservation,
    BadOption,
    Categorical,
    Continuous,
    EmptySearchSpace,
    Integer,
    LinearConstraint,
    Objective,
    Observation,
    Planner,
    SearchSpace,
    SpaceError,
)


def additives(**kwargs) -> SearchSpace:
    return SearchSpace(
        [
            Continuous("a", 0.0, 1.0),
            Categorical("additive", ["none", "A", "B"]),
            Continuous("amount", 0.0, 1.0, when={"additive": ["A", "B"]}),
            Integer("steps", 1, 3),
            Continuous("second", 300.0, 900.0, when={"steps": [2, 3]}),
            Continuous("third", 300.0, 900.0, step=100.0, when={"steps": [3], "additive": ["B"]}),
        ],
        **kwargs,
    )


@st.composite
def conditional_spaces(draw: st.DrawFn) -> SearchSpace:
    """Return a space with conditions on conditions, and constraints that leave every branch something."""
    parameters = [Categorical("word", ["p", "q", "r"]), Integer("count", 0, 3)]
    deciding = {"word": ["p", "q", "r"], "count": [0, 1, 2, 3]}
    for number in range(draw(st.integers(1, 4))):
        named = draw(st.lists(st.sampled_from(sorted(deciding)), min_size=1, max_size=2, unique=True))
        when = {
            one: draw(st.lists(st.sampled_from(deciding[one]), min_size=1, max_size=2, unique=True)) for one in named
        }
        name, kind = f"c{number}", draw(st.sampled_from(["real", "log", "grid", "integer", "word"]))
        if draw(st.booleans()) and number == 0:
            when = None
        if kind == "word":
            deciding[name] = ["x", "y"]
            parameters.append(Categorical(name, ["x", "y"], when=when))
        elif kind == "integer":
            deciding[name] = [0, 1, 2]
            parameters.append(Integer(name, 0, 2, when=when))
        elif kind == "log":
            parameters.append(Continuous(name, 0.01, 1.0, scale="log", when=when))
        else:
            parameters.append(Continuous(name, 0.0, 1.0, step=0.25 if kind == "grid" else None, when=when))
    numeric = [one.name for one in parameters if not isinstance(one, Categorical)]
    constraints = []
    for _ in range(draw(st.integers(0, 2))):
        names = draw(st.lists(st.sampled_from(numeric), min_size=1, max_size=3, unique=True))
        weights = {one: float(draw(st.sampled_from([1.0, 2.0, -1.0]))) for one in names}
        # all at their least values are admissible in every branch
        least = sum(max(w * p.bounds[0] for p in parameters if p.name == one) for one, w in weights.items())
        constraints.append(LinearConstraint(coefficients=weights, relation="<=", bound=max(least, 0.0) + 0.6))
    if "c0" in numeric and draw(st.booleans()):
        constraints.append("c0 * (count + 1) <= 1.5")
    order = draw(st.permutations(range(len(parameters))))
    return SearchSpace([parameters[i] for i in order], constraints)


@settings(max_examples=60, deadline=None)
@given(conditional_spaces(), st.integers(0, 2**32))
def test_whatever_is_drawn_stepped_or_snapped_is_admissible(space: SearchSpace, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = space.sample_rows(40, rng)
    for points in (space.points(rows), space.sobol(16, seed=seed % 7), space.sample(8, rng, sparse=True)):
        assert [problem for point in points for problem in space.violations(point)] == []
    stepped = space.neighbourhood.step(rows, rng, reach=0.2)
    assert [problem for point in space.points(stepped) for problem in space.violations(point)] == []
    assert space.region.feasible(stepped).all()
    assert space.keys(space.rows(space.points(rows))) == space.keys(rows)
    everything = {p.name: p.value(rng.choice(p.grid) if p.grid is not None else p.high) for p in space.parameters}
    assert space.violations(space.snap(everything)) == []
    if space.size() is not None:
        listed = list(space.enumerate())
        assert len(listed) == space.size() == len(set(space.keys(space.rows(listed))))
        assert {json.dumps(p, sort_keys=True) for p in space.points(rows)} <= {
            json.dumps(p, sort_keys=True) for p in listed
        }


@settings(max_examples=15, deadline=None)
@given(conditional_spaces(), st.integers(0, 100))
def test_no_proposal_violates_anything_and_none_comes_twice(space: SearchSpace, seed: int) -> None:
    for policy in ("auto", "random", "grid", "sobol"):
        planner = Planner(space, [Objective("y", "maximize")], seed=seed, policy=policy)
        n, size = 9, space.size()
        for number in range(min(n, size or n)):
            proposal = planner.ask(1)[0]
            assert space.violations(proposal.parameters) == []
            value = float(sum(len(k) + (v if isinstance(v, float) else 0.0) for k, v in proposal.parameters.items()))
            told = {"values": {"y": value}} if number % 4 else {"failure": "spilt"}
            planner.tell([Observation(parameters=proposal.parameters, proposal_id=proposal.id, **told)])
        keys = space.keys(space.rows([one.parameters for one in planner.observations]))
        assert len(set(keys)) == len(keys)
        assert planner.diagnostics()["outside_space"] == 0


def test_points_hold_what_exists() -> None:
    space = additives()
    bare = {"a": 0.5, "additive": "none", "steps": 1}
    assert space.violations(bare) == []
    assert space.points(space.rows([bare])) == [bare]
    assert space.violations({**bare, "amount": 0.1}) == [
        "parameter 'amount' exists only where additive is A or B; leave it out"
    ]
    assert space.violations({**bare, "amount": None}) == []
    assert space.violations({**bare, "additive": "A"}) == ["parameter 'amount' is missing"]
    assert space.violations({**bare, "additive": "B", "amount": 2.0, "steps": 3, "second": 300.0, "third": 350.0}) == [
        "parameter 'amount': 2 lies outside 0 to 1",
        "parameter 'third': 350 is no level of its grid; next is 300",
    ]
    with pytest.raises(SpaceError, match="'amount' is missing"):
        space.rows([{**bare, "additive": "A"}])


def test_points_that_differ_in_what_does_not_exist_are_the_same() -> None:
    space = additives()
    bare = {"a": 0.5, "additive": "none", "steps": 1}
    rows = space.rows([bare, {**bare, "amount": 0.7}, {**bare, "second": 400.0, "third": None}])
    assert len(set(space.keys(rows))) == 1
    assert np.ptp(space.encode_rows(rows), axis=0).max() == 0.0


def test_codes_say_whether_a_parameter_exists_and_nothing_is_far_along_what_does_not() -> None:
    space = additives()
    bare, low = {"a": 0.5, "additive": "none", "steps": 1}, {"a": 0.5, "additive": "A", "steps": 1, "amount": 0.0}
    none, least, most = space.encode([bare, low, {**low, "amount": 1.0}])
    assert space.width == 1 + 3 + 1 + 1 + 1 + 1 + 3  # three conditions
    amount, indicator = 4, 8
    assert (none[amount], least[amount], most[amount]) == (0.5, 0.0, 1.0)
    assert (none[indicator], least[indicator], most[indicator]) == (0.0, 1.0, 1.0)
    assert space.points(space.rows(space.decode(np.array([none, most])))) == [bare, {**low, "amount": 1.0}]


def test_levels_of_what_decides_are_drawn_alike() -> None:
    space = additives()
    drawn = space.sample(6000, np.random.default_rng(0))
    share = sum(point["additive"] == "B" and point["steps"] == 3 for point in drawn) / len(drawn)
    assert abs(share - 1 / 9) < 0.015
    amounts = [point["amount"] for point in drawn if point["additive"] == "A"]
    assert abs(np.mean(amounts) - 0.5) < 0.03


def test_in_a_sum_what_does_not_exist_counts_as_nothing() -> None:
    space = additives(constraints=["a + amount == 1"])
    assert space.violations({"a": 1.0, "additive": "none", "steps": 1}) == []
    assert "the sum is 0.5" in space.violations({"a": 0.5, "additive": "none", "steps": 1})[0]
    assert space.violations({"a": 0.5, "additive": "A", "amount": 0.5, "steps": 1}) == []


def test_a_comparison_and_a_curve_ask_nothing_where_one_side_does_not_exist() -> None:
    space = additives(constraints=["second >= 500 + 200*a", "a * amount >= 0.2"])
    assert space.violations({"a": 0.0, "additive": "none", "steps": 1}) == []
    found = space.violations({"a": 1.0, "additive": "A", "amount": 0.1, "steps": 2, "second": 400.0})
    assert len(found) == 2


def test_a_space_without_a_point_says_where_and_why() -> None:
    space = additives(constraints=["a + amount >= 3"])
    assert "contradict" in (space.is_empty() or "") or "3" in (space.is_empty() or "")
    with pytest.raises(EmptySearchSpace, match="where additive is none"):
        Planner(space, [Objective("y", "maximize")])


def test_a_branch_without_a_point_is_never_proposed() -> None:
    space = additives(constraints=["a + amount >= 1.5"])
    assert all(point["additive"] != "none" for point in space.sample(200, np.random.default_rng(0)))
    assert space.snap({"a": 0.2, "additive": "none", "steps": 1})["additive"] != "none"


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ({"colour": ["red"]}, "when: no parameter 'colour'"),
        ({"real": [1.0]}, "'real' has no levels to choose by"),
        ({"word": ["z"]}, "'z' is none of its values"),
        ({"own": [1]}, "names itself"),
        ({"word": "x"}, "takes a list of values"),
        ({}, "maps other parameters"),
        ({"child": [1]}, "go round in a circle"),
    ],
)
def test_refuses_conditions_that_make_no_sense(when: dict, says: str) -> None:
    with pytest.raises(SpaceError, match=says):
        SearchSpace(
            [
                Categorical("word", ["x", "y"]),
                Continuous("real", 0.0, 1.0),
                Integer("own", 0, 3, when=when),
                Integer("child", 0, 3, when={"own": [1]}),
            ]
        )


def test_a_pool_takes_what_does_not_exist_as_absent_or_empty() -> None:
    rows = [{"a": 0.1, "additive": "none", "steps": 1}, {"a": 0.2, "additive": "A", "amount": 0.3, "steps": 1}]
    table = {
        "a": np.array([0.1, 0.2]),
        "additive": np.array(["none", "A"]),
        "amount": np.array([np.nan, 0.3]),
        "steps": np.array([1, 1]),
        "second": np.array([None, None], dtype=object),
        "third": np.array([np.nan, np.nan]),
    }
    for candidates in (rows, table):
        space = additives(candidates=candidates)
        assert list(space.enumerate()) == rows
        assert space.violations(rows[1]) == []
    with pytest.raises(SpaceError, match="'amount' is missing"):
        additives(candidates={**table, "amount": np.array([np.nan, np.nan])})


def test_what_may_not_exist_cannot_be_shared_but_what_decides_can() -> None:
    with pytest.raises(SpaceError, match="'amount' exists only under conditions"):
        additives(shared=["amount"])
    planner = Planner(additives(shared=["additive"]), [Objective("y", "maximize")], seed=2)
    batch = planner.ask(4)
    assert len({proposal.parameters["additive"] for proposal in batch}) == 1


def test_a_saved_planner_goes_on(tmp_path) -> None:
    planner = Planner(additives(constraints=["a + amount <= 1.2"]), [Objective("y", "maximize")], seed=4)
    for proposal in planner.ask(12):
        value = float(proposal.parameters.get("amount", 0.0)) + float(proposal.parameters["a"])
        planner.tell([Observation(parameters=proposal.parameters, values={"y": value}, proposal_id=proposal.id)])
    planner.save(tmp_path / "planner.json")
    assert Planner.load(tmp_path / "planner.json").ask(3) == planner.ask(3)


def test_the_optimum_inside_a_branch_is_found() -> None:
    space = additives()

    def truth(point) -> float:
        height = -((float(point["a"]) - 0.3) ** 2)
        return height + (1.0 - (float(point["amount"]) - 0.62) ** 2 if point["additive"] == "B" else 0.0)

    planner = Planner(space, [Objective("y", "maximize")], seed=1)
    for _ in range(26):
        proposal = planner.ask(1)[0]
        told = {"y": truth(proposal.parameters)}
        planner.tell([Observation(parameters=proposal.parameters, values=told, proposal_id=proposal.id)])
    best = planner.best()
    assert best is not None and best.values["y"] > 0.99


def test_observations_are_checked_for_what_exists() -> None:
    planner = Planner(additives(), [Objective("y", "maximize")])
    with pytest.raises(BadObservation, match="'amount' is missing"):
        planner.tell([Observation(parameters={"a": 0.1, "additive": "A", "steps": 1}, values={"y": 1.0})])
    planner.tell([Observation(parameters={"a": 0.1, "additive": "none", "amount": 3.0, "steps": 1}, values={"y": 1.0})])
    assert "exists only where" in planner.diagnostics()["outside_space_first"]


@pytest.mark.parametrize(("policy", "direction"), [("sara", "learn"), ("cameo", "classify"), ("reactions", "maximize")])
def test_policies_that_cannot_plan_under_conditions_say_so(policy: str, direction) -> None:
    with pytest.raises(BadOption, match="exist only under conditions"):
        Planner(additives(), [Objective("y", direction)], policy=policy)
