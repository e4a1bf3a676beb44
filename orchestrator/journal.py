"""The journal: intent durable before act, outcome durable before anything depends on it.

Events are appended to a buffer and reach the database, with the rows projected from them, in one transaction. An event
marked durable flushes at once: the intent of an acting command, the planner's proposals, the outcome of an OPERATOR
command. Everything else rides on the next commit. What a crash can lose is then only what can be read back or repeated.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Engine, Table, func, select
from sqlalchemy.exc import DBAPIError

from drivers.clock import Clock
from orchestrator.errors import Fenced, StorageError
from orchestrator.events import Event
from orchestrator.projections import Projector
from orchestrator.record.faults import Patience
from orchestrator.record.owners import boot_id as this_boot
from orchestrator.record.space import Reserve
from orchestrator.record.writing import Writer
from orchestrator.store import JournalRow

_JOURNAL: Table = JournalRow.__table__  # type: ignore[attr-defined]


class Journal:
    """Appends events and keeps the projected tables in the same transaction.

    Args:
        engine: The database.
        clock: Where the events' times come from.
        epoch: The lease's (`orchestrator.record.lease`): once a later one exists, nothing more is committed.
        boot_id: This boot of the machine; found out by default.
        patience: How long a lock, or a server that is gone, is waited for.
        reserve: Space that is given up where the disk is full, so that what is under way can still be recorded.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        *,
        epoch: int,
        boot_id: str | None = None,
        patience: Patience | None = None,
        reserve: Reserve | None = None,
    ) -> None:
        self._writer = Writer(engine, epoch=epoch, patience=patience or Patience(), reserve=reserve)
        self._clock = clock
        self._epoch = epoch
        self._boot_id = boot_id or this_boot()
        self._buffer: list[dict[str, Any]] = []
        self._seq = self._writer.reading(self._last_seq)
        self._projector = Projector(self._writer.connection)
        self._closed = False
        self._is_fenced = False
        self.commits = 0

    def _last_seq(self) -> int:
        return self.connection.execute(select(func.max(_JOURNAL.c.seq))).scalar() or 0

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
        self._refuse_closed()
        text = storable(_ENCODE(body))
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
        self._apply(event)  # refuses what the states do not admit, before the journal has it
        self._seq += 1
        self._buffer.append(self._row(event, text))
        if durable:
            self.flush()
        return event

    def _refuse_closed(self) -> None:
        if self._is_fenced:
            raise Fenced("another controller has gone on with this campaign; this one acts no more")
        if self._closed:
            raise StorageError("the journal is closed; nothing may be acted upon any more")

    def _apply(self, event: Event) -> None:
        try:
            self._projector.apply(event)
        except DBAPIError:  # a row was needed that is not in memory, and the connection is lost
            self._writer.recover()
            self._closing(lambda: self._writer.reading(lambda: self._projector.apply(event)))
        finally:
            if self.connection.in_transaction():
                self.connection.rollback()  # a reading must not stay open until the next commit

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
            "body_hash": _hash(text),
        }

    def flush(self) -> None:
        """Commit what is buffered.

        Raises:
            StorageError: The commit failed; the journal closes, so that nothing unrecorded can be acted upon.
        """
        if not self._buffer:
            return
        self._refuse_closed()
        self._closing(lambda: self._writer.commit(self._buffer, self._projector.write))
        self._projector.settle()
        self._buffer.clear()
        self.commits += 1

    def confirm(self, *, within_s: float = 0.0) -> None:
        """Make sure that no later controller has taken over, right before something is sent.

        Between an intent's commit and its act this process may have been paused for hours.

        within_s: a look, or a commit, that is younger counts.

        Raises:
            StorageError: One has, or the database cannot be asked; the journal closes.
        """
        self._refuse_closed()
        if time.monotonic() - self._writer.checked_s > within_s:
            self._closing(self._writer.confirm)

    def _closing(self, work: Callable[[], None]) -> None:
        """Do something; whatever keeps it from its end closes the journal."""
        try:
            work()
        except (
            BaseException
        ) as error:  # Ctrl-C in the middle of a commit as well: whether it was committed is not known here
            self._closed = True
            self._is_fenced = isinstance(error, Fenced)
            self._writer.recover()
            raise

    def close(self) -> None:
        """Commit and close; safe to call twice."""
        try:
            if not self._closed:
                self.flush()
        finally:
            self._closed = True
            self.connection.close()

    @property
    def connection(self) -> Connection:
        """The connection, for reads that must see what is buffered no later than the last flush."""
        return self._writer.connection


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


def damaged_rows(connection: Connection, *, after_seq: int = 0) -> list[int]:
    """List the journal rows, those after one, whose body does not match its hash."""
    columns = select(_JOURNAL.c.seq, _JOURNAL.c.body, _JOURNAL.c.body_hash)
    rows = connection.execute(columns.where(_JOURNAL.c.seq > after_seq).order_by(_JOURNAL.c.seq))
    return [row.seq for row in rows if _hash(row.body) != row.body_hash]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def storable(text: str) -> str:
    """Return JSON (ASCII) whose strings every database takes.

    Garbage from a wire may hold zero bytes or half characters: they are written out, as a backslash, ``x00`` or
    ``udcff``.
    """
    if "\\u0000" not in text and "\\ud" not in text:
        return text
    return _ENCODE(_cleaned(json.loads(text)))


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {_cleaned(name): _cleaned(item) for name, item in value.items()}
    return value


_ENCODE = json.JSONEncoder(sort_keys=True, allow_nan=False).encode
