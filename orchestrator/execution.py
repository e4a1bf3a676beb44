"""Execution: a campaign directory, a clock and a laboratory put together, run, and taken apart again.

`start` makes the directory and runs a new campaign in it; `resume` goes on with one, from wherever its journal says
that it stands. Both work in virtual time (simulate) and in wall time (run), with the same code.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drivers.clock import Clock, RealClock, VirtualClock, VirtualLoop, run_virtual
from drivers.registry import open_link
from orchestrator.analysis import Analysis
from orchestrator.check import Ready
from orchestrator.claims import ClaimBoard
from orchestrator.compile import Compiler
from orchestrator.directory import CampaignDirectory, damage_told
from orchestrator.errors import InputError, LabRefused
from orchestrator.evidence import Evidence
from orchestrator.history import Standing, read_standing
from orchestrator.journal import Journal
from orchestrator.knowledge import Knowledge, knowledge_of
from orchestrator.lab import Lab
from orchestrator.laboratory import Laboratory, station
from orchestrator.loop import CampaignLoop, Ending, Progress
from orchestrator.references import References
from orchestrator.runner import Runner, StopSwitch
from orchestrator.trials import TrialExecutor
from orchestrator.versions import versions
from orchestrator.worlds import ServedWorlds, VirtualWorlds, Worlds, described, pool_of

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to execute, apart from what."""

    is_virtual: bool
    fsync: bool = True
    """Whether commits and measurement files reach the disk at once, so that a power cut loses nothing."""
    on_progress: OnProgress | None = None
    on_step: Callable[[int, Any], None] | None = None


def start(task: Ready, out: Path, settings: Settings) -> Ending:
    """Make a campaign directory and run the campaign in it.

    Raises:
        InputError: The directory holds something already, or a world or driver does not exist.
        LabRefused: A device did not connect.
        StorageError: Something could not be written.
        InUse: Another process took the directory in the meantime.
    """
    request = {
        "mode": "virtual" if settings.is_virtual else "wall",
        "campaign": task.campaign.data(),
        "lab": task.lab.data(),
    }
    directory = CampaignDirectory.create(out, request)
    with directory.controlled():
        return _execute(task, directory, settings)


def refuse_unarmed(lab: Lab, *, is_armed: bool) -> None:
    """Refuse to touch real hardware unless this very run was allowed to.

    Raises:
        LabRefused: Some devices are real, and the run is not armed; names them.
    """
    real = [f"{name} ({device.url})" for name, device in lab.devices.items() if not device.url.startswith("sim:")]
    if real and not is_armed:
        raise LabRefused(
            f"these devices are real hardware: {', '.join(real)}; nothing was started. "
            "Give --real-hardware if they may move and heat now"
        )


def resume(path: Path, *, is_armed: bool = False, on_progress: OnProgress | None = None, fsync: bool = True) -> Ending:
    """Go on with a campaign that was stopped or killed.

    is_armed: whether real hardware may be touched.

    Raises:
        InputError: There is no campaign, or it has finished.
        InUse, NewerVersion, StorageError, LabRefused: As `start`.
    """
    directory = CampaignDirectory.open(path)
    with directory.controlled():
        request = directory.requested()
        task = Ready.from_data(request["campaign"], request["lab"])
        refuse_unarmed(task.lab, is_armed=is_armed)
        settings = Settings(is_virtual=request["mode"] == "virtual", fsync=fsync, on_progress=on_progress)
        return _execute(task, directory, settings)


def _execute(task: Ready, directory: CampaignDirectory, settings: Settings) -> Ending:
    engine = directory.database(fsync=settings.fsync, migrate=True)
    try:
        with damage_told(directory.journal), engine.connect() as connection:
            standing = read_standing(connection)
        _refuse_finished(standing, directory)
        if settings.is_virtual:
            loop = VirtualLoop(standing.last_s)
            clock = VirtualClock(loop)
            work = _Execution(task, directory, settings, standing, clock, charge=_charge_virtual(task, clock))
            return run_virtual(work.run(Journal(engine, clock, epoch=standing.epoch + 1)), loop=loop)
        clock = RealClock(zero=_created(standing))
        work = _Execution(task, directory, settings, standing, clock, charge=lambda wall_s: wall_s)
        return asyncio.run(work.run(Journal(engine, clock, epoch=standing.epoch + 1)))
    finally:
        engine.dispose()


def _refuse_finished(standing: Standing, directory: CampaignDirectory) -> None:
    if standing.campaign is not None and standing.campaign["status"] == "finished":
        reason = standing.campaign["reason"]
        raise InputError(f"the campaign in {directory.path} has finished ({reason}); nothing is left to resume")


def _created(standing: Standing) -> datetime:
    return datetime.fromisoformat(standing.campaign["created_utc"]) if standing.campaign else datetime.now(UTC)


