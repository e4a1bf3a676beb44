from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulators.materials.photocatalysis import CONTROL, INGREDIENTS, hydrogen_umol
from simulators.replay import ReplayLab
from simulators.scoring.bench import PhotocatalysisScorer, ReplayScorer

NOTHING = {**dict.fromkeys(INGREDIENTS, 0.0), "p10": 1.0}
BEST = {**NOTHING, "p10": 5.0, "cysteine": 2.0, "naoh": 1.75, "silicate": 1.25}
GOOD = {**NOTHING, "p10": 5.0, "cysteine": 1.0, "naoh": 1.75}
BEST_UMOL, GOOD_UMOL = hydrogen_umol(BEST), hydrogen_umol(GOOD)


@dataclass
class Trial:
    number: int
    parameters: dict[str, Any]
    outcome: str | None = "measured"
    batch: int = 0
    is_control: bool = False
    values: dict[str, float] = field(default_factory=dict)


@dataclass
class Run:
    trials: list[Trial]


def photocatalysis(trials: list[Trial]) -> dict[str, Any]:
    return PhotocatalysisScorer(seed=0, options={}, campaign={}).score(Run(trials))


def test_yields_are_noiseless_and_counted_by_batch():
    assert 10 < GOOD_UMOL < 16 < 18 < BEST_UMOL
    score = photocatalysis(
        [Trial(1, NOTHING, batch=0), Trial(2, GOOD, batch=1), Trial(3, NOTHING, batch=1), Trial(4, BEST, batch=2)]
    )
    assert score["noiseless_umol"] == [0.0, GOOD_UMOL, 0.0, BEST_UMOL]
    assert score["best_noiseless_umol"] == [0.0, GOOD_UMOL, BEST_UMOL]
    assert (score["batches_to_10_umol"], score["batches_to_16_umol"], score["batches_to_18_umol"]) == (2, 3, 3)
    assert score["constraint_violations"] == 0


def test_what_was_never_reached_is_none():
    score = photocatalysis([Trial(1, NOTHING)])
    assert score["batches_to_10_umol"] is None


@pytest.mark.parametrize("outcome", ["lost", "failed", None])
def test_a_vial_that_was_not_measured_reached_nothing(outcome):
    score = photocatalysis([Trial(1, BEST, outcome=outcome), Trial(2, GOOD, batch=1)])
    assert score["best_noiseless_umol"] == [None, GOOD_UMOL]
    assert score["noiseless_umol"][0] == BEST_UMOL


def test_controls_are_no_proposals():
    score = photocatalysis([Trial(1, dict(CONTROL), is_control=True), Trial(2, NOTHING)])
    assert score["best_noiseless_umol"] == [0.0]


def test_batches_are_counted_in_the_order_of_the_asks():
    score = photocatalysis([Trial(1, BEST, batch=7), Trial(2, NOTHING, batch=3)])
    assert score["best_noiseless_umol"] == [0.0, BEST_UMOL]


def test_recipes_that_do_not_fit_are_counted_and_have_no_yield():
    score = photocatalysis(
        [Trial(1, {**BEST, "nacl": 4.0}, outcome="lost"), Trial(2, {**BEST, "p10": 9.0}), Trial(3, GOOD)]
    )
    assert score["constraint_violations"] == 2
    assert score["noiseless_umol"] == [None, None, GOOD_UMOL]
    assert score["best_noiseless_umol"] == [GOOD_UMOL]


def test_a_run_without_trials_has_a_score():
    assert photocatalysis([])["best_noiseless_umol"] == []


@pytest.fixture
def options(tmp_path) -> dict[str, Any]:
    path = tmp_path / "t.csv"
    # the mean of two repeats is x; the repeats alone would put 90 above 100
    rows = [f"{x},{x + spread}" for x in range(1, 101) for spread in ((-30, 30) if x == 90 else (-1, 1))]
    path.write_text("x,y\n" + "\n".join(rows) + "\n")
    return {
        "table": str(path),
        "mode": "pool",
        "parameters": [{"name": "x", "kind": "continuous", "unit": "1", "low": 1.0, "high": 100.0}],
        "objectives": [{"name": "y", "unit": "%"}],
    }


