import gc
import json
import os
import re
import signal
from pathlib import Path

import pytest

from orchestrator.cli.main import supervise
from orchestrator.directory import CampaignDirectory
from orchestrator.reading import read_snapshot

EXAMPLES = Path(__file__).parents[3] / "examples"
BENCH = [str(EXAMPLES / "photocatalysis/campaign.yaml"), "--set", "batch=4", "--planner", "random"]


def simulate(*more):
    return supervise(["simulate", *BENCH, "--trials", "4", *more])


def test_the_result_has_what_the_documentation_says(tmp_path, capsys):
    assert simulate("--json", str(tmp_path / "r.json")) == 0
    result = json.loads((tmp_path / "r.json").read_text())
    documented = (EXAMPLES.parent / "docs/simulate.md").read_text()
    for name in [*result, *result["trials"][0], *result["metrics"]]:
        assert f"`{name}`" in documented, name
    assert result["status"] == "finished"
    assert result["planner"] == "random"
    assert len(result["trials"]) == 4
    assert "4 measured" in capsys.readouterr().out


def test_repeats_are_a_list_of_seeds_and_leave_nothing_behind(tmp_path, capsys):
    assert simulate("--repeat", "2", "--seed", "5", "--json", "-") == 0
    results = json.loads(capsys.readouterr().out)
    assert [result["seed"] for result in results] == [5, 6]
    assert results[0]["trials"] != results[1]["trials"]


def test_kept_directories_are_numbered_by_repeat(tmp_path):
    assert simulate("--repeat", "2", "--out", str(tmp_path / "kept")) == 0
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["000", "001"]


def test_a_directory_in_use_is_left_alone(tmp_path, capsys):
    assert simulate("--out", str(tmp_path / "c")) == 0
    before = (tmp_path / "c/journal.sqlite").read_bytes()
    assert simulate("--out", str(tmp_path / "c")) == 2
    assert "already holds a campaign" in capsys.readouterr().err
    assert (tmp_path / "c/journal.sqlite").read_bytes() == before


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--set", "budget.trails=4"], "unknown key; did you mean 'trials'?"),
        (["--planner", "logie"], "did you mean 'logei'?"),
        (["--lab", "nowhere.yaml"], "nowhere.yaml"),
    ],
    ids=["key", "planner", "lab"],
)
def test_mistakes_are_found_before_the_start(tmp_path, capsys, more, message):
    assert simulate("--out", str(tmp_path / "c"), *more) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "c").exists()


def test_options_of_the_campaign_are_its_own_policys(tmp_path, capsys):
    screening = ["simulate", str(EXAMPLES / "screening/campaign.yaml"), "--trials", "16"]
    kept = ["--out", str(tmp_path / "c")]
    assert supervise([*screening, "--planner", "random", *kept]) == 0
    assert "screening with random" in capsys.readouterr().out
    assert read_snapshot(tmp_path / "c").campaign.config["planner"]["options"] == {}
    assert supervise([*screening, "--planner", "screening", "--out", str(tmp_path / "own")]) == 0
    assert read_snapshot(tmp_path / "own").campaign.config["planner"]["options"] == {"threshold": 5}


def test_options_given_beside_a_policy_are_that_policys(capsys):
    screening = ["simulate", str(EXAMPLES / "screening/campaign.yaml"), "--planner", "logei", "--trials", "1"]
    assert supervise([*screening, "--set", "planner.options.caushion=1"]) == 2
    said = capsys.readouterr().err
    assert "did you mean 'caution'?" in said
    assert "threshold" not in said


def test_resume_of_a_finished_campaign_says_so(tmp_path, capsys):
    assert simulate("--out", str(tmp_path / "c")) == 0
    assert supervise(["resume", str(tmp_path / "c")]) == 2
    assert "nothing is left to resume" in capsys.readouterr().err


def test_resume_of_anything_else_says_what_is_missing(tmp_path, capsys):
    assert supervise(["resume", str(tmp_path)]) == 2
    assert "no campaign directory" in capsys.readouterr().err


def test_the_demo_simulates_and_reports(tmp_path, capsys):
    assert supervise(["demo", "--out", str(tmp_path / "demo"), "--trials", "2"]) == 0
    assert "The report is" in capsys.readouterr().out
    assert (tmp_path / "demo/report.html").stat().st_size > 1_000_000


def test_a_second_demo_takes_another_directory(tmp_path):
    (tmp_path / "demo").mkdir()
    assert supervise(["demo", "--out", str(tmp_path / "demo"), "--trials", "1"]) == 0
    assert (tmp_path / "demo-2/report.html").exists()


def test_the_demo_runs_the_example_campaign():
    from importlib import resources

    packaged = resources.files("orchestrator.demo")
    assert packaged.joinpath("lab.yaml").read_text() == (EXAMPLES / "sara/lab.yaml").read_text()
    ours = packaged.joinpath("campaign.yaml").read_text().splitlines()
    theirs = (EXAMPLES / "sara/campaign.yaml").read_text().splitlines()
    changed = [line for line, other in zip(ours, theirs, strict=True) if line != other]
    assert [line.split(":")[0].strip() for line in changed] == ["name", "trials"]


@pytest.mark.parametrize("command", ["simulate", "resume"])
def test_a_result_file_that_cannot_be_is_refused_before_the_start(tmp_path, capsys, command):
    out = ["--out", str(tmp_path / "c")]
    given = [*BENCH, *out] if command == "simulate" else [str(tmp_path / "c")]
    assert supervise([command, *given, "--json", str(tmp_path)]) == 2
    assert "is a directory; name a file in it" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()


