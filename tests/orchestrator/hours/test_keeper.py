"""Campaigns in a laboratory that closes: in virtual time, with a kitchen whose trials last as long as they are held."""

import os
import signal
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from drivers.clock import VIRTUAL_START
from orchestrator.check import check_campaign
from orchestrator.cli.telling import tell_status
from orchestrator.execution import Settings, resume, start
from orchestrator.hours.events import CLOSED, OPENED
from orchestrator.hours.reading import read_closings
from orchestrator.hours.windows import calendar_of
from orchestrator.people.giving import give
from orchestrator.people.orders import Kind, Order
from orchestrator.reading import open_reading, read_snapshot
from orchestrator.report.timeline import pack_timeline
from orchestrator.status.looks import read_status

VIRTUAL = Settings(is_virtual=True, fsync=False)
NIGHTS = "closed={zone: Europe/Berlin, windows: [{from: '18:00', to: '08:00', why: nights}]}"
HELD = (
    "parameters=[{name: volume, kind: continuous, unit: mL, low: 0.5 mL, high: 5 mL},"
    " {name: heat, kind: continuous, unit: degC, low: 50 degC, high: 400 degC},"
    " {name: hold, kind: continuous, unit: h, low: 1 h, high: 7 h}]"
)
LASTS = "duration=11 min + hold"


@pytest.fixture
def task(kitchen, tmp_path):
    def make(*overrides):
        told = [HELD, "recipe.1.wait.duration=$hold", LASTS, "budget.trials=12", *overrides]
        return check_campaign(tmp_path / "kitchen/campaign.yaml", None, told).require()

    return make


def trials_of(path):
    return read_snapshot(path).trials


def closed_during(task, path):
    """Return the trials that were under way while it was closed."""
    calendar = calendar_of([task.campaign.closed, task.lab.closed], task.lab.devices)
    found = []
    for trial in trials_of(path):
        if trial.started_s is not None and trial.outcome != "lost":
            start_at = VIRTUAL_START + timedelta(seconds=trial.started_s)
            span = calendar.closing(start_at)
            if span.start < VIRTUAL_START + timedelta(seconds=trial.finished_s):
                found.append(trial.number)
    return found


