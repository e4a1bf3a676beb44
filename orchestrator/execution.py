"""Execution: a campaign directory, a clock and a laboratory put together, run, and taken apart again.

`start` makes the directory and runs a new campaign in it; `resume` goes on with one, from wherever its journal says
that it stands. Both work in virtual time (simulate) and in wall time (run), with the same code.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from drivers.clock import RealClock, VirtualClock, VirtualLoop, run_virtual
from orchestrator.assembly.assembly import Assembly
from orchestrator.assembly.basis import Basis
from orchestrator.assembly.settings import OnProgress, Settings
from orchestrator.check import Ready
from orchestrator.directory import CampaignDirectory, damage_told
from orchestrator.errors import InputError, LabRefused
from orchestrator.history import Standing, read_standing
from orchestrator.lab import Lab
from orchestrator.loop import Ending
from orchestrator.points import refuse_changed
from orchestrator.record.lease import acquire
from orchestrator.record.ports import ports_held, runtime_folder
from orchestrator.record.space import Reserve
from orchestrator.seams import Seams


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
    directory = CampaignDirectory.create(out, request, store=settings.store)
    with directory.controlled(), _ports(task, directory):
        return _execute(task, directory, settings)


def _ports(task: Ready, directory: CampaignDirectory) -> AbstractContextManager[None]:
    urls = [device.url for device in task.lab.devices.values()]
    return ports_held(urls, campaign=directory.path, folder=runtime_folder(os.environ))


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


def resume(
    path: Path, *, is_armed: bool = False, on_progress: OnProgress | None = None, seams: Seams | None = None
) -> Ending:
    """Go on with a campaign that was stopped or killed.

    is_armed: whether real hardware may be touched.
    seams: what gets in between its parts; in a drill only.

    Raises:
        InputError: There is no campaign, it has finished, or its `campaign.json` or a table of it was changed since it
            began.
        InUse, NewerVersion, StorageError, LabRefused: As `start`.
    """
    directory = CampaignDirectory.open(path)
    with directory.controlled():
        request = directory.requested()
        task = Ready.from_data(request["campaign"], request["lab"])
        refuse_unarmed(task.lab, is_armed=is_armed)
        refuse_changed(task.campaign)
        is_virtual = request["mode"] == "virtual"
        settings = Settings(
            is_virtual=is_virtual, fsync=not is_virtual, on_progress=on_progress, seams=seams or Seams()
        )
        with _ports(task, directory):
            return _execute(task, directory, settings)


def _execute(task: Ready, directory: CampaignDirectory, settings: Settings) -> Ending:
    engine = directory.database(fsync=settings.fsync, migrate=True)
    try:
        lease = acquire(engine)  # before the journal is read: nothing of an earlier controller can be added after that
        with lease.kept():
            with damage_told(directory.record), engine.connect() as connection:
                standing = replace(read_standing(connection), epoch=lease.epoch)
            _refuse_finished(standing, directory)
            _refuse_changed(standing, directory)
            return _run(task, directory, settings, standing, engine)
    except asyncio.CancelledError:  # the operator asked twice
        raise KeyboardInterrupt from None
    finally:
        engine.dispose()


def _run(task: Ready, directory: CampaignDirectory, settings: Settings, standing: Standing, engine: Engine) -> Ending:
    given: Any = {"task": task, "directory": directory, "settings": settings, "standing": standing}
    if settings.is_virtual:
        loop = VirtualLoop(standing.last_s)
        clock = VirtualClock(loop)
        journal = settings.seams.journal(engine, clock, epoch=standing.epoch)
        work = Assembly(Basis(**given, clock=clock, journal=journal, charge=clock.charge))
        return run_virtual(work.run(), loop=loop)
    clock = RealClock(_created(standing), at_least_s=standing.last_s)
    reserve = Reserve(directory.path)
    reserve.hold()
    try:
        journal = settings.seams.journal(engine, clock, epoch=standing.epoch, reserve=reserve)
        return asyncio.run(Assembly(Basis(**given, clock=clock, journal=journal, reserve=reserve)).run())
    finally:
        reserve.release()


def _refuse_finished(standing: Standing, directory: CampaignDirectory) -> None:
    if standing.campaign is not None and standing.campaign["status"] == "finished":
        reason = standing.campaign["reason"]
        raise InputError(f"the campaign in {directory.path} has finished ({reason}); nothing is left to resume")


def _refuse_changed(standing: Standing, directory: CampaignDirectory) -> None:
    """Hold what the directory asks for against what its journal says was begun."""
    if standing.campaign is None:
        return
    began = {
        "mode": standing.campaign["mode"],
        "campaign": standing.campaign["config"],
        "lab": standing.campaign["lab"],
    }
    changes = list(_changes(directory.requested(), began))
    if changes:
        raise InputError(
            f"{directory.request} was changed since this campaign began: {'; '.join(changes[:3])}. A campaign is what "
            "its journal says: put the file back, or begin another campaign in a directory of its own"
        )


def _changes(now: Any, began: Any, name: str = "") -> Iterator[str]:
    if isinstance(now, Mapping) and isinstance(began, Mapping):
        for key in sorted({*now, *began}):
            yield from _changes(now.get(key), began.get(key), f"{name}.{key}" if name else key)
    elif now != began:
        yield f"{name} is {now!r} and was {began!r}"


def _created(standing: Standing) -> datetime:
    return datetime.fromisoformat(standing.campaign["created_utc"]) if standing.campaign else datetime.now(UTC)
