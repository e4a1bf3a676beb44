"""A campaign beside its guard: interlocks, trips and people, in virtual time and on real ports."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from orchestrator.check import check_campaign
from orchestrator.execution import Settings, resume, start
from orchestrator.guarding import place_of
from orchestrator.trips import heard_of, latched_of
from tests.orchestrator.guard import test_process
from tests.orchestrator.guard.rig import SAFE
from tests.orchestrator.guard.test_process import furnace
from tests.orchestrator.test_execution import _count as count
from tests.orchestrator.test_execution import _wait_for as wait_for
from tests.orchestrator.test_execution import journal

VIRTUAL = Settings(is_virtual=True, fsync=False)
WALL = Settings(is_virtual=False)
TEMPERATURE = "box-1.read_temperature"
CAMPAIGN = """
labpilot: 1
name: warming
lab: lab.yaml
parameters: [{name: target, kind: continuous, unit: degC, low: LOW, high: HIGH}]
objectives: [{name: at, direction: maximize, unit: degC}]
recipe:
  - command: {device: box-1, command: set_temperature, arguments: {target: $target, rate_k_per_min: 50 K/min}}
  - wait: {duration: PAUSE}
  - command: {device: box-1, command: set_temperature, arguments: {target: 20 degC, rate_k_per_min: 50 K/min}}
  - command: {device: box-1, command: read_temperature}