def events(path, *kinds):
    with closing(sqlite3.connect(f"file:{path / 'journal.sqlite'}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT kind FROM journal ORDER BY seq").fetchall()
    return [kind for (kind,) in rows if kind in kinds]


@pytest.mark.parametrize("policy", ["random", "logei"])
def test_no_trial_is_under_way_while_it_is_closed(task, tmp_path, policy):
    nights = task(NIGHTS, f"planner.policy={policy}")
    ending = start(nights, tmp_path / "run", VIRTUAL)
    assert ending.reason == "the budget of 12 trials is spent"
    assert closed_during(nights, tmp_path / "run") == []
    trials = trials_of(tmp_path / "run")
    bound = [trial for trial in trials if "time bound it: it had to end before it closes" in trial.proposal_reason]
    assert bound and len(bound) < len(trials)
    assert {trial.outcome for trial in trials} == {"measured"}


def test_closings_are_written_down_and_shown(task, tmp_path, capsys):
    path = tmp_path / "run"
    start(task(NIGHTS), path, VIRTUAL)
    with open_reading(path) as reading:
        found = list(read_closings(reading.connection))
    assert [round(one.start_s / 3600) for one in found][:2] == [0, 17]
    assert found[0].end_s == pytest.approx(7 * 3600.0)
    assert {one.why for one in found} == {"nights"} and found[1].under_way == ()
    rows = {row["name"]: row for row in pack_timeline(read_snapshot(path))["devices"]}
    assert rows["closed"]["n"] == len(found)
    status = read_status(path)
    assert (status.hours.closings, status.hours.is_closed) == (len(found), False)
    tell_status(status)
    assert "18:00 CET" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("kind", [CLOSED, OPENED])
def test_a_campaign_killed_while_it_is_closed_goes_on_as_one_that_was_not(task, tmp_path, monkeypatch, kind):
    nights = task(NIGHTS, "planner.policy=logei")
    start(nights, tmp_path / "whole", VIRTUAL)
    path = tmp_path / "killed"
    child = os.fork()
    if child == 0:
        from orchestrator.journal import Journal

        append, seen = Journal.append, []

        def until_the_second(journal, what, *args, **kwargs):
            event = append(journal, what, *args, **kwargs)
            seen.extend([what] if what == kind else [])
            if len(seen) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return event

        Journal.append = until_the_second
        try:
            start(nights, path, VIRTUAL)
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    assert read_status(path).hours.is_closed == (kind == CLOSED)
    resume(path)

    def facts(where):
        return [(t.number, dict(t.parameters), t.proposal_reason, t.started_s, t.finished_s) for t in trials_of(where)]

    assert facts(path) == facts(tmp_path / "whole")
    assert events(path, CLOSED, OPENED) == events(tmp_path / "whole", CLOSED, OPENED)


def test_nothing_begins_that_would_not_end_within_the_budget(task, tmp_path):
    budget = task("budget.duration=20 h", "budget.trials=100", "batch=2", "in_flight=3")
    ending = start(budget, tmp_path / "run", VIRTUAL)
    assert ending.status == "finished"
    assert ending.reason.startswith("no recipe fits into the ")
    assert ending.reason.endswith(" that are left; the shortest takes 1 h 11 min")
    trials = trials_of(tmp_path / "run")
    assert max(trial.finished_s for trial in trials) <= 20 * 3600.0
    assert any("it had to end before the budget is spent" in trial.proposal_reason for trial in trials)
    assert max(trial.finished_s for trial in trials) > 18 * 3600.0  # and no time is given away


def test_people_who_give_more_time_are_heard(task, tmp_path):
    """The budget of the file is 4 h; before it is resumed, somebody makes it 12 h."""
    path, short = tmp_path / "run", task("budget.duration=4 h")
    stopping = Settings(is_virtual=True, fsync=False, on_step=lambda trial, _step: stop_at(trial))
    with pytest.raises(KeyboardInterrupt):
        start(short, path, stopping)
    order = Order(id="1", kind=Kind.SET_BUDGET, reason="more is needed", arguments={"duration_s": 12 * 3600.0})
    give(path, order, within_s=0.0)
    ending = resume(path)
    assert 4 * 3600.0 < max(trial.finished_s for trial in trials_of(path)) <= 12 * 3600.0
    assert ending.reason.endswith("that are left; the shortest takes 1 h 11 min") or "12 trials" in ending.reason


def stop_at(trial):
    if trial == 2:
        raise KeyboardInterrupt


def test_what_takes_longer_than_expected_is_carried_on_and_learnt_from(task, tmp_path):
    """Trials take twice as long as is declared: at first some are still under way when it closes."""
    path, nights = tmp_path / "run", task(NIGHTS.replace("18:00", "12:00"), "duration=0.5*hold", "budget.trials=30")
    start(nights, path, VIRTUAL)
    with open_reading(path) as reading:
        carried = [one.under_way for one in read_closings(reading.connection)]
    hours = [row.text for row in read_snapshot(path).incidents if row.kind == "hours"]
    late = closed_during(nights, path)
    assert sorted(number for numbers in carried for number in numbers) == late
    assert len(hours) == sum(bool(numbers) for numbers in carried)
    assert late and max(late) <= 9, "nothing was learnt"
    reasons = [trial.proposal_reason for trial in trials_of(path)]
    assert any("and so to take no more than" in reason for reason in reasons[9:])


def test_what_fits_neither_before_a_closing_nor_after_it_ends_the_campaign(task, tmp_path):
    ending = start(task(NIGHTS, "budget.duration=19 h"), tmp_path / "run", VIRTUAL)  # until 20:00 in Berlin
    assert ending.status == "finished"
    assert "before it closes (nights), nor into what the budget leaves after that; the shortest" in ending.reason
    assert trials_of(tmp_path / "run")


def test_a_device_that_is_away_closes_the_laboratory_for_who_uses_it(task, tmp_path):
    away = "lab.closed={zone: UTC, windows: [{from: '00:00', to: '20:00', devices: [NAME]}]}"
    used = task(away.replace("NAME", "oven"))
    start(used, tmp_path / "used", VIRTUAL)
    assert min(trial.started_s for trial in trials_of(tmp_path / "used")) >= 20 * 3600.0
    assert closed_during(used, tmp_path / "used") == []
