import pytest

from orchestrator.health.finding import Level
from orchestrator.health.heartbeat import Pulse, heartbeat


def pulse(**changes):
    usual = {
        "directory": "runs/a", "state": "running", "is_alive": True, "lease_age_s": 3.0, "event_age_s": 20.0,
        "steps_under_way": 1, "questions": 0,
    }  # fmt: skip
    return Pulse(**{**usual, **changes})


@pytest.mark.parametrize(
    ("changes", "level", "said"),
    [
        ({}, Level.OK, "renewed its lease 3 s ago"),
        ({"lease_age_s": 95.0}, Level.WARNING, "renewed its lease 1 min 35 s ago"),
        ({"lease_age_s": -3600.0}, Level.WARNING, "1 h in the future: the clock was put back"),
        ({"lease_age_s": None}, Level.WARNING, "none holds the lease"),
        ({"is_alive": False, "state": "interrupted"}, Level.WARNING, "no controller is alive"),
        ({"is_alive": False, "state": "finished"}, Level.OK, "the campaign is finished"),
        ({"is_alive": False, "state": "stopped", "lease_age_s": None}, Level.OK, "the campaign is stopped"),
    ],
)
def test_the_controller(changes, level, said):
    found = next(iter(heartbeat(pulse(**changes))))
    assert (found.name, found.level) == ("controller", level)
    assert said in found.text


@pytest.mark.parametrize(
    ("changes", "level", "said"),
    [
        ({}, Level.OK, "the last event is 20 s old, 1 step under way"),
        ({"event_age_s": 30_000.0}, Level.OK, "8 h 20 min"),
        ({"event_age_s": 30_000.0, "steps_under_way": 0}, Level.NOTE, "0 steps"),
        ({"event_age_s": 30_000.0, "steps_under_way": 0, "state": "paused"}, Level.OK, "0 steps"),
        ({"event_age_s": 30_000.0, "steps_under_way": 0, "questions": 2}, Level.WARNING, "2 questions open"),
    ],
)
def test_the_progress(changes, level, said):
    found = list(heartbeat(pulse(**changes)))[1]
    assert (found.name, found.level) == ("progress", level)
    assert said in found.text


def test_virtual_time_has_no_quiet_hours():
    assert [found.name for found in heartbeat(pulse(event_age_s=None))] == ["controller"]
