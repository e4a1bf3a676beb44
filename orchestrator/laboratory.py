"""The laboratory of one campaign: its devices, connected and identified, behind the limits gate."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from drivers.capabilities import Identity
from drivers.clock import Clock
from drivers.command import CommandSpec, Effect, Quantity, command_specs
from drivers.errors import DeviceFault, DriverError, NotSent, Unreadable
from orchestrator.calls import call
from orchestrator.errors import LabRefused

log = logging.getLogger(__name__)

CONNECT_S = 120.0
"""How long a device may take to connect and say who it is."""

CONNECT_AGAIN_S = (0.5, 3.0)
BRIEF_S = 20.0
CLOSE_S = 30.0
STOP_S = 30.0

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
    serial: str | None = None
    """The serial number that the lab file names."""


@dataclass(slots=True)
class Laboratory:
    """All devices by name, and the limits of this site."""

    stations: Mapping[str, Station]
    clock: Clock
    limits: SiteLimits = field(default_factory=dict)
    identities: dict[str, Identity] = field(default_factory=dict)
    on_reconnected: Callable[[str], None] = lambda _: None
    """Hears of each device that was connected anew, and may have lost what it was set to."""

    async def connect(self) -> None:
        """Connect and identify every device, in parallel.

        Raises:
            LabRefused: Some did not answer; lists each of them with its reason. Those that did are closed again.
        """
        names = list(self.stations)
        answers = await asyncio.gather(*(self._connect_again(name) for name in names), return_exceptions=True)
        problems = []
        for name, answer in zip(names, answers, strict=True):
            if isinstance(answer, DriverError):
                problems.append(f"  {name} ({self.stations[name].url}): {answer}")
            elif isinstance(answer, BaseException):
                await self.close()
                raise answer
            elif (expected := self.stations[name].serial) is not None and answer.serial != expected:
                problems.append(f"  {name} ({self.stations[name].url}): {_another(answer.serial, expected)}")
            else:
                self.identities[name] = answer
        if problems:
            await self.close()
            raise LabRefused("\n".join(["these devices did not connect; nothing was started:", *problems]))

    async def _connect_again(self, name: str) -> Identity:
        """Connect, and again after a moment where the wire may be at fault: one lost byte must not end a campaign."""
        for pause_s in CONNECT_AGAIN_S:
            began_s = self.clock.now_s()
            try:
                return await self._connect(name)
            except (NotSent, Unreadable) as error:
                if self.clock.now_s() - began_s > BRIEF_S:
                    raise  # it hangs
                log.warning("connecting_failed device=%s again_in_s=%g error=%s", name, pause_s, error)
            await self.clock.sleep(pause_s)
        return await self._connect(name)

    async def _connect(self, name: str) -> Identity:
        return await self._call(name, "connect", effect=Effect.READ, deadline_s=CONNECT_S)

    async def _call(self, name: str, method: str, *, effect: Effect, deadline_s: float) -> Any:
        function = getattr(self.stations[name].driver, method)
        return await call(function, {}, effect=effect, deadline_s=deadline_s, device=name, command=method)

    async def reconnect(self, device: str) -> None:
        """Connect a device anew after its port was lost, and make sure that it is the same one.

        Raises:
            DriverError: It is still absent.
            DeviceFault: Another device answers at its port.
        """
        found = await self._connect(device)
        before = self.identities.get(device)
        if before is not None and found.serial != before.serial:
            raise DeviceFault(_another(found.serial, before.serial), needs_operator=True, device=device)
        self.on_reconnected(device)

    async def close(self) -> None:
        """Close every device; one that cannot be is left to the end of the process."""
        closings = (self._call(name, "close", effect=Effect.IDEMPOTENT, deadline_s=CLOSE_S) for name in self.stations)
        for answer in await asyncio.gather(*closings, return_exceptions=True):
            if isinstance(answer, BaseException):
                log.warning("close_failed error=%s", answer)

    def check_limits(self, device: str, command: str, arguments: Mapping[str, Any]) -> None:
        """Refuse a command outside the driver's limits intersected with the site's.

        Raises:
            OutOfLimits: A value lies outside; nothing was sent.
            Rejected: A value cannot be compared with its limits; nothing was sent.
        """
        spec = self.stations[device].specs[command]
        site = self.limits.get(device, {}).get(command, {})
        spec.check_limits(arguments, site=site, device=device)

    async def stop(self, device: str) -> str:
        """Stop one device within `STOP_S`; returns why that failed, or nothing."""
        try:
            await self._call(device, "stop", effect=Effect.IDEMPOTENT, deadline_s=STOP_S)
        except DriverError as error:
            return str(error)
        return ""

    async def stop_all(self) -> dict[str, str]:
        """Stop every actuator in parallel, within `STOP_S`; return what could not be stopped and why."""
        names = self.stoppable
        stops = (self._call(name, "stop", effect=Effect.IDEMPOTENT, deadline_s=STOP_S) for name in names)
        answers = await asyncio.gather(*stops, return_exceptions=True)
        return {
            name: str(answer) for name, answer in zip(names, answers, strict=True) if isinstance(answer, BaseException)
        }

    @property
    def stoppable(self) -> list[str]:
        """Names of the devices that can be stopped."""
        return [name for name, item in self.stations.items() if callable(getattr(item.driver, "stop", None))]


def _another(found: str, expected: str) -> str:
    return f"serial number {found} answers where {expected} was; plug that in, then resume"


def station(name: str, driver: Any, *, url: str, capacity: int, serial: str | None = None) -> Station:
    """Describe one device by its driver object."""
    return Station(
        name=name, driver=driver, specs=command_specs(type(driver)), url=url, capacity=capacity, serial=serial
    )
