import math
from pathlib import Path
from typing import Any

import pytest

from orchestrator.campaign import Campaign
from orchestrator.check import check_campaign
from orchestrator.execution import Settings, start
from orchestrator.fidelities import counting, counts, spent
from orchestrator.reading import open_reading
from orchestrator.records import TrialRecord, read_trials
from orchestrator.report import write_report
from orchestrator.space import search_space
from orchestrator.status.looks import read_status
from orchestrator.stopping import best_trial, reason_to_stop
from orchestrator.yaml_source import InvalidSource, read_source

FIDELITY: dict[str, Any] = {
    "name": "source",
    "kind": "fidelity",
    "levels": {"simulation": 0.05, "fast scan": 0.3, "full": 1},
    "target": "full",
}
DATA: dict[str, Any] = {
    "labpilot": 1,
    "name": "two ways",
    "parameters": [{"name": "t", "kind": "continuous", "unit": "degC", "low": "20 degC", "high": "90 degC"}, FIDELITY],
    "objectives": [{"name": "f", "direction": "maximize"}],
    "recipe": [{"perform": {"device": "robot"}}],
    "analysis": {"kind": "reading"},
    "planner": {"policy": "auto"},
    "budget": {"trials": 50, "cost": 3.0},
}


def trial(number: int, source: str, value: float) -> TrialRecord:
    return TrialRecord(
        number=number,
        parameters={"t": 30.0 + number, "source": source},
        ask=number,
        is_control=False,
        proposal_id=f"{number}-0",
        outcome="measured",
        state="analysed",
        values={"f": value},
    )


TRIALS = [trial(1, "simulation", 90.0), trial(2, "full", 2.0), trial(3, "full", 1.0), trial(4, "fast scan", 50.0)]


def test_a_campaign_file_says_levels_and_costs_and_is_written_as_it_was_read() -> None:
    campaign = Campaign.from_data(DATA)
    assert Campaign.from_data(campaign.data()) == campaign
    fidelity = search_space(campaign).fidelity
    assert fidelity is not None
    assert fidelity.by_level == {"simulation": 0.05, "fast scan": 0.3, "full": 1.0}
    assert fidelity.target == "full"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"levels": {"full": 1}}, "at least 2"),
        ({"levels": {"a": 0, "full": 1}}, "greater than 0|more than 0|above 0"),
        ({"target": "ful"}, "did you mean 'full'"),
        ({"target": "fast scan"}, "costs more than 'fast scan'"),
    ],
)
def test_what_makes_no_sense_is_told(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSource, match=said):
        Campaign.from_data({**DATA, "parameters": [DATA["parameters"][0], {**FIDELITY, **change}]})


def test_a_budget_in_cost_needs_levels_that_cost() -> None:
    with pytest.raises(InvalidSource, match="nothing says what a trial costs"):
        Campaign.from_data({**DATA, "parameters": DATA["parameters"][:1]})


def test_a_second_one_is_refused() -> None:
    with pytest.raises(InvalidSource, match="says the fidelity already"):
        Campaign.from_data({**DATA, "parameters": [*DATA["parameters"], {**FIDELITY, "name": "other"}]})


@pytest.mark.parametrize("is_read", [True, False], ids=["of a campaign", "of a record"])
def test_only_trials_at_the_target_count(is_read: bool) -> None:
    campaign = Campaign.from_data(DATA)
    parameters = campaign.parameters if is_read else campaign.data()["parameters"]
    assert [one.number for one in counting(parameters, TRIALS)] == [2, 3]
    assert not counts(parameters, TRIALS[0].parameters)
    assert spent(parameters, TRIALS) == pytest.approx(2.35)
    best = best_trial(counting(parameters, TRIALS), campaign.objectives)
    assert best is not None and best.number == 2


def test_stopping_looks_at_what_counts() -> None:
    campaign = Campaign.from_data(
        {**DATA, "stopping": [{"objective": "f", "at_least": 40}, {"no_improvement": {"trials": 1}}]}
    )
    reason = reason_to_stop(campaign.stopping, counting(campaign.parameters, TRIALS), campaign.objectives, {})
    assert reason == "f did not improve in 1 trials, since trial 2"


CAMPAIGN = """
labpilot: 1
name: two-ways
lab: lab.yaml
parameters:
  - {name: t, kind: continuous, unit: degC, low: 20 degC, high: 80 degC, step: 2 degC}
  - {name: source, kind: fidelity, levels: {simulation: 0.05, full: 1}}
objectives:
  - {name: y, direction: maximize, unit: g}
recipe:
  - perform: {device: robot}
analysis: {kind: reading}
planner: {policy: auto, charge: 1 s}
budget: {trials: 60, cost: 6}
replay: {table: table.csv, mode: pool, duration: 1 h}
"""
LAB = """
labpilot: 1
name: robots
devices:
  robot: {driver: bench, url: "sim:replay/robot"}
"""


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """Run a campaign on a table where a simulation reads 100 less seven times the yield."""
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    (tmp_path / "lab.yaml").write_text(LAB)
    yields = {t: 10.0 * math.exp(-(((t - 61) / 12) ** 2)) for t in range(20, 81, 2)}
    lines = [f"{t},full,{y:.4f}\n{t},simulation,{100 - 7 * y:.4f}" for t, y in yields.items()]
    (tmp_path / "table.csv").write_text("\n".join(["t,source,y", *lines]) + "\n")
    start(check_campaign(tmp_path / "campaign.yaml").require(), tmp_path / "c", Settings(is_virtual=True, fsync=False))
    return tmp_path / "c"


def test_a_campaign_ends_with_its_cost_and_its_best_is_a_full_trial(ran: Path) -> None:
    with open_reading(ran) as reading:
        trials = read_trials(reading.connection)
    campaign = Campaign.from_source(read_source(ran.parent / "campaign.yaml"))
    sources = [trial.parameters["source"] for trial in trials]
    assert {"simulation", "full"} == set(sources)
    assert 6.0 <= spent(campaign.parameters, trials) < 7.0
    status = read_status(ran)
    assert status.best is not None and status.best.parameters["source"] == "full"
    assert status.best.value < 11.0 < max(trial.values["y"] for trial in trials)
    write_report(ran)
    page = (ran / "report.html").read_text(encoding="utf-8")
    for words in (
        "Best y",
        "trials or 6 in cost",
        " of 6 in cost</dd>",
        '"words":["simulation","full"]',
        "trials at source full alone",
    ):
        assert words in page
