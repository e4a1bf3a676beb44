"""Checking whole campaigns: mistakes across files, estimates, overrides, and no mutation that is not explained."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from orchestrator.check import Ready, check_campaign
from orchestrator.errors import InputError, NewerVersion
from orchestrator.planning_checks import NEEDED_STEPS
from orchestrator.recipe import STEPS
from orchestrator.scheduling import optimising
from orchestrator.yaml_source import read_source
from surrogate import ANALYSES

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SARA = "examples/sara/campaign.yaml"
PHOTO = "examples/photocatalysis/campaign.yaml"
POWDER = "examples/powder_lab/campaign.yaml"

REPLAY = """\
labpilot: 1
name: again
lab: lab.yaml
parameters:
  - {name: time, kind: continuous, unit: min, low: 0, high: 1}
  - {name: amount, kind: continuous, unit: equivalents, low: 0, high: 100 equivalents}
objectives: [{name: yield, direction: maximize, unit: "% (HPLC)"}]
recipe: [{perform: {}}]
analysis: {kind: reading}
planner: {policy: random, charge: 0 s}
budget: {trials: 3}
replay:
  table: table.csv
  columns: {time: {column: t (s), unit: s}}
  duration: 30 min
"""
REPLAY_LAB = "labpilot: 1\nname: table\ndevices: {robot: {driver: bench, url: 'sim:replay/robot', capacity: 2}}\n"


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(EXAMPLES.parent)


@pytest.fixture
def replay(tmp_path):
    (tmp_path / "campaign.yaml").write_text(REPLAY)
    (tmp_path / "lab.yaml").write_text(REPLAY_LAB)
    (tmp_path / "table.csv").write_text("t (s),yield,amount\n10,1.0,20\n20,2.0,30\n30,3.0,30\n")
    return tmp_path


def _problems(path, *overrides, lab=None):
    return [str(problem) for problem in check_campaign(path, lab, overrides).problems]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/campaign.yaml")), ids=lambda path: path.parent.name)
def test_examples_have_no_mistakes_but_a_table_that_they_ask_for(path):
    checked = check_campaign(path)
    if "replay" in read_source(path).data and read_source(path).data["replay"]["table"] is None:
        assert [problem.path for problem in checked.problems] == ["replay.table"]
    else:
        assert checked.problems == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("descriptors: composition", "descriptors: {AgTe: [1.0, 2.0]}", "descriptors have no row for"),
        ("levels: [", "levels: [Xx2O, ", "formula 'Xx2O': no properties are known of an element 'Xx'"),
        ("options: {threshold: 5}", "options: {}", "needs option 'threshold'"),
    ],
)
def test_what_is_wrong_with_descriptors_and_screening_is_said(tmp_path, old, new, message):
    for name in ("lab.yaml", "candidates.csv"):
        (tmp_path / name).write_text((EXAMPLES / "screening" / name).read_text())
    text = (EXAMPLES / "screening" / "campaign.yaml").read_text()
    assert old in text
    (tmp_path / "campaign.yaml").write_text(text.replace(old, new, 1))
    problems = _problems(tmp_path / "campaign.yaml")
    assert any(message in problem for problem in problems)


def test_the_summary_of_sara():
    summary = check_campaign(SARA).summary
    assert summary is not None
    assert summary.points == 25 * 25
    assert list(summary.devices) == ["laser", "stage", "spectrometer", "camera"]
    assert [(step.kind, step.devices) for step in summary.steps] == [
        ("anneal", ("laser", "stage")),
        ("reference", ("spectrometer", "stage")),
        ("photograph", ("camera", "stage")),
        ("adaptive_scan", ("spectrometer", "stage")),
    ]
    assert summary.is_simulated
    assert summary.trial_s is not None
    assert summary.campaign_s == pytest.approx(48 * (summary.trial_s + 2.0))


def test_longer_exposures_take_longer():
    short, long = (
        check_campaign(SARA, overrides=[f"recipe.3.adaptive_scan.exposure={t}"]).summary for t in ("50 ms", "1 s")
    )
    assert short is not None
    assert long is not None
    # and references are a little more often too old
    assert long.trial_s - short.trial_s == pytest.approx(20 * 0.95, rel=1e-3)


def test_batches_share_devices_with_room(replay):
    summary = check_campaign(replay / "campaign.yaml", overrides=["batch=3", "budget.trials=5"]).summary
    assert summary is not None
    # two batches: three trials on two places take two rounds, two trials take one
    assert (summary.batches, summary.campaign_s) == (2, 3 * 1800.0)


def test_what_only_the_robot_knows_is_not_estimated():
    summary = check_campaign(PHOTO).summary
    assert summary is not None
    assert (summary.trial_s, summary.campaign_s, summary.controls) == (None, None, 16)


CROSS = [
    ("recipe.2.photograph.device=stage", "recipe.2.photograph.device: device 'stage' is no Camera; camera could"),
    (
        "parameters.dwell.low=50 us",
        "parameters.1.low: 50 us is beyond what laser.anneal allows for dwell_us: the driver 100 to 20000 us",
    ),
    (
        "recipe.0.anneal.peak_temperature=1360 degC",
        "recipe.0.anneal.peak_temperature: 1360 degC is beyond what laser.anneal allows for peak_temperature_c: "
        "the driver 200 to 1400 degC, the site at most 1350 degC",
    ),
    (
        "limits={laser.anneal: {dwell: {high: 5 ms}}}",
        "parameters.1.high: 10000 us is beyond what laser.anneal allows for dwell_us: "
        "the driver 100 to 20000 us, the site at most 5000 us",
    ),
    (
        "limits={laser.anneal: {dwell: {high: 50 us}}}",
        "limits.laser.anneal.dwell: leaves nothing: the driver allows [100, 20000] us, this [-inf, 50] us",
    ),
    (
        "limits={laser.anneal: {dwel: {high: 50 us}}}",
        "limits.laser.anneal.dwel: laser.anneal limits no 'dwel'; did you mean 'dwell_us'?",
    ),
    ("budget.trials=5000", "budget.trials: 5000 trials need a site each, but the wafer of the lab has 1809"),
    ("analysis.kind=stripe", "analysis.kind: no analysis 'stripe'; did you mean 'stripe_gradient'?"),
    ("analysis.options={smooth: 1}", "analysis.options: "),
    ("planner={policy: random, options: {sparce: 1}}", "planner.options: policy 'random' has no option 'sparce'"),
    (
        "planner={policy: logei}",
        "planner.policy: policy 'logei' optimises, but objective 'optical_gradient' is to be learnt",
    ),
    (
        "analysis.kind=reading",
        "analysis.kind: reading needs perform or command or weigh or dose among the steps of the recipe",
    ),
    ("planner.policy=sarra", "planner.policy: no policy 'sarra'; did you mean 'sara'?"),
    (
        "stopping=[{no_improvement: {trials: 3}}]",
        "stopping.0.no_improvement: objective 'optical_gradient' is learnt, "
        "so there is no best value that could improve",
    ),
    (
        "stopping=[{no_prospect: {better_by: 0.1, risk: 0.05}}]",
        "stopping.0.no_prospect: objective 'optical_gradient' is learnt, "
        "so there is no best value that anything could be better than",
    ),
    ("stopping=[{hit: {}}]", "stopping.0.hit: no objective has direction target or window, so there is nothing to hit"),
    (
        "constraints=[peak_temperature <= 3 s]",
        "constraints.0: '3 s' is a time, but a temperature in 'degC' is needed here",
    ),
    (
        "constraints=[peak_temperature + dwell <= 3]",
        "constraints.0: adds 'peak_temperature' (a temperature in 'degC') and 'dwell' (a time in 'us'); "
        "a constraint can only add what has one dimension",
    ),
    (
        "constraints=[peak_temperature <= 300 degC]",
        "constraints: constraint 'peak_temperature <= 300 degC' cannot hold: within the bounds the sum is at least 400",
    ),
    ("lab.simulation.film-statio={}", "simulation.film-statio: no device of this lab is in the world 'film-statio'; "),
    ("lab.devices.laser.url=sim:film-station/", "devices.laser.url: 'sim:film-station/': write sim:WORLD/INSTRUMENT"),
    ("lab.devices.laser.driver=laser", "devices.laser.driver: no driver is called 'laser'"),
    ("lab.devices.laser.url=tcp://127.0.0.1:1", "gives tcp, but LaserAnnealerDriver speaks serial"),
    ("lab.devices.laser.driver=camera", "limits.laser.anneal: device 'laser' has no command 'anneal'"),
    (
        "lab.samples.references.mirror=[-200 mm, 0 mm]",
        "samples.references.mirror: the mirror: x_mm = -200 mm is outside what the driver allows",
    ),
    ("lab.samples.stage=camera", "samples.stage: device 'camera' cannot move a wafer: it is no Movable"),
    ("lab=nope.yaml", "nope.yaml: no such file"),
]


@pytest.mark.parametrize(("override", "expected"), CROSS, ids=[override for override, _ in CROSS])
def test_mistakes_between_sections_and_files(override, expected):
    found = _problems(SARA, override)
    assert any(expected in problem for problem in found), found


def test_plans_of_furnace_runs_need_a_planner_of_them_and_furnaces(monkeypatch):
    assert _problems(POWDER, "scheduling.optimise=true") == []
    assert any("no step of the recipe is 'fire'" in problem for problem in _problems(SARA, "scheduling.optimise=true"))
    monkeypatch.setitem(sys.modules, optimising.MODULE, None)
    (problem,) = _problems(POWDER, "scheduling.optimise=true")
    assert "scheduling.optimise: OR-tools is not installed" in problem
    assert "pip install 'labpilot[optimiser]', or leave this out" in problem
    assert _problems(POWDER, "scheduling.optimise=false") == []


def test_a_lab_without_sites_is_refused():
    found = _problems(SARA, "lab.samples={kind: none}")
    assert (
        "examples/sara/campaign.yaml:30:5: recipe.0.anneal: needs sample sites, but the lab 'film-station' has none"
        in (found[0])
    )


def test_a_reference_needs_both_places():
    found = _problems(SARA, "lab.samples.references={mirror: [-74 mm, 0 mm]}")
    assert found == [
        "examples/sara/campaign.yaml:33:5: recipe.1.reference: "
        "the lab does not say where to find blank (samples.references)"
    ]


def test_mistakes_of_both_files_and_between_them_come_together():
    found = _problems(
        SARA,
        "budget.trials=x",
        "lab.simulation.film-station.failurs=true",
        "planner.policy=sarra",
        "recipe.2.photograph.device=stage",
        "lab.devices.camera.capacity=0",
    )
    paths = [problem.split(": ")[1] for problem in found]
    assert sorted(paths) == ["budget.trials", "devices.camera.capacity", "planner.policy"], (
        "what reads the devices waits for them"
    )
    found = _problems(SARA, "budget.trials=x", "recipe.2.photograph.device=stage", "planner.policy=sarra")
    assert len(found) == 3


@pytest.mark.parametrize(
    ("campaign", "overrides", "expected"),
    [
        (
            SARA,
            ["lab.devices.laser.url=serial:///dev/ttyUSB0"],
            "devices: stage, spectrometer, camera would be simulated, laser real; write 'mixed: true' if",
        ),
        (SARA, ["lab.samples.stage=stgae"], "samples.stage: no device 'stgae'; did you mean 'stage'?"),
        (PHOTO, ["batch=2"], "batch: a batch of 2 is filled by its 2 controls; nothing is left to propose"),
    ],
    ids=["simulated beside real", "stage", "controls that fill the batch"],
)
def test_sections_that_do_not_fit_each_other(campaign, overrides, expected):
    found = _problems(campaign, *overrides)
    assert any(expected in problem for problem in found), found


@pytest.mark.parametrize(
    ("changes", "lab_changes", "expected"),
    [
        (
            [("policy: sara", "policy: sarra"), ("low: 400 degC", "low: 1400 degC")],
            [],
            ["1400 degC is above high", "no policy 'sarra'"],
        ),
        (
            [("low: 400 degC", "low: 1400 degC\n    colour: red")],
            [],
            ["unknown key", "1400 degC is above high, 1300 degC"],
        ),
        (
            [("low: 400 degC", "lwo: 1400 degC")],
            [],
            ["unknown key; did you mean 'low'?", "1400 degC is above high, 1300 degC"],
        ),
        (
            [("\nparameters:", "\nparametersx:"), ("name: peak_temperature", "namex: peak_temperature")],
            [],
            [
                "parametersx: unknown key; did you mean 'parameters'?",
                "parametersx.0.namex: unknown key; did you mean 'name'?",
                "parameters: missing key: the axes of the search space",
                "parametersx.0.name: missing key",
                "no parameter 'peak_temperature'",
                "no parameter 'dwell'",
            ],
        ),
        (
            [("policy: sara", "policy: sarra")],
            [
                ("driver: camera", "driver: camra"),
                ("url: sim:film-station/laser", "url: sim:film-station/"),
                ("140 mm", "140 s"),
                ("driver: xy-stage", "driver: xy-stage\n    capacity: 0"),
            ],
            ["no policy 'sarra'", "'camra'", "devices.laser.url", "'140 s' is a time", "must be at least 1, got 0"],
        ),
    ],
    ids=["policy and bounds", "unknown key and bounds", "misspelt bound", "misspelt section", "lab"],
)
def test_no_stage_hides_the_mistakes_of_the_next(tmp_path, changes, lab_changes, expected):
    for name, pairs in (("campaign.yaml", changes), ("lab.yaml", lab_changes)):
        text = (EXAMPLES / "sara" / name).read_text()
        for old, new in pairs:
            assert old in text, old
            text = text.replace(old, new, 1)
        (tmp_path / name).write_text(text)
    found = _problems(tmp_path / "campaign.yaml")
    assert [any(text in problem for problem in found) for text in expected] == [True] * len(expected), found
    assert len(found) == len(expected), found


def test_a_lab_that_cannot_be_read_hides_nothing_of_the_campaign(tmp_path):
    text = (EXAMPLES / "sara/campaign.yaml").read_text().replace("policy: sara", "policy: sarra")
    (tmp_path / "campaign.yaml").write_text(text)
    found = _problems(tmp_path / "campaign.yaml")
    assert any("no policy 'sarra'" in problem for problem in found)
    assert any("lab.yaml" in problem for problem in found)
    assert len(found) == 2


def test_controls_are_checked_against_bounds_and_constraints():
    assert _problems(PHOTO, "controls.0.parameters.p10=50 mg") == [
        "--set controls.0.parameters.p10=50 mg: controls.0.parameters.p10: 50 mg lies outside 1 to 5 mg"
    ]
    found = _problems(PHOTO, "controls.0.parameters.nacl=4.75", "controls.0.parameters.sds=1")
    assert len(found) == 1
    assert "controls.0.parameters: constraint " in found[0]


def test_a_replayed_table_is_checked(replay):
    campaign = replay / "campaign.yaml"
    assert _problems(campaign) == []
    (found,) = _problems(campaign, "replay.columns.amount.column=amout")
    assert "no column 'amout'" in found
    (found,) = _problems(campaign, "replay.table=null")
    assert "--set replay.table=PATH" in found
    assert _problems(campaign, f"lab={EXAMPLES / 'photocatalysis' / 'lab.yaml'}") == [
        f"{campaign}:12:1: replay: no device of the lab 'photocatalysis' replays a table (url: sim:replay/robot)"
    ]


def test_a_pool_that_is_replayed_has_its_candidates_already(replay):
    file = replay / "campaign.yaml"
    (replay / "points.csv").write_text("x\n1\n")
    file.write_text(file.read_text() + "candidates: points.csv\n")
    found = _problems(file)
    assert any("rows of the replayed table are the only points already" in problem for problem in found)


def test_a_lab_that_replays_needs_a_table(replay):
    text = REPLAY[: REPLAY.index("replay:")].replace("equivalents", "mg").replace("% (HPLC)", "mg")
    (replay / "campaign.yaml").write_text(text)
    found = _problems(replay / "campaign.yaml")
    assert any("the lab replays a table; add a 'replay' section that describes it" in problem for problem in found)


def test_paths_count_from_their_file_and_options_from_here(replay, monkeypatch):
    ready = check_campaign(replay / "campaign.yaml").require()
    assert ready.worlds["replay"]["table"] == str(replay / "table.csv")
    shutil.copy(replay / "table.csv", replay / "other.csv")
    monkeypatch.chdir(replay)
    ready = check_campaign("campaign.yaml", overrides=["replay.table=other.csv"]).require()
    assert ready.worlds["replay"]["table"] == str(replay / "other.csv")


def test_a_driver_beside_the_lab_file_is_found_from_anywhere(replay):
    (replay / "mine.py").write_text("from drivers.instruments.bench import BenchDriver as Mine\n")
    ready = check_campaign(replay / "campaign.yaml", overrides=["lab.devices.robot.driver=bench"]).require()
    (replay / "lab.yaml").write_text(REPLAY_LAB.replace("bench", "./mine.py:Mine"))
    mine = check_campaign(replay / "campaign.yaml").require()
    assert mine.casting.players["robot"].driver is ready.casting.players["robot"].driver
    assert mine.lab.devices["robot"].driver == f"{replay / 'mine.py'}:Mine"


def test_what_was_recorded_is_ready_again():
    ready = check_campaign(SARA).require()
    again = Ready.from_data(ready.campaign.data(), ready.lab.data())
    assert again == ready
    assert again.limits["laser"]["anneal"]["peak_temperature_c"].high == 1350.0


def test_limits_of_lab_and_campaign_are_intersected():
    ready = check_campaign(
        SARA, overrides=["limits={laser.anneal: {peak_temperature: {low: 300 degC, high: 1400 degC}}}"]
    ).require()
    limit = ready.limits["laser"]["anneal"]["peak_temperature_c"]
    assert (limit.low, limit.high) == (300.0, 1350.0)


def test_mistakes_are_raised_all_together():
    with pytest.raises(InputError) as caught:
        check_campaign(SARA, overrides=["seed=x", "batch=0"]).require()
    assert len(caught.value.problems) == 2


def test_files_for_a_later_labpilot_are_refused(tmp_path):
    (tmp_path / "campaign.yaml").write_text("labpilot: 2\n")
    with pytest.raises(NewerVersion):
        check_campaign(tmp_path / "campaign.yaml")


def test_a_campaign_without_a_lab_says_how_to_name_one(replay):
    (replay / "campaign.yaml").write_text(REPLAY.replace("lab: lab.yaml\n", ""))
    assert _problems(replay / "campaign.yaml") == [
        f"{replay / 'campaign.yaml'}:1:1: lab: no lab is named; add 'lab: lab.yaml', or give --lab FILE"
    ]
    assert _problems(replay / "campaign.yaml", lab=replay / "lab.yaml") == []


def test_checking_loads_nothing_slow():
    code = (
        "import sys; from orchestrator.check import check_campaign; "
        f"assert check_campaign({SARA!r}).problems == (); "
        "print([name for name in ('torch', 'pint', 'pandas', 'sqlmodel', 'sklearn', 'gpytorch', 'botorch', 'ortools') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


JUNK = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        1e300,
        10**30,
        float("nan"),
        float("inf"),
        "",
        "x",
        "5 s",
        "$x",
        "$dwell",
        [],
        [1],
        {},
        {"a": 1},
    ]
)


def _paths(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _paths(inner, (*path, key))


def _mutate(data, path, action, junk):
    here = data
    for part in path[:-1]:
        here = here[part]
    last = path[-1]
    if action == "drop":
        del here[last]
    elif action == "rename" and isinstance(here, dict):
        here[f"{last}x"] = here.pop(last)
    elif action == "twice" and isinstance(here, list):
        here.append(copy.deepcopy(here[last]))
    else:
        here[last] = copy.deepcopy(junk)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), file=st.sampled_from(["sara", "photocatalysis"]), which=st.sampled_from(["campaign", "lab"]))
def test_any_mutation_is_fine_or_explained(data, file, which, tmp_path):
    folder = EXAMPLES / file
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    content = read_source(folder / f"{which}.yaml").data
    for _ in range(data.draw(st.integers(1, 3))):
        paths = [path for path in _paths(content) if path]
        if paths:
            action = data.draw(st.sampled_from(["drop", "rename", "twice", "junk"]))
            _mutate(content, data.draw(st.sampled_from(paths)), action, data.draw(JUNK))
    with (tmp_path / f"{which}.yaml").open("w") as stream:
        YAML(typ="safe", pure=True).dump(content, stream)
    try:
        checked = check_campaign(tmp_path / "campaign.yaml")
    except NewerVersion:
        return
    for problem in checked.problems:
        text = str(problem)
        assert text.startswith(str(tmp_path))
        assert problem.message
        assert not any(word in text for word in ("Input should", "input should", "validation", "pydantic", "\0"))
    assert bool(checked.problems) == (checked.summary is None)


def test_every_analysis_says_which_steps_it_needs():
    assert NEEDED_STEPS.keys() == ANALYSES.keys()
    assert {kind for groups in NEEDED_STEPS.values() for group in groups for kind in group} <= STEPS.keys()


_SODIUM = {"name": "naoh", "kind": "continuous", "unit": "mL", "low": 0, "high": 5, "when": {"nacl": [0]}}


def test_conditions_are_checked_with_the_controls_and_the_recipe():
    given = "parameters.3=" + json.dumps(_SODIUM)
    assert _problems(PHOTO, given) == []
    found = _problems(PHOTO, given, "controls.0.parameters.nacl=1")
    assert len(found) == 1
    assert "parameter 'naoh' exists only where nacl is 0" in found[0]
    wrong = "parameters.3=" + json.dumps({**_SODIUM, "when": {"nacl": [0.1]}})
    found = _problems(PHOTO, wrong)
    assert any("parameter 'naoh': when: parameter 'nacl': 0.1 mL is no level of its grid" in one for one in found)
    circle = "parameters.2=" + json.dumps({**_SODIUM, "name": "nacl", "step": 1, "when": {"naoh": [0]}})
    assert any(
        "go round in a circle" in one
        for one in _problems(PHOTO, given.replace('"high": 5', '"high": 5, "step": 1'), circle)
    )


def test_stripes_need_their_parameters_in_every_trial():
    dwell = {"name": "dwell", "kind": "continuous", "unit": "us", "low": 250, "high": 9000}
    given = json.dumps({**dwell, "when": {"peak_temperature": ["850 degC"]}})
    found = _problems(SARA, f"parameters.1={given}", "planner={policy: random}")
    assert len(found) == 1
    assert "'dwell' exists only under conditions" in found[0]


def test_a_planner_that_knows_no_conditions_is_refused():
    given = "parameters.3=" + json.dumps(_SODIUM)
    found = _problems(PHOTO, given, "planner.policy=screening", "planner.options={threshold: 5}")
    assert found and all("screening" in one for one in found)
