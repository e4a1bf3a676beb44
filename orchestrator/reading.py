"""Read-only queries over a campaign directory: one consistent moment of a campaign that may still be running.

Everything is read in one SQLite transaction over a connection that cannot write, so a controller at work is neither
waited for nor disturbed, and what is read belongs together.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import JSON, Connection, Engine, Table, create_engine, event, func
from sqlalchemy.pool import NullPool, StaticPool
from sqlmodel import Session, SQLModel, col, select

from orchestrator.ahead.metrics import ComputeStatus, read_compute
from orchestrator.bill import Bill
from orchestrator.billing import prices_of, read_bill
from orchestrator.directory import CampaignDirectory, damage_told, refuse_newer
from orchestrator.errors import InputError
from orchestrator.history import KNOWN, SOURCES
from orchestrator.hours.reading import Closing, read_closings
from orchestrator.journal import damaged_rows
from orchestrator.record.migrating import is_older, migrate_to_head
from orchestrator.store import (
    AskRow,
    CampaignRow,
    IncidentRow,
    JournalRow,
    MeasurementRow,
    ObservationRow,
    SampleRow,
    StepRow,
    TrialRow,
)

RowT = TypeVar("RowT", bound=SQLModel)

OPEN_STEP_STATES = ("intended", "ambiguous")


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalFacts:
    """How far the journal goes, and whether it can be trusted."""

    n_events: int
    last_seq: int
    last_utc: str
    last_s: float
    """The campaign's clock there: seconds since it was created."""
    damaged: tuple[int, ...]
    """Rows whose body differs from its hash."""
    missing: tuple[int, ...]
    """Rows that ought to be there and are not."""

    @property
    def problems(self) -> list[str]:
        """Say what is wrong, one sentence each."""
        found = []
        if self.damaged:
            found.append(f"journal rows {_listed(self.damaged)} were changed after they were written (hash mismatch)")
        if self.missing:
            found.append(f"journal rows {_listed(self.missing)} are missing")
        return [f"{text}; what is shown may be wrong there" for text in found]


