"""The driver that stands behind every adapted ophyd-async device."""

from __future__ import annotations

import asyncio
import inspect
import math
import os
import sys
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from drivers.adapters import EXTRA, foreign
from drivers.capabilities import AxisPosition, Identity
from drivers.clock import Clock
from drivers.command import Effect, command
from drivers.errors import DeviceFault, DriverError, NotConnected, Rejected, Unreadable
from drivers.instruments.acting import after_acting
from drivers.links.base import untrusted
from drivers.links.url import CaAddress, parse_url
from drivers.manifest import Manifest

LIBRARY = "ophyd-async"
CONNECT_S = 10.0
INSTALL = f"{EXTRA} and pip install --no-deps ophyd-async pydantic-numpy"
"""pydantic-numpy asks for an older ruamel.yaml than labpilot's, and works with it all the same."""
SERVERS = "EPICS_CA_ADDR_LIST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A value among the device's readings."""

    name: str
    """What the command is called."""
    key: str = ""
    """The child that is read, as in ``velocity``; empty for the value that bears the device's own name."""
    unit: str
    device_unit: str | None = None
    """How the device spells the unit; by default as labpilot does. Any other is refused, and none too."""
    low: float
    high: float
    tolerance: float = 0.0
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """How the device moves."""

    argument: str
    low: float
    high: float
    tolerance: float
    """How far from the target is still there."""
    example: float
    read_back: Reading
    """What says where it is."""
    within_s: float = 60.0
    late_max_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How a device is connected."""

    mock: bool = False
    """Connect ophyd-async's mock signals, which describe no units: none are checked."""
    is_soft: bool = False
    """Its signals are soft, with no control system behind, so that it works in virtual time."""


