"""Tables: the append-only journal, and projections of it that queries read.

The journal decides recovery; the tables are a convenience, folded from it (tests fold them again and hold them equal).
Schemas change by Alembic only (`orchestrator/migrations`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Column, Engine, Text, event
from sqlmodel import Field, SQLModel, create_engine


class JournalRow(SQLModel, table=True):
    """One event. Rows are only ever added."""

    __tablename__ = "journal"  # pyright: ignore[reportAssignmentType]

    seq: int = Field(primary_key=True)
    epoch: int
    """Which start of the controller wrote it. A later controller fences earlier ones: its first row takes the `seq`
    that theirs would need, so nothing of theirs can be committed any more."""
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
)


def open_engine(url: str, *, fsync: bool = True) -> Engine:
    """Open the database.

    url: an SQLAlchemy URL. SQLite runs in WAL mode; with fsync, every commit reaches the disk (synchronous=FULL),
    without it a power cut may lose the tail but a killed process does not (synchronous=NORMAL).
    """
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        level = "FULL" if fsync else "NORMAL"

        @event.listens_for(engine, "connect")
        def _configure(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA synchronous={level}")
            connection.execute("PRAGMA busy_timeout=5000")

    return engine
