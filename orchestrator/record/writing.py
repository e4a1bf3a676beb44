"""Writing: one transaction of the journal at a time, and never the same one twice.

Each transaction looks at the lease first and holds it until it ends, so a controller that has been superseded commits
nothing. After any failure the journal itself is asked whether the transaction had been committed before it is tried
again: the lock on the lease makes that answer final, because it waits for whatever the lost connection had under way.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from orchestrator.errors import Fenced, StorageError
from orchestrator.projections import Run
from orchestrator.record.faults import Patience, explain, is_full, may_pass
from orchestrator.record.lease import Overtaken, Superseded, held_epoch_sql, hold_epoch
from orchestrator.record.space import Reserve
from orchestrator.store import JournalRow, insert_sql

log = logging.getLogger(__name__)

T = TypeVar("T")
Row = Mapping[str, Any]

COLUMNS = tuple(column.name for column in JournalRow.__table__.columns)  # type: ignore[attr-defined]


class Writer:
    """Commits journal rows for one epoch, over connections that may be lost."""

    def __init__(self, engine: Engine, *, epoch: int, patience: Patience, reserve: Reserve | None) -> None:
        self.connection: Connection = engine.connect()
        self.checked_s = time.monotonic()
        """When the lease was last seen to be ours."""
        self._dialect = engine.dialect.name
        self._where = str(engine.url.database or engine.url) if self._dialect == "sqlite" else "the database"
        self._epoch = epoch
        self._patience = patience
        self._reserve = reserve
        self._insert = insert_sql(JournalRow, self._dialect)
        self._is_doubted = False

    def commit(self, rows: Sequence[Row], project: Callable[[Run], None]) -> None:
        """Commit rows, and the rows that `project` writes, in one transaction.

        Raises:
            StorageError: It was not committed, or whether it was could not be found out in time.
        """
        self._insistently(lambda: self._attempt(rows, project))

    def confirm(self) -> None:
        """Make sure that no later controller has taken over.

        Raises:
            StorageError: One has, or the database cannot be asked.
        """
        self._insistently(self._look)

    def reading(self, read: Callable[[], T]) -> T:
        """Return what `read` finds, over a new connection where the old one is lost.

        Raises:
            StorageError: The database does not answer in time.
        """
        return self._insistently(read)

    def _insistently(self, attempt: Callable[[], T]) -> T:
        patience = self._patience
        until_s, pause_s = patience.monotonic_s() + patience.total_s, patience.first_pause_s
        while True:
            try:
                return attempt()
            except Overtaken as error:
                raise Fenced(str(error)) from error
            except Superseded as error:
                raise StorageError(str(error)) from error
            except DBAPIError as error:
                self.recover()
                if is_full(error) and self._reserve is not None and self._reserve.release():
                    log.warning("reserve_released path=%s error=%s", self._reserve.path, error.orig)
                    continue
                if isinstance(error, IntegrityError):
                    raise Fenced(_overtaken(error)) from error
                if not may_pass(error) or patience.monotonic_s() >= until_s:
                    raise StorageError(explain(error, self._where)) from error
            patience.sleep(pause_s)
            pause_s = min(2 * pause_s, patience.longest_pause_s)

    def _attempt(self, rows: Sequence[Row], project: Callable[[Run], None]) -> None:
        self._begin()
        if self._is_doubted and self._was_committed(rows):
            self.connection.rollback()
        else:
            self._run(self._insert, [tuple(row[name] for name in COLUMNS) for row in rows])
            project(self._run)
            self.connection.commit()
        self._is_doubted = False

    def _run(self, statement: str, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Run a statement for many rows, by the driver itself: SQLAlchemy's own part costs more than SQLite's.

        Returns what it answers.

        Raises:
            DBAPIError: As SQLAlchemy would.
        """
        driver: Any = self.connection.dialect.dbapi
        cursor = self.connection.connection.cursor()
        try:
            if len(rows) == 1:  # psycopg sets up a pipeline for many
                cursor.execute(statement, rows[0])
            else:
                cursor.executemany(statement, rows)
            return list(cursor.fetchall()) if cursor.description else []
        except driver.Error as error:
            raise DBAPIError.instance(statement, None, error, driver.Error, dialect=self.connection.dialect) from error
        finally:
            cursor.close()

    def _look(self) -> None:
        self._begin()
        self.connection.rollback()

    def _begin(self) -> None:
        if self.connection.in_transaction():
            self.connection.rollback()  # a reading; what it saw must not be older than the lease
        self.connection.begin()  # sends nothing, but knows from now on that there is something to roll back
        if self._dialect == "sqlite":
            self._run("BEGIN IMMEDIATE", [()])
        found = self._run(held_epoch_sql(self._dialect), [()])
        if not found or found[0][0] != self._epoch:
            hold_epoch(self.connection, self._epoch)  # says what is wrong, or takes what nobody has taken yet
        self.checked_s = time.monotonic()

    def _was_committed(self, rows: Sequence[Row]) -> bool:
        """Say whether the transaction of these rows is in the journal; the lease is held, so the answer is final.

        Raises:
            Superseded: The journal is not the one that was written to.
        """
        first, last = rows[0]["seq"], rows[-1]
        newest = self.connection.exec_driver_sql(
            "SELECT seq, epoch, body_hash FROM journal ORDER BY seq DESC LIMIT 1"
        ).one_or_none()
        if (newest.seq if newest else 0) == first - 1:
            return False
        if newest is not None and tuple(newest) == (last["seq"], self._epoch, last["body_hash"]):
            return True
        found = newest.seq if newest else 0
        raise Superseded(
            f"the journal ends at entry {found} where this controller had written up to {first - 1}: the database was "
            "restored from a copy, or somebody else has written to it; this controller acts no more"
        )

    def recover(self) -> None:
        """End what is under way, and let go of a connection that is lost; the next use opens another."""
        self._is_doubted = True
        try:
            self.connection.rollback()
        except DBAPIError:
            self.connection.invalidate()
            self.connection.rollback()


def _overtaken(error: IntegrityError) -> str:
    said = " ".join(str(error.orig).split())
    return f"another controller has gone on with this campaign ({said}); this one acts no more"
