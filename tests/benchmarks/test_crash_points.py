"""Crash points in a short form: a few moments of one sample's life, of each kind, with the recovery killed as well."""

import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

CRASH_POINTS = Path(__file__).parents[2] / "benchmarks" / "crash_points.py"


def run(*arguments):
    command = [sys.executable, str(CRASH_POINTS), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)


def test_nothing_is_lost_or_done_twice_wherever_a_controller_is_killed():
    ran = run("--every", "220", "--again", "one")
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-2000:]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in ran.stdout.splitlines() if line[:1] == "|"]
    names, total = rows[0], dict(zip(rows[0], rows[-1], strict=True))
    assert {row[names.index("at")] for row in rows[2:-1]} == {"journal", "file", "acting", "polling"}
    assert total["lives"] == total["resumed to the end"] != "0"
    assert [total[name] for name in ("measurements lost", "done twice", "violations", "failed")] == ["0"] * 4
    assert int(re.match(r"(\d+) moments", ran.stdout)[1]) > 1000


@pytest.fixture
def judges(monkeypatch):
    monkeypatch.syspath_prepend(str(CRASH_POINTS.parent))
    import crash_judges

    return crash_judges


@pytest.fixture
def whole(judges):
    return judges.Story(
        outcome="measured",
        measured=["dose.BaCO3 a.npz", "pattern b.npz"],
        once=Counter({"doser-1 dispense BaCO3": 1, "box program": 1}),
        made={"mg of witherite poured": 880.0},
        ends_at=["chute"],
        interventions=0,
        ended_s=40_000.0,
        problems=[],
        violations=0,
        measurements_lost=0,
    )


def test_an_equal_life_has_no_problem(judges, whole):
    verdict = judges.compare(replace(whole, ended_s=40_060.0), whole)
    assert not verdict.is_failed
    assert verdict.lost_s == 60.0


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"outcome": "lost"}, "the trial ended as lost"),
        ({"measured": ["pattern b.npz"]}, "lost measurement dose.BaCO3 a.npz"),
        ({"once": Counter({"doser-1 dispense BaCO3": 2, "box program": 1})}, "done 1 times too often: doser-1 dis"),
        ({"once": Counter({"doser-1 dispense BaCO3": 1})}, "never done: box program"),
        ({"made": {"mg of witherite poured": 1760.0}}, "witherite poured is 1760, and unkilled 880"),
        ({"ends_at": ["xrd-1"]}, "the sample ended at"),
        ({"problems": ["lost container: it fell"]}, "lost container"),
        ({"measurements_lost": 1}, "1 files are not what their rows say"),
    ],
    ids=["outcome", "measurement", "twice", "never", "made", "place", "law", "file"],
)
def test_whatever_is_other_than_in_the_unkilled_life_is_a_problem(judges, whole, changes, problem):
    verdict = judges.compare(replace(whole, **changes), whole)
    assert verdict.is_failed
    assert problem in "; ".join(verdict.problems)