_NOTHING_KNOWN = JournalFacts(n_events=0, last_seq=0, last_utc="", last_s=0.0, damaged=(), missing=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All tables of one campaign at one moment. Times ending in ``_s`` are seconds since the campaign was created."""

    path: Path
    campaign: CampaignRow
    asks: tuple[AskRow, ...]
    trials: tuple[TrialRow, ...]
    steps: tuple[StepRow, ...]
    samples: tuple[SampleRow, ...]
    measurements: tuple[MeasurementRow, ...]
    observations: tuple[ObservationRow, ...]
    incidents: tuple[IncidentRow, ...]
    journal: JournalFacts
    bill: Bill
    known: tuple[Mapping[str, Any], ...] = ()
    """Results from before the campaign (`orchestrator.points.KnownResult.data`)."""
    sources: tuple[Mapping[str, Any], ...] = ()
    """Results from elsewhere (`orchestrator.sources.ReadSource.data`)."""
    closings: tuple[Closing, ...] = ()
    """When it was closed, in order."""


class Reading:
    """Queries over one open campaign directory."""

    def __init__(self, path: Path, connection: Connection) -> None:
        self.path = path
        self.connection = connection
        self._session = Session(connection, autoflush=False)

    def campaign(self) -> CampaignRow:
        """Return the campaign's row.

        Raises:
            InputError: Nothing has happened in it yet.
        """
        row = self._session.exec(select(CampaignRow)).first()
        if row is None:
            raise _not_begun(self.path)
        return row

    def rows(self, model: type[RowT], *order: Any) -> tuple[RowT, ...]:
        """Return a whole table in the given order, as values that no longer belong to the database."""
        rows = tuple(self._session.exec(select(model).order_by(*order)).all())
        self._session.expunge_all()
        mappings = [column.name for column in _table(model).columns if isinstance(column.type, JSON)]
        for row in rows:
            for name in mappings:
                # a mapping that nothing has filled yet is stored as JSON's null
                if getattr(row, name) is None:
                    setattr(row, name, {})
        return rows

    def trials(self) -> tuple[TrialRow, ...]:
        """Return every trial by number."""
        return self.rows(TrialRow, col(TrialRow.number))

    def incidents(self) -> tuple[IncidentRow, ...]:
        """Return every incident, oldest first."""
        return self.rows(IncidentRow, col(IncidentRow.id))

    def open_steps(self) -> tuple[StepRow, ...]:
        """Return steps whose intent is written and whose outcome is not, oldest first."""
        wanted = select(StepRow).where(col(StepRow.state).in_(OPEN_STEP_STATES)).order_by(col(StepRow.started_s))
        return tuple(self._session.exec(wanted).all())

    def newest_step(self) -> StepRow | None:
        """Return the step that started last."""
        return self._session.exec(select(StepRow).order_by(col(StepRow.started_s).desc()).limit(1)).first()

    def last_ask(self) -> AskRow | None:
        """Return the ask that came last."""
        return self._session.exec(select(AskRow).order_by(col(AskRow.index).desc()).limit(1)).first()

    def count(self, model: type[SQLModel]) -> int:
        """Count the rows of a table."""
        return self._session.exec(select(func.count()).select_from(model)).one()

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        """Return what the events of one kind say, oldest first, less damaged ones (`journal_facts` lists them)."""
        wanted = select(JournalRow.body).where(JournalRow.kind == kind).order_by(col(JournalRow.seq))
        found = []
        for body in self._session.exec(wanted).all():
            with suppress(json.JSONDecodeError):
                found.append(json.loads(body))
        return found

    def moments(self, kinds: Sequence[str]) -> list[tuple[str, int, float]]:
        """Return kind, trial and time of the events of some kinds that are of a trial, oldest first."""
        wanted = select(JournalRow.kind, JournalRow.trial, JournalRow.mono_s).where(col(JournalRow.kind).in_(kinds))
        rows = self._session.exec(wanted.order_by(col(JournalRow.seq))).all()
        return [(kind, trial, at_s) for kind, trial, at_s in rows if trial is not None]

    def body_hashes(self) -> list[str]:
        """Return the hash of every journal row, oldest first."""
        return list(self._session.exec(select(JournalRow.body_hash).order_by(col(JournalRow.seq))).all())

    def journal_facts(self, known: JournalFacts | None = None) -> JournalFacts:
        """Say how far the journal goes, and check every row against its hash.

        known: what was found a moment ago; only the rows after it are checked.
        """
        before = known or _NOTHING_KNOWN
        newer = select(JournalRow.seq).where(JournalRow.seq > before.last_seq).order_by(col(JournalRow.seq))
        seqs = list(self._session.exec(newer).all())
        if not seqs:
            return before
        last = self._session.get_one(JournalRow, seqs[-1])
        return JournalFacts(
            n_events=before.n_events + len(seqs),
            last_seq=last.seq,
            last_utc=last.utc,
            last_s=last.mono_s,
            damaged=(*before.damaged, *damaged_rows(self.connection, after_seq=before.last_seq)),
            missing=(*before.missing, *_gaps(seqs, first=before.last_seq + 1)),
        )

    def bill(self, journal: JournalFacts) -> Bill:
        """Return what the campaign took until its last event."""
        return read_bill(self.connection, prices_of(self.campaign().lab), now_s=journal.last_s)

    def compute(self, journal: JournalFacts) -> ComputeStatus | None:
        """Return how well computing was hidden behind experiments; None where nothing was asked for yet."""
        return read_compute(self.connection, elapsed_s=journal.last_s)

    def snapshot(self) -> Snapshot:
        """Read every table."""
        journal = self.journal_facts()
        return Snapshot(
            path=self.path,
            campaign=self.campaign(),
            asks=self.rows(AskRow, col(AskRow.index)),
            trials=self.trials(),
            steps=self.rows(StepRow, col(StepRow.started_s), col(StepRow.command_id)),
            samples=self.rows(SampleRow, col(SampleRow.trial), col(SampleRow.id)),
            measurements=self.rows(MeasurementRow, col(MeasurementRow.taken_s), col(MeasurementRow.id)),
            observations=tuple(sorted(self.rows(ObservationRow), key=_place_in_trial)),
            incidents=self.incidents(),
            journal=journal,
            bill=self.bill(journal),
            closings=tuple(read_closings(self.connection)),
            known=tuple(result for body in self.bodies(KNOWN) for result in body["results"]),
            sources=tuple(source for body in self.bodies(SOURCES) for source in body["sources"]),
        )


@contextmanager
def open_reading(path: Path) -> Iterator[Reading]:
    """Open a campaign directory for reading, in one transaction.

    Raises:
        InputError: The directory holds no campaign.
        NewerVersion: It was written by a later labpilot.
        StorageError: It cannot be read, or the database file is damaged.
    """
    directory = CampaignDirectory.open(path)
    if not directory.has_record():
        raise _not_begun(path)
    with damage_told(directory.record):
        is_file = directory.store is None
        engine = _read_only_engine(directory.journal) if is_file else directory.reading_engine()
        if refuse_newer(engine, path) is None and not is_file:
            raise _not_begun(path)
        if is_file and is_older(engine):
            engine = _migrated_copy(directory.journal)
        with engine.connect() as connection:
            yield Reading(path, connection)


def read_snapshot(path: Path) -> Snapshot:
    """Read all tables of a campaign directory at one moment.

    Raises:
        InputError: The directory holds no campaign.
        NewerVersion: It was written by a later labpilot.
        StorageError: It cannot be read, or the database file is damaged.
    """
    with open_reading(path) as reading:
        return reading.snapshot()


def _migrated_copy(journal: Path) -> Engine:
    """Return a copy in memory, at this version's tables, of a database that an earlier version wrote."""
    copy = sqlite3.connect(":memory:", check_same_thread=False)
    with sqlite3.connect(f"file:{quote(str(journal.absolute()))}?mode=ro", uri=True) as source:
        source.backup(copy)
    source.close()
    engine = create_engine("sqlite://", creator=lambda: copy, poolclass=StaticPool)
    migrate_to_head(engine, None)
    return engine


def _read_only_engine(journal: Path) -> Engine:
    target = quote(str(journal.absolute()))

    def connect() -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(f"file:{target}?mode=ro", uri=True, isolation_level=None)
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
        except sqlite3.OperationalError:
            # on a read-only disk WAL cannot make its files, and need not where nothing can change
            if journal.with_name(journal.name + "-wal").exists():
                raise
            connection = sqlite3.connect(f"file:{target}?immutable=1", uri=True, isolation_level=None)
        connection.execute("PRAGMA busy_timeout=5000")
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    # the driver would begin a transaction before writes only; reads that belong together need one too
    connection.exec_driver_sql("BEGIN")


def _not_begun(path: Path) -> InputError:
    return InputError(f"nothing has happened in {path} yet; `labpilot resume {path}` begins its campaign")


def _place_in_trial(row: ObservationRow) -> tuple[int, int]:
    """Order observations as their analysis gave them: ids end in a number without leading zeros."""
    return row.trial, int(row.id.rpartition(".")[2])


def _table(model: Any) -> Table:
    return model.__table__


def _gaps(seqs: Sequence[int], *, first: int) -> tuple[int, ...]:
    return tuple(sorted(set(range(first, seqs[-1] + 1)) - set(seqs)))


def _listed(numbers: Sequence[int], most: int = 12) -> str:
    shown = ", ".join(str(number) for number in numbers[:most])
    return shown if len(numbers) <= most else f"{shown} and {len(numbers) - most} more"
