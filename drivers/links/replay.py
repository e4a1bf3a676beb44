"""Replay: a recorded transcript plays the device, so that what once passed on a real wire can be tried again.

It takes the requests that were recorded, in their order and byte for byte, and answers what was answered then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from drivers.links.tap import Direction, Passed, read_tap, shown

__all__ = ["Mismatch", "Recorded", "ReplayPeer", "recorded", "read_tap"]


class Mismatch(Exception):
    """A request is not the one that was recorded here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A request, and the pieces in which its reply came, none if there was no reply."""

    time_s: float
    request: bytes
    replies: tuple[bytes, ...] = ()


def recorded(passed: Iterable[Passed]) -> list[Recorded]:
    """Put what passed together into exchanges; what was thrown away then, or came before the first, is left out."""
    found: list[Recorded] = []
    for one in passed:
        if one.direction is Direction.SENT:
            found.append(Recorded(time_s=one.time_s, request=one.data))
        elif one.direction is Direction.RECEIVED and found:
            last = found[-1]
            found[-1] = Recorded(time_s=last.time_s, request=last.request, replies=(*last.replies, one.data))
    return found


class ReplayPeer:
    """The other end of a `MemoryLink`, from a transcript. A reply comes at once, in the pieces in which it came.

    Args:
        passed: What was recorded, in order: a `Tap`, or `read_tap` of its file.
        wire: What the device speaks; see `drivers.links.opening.memory_link`.
        unit: The Modbus unit that it is.
    """

    def __init__(self, passed: Iterable[Passed], *, wire: str = "serial", unit: int = 1) -> None:
        self.send: Callable[[bytes], None] | None = None
        self.hang_up: Callable[[], None] | None = None
        self.wire = wire
        self.unit = unit
        self.mismatches: list[Mismatch] = []
        """What was asked and not recorded so; a driver makes its own error of each, so look here."""
        self._todo = deque(recorded(passed))

    @property
    def leftovers(self) -> list[Recorded]:
        """What was recorded and not asked yet."""
        return list(self._todo)

    def problems(self) -> list[str]:
        """Say what differs from the recording so far, as sentences; none at the end means that all was the same."""
        rest = [f"recorded at {one.time_s:g} s and never asked: {shown(one.request)}" for one in self._todo]
        return [*map(str, self.mismatches), *rest]

    def receive(self, data: bytes) -> None:
        """Answer the next recorded request.

        Raises:
            Mismatch: This is another one; it stays due.
        """
        if not self._todo or data != self._todo[0].request:
            raise self._mismatch(data)
        for reply in self._todo.popleft().replies:
            if self.send is not None:
                self.send(reply)

    def _mismatch(self, data: bytes) -> Mismatch:
        due = shown(self._todo[0].request) if self._todo else "nothing more"
        mismatch = Mismatch(f"{shown(data)} was asked where {due} was recorded")
        self.mismatches.append(mismatch)
        return mismatch
