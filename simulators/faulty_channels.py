"""Faults on channels: the part of the menu of `simulators.faults` that an EPICS client can meet.

A `FaultyChannels` stands between `MemoryChannels` and a simulated IOC and lets a fault strike at a chosen read or
write. Channel access runs over TCP and carries typed values, so nothing is cut, echoed or doubled; what is damaged on
its way from the device to the IOC comes with the severity INVALID.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from drivers.links.channels import INVALID, ChannelValue
from simulators.faults import Fault, Strike
from simulators.faults import does_not_apply as has_no_such

_OF_BYTES = frozenset(
    {
        Fault.CUT,
        Fault.BAD_CHECKSUM,
        Fault.ECHO,
        Fault.SPLIT,
        Fault.DUPLICATE,
        Fault.UNSOLICITED,
        Fault.SLOW,
        Fault.BUSY,
    }
)


class FaultyChannels:
    """A simulated IOC on which some reads and writes go wrong.

    Args:
        instrument: The IOC.
        seed: Nothing here is left to chance; the same interface as `FaultyWire`.
        cached: While it hangs, the IOC still answers reads, with the values and stamps of before: its device is
            gone, or a gateway stands in for it.
    """

    wire = "ca"

    def __init__(self, instrument: Any, *, seed: int = 0, cached: bool = False) -> None:
        self.instrument = instrument
        self.exchanges = 0
        """How many reads and writes came so far."""
        self.struck = 0
        """How many faults struck."""
        self._plan: deque[Strike | None] = deque()
        self._cached = cached
        self._last: dict[str, ChannelValue] = {}
        self._is_hung = False
        self._has_changed_unit = False
        self._held: list[Callable[[], None]] = []

    def arm(self, plan: Sequence[Strike | None]) -> None:
        """Let the next reads and writes suffer this, one after the other; None is one that goes well."""
        self._plan = deque(plan)

    def revive(self) -> None:
        """End a hang: what was written meanwhile lands now. A unit that somebody changed is put back, by a person."""
        self._is_hung = False
        if self._has_changed_unit:
            self._has_changed_unit = False
            self.instrument.restore_unit()
        held, self._held = self._held, []
        for write in held:
            write()

    def does_not_apply(self, fault: Fault) -> str:
        """Say why a fault cannot happen here; nothing where it can."""
        if fault in _OF_BYTES:
            return "channels carry values, not bytes"
        return has_no_such(fault, self.instrument)

    def get(self, channel: str, answer: Callable[[ChannelValue], None]) -> None:
        """Pass a read on, unless the fault is against it.

        Raises:
            KeyError: There is no such channel.
            ConnectionError: The connection drops.
        """
        strike = self._next()
        if self._is_hung:
            if self._cached and channel in self._last:
                answer(self._last[channel])
            return
        match strike.fault if strike is not None else None:
            case Fault.DROP_REQUEST | Fault.DROP_REPLY | Fault.DISCONNECT_AFTER:
                return
            case Fault.LATE | Fault.TOO_LATE:
                self.instrument.get(channel, lambda value: self._later(strike, lambda: answer(value)))
            case Fault.GARBLE:
                self.instrument.get(channel, lambda value: answer(replace(value, severity=INVALID)))
            case None | Fault.FRONT_PANEL | Fault.WRONG_UNIT:
                self.instrument.get(channel, lambda value: self._keep(channel, value, answer))

    def put(self, channel: str, value: float | int | str, done: Callable[[], None]) -> None:
        """Pass a write on, unless the fault is against it.

        Raises:
            KeyError: There is no such channel.
            ConnectionError: The connection drops.
        """
        strike = self._next()
        if self._is_hung:
            self._held.append(lambda: self.instrument.put(channel, value, _nobody))
            return
        match strike.fault if strike is not None else None:
            case Fault.DROP_REQUEST:
                return
            case Fault.DROP_REPLY | Fault.DISCONNECT_AFTER:
                self.instrument.put(channel, value, _nobody)
            case Fault.LATE:
                self.instrument.put(channel, value, lambda: self._later(strike, done))
            case Fault.TOO_LATE:
                self._later(strike, lambda: self.instrument.put(channel, value, done))
            case None | Fault.GARBLE | Fault.FRONT_PANEL | Fault.WRONG_UNIT:
                self.instrument.put(channel, value, done)

    def _next(self) -> Strike | None:
        """Return what strikes this time, after what it does to the device or the connection."""
        self.exchanges += 1
        if self._is_hung:
            return None
        strike = self._plan.popleft() if self._plan else None
        if strike is None:
            return None
        self.struck += 1
        match strike.fault:
            case Fault.HANG:
                self._is_hung = True
            case Fault.RESTART:
                self.instrument.restart()
                raise ConnectionResetError("the server restarts")
            case Fault.DISCONNECT_BEFORE:
                raise ConnectionResetError("the connection dropped")
            case Fault.FRONT_PANEL:
                self.instrument.front_panel()
            case Fault.WRONG_UNIT:
                self.instrument.change_unit()
                self._has_changed_unit = True
        return strike

    def _keep(self, channel: str, value: ChannelValue, answer: Callable[[ChannelValue], None]) -> None:
        self._last[channel] = value
        answer(value)

    def _later(self, strike: Strike | None, what: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(strike.late_s if strike is not None else 0.0, what)


def _nobody() -> None:
    """Take note that a write is done, where nobody will hear of it."""
