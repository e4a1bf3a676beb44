"""The live suite on real ports: every instrument served in a process of its own, on each of its wires."""

import json
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from drivers.registry import driver_class
from simulators.conformance import check_live
from simulators.conformance.page import subjects
from simulators.conformance.suite import subjects_of
from simulators.conformance.trial import clean_run

QUICK_S = 1.5
"""Commands that take longer are tried in virtual time only."""

WIRES = [(name, subject.instrument) for name in subjects() for subject in subjects_of(driver_class(name))]


@contextmanager
def served(world, state):
    command = [sys.executable, "-m", "simulators.serve", "--world", world, "--state", str(state)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=20)


def quick_commands(subject):
    """Return the commands that are over soon, with what they need before."""
    durations = {command: clean_run(subject, command).duration_s for command in subject.specs}

    def total(command, depth=0):
        before = subject.specs[command].after if depth < 10 else ()
        return durations[command] + sum(total(name, depth + 1) for name in before)

    return [command for command in durations if total(command) <= QUICK_S]


@pytest.mark.parametrize(("name", "instrument"), WIRES, ids=[f"{name}-{wire}" for name, wire in WIRES])
def test_an_instrument_conforms_on_a_real_port(name, instrument, tmp_path):
    driver = driver_class(name)
    subject = next(found for found in subjects_of(driver) if found.instrument == instrument)
    commands = quick_commands(subject)
    with served(driver.manifest.simulator.partition("/")[0], tmp_path / "world.db") as urls:
        report = check_live(driver, urls[instrument], name=name, allow_actuation=True, only=commands)
    assert [(result.command, result.fault, result.problems) for result in report.failures] == []
    assert {result.command for result in report.results if not result.why_not} >= {"connect", "identify", "close"}


def test_a_driver_that_blocks_the_event_loop_is_found(tmp_path, monkeypatch):
    driver = driver_class("cryostat")
    subject = next(iter(subjects_of(driver)))
    connect = driver.connect

    async def blocking(self):
        await connect(self)
        time.sleep(2.0)

    with served(driver.manifest.simulator.partition("/")[0], tmp_path / "world.db") as urls:
        monkeypatch.setattr(driver, "connect", blocking)
        report = check_live(driver, urls[subject.instrument], only=("identify",))
    assert ["stood still" in problem for result in report.failures for problem in result.problems] == [True]
