"""What `logei` does with other goals than the most or the least: targets, windows, limits, desirabilities."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from planner import BadOption, Categorical, Continuous, Integer, Objective, Observation, Planner, SearchSpace

TARGET = Objective("y", "target", target=5.0, tolerance=0.1)
WINDOW = Objective("y", "window", low=3.0, high=3.4)
BOX = [Continuous("a", 0.0, 1.0), Continuous("b", 0.0, 1.0)]


def hill(a: float, b: float) -> float:
    return 8.0 * float(np.exp(-((a - 0.3) ** 2 + (b - 0.6) ** 2) / 0.05)) + a


def measured(point: Mapping[str, float | int | str]) -> dict[str, float]:
    a, b = float(point["a"]), float(point["b"])
    return {"y": hill(a, b), "i": b * b, "c": a + b}


def run(planner: Planner, n: int, *, batch: int = 1, fails: Callable[[Mapping], bool] = lambda _: False) -> list[dict]:
    """Run n trials; return what was measured, nothing for failures."""
    names, found = {objective.name for objective in planner.objectives}, []
    noise = np.random.default_rng(0)
    while len(found) < n:
        for proposal in planner.ask(batch):
            failed = fails(proposal.parameters)
            values = measured(proposal.parameters)
            values = {} if failed else {k: v + 0.005 * noise.standard_normal() for k, v in values.items() if k in names}
            planner.tell(
                [
                    Observation(
                        parameters=proposal.parameters,
                        values=values,
                        failure="cracked" if failed else None,
                        proposal_id=proposal.id,
                    )
                ]
            )
            found.append(values)
    return found


@pytest.mark.parametrize("objective", [TARGET, WINDOW], ids=["target", "window"])
def test_hits_within_a_few_trials(objective: Objective) -> None:
    hits = []
    for seed in range(4):
        found = run(Planner(SearchSpace(BOX), [objective], seed=seed), 16)
        hits.append(any(objective.merit(np.array(values["y"])) == 0.0 for values in found))
    assert sum(hits) >= 3


def test_says_what_is_expected_and_that_it_was_reached() -> None:
    planner = Planner(SearchSpace(BOX), [WINDOW], seed=1)
    run(planner, 20)
    reason = planner.ask(1)[0].reason
    assert "y from 3 to 3.4 was reached" in reason
    assert "hit with probability" in reason


def test_once_within_it_stays_within() -> None:
    planner = Planner(SearchSpace(BOX), [WINDOW], seed=1)
    found = run(planner, 26)
    assert all(WINDOW.merit(np.array(values["y"])) > -0.1 for values in found[-5:])


def test_hits_on_grids_words_and_mixtures() -> None:
    space = SearchSpace(
        [*BOX, Continuous("c", 0.0, 1.0), Integer("k", 0, 3), Categorical("w", ["x", "y"])], ["a + b + c == 1"]
    )
    planner = Planner(space, [TARGET], seed=0)
    found = run(planner, 24, batch=3)
    assert min(abs(values["y"] - 5.0) for values in found) < 0.3
    assert not [p for o in planner.observations for p in space.violations(o.parameters)]


@pytest.mark.parametrize("side", [30, 160], ids=["scored in full", "looked at first"])
def test_hits_in_a_pool(side: int) -> None:
    grid = np.linspace(0, 1, side)
    pool = {"a": np.repeat(grid, side), "b": np.tile(grid, side)}
    planner = Planner(SearchSpace(BOX, candidates=pool), [WINDOW, Objective("i", "at_most", limit=0.5)], seed=0)
    found = run(planner, 14, batch=2)
    assert any(3.0 <= values["y"] <= 3.4 and values["i"] <= 0.5 for values in found)


def test_failures_teach_here_too() -> None:
    planner = Planner(SearchSpace(BOX), [TARGET], seed=0)
    found = run(planner, 24, fails=lambda point: point["b"] > 0.6)
    assert any(abs(values["y"] - 5.0) < 0.2 for values in found if values)
    assert sum(not values for values in found[8:]) <= 6


def test_keeps_to_a_limit_that_is_measured() -> None:
    limits = [Objective("i", "at_most", limit=0.2), Objective("c", "at_least", limit=0.5)]
    planner = Planner(SearchSpace(BOX), [Objective("y", "maximize"), *limits], seed=0)
    found = run(planner, 24)
    best = planner.best()
    assert best is not None
    assert best.values["i"] <= 0.2
    assert best.values["c"] >= 0.5
    edge = hill(0.3, 0.2**0.5)
    assert best.values["y"] > 0.93 * edge
    assert max(values["y"] for values in found[10:]) < 1.2 * edge, "beyond the limit there is more"
    assert "at most 0.2 with probability" in planner.ask(1)[0].reason


def test_limits_that_nothing_kept_yet_are_looked_for() -> None:
    planner = Planner(SearchSpace(BOX), [Objective("y", "maximize"), Objective("i", "at_most", limit=0.01)], seed=0)
    planner.tell([Observation(parameters={"a": a, "b": b}, values={"y": hill(a, b), "i": b * b}) for a, b in
                  ((0.1, 0.9), (0.5, 0.8), (0.9, 0.7), (0.3, 0.6), (0.7, 0.95), (0.2, 0.75))])  # fmt: skip
    assert planner.best() is None
    run(planner, 6)
    assert planner.best() is not None


def test_several_goals_are_traded_off() -> None:
    planner = Planner(SearchSpace(BOX), [TARGET, Objective("c", "minimize")], seed=0)
    found = run(planner, 24, batch=2)
    assert any(abs(values["y"] - 5.0) < 0.2 and values["c"] < 0.85 for values in found)


def test_desirabilities_are_one_number() -> None:
    wishes = [
        Objective("y", "target", target=5.0, tolerance=0.1, desirability=(3.0, 7.0)),
        Objective("c", "minimize", desirability=(0.2, 1.2)),
    ]
    planner = Planner(SearchSpace(BOX), wishes, seed=0)
    run(planner, 24)
    best = planner.best()
    assert best is not None
    assert best.values["y"] == pytest.approx(5.0, abs=0.4)
    assert best.values["c"] < 0.75
    assert "greatest expected improvement of the desirability of y and c" in planner.ask(1)[0].reason


@pytest.mark.parametrize(
    "objectives",
    [
        pytest.param([TARGET], id="target"),
        pytest.param([WINDOW, Objective("i", "at_most", limit=0.5)], id="limit"),
        pytest.param([Objective("y", "maximize", desirability=(0.0, 8.0), weight=2.0)], id="desirability"),
    ],
)
def test_a_saved_planner_goes_on_as_if_nothing_had_happened(objectives: list[Objective], tmp_path: Path) -> None:
    planner = Planner(SearchSpace(BOX), objectives, seed=3, options={"cost": "1 + a", "cost_budget": 40})
    run(planner, 8)
    planner.save(tmp_path / "planner.json")
    loaded = Planner.load(tmp_path / "planner.json")
    assert loaded.objectives == planner.objectives
    assert [one.parameters for one in loaded.ask(2)] == [one.parameters for one in planner.ask(2)]


@pytest.mark.parametrize("policy", ["random", "sobol", "uncertainty", "integrated_variance", "mobile_chemist"])
def test_other_policies_take_these_goals(policy: str) -> None:
    planner = Planner(SearchSpace(BOX), [TARGET, Objective("i", "at_most", limit=0.5)], seed=0, policy=policy)
    assert len(run(planner, 12, batch=2)) == 12


def test_soft_constraints_draw_towards_a_target() -> None:
    planner = Planner(SearchSpace(BOX), [TARGET], seed=0, policy="soft_constraints", options={"local_from": 8})
    found = run(planner, 22)
    assert min(abs(values["y"] - 5.0) for values in found) < 0.15


@pytest.mark.parametrize(("policy", "options"), [("screening", {"threshold": 1}), ("reactions", {}), ("cameo", {})])
def test_policies_that_want_the_most_refuse_targets(policy: str, options: dict) -> None:
    with pytest.raises(BadOption):
        Planner(SearchSpace(BOX, candidates=[{"a": 0.1, "b": 0.2}]), [TARGET], policy=policy, options=options)


def test_learning_takes_no_limits() -> None:
    with pytest.raises(BadOption, match="or limited"):
        Planner(SearchSpace(BOX), [Objective("y", "learn"), Objective("i", "at_most", limit=0.5)])
