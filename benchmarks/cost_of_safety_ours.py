"""Our side of `cost_of_safety.py`: steps on an instant device through the real claims, runner, journal and disk.

A step is what the powder laboratory does for each act: claim the device, write the intent, ask for the lease, call the
driver under its deadline, write the outcome. Nothing is left out and nothing is a stand-in but the device, whose
commands return at once.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

from sqlalchemy import Engine

from drivers.capabilities import Identity
from drivers.clock import Clock, RealClock, VirtualClock, VirtualLoop, run_virtual
from drivers.command import Effect, Quantity, command
from orchestrator.acts.step import owner_of
from orchestrator.analysis import Analysis
from orchestrator.compile import Compiler
from orchestrator.computing import AtHand
from orchestrator.directory import CampaignDirectory
from orchestrator.evidence import Evidence
from orchestrator.journal import Journal
from orchestrator.laboratory import Laboratory, station
from orchestrator.outcomes import StopSwitch
from orchestrator.plan import Act, Plan
from orchestrator.record.lease import acquire
from orchestrator.records import TrialRecord
from orchestrator.references import References
from orchestrator.runner import Runner
from orchestrator.scheduling.board import Board
from orchestrator.scheduling.dispatcher import Dispatcher
from orchestrator.trials import TrialExecutor
from surrogate.analysis import AnalysisResult


class InstantDevice:
    """A device that has done everything at once."""

    name = "device"

    def __init__(self) -> None:
        self.position_mm = 0.0
        self.n_done = 0

    async def connect(self) -> Identity:
        """Say who it is."""
        return Identity(maker="labpilot", model="instant", serial="1", firmware="1")

    async def close(self) -> None:
        """Do nothing: there is no port."""

    @command(Effect.OPERATOR)
    async def dispense(self, *, mass_mg: Annotated[float, Quantity("mg", 0, 1e6)]) -> None:
        """Do what can neither be known nor undone."""
        self.n_done += 1

    @command(Effect.VERIFIABLE, verify="is_at")
    async def move(self, *, position_mm: Annotated[float, Quantity("mm", -1e6, 1e6)]) -> None:
        """Do what can be read back."""
        self.position_mm = position_mm
        self.n_done += 1

    async def is_at(self, *, position_mm: float) -> bool:
        """Read back."""
        return self.position_mm == position_mm

    @command(Effect.IDEMPOTENT)
    async def set_rate(self, *, rate_mm_per_s: Annotated[float, Quantity("mm/s", 0, 1e6)]) -> None:
        """Do what may be done again."""
        self.n_done += 1

    @command(Effect.READ)
    async def read(self) -> Annotated[float, Quantity("1")]:
        """Read a value."""
        self.n_done += 1
        return 1.0


ARGUMENTS = {"dispense": "mass_mg", "move": "position_mm", "set_rate": "rate_mm_per_s", "read": ""}


def act_of(name: str, index: int) -> Act:
    """Return one act; its path, and with it its command id, is used once only."""
    argument = ARGUMENTS[name]
    arguments = {argument: float(index)} if argument else {}
    return Act(path=f"{index}.{name}", label=f"{name} {index}", device="device", command=name, arguments=arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What a campaign acts with, put together as `orchestrator.execution` does."""

    device: InstantDevice
    clock: Clock
    journal: Journal
    runner: Runner
    dispatcher: Dispatcher

    async def step(self, index: int, acts: Sequence[Act]) -> None:
        """Claim the device, act, and let it go."""
        async with self.dispatcher.holding(owner_of(index), ["device"]):
            for act in acts:
                await self.runner.act(index, act)
        self.runner.forget(owner_of(index))


class OneAct:
    """A compiler whose recipe is a single command."""

    def plan(self, trial: TrialRecord) -> Plan:
        """Return the plan of a trial."""
        return Plan(nodes=(act_of("dispense", trial.number),), devices=("device",))

    def sample(self, trial: TrialRecord) -> dict[str, Any]:
        """Name the trial's sample."""
        return {"sample": f"sample-{trial.number:06d}", "place": {}}


def nothing_found(_data: Any, *, options: Mapping[str, Any]) -> AnalysisResult:
    """Analyse nothing: what an analysis costs is its own affair."""
    return AnalysisResult()


@contextmanager
def database(folder: Path, *, fsync: bool = True) -> Iterator[tuple[CampaignDirectory, Engine, int]]:
    """Make a campaign directory and take its lease, as a controller does."""
    directory = CampaignDirectory.create(folder, {})
    with directory.controlled():
        engine = directory.database(fsync=fsync, migrate=True)
        try:
            lease = acquire(engine)
            with lease.kept():
                yield directory, engine, lease.epoch
        finally:
            engine.dispose()


