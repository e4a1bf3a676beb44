from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planner import (
    BadOption,
    Categorical,
    Continuous,
    Fidelity,
    Integer,
    Objective,
    Observation,
    Planner,
    Proposal,
    SearchSpace,
)

LEVELS = {"model": 0.05, "scan": 0.3, "lab": 1.0}
BOX = SearchSpace([Continuous("x", 0, 1), Continuous("y", 0, 1), Fidelity("source", LEVELS)])
MOST = [Objective("f", "maximize")]


def truth(point: Mapping[str, Any]) -> float:
    return float(-((point["x"] - 0.7) ** 2) * 8 - (point["y"] - 0.3) ** 2 * 4 + 0.4 * np.sin(9 * point["x"]))


def measured(point: Mapping[str, Any]) -> float:
    """Return what a level gives: the truth, or it upside down in another unit, with a trend."""
    value = truth(point)
    return {"lab": value, "scan": value + 0.1 * point["y"], "model": 50.0 - 20.0 * value + point["x"]}[point["source"]]


def tell(planner: Planner, proposals: list[Proposal]) -> None:
    for one in proposals:
        planner.tell(
            [Observation(parameters=one.parameters, values={"f": measured(one.parameters)}, proposal_id=one.id)]
        )


def led(planner: Planner, asks: int) -> list[Proposal]:
    found = []
    for _ in range(asks):
        proposals = planner.ask(1)
        tell(planner, proposals)
        found += proposals
    return found


def test_begins_with_cheap_points_and_pairs_them_with_full_ones() -> None:
    planner = Planner(BOX, MOST, seed=1)
    proposals = led(planner, 17)
    sources = [one.parameters["source"] for one in proposals]
    assert sources[:10] == ["model"] * 10
    assert sources[10:13] == ["scan"] * 3
    assert sources[13:15] == ["lab"] * 2
    scanned = [(one.parameters["x"], one.parameters["y"]) for one in proposals[10:13]]
    assert all((one.parameters["x"], one.parameters["y"]) in scanned for one in proposals[13:15])


def test_finds_the_optimum_for_less_than_without() -> None:
    def cost(planner: Planner) -> float:
        spent = 0.0
        while spent < 15.0:
            (one,) = planner.ask(1)
            point = {"source": "lab", **one.parameters}
            spent += LEVELS[str(point["source"])]
            if point["source"] == "lab" and truth(point) > 0.2:
                return spent
            planner.tell([Observation(parameters=one.parameters, values={"f": measured(point)}, proposal_id=one.id)])
        return spent

    alone = SearchSpace(BOX.parameters[:2])
    helped = sum(cost(Planner(BOX, MOST, seed=seed)) for seed in range(3))
    assert helped < 0.9 * sum(cost(Planner(alone, MOST, seed=seed)) for seed in range(3))


def test_without_looks_only_the_target_is_tried() -> None:
    proposals = led(Planner(BOX, MOST, seed=0, options={"target_only": True}), 14)
    assert {one.parameters["source"] for one in proposals} == {"lab"}
    assert "at source 'lab': it alone is tried, as option 'target_only' says" in proposals[-1].reason
    with pytest.raises(BadOption, match="'target_only' of policy 'fidelities' is true or false, not 1"):
        Planner(BOX, MOST, options={"target_only": 1})


def test_the_reason_says_why_at_this_level() -> None:
    proposals = led(Planner(BOX, MOST, seed=2), 24)
    looks = [one.reason for one in proposals if "first, which tells" in one.reason]
    assert looks and all("of the cost" in reason for reason in looks)
    assert any(one.parameters["source"] == "lab" and "at source 'lab'" in one.reason for one in proposals)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(["ask", "ask three", "fail", "lose", "old"]), min_size=4, max_size=14), st.integers(0, 9)
)
def test_whatever_happens_levels_are_known_and_the_best_is_one_that_counts(steps: list[str], seed: int) -> None:
    planner = Planner(BOX, MOST, seed=seed, options={"start": 2})
    seen: set[tuple] = set()
    for step in steps:
        proposals = planner.ask(3 if step == "ask three" else 1)
        for one in proposals:
            assert BOX.violations(one.parameters) == []
            assert tuple(one.parameters.values()) not in seen
            seen.add(tuple(one.parameters.values()))
        if step == "fail":
            planner.tell(
                [Observation(parameters=proposals[0].parameters, failure="broke", proposal_id=proposals[0].id)]
            )
        elif step == "lose":
            planner.discard(proposals[0].id)
            seen.discard(tuple(proposals[0].parameters.values()))
        elif step != "old":  # what is old stays pending
            tell(planner, proposals)
        best = planner.best()
        full = [one for one in planner.observations if one.parameters["source"] == "lab" and one.values]
        assert (best is None) == (not full)
        assert best is None or best.values["f"] == max(one.values["f"] for one in full)


