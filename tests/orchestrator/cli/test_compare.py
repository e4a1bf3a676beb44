import json
import os
import signal
from pathlib import Path

import pytest

from orchestrator.cli import comparing
from orchestrator.cli.main import supervise

EXAMPLES = Path(__file__).parents[3] / "examples"
BENCH = str(EXAMPLES / "photocatalysis/campaign.yaml")
SHORT = ["--set", "batch=2", "--set", "controls=[]", "--trials", "4", "--planners", "random,sobol"]


def compare(out, *more):
    return supervise(["compare", BENCH, *SHORT, "--out", str(out), *more])


def test_a_comparison_is_told_drawn_and_kept(tmp_path, capsys):
    files = [tmp_path / name for name in ("c.png", "c.html", "c.json")]
    options = [
        word for option, file in zip(("--png", "--html", "--json"), files, strict=True) for word in (option, str(file))
    ]
    assert compare(tmp_path / "runs", "--repeat", "2", *options) == 0
    said = capsys.readouterr().out
    assert "[4/4]" in said
    assert "than random" in said or "no difference" in said
    assert "regret of hydrogen in µmol, lower is better" in said
    assert files[0].read_bytes().startswith(b"\x89PNG")
    assert "photocatalysis: random and sobol" in files[1].read_text()
    found = json.loads(files[2].read_text())
    assert [planner["label"] for planner in found["planners"]] == ["random", "sobol"]
    assert [planner["seeds"] for planner in found["planners"]] == [[0, 1], [0, 1]]
    assert [planner["violations"] for planner in found["planners"]] == [0, 0]
    assert found["measure"]["kind"] == "regret"


def test_runs_that_are_there_are_not_made_again(tmp_path, capsys):
    assert compare(tmp_path / "runs", "--repeat", "1", "--planners", "random") == 0
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "runs").rglob("*.json")}
    capsys.readouterr()
    assert compare(tmp_path / "runs", "--repeat", "2", "--json", str(tmp_path / "c.json")) == 0
    said = capsys.readouterr().out
    assert "1 run of 4 made before" in said and "random, seed 0:" not in said
    assert len(before) == 1
    assert {file: file.stat().st_mtime_ns for file in before} == before


def test_other_seeds_are_counted_up(tmp_path):
    assert compare(tmp_path / "runs", "--repeat", "2", "--seed", "7", "--json", str(tmp_path / "c.json")) == 0
    assert json.loads((tmp_path / "c.json").read_text())["planners"][0]["seeds"] == [7, 8]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--planners", "logie"], "--planners logie: no policy 'logie'; did you mean 'logei'?"),
        (["--planners", "logei:cauton=1"], "no option 'cauton'; did you mean 'caution'?"),
        (["--set", "budget.trails=3"], "did you mean 'trials'"),
        (["--png", "nowhere/c.png"], "--png nowhere/c.png: there is no directory nowhere"),
        (["--html", "."], "--html . is a directory"),
        (["--lab", "nowhere.yaml"], "nowhere.yaml: no such file"),
    ],
    ids=["planner", "option", "key", "png", "html", "lab"],
)
def test_mistakes_are_found_before_the_start(tmp_path, capsys, arguments, message):
    assert compare(tmp_path / "runs", *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_place_for_runs_that_is_a_file_is_refused(tmp_path, capsys):
    (tmp_path / "runs").write_text("mine")
    assert compare(tmp_path / "runs") == 2
    assert "is a file; name a directory" in capsys.readouterr().err


def test_a_failed_run_is_reported_and_the_others_are_compared(tmp_path, capsys, monkeypatch):
    def some(tasks, *, workers, on_end):
        real([task for task in tasks if task.seed != 1 or task.label != "sobol"], workers=workers, on_end=on_end)
        on_end(next(task for task in tasks if task.seed == 1 and task.label == "sobol"), "ValueError: no")

    real = comparing.make_all
    monkeypatch.setattr(comparing, "make_all", some)
    assert compare(tmp_path / "runs", "--repeat", "2") == 7
    said = capsys.readouterr().out
    assert "note: sobol, seed 1 failed: ValueError: no" in said


def test_a_planner_without_any_run_cannot_be_compared(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(comparing, "make_all", lambda tasks, *, workers, on_end: [on_end(t, "no") for t in tasks])
    assert compare(tmp_path / "runs", "--repeat", "1") == 7
    assert "no run of random and of sobol came to an end" in capsys.readouterr().err


def test_an_interrupt_keeps_and_shows_what_is_finished(tmp_path, capsys, monkeypatch):
    real = comparing._Bench._ended

    def press(self, task, trouble):
        real(self, task, trouble)
        if len(self.runs) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(comparing._Bench, "_ended", press)
    assert compare(tmp_path / "runs", "--repeat", "3", "--workers", "1", "--json", str(tmp_path / "c.json")) == 130
    found = json.loads((tmp_path / "c.json").read_text())
    assert [planner["seeds"] for planner in found["planners"]] == [[0], [0]]
    assert "note: 4 runs of 6 not made yet" in capsys.readouterr().out
    monkeypatch.undo()
    assert compare(tmp_path / "runs", "--repeat", "3") == 0
    assert "2 runs of 6 made before" in capsys.readouterr().out


def test_results_alone_go_to_stdout(tmp_path, capsys):
    assert compare(tmp_path / "runs", "--repeat", "1", "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["budget"] == 4
