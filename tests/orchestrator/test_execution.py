import asyncio
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from drivers.clock import RealClock
from drivers.links.tap import read_tap
from orchestrator.check import check_campaign
from orchestrator.directory import CampaignDirectory
from orchestrator.errors import InputError, InUse, LabRefused, StorageError
from orchestrator.execution import Settings, refuse_unarmed, resume, start
from orchestrator.journal import Journal, read_events
from orchestrator.lab import Lab
from orchestrator.results import busy_s, read_result
from orchestrator.worlds import VirtualWorlds

EXAMPLES = Path(__file__).parents[2] / "examples"
VIRTUAL = Settings(is_virtual=True, fsync=False)
BENCH = ["budget.trials=8", "batch=4", "planner.policy=random"]


def bench(*overrides):
    return check_campaign(EXAMPLES / "photocatalysis/campaign.yaml", None, [*BENCH, *overrides]).require()


def film(*overrides):
    given = ["planner.policy=random", "budget.trials=1", "recipe.3.adaptive_scan.points=3", *overrides]
    return check_campaign(EXAMPLES / "sara/campaign.yaml", None, given).require()


def killed(task, path, die):
    """Start a campaign in a process that `die` kills."""
    child = os.fork()
    if child == 0:
        try:
            start(task, path, Settings(is_virtual=True, fsync=False, on_step=die))
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])


def journal(path):
    engine = CampaignDirectory.open(path).database(migrate=False)
    with engine.connect() as connection:
        events = [(e.kind, e.trial, e.step, e.at_s, e.body) for e in read_events(connection)]
    engine.dispose()
    return events


def without_wall_time(events):
    measured = ("wall_s", "cpu_s")
    return [(*rest, {name: value for name, value in body.items() if name not in measured}) for *rest, body in events]


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
    assert re.fullmatch(
        r"no recipe fits into the .* that are left; nine of ten of the last \d+ trials took up to .*", result["reason"]
    )
    assert result["virtual_s"] <= 10 * 3600.0
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
    assert resume(tmp_path / "c").status == "finished"
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
    assert start(bench(), tmp_path / "faulted", VIRTUAL).status == "faulted"
    ending = start(bench("budget.trials=4"), tmp_path / "c", VIRTUAL)
    result = read_result(tmp_path / "c", wall_s=0.0, score=False)
    assert {trial["outcome"] for trial in result["trials"]} == {"lost"}
    assert "measurements are kept" in result["trials"][0]["reason"]
    assert len(list((tmp_path / "c" / "measurements").rglob("*.npz"))) == 4
    assert ending.status == "finished"


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("value", "sd", "name"),
    [(NAN, 0.1, "values.hydrogen"), (INF, 0.1, "values.hydrogen"), (1.0, NAN, "findings.0.sd.hydrogen")],
    ids=["nan", "inf", "sd"],
)
def test_an_analysis_without_a_number_costs_its_trials_and_not_the_campaign(tmp_path, monkeypatch, value, sd, name):
    import surrogate
    from surrogate.analysis import AnalysisResult, Finding

    class Odd:
        version = "0"

        def __call__(self, measurements, *, options):
            finding = Finding(parameters=options["parameters"], values={"hydrogen": value}, sd={"hydrogen": sd})
            return AnalysisResult(findings=(finding,), values={"hydrogen": value}, details={"curve": [NAN, {"x": INF}]})

    monkeypatch.setattr(surrogate, "ANALYSES", {**surrogate.ANALYSES, "reading": Odd()})
    assert start(bench("budget.trials=4"), tmp_path / "c", VIRTUAL).status == "finished"
    trials = read_result(tmp_path / "c", wall_s=0.0, score=False)["trials"]
    assert {trial["outcome"] for trial in trials} == {"lost"}
    assert f"{name} is not finite; measurements are kept" in trials[0]["reason"]


def test_what_an_analysis_draws_may_have_holes(tmp_path, monkeypatch):
    import surrogate
    from surrogate.analysis import AnalysisResult, Finding

    class Drawing:
        version = "0"

        def __call__(self, measurements, *, options):
            finding = Finding(parameters=options["parameters"], values={"hydrogen": 1.0})
            details = {"curve": [NAN, {"x": INF}], "array": np.array([1.0, NAN])}
            return AnalysisResult(findings=(finding,), values={"hydrogen": 1.0}, details=details)

    monkeypatch.setattr(surrogate, "ANALYSES", {**surrogate.ANALYSES, "reading": Drawing()})
    start(bench("budget.trials=4"), tmp_path / "c", VIRTUAL)
    details = [body["details"] for kind, *_, body in journal(tmp_path / "c") if kind == "analysed"]
    assert details == [{"curve": [None, {"x": None}], "array": [1.0, None]}] * 4