analysis: {kind: reading, options: {values: {at: read_temperature}}}
planner: {policy: random}
budget: {trials: TRIALS}
"""


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """Sockets, locks and latched trips of this test only, also in the processes that it starts."""
    with TemporaryDirectory(prefix="labpilot-") as short:  # a socket's path has 107 bytes at most
        monkeypatch.setenv("XDG_RUNTIME_DIR", short)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        yield


def oven(folder, *, url="sim:furnace/tcp", target=(60, 61), pause="30 min", trials=2, safety=None, **sections):
    guard = {
        "readings": {TEMPERATURE: {"every": "0.5 s", "stale": "5 s"}},
        "devices": {"box-1": SAFE | (safety or {})},
        "watchdog": {"controller": "5 s", "guard": "2 s", "answer": "1 s"},
        **sections,
    }
    lab = {
        "labpilot": 1,
        "name": "oven",
        "devices": {"box-1": {"driver": "furnace", "url": url}},
        "guard": guard,
    }
    told = {"LOW": target[0], "HIGH": target[1], "PAUSE": pause, "TRIALS": trials}
    text = CAMPAIGN
    for key, value in told.items():
        text = text.replace(key, str(value))
    (folder / "campaign.yaml").write_text(text)
    (folder / "lab.yaml").write_text(json.dumps(lab))
    return folder / "campaign.yaml"


def ready(*given, **more):
    return check_campaign(oven(*given, **more)).require()


HOT = {"trips": {"hot": {"when": f"{TEMPERATURE} > 45 degC", "stop": ["box-1"]}}}
NEVER = {"interlocks": {"box-1.set_temperature": {"needs": f"{TEMPERATURE} < 5 degC", "why": "the test says so"}}}


def told(path, kind=""):
    return [body for name, *_, body in journal(path) if name == "guard_told" and kind in ("", body["kind"])]


def of(path, kind):
    return [body for name, *_, body in journal(path) if name == kind]


# --- in virtual time -------------------------------------------------------------------------------------------------


def test_a_trip_is_seen_to_by_a_person_and_the_campaign_goes_on(tmp_path):
    path = tmp_path / "c"
    assert start(ready(tmp_path, **HOT), path, VIRTUAL).status == "finished"
    assert [body["facts"]["trip"] for body in told(path, "tripped")] == ["hot", "hot"]
    acknowledged = told(path, "acknowledged")
    assert [body["facts"]["who"] for body in acknowledged] == ["simulated person (as simulated)"] * 2
    asked = of(path, "question_asked")
    assert {body["kind"] for body in asked} == {"trip"}
    interventions = [body for body in of(path, "incident") if body["kind"] == "intervention"]
    assert len(interventions) == 2  # one for each trip, however often a person was asked
    assert "hot (box-1.read_temperature is" in interventions[0]["text"]
    assert of(path, "analysed")[0]["values"]["at"] < 60.0  # the furnace was stopped


def test_what_an_interlock_forbids_is_not_even_intended(tmp_path):
    path = tmp_path / "c"
    ending = start(ready(tmp_path, trials=1, **NEVER), path, VIRTUAL)
    assert ending.status in ("finished", "faulted")
    (lost, *_) = of(path, "trial_lost")
    assert "box-1.set_temperature: needs box-1.read_temperature < 5 degC (the test says so), but" in lost["reason"]
    assert "nothing was sent" in lost["reason"]
    assert of(path, "step_intended") == []
    (waits, *_) = [body for body in of(path, "incident") if body["kind"] == "guard"]
    assert waits["text"].startswith("waits for the guard's permission: box-1.set_temperature: needs")


def test_a_command_waits_for_what_it_needs(tmp_path):
    path = tmp_path / "c"
    needs = {"needs": f"{TEMPERATURE} < 30 degC or {TEMPERATURE} > 50 degC", "fresh": "1 s"}
    task = ready(tmp_path, trials=1, pause="60 s", interlocks={"box-1.set_temperature": needs})
    assert start(task, path, VIRTUAL).status == "finished"
    (waits,) = [body["text"] for body in of(path, "incident") if body["kind"] == "guard"]  # told once
    assert waits.startswith("waits for the guard's permission: box-1.set_temperature: needs")
    first, second = (
        at_s
        for kind, *_, at_s, body in journal(path)
        if kind == "step_intended" and body["command"] == "set_temperature"
    )
    assert second - first > 70.0
    assert of(path, "analysed")[0]["values"]["at"] > 50.0


def stops_at_step(number):
    steps = iter(range(1, number + 1))

    def on_step(_trial, _act):
        if next(steps, None) == number:
            signal.raise_signal(signal.SIGINT)

    return on_step


def test_a_trip_that_is_latched_stays_so_over_a_restart(tmp_path):
    path = tmp_path / "c"
    settings = Settings(is_virtual=True, fsync=False, on_step=stops_at_step(2))  # which waits for the trip
    assert start(ready(tmp_path, trials=1, pause="12 min", **HOT), path, settings).status == "stopped"
    assert latched_of(told(path)).keys() == {"hot"}
    assert told(path, "acknowledged") == []
    assert resume(path).status == "finished"
    assert len(told(path, "tripped")) == 1
    assert [body["facts"]["trip"] for body in told(path, "acknowledged")] == ["hot"]
    again = [body["text"] for body in told(path, "stopping")][-1]
    assert again == "stopping box-1: hot was latched before the guard started again"


def test_what_a_guard_told_is_folded_to_what_is_latched():
    def body(kind, number, run="a", **facts):
        return {"kind": kind, "text": "", "is_alarm": False, "facts": facts, "run": run, "number": number}

    bodies = [body("tripped", 1, trip="hot", reason="1"), body("tripped", 2, trip="cold", reason="2")]
    assert latched_of(bodies) == {"hot": "1", "cold": "2"}
    assert latched_of([*bodies, body("acknowledged", 3, trip="hot")]) == {"cold": "2"}
    assert heard_of([]) == ("", 0)
    assert heard_of([*bodies, body("guard_lost", 0, run="")]) == ("a", 2)


# --- in wall time: a process of its own ------------------------------------------------------------------------------

RUN = """
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from orchestrator.check import check_campaign
from orchestrator.execution import Settings, start
ready = check_campaign(Path(sys.argv[1])).require()
start(ready, Path(sys.argv[2]), Settings(is_virtual=False))
"""


def labpilot(*arguments):
    command = [sys.executable, "-m", "orchestrator.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def running(campaign, path):
    return subprocess.Popen([sys.executable, "-c", RUN, str(campaign), str(path)])


def test_on_real_ports_a_process_trips_and_people_acknowledge_there(tmp_path, monkeypatch):
    monkeypatch.setattr(test_process, "SPEED", 200.0)
    path = tmp_path / "c"
    with furnace("tcp", 20.0) as url:
        warm = {"trips": {"hot": HOT["trips"]["hot"] | {"when": f"{TEMPERATURE} > 55 degC"}}}  # and soon cooler again
        campaign = oven(tmp_path, url=url, pause="3 s", trials=1, **warm)
        child = running(campaign, path)
        try:
            assert wait_for(lambda: count(path, "question_asked") == 1, child)
            shown = labpilot("guard", "status", path)
            assert shown.returncode == 0
            assert "tripped     hot: box-1.read_temperature is" in shown.stdout
            assert "controller  heard" in shown.stdout

            refused = labpilot("guard", "acknowledge", path, "warm", "--reason", "try")
            assert (refused.returncode, "no trip is called 'warm'" in refused.stderr) == (3, True)
            stopped = labpilot("guard", "stop-all", path, "--reason", "smoke", "--as", "Ada")
            assert stopped.returncode == 0, stopped.stderr
            assert "box-1" in stopped.stdout.splitlines()[0]
            assert wait_for(lambda: labpilot("guard", "status", path).stdout.count("stop-all: Ada") == 1, child)
            acknowledged = labpilot("guard", "acknowledge", path, "stop-all", "--reason", "it was toast")
            assert acknowledged.returncode == 0, acknowledged.stderr
            assert wait_for(
                lambda: labpilot("guard", "acknowledge", path, "hot", "--reason", "seen").returncode == 0, child
            )
            assert child.wait(60) == 0
        finally:
            child.kill()
            child.wait()
        gone = labpilot("guard", "status", path)
        assert (gone.returncode, "no guard answers" in gone.stderr) == (3, True)
    closed = of(path, "question_closed")
    assert {body["by"] for body in closed} <= {"withdrawn"}  # it was seen to at the guard
    kinds = [body["kind"] for body in told(path)]
    assert kinds.count("acknowledged") == 2
    assert "stop_report" in kinds
    (state,) = (tmp_path / "state/labpilot").glob("guard-*.log")  # what is latched outlives the campaign
    assert "acknowledged" in state.read_text()


def test_the_guard_of_a_simulated_laboratory_ends_with_it(tmp_path):
    path = tmp_path / "c"
    child = running(oven(tmp_path, pause="6 s", trials=1), path)
    socket = place_of(path, check_campaign(tmp_path / "campaign.yaml").require().lab, os.environ).socket
    assert wait_for(lambda: count(path, "step_done") == 1, child)
    assert socket.exists()
    child.kill()
    child.wait()
    until_s = time.monotonic() + 20.0
    while socket.exists() and time.monotonic() < until_s:
        time.sleep(0.05)
    assert not socket.exists()
    assert resume(path).status == "finished"
    assert not socket.exists()
    assert [body for body in of(path, "incident") if body["kind"] not in ("recovery",)] == []
    assert {body["kind"] for body in told(path)} >= {"controller_heard"}


def test_without_its_guard_a_campaign_does_not_begin(tmp_path, capfd):
    path = tmp_path / "c"
    campaign = oven(tmp_path, trials=1)
    task = check_campaign(campaign).require()
    place = place_of(path, task.lab, os.environ)
    Path(place.socket).parent.mkdir(mode=0o700, parents=True)
    place.socket.mkdir()  # where no socket can be made
    from orchestrator.errors import LabRefused

    with pytest.raises(LabRefused, match="the guard did not start"):
        start(task, path, WALL)
    assert of(path, "step_intended") == []
    assert "guard" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"trips": {"hot": {"when": "box-2.read_temperature > 45 degC", "stop": ["box-1"]}}}, "no device 'box-2'"),
        ({"trips": {"hot": {"when": f"{TEMPERATURE} > 45 bar", "stop": ["box-1"]}}}, "bar"),
        ({"trips": {"hot": {"when": f"{TEMPERATURE} > 45 degC", "stop": ["box-2"]}}}, "what safe means for 'box-2'"),
        ({"interlocks": {"box-1.fly": {"needs": f"{TEMPERATURE} < 5 degC"}}}, "no command 'fly'"),
    ],
)
def test_mistakes_in_the_section_are_found_by_the_check(tmp_path, sections, message):
    found = check_campaign(oven(tmp_path, **sections))
    assert [problem for problem in found.problems if message in str(problem)], found.problems


def test_a_campaign_without_guard_has_none_to_ask(tmp_path):
    path = tmp_path / "c"
    oven(tmp_path, trials=1)
    lab = json.loads((tmp_path / "lab.yaml").read_text())
    del lab["guard"]
    (tmp_path / "lab.yaml").write_text(json.dumps(lab))
    start(check_campaign(tmp_path / "campaign.yaml").require(), path, VIRTUAL)
    asked = labpilot("guard", "status", path)
    assert (asked.returncode, "has no guard" in asked.stderr) == (2, True)
