"""History: everything that a controller needs to know about what happened before it started."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from orchestrator.ahead.lists import SPECULATED
from orchestrator.ahead.pace import Took
from orchestrator.events import Event
from orchestrator.hours.events import CLOSED, OPENED
from orchestrator.journey import KINDS, TOLD, Whereabouts
from orchestrator.models.book import KINDS as BOOKED
from orchestrator.models.book import Book
from orchestrator.outcomes import PastStep
from orchestrator.records import (
    Telling,
    TrialRecord,
    read_campaign,
    read_latest,
    read_observations,
    read_past_steps,
    read_trials,
)
from orchestrator.store import AskRow, JournalRow, MeasurementRow

KNOWN = "known"
"""The event that holds what the planner is told beforehand."""
SOURCES = "sources"
"""The event that holds what was measured or computed elsewhere, as the planner takes it."""

REFERENCE_ROLES = ("mirror", "blank")


@dataclass(slots=True)
class History:
    """Where the journal says that a campaign stands; empty for a new one."""

    trials: list[TrialRecord] = field(default_factory=list)
    findings: dict[int, list[Mapping[str, Any]]] = field(default_factory=dict)
    told: list[Telling] = field(default_factory=list)
    """In order."""
    known: list[Mapping[str, Any]] | None = None
    """Results from before the campaign, which the planner is told first; None before they were journalled."""
    sources: list[Mapping[str, Any]] | None = None
    """Results from elsewhere (`orchestrator.sources.ReadSource.data`); None before they were journalled."""
    book: Book = field(default_factory=Book)
    """What models foretold, and which of them leads."""
    diagnostics: dict[str, Any] = field(default_factory=dict)
    speculated: Sequence[Mapping[str, Any]] = ()
    """Short lists that were made ahead for the next ask (`orchestrator.ahead.lists.ShortList.body`)."""
    took: list[Took] = field(default_factory=list)
    """What plans took, in a campaign that plans ahead."""
    faults: list[str] = field(default_factory=list)
    """Why the last trials that ended were lost, as long as each of them was lost to a fault of the lab."""

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
    """The newest measurement of each role."""
    chosen: Mapping[str, Sequence[Mapping[str, Any]]]
    """The references that open trials found young enough, by trial and path."""
    whereabouts: Whereabouts
    """Where samples are, and which furnaces run."""
    guard_told: Sequence[Mapping[str, Any]] = ()
    """What the guard told, in order."""
    closed_until: datetime | None = None
    """The end of the window that has begun and not ended; None where it is open."""


def read_standing(connection: Connection) -> Standing:
    """Read where a campaign stands."""
    trials = read_trials(connection)
    open_trials = [trial.number for trial in trials if trial.is_open]
    whereabouts = Whereabouts.of(_events(connection, KINDS))
    batches = [batch.name for batch in whereabouts.open_batches()]
    latest = [read_latest(connection, role) for role in REFERENCE_ROLES]
    findings = read_observations(connection)
    history = History(
        trials=trials,
        findings=findings,
        book=Book.of(_events(connection, BOOKED), trials, findings),
        told=[_telling(body, trials) for body in _bodies(connection, "told")],
        known=_first(connection, KNOWN, "results"),
        sources=_first(connection, SOURCES, "sources"),
        diagnostics=_last_diagnostics(connection),
        speculated=_speculated(connection, 1 + max((trial.ask for trial in trials), default=-1)),
        took=_took(connection),
        faults=_faults_in_a_row(connection),
    )
    return Standing(
        campaign=read_campaign(connection),
        epoch=connection.execute(select(func.max(_JOURNAL.c.epoch))).scalar() or 0,
        last_s=connection.execute(select(func.max(_JOURNAL.c.mono_s))).scalar() or 0.0,
        history=history,
        past=read_past_steps(connection, open_trials, batches=batches),
        waits={body["command_id"]: body["until_s"] for body in _bodies(connection, "wait")},
        references=[row for row in latest if row is not None],
        chosen=_chosen_references(connection, open_trials),
        whereabouts=whereabouts,
        guard_told=_bodies(connection, TOLD),
        closed_until=_closed_until(connection),
    )


def _first(connection: Connection, kind: str, key: str) -> list[Mapping[str, Any]] | None:
    found = _bodies(connection, kind)
    return found[0][key] if found else None


def _speculated(connection: Connection, ask: int) -> list[Mapping[str, Any]]:
    """Return the short lists for an ask, one row at a time: those of a long campaign together are large."""
    query = select(_JOURNAL.c.body).where(_JOURNAL.c.kind == SPECULATED).order_by(_JOURNAL.c.seq)
    return [body for text in connection.execute(query).scalars() if (body := json.loads(text))["ask"] == ask]


def _took(connection: Connection) -> list[Took]:
    asks = [body for body in _bodies(connection, "asked") if "planning" in body]
    return [
        Took(how=body["planning"]["how"], known=body["planning"]["known"], seconds=body["charged_s"]) for body in asks
    ]


def _closed_until(connection: Connection) -> datetime | None:
    query = select(_JOURNAL.c.kind, _JOURNAL.c.body).where(_JOURNAL.c.kind.in_((CLOSED, OPENED)))
    last = connection.execute(query.order_by(_JOURNAL.c.seq.desc()).limit(1)).first()
    return None if last is None or last.kind == OPENED else datetime.fromisoformat(json.loads(last.body)["until_utc"])


def read_book(connection: Connection) -> Book:
    """Read what a campaign's models foretold, and which of them leads."""
    events = list(_events(connection, BOOKED))
    if not any(event.kind == "asked" and event.body.get("models") for event in events):
        return Book()  # stripes without number need not be read for it
    return Book.of(events, read_trials(connection), read_observations(connection))


