import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.errors import InUse
from orchestrator.journal import read_events
from orchestrator.record.lease import Pace, acquire, read_lease

CONTROLLER = Path(__file__).with_name("controller.py")
PACE = Pace(renew_s=0.2, stale_s=0.6)


class Controller:
    """A controller in another process."""

    def __init__(self, path):
        self.process = subprocess.Popen(
            [sys.executable, CONTROLLER, path, str(PACE.renew_s), str(PACE.stale_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.getcwd()},
        )

    def says(self):
        return self.process.stdout.readline().strip()

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.says()

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def controllers(directory, engine):
    made = []

    def another():
        made.append(Controller(directory.path))
        return made[-1]

    yield another
    for controller in made:
        controller.end()


def facts(engine):
    with engine.connect() as connection:
        return read_lease(connection)


def after_a_renewal(engine):
    """Return right after a renewal, when the other controller has nothing under way."""
    before = facts(engine).renewals
    until = time.monotonic() + 10
    while facts(engine).renewals == before:
        assert time.monotonic() < until
        time.sleep(0.005)


def test_a_second_process_is_refused_and_takes_over_where_the_first_is_killed(controllers, engine):
    first = controllers()
    assert first.says() == "epoch 1"
    second = controllers()
    assert f"refused InUse: this campaign is controlled by process {first.process.pid} on" in second.says()
    assert first.tell("still here") == "sent"
    first.signal(signal.SIGKILL)
    first.process.wait()
    third = controllers()
    assert third.says() == "epoch 2"
    assert third.tell("end") == "released"
    assert facts(engine).owner is None


def test_a_paused_controller_that_wakes_up_sends_nothing(controllers, engine, directory):
    first = controllers()
    assert first.says() == "epoch 1"
    assert first.tell("one") == "sent"
    after_a_renewal(engine)
    first.signal(signal.SIGSTOP)
    with pytest.raises(InUse, match="which said so"):
        acquire(engine, pace=PACE)
    time.sleep(PACE.stale_s)
    second = controllers()
    assert second.says() == "epoch 2"
    assert second.tell("two") == "sent"
    first.signal(signal.SIGCONT)
    assert "refused Fenced: another controller has gone on with this campaign" in first.tell("three")
    assert "refused Fenced: another controller has gone on with this campaign" in first.tell("four")
    assert first.tell("end") == "released"  # which takes nothing from the second
    assert second.tell("five") == "sent"
    assert (directory.path / "sent").read_text().split() == ["one", "two", "five"]
    with engine.connect() as connection:
        assert [event.body["text"] for event in read_events(connection)] == ["one", "two", "five"]


def test_a_controller_that_was_paused_between_intent_and_act_looks_again(controllers, engine):
    first = controllers()
    assert first.says() == "epoch 1"
    assert first.tell("intent") == "sent"
    after_a_renewal(engine)
    first.signal(signal.SIGSTOP)
    time.sleep(PACE.stale_s)
    second = controllers()
    assert second.says() == "epoch 2"  # and has written nothing yet
    first.signal(signal.SIGCONT)
    assert "refused Fenced: another controller has gone on" in first.tell("confirm")
