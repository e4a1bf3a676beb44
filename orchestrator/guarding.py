"""Guarding: the guard of a running campaign, where its lab file asks for one.

In virtual time it is a task beside the campaign; in wall time a process of its own, which outlives a controller that
dies (`orchestrator.guard.keeper`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from drivers.clock import Clock
from drivers.links.url import SimAddress, parse_url
from orchestrator.errors import StorageError
from orchestrator.guard.board import STOP_ALL
from orchestrator.guard.gate import Asked, Gate
from orchestrator.guard.handing_on import HandingOn
from orchestrator.guard.keeper import GuardKeeper, GuardPlace
from orchestrator.guard.loading import Loaded, load
from orchestrator.guard.rules import Rules
from orchestrator.guard.task import GuardTask
from orchestrator.lab import Lab
from orchestrator.laboratory import Laboratory
from orchestrator.record.ports import port_of, runtime_folder
from orchestrator.trips import Trips
from orchestrator.worlds import Worlds

SOCKET = "LABPILOT_GUARD_SOCKET"
"""Of the environment: where the guard of this laboratory is, such as one that systemd keeps."""


class Kept(Asked, Protocol):
    """A guard, wherever it runs."""

    def running(self) -> AbstractAsyncContextManager[Any]:
        """Guard while this is entered."""
        ...

    async def acknowledge(self, trip: str, *, who: str, reason: str) -> str:
        """Release a latched trip; returns why that was refused, or nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarding:
    """A guard, the gate before each command that acts, and what becomes of trips."""

    kept: Kept
    gate: Gate
    trips: Trips
    laboratory: Laboratory
    clock: Clock

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Guard while this is entered.

        Raises:
            LabRefused: The guard did not start; nothing was done.
        """
        async with self.kept.running():
            try:
                async with self._handing_on():
                    yield
            finally:
                await self.trips.close()

    def _handing_on(self) -> AbstractAsyncContextManager[None]:
        drivers = {name: one.driver for name, one in self.laboratory.stations.items()}
        if isinstance(self.kept, GuardKeeper):
            return HandingOn(keeper=self.kept, drivers=drivers, clock=self.clock).running()
        return _nothing()


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield


def stopped_by(rules: Rules) -> Callable[[str], tuple[str, ...]]:
    """Return what tells which devices a trip stops."""
    everything = tuple(dict.fromkeys([*rules.devices(), *rules.safety]))

    def devices(trip: str) -> tuple[str, ...]:
        if trip == STOP_ALL:
            return everything
        rule = rules.trips.get(trip) or rules.rates.get(trip)
        return () if rule is None else rule.stop  # a lab file that was changed since may have no such trip

    return devices


def virtual_guarding(
    rules: Rules, laboratory: Laboratory, clock: Clock, trips: Trips, *, latched: Mapping[str, str]
) -> Guarding:
    """Return a guard as a task of this process."""
    drivers = {name: one.driver for name, one in laboratory.stations.items()}
    task = GuardTask(
        rules=rules,
        drivers=drivers,
        reconnect=laboratory.reconnect,
        clock=clock,
        latched=latched,
        on_event=trips.told,
        on_latched=trips.latched,
    )
    return _guarding(task, rules, laboratory, clock, trips)


def real_guarding(
    loaded: Loaded, place: GuardPlace, laboratory: Laboratory, clock: Clock, trips: Trips, *, heard: tuple[str, int]
) -> Guarding:
    """Return a guard in a process of its own.

    heard: the guard's run, and the number of its event that the journal knows of last.
    """
    keeper = GuardKeeper(
        place, loaded, clock, trips.epoch, laboratory.stop, trips.told, on_latched=trips.latched, heard=heard
    )
    return _guarding(keeper, loaded.rules, laboratory, clock, trips)


def _guarding(kept: Kept, rules: Rules, laboratory: Laboratory, clock: Clock, trips: Trips) -> Guarding:
    trips.acknowledge = kept.acknowledge
    gate = Gate(kept, clock, answer_s=rules.answer_s)
    return Guarding(kept=kept, gate=gate, trips=trips, laboratory=laboratory, clock=clock)


def place_of(directory: Path, lab: Lab, environ: Mapping[str, str]) -> GuardPlace:
    """Return where the guard of a campaign's laboratory is.

    Real devices have one guard, whatever campaign runs on them, and what is latched stays so from one campaign to the
    next. Simulated ones belong to their campaign.
    """
    ports = sorted({port for device in lab.devices.values() if (port := port_of(device.url)) is not None})
    own = directory / "guard"
    if not ports:
        socket = runtime_folder(environ) / f"guard-{_short(str(directory.resolve()))}.sock"
        return GuardPlace(lab_file=own / "lab.json", socket=socket, log=own / "guard.log", urls=own / "urls.json")
    name = f"guard-{_short(' '.join(ports))}"
    given = environ.get(SOCKET)
    socket = Path(given) if given else runtime_folder(environ) / f"{name}.sock"
    return GuardPlace(
        lab_file=own / "lab.json", socket=socket, log=_state_folder(environ) / f"{name}.log", urls=own / "urls.json"
    )


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _state_folder(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "labpilot"


def written(place: GuardPlace, lab: Lab, worlds: Worlds, *, epoch: int) -> tuple[GuardPlace, Loaded]:
    """Write what a guard's process goes by, and return where it is and what that comes to.

    Raises:
        StorageError: It could not be written.
    """
    simulated: dict[str, str] = {}
    for name, device in lab.devices.items():
        address = parse_url(device.url)
        if isinstance(address, SimAddress):
            simulated[name] = worlds.url(address.world, address.instrument)
    told = lab.model_dump(mode="json", by_alias=True, exclude_none=True, include={"devices", "guard"})
    try:
        for folder in (place.lab_file.parent, place.log.parent):
            folder.mkdir(parents=True, exist_ok=True)
        place.socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.lab_file.write_text(json.dumps(told, indent=1), encoding="utf-8")
        if place.urls is not None:
            place.urls.write_text(json.dumps(simulated, indent=1), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"the guard's files cannot be written: {error}") from error
    if len(simulated) == len(lab.devices):  # this laboratory ends with this process, and is another one the next time
        log = place.log.with_name(f"guard-{epoch:04d}.log")
        place = GuardPlace(
            lab_file=place.lab_file, socket=place.socket, log=log, urls=place.urls, ends_with=os.getpid()
        )
    return place, load(place.lab_file, simulated)