@pytest.fixture
def interrupted(monkeypatch):
    """Press Ctrl-C at the given steps of the series, counted from 1; twice at one that is given twice."""
    from orchestrator.cli.progress import LiveProgress

    def press_at(*steps):
        seen = []

        def step(_self, _trial, _act):
            seen.append(1)
            for _ in range(steps.count(len(seen))):
                os.kill(os.getpid(), signal.SIGINT)

        monkeypatch.setattr(LiveProgress, "step", step)

    return press_at


def test_a_stop_ends_a_series_and_what_there_is_is_written(tmp_path, capsys, interrupted):
    assert simulate("--repeat", "1", "--out", str(tmp_path / "one")) == 0
    one = len(read_snapshot(tmp_path / "one").steps)
    interrupted(one + 2)
    assert simulate("--repeat", "3", "--json", str(tmp_path / "r.json")) == 0
    results = json.loads((tmp_path / "r.json").read_text())
    assert [result["status"] for result in results] == ["finished", "stopped"]
    said = capsys.readouterr().out
    assert "the series ended early, after 2 of 3 seeds" in said
    assert "resume" not in said


def test_a_second_interrupt_keeps_the_seeds_that_had_ended(tmp_path, caplog, interrupted):
    assert simulate("--repeat", "1", "--out", str(tmp_path / "one")) == 0
    one = len(read_snapshot(tmp_path / "one").steps)
    interrupted(one + 2, one + 2)
    assert simulate("--repeat", "3", "--json", str(tmp_path / "r.json")) == 130
    assert json.loads((tmp_path / "r.json").read_text())[0]["status"] == "finished"
    gc.collect()
    assert "Traceback" not in caplog.text


def test_a_kept_campaign_that_was_stopped_says_how_to_go_on(tmp_path, capsys, interrupted):
    interrupted(2)
    assert simulate("--out", str(tmp_path / "c")) == 0
    assert f"`labpilot resume {tmp_path / 'c'}` goes on with it" in capsys.readouterr().out


def test_a_stop_before_anything_was_told_ends_with_a_result(tmp_path, monkeypatch):
    from orchestrator.loop import CampaignLoop

    show = CampaignLoop._show

    def stop_when_measured(self):
        show(self)
        self.stop.is_set = any(trial.outcome == "measured" for trial in self.history.trials)

    monkeypatch.setattr(CampaignLoop, "_show", stop_when_measured)
    sara = [str(EXAMPLES / "sara/campaign.yaml"), "--trials", "2", "--planner", "random"]
    kept = ["--json", str(tmp_path / "r.json"), "--out", str(tmp_path / "c")]
    assert supervise(["simulate", *sara, *kept]) == 0
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["status"] == "stopped"
    assert result["metrics"]["coverage_90"] == [None]
    assert result["metrics"]["boundary_error_c"] is None
    assert supervise(["report", str(tmp_path / "c")]) == 0


def test_minutes_of_laboratory_time_are_not_rounded_to_none(capsys):
    assert supervise(["simulate", *BENCH, "--trials", "1", "--set", "controls=[]"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"; (\d+ h \d+ min|\d+ min) of laboratory time in ", said), said


def test_a_directory_that_another_process_controls_is_in_use(tmp_path, capsys):
    assert simulate("--out", str(tmp_path / "c")) == 0
    with CampaignDirectory(tmp_path / "c").controlled():
        assert simulate("--out", str(tmp_path / "c")) == 4
        lab = ["--out", str(tmp_path / "c"), "--set", "planner.policy=random"]
        assert supervise(["run", str(EXAMPLES / "photocatalysis/campaign.yaml"), *lab]) == 4
    assert "start a new campaign with another --out" in capsys.readouterr().err


def test_resume_of_a_damaged_database_says_how_to_recover(tmp_path, capsys):
    assert simulate("--out", str(tmp_path / "c")) == 0
    (tmp_path / "c/journal.sqlite").write_bytes(b"this is not a database, it only looks like one" * 40)
    assert supervise(["resume", str(tmp_path / "c")]) == 6
    assert "journal.sqlite .recover`" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["resume", "status", "report"])
def test_a_campaign_of_a_later_format_is_refused_by_name(tmp_path, capsys, command):
    assert simulate("--out", str(tmp_path / "c")) == 0
    request = tmp_path / "c/campaign.json"
    request.write_text(request.read_text().replace('"labpilot": 1', '"labpilot": 2'))
    assert supervise([command, str(tmp_path / "c")]) == 5
    assert f"{request}: its campaign was written for format 2" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["resume", "status", "report", "export"])
def test_a_file_is_no_campaign_directory(tmp_path, capsys, command):
    (tmp_path / "README.md").write_text("hello")
    assert supervise([command, str(tmp_path / "README.md")]) == 2
    assert "README.md is a file; name the campaign directory" in capsys.readouterr().err


def test_another_planner_goes_without_sources(tmp_path):
    again = str(EXAMPLES / "photocatalysis_again/campaign.yaml")
    shorter = ["--trials", "4", "--set", "batch=4", "--planner", "random", "--out", str(tmp_path / "c")]
    assert supervise(["simulate", again, *shorter]) == 0
    assert read_snapshot(tmp_path / "c").sources == ()
