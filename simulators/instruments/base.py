"""What simulated instruments share: cutting requests out of the stream, and time that only physics takes.

Instruments keep no timers. A request is answered at once from the state and the clock; how far a move has come, or
whether an exposure is over, follows from when it began. So an instrument that is restored from its file in the middle
of a move goes on as if nothing had happened.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

from drivers.links.framing import BadFrame, Framing
from simulators.world import WorldFile

RESOLUTION_S = 1e-6
"""Instruments tell time no finer than this: what ends within it is over."""

PAUSE_S = 0.25
"""A request that breaks off for longer is forgotten, so that a damaged length does not swallow what follows."""


class Now(Protocol):
    """The part of a clock that an instrument reads."""

    def now_s(self) -> float:
        """Return seconds."""
        ...


class FramedInstrument(ABC):
    """An instrument that answers each request with at most one reply; a subclass speaks its language."""

    wire = "serial"
    """What it speaks; see `simulators.world.Instrument`."""
    can_be_busy = False
    """Whether `busy_reply` says something."""
    has_units = False
    """Whether `change_unit` does something."""
    has_front_panel = False
    """Whether `front_panel` does something."""

    def __init__(
        self, framing: Framing, *, state: WorldFile, clock: Now, settle: Callable[[], None] | None = None
    ) -> None:
        self.send: Callable[[bytes], None] | None = None
        """Where answers go; whoever owns the port sets it."""
        self.hang_up: Callable[[], None] | None = None
        """How to drop the connection; whoever owns the port sets it."""
        self._framing = framing
        self._state = state
        self._clock = clock
        self._settle = settle
        self._buffer = bytearray()
        self._heard_s = 0.0

    def receive(self, data: bytes) -> None:
        """Take bytes as they arrive, in pieces of any size, and answer every request that is complete."""
        now_s = self._clock.now_s()
        if self._buffer and now_s - self._heard_s > PAUSE_S:
            self._buffer.clear()
        self._heard_s = now_s
        self._buffer += data
        while self._buffer:
            try:
                taken = self._framing.take(self._buffer)
            except BadFrame:
                self._buffer.clear()
                self._reply(self.answer_damaged())
                return
            if taken is None:
                return
            del self._buffer[: taken[1]]
            if self._settle is not None:
                self._settle()
            self._reply(self.answer(taken[0]))

    def _reply(self, reply: bytes | None) -> None:
        if reply is not None and self.send is not None:
            self.send(reply)

    def answer_damaged(self) -> bytes | None:
        """Return the wrapped reply to bytes that are no request; by default there is none."""
        return None

    @abstractmethod
    def answer(self, request: bytes) -> bytes | None:
        """Carry out one request and return the wrapped reply; what changed is in the world's file by then."""

    def restart(self) -> None:
        """Lose power for a moment: what is kept in memory only is forgotten, and half a request too."""
        self._buffer.clear()

    def busy_reply(self, request: bytes) -> bytes | None:
        """Return how this instrument says that it is busy, to a request that it then does not carry out."""
        return None

    def chatter(self) -> bytes:
        """Return a message that nobody asked for, as this instrument could send it (a prompt, a status line)."""
        return b"\x07 READY\r\n"

    def change_unit(self) -> None:
        """Let somebody switch the display to another unit; only where `has_units`."""
        raise NotImplementedError(f"{type(self).__name__} has no units to change")

    def front_panel(self) -> None:
        """Let somebody change a setting by hand; only where `has_front_panel`."""
        raise NotImplementedError(f"{type(self).__name__} has no front panel")

    def _did(self, what: str, *, once: bool = False, **facts: Any) -> None:
        """Note for checkers that an action was carried out.

        once: doing it twice is another thing than doing it once.
        """
        self._state.note_act(what, once=once, facts=facts, at_s=self._clock.now_s())

    def _remaining_s(self, end_s: float) -> float:
        remaining = end_s - self._clock.now_s()
        return remaining if remaining > RESOLUTION_S else 0.0
