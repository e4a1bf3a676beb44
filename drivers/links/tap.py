"""The tap: every byte that passed a link, with its time and direction."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from drivers.clock import Clock

SHOWN = 120
"""Bytes of a long message that an error shows."""


class Direction(StrEnum):
    """Which way bytes went, seen from the driver."""

    SENT = ">"
    RECEIVED = "<"
    DISCARDED = "x"
    """Received when nobody had asked: late, repeated or unsolicited; no driver saw them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """Bytes that passed together."""

    time_s: float
    direction: Direction
    data: bytes


class Tap:
    """A ring of what passed last, and, if a path is given, a file of JSON lines with all of it.

    A link whose `tap` is None keeps no record. A line of the file is
    ``{"time_s": 1.5, "utc": "...", "direction": ">", "data": "STOP\\r\\n"}``, with one Latin-1 character for each byte.
    """

    def __init__(self, clock: Clock, *, path: Path | str | None = None, keep: int = 128) -> None:
        self._clock = clock
        self._ring: deque[tuple[float, Direction, bytes]] = deque(maxlen=keep)
        self._file = None if path is None else _appending(Path(path))

    def record(self, direction: Direction, data: bytes) -> None:
        """Note bytes that passed now."""
        self._ring.append((self._clock.now_s(), direction, data))
        if self._file is not None:
            self._write(direction, data)

    def _write(self, direction: Direction, data: bytes) -> None:
        line = {
            "time_s": self._clock.now_s(),
            "utc": self._clock.utc().isoformat(),
            "direction": direction,
            "data": data.decode("latin-1"),
        }
        if self._file is not None:
            self._file.write(json.dumps(line) + "\n")

    def __iter__(self) -> Iterator[Passed]:
        return iter([Passed(time_s=time_s, direction=way, data=data) for time_s, way, data in self._ring])

    def close(self) -> None:
        """Close the file; the ring stays readable."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _appending(path: Path) -> TextIO:
    # a line at a time, so that a killed controller leaves what it saw
    return path.open("a", buffering=1, encoding="ascii")


def shown(data: bytes) -> str:
    """Return bytes as an error message shows them: escaped, and cut if long."""
    text = repr(data[:SHOWN])[2:-1]
    return f"'{text}'" if len(data) <= SHOWN else f"'{text}'... ({len(data)} bytes)"


def read_tap(path: Path | str) -> Iterator[Passed]:
    """Read a tap's file back."""
    with Path(path).open(encoding="ascii") as file:
        for text in file:
            line = json.loads(text)
            data = line["data"].encode("latin-1")
            yield Passed(time_s=line["time_s"], direction=Direction(line["direction"]), data=data)
