import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.check import check_campaign
from orchestrator.directory import CampaignDirectory
from orchestrator.errors import InputError, InUse, LabRefused, StorageError
from orchestrator.execution import Settings, refuse_unarmed, resume, start
from orchestrator.journal import read_events
from orchestrator.lab import Lab
from orchestrator.results import busy_s, read_result

EXAMPLES = Path(__file__).parents[2] / "examples"
VIRTUAL = Settings(is_virtual=True, fsync=False)
BENCH = ["budget.trials=8", "batch=4", "planner.policy=random"]


def bench(*overrides):
    return check_campaign(EXAMPLES / "photocatalysis/campaign.yaml", None, [*BENCH, *overrides]).require()


def film(*overrides):
    given = ["planner.policy=random", "budget.trials=1", "recipe.3.adaptive_scan.points=3", *overrides]
    return check_campaign(EXAMPLES / "sara/campaign.yaml", None, given).require()


def journal(path):
    engine = CampaignDirectory.open(path).database(migrate=False)
    with engine.connect() as connection:
        events = [(e.kind, e.trial, e.step, e.at_s, e.body) for e in read_events(connection)]
    engine.dispose()
    return events


def without_wall_time(events):
    return [(*rest, {name: value for name, value in body.items() if name != "wall_s"}) for *rest, body in events]


def test_equal_seeds_give_equal_journals(tmp_path):
    for name in ("a", "b"):
        start(bench(), tmp_path / name, VIRTUAL)
    assert without_wall_time(journal(tmp_path / "a")) == without_wall_time(journal(tmp_path / "b"))


def test_another_seed_gives_another_campaign(tmp_path):
    start(bench(), tmp_path / "a", VIRTUAL)
    start(bench("seed=1"), tmp_path / "b", VIRTUAL)
    assert without_wall_time(journal(tmp_path / "a")) != without_wall_time(journal(tmp_path / "b"))


def test_a_batch_runs_side_by_side_with_its_controls(tmp_path):
    start(bench(), tmp_path / "c", VIRTUAL)
    result = read_result(tmp_path / "c", wall_s=1.0)
    assert result["status"] == "finished"
    assert [trial["is_control"] for trial in result["trials"]] == [False, False, True, True] * 2
    first = [trial for trial in result["trials"] if trial["batch"] == 0]
    assert max(trial["started_s"] for trial in first) < min(trial["finished_s"] for trial in first)
    assert result["metrics"]["constraint_violations"] == 0


def test_the_budget_of_time_ends_a_campaign(tmp_path):
    start(bench("budget.trials=400", "budget.duration=10 h", "batch=16"), tmp_path / "c", VIRTUAL)
    result = read_result(tmp_path / "c", wall_s=1.0, score=False)
    assert result["reason"] == "the budget of 10 h is spent"
    assert 0 < len(result["trials"]) < 400


def test_a_finished_campaign_is_not_resumed(tmp_path):
    start(bench(), tmp_path / "c", VIRTUAL)
    with pytest.raises(InputError, match=r"has finished \(the budget of 8 trials is spent\)"):
        resume(tmp_path / "c")


def test_a_directory_is_not_used_twice(tmp_path):
    start(bench(), tmp_path / "c", VIRTUAL)
    with pytest.raises(InputError, match="already holds a campaign"):
        start(bench(), tmp_path / "c", VIRTUAL)


def test_an_interrupt_stops_after_the_step_and_resume_ends_as_if_it_had_not_been(tmp_path):
    start(bench(), tmp_path / "whole", VIRTUAL)
    seen = []

    def interrupt(_trial, _act):
        seen.append(1)
        if len(seen) == 6:
            os.kill(os.getpid(), signal.SIGINT)

    ending = start(bench(), tmp_path / "c", Settings(is_virtual=True, fsync=False, on_step=interrupt))
    assert ending.status == "stopped"
    assert resume(tmp_path / "c", fsync=False).status == "finished"
    whole, stopped = (read_result(tmp_path / name, wall_s=0.0, score=False)["trials"] for name in ("whole", "c"))
    assert stopped == whole


def test_a_planner_that_raises_is_replaced_by_chance_and_the_report_knows(tmp_path, monkeypatch):
    from planner.policies.space_filling import Sobol

    def broken(self, data, n, rng):
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(Sobol, "propose", broken)
    start(bench("planner.policy=sobol"), tmp_path / "c", VIRTUAL)
    result = read_result(tmp_path / "c", wall_s=0.0)
    assert len(result["trials"]) == 8
    assert result["metrics"]["constraint_violations"] == 0
    texts = [body["text"] for kind, *_, body in journal(tmp_path / "c") if kind == "incident"]
    assert texts == ["policy 'sobol' raised ZeroDivisionError: a defect"] * 2


def test_an_analysis_that_raises_keeps_the_measurements(tmp_path, monkeypatch):
    import surrogate

    class Broken:
        version = "0"

        def __call__(self, measurements, *, options):
            raise ZeroDivisionError("a defect")

    monkeypatch.setattr(surrogate, "ANALYSES", {**surrogate.ANALYSES, "reading": Broken()})
    ending = start(bench("budget.trials=4"), tmp_path / "c", VIRTUAL)
    result = read_result(tmp_path / "c", wall_s=0.0, score=False)
    assert {trial["outcome"] for trial in result["trials"]} == {"lost"}
    assert "measurements are kept" in result["trials"][0]["reason"]
    assert len(list((tmp_path / "c" / "measurements").rglob("*.npz"))) == 4
    assert ending.status in ("finished", "faulted")


