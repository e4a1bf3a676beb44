"""What must be so after a campaign, whatever it suffered: judged from what is on the disk."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from orchestrator.directory import CampaignDirectory
from orchestrator.events import Event
from orchestrator.journal import read_events
from orchestrator.projections import rebuild
from orchestrator.store import PROJECTIONS

CHECKERS = "labpilot.checkers"
"""Entry points of functions that read a simulated world's own log: (path, intents) -> violations, by world."""

Intents = Sequence[Mapping[str, Any]]


def read_all(path: Path) -> tuple[list[Event], bool]:
    """Return a campaign's journal, and whether its tables equal the journal folded again."""
    engine = CampaignDirectory.open(path).database(migrate=False)
    try:
        with engine.connect() as connection:
            events = list(read_events(connection))
            live = _tables(connection)
            rebuild(connection, events)
            is_equal = _tables(connection) == live
            connection.rollback()
    finally:
        engine.dispose()
    return events, is_equal


def _tables(connection: Any) -> dict[str, Any]:
    names = [str(model.__tablename__) for model in PROJECTIONS]
    return {name: connection.exec_driver_sql(f'SELECT * FROM "{name}" ORDER BY 1').fetchall() for name in names}


def intents_of(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Return what a controller meant to do, and when on the world's clock, as checkers read it."""
    intents: dict[str | None, dict[str, Any]] = {}
    for event, at_s in zip(events, _at_world_s(events), strict=True):
        if event.kind == "step_intended" and event.command_id not in intents:
            intents[event.command_id] = {"id": event.command_id, "device": event.body["device"], "at_s": at_s}
        elif event.kind == "made_safe":  # which needs no intent before
            names = event.body["devices"]
            intents |= {f"safe {event.seq} {name}": _made_safe(name, event.seq, at_s) for name in names}
        elif event.kind in ("step_done", "step_failed", "step_rejected"):
            intents[event.command_id]["ends_s"] = at_s
    return list(intents.values())


def _at_world_s(events: Sequence[Event]) -> list[float]:
    """Return when events happened on the world's clock: the campaign's, or in wall time seconds since 1970."""
    if events[0].body["mode"] == "virtual":
        return [event.at_s for event in events]
    return [datetime.fromisoformat(event.utc).timestamp() for event in events]


def _made_safe(device: str, seq: int, at_s: float) -> dict[str, Any]:
    return {"id": f"safe-{seq}", "device": device, "at_s": at_s - 60.0, "ends_s": at_s}


def measurements_lost(path: Path, rows: Iterable[tuple[str, str]]) -> list[str]:
    """Return measurement files that no row tells of, and rows whose file is not there or another.

    rows: path and SHA-256 of each measurement.
    """
    told = dict(rows)
    files = {str(file.relative_to(path)) for file in (path / "measurements").rglob("*.npz")}
    wrong = [name for name, digest in told.items() if name not in files or _sha256(path / name) != digest]
    return sorted((files - set(told)) | set(wrong))


def measured_rows(events: Iterable[Event]) -> list[tuple[str, str]]:
    """Return path and SHA-256 of each measurement in a journal."""
    return [(event.body["path"], event.body["sha256"]) for event in events if event.kind == "measured"]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def violations(worlds: Path, intents: Intents) -> list[str]:
    """Return what should never have happened, from the logs that simulated worlds keep of themselves.

    worlds: the folder of their files. A world with a checker of its own is judged by that; any other by whether what
    changes something twice when it is done twice was done twice under one tag.
    """
    offered = {entry.name: entry for entry in entry_points(group=CHECKERS)}
    found: list[str] = []
    for file in sorted(worlds.glob("*.sqlite")):
        checker: Callable[[Path, Intents], Sequence[Any]] | None = None
        if file.stem in offered:
            checker = offered[file.stem].load()
        if checker is not None:
            found += [f"{one.rule} at {one.at_s:.0f} s: {one.detail}" for one in checker(file, intents)]
        else:
            found += _done_twice(file)
    return found


def _done_twice(file: Path) -> list[str]:
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as db:
        rows = [json.loads(value) for (value,) in db.execute("SELECT value FROM state WHERE key GLOB 'act/*'")]
    done = Counter((row["what"], row["facts"].get("tag")) for row in rows if row["once"])
    return [f"{what} was done {count} times for {tag}" for (what, tag), count in done.items() if tag and count > 1]
