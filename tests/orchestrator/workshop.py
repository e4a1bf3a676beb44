"""A workshop for tests: arms, a scale, an oven with a door, and what carries samples, over a real runner and journal.

What goes wrong is scripted: a device raises the next of its outcomes, where that is one.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

from drivers.capabilities import Identity
from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from drivers.command import Effect, Quantity, command
from orchestrator.attention import Attention
from orchestrator.directory import CampaignDirectory
from orchestrator.evidence import Evidence
from orchestrator.journal import Journal, read_events
from orchestrator.journey import Whereabouts
from orchestrator.laboratory import Laboratory, station
from orchestrator.outcomes import StopSwitch
from orchestrator.plan import Firing, Furnace
from orchestrator.runner import Runner
from orchestrator.scheduling.board import Board, Option
from orchestrator.scheduling.dispatcher import Dispatcher
from orchestrator.scheduling.layout import Layout, Station
from orchestrator.scheduling.names import board_names, limited
from orchestrator.transport.transport import Transport

LAYOUT = Layout(
    homes=("home-1", "home-2"),
    magazine="stack",
    chute="bin",
    reach={"arm-1": ("home-1", "home-2", "stack", "bridge", "bin"), "arm-2": ("bridge", "oven-1", "oven-2")},
    stations={"oven": Station(places=("oven-1", "oven-2"), devices=("heater", "door"))},
)
FURNACE = Furnace(
    station="oven", places=("oven-1", "oven-2"), heater="heater", door="door", devices=frozenset({"heater", "door"})
)
FIRING = Firing(
    path="3",
    label="fire",
    key="900 degC",
    furnaces=(FURNACE,),
    segments=({"target_c": 900.0, "rate_k_per_min": 10.0, "hold_s": 3600.0},),
    unload_below_c=110.0,
    work_s=7200.0,
)


class Device:
    def __init__(self, name):
        self.name = name
        self.script = []
        self.done = []

    async def connect(self):
        return Identity(maker="tests", model=self.name, serial="1", firmware="1")

    async def close(self):
        return None

    def _next(self, *what):
        outcome = self.script.pop(0) if self.script else None
        if outcome is not None:
            raise outcome
        self.done.append(what)


class Arm(Device):
    @command(Effect.VERIFIABLE, verify="has_transferred")
    async def transfer(self, *, source: str, destination: str, tag: str) -> None:
        self._next(source, destination)

    async def has_transferred(self, *, source: str, destination: str, tag: str) -> bool:
        return (source, destination) in self.done


class SwitchedArm(Arm):
    @command(Effect.IDEMPOTENT)
    async def power_on(self) -> None:
        self._next("power_on")


class Heater(Device):
    """Cools by as much as is scripted each time that it is read."""

    state, left_s = "complete", 0.0

    def __init__(self, name):
        super().__init__(name)
        self.cooling_c = []

    @command(Effect.VERIFIABLE, verify="has_started")
    async def run_profile(self, *, segments: list, tag: str) -> None:
        self._next("run", tag)

    async def has_started(self, *, segments: list, tag: str) -> bool:
        return ("run", tag) in self.done

    @command(Effect.READ)
    async def program_state(self) -> str:
        return self.state

    @command(Effect.READ)
    async def remaining_s(self) -> float:
        return self.left_s

    @command(Effect.READ)
    async def read_temperature(self) -> Annotated[float, Quantity("Cel", 0.0, 1200.0)]:
        return self.cooling_c.pop(0) if len(self.cooling_c) > 1 else (self.cooling_c or [25.0])[0]


class DoorDevice(Device):
    state = "closed"
    is_stuck = False

    def __init__(self, name):
        super().__init__(name)
        self.says = []

    @command(Effect.IDEMPOTENT)
    async def open_door(self) -> None:
        self._turn("open")

    @command(Effect.IDEMPOTENT)
    async def close_door(self) -> None:
        self._turn("closed")

    @command(Effect.READ)
    async def door_state(self) -> str:
        if self.says:
            raise self.says.pop(0)
        return self.state

    def _turn(self, wanted):
        self._next(wanted)
        if not self.is_stuck:
            self.state = wanted


class Scale(Device):
    @command(Effect.IDEMPOTENT)
    async def tare(self) -> None:
        self._next("tare")

    @command(Effect.IDEMPOTENT)
    async def weigh(self) -> float:
        self._next("weigh")
        return 1.0

    @command(Effect.VERIFIABLE, verify="has_shaken")
    async def shake(self, *, tag: str) -> None:
        self._next("shake", tag)

    async def has_shaken(self, *, tag: str) -> bool:
        return ("shake", tag) in self.done

    @command(Effect.IDEMPOTENT)
    async def stop(self) -> None:
        self._next("stop")


class Person:
    """Sees to things after an hour, and does what a test says then."""

    def __init__(self, clock):
        self.clock = clock
        self.seen = []
        self.helps = lambda doubt: None

    async def see_to(self, doubt):
        await self.clock.sleep(3600.0)
        self.helps(doubt)
        self.seen.append(doubt.kind)
        return "seen to"


class Workshop:
    """One laboratory; `run` gives a script its parts, in virtual time."""

    def __init__(self, tmp_path):
        self.directory = CampaignDirectory.create(tmp_path / "c", {})
        self.engine = self.directory.database(fsync=False, migrate=True)
        self.arm, self.arm_2 = SwitchedArm("arm-1"), Arm("arm-2")
        self.heater, self.door, self.scale = Heater("heater"), DoorDevice("door"), Scale("scale")
        self.where = Whereabouts()

    def run(self, script):
        loop = VirtualLoop()
        self.clock = VirtualClock(loop)
        return run_virtual(self._main(script), loop=loop)

    async def _main(self, script):
        drivers = [self.arm, self.arm_2, self.heater, self.door, self.scale]
        laboratory = Laboratory(
            {one.name: station(one.name, one, url=f"sim:x/{one.name}", capacity=1) for one in drivers}, self.clock
        )
        await laboratory.connect()
        self.journal = Journal(self.engine, self.clock, epoch=1)
        evidence = Evidence(self.directory.path, self.clock, fsync=False)
        self.stop = StopSwitch()
        self.runner = Runner(journal=self.journal, laboratory=laboratory, evidence=evidence, stop=self.stop)
        self.board = Board(board_names(LAYOUT, {one.name: 1 for one in drivers}))
        self.dispatcher = Dispatcher(self.board, self.clock)
        self.person = Person(self.clock)
        self.attention = Attention(
            where=self.where,
            dispatcher=self.dispatcher,
            journal=self.journal,
            stop=self.stop,
            attendant=self.person,
        )
        self.transport = Transport.of(
            layout=LAYOUT,
            furnaces={"oven": FURNACE},
            runner=self.runner,
            dispatcher=self.dispatcher,
            clock=self.clock,
            attention=self.attention,
        )
        try:
            async with asyncio.timeout(1e6):
                return await script()
        finally:
            await self.attention.close()
            self.journal.close()

    async def admitted(self, trial=1):
        return await self.transport.admission.admitted(trial)

    async def carried(self, journey, destination):
        """Claim the way and go it."""
        resources = self.transport.claims.needed(journey, destination) | limited(LAYOUT, [destination])
        await self.transport.claims.claim(journey, [Option(name=destination, resources=resources)])
        await self.transport.carrier.go(journey, destination)

    def events(self, *kinds):
        with self.engine.connect() as connection:
            return [event for event in read_events(connection) if event.kind in kinds]

    def incidents(self):
        return [event.body["kind"] for event in self.events("incident")]
