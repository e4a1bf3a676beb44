"""How many instruments share one world's file: each has a part of it, and what one exchange changes is written at once.

A kill in the middle of an exchange leaves all of what the exchange did, or nothing of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from simulators.instruments.base import Now
from simulators.world import WorldFile

SHARED = ("world",)
"""Keys that every part sees as they are."""


class Notebook(WorldFile):
    """A world's file, written once for each turn.

    Args:
        file: It stays open, and its owner closes it.
    """

    def __init__(self, file: WorldFile) -> None:
        self.path = file.path
        self._db = file._db
        self._cache = file._cache
        self._lock = None
        self._n_acts: int | None = None
        self._pending: dict[str, str] | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Write what is noted inside in one transaction at the end; a turn within a turn is a part of it."""
        if self._pending is not None:
            yield
            return
        self._pending = {}
        try:
            yield
        finally:
            rows, self._pending = self._pending, None
            self._write(rows)

    def update(self, items: Mapping[str, Any]) -> None:
        """Write items, within a turn at its end."""
        rows = {key: json.dumps(value) for key, value in items.items()}
        self._cache.update(rows)
        if self._pending is None:
            self._write(rows)
        else:
            self._pending.update(rows)

    def _write(self, rows: Mapping[str, str]) -> None:
        if not rows:
            return
        with self._db:  # commits, or rolls back
            self._db.execute("BEGIN")
            self._db.executemany(
                "INSERT INTO state VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", rows.items()
            )

    def close(self) -> None:
        """Do nothing: the file is its owner's."""


class Part(WorldFile):
    """What one device keeps: its keys stand under its name, its acts bear it."""

    def __init__(self, book: Notebook, name: str) -> None:
        self.path = book.path
        self.name = name
        self._book = book

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key."""
        return self._book.get(key if key in SHARED else f"{self.name}/{key}", default)

    def update(self, items: Mapping[str, Any]) -> None:
        """Write items."""
        self._book.update({f"{self.name}/{key}": value for key, value in items.items()})

    def note_act(self, what: str, *, once: bool, facts: Mapping[str, Any], at_s: float) -> None:
        """Write that this device did something."""
        self._book.note_act(what, once=once, facts={"device": self.name, **facts}, at_s=at_s)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Iterate over the keys with a prefix."""
        return (key.removeprefix(f"{self.name}/") for key in self._book.keys(f"{self.name}/{prefix}"))

    def close(self) -> None:
        """Do nothing: the file is its owner's."""


class LabClock:
    """The time, or the moment of something that was due before anybody looked."""

    def __init__(self, clock: Now) -> None:
        self._clock = clock
        self._as_of_s: float | None = None

    def now_s(self) -> float:
        """Return seconds."""
        return self._clock.now_s() if self._as_of_s is None else self._as_of_s

    @contextmanager
    def as_of(self, time_s: float) -> Iterator[None]:
        """Let it be that moment."""
        before, self._as_of_s = self._as_of_s, time_s
        try:
            yield
        finally:
            self._as_of_s = before
