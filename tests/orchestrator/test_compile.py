from pathlib import Path

import pytest

from orchestrator.check import check_campaign
from orchestrator.compile import Compiler
from orchestrator.plan import Act, AdaptiveScan, Reference, Wait
from orchestrator.records import TrialRecord

EXAMPLES = Path(__file__).parents[2] / "examples"


def compiler(file, *overrides):
    ready = check_campaign(EXAMPLES / file, None, overrides).require()
    return Compiler.of(ready.campaign, ready.casting)


def trial(number=1, **parameters):
    return TrialRecord(number=number, parameters=parameters, ask=0, is_control=False, proposal_id="0-0")


def test_a_stripe_is_annealed_where_its_site_is_and_measured_there():
    plan = compiler("sara/campaign.yaml").plan(trial(7, peak_temperature=700.0, dwell=1000.0))
    assert plan.devices == ("camera", "laser", "spectrometer", "stage")
    move, anneal, read_back, reference, to_site, picture, scan = plan.nodes
    assert (anneal.device, anneal.command) == ("laser", "anneal")
    assert anneal.arguments == {"peak_temperature_c": 700.0, "dwell_us": 1000.0}
    assert read_back.expect.name == "energy_fraction"
    assert isinstance(reference, Reference)
    assert isinstance(scan, AdaptiveScan)
    assert (scan.x_mm, scan.y_mm) == (move.arguments["x_mm"], move.arguments["y_mm"])
    assert (to_site.arguments, picture.measure.kind) == (move.arguments, "image")


def test_no_two_trials_share_a_site():
    made = compiler("sara/campaign.yaml")
    places = [tuple(made.sample(trial(number))["place"].values()) for number in range(1, 400)]
    assert len(set(places)) == len(places)


def test_paths_are_unique_and_stable():
    made = compiler("sara/campaign.yaml", "recipe.3={scan: {start: -1 mm, stop: 1 mm, points: 5, exposure: 50 ms}}")
    first, again = (made.plan(trial(1, peak_temperature=700.0, dwell=1000.0)) for _ in range(2))
    assert first == again
    paths = [node.path for node in first.nodes] + [
        act.path for node in first.nodes if isinstance(node, Reference) for act in node.acts
    ]
    assert len(set(paths)) == len(paths)


def test_parameters_reach_the_driver_in_its_unit():
    made = compiler("sara/campaign.yaml", "recipe.0.anneal.dwell=2 ms")
    anneal = made.plan(trial(1, peak_temperature=700.0, dwell=1000.0)).nodes[1]
    assert anneal.arguments["dwell_us"] == pytest.approx(2000.0)


def test_a_robot_gets_every_parameter_under_one_tag():
    start, collect = compiler("photocatalysis/campaign.yaml").plan(trial(3, p10=5.0, cysteine=0.5)).nodes
    assert start.arguments == {"parameters": {"p10": 5.0, "cysteine": 0.5}, "tag": "000003.0"}
    assert collect.arguments == {"tag": "000003.0"}
    assert collect.measure.kind == "result"


def test_any_declared_command_can_be_a_step():
    command = "recipe.2={command: {device: stage, command: move, arguments: {x: 3 mm, y: 0.4 cm}}}"
    made = compiler("sara/campaign.yaml", command)
    move = made.plan(trial(1, peak_temperature=700.0, dwell=1000.0)).nodes[4]
    assert isinstance(move, Act)
    assert move.arguments == pytest.approx({"x_mm": 3.0, "y_mm": 4.0})
    assert move.measure is None


def test_a_wait_can_be_a_step():
    made = compiler("sara/campaign.yaml", "recipe.2={wait: {duration: 2 min}}")
    wait = made.plan(trial(1, peak_temperature=700.0, dwell=1000.0)).nodes[4]
    assert isinstance(wait, Wait)
    assert wait.duration_s == 120.0


def test_a_step_whose_parameter_does_not_exist_is_left_out():
    parameter = "{name: dwell, kind: continuous, unit: us, low: 100, high: 5000, when: {peak_temperature: [700 degC]}}"
    made = compiler(
        "sara/campaign.yaml", f"parameters.1={parameter}", "planner={policy: random}", "analysis={kind: peaks}"
    )
    whole = made.plan(trial(1, peak_temperature=700.0, dwell=1000.0))
    without = made.plan(trial(1, peak_temperature=800.0))
    assert "laser" in whole.devices and "laser" not in without.devices
    assert [node.path for node in without.nodes] == [n.path for n in whole.nodes if not n.path.startswith("0")]