def test_a_lab_that_keeps_failing_ends_the_campaign_as_faulted(tmp_path, monkeypatch):
    from drivers.errors import DeviceFault
    from drivers.instruments.bench import BenchDriver

    async def burnt(self, *, parameters, tag):
        raise DeviceFault("the robot is on fire")

    monkeypatch.setattr(BenchDriver, "start", _declared_like(BenchDriver.start, burnt))
    ending = start(bench(), tmp_path / "c", VIRTUAL)
    assert ending.status == "faulted"
    assert "the robot is on fire" in ending.reason


def _declared_like(original, function):
    function.__dict__.update({name: value for name, value in vars(original).items() if name != "__wrapped__"})
    return function


def test_a_device_that_does_not_answer_stops_everything_before_the_start(tmp_path, monkeypatch):
    from drivers.errors import NotConnected
    from drivers.instruments.bench import BenchDriver

    async def absent(self):
        raise NotConnected("no such port")

    monkeypatch.setattr(BenchDriver, "connect", absent)
    with pytest.raises(
        LabRefused, match=r"did not connect; nothing was started:\n  robot \(sim:photocatalysis/robot\): no such port"
    ):
        start(bench(), tmp_path / "c", VIRTUAL)


def test_a_full_disk_ends_the_campaign_and_resume_goes_on(tmp_path, monkeypatch):
    import errno

    import orchestrator.measurements as files

    start(bench(), tmp_path / "whole", VIRTUAL)
    real, calls = os.replace, []

    def full(*args):
        calls.append(args)
        if len(calls) > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*args)

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(StorageError, match="No space left on device"):
        start(bench(), tmp_path / "c", VIRTUAL)
    monkeypatch.undo()
    resume(tmp_path / "c", fsync=False)
    whole, other = (read_result(tmp_path / name, wall_s=0.0, score=False)["trials"] for name in ("whole", "c"))
    assert other == whole


def test_two_processes_on_one_directory(tmp_path):
    directory = CampaignDirectory.create(tmp_path / "c", {})
    with directory.controlled(), pytest.raises(InUse, match="controlled by another process"):
        resume(tmp_path / "c")


def test_real_hardware_needs_a_word():
    data = {
        "labpilot": 1,
        "name": "real",
        "devices": {"stage": {"driver": "xy-stage", "url": "serial:///dev/ttyUSB0"}},
    }
    lab = Lab.from_data(data)
    with pytest.raises(LabRefused, match=r"real hardware: stage \(serial:///dev/ttyUSB0\); nothing was started"):
        refuse_unarmed(lab, is_armed=False)
    refuse_unarmed(lab, is_armed=True)


@pytest.mark.parametrize(
    ("intervals", "busy"),
    [([], 0.0), ([(0, 1)], 1.0), ([(0, 2), (1, 3)], 3.0), ([(0, 5), (1, 2), (6, 7)], 6.0)],
    ids=str,
)
def test_busy_time_is_the_union(intervals, busy):
    assert busy_s(intervals) == busy


# --- wall time: the same campaign file through pseudo-terminals and pyserial -------------------------------------


def test_in_wall_time_the_same_files_run_over_serial_ports_and_survive_a_kill(tmp_path):
    path = tmp_path / "c"
    code = (
        "import sys; from pathlib import Path\n"
        "from orchestrator.check import check_campaign\n"
        "from orchestrator.execution import Settings, start\n"
        "ready = check_campaign(Path(sys.argv[1]), None, sys.argv[3:]).require()\n"
        "start(ready, Path(sys.argv[2]), Settings(is_virtual=False))\n"
    )
    overrides = ["planner.policy=random", "budget.trials=1", "recipe.3.adaptive_scan.points=3"]
    command = [sys.executable, "-c", code, str(EXAMPLES / "sara/campaign.yaml"), str(path), *overrides]
    child = subprocess.Popen(command)
    assert _wait_for(lambda: _count(path, "step_done") >= 2, child)
    child.kill()
    child.wait()
    ending = resume(path)
    assert ending.status == "finished"
    kinds = [kind for kind, *_ in journal(path)]
    assert kinds.count("controller_started") == 2
    result = read_result(path, wall_s=0.0, score=False)
    assert len(result["trials"]) == 1
    with sqlite3.connect(path / "world/film-station.sqlite") as db:
        shots = db.execute("SELECT count(*) FROM state WHERE key LIKE 'shot/%'").fetchone()
    assert shots == (1,)


def _count(path, kind):
    try:
        with sqlite3.connect(f"file:{path / 'journal.sqlite'}?mode=ro", uri=True) as db:
            return db.execute("SELECT count(*) FROM journal WHERE kind = ?", (kind,)).fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def _wait_for(condition, child, patience_s=120.0):
    until = time.monotonic() + patience_s
    while time.monotonic() < until and child.poll() is None:
        if condition():
            return True
        time.sleep(0.05)
    return condition()
