"""The lease: one controller at a time, and none that was superseded can ever write again.

Whoever takes the lease raises its epoch in one transaction. Each transaction of a controller holds the lease's row (on
SQLite the whole database) until it ends, and goes on only while the epoch is still its own: whichever of two comes
first, nothing of an earlier epoch is committed once a later one exists. A paused controller that wakes up finds that
out at its next intent, before it sends anything.

A lease is fresh as long as it is renewed, however long a step takes. It is taken over at once where its owner is
certainly gone (a killed process, an earlier boot); otherwise only if it is old by the database's own clock *and* is
seen not to be renewed, so that a clock that jumps cannot end it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, select, update
from sqlalchemy.exc import DBAPIError

from orchestrator.errors import InUse, StorageError
from orchestrator.record.faults import explain
from orchestrator.record.owners import Owner, is_gone, this_process
from orchestrator.store import JournalRow, LeaseRow

log = logging.getLogger(__name__)

_LEASE: Any = LeaseRow.__table__  # type: ignore[attr-defined]
_JOURNAL: Any = JournalRow.__table__  # type: ignore[attr-defined]


class Superseded(RuntimeError):
    """A later controller exists, or the journal is not the one that was written to."""


class Overtaken(Superseded):
    """A later controller exists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a lease is renewed, and when it counts as left behind."""

    renew_s: float = 5.0
    stale_s: float = 30.0
    sleep: Callable[[float], None] = time.sleep

    @property
    def watch_s(self) -> float:
        """How long an old lease is watched for a renewal before it is taken over."""
        return 2.5 * self.renew_s


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseFacts:
    """What the lease says."""

    epoch: int
    owner: Owner | None
    """None where a journal was written without taking the lease, or the owner has released it."""
    renewals: int
    renewed_utc: str
    age_s: float
    """Since its last renewal, by the database's clock."""


def held_epoch_sql(dialect: str) -> str:
    """Return the statement that reads the epoch and holds the lease's row until the transaction ends."""
    return f"SELECT epoch FROM lease WHERE id = 1{'' if dialect == 'sqlite' else ' FOR UPDATE'}"


def hold_epoch(connection: Connection, epoch: int) -> None:
    """Hold the lease's row until the transaction ends.

    Raises:
        Superseded: A later epoch exists.
    """
    found = connection.exec_driver_sql(held_epoch_sql(connection.dialect.name)).scalar()
    if found == epoch:
        return
    if found is None:
        raise Superseded("the lease is missing from the database, which is damaged; restore it from a copy")
    if found > epoch:
        raise Overtaken(
            f"another controller has gone on with this campaign (its epoch is {found}, this one's is {epoch}); "
            "this one acts no more"
        )
    _take(connection, epoch, None)


def _take(connection: Connection, epoch: int, owner: Owner | None) -> None:
    now = _utc(connection)
    who = asdict(owner) if owner else {"pid": 0}
    connection.execute(
        update(_LEASE).where(_LEASE.c.id == 1).values(epoch=epoch, renewals=0, acquired_utc=now, renewed_utc=now, **who)
    )


