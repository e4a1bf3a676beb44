"""The guard in wall time: real processes, real ports, real signals."""

import asyncio
import inspect
import json
import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from drivers.clock import RealClock
from drivers.command import Effect
from drivers.instruments.furnace import FurnaceDriver
from drivers.links import shared, shared_wire
from drivers.links.opening import open_link
from drivers.links.url import parse_url
from orchestrator.guard.client import GuardClient, GuardError
from orchestrator.guard.gate import Gate, GuardRefused, GuardSilent
from orchestrator.guard.guard_log import read_standing
from orchestrator.guard.keeper import GuardKeeper, GuardPlace
from orchestrator.guard.loading import load
from tests.orchestrator.guard.rig import SAFE

TEMPERATURE = "box-1.read_temperature"
EVERY_S, STALE_S, LONGER_S, CONTROLLER_S, GUARD_S, ANSWER_S = 0.2, 2.0, 0.4, 1.5, 1.0, 0.5
SPEED = 20.0
"""A second of the test is so many of the furnace."""


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    # leases and sockets of this test only, also in the processes that it starts
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(shared, "LINGER_S", 0.3)
    yield
    if (tmp_path / "guard.sock").exists():  # a guard outlives its controller where something is not safe yet
        asyncio.run(ended(tmp_path / "guard.sock"))


@dataclass
class Place:
    folder: Path
    url: str
    sections: dict = field(default_factory=dict)
    safety: dict = field(default_factory=dict)

    def __post_init__(self):
        guard = {
            "readings": {TEMPERATURE: {"every": f"{EVERY_S} s", "stale": f"{STALE_S} s"}},
            "trips": {"hot": {"when": f"{TEMPERATURE} > 810 degC", "longer_than": f"{LONGER_S} s", "stop": ["box-1"]}},
            "devices": {
                "box-1": SAFE
                | {"stop_within": "3 s", "proof": {"falls": TEMPERATURE, "by": "2 K", "within": "20 s"}}
                | self.safety
            },
            "watchdog": {"controller": f"{CONTROLLER_S} s", "guard": f"{GUARD_S} s", "answer": f"{ANSWER_S} s"},
        }
        lab = {
            "labpilot": 1,
            "name": "ovens",
            "devices": {"box-1": {"driver": "furnace", "url": self.url}},
            "guard": guard | self.sections,
        }
        with self.lab_file.open("w") as file:
            YAML().dump(lab, file)

    @property
    def lab_file(self):
        return self.folder / "lab.yaml"

    @property
    def guard(self):
        return GuardPlace(lab_file=self.lab_file, socket=self.folder / "guard.sock", log=self.folder / "guard.log")

    def kinds(self):
        lines = self.guard.log.read_text().splitlines() if self.guard.log.exists() else []
        return [json.loads(line)["kind"] for line in lines]


