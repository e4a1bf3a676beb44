"""The guard's own file: what it did, line by line, and what is latched when it starts again.

JSON lines, each flushed to the disk, by a thread of its own: a disk that hangs keeps the guard from nothing. The file
is bounded: once it is full it becomes ``NAME.1``, in place of the one before, and the new one begins with what is
latched. A line that a power cut tore is skipped.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import queue
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.guard.answers import Event

log = logging.getLogger(__name__)

LARGEST_BYTES = 1_000_000
MOST_WAITING = 10_000
"""Lines that may wait for the disk; more are dropped, and that is written once it takes lines again."""


@dataclass(slots=True)
class Standing:
    """What the lines of a log come to."""

    latched: dict[str, str] = field(default_factory=dict)
    """Trips that are latched, with their reason."""
    expects_controller: bool = False
    """Whether a controller was heard that has not said goodbye."""

    def fold(self, row: Mapping[str, Any]) -> None:
        """Take one line."""
        facts = row.get("facts") or {}
        match row.get("kind"):
            case "tripped":
                self.latched[facts["trip"]] = facts.get("reason", "")
            case "acknowledged":
                self.latched.pop(facts["trip"], None)
            case "controller_heard" | "controller_back":
                self.expects_controller = True
            case "controller_left":
                self.expects_controller = False
            case "standing":
                self.latched, self.expects_controller = dict(row["latched"]), bool(row["expects_controller"])

    def row(self) -> dict[str, Any]:
        """Return this as the first line of a file."""
        return {"kind": "standing", "latched": self.latched, "expects_controller": self.expects_controller}


def read_standing(path: Path) -> Standing:
    """Return what a log comes to; nothing where there is none."""
    found = Standing()
    for row in [*_rows(_older(path)), *_rows(path)]:
        found.fold(row)
    return found


class GuardLog:
    """An append-only file of events.

    Args:
        path: Where.
        largest_bytes: From which size on a new one is begun.
    """

    def __init__(self, path: Path, *, largest_bytes: int = LARGEST_BYTES) -> None:
        self.path = path
        self.error = ""
        """Why the last line could not be written; nothing where it was."""
        self._largest_bytes = largest_bytes
        self._waiting: queue.Queue[Event | threading.Event | None] = queue.Queue(MOST_WAITING)
        self._n_dropped = 0
        self._standing: Standing | None = None
        # a daemon: a disk that hangs must not keep the process from its end either
        self._writer = threading.Thread(target=self._write_all, name="guard log", daemon=True)
        self._writer.start()

    def write(self, event: Event) -> None:
        """Have an event appended; returns at once."""
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            self._n_dropped += 1

    async def written(self, *, within_s: float) -> str:
        """Wait until all that was handed over is on the disk; returns why it is not, or nothing."""
        reached = threading.Event()
        try:
            self._waiting.put_nowait(reached)
        except queue.Full:
            return f"{self.path} takes no more lines"
        if not await asyncio.to_thread(reached.wait, within_s):
            return f"{self.path} was not written within {within_s:g} s"
        return self.error

    def close(self, *, within_s: float) -> bool:
        """Wait until all is on the disk; False if that took longer."""
        try:
            self._waiting.put(None, timeout=within_s)
        except queue.Full:
            return False
        self._writer.join(within_s)
        return not self._writer.is_alive()

    def _write_all(self) -> None:
        """Write what comes until the end: the supervisor of the disk."""
        while (event := self._waiting.get()) is not None:
            if isinstance(event, threading.Event):
                event.set()
                continue
            try:
                self._write(event)
                self.error = ""
            except (OSError, ValueError, KeyError, TypeError) as error:
                self.error = f"{self.path} cannot be written ({error})"
                log.warning("guard_log_failed error=%s", self.error)

    def _write(self, event: Event) -> None:
        if self._standing is None:
            self._standing = read_standing(self.path)
        row = {
            "utc": event.utc.isoformat(),
            "kind": event.kind,
            "text": event.text,
            "is_alarm": event.is_alarm,
            "facts": dict(event.facts),
        }
        if self._n_dropped:
            row["dropped_before"], self._n_dropped = self._n_dropped, 0
        if self.path.exists() and self.path.stat().st_size >= self._largest_bytes:
            os.replace(self.path, _older(self.path))
            self._append(self._standing.row())
        self._standing.fold(row)
        self._append(row)

    def _append(self, row: Mapping[str, Any]) -> None:
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            # a torn line before this one must not swallow it
            size = os.fstat(handle).st_size
            is_torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            os.write(handle, b"\n" * is_torn + json.dumps(row).encode() + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)


def _older(path: Path) -> Path:
    return path.with_name(path.name + ".1")


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row
