"""Tables: the append-only journal, and projections of it that queries read.

The journal decides recovery; the tables are a convenience, folded from it (tests fold them again and hold them equal).
Schemas change by Alembic only (`orchestrator/migrations`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Column, Table, Text
from sqlmodel import Field, SQLModel

from orchestrator.people.tables import OrderRow, QuestionRow


class JournalRow(SQLModel, table=True):
    """One event. Rows are only ever added."""

    __tablename__ = "journal"  # pyright: ignore[reportAssignmentType]

    seq: int = Field(primary_key=True)
    epoch: int
    """Which start of the controller wrote it (see `orchestrator.record.lease`)."""
    utc: str
    mono_s: float
    """The clock's monotonic seconds: comparable within one boot, and over the whole of a virtual campaign."""
    boot_id: str
    kind: str = Field(index=True)
    trial: int | None = Field(default=None, index=True)
    step: str | None = None
    command_id: str | None = None
    body: str = Field(sa_column=Column(Text, nullable=False))
    """JSON, keys sorted."""
    body_hash: str
    """SHA-256 of body, first 16 hexadecimal digits."""


class LeaseRow(SQLModel, table=True):
    """Who controls the campaign: one row, which every transaction of the journal holds. No projection."""

    __tablename__ = "lease"  # pyright: ignore[reportAssignmentType]

    id: int = Field(default=1, primary_key=True)
    epoch: int
    host: str
    machine: str
    boot_id: str
    space: str
    pid: int
    """0 where nobody holds it."""
    started: str
    acquired_utc: str
    renewed_utc: str
    renewals: int


class CampaignRow(SQLModel, table=True):
    """The one campaign of this directory."""

    __tablename__ = "campaign"  # pyright: ignore[reportAssignmentType]

    id: int = Field(default=1, primary_key=True)
    name: str
    mode: str
    """``virtual`` or ``wall``."""
    created_utc: str
    status: str
    reason: str = ""
    epoch: int = 0
    starts: int = 0
    seed: int
    planner: str
    config: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    """The campaign as executed, overrides applied."""
    lab: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    provenance: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    """What simulated worlds say of their answers: an emulator's cross-validated error, a table's hash."""
    versions: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class AskRow(SQLModel, table=True):
    """One question to the planner and what it cost."""

    __tablename__ = "ask"  # pyright: ignore[reportAssignmentType]

    index: int = Field(primary_key=True)
    n: int
    asked_s: float
    charged_s: float
    wall_s: float
    policy: str
    fallback_reason: str = ""
    diagnostics: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class TrialRow(SQLModel, table=True):
    """A proposal accepted for execution, or a control."""

    __tablename__ = "trial"  # pyright: ignore[reportAssignmentType]

    number: int = Field(primary_key=True)
    state: str
    outcome: str | None = None
    """``measured``, ``failed`` (the recipe's fault) or ``lost`` (the lab's)."""
    reason: str = ""
    parameters: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    values: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    ask: int
    is_control: bool = False
    proposal_id: str | None = None
    proposal_reason: str = ""
    predictions: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    sample: str | None = None
    accepted_s: float
    started_s: float | None = None
    finished_s: float | None = None
    details: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    """What the analysis leaves for the report: curves, flags."""
    context: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False, server_default="{}"))
    """What was observed beside it but not chosen."""


class StepRow(SQLModel, table=True):
    """One command to one device on behalf of a trial."""

    __tablename__ = "step"  # pyright: ignore[reportAssignmentType]

    command_id: str = Field(primary_key=True)
    trial: int = Field(index=True)
    path: str
    label: str
    device: str
    command: str
    effect: str
    state: str
    arguments: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    started_s: float
    finished_s: float | None = None
    attempts: int = 1
    error: str = ""
    settled_by: str = ""
    """How an open intent was closed after a crash: ``read back``, ``repeated``, ``operator``, ``file``."""
    result: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


class SampleRow(SQLModel, table=True):
    """The physical thing: one site on a wafer, one vial."""

    __tablename__ = "sample"  # pyright: ignore[reportAssignmentType]

    id: str = Field(primary_key=True)
    trial: int = Field(index=True)
    place: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class MeasurementRow(SQLModel, table=True):
    """A raw data product: a file and its facts."""

    __tablename__ = "measurement"  # pyright: ignore[reportAssignmentType]

    id: str = Field(primary_key=True)
    trial: int = Field(index=True)
    kind: str
    role: str
    path: str
    """Relative to the campaign directory."""
    sha256: str
    size_bytes: int
    taken_s: float
    facts: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class ObservationRow(SQLModel, table=True):
    """What the planner was told."""

    __tablename__ = "observation"  # pyright: ignore[reportAssignmentType]

    id: str = Field(primary_key=True)
    trial: int = Field(index=True)
    parameters: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    values: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    sd: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    failure: str | None = None
    analysis: str
    """Name and version of the analysis."""
    fingerprints: dict[str, Any] = Field(
        default_factory=dict, sa_column=Column(JSON, nullable=False, server_default="{}")
    )
    """By objective of direction `classify`, a list of numbers."""


class IncidentRow(SQLModel, table=True):
    """Something that needed recovery or a person."""

    __tablename__ = "incident"  # pyright: ignore[reportAssignmentType]

    id: str = Field(primary_key=True)
    at_s: float
    kind: str
    """``recovery``, ``intervention``, ``fault`` or ``fallback``."""
    trial: int | None = None
    device: str = ""
    text: str


PROJECTIONS: tuple[type[SQLModel], ...] = (
    CampaignRow,
    AskRow,
    TrialRow,
    StepRow,
    SampleRow,
    MeasurementRow,
    ObservationRow,
    IncidentRow,
    OrderRow,
    QuestionRow,
)


def insert_sql(model: type[SQLModel], dialect: str, *, or_update: bool = False) -> str:
    """Return the statement that adds one row, values in the order of its columns.

    It goes to the driver as it is: for the journal's few statements, compiling costs more than the database does.

    or_update: change the row where its key exists.
    """
    table: Table = model.__table__  # type: ignore[attr-defined]
    names = [column.name for column in table.columns]
    key = next(iter(table.primary_key.columns)).name
    mark = "?" if dialect == "sqlite" else "%s"
    statement = (
        f'INSERT INTO "{table.name}" ({", ".join(map(_quoted, names))}) VALUES ({", ".join(mark for _ in names)})'
    )
    if not or_update:
        return statement
    changes = ", ".join(f"{_quoted(name)} = excluded.{_quoted(name)}" for name in names if name != key)
    return f"{statement} ON CONFLICT ({_quoted(key)}) DO UPDATE SET {changes}"


def _quoted(name: str) -> str:
    return f'"{name}"'
