"""Worlds: the simulated laboratory, which remembers what was done to it.

A world keeps its own state in its own file, written before each reply, and so survives the death of the controller as
a real laboratory does. Controllers never read that file; scorers and checkers do.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout

LOCK_WAIT_S = 5.0
"""How long a world waits for a dying predecessor to let go of its file."""


class WorldBusy(RuntimeError):
    """Another process runs the world of this state file."""


class WorldFile:
    """A small durable mapping from text to JSON values, in SQLite, with one writer.

    Survives a killed process (not a power cut: a simulated world needs no fsync, and none is made).

    Raises:
        WorldBusy: Another process, or another `WorldFile`, writes this file.
    """

    def __init__(self, path: Path | str, *, read_only: bool = False, lock_wait_s: float = LOCK_WAIT_S) -> None:
        self.path = str(path)
        self._lock: FileLock | None = None
        if read_only:
            self._db = sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        else:
            self._lock = _locked(self.path, lock_wait_s)
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=OFF")
            self._db.execute("CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        self._n_acts: int | None = None
        self._cache: dict[str, str] = dict(self._db.execute("SELECT key, value FROM state ORDER BY rowid"))

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key."""
        text = self._cache.get(key)
        return default if text is None else json.loads(text)

    def put(self, **items: Any) -> None:
        """Write items in one transaction; use `update` for keys that are no identifiers."""
        self.update(items)

    def update(self, items: Mapping[str, Any]) -> None:
        """Write items in one transaction, durable against a kill before this returns."""
        rows = [(key, json.dumps(value)) for key, value in items.items()]
        if len(rows) == 1:
            self._db.execute(_UPSERT, rows[0])
        else:
            with self._db:  # commits, or rolls back
                self._db.execute("BEGIN")
                self._db.executemany(_UPSERT, rows)
        self._cache.update(rows)

    def note_act(self, what: str, *, once: bool, facts: Mapping[str, Any], at_s: float) -> None:
        """Write under ``act/N`` that an instrument did something, for checkers.

        once: doing it twice is another thing than doing it once.
        """
        if self._n_acts is None:
            self._n_acts = len(list(self.keys("act/")))
        row = {"what": what, "once": once, "facts": dict(facts), "at_s": at_s}
        self.update({f"act/{self._n_acts:06d}": row})
        self._n_acts += 1

    @property
    def latest_s(self) -> float:
        """When an instrument last did something, by the world's clock; 0 where none ever did."""
        return max((float(self.get(key)["at_s"]) for key in self.keys("act/")), default=0.0)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Iterate over the keys with a prefix, in the order in which they were first written."""
        return iter([key for key in self._cache if key.startswith(prefix)])

    def close(self) -> None:
        """Close the file and let others write it; safe to call twice."""
        self._db.close()
        if self._lock is not None:
            self._lock.release()


_UPSERT = "INSERT INTO state VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"


def _locked(path: str, wait_s: float) -> FileLock | None:
    if path == ":memory:":
        return None
    lock = FileLock(f"{path}.lock", thread_local=False)
    try:
        lock.acquire(timeout=wait_s)
    except Timeout as error:
        raise WorldBusy(f"another process runs the world of {path}; stop it, or use another state file") from error
    return lock


def claim(state: WorldFile, name: str, *, seed: int, options: Mapping[str, Any], began_s: float) -> float:
    """Write under ``world`` whose file this is, or check it, and return when this world began (s).

    Raises:
        ValueError: It is another world's.
    """
    asked = {"name": name, "seed": seed, "options": dict(options)}
    written = state.get("world")
    if written is None:
        state.put(world={**asked, "began_s": began_s})
        return began_s
    for key, value in asked.items():
        if written[key] != value:
            raise ValueError(f"{state.path} belongs to a world with {key} {written[key]!r}, not {value!r}")
    return float(written["began_s"])


class Instrument(Protocol):
    """One instrument on a wire: bytes in, bytes out."""

    send: Callable[[bytes], None] | None
    """Where answers go; whoever owns the port sets it. None: nobody listens, answers are lost."""
    hang_up: Callable[[], None] | None
    """How to drop the connection; whoever owns the port sets it."""
    wire: str
    """What it speaks: ``serial``, ``tcp``, ``modbus+rtu``, ``modbus+tcp``, ``http`` or ``ca``."""

    def receive(self, data: bytes) -> None:
        """Take bytes as they arrive, in pieces of any size."""
        ...


class World(Protocol):
    """A simulated laboratory: instruments that share one physical truth."""

    instruments: Mapping[str, Instrument]

    @property
    def latest_s(self) -> float:
        """When something was last done in it, by its clock; nothing may happen before that any more."""
        ...

    def close(self) -> None:
        """Release files."""
        ...