class OphydAsyncDriver:
    """What all adapted devices share; `drivers.adapters.ophyd_async.adapted` adds the commands."""

    manifest: ClassVar[Manifest]
    _make: ClassVar[Any]
    _connection: ClassVar[Connection]

    def __init__(self, link: Any, clock: Clock, *, name: str = "device") -> None:
        self.name = name
        self._link = link
        self._clock = clock
        self._device: Any = None
        self._is_connected = False
        self._n_moving = 0
        self._n_stops = 0

    async def connect(self) -> Identity:
        """Connect all of the device's signals, again if that was done before, and identify it.

        Raises:
            NotConnected: ophyd-async is not installed, a signal is not there, or this is virtual time.
        """
        not_connected = foreign("ophyd_async.core:NotConnectedError", library=LIBRARY, install=INSTALL)
        mock = self._connection.mock
        if self._device is None:
            self._refuse_virtual_time()
            made = foreign(self._make, library=LIBRARY, install=INSTALL)(_prefix(self._link.name))
            made.set_name(self.name)
            self._device = made
        elif mock:  # connecting again would lose what the mock signals hold
            self._is_connected = True
            return await self.identify()
        try:
            with _pyepics_hidden():
                await self._device.connect(mock=mock, timeout=CONNECT_S, force_reconnect=not mock)
        except (not_connected, TimeoutError) as error:
            raise NotConnected(f"not all signals are there: {error}".strip()) from error
        self._is_connected = True
        return await self.identify()

    async def close(self) -> None:
        """Use the device no more; ophyd-async has no way to disconnect. Safe to call twice."""
        self._is_connected = False

    @command(Effect.READ, timeout_s=CONNECT_S)
    async def identify(self) -> Identity:
        """Read where its first value comes from; a device of ophyd-async has no serial number or firmware."""
        described = await self._asked(self._open().describe(), CONNECT_S, Effect.READ)
        source = str(next(iter(described.values()))["source"]) if described else ""
        return Identity(maker=self.manifest.maker, model=type(self._device).__name__, serial=source, firmware="")

    async def _read(self, declared: Reading, effect: Effect) -> float:
        device = self._open()
        both = asyncio.gather(device.describe(), device.read())
        described, readings = await self._asked(both, declared.timeout_s, effect)
        key = f"{self.name}-{declared.key}" if declared.key else self.name
        if key not in readings:
            raise Rejected(f"the device reads {', '.join(readings) or 'nothing'}, and not {key}; nothing was done")
        if not self._connection.mock:
            _refuse_unit(described[key].get("units"), declared, effect)
        return _number(readings[key], key, effect)

    async def _locate(self, declared: Move) -> AxisPosition:
        position = await self._read(declared.read_back, Effect.READ)
        location = await self._asked(self._open().locate(), declared.read_back.timeout_s, Effect.READ)
        return AxisPosition(position=position, target=float(location["setpoint"]), is_moving=self._n_moving > 0)

    async def _move(self, declared: Move, target: float) -> None:
        """Move, and see where it got to.

        Raises:
            Rejected: The device refuses the target, or is on its way; nothing was written.
            Ambiguous: It was not there in time, or the device failed; it may still move.
            DeviceFault: It was stopped, or stands elsewhere though the device says that it is done.
        """
        device, n_stops = self._open(), self._n_stops
        if self._n_moving:
            raise Rejected("it is on its way; wait for it, or stop it")
        await self._check(device, target, declared.read_back.timeout_s)
        self._n_moving += 1
        try:
            await self._asked(device.set(target), declared.within_s, Effect.VERIFIABLE)
        except DriverError as error:
            if self._n_stops != n_stops:
                raise DeviceFault(f"it was stopped on its way to {target:g}", code="stopped") from error
            raise
        finally:
            self._n_moving -= 1
        position = await after_acting(self._read(declared.read_back, Effect.VERIFIABLE))
        if abs(position - target) > declared.tolerance:
            problem = f"it stands at {position:g} {declared.read_back.unit}, and was sent to {target:g}"
            raise DeviceFault(problem, code="stopped" if self._n_stops != n_stops else "missed")

    async def _check(self, device: Any, target: float, timeout_s: float) -> None:
        check = getattr(device, "check_value", None)
        if check is None:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await _maybe(check(target))
        except TimeoutError as error:
            raise Rejected(f"its limits cannot be read within {timeout_s:g} s; nothing was written") from error
        except Exception as error:  # each device has exceptions of its own for this; none has written anything
            raise Rejected(f"the device refuses {target:g}: {error}; nothing was written") from error

    async def _stop(self, timeout_s: float) -> None:
        self._n_stops += 1
        await self._asked(_maybe(self._open().stop(success=False)), timeout_s, Effect.IDEMPOTENT)

    async def _asked(self, answer: Awaitable[Any], timeout_s: float, effect: Effect) -> Any:
        """Await the device, and say in our words what goes wrong."""
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise untrusted("the device gave up what it did", effect=effect) from None
        except TimeoutError as error:
            raise untrusted(f"no answer within {timeout_s:g} s ({error})", effect=effect) from error
        except Exception as error:  # the supervisor of the device: whatever it raises, the outcome is not known
            raise untrusted(f"{LIBRARY} raised {type(error).__name__}: {error}", effect=effect) from error

    def _open(self) -> Any:
        if not self._is_connected:
            raise NotConnected(f"{self.name} is not connected; call connect() first")
        return self._device

    def _refuse_virtual_time(self) -> None:
        if self._clock.is_virtual and not (self._connection.mock or self._connection.is_soft):
            raise NotConnected(
                f"{LIBRARY} reaches its control system in wall time only. In virtual time use soft or mock signals "
                "(Connection), or a driver on channels, as drivers.instruments.epics_motor is"
            )


async def _maybe(answer: Any) -> Any:
    return await answer if inspect.isawaitable(answer) else answer


@contextmanager
def _pyepics_hidden() -> Iterator[None]:
    """Keep ophyd-async from joining the client of pyepics, of which labpilot's own links have the library only."""
    hidden = sys.modules.pop("epics.ca", None)
    try:
        yield
    finally:
        if hidden is not None:
            sys.modules["epics.ca"] = hidden


def _prefix(address: str) -> str:
    """Return the prefix in the address of a link, if it is one of channel access.

    Raises:
        NotConnected: The address names servers that ophyd-async will not ask.
    """
    if not address.startswith("ca:"):
        return ""
    parsed = parse_url(address)
    if not isinstance(parsed, CaAddress):
        return ""
    asked = os.environ.get(SERVERS, "").split()
    if missing := [server for server in parsed.servers if server not in asked]:
        raise NotConnected(f"{LIBRARY} is told of servers by {SERVERS} only; add {' '.join(missing)} and start again")
    return parsed.prefix


def _refuse_unit(unit: str | None, declared: Reading, effect: Effect) -> None:
    wanted = declared.unit if declared.device_unit is None else declared.device_unit
    if unit != wanted:
        raise untrusted(f"the device says {unit!r} and not {wanted!r}; nothing is converted", effect=effect)


def _number(reading: Mapping[str, Any], key: str, effect: Effect) -> float:
    value = reading["value"]
    if reading.get("alarm_severity", 0) < 0:
        raise Unreadable(f"the server calls {key} = {value!r} invalid; see what its device says")
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise untrusted(f"{key} is {value!r}, which is no number", effect=effect)
    return number
