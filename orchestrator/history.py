"""History: everything that a controller needs to know about what happened before it started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from orchestrator.records import (
    TrialRecord,
    read_campaign,
    read_latest,
    read_observations,
    read_past_steps,
    read_trials,
)
from orchestrator.runner import PastStep
from orchestrator.store import AskRow, JournalRow

REFERENCE_ROLES = ("mirror", "blank")


@dataclass(slots=True)
class History:
    """Where the journal says that a campaign stands; empty for a new one."""

    trials: list[TrialRecord] = field(default_factory=list)
    findings: dict[int, list[Mapping[str, Any]]] = field(default_factory=dict)
    told: list[list[int]] = field(default_factory=list)
    """Trial numbers of each telling, in order."""
    diagnostics: dict[str, Any] = field(default_factory=dict)

    @property
    def asks(self) -> int:
        """How many asks there were."""
        return 1 + max((trial.ask for trial in self.trials), default=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A campaign's history, and what was under way."""

    campaign: Mapping[str, Any] | None
    epoch: int
    last_s: float
    """The clock at the last durable event: where a virtual clock goes on."""
    history: History
    past: Mapping[str, PastStep]
    """Acts of open trials, by command id."""
    waits: Mapping[str, float]
    """When waits of open trials end, by command id."""
    references: Sequence[Mapping[str, Any]]


def read_standing(connection: Connection) -> Standing:
    """Read where a campaign stands."""
    trials = read_trials(connection)
    open_trials = [trial.number for trial in trials if trial.is_open]
    latest = [read_latest(connection, role) for role in REFERENCE_ROLES]
    history = History(
        trials=trials,
        findings=read_observations(connection),
        told=[event["trials"] for event in _bodies(connection, "told")],
        diagnostics=_last_diagnostics(connection),
    )
    return Standing(
        campaign=read_campaign(connection),
        epoch=connection.execute(select(func.max(_JOURNAL.c.epoch))).scalar() or 0,
        last_s=connection.execute(select(func.max(_JOURNAL.c.mono_s))).scalar() or 0.0,
        history=history,
        past=read_past_steps(connection, open_trials),
        waits={body["command_id"]: body["until_s"] for body in _bodies(connection, "wait")},
        references=[row for row in latest if row is not None],
    )


_JOURNAL: Any = JournalRow.__table__  # type: ignore[attr-defined]


def _bodies(connection: Connection, kind: str) -> list[dict[str, Any]]:
    import json

    query = select(_JOURNAL.c.body).where(_JOURNAL.c.kind == kind).order_by(_JOURNAL.c.seq)
    return [json.loads(body) for body in connection.execute(query).scalars()]


def _last_diagnostics(connection: Connection) -> dict[str, Any]:
    table: Any = AskRow.__table__  # type: ignore[attr-defined]
    row = connection.execute(select(table.c.diagnostics).order_by(table.c.index.desc()).limit(1)).scalar()
    return dict(row or {})