@pytest.mark.parametrize("asks", [5, 14, 20])
def test_a_planner_that_was_saved_proposes_the_same(asks: int, tmp_path: Path) -> None:
    planner = Planner(BOX, MOST, seed=3)
    led(planner, asks)
    planner.ask(1)  # stays pending
    planner.save(tmp_path / "planner.json")
    assert Planner.load(tmp_path / "planner.json").ask(2) == planner.ask(2)


def test_a_planner_that_is_rebuilt_proposes_the_same() -> None:
    planner, other = Planner(BOX, MOST, seed=4), Planner(BOX, MOST, seed=4)
    for one in led(planner, 18):
        other.adopt([one])
        tell(other, [one])
    assert other.ask(1) == planner.ask(1)


def test_a_batch_has_different_points_some_of_them_pending() -> None:
    planner = Planner(BOX, MOST, seed=5)
    led(planner, 18)
    first, second = planner.ask(4), planner.ask(4)
    points = {tuple(one.parameters.items()) for one in (*first, *second)}
    assert len(points) == 8


def test_failures_at_a_cheap_level_do_not_forbid_the_full_trial() -> None:
    planner = Planner(BOX, MOST, seed=6)
    for _ in range(26):
        (one,) = planner.ask(1)
        if one.parameters["source"] == "model" and one.parameters["x"] > 0.55:
            planner.tell([Observation(parameters=one.parameters, failure="diverged", proposal_id=one.id)])
        else:
            tell(planner, [one])
    best = planner.best()
    assert best is not None and best.parameters["x"] > 0.55, "the optimum lies where the model fails"


def test_mixed_spaces_conditions_constraints_and_limits_hold() -> None:
    space = SearchSpace(
        [
            Continuous("x", 0, 1),
            Integer("n", 1, 4),
            Categorical("word", ["a", "b"]),
            Continuous("hold", 0, 1, when={"source": ["lab"]}),
            Fidelity("source", {"model": 0.05, "lab": 1.0}),
        ],
        ["x + 0.1*n <= 1.1"],
    )
    goals = [Objective("f", "maximize"), Objective("g", "at_most", limit=0.8)]
    planner = Planner(space, goals, seed=7, options={"start": 4})
    for _ in range(24):
        (one,) = planner.ask(1)
        point = one.parameters
        assert space.violations(point) == []
        assert ("hold" in point) == (point["source"] == "lab")
        value = point["x"] * point["n"] - (point["word"] == "b") - abs(point.get("hold", 0.5) - 0.5)
        values = {"f": value if point["source"] == "lab" else 3 - value, "g": point["x"]}
        planner.tell([Observation(parameters=point, values=values, proposal_id=one.id)])
    best = planner.best()
    assert best is not None and best.values["g"] <= 0.8 and best.parameters["source"] == "lab"


def test_a_pool_is_kept_to() -> None:
    points = [
        {"x": x / 10, "y": y / 10, "source": source}
        for x in range(11)
        for y in range(11)
        for source in ("model", "lab")
        if source == "lab" or x % 2 == 0
    ]
    space = SearchSpace(
        [Continuous("x", 0, 1), Continuous("y", 0, 1), Fidelity("source", {"model": 0.05, "lab": 1.0})],
        candidates=points,
    )
    planner = Planner(space, MOST, seed=8)
    assert all(dict(one.parameters) in points for one in led(planner, 22))


def test_what_is_still_to_be_had_and_explanations_are_about_the_target() -> None:
    planner = Planner(BOX, MOST, seed=9)
    led(planner, 26)
    prospect = planner.prospect(by=0.0)
    assert 0.0 <= prospect.probability <= 1.0
    assert planner.prospect(by=5.0).probability < 0.05, "a model that reads 50 is no better result"
    explanation = planner.explain(planner.ask(1)[0])
    assert explanation.gains["f"] < 5.0
    assert explanation.matters["f"]["source"] == 0.0
    assert planner.diagnostics(with_model=True)["map_uncertainty"]["f"] < 5.0


def test_a_formula_of_the_cost_is_that_of_a_full_trial() -> None:
    planner = Planner(BOX, MOST, seed=10, options={"cost": "2 + x", "cost_budget": 40})
    tell(planner, planner.ask(8))
    led(planner, 12)
    reason = planner.ask(1)[0].reason
    assert "costs" in reason


@pytest.mark.parametrize(
    ("space", "goals", "said"),
    [
        (SearchSpace(BOX.parameters[:2]), MOST, "needs a parameter"),
        (BOX, [Objective("f", "learn")], "not to learn a map"),
    ],
)
def test_what_it_cannot_do_is_refused(space: SearchSpace, goals: list[Objective], said: str) -> None:
    with pytest.raises(BadOption, match=said):
        Planner(space, goals, policy="fidelities")
