"""`labpilot check`: what a person and what a program reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.cli.main import supervise

PHOTO = "examples/photocatalysis/campaign.yaml"


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(Path(__file__).resolve().parents[3])


def test_a_sound_campaign_is_summarised(capsys):
    assert supervise(["check", PHOTO]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    for line in (
        "campaign   photocatalysis: maximize hydrogen",
        "planner    logei; an ask costs 30 s of lab time",
        "trials     128 in 8 batches, 16 of them controls",
        "devices    robot (bench); all simulated",
        "guard      none: nothing watches the devices beside the controller",
        "  1. perform        robot                        the device says how long",
        "duration   each trial lasts as long as its device says while it runs, which nothing here can foretell "
        "(at most 8 d)",
        "no mistakes",
    ):
        assert line in said.out.splitlines()


def test_what_trials_cost_by_their_fidelity_is_summed_up(capsys):
    assert supervise(["check", "examples/ten_minutes_of_light/campaign.yaml"]) == 0
    said = capsys.readouterr().out
    assert "cost       at most 15 for all trials; a trial costs 1 at one hour, 0.15 at ten minutes" in said
    assert "in all at most, less where the cost is spent before" in said


def test_units_of_which_nothing_is_known_are_named(capsys):
    example = "examples/ten_minutes_of_light/campaign.yaml"
    assert supervise(["check", example]) == 0
    assert "is a label" not in capsys.readouterr().out
    assert supervise(["check", example, "--set", "parameters.0.unit=mgg", "--set", "objectives.0.unit=spoons"]) == 0
    said = capsys.readouterr().out
    assert "unit       'mgg' is a label, of which nothing is known" in said
    assert "converted to; did you mean 'mg'?" in said
    assert "unit       'spoons' is a label" in said


def test_what_the_guard_of_a_lab_does_is_summed_up(capsys):
    assert supervise(["check", "examples/powder_lab/campaign.yaml"]) == 0
    assert "guard      8 interlocks, 12 trips; a trip stops its devices within 110 s" in capsys.readouterr().out


def test_a_campaign_of_reactions_holds_and_one_with_a_set_that_does_not_balance_is_told_so(capsys):
    example = "examples/lithium_cobalt_oxide/campaign.yaml"
    assert supervise(["check", example]) == 0
    assert "20 points over precursors, temperature" in capsys.readouterr().out
    assert supervise(["check", example, "--set", "planner.options.target=rutile"]) == 2
    assert "does not balance to rutile" in capsys.readouterr().err


def test_mistakes_go_to_stderr_all_at_once_with_code_2(capsys):
    options = ["--set", "budget.trials=0", "--set", "seed=x"]
    assert supervise(["check", PHOTO, *options]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert sorted(said.err.splitlines()) == [
        "",
        "--set budget.trials=0: budget.trials: must be at least 1, got 0",
        "--set seed=x: seed: must be a whole number, got text 'x'",
        "2 mistakes; nothing was started",
    ]


def test_json_of_a_sound_campaign(capsys):
    assert supervise(["check", PHOTO, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["is_sound"], found["problems"]) == (True, [])
    assert found["summary"]["devices"] == {"robot": "bench"}


def test_json_of_mistakes(capsys):
    assert supervise(["check", PHOTO, "--json", "--lab", "examples/sara/lab.yaml"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["summary"] is None
    assert found["problems"] == [
        {
            "file": PHOTO,
            "line": 29,
            "column": 15,
            "path": "recipe.0.perform.device",
            "message": "the lab has no device 'robot'; known: laser, stage, spectrometer, camera",
        }
    ]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--set", "planner.charge=measured"], "an ask costs the time it takes (no rerun repeats that)"),
        (["--set", "budget.duration=null"], "no limit of time"),
        (["--set", "recipe=[{wait: {duration: 3 h}}, {perform: {}}]"], "  1. wait           nothing"),
    ],
)
def test_the_summary_follows_the_campaign(options, line, capsys):
    assert supervise(["check", PHOTO, *options]) == 0
    assert line in capsys.readouterr().out


def test_the_points_of_a_pool_are_counted(tmp_path, capsys):
    (tmp_path / "table.csv").write_text("x,y\n" + "".join(f"{i / 10},{i}\n" for i in range(7)))
    (tmp_path / "lab.yaml").write_text(
        "labpilot: 1\nname: table\ndevices: {robot: {driver: bench, url: 'sim:replay/robot'}}\n"
    )
    (tmp_path / "campaign.yaml").write_text(
        "labpilot: 1\nname: again\nlab: lab.yaml\n"
        "parameters: [{name: x, kind: continuous, low: 0, high: 1}]\n"
        "objectives: [{name: y, direction: maximize}]\n"
        "recipe: [{perform: {}}]\nanalysis: {kind: reading}\nplanner: {policy: random}\nbudget: {trials: 3}\n"
        "replay: {table: table.csv}\n"
    )
    assert supervise(["check", str(tmp_path / "campaign.yaml")]) == 0
    assert "space      7 points over x" in capsys.readouterr().out


def test_what_is_used_of_sources_is_said(capsys):
    assert supervise(["check", "examples/photocatalysis_again/campaign.yaml"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:5] == [
        "sources    last winter: 62 values",
        "             2 failed results left out (lines 37, 64)",
        "           theory: 200 values",
    ]