@contextmanager
def furnace(wire="tcp", start_c=800.0, *stuck_c):
    command = [sys.executable, "-m", "tests.orchestrator.guard.furnace_world", wire, str(start_c), str(SPEED)]
    process = subprocess.Popen([*command, *map(str, stuck_c)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()


@asynccontextmanager
async def controlled(url):
    """Open the furnace as the controller does."""
    driver = FurnaceDriver(open_link(url, RealClock()), RealClock(), name="box-1")
    await driver.connect()
    try:
        yield driver
    finally:
        await driver.close()


class Kept:
    """A keeper in this process, as a controller has it."""

    def __init__(self, place, *, epoch=1):
        self.events, self.stopped = [], []
        loaded = load(place.lab_file, {})
        self.keeper = GuardKeeper(place.guard, loaded, RealClock(), epoch, self._stop, self.events.append)
        self.gate = Gate(self.keeper, RealClock(), answer_s=ANSWER_S, epoch=epoch)

    async def _stop(self, device):
        self.stopped.append(device)
        return ""

    async def pid(self):
        return (await self.keeper.client.ask("status"))["pid"]

    def kinds(self):
        return [event["kind"] for event in self.events]

    async def acts(self):
        await self.gate.check("box-1", "set_temperature", {"target_c": 100.0}, effect=Effect.VERIFIABLE)

    async def until_it_acts(self):
        await self.gate.allowed(
            "box-1", "set_temperature", {"target_c": 100.0}, effect=Effect.VERIFIABLE, within_s=15.0
        )


async def until(condition, within_s=20.0):
    async with asyncio.timeout(within_s):
        while True:
            found = condition()
            if inspect.isawaitable(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.02)


async def ended(socket):
    """End whatever guard is there, so that nothing outlives a test."""
    client = GuardClient(socket)
    with suppress(GuardSilent, GuardError):
        await client.ask("end", epoch=1_000)
    await client.close()
    await until(lambda: not socket.exists())


def test_a_furnace_that_gets_too_hot_is_stopped_beside_the_controller_and_seen_to_cool(tmp_path):
    async def use(url):
        place = Place(tmp_path, url)
        kept = Kept(place)
        async with controlled(url) as box, kept.keeper.running():
            await kept.until_it_acts()
            assert stat.S_IMODE(place.guard.socket.stat().st_mode) == 0o600
            await box.set_temperature(target_c=1100.0, rate_k_per_min=50.0)
            crossed_s = await until(lambda: crossed(box))
            await until(lambda: "safe" in kept.kinds())
            assert await box.read_setpoint() == 20.0
            assert kept.kinds() == ["controller_heard", "tripped", "stopping", "stopped", "safe"]
            with pytest.raises(GuardRefused, match="acknowledge it first"):
                await kept.acts()
            client = GuardClient(place.guard.socket)
            with pytest.raises(GuardError, match="say who"):
                await client.acknowledge("hot", who="", reason="")
            await until(lambda: cool(box))
            await asyncio.sleep(2 * EVERY_S)
            await client.acknowledge("hot", who="Ada", reason="looked at the thermocouple")
            await client.close()
            await kept.acts()
            return crossed_s, kept.keeper.rules

    async def crossed(box):
        return time.time() if await box.read_temperature() > 810.0 else 0.0

    async def cool(box):
        return await box.read_temperature() < 809.0

    with furnace() as url:
        crossed_s, rules = asyncio.run(use(url))
    rows = [json.loads(line) for line in (tmp_path / "guard.log").read_text().splitlines()]
    from datetime import datetime

    stopped_s = next(datetime.fromisoformat(row["utc"]).timestamp() for row in rows if row["kind"] == "stopped")
    # while the furnace answers at once, the bound is a period, the time it must be so, and a period
    assert stopped_s - crossed_s < 2 * EVERY_S + LONGER_S + 0.5 < rules.reaction_s(rules.trips["hot"])
    assert [row["facts"].get("who", "") for row in rows if row["kind"] == "acknowledged"][0].startswith("Ada")
    assert read_standing(tmp_path / "guard.log").latched == {}


def test_a_port_that_takes_one_client_is_shared_and_the_guard_stops_through_it(tmp_path):
    async def use(url):
        address = parse_url(url)
        place = Place(tmp_path, f"shared:{url}")
        kept = Kept(place)
        async with controlled(f"shared:{url}") as box, kept.keeper.running():
            await kept.until_it_acts()
            await box.set_temperature(target_c=1100.0, rate_k_per_min=50.0)
            await until(lambda: "safe" in kept.kinds())
            assert await box.read_setpoint() == 20.0
        await until(lambda: not shared_wire.socket_path(address).exists())

    with furnace("rtu") as url:
        asyncio.run(use(url))


def test_a_killed_controller_is_missed_and_the_policy_applied_in_time(tmp_path):
    async def use(url):
        place = Place(tmp_path, url, safety={"on_controller_loss": "stop"})
        command = [sys.executable, "-m", "tests.orchestrator.guard.stand_in", str(place.lab_file)]
        command += [str(place.guard.socket), str(place.guard.log), "1"]
        controller = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert controller.stdout.readline() == "beating\n"
        async with controlled(url) as box:
            await box.set_temperature(target_c=805.0, rate_k_per_min=50.0)
            controller.kill()
            controller.wait()
            controller.stdout.close()
            killed_s = time.monotonic()

            async def is_off():
                return await box.read_setpoint() == 20.0

            await until(is_off)
            took_s = time.monotonic() - killed_s
            assert took_s < CONTROLLER_S + EVERY_S + 0.7
            assert "controller_lost" in place.kinds()
            # the next controller finds the guard that outlived the first, and is heard by it
            kept = Kept(place, epoch=2)
            async with kept.keeper.running():
                assert "controller_back" in kept.kinds()
                await kept.until_it_acts()
                with pytest.raises(GuardRefused, match="controller 2 has taken over from controller 1"):
                    await Gate(kept.keeper.client, RealClock(), epoch=1).check(
                        "box-1", "run_profile", {}, effect=Effect.VERIFIABLE
                    )
        await until(lambda: not place.guard.socket.exists())  # it ended with its controller's goodbye

    with furnace() as url:
        asyncio.run(use(url))


def test_a_killed_guard_lets_nothing_act_and_is_started_again_with_what_it_had_latched(tmp_path):
    async def use(url):
        place = Place(tmp_path, url, safety={"on_guard_loss": "stop"})
        kept = Kept(place)
        async with kept.keeper.running():
            await kept.until_it_acts()
            client = GuardClient(place.guard.socket)
            report = await client.stop_all(who="Ada", reason="smoke")
            assert (report["stopped"], report["failed"]) == (["box-1"], {})
            os.kill(await kept.pid(), signal.SIGKILL)
            with pytest.raises(GuardRefused, match="cannot be asked"):
                await kept.acts()
            await until(lambda: "guard_back" in kept.kinds())
            assert kept.stopped == ["box-1"]
            with pytest.raises(GuardRefused, match="stop-all .Ada.*: smoke.: acknowledge it first"):
                await kept.acts()
            await client.close()

    with furnace() as url:
        asyncio.run(use(url))


def test_a_stopped_guard_is_a_no_in_time_and_is_replaced(tmp_path):
    async def use(url):
        place = Place(tmp_path, url)
        kept = Kept(place)
        async with kept.keeper.running():
            await kept.until_it_acts()
            before = await kept.pid()
            os.kill(before, signal.SIGSTOP)
            began_s = time.monotonic()
            with pytest.raises(GuardRefused, match=r"no answer within|did not answer within"):
                await kept.acts()
            assert time.monotonic() - began_s < ANSWER_S + 0.5
            await kept.until_it_acts()
            assert await kept.pid() != before
            assert [kind for kind in kept.kinds() if kind.startswith("guard")] == ["guard_lost", "guard_back"]

    with furnace() as url:
        asyncio.run(use(url))


def test_a_furnace_that_does_not_cool_is_reported(tmp_path):
    async def use(url):
        proof = {"falls": TEMPERATURE, "by": "2 K", "within": "1 s"}
        place = Place(tmp_path, url, safety={"proof": proof})
        kept = Kept(place)
        async with kept.keeper.running():
            await until(lambda: "not_safe" in kept.kinds())
            event = next(event for event in kept.events if event["kind"] == "not_safe")
            assert event["is_alarm"]
            assert "box-1 took its stop command, but box-1.read_temperature is 1160" in event["text"]
            assert (await kept.keeper.client.status())["devices"]["box-1"]["state"] == "not safe"

    with furnace("tcp", 800.0, 1160.0) as url:
        asyncio.run(use(url))


def test_a_guard_of_a_lab_file_that_has_changed_since_is_replaced(tmp_path):
    async def use(url):
        place = Place(tmp_path, url)
        kept = Kept(place)
        async with kept.keeper.running():
            first = await kept.pid()
            kept.keeper.client = GuardClient(tmp_path / "nobody")  # as if killed: it says no goodbye
            changed = Place(tmp_path, url, safety={"on_controller_loss": "stop"})
            later = Kept(changed, epoch=2)
            kept.keeper._process.poll()
            async with later.keeper.running():
                assert await later.pid() != first

    with furnace() as url:
        asyncio.run(use(url))


def test_two_guards_do_not_serve_one_laboratory(tmp_path):
    async def use(url):
        place = Place(tmp_path, url)
        kept = Kept(place)
        async with kept.keeper.running():
            second = subprocess.run(place.guard.command(), capture_output=True, text=True, timeout=20, check=False)
            assert (second.returncode, second.stderr.strip()) == (
                4,
                f"another guard serves {place.guard.socket}; one guard for one laboratory",
            )
        await until(lambda: not place.guard.socket.exists())

    with furnace() as url:
        asyncio.run(use(url))


@pytest.mark.parametrize(
    ("sections", "url", "message"),
    [
        ({"trips": {"x": {"when": "box-2.y > 3 K", "stop": ["box-1"]}}}, "modbus+tcp://127.0.0.1:9/1", "box-2"),
        ({}, "modbus+rtu:///dev/ttyUSB0?unit=1", "takes one client only"),
        ({"devices": {"box-1": {"safe": "x"}}}, "modbus+tcp://127.0.0.1:9/1", "lab.yaml:"),
    ],
)
def test_a_lab_file_that_is_wrong_ends_the_guard_before_it_begins(tmp_path, sections, url, message):
    from orchestrator.guard.process import main

    place = Place(tmp_path, url, sections=sections)
    process = subprocess.run(place.guard.command(), capture_output=True, text=True, timeout=20, check=False)
    assert process.returncode == 2
    assert message in process.stderr
    assert main is not None