def _telling(body: Mapping[str, Any], trials: Sequence[TrialRecord]) -> Telling:
    # before trials were told of while others ran, each telling closed the ask that its trials came from
    return Telling(body["trials"], body.get("asks", 1 + trials[body["trials"][0] - 1].ask))


_JOURNAL: Any = JournalRow.__table__  # type: ignore[attr-defined]


def _bodies(connection: Connection, kind: str) -> list[dict[str, Any]]:
    query = select(_JOURNAL.c.body).where(_JOURNAL.c.kind == kind).order_by(_JOURNAL.c.seq)
    return [json.loads(body) for body in connection.execute(query).scalars()]


def _events(connection: Connection, kinds: Sequence[str]) -> Iterator[Event]:
    query = select(_JOURNAL).where(_JOURNAL.c.kind.in_(kinds)).order_by(_JOURNAL.c.seq)
    for row in connection.execute(query):
        yield Event(
            seq=row.seq, kind=row.kind, at_s=row.mono_s, utc=row.utc, body=json.loads(row.body), trial=row.trial
        )


def _chosen_references(connection: Connection, trials: Sequence[int]) -> dict[str, list[Mapping[str, Any]]]:
    table: Any = MeasurementRow.__table__  # type: ignore[attr-defined]
    query = select(_JOURNAL).where(_JOURNAL.c.kind == "references_chosen", _JOURNAL.c.trial.in_(list(trials)))
    found: dict[str, list[Mapping[str, Any]]] = {}
    for event in connection.execute(query).all():
        rows = select(table).where(table.c.id.in_(json.loads(event.body)["measurements"])).order_by(table.c.role)
        found[f"{event.trial:06d}.{event.step}"] = [dict(row) for row in connection.execute(rows).mappings()]
    return found


def _faults_in_a_row(connection: Connection) -> list[str]:
    """Return the reasons of the trials that were lost to faults, one after another, since the last start or success.

    A campaign that ended and is resumed begins to count anew: somebody has seen to the lab.
    """
    kinds = ("trial_lost", "trial_failed", "analysed", "campaign_ended")
    query = select(_JOURNAL.c.kind, _JOURNAL.c.body).where(_JOURNAL.c.kind.in_(kinds)).order_by(_JOURNAL.c.seq.desc())
    reasons: list[str] = []
    for kind, text in connection.execute(query):
        body = json.loads(text) if kind == "trial_lost" else {}
        if not body.get("is_fault", bool(body)):
            break
        reasons.append(body["reason"])
    return reasons[::-1]


def _last_diagnostics(connection: Connection) -> dict[str, Any]:
    table: Any = AskRow.__table__  # type: ignore[attr-defined]
    row = connection.execute(select(table.c.diagnostics).order_by(table.c.index.desc()).limit(1)).scalar()
    return dict(row or {})
