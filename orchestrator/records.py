"""Records: what a campaign directory's tables say, as values that the loop and the report work on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, or_, select

from orchestrator.outcomes import PastStep
from orchestrator.states import FINAL_TRIAL_STATES
from orchestrator.store import AskRow, CampaignRow, MeasurementRow, ObservationRow, StepRow, TrialRow
from planner.proposal import Observation, Prediction, Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """One row of the trial table."""

    number: int
    parameters: Mapping[str, Any]
    ask: int
    is_control: bool
    proposal_id: str | None
    proposal_reason: str = ""
    predictions: Mapping[str, Any] = field(default_factory=dict)
    state: str = "accepted"
    outcome: str | None = None
    reason: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)
    """What was observed beside it but not chosen."""
    started_s: float | None = None
    finished_s: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether work on it is left, a restart apart."""
        return self.state not in FINAL_TRIAL_STATES and self.state != "analysed"

    def proposal(self) -> Proposal | None:
        """Return the proposal that it came from; controls come from none."""
        if self.proposal_id is None:
            return None
        predictions = {name: Prediction(**values) for name, values in self.predictions.items()}
        return Proposal(
            id=self.proposal_id, parameters=self.parameters, predictions=predictions, reason=self.proposal_reason
        )


@dataclass(frozen=True, slots=True)
class Telling:
    """One telling of finished trials to the planner."""

    trials: Sequence[int]
    after_asks: int
    """How many asks there had been before it."""


def read_campaign(connection: Connection) -> Mapping[str, Any] | None:
    """Return the campaign's row, or None before it was created."""
    row = connection.execute(select(_table(CampaignRow))).mappings().first()
    return None if row is None else {str(name): value for name, value in row.items()}


def read_trials(connection: Connection) -> list[TrialRecord]:
    """Return all trials by number."""
    table = _table(TrialRow)
    names = TrialRecord.__dataclass_fields__
    rows = connection.execute(select(table).order_by(table.c.number)).mappings()
    return [TrialRecord(**{name: row[name] for name in names}) for row in rows]


def read_asks(connection: Connection) -> list[Mapping[str, Any]]:
    """Return all asks by index."""
    table = _table(AskRow)
    return [dict(row) for row in connection.execute(select(table).order_by(table.c.index)).mappings()]


def read_observations(connection: Connection, trial: int | None = None) -> dict[int, list[Mapping[str, Any]]]:
    """Return the observations by trial, in the order in which its analysis gave them."""
    table = _table(ObservationRow)
    query = select(table).order_by(table.c.trial, table.c.id)
    if trial is not None:
        query = query.where(table.c.trial == trial)
    found: dict[int, list[Mapping[str, Any]]] = {}
    for row in connection.execute(query).mappings():
        found.setdefault(row["trial"], []).append(dict(row))
    return found


def read_past_steps(
    connection: Connection, trials: Sequence[int], *, batches: Sequence[str] = ()
) -> dict[str, PastStep]:
    """Return what is known of the acts of some trials and batches, by command id."""
    steps, measurements = _table(StepRow), _table(MeasurementRow)
    query = (
        select(steps, measurements.c.path.label("file"), measurements.c.sha256)
        .join(measurements, measurements.c.id == steps.c.command_id, isouter=True)
        .where(or_(steps.c.trial.in_(list(trials)), *(steps.c.command_id.like(f"{batch}.%") for batch in batches)))
    )
    return {
        row["command_id"]: PastStep(
            state=row["state"],
            result=row["result"],
            error=row["error"],
            path=row["file"],
            sha256=row["sha256"],
            act={name: row[name] for name in ("path", "label", "device", "command", "arguments")},
        )
        for row in connection.execute(query).mappings()
    }


def read_latest(connection: Connection, role: str) -> Mapping[str, Any] | None:
    """Return the newest measurement of a role."""
    table = _table(MeasurementRow)
    query = select(table).where(table.c.role == role).order_by(table.c.taken_s.desc(), table.c.id.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else {str(name): value for name, value in row.items()}


def known_observations(rows: Sequence[Mapping[str, Any]]) -> list[Observation]:
    """Return what the planner is told beforehand.

    rows: Earlier results as the journal keeps them (`orchestrator.points.KnownResult.data`).
    """
    return [
        Observation(
            parameters=row["parameters"],
            values=row["values"],
            noise=row["sd"],
            failure=row["failure"],
            context=row["context"],
        )
        for row in rows
    ]


def observations_of(
    trial: TrialRecord, findings: Sequence[Mapping[str, Any]], targets: Collection[str]
) -> list[Observation]:
    """Return what the planner is told about a finished trial; nothing if it was lost.

    targets: the objectives. What else an analysis found is told as context, with what was observed beside the trial.
    """
    if trial.outcome == "failed":
        failed = Observation(
            parameters=trial.parameters,
            failure=trial.reason,
            context=trial.context,
            proposal_id=trial.proposal_id,
        )
        return [failed]
    if trial.outcome != "measured":
        return []
    return [
        Observation(
            parameters=finding["parameters"],
            values={name: value for name, value in finding["values"].items() if name in targets},
            noise={name: sd for name, sd in finding["sd"].items() if name in targets},
            context={
                **{name: value for name, value in finding["values"].items() if name not in targets},
                **trial.context,
            },
            fingerprints={
                name: channels for name, channels in (finding.get("fingerprints") or {}).items() if name in targets
            },
            proposal_id=trial.proposal_id,
        )
        for finding in findings
    ]


def _table(model: Any) -> Table:
    return model.__table__
