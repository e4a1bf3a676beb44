from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.comparing.contenders import checked, read_contenders
from orchestrator.comparing.crew import make_all
from orchestrator.comparing.runs import kept, tasks_of

BENCH = Path(__file__).parents[3] / "examples/photocatalysis/campaign.yaml"
SHORT = ["batch=2", "controls=[]", "budget.trials=2"]


def tasks(out, planners="random", seeds=(0, 1), more=()):
    contenders = read_contenders(planners)
    ready = checked(BENCH, None, [*SHORT, *more], contenders)
    return [task for one in contenders for task in tasks_of(one, ready[one.label], seeds, out, {})]


def made(wanted, workers=2):
    ended = {}
    make_all(wanted, workers=workers, on_end=lambda task, trouble: ended.update({task.seed: trouble}))
    return ended


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    wanted = tasks(tmp_path_factory.mktemp("runs"))
    assert made(wanted) == {0: "", 1: ""}
    return wanted


def test_runs_are_kept_with_what_they_were_asked(two):
    runs = [kept(task) for task in two]
    assert [run.seed for run in runs] == [run.result["seed"] for run in runs] == [0, 1]
    assert [len(run.result["trials"]) for run in runs] == [2, 2]
    assert runs[0].result["trials"] != runs[1].result["trials"]
    assert (runs[0].violations, runs[0].fallbacks) == (0, [])
    assert runs[0].result["planning_cpu_s"] > 0
    assert not two[0].log.exists()


@pytest.mark.parametrize(
    "more", [["budget.trials=3"], ["parameters.p10.high=4"], ["lab.simulation.photocatalysis.failures=false"]]
)
def test_a_run_of_other_terms_is_not_taken_for_this_one(two, more):
    out = two[0].file.parent.parent
    assert [kept(task) for task in tasks(out, more=more)] == [None, None]
    assert [kept(task) is not None for task in tasks(out)] == [True, True]


def test_a_damaged_file_is_no_run(two, tmp_path):
    task = replace(two[0], file=tmp_path / "seed-0000.json")
    whole = two[0].file.read_text()
    for text in (whole[: len(whole) // 2], "", "[]", whole.replace(task.fingerprint, "0" * 64)):
        task.file.write_text(text)
        assert kept(task) is None
    task.file.write_text(whole)
    assert kept(task) is not None


def test_a_run_that_fails_and_one_whose_process_dies_cost_no_other(tmp_path):
    good, bad, deadly = tasks(tmp_path, seeds=(0, 1, 2))
    (tmp_path / "die.py").write_text("import os\nos._exit(3)\n")
    lab = {**deadly.lab, "devices": {"robot": {**deadly.lab["devices"]["robot"], "driver": f"{tmp_path}/die.py:Bench"}}}
    bad = replace(bad, campaign={**bad.campaign, "parameters": []})
    ended = made([bad, replace(deadly, lab=lab), good], workers=1)
    assert ended[0] == ""
    assert "parameters" in ended[1] and f"more in {bad.log}" in ended[1]
    assert "exit code 3" in ended[2]
    assert [kept(task) is not None for task in (good, bad, deadly)] == [True, False, False]
    assert "Traceback" in bad.log.read_text()