def test_what_the_planner_refuses_to_learn_costs_its_trials_and_not_the_campaign(tmp_path, monkeypatch):
    import surrogate
    from surrogate.analysis import AnalysisResult, Finding

    class Stranger:
        version = "0"

        def __call__(self, measurements, *, options):
            finding = Finding(parameters={"salt": 1.0}, values={"hydrogen": 1.0})
            return AnalysisResult(findings=(finding,), values={"hydrogen": 1.0})

    monkeypatch.setattr(surrogate, "ANALYSES", {**surrogate.ANALYSES, "reading": Stranger()})
    assert start(bench(), tmp_path / "c", VIRTUAL).status == "finished"
    texts = [body["text"] for kind, *_, body in journal(tmp_path / "c") if kind == "incident"]
    assert len(texts) == 8
    assert texts[0].startswith("the planner learnt nothing from trial 1: ")


@pytest.mark.parametrize("said", [ValueError("cholesky failed"), {"optical_gradient": NAN}, None], ids=str)
def test_a_map_that_cannot_be_drawn_ends_no_campaign(tmp_path, monkeypatch, said):
    from planner import Planner

    def uncertainty(self):
        if isinstance(said, Exception):
            raise said
        return said

    monkeypatch.setattr(Planner, "_map_uncertainty", uncertainty)
    stop_when_known = "stopping=[{map_uncertainty: {below: 1e9}}]"
    assert start(film("budget.trials=2", stop_when_known), tmp_path / "c", VIRTUAL).status == "finished"
    asked = [body for kind, *_, body in journal(tmp_path / "c") if kind == "asked"]
    assert len(asked) == 2
    assert all("map_uncertainty" not in body["diagnostics"] and "asks" in body["diagnostics"] for body in asked)


BAD_ANSWERS = {
    "nan": lambda points: [replace(p, parameters={**p.parameters, "p10": NAN}) for p in points],
    "outside": lambda points: [replace(p, parameters={**p.parameters, "p10": 1e9}) for p in points],
    "twice": lambda points: [points[0]] * len(points),
    "too many": lambda points: points * 3,
    "no plain value": lambda points: [replace(p, parameters={**p.parameters, "p10": np.int64(2)}) for p in points],
}


