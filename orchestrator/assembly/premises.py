"""The premises: the simulated worlds, and the laboratory with a link and a driver for each device."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import Any

from drivers.links.opening import open_link
from drivers.links.tap import Tap
from drivers.manifest import warn_unverified
from orchestrator.assembly.basis import Basis
from orchestrator.laboratory import Laboratory, Station, station
from orchestrator.worlds import ServedWorlds, VirtualWorlds, Worlds


def worlds_of(basis: Basis) -> Worlds:
    """Return the worlds that simulated devices stand in."""
    told: Any = {
        "directory": basis.directory.worlds,
        "clock": basis.clock,
        "seed": basis.campaign.seed,
        "options": basis.task.worlds,
    }
    if basis.is_virtual:
        return VirtualWorlds(**told, between=basis.settings.seams.peer)
    return ServedWorlds(**told)


def laboratory_of(basis: Basis, worlds: Worlds, taps: ExitStack) -> Laboratory:
    """Return the laboratory, not connected yet; taps: closes what keeps every byte of a device."""
    stations = {name: _station(basis, name, worlds, taps) for name in basis.task.lab.devices}
    return Laboratory(stations=stations, clock=basis.clock, limits=basis.task.limits)


def _station(basis: Basis, name: str, worlds: Worlds, taps: ExitStack) -> Station:
    device, driver = basis.task.lab.devices[name], basis.task.casting.players[name].driver
    if not device.url.startswith("sim:"):
        warn_unverified(driver, device.url)
    link = open_link(device.url, basis.clock, worlds, tap=_tap(basis, name, taps))
    return station(
        name,
        driver(link, basis.clock, name=name),
        url=device.url,
        capacity=device.capacity,
        serial=device.serial,
    )


def _tap(basis: Basis, device: str, taps: ExitStack) -> Tap | None:
    """Return what keeps every byte of a device: a file in the campaign directory, in virtual time only a ring."""
    if basis.is_virtual:
        return None
    folder = basis.directory.path / "wire"
    folder.mkdir(exist_ok=True)
    return taps.enter_context(closing(Tap(basis.clock, path=folder / f"{device}.jsonl")))