def bench_of(directory: CampaignDirectory, engine: Engine, epoch: int, clock: Clock) -> Bench:
    """Put runner, journal and claims together around an instant device."""
    device = InstantDevice()
    journal = Journal(engine, clock, epoch=epoch)
    laboratory = Laboratory({"device": station("device", device, url="sim:instant/device", capacity=1)}, clock)
    evidence = Evidence(directory.path, clock)
    runner = Runner(journal=journal, laboratory=laboratory, evidence=evidence, stop=StopSwitch())
    return Bench(
        device=device, clock=clock, journal=journal, runner=runner, dispatcher=Dispatcher(Board({"device": 1}), clock)
    )


Body = Callable[[Bench, int], Awaitable[None]]


def stepping(*names: str) -> Body:
    """Return what makes steps of these commands, each step under a claim of its own."""

    async def body(bench: Bench, n: int) -> None:
        for index in range(1, n + 1):
            await bench.step(index, [act_of(name, index) for name in names])

    return body


async def whole_trials(bench: Bench, n: int) -> None:
    """Carry whole trials of one act through: started, compiled, claimed, acted, analysed, told."""
    executor = TrialExecutor(
        compiler=cast(Compiler, OneAct()),
        dispatcher=bench.dispatcher,
        runner=bench.runner,
        references=References(bench.clock),
        journal=bench.journal,
        clock=bench.clock,
        analyst=AtHand(Analysis(name="nothing", version="1", options={}, function=nothing_found), bench.clock, 0.0),
        seed=0,
    )
    for number in range(1, n + 1):
        trial = TrialRecord(number=number, parameters={"x": 0.5}, ask=number, is_control=False, proposal_id=None)
        bench.journal.append("asked", _asked(trial), durable=True)
        verdict = await executor.run(trial)
        if verdict.outcome != "measured":
            raise RuntimeError(f"trial {number} came to {verdict.outcome}: {verdict.reason}")
        bench.journal.append("told", {"trials": [number], "asks": number})


def _asked(trial: TrialRecord) -> dict[str, Any]:
    names = ("number", "parameters", "is_control", "proposal_id", "proposal_reason", "predictions")
    zeros = {"asked_s": 0.0, "charged_s": 0.0, "wall_s": 0.0}
    said = {"policy": "none", "fallback_reason": "", "diagnostics": {}}
    trials = [{name: getattr(trial, name) for name in names}]
    return {"index": trial.ask, "n": 1, **zeros, **said, "trials": trials}


def timed(folder: Path, body: Body, n: int, *, is_virtual: bool = False, fsync: bool = True) -> dict[str, float]:
    """Return what one step costs: wall and CPU milliseconds, commits and journal entries.

    is_virtual: in virtual time, where an outcome rides on the next commit unless nobody could tell it again.
    fsync: whether commits reach the disk at once.
    """
    found: dict[str, float] = {}

    async def main(bench: Bench) -> None:
        await bench.runner.laboratory.connect()
        commits = bench.journal.commits
        wall, cpu = time.perf_counter(), time.process_time()
        await body(bench, n)
        spent = (time.perf_counter() - wall, time.process_time() - cpu)
        found.update(wall_ms=1e3 * spent[0] / n, cpu_ms=1e3 * spent[1] / n)
        found["commits"] = (bench.journal.commits - commits) / n
        if bench.device.n_done < n:
            raise RuntimeError(f"the device was told {bench.device.n_done} times in {n} steps")
        bench.journal.close()

    with database(folder, fsync=fsync) as (directory, engine, epoch):
        if is_virtual:
            loop = VirtualLoop()
            run_virtual(main(bench_of(directory, engine, epoch, VirtualClock(loop))), loop=loop)
        else:
            asyncio.run(main(bench_of(directory, engine, epoch, RealClock())))
        with engine.connect() as connection:
            found["entries"] = connection.exec_driver_sql("SELECT count(*) FROM journal").scalar_one() / n
    return found


def two_commits_ms(folder: Path, n: int) -> dict[str, float]:
    """Time the least that a durable step can be: two transactions of two statements each, by `sqlite3` alone."""
    connection = sqlite3.connect(folder / "two_commits.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE journal (seq INTEGER PRIMARY KEY, kind TEXT, body TEXT)")
    connection.execute("CREATE TABLE step (command_id TEXT PRIMARY KEY, state TEXT, arguments TEXT)")
    body = json.dumps({"device": "device", "command": "move", "arguments": {"x_mm": 1.0}, "label": "x" * 150})
    seq = itertools.count(1)
    upsert = "INSERT INTO step VALUES (?, ?, ?) ON CONFLICT (command_id) DO UPDATE SET state = excluded.state"
    wall, cpu = time.perf_counter(), time.process_time()
    for index in range(n):
        for kind in ("step_intended", "step_done"):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO journal VALUES (?, ?, ?)", (next(seq), kind, body))
            connection.execute(upsert, (f"{index}", kind, body))
            connection.execute("COMMIT")
    spent = (time.perf_counter() - wall, time.process_time() - cpu)
    connection.close()
    return {"wall_ms": 1e3 * spent[0] / n, "cpu_ms": 1e3 * spent[1] / n, "commits": 2.0}
