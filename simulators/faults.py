"""Faults: what wires and devices do to a driver, on purpose and by a plan.

A `FaultyWire` stands between a port and a simulated instrument and lets a fault strike at a chosen exchange. What the
instrument itself must do (restart, say that it is busy, change its unit) it is asked for; an instrument that has no
such thing says so, and the fault does not apply to it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from simulators.chance import generator


class Fault(StrEnum):
    """The menu at the wire."""

    DROP_REQUEST = "drop request"
    """The request never arrives."""
    DROP_REPLY = "drop reply"
    """The device does it; its reply never arrives."""
    CUT = "cut"
    """The reply breaks off."""
    GARBLE = "garble"
    """Bytes of the reply are replaced by others."""
    MISREAD = "misread"
    """One digit of the reply becomes another."""
    BAD_CHECKSUM = "bad checksum"
    """The last bytes before the end of the reply are damaged."""
    ECHO = "echo"
    """The request comes back before the reply, as on a half-duplex line."""
    SPLIT = "split"
    """The reply comes in single bytes."""
    LATE = "late"
    """The reply comes late, but in time."""
    TOO_LATE = "too late"
    """The reply comes after the deadline."""
    DUPLICATE = "duplicate"
    """The reply comes twice."""
    UNSOLICITED = "unsolicited"
    """The device says something that nobody asked for, before the reply."""
    BUSY = "busy"
    """The device says that it is busy."""
    WRONG_UNIT = "wrong unit"
    """The device changes its unit before it answers."""
    DISCONNECT_BEFORE = "disconnect before"
    """The connection drops before the device gets the request."""
    DISCONNECT_AFTER = "disconnect after"
    """The connection drops after the device carried the request out."""
    RESTART = "restart"
    """The device restarts, forgets what it keeps in memory only, and does not answer."""
    HANG = "hang"
    """The device stops listening, with the link up, until it is revived."""
    SLOW = "slow"
    """The reply trickles in at 300 baud."""
    FRONT_PANEL = "front panel"
    """Somebody changes a setting at the device just before the request."""


STEALTHY = frozenset({Fault.FRONT_PANEL, Fault.WRONG_UNIT})
"""Faults that leave the wire in order."""

BYTE_S = 10 / 300
"""A byte at 300 baud, start and stop bit included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One fault at one exchange."""

    fault: Fault
    late_s: float = 0.1
    """How late a late reply comes."""


class FaultyWire:
    """An instrument behind a wire on which some exchanges go wrong.

    Args:
        instrument: What answers.
        seed: Of where garbage falls.
    """

    def __init__(self, instrument: Any, *, seed: int = 0) -> None:
        self.instrument = instrument
        self.wire: str = instrument.wire
        self.unit: int = getattr(instrument, "unit", 1)
        self.send: Callable[[bytes], None] | None = None
        self.hang_up: Callable[[], None] | None = None
        self.exchanges = 0
        """How many requests came so far."""
        self.struck = 0
        """How many faults struck."""
        self._plan: deque[Strike | None] = deque()
        self._seed = seed
        self._strike: Strike | None = None
        self._request = b""
        self._is_hung = False
        instrument.send = self._answered
        instrument.hang_up = self._dropped

    def arm(self, plan: Sequence[Strike | None]) -> None:
        """Let the next exchanges suffer this, one after the other; None is an exchange that goes well."""
        self._plan = deque(plan)

    def revive(self) -> None:
        """End a hang."""
        self._is_hung = False

    def greet(self) -> None:
        """Let the instrument say hello on a new connection, if it does."""
        greet = getattr(self.instrument, "greet", None)
        if greet is not None:
            greet()

    def receive(self, data: bytes) -> None:
        """Pass a request on, unless the fault is against it."""
        self.exchanges += 1
        if self._is_hung:
            return
        self._strike = self._plan.popleft() if self._plan else None
        self._request = data
        if self._strike is None:
            self.instrument.receive(data)
            return
        self.struck += 1
        self._suffer(self._strike.fault, data)

    def _suffer(self, fault: Fault, data: bytes) -> None:
        match fault:
            case Fault.DROP_REQUEST:
                return
            case Fault.HANG:
                self._is_hung = True
                return
            case Fault.RESTART:
                self.instrument.restart()
                self._dropped()
                return
            case Fault.DISCONNECT_BEFORE:
                self._dropped()
                return
            case Fault.BUSY:
                reply = self.instrument.busy_reply(data)
                if reply is not None:
                    self._say(reply)
                    return
            case Fault.ECHO:
                self._say(data)
            case Fault.UNSOLICITED:
                self._say(self.instrument.chatter())
            case Fault.FRONT_PANEL:
                self.instrument.front_panel()
            case Fault.WRONG_UNIT:
                self.instrument.change_unit()
        self.instrument.receive(data)
        if fault is Fault.DISCONNECT_AFTER:
            self._dropped()

    def _answered(self, reply: bytes) -> None:
        strike, self._strike = self._strike, None
        if strike is None:
            self._say(reply)
            return
        match strike.fault:
            case Fault.DROP_REPLY | Fault.DISCONNECT_AFTER:
                return
            case Fault.CUT:
                self._say(reply[: self._chosen(len(reply), 1)[0]])
            case Fault.GARBLE:
                self._say(self._garbled(reply, self._chosen(len(reply), 3)))
            case Fault.MISREAD:
                self._say(self._misread(reply))
            case Fault.BAD_CHECKSUM:
                self._say(self._garbled(reply, [max(0, len(reply) - 3)]))
            case Fault.SPLIT:
                self._trickle(reply, 0.002)
            case Fault.SLOW:
                self._trickle(reply, BYTE_S)
            case Fault.LATE | Fault.TOO_LATE:
                # to whoever asked: over HTTP the next question comes on another connection
                if self.send is not None:
                    asyncio.get_running_loop().call_later(strike.late_s, self.send, reply)
            case Fault.DUPLICATE:
                self._say(reply)
                self._say(reply)
            case _:
                self._say(reply)

    def _trickle(self, reply: bytes, byte_s: float) -> None:
        loop = asyncio.get_running_loop()
        for index in range(len(reply)):
            loop.call_later(byte_s * (index + 1), self._say, reply[index : index + 1])

    def _chosen(self, length: int, n: int) -> list[int]:
        rng = generator(self._seed, "fault", self.exchanges)
        return [int(place) for place in rng.integers(0, max(1, length), n)]

    def _garbled(self, reply: bytes, places: Sequence[int]) -> bytes:
        rng = generator(self._seed, "garbage", self.exchanges)
        damaged = np.frombuffer(reply, dtype=np.uint8).copy()
        for place in places:
            damaged[place] ^= rng.integers(1, 256, dtype=np.uint8)
        return damaged.tobytes()

    def _misread(self, reply: bytes) -> bytes:
        digits = [place for place, byte in enumerate(reply) if byte in b"0123456789"]
        if not digits:
            return self._garbled(reply, self._chosen(len(reply), 1))
        place = digits[self._chosen(len(digits), 1)[0]]
        other = (reply[place] - ord("0") + 1 + self._chosen(9, 1)[0]) % 10 + ord("0")
        return reply[:place] + bytes([other]) + reply[place + 1 :]

    def _dropped(self) -> None:
        if self.hang_up is not None:
            self.hang_up()

    def _say(self, data: bytes) -> None:
        if self.send is not None and data:
            self.send(data)


def does_not_apply(fault: Fault, instrument: Any) -> str:
    """Say why an instrument cannot suffer a fault; nothing where it can."""
    needs = {
        Fault.BUSY: ("can_be_busy", "it never says that it is busy"),
        Fault.WRONG_UNIT: ("has_units", "its unit cannot be changed"),
        Fault.FRONT_PANEL: ("has_front_panel", "it has no front panel"),
    }
    flag, why = needs.get(fault, ("", ""))
    if flag and not getattr(instrument, flag, False):
        return why
    if instrument.wire == "modbus+tcp" and fault in (Fault.GARBLE, Fault.BAD_CHECKSUM):
        return "TCP's own checksum keeps damaged bytes out, and the protocol has none besides"
    if instrument.wire in ("tcp", "modbus+tcp", "http") and fault is Fault.MISREAD:
        return "TCP's own checksum keeps misread digits out"
    return "an HTTP connection does not echo" if instrument.wire == "http" and fault is Fault.ECHO else ""
