"""The tap: every byte that passed a link, with its time and direction."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from drivers.clock import Clock

_LOG = logging.getLogger(__name__)

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
        now_s = self._clock.now_s()
        self._ring.append((now_s, direction, data))
        if self._file is not None:
            self._write(self._file, now_s, direction, data)

    def _write(self, file: TextIO, time_s: float, direction: Direction, data: bytes) -> None:
        utc = self._clock.utc().isoformat()
        line = {"time_s": time_s, "utc": utc, "direction": direction, "data": data.decode("latin-1")}
        try:
            file.write(json.dumps(line) + "\n")
        except (OSError, ValueError) as error:  # a full disk, or closed meanwhile: no reason to lose an instrument
            self._file = None
            with suppress(OSError):
                file.close()
            _LOG.warning("tap_ended file=%s error=%s", file.name, error)

    def __iter__(self) -> Iterator[Passed]:
        ring = list(self._ring)  # at once: a worker thread may be adding to it
        return iter([Passed(time_s=time_s, direction=way, data=data) for time_s, way, data in ring])

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
    """Read a tap's file back, but for a last line that a killed controller left unfinished."""
    with Path(path).open(encoding="ascii") as file:
        for text in file:
            if not text.endswith("\n"):
                return
            line = json.loads(text)
            data = line["data"].encode("latin-1")
            yield Passed(time_s=line["time_s"], direction=Direction(line["direction"]), data=data)