@pytest.mark.parametrize("answer", BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
def test_a_policy_that_proposes_what_it_may_not_is_replaced_by_chance(tmp_path, monkeypatch, answer):
    from planner.policies.space_filling import Sobol

    whole = Sobol.propose
    monkeypatch.setattr(Sobol, "propose", lambda self, data, n, rng: answer(whole(self, data, n, rng)))
    assert start(bench("planner.policy=sobol"), tmp_path / "c", VIRTUAL).status == "finished"
    result = read_result(tmp_path / "c", wall_s=0.0, score=False)
    proposed = [str(trial["parameters"]) for trial in result["trials"] if not trial["is_control"]]
    assert len(proposed) == len(set(proposed)) == 4
    asked = [body for kind, *_, body in journal(tmp_path / "c") if kind == "asked"]
    assert [body["policy"] for body in asked] == ["random", "random"]
    assert [body["diagnostics"]["pending"] for body in asked] == [2, 2]  # what was refused is not pending


def test_a_prediction_without_a_number_is_left_out(tmp_path, monkeypatch):
    from planner import Prediction
    from planner.policies.space_filling import Sobol

    whole = Sobol.propose

    def propose(self, data, n, rng):
        prediction = {"hydrogen": Prediction(mean=NAN, sd=1.0)}
        return [replace(point, predictions=prediction) for point in whole(self, data, n, rng)]

    monkeypatch.setattr(Sobol, "propose", propose)
    assert start(bench("planner.policy=sobol"), tmp_path / "c", VIRTUAL).status == "finished"
    asked = [body for kind, *_, body in journal(tmp_path / "c") if kind == "asked"]
    assert [body["policy"] for body in asked] == ["sobol", "sobol"]
    assert all(trial["predictions"] == {} for body in asked for trial in body["trials"])


def test_a_lab_that_keeps_failing_ends_the_campaign_as_faulted(tmp_path, monkeypatch):
    from drivers.errors import DeviceFault
    from drivers.instruments.bench import BenchDriver

    async def burnt(self, *, parameters, tag):
        raise DeviceFault("the robot is on fire")

    monkeypatch.setattr(BenchDriver, "start", _declared_like(BenchDriver.start, burnt))
    ending = start(bench(), tmp_path / "c", VIRTUAL)
    assert ending.status == "faulted"
    assert "the robot is on fire" in ending.reason


def test_a_campaign_that_gives_up_stops_its_instruments_and_says_which_it_could_not(tmp_path, monkeypatch):
    from drivers.errors import DeviceFault
    from drivers.instruments.laser_annealer import LaserAnnealerDriver
    from drivers.instruments.xy_stage import XYStageDriver

    async def burnt(self):
        raise DeviceFault("burnt out")

    async def hung(self):
        await asyncio.sleep(1e7)

    monkeypatch.setattr(LaserAnnealerDriver, "last_shot", _declared_like(LaserAnnealerDriver.last_shot, burnt))
    monkeypatch.setattr(XYStageDriver, "stop", hung)
    ending = start(film("budget.trials=9"), tmp_path / "c", VIRTUAL)
    assert ending.status == "faulted"
    assert ending.reason.endswith("stage could not be stopped: stage.stop: no outcome within 30 s")
    incidents = [(body["kind"], body["text"]) for kind, *_, body in journal(tmp_path / "c") if kind == "incident"]
    assert incidents[-2][0] == "recovery"
    assert incidents[-2][1].startswith("stopped laser after 3 trials in a row were lost: burnt out; burnt out")
    assert incidents[-1][0] == "intervention"


@pytest.mark.parametrize("n_killed", [1, 2])
def test_faults_are_counted_on_after_a_kill_and_anew_after_an_ending(tmp_path, monkeypatch, n_killed):
    from drivers.errors import DeviceFault
    from drivers.instruments.laser_annealer import LaserAnnealerDriver

    async def burnt(self):
        raise DeviceFault("burnt out")

    def die(trial, _act):
        if trial == 1 + n_killed:
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(LaserAnnealerDriver, "last_shot", _declared_like(LaserAnnealerDriver.last_shot, burnt))
    killed(film("budget.trials=9"), tmp_path / "c", die)
    assert resume(tmp_path / "c").status == "faulted"
    assert len(read_result(tmp_path / "c", wall_s=0.0, score=False)["trials"]) == 3
    assert resume(tmp_path / "c").status == "faulted"
    assert len(read_result(tmp_path / "c", wall_s=0.0, score=False)["trials"]) == 6


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
    resume(tmp_path / "c")
    whole, other = (read_result(tmp_path / name, wall_s=0.0, score=False)["trials"] for name in ("whole", "c"))
    assert other == whole


def test_a_full_disk_under_the_world_ends_the_campaign_and_resume_goes_on(tmp_path, monkeypatch):
    from simulators.world import WorldFile

    start(bench(), tmp_path / "whole", VIRTUAL)
    real, calls = WorldFile.update, []

    def full(self, items):
        calls.append(items)
        if len(calls) > 5:
            raise sqlite3.OperationalError("database or disk is full")
        real(self, items)

    monkeypatch.setattr(WorldFile, "update", full)
    with pytest.raises(StorageError, match=r"simulated world could not write its file \(database or disk is full\)"):
        start(bench(), tmp_path / "c", VIRTUAL)
    calls[:] = [None] * 10
    with pytest.raises(StorageError, match="disk is full"):
        start(bench(), tmp_path / "d", VIRTUAL)  # at its very first write
    monkeypatch.undo()
    resume(tmp_path / "c")
    whole, other = (read_result(tmp_path / name, wall_s=0.0, score=False)["trials"] for name in ("whole", "c"))
    assert other == whole


def test_a_world_that_somebody_else_runs_is_in_use(tmp_path, monkeypatch):
    from simulators import world

    monkeypatch.setattr(world.WorldFile.__init__, "__kwdefaults__", {"read_only": False, "lock_wait_s": 0.0})
    directory = CampaignDirectory.create(tmp_path / "c", {})
    directory.worlds.mkdir()
    other = world.WorldFile(directory.worlds / "photocatalysis.sqlite")
    task = bench()
    worlds = VirtualWorlds(directory=directory.worlds, clock=RealClock(), seed=0, options=task.worlds)
    with pytest.raises(InUse, match="another process runs the world"):
        worlds.resolve("photocatalysis", "robot")
    other.close()


def test_a_trial_that_was_killed_goes_on_with_the_references_that_it_began_with(tmp_path):
    old_in_the_end = "recipe.1.reference.max_age=20 s"  # young when trial 3 begins, not when it ends
    task = film("budget.trials=3", "recipe.3.adaptive_scan.points=4", old_in_the_end)
    start(task, tmp_path / "whole", VIRTUAL)
    seen = []

    def die(trial, act):
        seen.append((trial, act.command))
        if seen.count((3, "acquire")) == 4:
            os.kill(os.getpid(), signal.SIGKILL)

    killed(task, tmp_path / "c", die)
    resume(tmp_path / "c")
    for name in ("whole", "c"):
        events = journal(tmp_path / name)
        assert [trial for kind, trial, *_ in events if kind == "references_chosen"] == [2, 3]
        assert [trial for kind, trial, *_, body in events if kind == "measured" and body["role"] == "mirror"] == [1]
    whole, other = (read_result(tmp_path / name, wall_s=0.0, score=False)["trials"] for name in ("whole", "c"))
    assert other == whole


def test_a_reference_whose_file_is_lost_is_measured_again(tmp_path):
    def stop(trial, _act):
        if trial == 2:
            os.kill(os.getpid(), signal.SIGINT)

    path = tmp_path / "c"
    start(film("budget.trials=3"), path, Settings(is_virtual=True, fsync=False, on_step=stop))
    with closing(sqlite3.connect(path / "journal.sqlite")) as db:
        (file,) = db.execute("SELECT path FROM measurement WHERE role = 'mirror'").fetchone()
    (path / file).unlink()
    assert resume(path).status == "finished"
    events = journal(path)
    texts = [body["text"] for kind, *_, body in events if kind == "incident"]
    assert len(texts) == 1
    assert texts[0].startswith("the last mirror reference is lost and will be measured again: ")
    assert [trial for kind, trial, *_, body in events if kind == "measured" and body["role"] == "mirror"] == [1, 2]


def test_a_campaign_file_that_was_changed_since_it_began_is_refused(tmp_path):
    def stop(trial, _act):
        if trial == 2:
            os.kill(os.getpid(), signal.SIGINT)

    path = tmp_path / "c"
    start(film("budget.trials=3"), path, Settings(is_virtual=True, fsync=False, on_step=stop))
    request = (path / "campaign.json").read_text()
    changed = json.loads(request)
    changed["campaign"]["budget"]["trials"] = 2
    (path / "campaign.json").write_text(json.dumps(changed))
    with pytest.raises(
        InputError, match=r"was changed since .*: campaign\.budget\.trials is 2 and was 3\. .*put the file"
    ):
        resume(path)
    (path / "campaign.json").write_text(request)
    assert resume(path).status == "finished"


def test_a_display_that_fails_ends_itself_and_not_the_campaign(tmp_path):
    calls = []

    def fail(*_):
        calls.append(1)
        raise OSError("the terminal is gone")

    settings = Settings(is_virtual=True, fsync=False, on_progress=fail, on_step=fail)
    assert start(bench(), tmp_path / "c", settings).status == "finished"
    assert len(calls) == 2


# --- a stop, with three trials under way on devices that cannot be asked ------------------------------------------


def stopped_at(n_steps, *signals):
    seen = []

    def stop(_trial, _act):
        seen.append(1)
        if len(seen) == n_steps:
            for number in signals:
                os.kill(os.getpid(), number)

    return Settings(is_virtual=True, fsync=False, on_step=stop)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda s: s.name)