def _charge_virtual(task: Ready, clock: VirtualClock) -> Callable[[float], float]:
    charge_s = task.campaign.planner.charge_s

    def charge(wall_s: float) -> float:
        seconds = wall_s if charge_s == "measured" else float(charge_s)
        clock.charge(seconds)
        return seconds

    return charge


@dataclass(slots=True)
class _Execution:
    task: Ready
    directory: CampaignDirectory
    settings: Settings
    standing: Standing
    clock: Clock
    charge: Callable[[float], float]
    stop: StopSwitch = field(default_factory=StopSwitch)

    async def run(self, journal: Journal) -> Ending:
        """Connect, recover, loop, and close, whatever happens."""
        asyncio.get_running_loop().set_exception_handler(_report_but_interrupts)
        worlds = self._worlds()
        try:
            laboratory = self._laboratory(worlds)
            await laboratory.connect()
            try:
                with _interrupts(self.stop):
                    self._begin(journal, laboratory)
                    return await self._loop(journal, laboratory).run()
            finally:
                await laboratory.close()
        finally:
            worlds.close()
            journal.close()

    def _worlds(self) -> Worlds:
        kind = VirtualWorlds if self.settings.is_virtual else ServedWorlds
        return kind(
            directory=self.directory.worlds,
            clock=self.clock,
            seed=self.task.campaign.seed,
            options=self.task.worlds,
        )

    def _laboratory(self, worlds: Worlds) -> Laboratory:
        stations = {}
        for name, device in self.task.lab.devices.items():
            driver = self.task.casting.players[name].driver
            link = open_link(device.url, self.clock, worlds)
            stations[name] = station(
                name, driver(link, self.clock, name=name), url=device.url, capacity=device.capacity
            )
        return Laboratory(stations=stations, clock=self.clock, limits=self.task.limits)

    def _begin(self, journal: Journal, laboratory: Laboratory) -> None:
        campaign = self.task.campaign
        if self.standing.campaign is None:
            body = {
                "name": campaign.name,
                "mode": "virtual" if self.settings.is_virtual else "wall",
                "seed": campaign.seed,
                "planner": campaign.planner.policy,
                "config": campaign.data(),
                "lab": self.task.lab.data(),
                "versions": versions(),
                "provenance": described(self.task.worlds),
            }
            journal.append("campaign_created", body)
        devices = {
            name: {
                "url": laboratory.stations[name].url,
                "identity": f"{found.maker} {found.model} {found.serial} {found.firmware}",
            }
            for name, found in laboratory.identities.items()
        }
        journal.append("controller_started", {"epoch": self.standing.epoch + 1, "devices": devices}, durable=True)

    def _loop(self, journal: Journal, laboratory: Laboratory) -> CampaignLoop:
        campaign = self.task.campaign
        knowledge = self._knowledge()
        evidence = Evidence(self.directory.path, self.clock, fsync=self.settings.fsync)
        runner = Runner(
            journal=journal,
            laboratory=laboratory,
            evidence=evidence,
            stop=self.stop,
            past=dict(self.standing.past),
            waits=dict(self.standing.waits),
            on_step=self.settings.on_step,
        )
        references = References(self.clock)
        for row in self.standing.references:
            references.latest[row["role"]] = evidence.recall(row["path"], row["sha256"])
        executor = TrialExecutor(
            compiler=Compiler.of(campaign, self.task.casting),
            claims=ClaimBoard({name: item.capacity for name, item in laboratory.stations.items()}),
            runner=runner,
            references=references,
            journal=journal,
            clock=self.clock,
            analysis=Analysis.of(campaign),
            seed=campaign.seed,
        )
        return CampaignLoop(
            campaign=campaign,
            journal=journal,
            clock=self.clock,
            knowledge=knowledge,
            executor=executor,
            stop=self.stop,
            charge=self.charge,
            history=self.standing.history,
            on_progress=self.settings.on_progress,
        )

    def _knowledge(self) -> Knowledge:
        campaign = self.task.campaign
        knowledge = knowledge_of(campaign, pool=pool_of(self.task.worlds))
        history = self.standing.history
        knowledge.restore(history.trials, history.findings, told=history.told)
        return knowledge


def _report_but_interrupts(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # asyncio would print the trace of a second Ctrl-C, which the person at the keyboard knows of
    if not isinstance(context.get("exception"), KeyboardInterrupt):
        loop.default_exception_handler(context)


@contextmanager
def _interrupts(stop: StopSwitch) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM ask for a stop after the current step; a second one ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, _frame: object) -> None:
        if stop.is_set:
            signal.signal(number, signal.SIG_DFL)
            raise KeyboardInterrupt
        stop.is_set = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
