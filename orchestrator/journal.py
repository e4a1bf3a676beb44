"""The journal: intent durable before act, outcome durable before anything depends on it.

Events are appended to a buffer and reach the database, with the rows projected from them, in one transaction. An event
marked durable flushes at once: the intent of an acting command, the planner's proposals, the outcome of an OPERATOR
command. Everything else rides on the next commit. What a crash can lose is then only what can be read back or repeated.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, func, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from drivers.clock import Clock
from orchestrator.errors import StorageError
from orchestrator.events import Event
from orchestrator.projections import Projector
from orchestrator.store import JournalRow

_JOURNAL: Table = JournalRow.__table__  # type: ignore[attr-defined]


class Journal:
    """Appends events and keeps the projected tables in the same transaction."""

    def __init__(self, engine: Engine, clock: Clock, *, epoch: int, boot_id: str | None = None) -> None:
        self._connection: Connection = engine.connect()
        self._clock = clock
        self._epoch = epoch
        self._boot_id = boot_id or _boot_id()
        self._buffer: list[dict[str, Any]] = []
        self._seq = self._last_seq()
        self._projector = Projector(self._connection)
        self._closed = False
        self.commits = 0

    def _last_seq(self) -> int:
        return self._connection.execute(select(func.max(_JOURNAL.c.seq))).scalar() or 0

    def append(
        self,
        kind: str,
        body: Mapping[str, Any],
        *,
        trial: int | None = None,
        step: str | None = None,
        command_id: str | None = None,
        durable: bool = False,
    ) -> Event:
        """Append one event; with durable, return only when it is on the disk.

        Raises:
            StorageError: The database could not be written; nothing of this event may be acted upon.
            IllegalTransition: The states do not admit it; the journal is unchanged.
        """
        if self._closed:
            raise StorageError("the journal is closed; nothing may be acted upon any more")
        text = json.dumps(body, sort_keys=True, allow_nan=False)
        event = Event(
            seq=self._seq + 1,
            kind=kind,
            at_s=self._clock.now_s(),
            utc=self._clock.utc().isoformat(),
            body=json.loads(text),
            trial=trial,
            step=step,
            command_id=command_id,
        )
        self._projector.apply(event)  # refuses what the states do not admit, before the journal has it
        self._seq += 1
        self._buffer.append(self._row(event, text))
        if durable:
            self.flush()
        return event

    def _row(self, event: Event, text: str) -> dict[str, Any]:
        return {
            "seq": event.seq,
            "epoch": self._epoch,
            "utc": event.utc,
            "mono_s": event.at_s,
            "boot_id": self._boot_id,
            "kind": event.kind,
            "trial": event.trial,
            "step": event.step,
            "command_id": event.command_id,
            "body": text,
            "body_hash": hashlib.sha256(text.encode()).hexdigest()[:16],
        }

    def flush(self) -> None:
        """Commit what is buffered.

        Raises:
            StorageError: The commit failed; the journal closes, so that nothing unrecorded can be acted upon.
        """
        if not self._buffer:
            return
        try:
            self._connection.execute(insert(_JOURNAL), self._buffer)
            self._projector.write()
            self._connection.commit()
        except BaseException as error:  # Ctrl-C in the middle as well: whether this was committed is not known here
            self._closed = True
            self._connection.rollback()
            if isinstance(error, DBAPIError):
                raise StorageError(_explain(error)) from error
            raise
        self._buffer.clear()
        self.commits += 1

    def close(self) -> None:
        """Commit and close; safe to call twice."""
        if not self._closed:
            self.flush()
            self._closed = True
        self._connection.close()

    @property
    def connection(self) -> Connection:
        """The connection, for reads that must see what is buffered no later than the last flush."""
        return self._connection


def read_events(connection: Connection) -> Iterator[Event]:
    """Iterate over the journal from its first event."""
    for row in connection.execute(select(_JOURNAL).order_by(_JOURNAL.c.seq)):
        yield Event(
            seq=row.seq,
            kind=row.kind,
            at_s=row.mono_s,
            utc=row.utc,
            body=json.loads(row.body),
            trial=row.trial,
            step=row.step,
            command_id=row.command_id,
        )


def damaged_rows(connection: Connection) -> list[int]:
    """List the journal rows whose body does not match its hash."""
    rows = connection.execute(select(_JOURNAL.c.seq, _JOURNAL.c.body, _JOURNAL.c.body_hash))
    return [row.seq for row in rows if hashlib.sha256(row.body.encode()).hexdigest()[:16] != row.body_hash]


def _boot_id() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else str(uuid.getnode())


def _explain(error: Exception) -> str:
    text = str(getattr(error, "orig", error))
    if isinstance(error, IntegrityError):
        return f"another controller has gone on with this campaign ({text}); this one acts no more"
    if "full" in text:
        return (
            f"the disk is full ({text}): the campaign stopped before acting; free some space, then `labpilot resume` it"
        )
    return f"the journal could not be written ({text}); nothing was acted upon since; check the directory, then resume"
