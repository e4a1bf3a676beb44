"""What people say to a planner while it works."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner import (
    BadOption,
    Categorical,
    Continuous,
    EmptySearchSpace,
    Integer,
    Objective,
    Observation,
    Planner,
    SearchSpace,
    SpaceError,
)
from planner.area import read_area
from planner.people import BETA, Hints, Likely

Y = [Objective("y", "maximize")]
HOT = {"box": {"x": [0.6, 1.0], "word": ["u"]}}


def space(**kwargs) -> SearchSpace:
    axes = [Continuous("x", 0.0, 1.0), Continuous("t", 1.0, 100.0, scale="log"), Categorical("word", ["u", "v", "w"])]
    return SearchSpace(axes, **kwargs)


def told(planner: Planner, n: int, batch: int = 1) -> Planner:
    for _ in range(n):
        for one in planner.ask(batch):
            value = -((float(one.parameters["x"]) - 0.8) ** 2) + (one.parameters["word"] == "u")
            planner.tell([Observation(parameters=one.parameters, values={"y": value}, proposal_id=one.id)])
    return planner


@pytest.mark.parametrize(
    ("area", "inside", "outside"),
    [
        (HOT, {"x": 0.6, "t": 5, "word": "u"}, {"x": 0.6, "t": 5, "word": "v"}),
        ({"near": {"x": 0.5, "t": 10}, "within": {"x": 0.1, "t": 5}}, (0.55, 12), (0.59, 14)),
        ({"where": "x * t >= 20"}, (0.5, 40), (0.5, 39.9)),
        ({"where": "0.2 <= x <= 0.4"}, (0.4, 9), (0.41, 9)),
    ],
)
def test_areas_hold_what_they_say(area, inside, outside) -> None:
    whole = space()
    points = [one if isinstance(one, dict) else {"x": one[0], "t": one[1], "word": "w"} for one in (inside, outside)]
    near, far = read_area(whole, area).beyond(whole.rows(points))
    assert near == 0.0
    assert far > 0.0


@pytest.mark.parametrize(
    ("area", "says"),
    [
        ("x <= 3", "an area is"),
        ({"box": {"x": [0, 1]}, "where": "x <= 1"}, "an area is"),
        ({"box": {"x": [0, 1]}, "wher": "x <= 1"}, "no 'wher'"),
        ({"box": {"z": [0, 1]}}, "'z', which is no parameter"),
        ({"box": {"x": [1, 0]}}, r"takes \[low, high\]"),
        ({"box": {"x": 1}}, r"takes \[low, high\]"),
        ({"box": {"word": ["q"]}}, "'q' is none of its values"),
        ({"box": {}}, "maps parameters to values"),
        ({"near": {"x": 1}}, "within maps"),
        ({"near": {"x": 1}, "within": {"t": 1}}, "the same parameters"),
        ({"near": {"word": "u"}, "within": {"word": 1}}, "give a box"),
        ({"near": {"x": 1}, "within": {"x": 0}}, "above 0"),
        ({"where": "x == 0.5"}, "give a band"),
        ({"where": "word >= 1"}, "give a box"),
        ({"where": "x >= "}, "expected a number"),
    ],
)
def test_areas_that_make_no_sense_are_refused(area, says: str) -> None:
    with pytest.raises(SpaceError, match=says):
        Planner(space(), Y).forbid("a", area)


def test_a_suggested_point_comes_next_once() -> None:
    planner = told(Planner(space(), Y, seed=1), 8)
    wish, other = {"x": 0.123, "t": 3.0, "word": "v"}, {"x": 0.5, "t": 3.0, "word": "v"}
    planner.suggest(wish)
    planner.suggest(wish)
    planner.suggest(other)
    first, second, third = planner.ask(3)
    assert (first.parameters, second.parameters) == (wish, other)
    assert first.reason == "suggested by a person"
    assert first.predictions["y"].sd > 0
    assert third.parameters not in (wish, other)
    assert planner.said.suggested == ()


def test_a_suggestion_beside_what_a_batch_shares_decides_it() -> None:
    planner = told(Planner(space(shared=["word"]), Y, seed=1), 3, batch=3)
    planner.suggest({"x": 0.123, "t": 3.0, "word": "w"})
    batch = planner.ask(3)
    assert batch[0].reason == "suggested by a person"
    assert {one.parameters["word"] for one in batch} == {"w"}


def test_what_may_not_be_tried_cannot_be_suggested() -> None:
    planner = Planner(space(constraints=["x <= 0.9"]), Y)
    with pytest.raises(SpaceError, match="cannot be suggested"):
        planner.suggest({"x": 0.95, "t": 3.0, "word": "v"})
    planner.forbid("hot", HOT)
    with pytest.raises(SpaceError, match="forbidden; allow that first"):
        planner.suggest({"x": 0.7, "t": 3.0, "word": "u"})


POLICIES = ("auto", "random", "sobol", "grid")


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(POLICIES),
    st.floats(0.0, 0.8),
    st.lists(st.sampled_from(["u", "v", "w"]), min_size=1, max_size=2, unique=True),
    st.integers(0, 99),
)
def test_nothing_is_proposed_where_it_is_forbidden(policy: str, low: float, words: list[str], seed: int) -> None:
    planner = told(Planner(space(constraints=["x + 0.01*t <= 1.5"]), Y, seed=seed, policy=policy), 3)
    planner.forbid("box", {"box": {"x": [low, 1.0], "word": words}})
    planner.forbid("curve", {"where": "x * t >= 30"})
    start = len(planner.observations)
    told(planner, 4, batch=2)
    for one in planner.observations[start:]:
        point = one.parameters
        assert not (float(point["x"]) >= low and point["word"] in words)
        assert float(point["x"]) * float(point["t"]) < 30
        assert planner.space.violations(point) == []


def test_an_area_is_allowed_again() -> None:
    planner = Planner(space(), Y, seed=5)
    planner.forbid("half", {"box": {"x": [0.5, 1.0]}})
    assert max(float(one.parameters["x"]) for one in planner.ask(12)) < 0.5
    planner.allow("half")
    assert max(float(one.parameters["x"]) for one in planner.ask(12)) > 0.5
    with pytest.raises(BadOption, match="no area 'half' is forbidden"):
        planner.allow("half")


def test_forbidding_everything_is_refused_and_changes_nothing() -> None:
    planner = Planner(space(), Y)
    with pytest.raises(EmptySearchSpace, match="forbid less"):
        planner.forbid("all", {"box": {"x": [0.0, 1.0]}})
    assert planner.said.forbidden == {}
    assert len(planner.ask(3)) == 3


def test_of_a_pool_the_rest_is_proposed_and_no_more() -> None:
    rows = [{"x": i / 10, "t": 2.0, "word": "u"} for i in range(10)]
    planner = Planner(space(candidates=rows), Y, policy="auto")
    planner.forbid("hot", {"box": {"x": [0.45, 1.0]}})
    assert sorted(float(one.parameters["x"]) for one in planner.ask(10)) == [0.0, 0.1, 0.2, 0.3, 0.4]


def test_of_a_mixture_the_rest_is_proposed_and_its_sum_holds() -> None:
    parts = SearchSpace([Continuous(name, 0.0, 1.0) for name in "abc"], ["a + b + c == 1"])
    planner = Planner(parts, Y, seed=2)
    planner.forbid("rich", {"where": "a >= 0.3"})
    planner.forbid("near", {"near": {"b": 0.5, "c": 0.4}, "within": {"b": 0.2, "c": 0.2}})
    for _ in range(14):
        (one,) = planner.ask(1)
        point = {name: float(value) for name, value in one.parameters.items()}
        assert parts.violations(point) == []
        assert point["a"] < 0.3
        assert ((point["b"] - 0.5) / 0.2) ** 2 + ((point["c"] - 0.4) / 0.2) ** 2 > 1
        told_y = {"y": -((point["a"] - 0.4) ** 2) - (point["b"] - 0.45) ** 2}
        planner.tell([Observation(parameters=point, values=told_y, proposal_id=one.id)])


def test_policies_with_a_list_of_their_own_keep_to_it_too() -> None:
    axes = [Continuous(name, 0.0, 1.0, step=0.25) for name in "abc"]
    planner = Planner(SearchSpace(axes, ["a + b + c == 1"]), [Objective("p", "classify")], policy="cameo")
    planner.forbid("corner", {"where": "a >= 0.5"})
    assert all(float(one.parameters["a"]) < 0.5 for one in planner.ask(6))


def test_a_box_forbids_only_where_all_that_it_names_exists() -> None:
    axes = [Integer("steps", 1, 2), Continuous("second", 0.0, 1.0, when={"steps": [2]}), Continuous("x", 0.0, 1.0)]
    planner = Planner(SearchSpace(axes), Y)
    planner.forbid("b", {"box": {"second": [0.0, 0.6], "x": [0.0, 1.0]}})
    found = [one.parameters for one in planner.ask(12)]
    assert all(float(point.get("second", 1.0)) > 0.6 for point in found)
    assert any(point["steps"] == 1 for point in found)


def test_a_right_hint_leads_there_and_its_weight_fades() -> None:
    planner = Planner(space(), Y, seed=3)
    planner.hint("hot", HOT, confidence=0.9)
    first = told(planner, 8).observations
    inside = [one for one in first if float(one.parameters["x"]) >= 0.6 and one.parameters["word"] == "u"]
    assert len(inside) >= 3
    reason = planner.ask(1)[0].reason
    assert "of 'hot' (likely with 0.9: worth outside counts" in reason
    hints = Hints(space(), {"hot": Likely(area=HOT, confidence=0.9)})
    rows = space().rows([{"x": 0.7, "t": 5.0, "word": "u"}, {"x": 0.1, "t": 5.0, "word": "w"}])
    weights = [hints.log_weight(rows, n) for n in (0, 10, 100)]
    assert all(weight[0] == 0.0 for weight in weights)
    share = 0.4 / 3
    contrast = np.log(0.9 / share) - np.log(0.1 / (1 - share))
    for n, weight in zip((BETA, 10, 100), weights, strict=True):
        assert weight[1] == pytest.approx(-contrast * BETA / n, rel=0.05)


def test_a_hint_below_chance_turns_away() -> None:
    hints = Hints(space(), {"cold": Likely(area={"box": {"x": [0.0, 0.5]}}, confidence=0.05)})
    weight = hints.log_weight(space().rows([{"x": x, "t": 5.0, "word": "u"} for x in (0.2, 0.9)]), 0)
    assert weight[0] < -2.0
    assert weight[1] == pytest.approx(0.0, abs=1e-6)


def test_a_hint_can_be_taken_back_and_some_policies_take_none() -> None:
    planner = Planner(space(), Y)
    planner.hint("hot", HOT, confidence=0.9)
    planner.forget("hot")
    assert planner.ask(2) == Planner(space(), Y).ask(2)
    with pytest.raises(BadOption, match="marked as likely"):
        planner.forget("hot")
    with pytest.raises(BadOption, match="probability between 0 and 1"):
        planner.hint("hot", HOT, confidence=1.0)
    with pytest.raises(BadOption, match="cannot follow hints"):
        Planner(space(), Y, policy="random").hint("hot", HOT, confidence=0.5)
    with pytest.raises(BadOption, match="needs a name"):
        planner.hint("", HOT, confidence=0.5)


def test_what_was_said_is_saved_and_a_rebuilt_planner_proposes_the_same(tmp_path) -> None:
    planner = told(Planner(space(), Y, seed=7), 6)
    planner.hint("hot", {"near": {"x": 0.8}, "within": {"x": 0.1}}, confidence=0.7)
    planner.forbid("w", {"box": {"word": ["w"]}})
    planner.suggest({"x": 0.3, "t": 9.0, "word": "v"})
    told(planner, 1)
    planner.suggest({"x": 0.4, "t": 9.0, "word": "v"})
    planner.save(tmp_path / "planner.json")
    again = Planner.load(tmp_path / "planner.json")
    assert again.said == planner.said
    assert again.ask(3) == planner.ask(3)


def test_adopted_proposals_take_suggestions_off_the_list() -> None:
    planner, other = Planner(space(), Y, seed=7), Planner(space(), Y, seed=7)
    for one in (planner, other):
        one.suggest({"x": 0.3, "t": 9.0, "word": "v"})
    other.adopt(planner.ask(2))
    assert other.said == planner.said
    assert other.ask(2) == planner.ask(2)
