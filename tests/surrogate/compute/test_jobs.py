import math
from dataclasses import replace

import pytest

from surrogate.compute.errors import BadJob
from surrogate.compute.jobs import Job, JobClass, Rung, plan_deadline, plan_ladder

PLAN = Job(job_class=JobClass.PLAN, function="planner.work:plan", deadline_s=9.0, seen=4)


@pytest.mark.parametrize("path", ["", "plan", "a.b", "a:b:c", ":f", "a:", "a b:f", "1a:f", "a;b:f", "a:f()", "a..b:f"])
def test_a_function_is_an_import_path(path):
    with pytest.raises(BadJob, match="no import path"):
        replace(PLAN, function=path)


@pytest.mark.parametrize(
    "change",
    [
        {"timeout_s": 0.0}, {"timeout_s": math.inf}, {"slice_s": -1.0}, {"size": math.nan}, {"silence_s": 1.0},
        {"deadline_s": math.nan}, {"memory_bytes": -1}, {"retries": -1}, {"checkpoint": {"i": 1}},
        {"alternatives": (Rung(name="r", job=replace(PLAN, alternatives=(Rung(name="s"),))),)},
    ],
)  # fmt: skip
def test_a_job_that_makes_no_sense_is_refused(change):
    with pytest.raises(BadJob):
        replace(PLAN, **change)


def test_a_ladder_has_the_documented_rungs():
    quick = Job(job_class=JobClass.PLAN, function="planner.work:rescore")
    ladder = plan_ladder(PLAN, rescore=quick, stale=("old", 3), space_filling="sobol")
    assert ladder.label == "fresh full plan"
    assert [rung.name for rung in ladder.alternatives] == ["short list rescored", "stale plan", "space-filling"]
    assert ladder.alternatives[1].seen == 3 and ladder.alternatives[2].value == "sobol"
    shorter = plan_ladder(replace(PLAN, name="mine"), rescore=None, stale=None, space_filling=quick)
    assert shorter.label == "mine" and shorter.alternatives == (Rung(name="space-filling", job=quick),)


def test_a_plan_is_due_as_the_first_instrument_is_free():
    assert plan_deadline([40.0, 30.0, 90.0], dispatch_s=2.0) == 28.0