@pytest.mark.parametrize("n_steps", [3, 5, 7, 10])
def test_a_stop_lets_every_act_under_way_end_and_resume_ends_as_if_it_had_not_been(tmp_path, kitchen, number, n_steps):
    start(kitchen, tmp_path / "whole", VIRTUAL)
    assert start(kitchen, tmp_path / "c", stopped_at(n_steps, number)).status == "stopped"
    with closing(sqlite3.connect(tmp_path / "c/journal.sqlite")) as db:
        assert {row[0] for row in db.execute("SELECT state FROM step")} == {"done"}
    assert resume(tmp_path / "c").status == "finished"
    whole, other = (read_result(tmp_path / name, wall_s=0.0, score=False)["trials"] for name in ("whole", "c"))
    assert [(t["outcome"], t["values"]) for t in other] == [(t["outcome"], t["values"]) for t in whole]
    assert [body for kind, *_, body in journal(tmp_path / "c") if kind == "incident"] == []


def test_a_second_signal_breaks_the_step_off_makes_safe_and_can_be_resumed(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        start(film("budget.trials=2"), tmp_path / "c", stopped_at(6, signal.SIGINT, signal.SIGTERM))
    texts = [body["text"] for kind, *_, body in journal(tmp_path / "c") if kind == "incident"]
    assert texts == ["stopped laser, stage after CancelledError: "]
    assert resume(tmp_path / "c").status == "finished"
    assert "lost" not in {t["outcome"] for t in read_result(tmp_path / "c", wall_s=0.0, score=False)["trials"]}


def test_a_third_signal_ends_the_process_at_once(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    settings = stopped_at(6, signal.SIGTERM, signal.SIGTERM, signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        start(film("budget.trials=2"), tmp_path / "c", settings)
    assert signal.getsignal(signal.SIGTERM) == before
    assert [body for kind, *_, body in journal(tmp_path / "c") if kind == "incident"] == []


def test_the_names_of_a_trials_files_are_on_the_disk_before_anything_is_concluded(tmp_path, monkeypatch):
    from orchestrator import evidence

    seen = []
    real, append = evidence.sync_folder, Journal.append
    monkeypatch.setattr(evidence, "sync_folder", lambda path: seen.append(int(path.name)) or real(path))

    def appended(self, kind, body, *, trial=None, **rest):
        if kind == "plan_finished":
            seen.append(f"{trial} is over")
        return append(self, kind, body, trial=trial, **rest)

    monkeypatch.setattr(Journal, "append", appended)
    start(bench("budget.trials=4"), tmp_path / "c", Settings(is_virtual=True, fsync=True))
    over = [item for item in seen if isinstance(item, str)]
    assert len(over) == 4
    assert all(int(item.split()[0]) in seen[: seen.index(item)] for item in over)


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

    # Ctrl-C at a terminal goes to all that run there: a session of their own stands for one
    code = "import signal, sys; from pathlib import Path; from orchestrator.execution import resume\n"
    code += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job ignores it
    code += "ending = resume(Path(sys.argv[1])); sys.exit(0 if ending.status == 'stopped' else 1)"
    child = subprocess.Popen([sys.executable, "-c", code, str(path)], start_new_session=True)
    assert _wait_for(lambda: _count(path, "step_done") >= 4 and _is_moving(path), child)
    os.killpg(child.pid, signal.SIGINT)
    assert child.wait(60) == 0

    assert resume(path).status == "finished"
    events = journal(path)
    assert [kind for kind, *_ in events].count("controller_started") == 3
    assert [body for kind, *_, body in events if kind == "incident" and body["kind"] != "recovery"] == []
    assert [at_s for *_, at_s, _ in events] == sorted(at_s for *_, at_s, _ in events)
    with closing(sqlite3.connect(path / "journal.sqlite")) as db:
        created = datetime.fromisoformat(db.execute("SELECT created_utc FROM campaign").fetchone()[0])
        times = db.execute("SELECT utc, mono_s FROM journal").fetchall()
    off_s = [(datetime.fromisoformat(utc) - created).total_seconds() - at_s for utc, at_s in times]
    assert max(off_s, key=abs) == pytest.approx(0.0, abs=0.2)
    result = read_result(path, wall_s=0.0, score=False)
    assert len(result["trials"]) == 1
    bytes_by_device = {file.stem: list(read_tap(file)) for file in (path / "wire").iterdir()}
    assert sorted(bytes_by_device) == ["camera", "laser", "spectrometer", "stage"]
    assert any(b"FIRE" in passed.data for passed in bytes_by_device["laser"])
    with sqlite3.connect(path / "world/film-station.sqlite") as db:
        shots = db.execute("SELECT count(*) FROM state WHERE key LIKE 'shot/%'").fetchone()
    assert shots == (1,)


def _count(path, kind):
    try:
        with sqlite3.connect(f"file:{path / 'journal.sqlite'}?mode=ro", uri=True) as db:
            return db.execute("SELECT count(*) FROM journal WHERE kind = ?", (kind,)).fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def _is_moving(path):
    with closing(sqlite3.connect(f"file:{path / 'journal.sqlite'}?mode=ro", uri=True)) as db:
        kind, body = db.execute("SELECT kind, body FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
    return kind == "step_intended" and json.loads(body)["command"] == "move"


def _wait_for(condition, child, patience_s=120.0):
    until = time.monotonic() + patience_s
    while time.monotonic() < until and child.poll() is None:
        if condition():
            return True
        time.sleep(0.05)
    return condition()
