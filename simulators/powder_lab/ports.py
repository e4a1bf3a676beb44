"""The port of an instrument in a bigger world: what is due happens first, and what happened is written before a reply.

A port stands where an instrument would, towards links, servers and faulty wires.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Turns(Protocol):
    """Whoever lets one thing happen after the other."""

    def turn(self) -> AbstractContextManager[None]:
        """Let what is due happen, then what is inside, and write it all at once."""
        ...


class Port:
    """One instrument of a world.

    Args:
        instrument: What answers.
        turns: The world.
    """

    def __init__(self, instrument: Any, turns: Turns) -> None:
        self.instrument = instrument
        self.wire: str = instrument.wire
        self.unit: int = getattr(instrument, "unit", 1)
        self.can_be_busy: bool = instrument.can_be_busy
        self.has_units: bool = instrument.has_units
        self.has_front_panel: bool = instrument.has_front_panel
        self.send: Callable[[bytes], None] | None = None
        self.hang_up: Callable[[], None] | None = None
        self._turns = turns
        self._said: list[bytes] | None = None
        instrument.send = self._say
        instrument.hang_up = self._drop

    def receive(self, data: bytes) -> None:
        """Take bytes as they arrive, in pieces of any size."""
        self._in_turn(lambda: self.instrument.receive(data))

    def greet(self) -> None:
        """Let the instrument say hello on a new connection, if it does."""
        greet = getattr(self.instrument, "greet", None)
        if greet is not None:
            greet()

    def restart(self) -> None:
        """Have the instrument lose power for a moment."""
        self._in_turn(self.instrument.restart)

    def front_panel(self) -> None:
        """Let somebody change a setting by hand."""
        self._in_turn(self.instrument.front_panel)

    def change_unit(self) -> None:
        """Let somebody switch the display to another unit."""
        self._in_turn(self.instrument.change_unit)

    def busy_reply(self, request: bytes) -> bytes | None:
        """Return how this instrument says that it is busy."""
        return self.instrument.busy_reply(request)

    def chatter(self) -> bytes:
        """Return a message that nobody asked for."""
        return self.instrument.chatter()

    def _in_turn(self, work: Callable[[], None]) -> None:
        """Do something, and hand out replies when it is written."""
        said: list[bytes] = []
        self._said = said
        try:
            with self._turns.turn():
                work()
        finally:
            self._said = None
        for reply in said:
            self._say(reply)

    def _say(self, data: bytes) -> None:
        if self._said is not None:
            self._said.append(data)
        elif self.send is not None:
            self.send(data)

    def _drop(self) -> None:
        if self.hang_up is not None:
            self.hang_up()
