"""An oven whose answers are scripted, acts on it, and a runner over a real journal, for tests."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from drivers.capabilities import Identity
from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from drivers.command import Effect, Quantity, command
from drivers.errors import NotConnected
from orchestrator.directory import CampaignDirectory
from orchestrator.evidence import Evidence
from orchestrator.journal import Journal, read_events
from orchestrator.laboratory import Laboratory, station
from orchestrator.outcomes import StopSwitch
from orchestrator.plan import Act, Measure, Wait
from orchestrator.runner import Runner


@dataclass(frozen=True)
class Frame:
    counts: np.ndarray
    tag: str


@dataclass
class Counter:
    """What a link says of the acting requests that it has put on the wire."""

    n_acts_sent: int = 0


class Oven:
    """A driver whose answers are scripted; it remembers what was done to it."""

    name = "oven"

    def __init__(self, *script):
        self._link = Counter()
        self.script = list(script)
        self.done = []
        self.verdicts = []
        self.holds = None
        self.port = "S1"
        self.connects = 0

    async def connect(self):
        self.connects += 1
        if self.port is None:
            raise NotConnected("still gone")
        return Identity(maker="m", model="o", serial=self.port, firmware="1")

    def _next(self, name):
        outcome = self.script.pop(0) if self.script else None
        if outcome is None or (isinstance(outcome, tuple) and outcome[0] == "landed"):
            self.done.append(name)
        if self._link is not None and (outcome is None or isinstance(outcome, tuple)):
            self._link.n_acts_sent += 1
        if isinstance(outcome, tuple):
            raise outcome[1]
        if isinstance(outcome, Exception):
            raise outcome

    @command(Effect.VERIFIABLE, verify="is_set")
    async def set(self, *, target_c: Annotated[float, Quantity("Cel", 0, 1200)]) -> None:
        try:
            self._next(("set", target_c))
        finally:
            self.holds = next((item[1] for item in reversed(self.done) if item[0] == "set"), None)

    async def is_set(self, *, target_c: float) -> bool:
        if self.verdicts:
            verdict = self.verdicts.pop(0)
            if isinstance(verdict, Exception):
                raise verdict
            return verdict
        return self.holds == target_c

    @command(Effect.IDEMPOTENT)
    async def stop(self) -> None:
        self._next(("stop",))

    @command(Effect.OPERATOR)
    async def dispense(self) -> None:
        self._next(("dispense",))

    @command(Effect.OPERATOR)
    async def mill(self) -> None:
        await asyncio.sleep(10.0)
        self._next(("mill",))

    @command(Effect.VERIFIABLE, verify="has_shot")
    async def shoot(self, *, tag: str) -> Frame:
        self._next(("shoot", tag))
        return Frame(counts=np.arange(2.0), tag=tag)

    async def has_shot(self, *, tag: str) -> bool:
        return ("shoot", tag) in self.done

    @command(Effect.READ)
    async def frame(self, *, tag: str) -> Frame:
        self._next(("frame", tag))
        return Frame(counts=np.arange(3.0), tag=tag)

    @command(Effect.READ)
    async def temperature(self) -> float:
        self._next(("temperature",))
        return 850.0

    @command(Effect.READ, timeout_s=1.0)
    async def hang(self) -> float:
        await asyncio.sleep(1e6)
        return 0.0

    @command(Effect.READ, timeout_s=1e5)
    async def collect(self) -> float:
        await asyncio.sleep(5e4)
        return 1.0

    async def raw(self) -> float:
        """No command: what the decorator would catch comes out as it is."""
        raise KeyError("a defect of the driver")


SET = Act(path="0", label="set", device="oven", command="set", arguments={"target_c": 900.0})


STOP = Act(path="1", label="stop", device="oven", command="stop")


DISPENSE = Act(path="2", label="dispense", device="oven", command="dispense")


FRAME = Act(
    path="3",
    label="frame",
    device="oven",
    command="frame",
    is_tagged=True,
    measure=Measure(kind="spectrum", role="film", facts={"offset_mm": 0.5}),
)


READ = Act(path="4", label="read", device="oven", command="temperature")


MILL = Act(path="5", label="mill", device="oven", command="mill")


SHOOT = Act(
    path="6",
    label="shoot",
    device="oven",
    command="shoot",
    is_tagged=True,
    measure=Measure(kind="spectrum", role="film"),
)


COLLECT = Act(path="8", label="collect", device="oven", command="collect")


class Bench:
    """A runner over a real journal, in virtual time."""

    def __init__(self, tmp_path, oven):
        self.oven = oven
        self.port_later = oven.port
        self.directory = CampaignDirectory.create(tmp_path / "c", {})
        self.engine = self.directory.database(fsync=False, migrate=True)

    def run(self, *acts, past=None, waits=None, start_s=0.0, stop=False, stop_at_s=None):
        loop = VirtualLoop(start_s)
        clock = VirtualClock(loop)

        async def main():
            self.switch = StopSwitch(stop)
            if stop_at_s is not None:
                loop.call_at(stop_at_s, self.switch.set)
            journal = Journal(self.engine, clock, epoch=1)
            laboratory = Laboratory({"oven": station("oven", self.oven, url="sim:x/oven", capacity=1)}, clock)
            await laboratory.connect()
            self.oven.port = self.port_later
            runner = Runner(
                journal=journal,
                laboratory=laboratory,
                evidence=Evidence(self.directory.path, clock, fsync=False),
                stop=self.switch,
                past=dict(past or {}),
                waits=dict(waits or {}),
            )
            try:
                done = []
                for act in acts:
                    is_wait = isinstance(act, Wait)
                    done.append(await (runner.wait(1, act) if is_wait else runner.act(1, act)))
                return done, clock.now_s()
            finally:
                self.ended_s = clock.now_s()
                journal.close()

        return run_virtual(main(), loop=loop)

    def steps(self):
        with self.engine.connect() as connection:
            return dict(connection.exec_driver_sql("SELECT command_id, state FROM step").fetchall())

    def kinds(self):
        with self.engine.connect() as connection:
            return [event.kind for event in read_events(connection)]

    def events(self, kind):
        with self.engine.connect() as connection:
            return [event for event in read_events(connection) if event.kind == kind]
