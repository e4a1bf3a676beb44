"""What is asked for, what people say, and parameters that do not always exist, all in one planner."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from planner import Categorical, Continuous, Objective, Observation, Planner, SearchSpace
from planner.cost import Cost
from planner.people import NOTHING_SAID
from planner.policies.active_learning import Uncertainty
from planner.policies.base import PlannerData

SPACE = SearchSpace(
    [
        Continuous("x", 0.0, 1.0),
        Categorical("additive", ["none", "salt"]),
        Continuous("amount", 0.1, 1.0, when={"additive": ["salt"]}),
    ]
)
TARGET = Objective("y", "target", target=2.0, tolerance=0.05)
LIMIT = Objective("waste", "at_most", limit=0.8)
OPTIONS = {"start": 6, "cost": "1 + 3*amount"}


def measured(point) -> dict[str, float]:
    amount = float(point.get("amount", 0.0))
    return {"y": 3.0 * float(point["x"]) + amount, "waste": float(point["x"]) + 0.2 * amount}


def tell(planner: Planner, proposals) -> None:
    names = [objective.name for objective in planner.objectives]
    planner.tell(
        [
            Observation(
                parameters=one.parameters,
                values={name: value for name, value in measured(one.parameters).items() if name in names},
                proposal_id=one.id,
            )
            for one in proposals
        ]
    )


def planned(n: int, objectives=(TARGET, LIMIT), **how) -> Planner:
    planner = Planner(SPACE, list(objectives), seed=4, options=OPTIONS, **how)
    for _ in range(n):
        tell(planner, planner.ask(1))
    return planner


def test_a_target_under_a_limit_is_hit_where_parameters_depend_on_others() -> None:
    planner = planned(16)
    assert all(not SPACE.violations(one.parameters) for one in planner.observations)
    best = planner.best()
    assert best is not None
    assert abs(best.values["y"] - 2.0) <= 0.05
    assert best.values["waste"] <= 0.8
    reason = planner.ask(1)[0].reason
    assert all(words in reason for words in ("for the target 2 +- 0.05", "waste expected", "costs"))


def test_what_does_not_exist_costs_nothing() -> None:
    cost = Cost.read(OPTIONS["cost"], SPACE, power=1.0, budget=None)
    rows = SPACE.rows([{"x": 0.5, "additive": "none"}, {"x": 0.5, "additive": "salt", "amount": 0.1}])
    assert cost.of(SPACE, rows) == pytest.approx([1.0, 1.3])


def test_hints_costs_and_limits_are_said_together_and_forbidden_areas_are_kept_out_of() -> None:
    planner = planned(8)
    planner.forbid("slow", {"box": {"x": [0.0, 0.3]}})
    planner.hint("salt works", {"box": {"amount": [0.2, 0.6]}}, confidence=0.9)
    proposals = planner.ask(3)
    assert all(float(one.parameters["x"]) > 0.3 for one in proposals)
    assert all(
        words in one.reason
        for one in proposals
        for words in ("'salt works'", "for the target 2", "waste expected", "costs")
    )
    tell(planner, proposals)
    twin = planned(8)
    twin.forbid("slow", {"box": {"x": [0.0, 0.3]}})
    twin.hint("salt works", {"box": {"amount": [0.2, 0.6]}}, confidence=0.9)
    tell(twin, twin.ask(3))
    assert twin.ask(1) == planner.ask(1)


def test_what_is_forbidden_promises_nothing() -> None:
    planner = planned(16, objectives=[Objective("y", "maximize")])
    before = planner.prospect(0.1)
    planner.forbid("where the best lies", {"box": {"x": [0.5, 1.0]}})
    after = planner.prospect(0.1)
    assert after.probability < 0.5 * before.probability
    assert 0.0 < after.gain < before.gain
    planner.allow("where the best lies")
    assert planner.prospect(0.1) == before


def test_a_target_is_explained_by_the_distance_to_it() -> None:
    planner = planned(7, (Objective("y", "target", target=2.0), LIMIT))
    proposal = planner.ask(1)[0]
    why = planner.explain(proposal)
    known = [one for one in planner.observations if one.values["waste"] <= 0.8]
    means = planner.predict([one.parameters for one in known])["y"].mean
    gap = float(np.min(np.abs(means - 2.0)))
    here = why.predictions["y"]
    drawn = np.random.default_rng(0).normal(here.mean, here.sd, 200_000)
    expected = np.mean(np.maximum(gap - np.abs(drawn - 2.0), 0.0))
    assert gap > 0
    assert why.gains["y"] == pytest.approx(expected, rel=0.02)
    assert set(why.gains) == {"y"}
    assert set(why.matters) == {"y", "waste"}


def test_where_the_target_was_hit_nothing_is_to_be_gained() -> None:
    planner = planned(16)
    assert planner.explain(planner.ask(1)[0]).gains["y"] == 0.0


def test_a_large_pool_is_narrowed_down_with_hints_in_mind() -> None:
    rng = np.random.default_rng(1)
    space = SearchSpace(
        [Continuous("x", 0.0, 1.0), Continuous("z", 0.0, 1.0)],
        candidates={"x": rng.random(30_000), "z": rng.random(30_000)},
    )
    planner = Planner(space, [Objective("y", "learn")], seed=0, policy="uncertainty")
    for _ in range(6):
        tell(planner, planner.ask(1))
    planner.hint("below", {"box": {"x": [0.47, 0.52], "z": [0.275, 0.325]}}, confidence=0.999999)
    data: PlannerData = planner._data()
    policy = Uncertainty(space, data.objectives, {})
    assert space.pool is not None
    with_hint = policy._promising(data, space.pool, np.random.default_rng(0))
    without = policy._promising(replace(data, said=NOTHING_SAID), space.pool, np.random.default_rng(0))
    middle = np.array([0.495, 0.3])
    shares = [float(np.mean((np.abs(rows - middle) <= 0.025).all(axis=1))) for rows in (with_hint, without)]
    everyone = int(np.sum((np.abs(space.pool - middle) <= 0.025).all(axis=1)))
    assert round(shares[0] * len(with_hint)) == everyone
    assert shares[1] * len(without) < everyone


def test_a_policy_that_also_maps_is_judged_by_what_it_optimises() -> None:
    space = SearchSpace(
        [
            Continuous("peak_temperature", 500.0, 1000.0, step=10.0, unit="degC"),
            Continuous("dwell", 250.0, 10_000.0, unit="us", scale="log", count=5),
        ]
    )
    objectives = [Objective("gradient", "learn"), Objective("fraction", "maximize")]
    planner = Planner(space, objectives, policy="sara")
    for one in planner.ask(6):
        peak = float(one.parameters["peak_temperature"])
        values = {"gradient": 0.01, "fraction": 1e-3 * (peak - 500.0)}
        planner.tell([Observation(parameters=one.parameters, values=values, proposal_id=one.id)])
    assert planner.prospect(0.0).probability > planner.prospect(0.4).probability


def test_all_of_it_is_saved(tmp_path) -> None:
    planner = planned(8)
    planner.forbid("slow", {"box": {"x": [0.0, 0.3]}})
    planner.hint("salt works", {"box": {"amount": [0.2, 0.6]}}, confidence=0.9)
    planner.suggest({"x": 0.9, "additive": "none"})
    planner.save(tmp_path / "p.json")
    loaded = Planner.load(tmp_path / "p.json")
    assert loaded.objectives == planner.objectives
    assert loaded.ask(2) == planner.ask(2)
    assert loaded.prospect(0.1) == planner.prospect(0.1)
