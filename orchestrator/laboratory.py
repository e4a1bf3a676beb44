"""The laboratory of one campaign: its devices, connected and identified, behind the limits gate."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from drivers.capabilities import Identity
from drivers.clock import Clock
from drivers.command import CommandSpec, Quantity, command_specs
from drivers.errors import DeviceFault, DriverError
from orchestrator.errors import LabRefused

SiteLimits = Mapping[str, Mapping[str, Mapping[str, Quantity]]]
"""Limits by device, command and argument."""


@dataclass(frozen=True, slots=True)
class Station:
    """One device of the lab: its driver and what the driver declares."""

    name: str
    driver: Any
    specs: Mapping[str, CommandSpec]
    url: str
    capacity: int = 1


@dataclass(slots=True)
class Laboratory:
    """All devices by name, and the limits of this site."""

    stations: Mapping[str, Station]
    clock: Clock
    limits: SiteLimits = field(default_factory=dict)
    identities: dict[str, Identity] = field(default_factory=dict)

    async def connect(self) -> None:
        """Connect and identify every device, in parallel.

        Raises:
            LabRefused: Some did not answer; lists each of them with its reason. Those that did are closed again.
        """
        names = list(self.stations)
        answers = await asyncio.gather(
            *(self.stations[name].driver.connect() for name in names), return_exceptions=True
        )
        problems = []
        for name, answer in zip(names, answers, strict=True):
            if isinstance(answer, DriverError):
                problems.append(f"  {name} ({self.stations[name].url}): {answer}")
            elif isinstance(answer, BaseException):
                raise answer
            else:
                self.identities[name] = answer
        if problems:
            await self.close()
            raise LabRefused("\n".join(["these devices did not connect; nothing was started:", *problems]))

    async def reconnect(self, device: str) -> None:
        """Connect a device anew after its port was lost, and make sure that it is the same one.

        Raises:
            NotConnected: It is still absent.
            DeviceFault: Another device answers at its port.
        """
        found = await self.stations[device].driver.connect()
        before = self.identities.get(device)
        if before is not None and found.serial != before.serial:
            raise DeviceFault(
                f"serial number {found.serial} answers where {before.serial} was; plug that in, then resume",
                needs_operator=True,
                device=device,
            )

    async def close(self) -> None:
        """Close every device."""
        await asyncio.gather(*(station.driver.close() for station in self.stations.values()), return_exceptions=True)

    def check_limits(self, device: str, command: str, arguments: Mapping[str, Any]) -> None:
        """Refuse a command outside the driver's limits intersected with the site's.

        Raises:
            OutOfLimits: A value lies outside; nothing was sent.
        """
        spec = self.stations[device].specs[command]
        site = self.limits.get(device, {}).get(command, {})
        spec.check_limits(arguments, site=site, device=device)

    async def stop_all(self) -> dict[str, str]:
        """Stop every actuator in parallel; return what could not be stopped and why."""
        stoppable = {name: s.driver for name, s in self.stations.items() if callable(getattr(s.driver, "stop", None))}
        answers = await asyncio.gather(*(driver.stop() for driver in stoppable.values()), return_exceptions=True)
        return {
            name: str(answer)
            for name, answer in zip(stoppable, answers, strict=True)
            if isinstance(answer, BaseException)
        }


def station(name: str, driver: Any, *, url: str, capacity: int) -> Station:
    """Describe one device by its driver object."""
    return Station(name=name, driver=driver, specs=command_specs(type(driver)), url=url, capacity=capacity)
