"""From a lab file to the guard's rules and drivers, with as little of labpilot as that needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field

from drivers.clock import Clock
from drivers.command import CommandSpec, command_specs
from drivers.links.opening import AnyLink, real_link
from drivers.links.url import (
    BadURL,
    CaAddress,
    HttpAddress,
    ModbusTcpAddress,
    SharedAddress,
    TcpAddress,
    host_and_port,
    parse_url,
)
from drivers.registry import DriverNotFound, driver_class
from orchestrator.errors import InputError
from orchestrator.fields import StrictModel
from orchestrator.guard.binding import rules_of
from orchestrator.guard.rules import Rules
from orchestrator.guard.settings import GuardSettings
from orchestrator.mistakes import validated
from orchestrator.yaml_source import read_source


@dataclass(frozen=True, slots=True)
class Part:
    """A device's driver class, what it declares, and where the device is."""

    driver: type
    specs: Mapping[str, CommandSpec]
    url: str


class _Device(StrictModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    driver: str
    url: str


class _LabFile(StrictModel):
    """What the guard needs of a lab file; the controller checks the rest."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    devices: dict[str, _Device]
    guard: GuardSettings = Field(default_factory=GuardSettings)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A lab as its guard sees it."""

    rules: Rules
    parts: Mapping[str, Part]

    @property
    def digest(self) -> str:
        """What tells apart guards of different rules, drivers or addresses."""
        places = {name: (self.parts[name].driver.__qualname__, self.parts[name].url) for name in self.rules.devices()}
        return sha256(f"{self.rules!r} {places!r}".encode()).hexdigest()[:16]

    def drivers(self, clock: Clock) -> dict[str, Any]:
        """Return a driver, on a closed link of the guard's own, for each device that it reaches by itself.

        Raises:
            InputError: A device cannot be reached in the way that the settings say.
        """
        found = {}
        for name in self.rules.devices():
            part = self.parts[name]
            try:
                link = second_link(part.url, clock)
            except BadURL as error:
                raise InputError(f"guard: {name}: {error}") from None
            found[name] = part.driver(link, clock, name=name)
        return found


def load(lab_file: Path, urls: Mapping[str, str]) -> Loaded:
    """Read a lab file for the guard.

    Args:
        lab_file: The lab file.
        urls: Where devices really are, for those whose address in the file is a simulator's.

    Raises:
        InputError: Something is wrong with the file, or its guard does not fit its devices.
    """
    source = read_source(lab_file)
    lab = validated(_LabFile, replace(source, data=_needed(source.data)))
    parts = {name: _part(name, device, urls, lab_file.parent) for name, device in lab.devices.items()}
    return Loaded(rules_of(lab.guard, parts), parts)


def read_urls(path: Path | None) -> dict[str, str]:
    """Return the addresses that the controller wrote for the guard.

    Raises:
        InputError: The file cannot be read, or is no object of texts.
    """
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {error}") from None
    if not isinstance(found, dict) or not all(isinstance(url, str) for url in found.values()):
        raise InputError(f"{path} holds no addresses by device")
    return found


def second_link(url: str, clock: Clock) -> AnyLink:
    """Return a closed link beside that of the controller.

    The lease of a port tells controllers apart; the guard's connection is none of theirs, so it leases a part of its
    own: two guards still exclude each other.

    Raises:
        BadURL: A second connection to this address cannot be.
    """
    from drivers.links.tcp import TcpLink

    match address := parse_url(url):
        case ModbusTcpAddress(host=host, port=port, unit=unit):
            from drivers.links.modbus import ModbusBus

            link = TcpLink(TcpAddress(host=host, port=port), clock, part=f"/{unit}+guard")
            return ModbusBus(link, unit=unit, is_tcp=True)
        case TcpAddress():
            return TcpLink(address, clock, part="+guard")
        case HttpAddress(base=base):
            from drivers.links.http import HttpBus

            link = TcpLink(address, clock, fresh=True, part=f"{base}+guard")
            return HttpBus(link, host=host_and_port(address), base=base)
        case SharedAddress() | CaAddress():
            return real_link(address, clock)
    advice = f"write its url as 'shared:{url}', so that a link process serves both, or 'reach: controller'"
    raise BadURL(f"{url!r} takes one client only, which is the controller; {advice}")


def _needed(data: Any) -> Any:
    return {key: data[key] for key in ("devices", "guard") if key in data} if isinstance(data, dict) else data


def _part(name: str, device: _Device, urls: Mapping[str, str], base: Path) -> Part:
    try:
        driver = driver_class(device.driver, base=base)
    except DriverNotFound as error:
        raise InputError(f"devices.{name}: {error}") from None
    return Part(driver, command_specs(driver), urls.get(name, device.url))