def replay(options: dict[str, Any], direction: str, trials: list[Trial]) -> dict[str, Any]:
    campaign = {"objectives": [{"name": "y", "direction": direction}]}
    return ReplayScorer(seed=0, options=options, campaign=campaign).score(Run(trials))


def test_a_pool_is_scored_by_the_means_of_repeats(options):
    trials = [Trial(i, {"x": float(x)}, values={"y": -7.0}) for i, x in enumerate((50, 90, 97, 60), start=1)]
    score = replay(options, "maximize", trials)
    assert score["true_values"] == {"y": [50.0, 90.0, 97.0, 60.0]}
    assert score["best_true"] == {"y": [50.0, 90.0, 97.0, 97.0]}
    assert score["known_best"] == {"y": 100.0}
    assert score["regret"] == {"y": 3.0}
    assert score["rank"] == {"y": 4}
    assert score["trials_to_top_5_percent"] == {"y": 3}
    assert score["trials_to_top_1_percent"] == {"y": None}
    assert score["trials_to_known_best"] == {"y": None}


def test_the_best_of_a_minimum_is_the_least(options):
    score = replay(options, "minimize", [Trial(1, {"x": 7.0}), Trial(2, {"x": 1.0}), Trial(3, {"x": 50.0})])
    assert score["best_true"] == {"y": [7.0, 1.0, 1.0]}
    assert score["known_best"] == {"y": 1.0}
    assert score["regret"] == {"y": 0.0}
    assert score["rank"] == {"y": 1}
    assert score["trials_to_known_best"] == score["trials_to_top_1_percent"] == {"y": 2}


def test_the_limits_of_the_top_are_those_of_whole_conditions(options):
    at = {x: replay(options, "maximize", [Trial(1, {"x": float(x)})]) for x in (95, 96, 99, 100)}
    assert [at[x]["trials_to_top_5_percent"]["y"] for x in (95, 96)] == [None, 1]
    assert [at[x]["trials_to_top_1_percent"]["y"] for x in (99, 100)] == [None, 1]


@pytest.mark.parametrize("outcome", ["lost", "failed", None])
def test_only_measured_trials_count_but_all_take_a_place(options, outcome):
    score = replay(options, "maximize", [Trial(1, {"x": 100.0}, outcome=outcome), Trial(2, {"x": 99.0})])
    assert score["true_values"] == {"y": [None, 99.0]}
    assert score["best_true"] == {"y": [None, 99.0]}
    assert score["trials_to_top_5_percent"] == {"y": 2}


def test_nothing_measured_has_no_regret(options):
    score = replay(options, "maximize", [])
    assert (score["regret"], score["rank"], score["known_best"]) == ({"y": None}, {"y": None}, {"y": 100.0})


def test_a_map_that_is_learnt_has_no_best(options):
    assert replay(options, "learn", [Trial(1, {"x": 5.0})]) == {}


def test_an_emulator_is_scored_by_its_noiseless_mean(tmp_path):
    rng = np.random.default_rng(0)
    path = Path(tmp_path / "t.csv")
    rows = [f"{x},{10 - (x - 5.5) ** 2 / 3 + 0.2 * rng.standard_normal():.4f}" for x in range(11) for _ in range(3)]
    path.write_text("x,y\n" + "\n".join(rows) + "\n")
    options = {
        "table": str(path),
        "mode": "emulator",
        "parameters": [{"name": "x", "kind": "continuous", "unit": "1", "low": 0.0, "high": 10.0}],
        "objectives": [{"name": "y", "unit": "%"}],
    }
    assert ReplayLab.check(options) == []
    score = replay(options, "maximize", [Trial(1, {"x": 1.0}), Trial(2, {"x": 5.5}), Trial(3, {"x": 5.5})])
    values = score["true_values"]["y"]
    assert values[1] == values[2] == pytest.approx(10.0, abs=0.5)
    assert score["regret"]["y"] < 0.2
    assert score["rank"]["y"] <= 3
