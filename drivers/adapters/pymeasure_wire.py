"""A PyMeasure adapter on a labpilot link. Imports PyMeasure: import this module when it is needed only.

What an instrument writes is kept until it reads, and then sent together with the question: a write that nobody
acknowledges is proven by the reply to a question behind it. A delay between question and reading is not needed, the
link waits for the reply itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pymeasure.adapters import Adapter

from drivers.adapters.blocking import BlockingCall
from drivers.links.framing import Line

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Exactly:
    """A reply of a known number of bytes."""

    count: int

    def take(self, buffer: bytes | bytearray) -> tuple[bytes, int] | None:
        """Return the bytes; see `drivers.links.framing.Framing.take`."""
        return None if len(buffer) < self.count else (bytes(buffer[: self.count]), self.count)

    def wrap(self, message: bytes) -> bytes:
        """Return the message as it is."""
        return message


class LinkAdapter(Adapter):
    """What PyMeasure writes to and reads from. Each thread speaks for the call that it was made for.

    Args:
        write_termination: What ends a command.
        read_termination: What ends a reply.
    """

    def __init__(self, *, write_termination: str, read_termination: str) -> None:
        super().__init__()
        self._write_termination = write_termination.encode("ascii")
        self._read_termination = read_termination.encode("ascii")
        self._mine = threading.local()

    def speaking_for(self, call: BlockingCall, work: Callable[[], T]) -> T:
        """Do work in this thread whose writes and reads are those of a call."""
        self._mine.call = call
        return work()

    def close(self) -> None:
        """Do nothing: the driver closes its link."""

    def flush_read_buffer(self) -> None:
        """Do nothing: the link throws away by itself what it did not ask for."""

    def _write(self, command: str, **_: Any) -> None:
        self._write_bytes(command.encode("latin-1") + self._write_termination)

    def _write_bytes(self, content: bytes, **_: Any) -> None:
        self._call.pending += content

    def _read(self, **_: Any) -> str:
        return self._call.ask(Line(self._read_termination)).decode("latin-1")

    def _read_bytes(self, count: int, break_on_termchar: bool = False, **_: Any) -> bytes:
        if break_on_termchar:
            return self._call.ask(Line(self._read_termination)) + self._read_termination
        if count < 1:
            raise ValueError("'whatever has arrived' may be half a reply; read a line or a number of bytes")
        return self._call.ask(Exactly(count))

    @property
    def _call(self) -> BlockingCall:
        call: BlockingCall | None = getattr(self._mine, "call", None)
        if call is None:
            raise RuntimeError("PyMeasure asked outside of a command; the instrument is used by its driver only")
        return call