def _utc(connection: Connection) -> str:
    """Return the time of the one clock that all controllers of this database share."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC).isoformat()
    return connection.execute(select(func.clock_timestamp())).scalar_one().astimezone(UTC).isoformat()


def read_lease(connection: Connection) -> LeaseFacts:
    """Return what the lease says; its epoch is 0 where nobody has taken it yet."""
    row = connection.execute(select(_LEASE)).mappings().one()
    names = ("host", "machine", "boot_id", "space", "pid", "started")
    now, renewed = _utc(connection), row["renewed_utc"]
    age = datetime.fromisoformat(now) - datetime.fromisoformat(renewed or now)
    return LeaseFacts(
        epoch=row["epoch"],
        owner=Owner(**{name: row[name] for name in names}) if row["pid"] else None,
        renewals=row["renewals"],
        renewed_utc=renewed,
        age_s=age.total_seconds(),
    )


@dataclass(slots=True)
class Lease:
    """A lease that this process has taken."""

    engine: Engine
    epoch: int
    pace: Pace = field(default_factory=Pace)
    is_lost: bool = False
    """Whether a renewal found a later controller; the journal finds out by itself."""

    def renew(self) -> None:
        """Say that the owner is alive.

        Raises:
            Superseded: A later controller has the lease.
            DBAPIError: The database cannot be reached; the lease may still be ours.
        """
        with self.engine.begin() as connection:
            mine = update(_LEASE).where(_LEASE.c.id == 1, _LEASE.c.epoch == self.epoch)
            values = {"renewals": _LEASE.c.renewals + 1, "renewed_utc": _utc(connection)}
            if connection.execute(mine.values(**values)).rowcount == 0:
                self.is_lost = True
                raise Overtaken(f"another controller has taken the lease of epoch {self.epoch}")

    def release(self) -> None:
        """Give the lease back, so that the next controller need not wait; harmless where it was lost."""
        with self.engine.begin() as connection:
            mine = update(_LEASE).where(_LEASE.c.id == 1, _LEASE.c.epoch == self.epoch)
            connection.execute(mine.values(pid=0, renewed_utc=_utc(connection)))

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew from a thread of its own, whatever the event loop is busy with; release at the end."""
        over = threading.Event()
        thread = threading.Thread(target=self._keep, args=(over,), name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            try:
                self.release()
            except DBAPIError as error:
                log.warning("lease_not_released epoch=%d error=%s", self.epoch, error.orig)

    def _keep(self, over: threading.Event) -> None:
        while not over.wait(self.pace.renew_s):
            try:
                self.renew()
            except Superseded as error:
                log.warning("lease_lost %s", error)
                return
            except DBAPIError as error:
                log.warning("lease_not_renewed epoch=%d error=%s", self.epoch, error.orig)


def acquire(engine: Engine, *, pace: Pace | None = None, owner: Owner | None = None) -> Lease:
    """Take the lease with a new epoch.

    Raises:
        InUse: Another controller holds it, and is alive or may be.
        StorageError: The database cannot be read or written.
    """
    try:
        return _acquired(engine, pace or Pace(), owner or this_process())
    except DBAPIError as error:
        raise StorageError(explain(error, "the campaign's database")) from error


def _acquired(engine: Engine, pace: Pace, here: Owner) -> Lease:
    with engine.connect() as connection:
        seen = read_lease(connection)
    if seen.owner is not None and not is_gone(seen.owner, here):
        _refuse_fresh(engine, seen, pace)
    with engine.connect() as connection, _exclusively(connection):
        _refuse_moved(connection, seen)
        journal = connection.execute(select(func.max(_JOURNAL.c.epoch))).scalar() or 0
        epoch = max(seen.epoch, journal) + 1
        _take(connection, epoch, here)
    return Lease(engine, epoch, pace)


def _refuse_fresh(engine: Engine, seen: LeaseFacts, pace: Pace) -> None:
    if abs(seen.age_s) < pace.stale_s:  # a negative age is a clock that was put back
        raise InUse(
            f"this campaign is controlled by {seen.owner}, which said so {seen.age_s:.0f} s ago: stop it, or, if that "
            f"machine is gone, try again in {pace.stale_s - seen.age_s:.0f} s"
        )
    pace.sleep(pace.watch_s)
    with engine.connect() as connection:
        _refuse_moved(connection, seen)


def _refuse_moved(connection: Connection, seen: LeaseFacts) -> None:
    now = read_lease(connection)
    if (now.epoch, now.renewals) != (seen.epoch, seen.renewals):
        who = now.owner or "another controller"
        raise InUse(f"this campaign is controlled by {who}, which has just said so; stop it first")


@contextmanager
def _exclusively(connection: Connection) -> Iterator[None]:
    """Keep every other controller's transactions out until this one ends."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("SELECT epoch FROM lease WHERE id = 1 FOR UPDATE")
    yield
    connection.commit()
