"""Safety: the guard and the look at the disk beside a campaign, and everything stopped where it ends badly."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from orchestrator.assembly.basis import Basis
from orchestrator.disk_watch import DiskWatch
from orchestrator.errors import StorageError
from orchestrator.guard.binding import rules_of
from orchestrator.guarding import Guarding, place_of, real_guarding, stopped_by, virtual_guarding, written
from orchestrator.laboratory import Laboratory
from orchestrator.office import Office
from orchestrator.trips import Trips, heard_of, latched_of
from orchestrator.worlds import Worlds

log = logging.getLogger(__name__)


def guarding_of(basis: Basis, laboratory: Laboratory, office: Office, worlds: Worlds) -> Guarding | None:
    """Return the guard, not armed yet, where the lab file asks for one; the office then hears of its trips."""
    lab, told = basis.task.lab, basis.standing.guard_told
    if lab.guard is None:
        return None
    rules = rules_of(lab.guard, basis.task.casting.players)
    trips = office.trips = Trips(
        journal=basis.journal,
        desk=office.desk,
        attendant=office.attendant,
        devices=stopped_by(rules),
        epoch=basis.standing.epoch,
    )
    if basis.is_virtual:
        return virtual_guarding(rules, laboratory, basis.clock, trips, latched=latched_of(told))
    place, loaded = written(place_of(basis.directory.path, lab, os.environ), lab, worlds, epoch=basis.standing.epoch)
    return real_guarding(loaded, place, laboratory, basis.clock, trips, heard=heard_of(told))


@asynccontextmanager
async def disk_watched(basis: Basis, abort: Callable[[str], None]) -> AsyncIterator[None]:
    """Look at the disk while the campaign runs; abort: ends it where there is no space left."""
    if basis.reserve is None:
        yield
        return
    watch = DiskWatch(reserve=basis.reserve, clock=basis.clock, journal=basis.journal, stop=basis.stop.set, abort=abort)
    task = asyncio.get_running_loop().create_task(watch.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def make_safe(basis: Basis, laboratory: Laboratory, why: str) -> list[str]:
    """Stop every actuator, journal that where the journal still takes it, and return what could not be stopped."""
    failed = await laboratory.stop_all()
    stopped = [name for name in laboratory.stoppable if name not in failed]
    left = [f"{name} could not be stopped: {reason}" for name, reason in failed.items()]
    said = [("recovery", f"stopped {', '.join(stopped)} after {why}")] if stopped else []
    said += [("intervention", f"{text}; see to it") for text in left]
    for _, text in said:
        log.warning("made_safe %s", text)
    try:
        for kind, text in said:
            basis.note(kind, text)
        basis.journal.append("made_safe", {"devices": stopped, "failed": failed, "why": why}, durable=True)
    except StorageError as error:
        log.warning("not_journalled error=%s", error)
    return left
