"""The examination: what a campaign directory says, gathered once and judged by every examiner."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Text, cast, select

from orchestrator import units
from orchestrator.consumables import StepLike, Use, doses, fetched
from orchestrator.directory import CampaignDirectory
from orchestrator.health.clocks import Jump, Tick, clocks, jumps
from orchestrator.health.disk import Written, disk
from orchestrator.health.drift import TrialLike, drift
from orchestrator.health.finding import Finding, Level
from orchestrator.health.hands import interventions
from orchestrator.health.heartbeat import Pulse, heartbeat
from orchestrator.health.horizon import Horizon, next_monday
from orchestrator.health.models import calibration
from orchestrator.health.pace import slow_devices
from orchestrator.health.stock import KINDS as FILLINGS
from orchestrator.health.stock import Filling, Outlook, Shelf, fillings, shelves, stock
from orchestrator.hours.reading import read_closings
from orchestrator.models.standing import ModelsStatus, read_standing_of_models
from orchestrator.people.interventions import KINDS, Autonomy, autonomy
from orchestrator.people.reading import events_of
from orchestrator.reading import JournalFacts, Reading
from orchestrator.record.lease import read_lease
from orchestrator.record.space import LOW_BYTES, free_bytes
from orchestrator.store import CampaignRow, JournalRow, MeasurementRow, StepRow, TrialRow
from orchestrator.words import moment as moment_text

_JOURNAL: Any = JournalRow.__table__  # type: ignore[attr-defined]
_STEP: Any = StepRow.__table__  # type: ignore[attr-defined]
_MEASUREMENT: Any = MeasurementRow.__table__  # type: ignore[attr-defined]

_NAMES = (
    "command_id", "trial", "device", "command", "arguments", "result", "state", "started_s", "finished_s", "attempts",
    "settled_by",
)  # fmt: skip
_STEP_COLUMNS: Any = [_STEP.c[name] for name in _NAMES]

NEWEST_STEPS = 10_000
"""How far back it is looked for how fast devices were."""
OVER = ("finished", "stopped", "faulted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What is known of a campaign at one moment."""

    pulse: Pulse
    written: Written
    is_virtual: bool
    jumps: Sequence[Jump]
    shelves: Sequence[Shelf]
    fillings: Sequence[Filling]
    outlook: Outlook
    trials: Sequence[TrialLike]
    objective_units: Mapping[str, str]
    steps: Sequence[StepLike]
    """The newest, in the order in which they were begun."""
    autonomy: Autonomy
    models: ModelsStatus | None = None
    """Which model leads and how well each is calibrated; None where none foretold anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a campaign stands, as `orchestrator.status.facts` says."""

    state: str
    is_alive: bool
    trials_budget: int | None
    """The most trials; None where the budget sets no number."""
    questions: int
    """How many wait for a person."""


def findings(observed: Observed) -> Iterator[Finding]:
    """Judge everything that is looked at."""
    yield from heartbeat(observed.pulse)
    yield disk(observed.written)
    yield clocks(observed.jumps, is_virtual=observed.is_virtual)
    for shelf in observed.shelves:
        yield stock(shelf, observed.fillings, observed.outlook)
    yield from drift(observed.trials, observed.objective_units)
    yield from slow_devices(observed.steps)
    yield interventions(observed.autonomy)
    yield from calibration(observed.models)


def warnings(found: Sequence[Finding]) -> list[Finding]:
    """Return what somebody must act upon."""
    return [finding for finding in found if finding.level is Level.WARNING]


def observe(
    reading: Reading,
    journal: JournalFacts,
    standing: Standing,
    *,
    until: Callable[[datetime, Mapping[str, Any]], Horizon] = next_monday,
) -> Observed:
    """Gather what the tables of a campaign say.

    journal: how far the journal goes.
    until: makes the instant until which disk and stock must last from the campaign's time and the people of its lab.
    """
    campaign, trials = reading.campaign(), reading.trials()
    moment = _moment(campaign, journal, standing, until)
    samples = campaign.lab.get("samples", {})
    magazine = samples.get("magazine")
    events = events_of(reading.connection, sorted({*KINDS, *FILLINGS}))
    filled = fillings([event for event in events if event.kind in FILLINGS], samples.get("materials", {}), magazine)
    return Observed(
        pulse=_pulse(reading, standing, moment),
        written=_written(reading, moment),
        is_virtual=moment.is_virtual,
        jumps=[] if moment.is_virtual else list(jumps(_ticks(reading))),
        shelves=_shelves(reading, campaign.lab, magazine),
        fillings=list(filled),
        outlook=_outlook(trials, standing, moment),
        trials=trials,
        objective_units={item["name"]: str(item.get("unit") or "1") for item in campaign.config.get("objectives", [])},
        steps=_newest_steps(reading),
        autonomy=autonomy([event for event in events if event.kind in KINDS]),
        models=read_standing_of_models(reading.connection),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """When it is, by the campaign's clock."""

    is_virtual: bool
    is_over: bool
    event_age_s: float
    now_s: float
    now_utc: datetime
    horizon: Horizon

    @property
    def horizon_s(self) -> float:
        return self.now_s + (self.horizon.utc - self.now_utc).total_seconds()


def _moment(campaign: CampaignRow, journal: JournalFacts, standing: Standing, until: Callable[..., Horizon]) -> _Moment:
    is_virtual, is_over = campaign.mode == "virtual", campaign.status in OVER
    last_utc = datetime.fromisoformat(journal.last_utc)
    # the clock of a virtual campaign, and of one that nobody runs, stands where its last event was
    stands = is_virtual or is_over or not standing.is_alive
    passed = timedelta(0) if stands else max(timedelta(0), datetime.now(UTC) - last_utc)
    return _Moment(
        is_virtual=is_virtual,
        is_over=is_over,
        event_age_s=passed.total_seconds(),
        now_s=journal.last_s + passed.total_seconds(),
        now_utc=last_utc + passed,
        horizon=until(last_utc + passed, campaign.lab.get("people", {})),
    )


def _pulse(reading: Reading, standing: Standing, moment: _Moment) -> Pulse:
    lease, closings = read_lease(reading.connection), list(read_closings(reading.connection))
    return Pulse(
        directory=str(reading.path),
        state=standing.state,
        is_alive=standing.is_alive,
        lease_age_s=None if lease.owner is None else lease.age_s,
        event_age_s=None if moment.is_virtual else moment.event_age_s,
        steps_under_way=len(reading.open_steps()),
        questions=standing.questions,
        closed_until=next((moment_text(one.until_utc) for one in closings[-1:] if one.end_s is None), ""),
    )


def _written(reading: Reading, moment: _Moment) -> Written:
    return Written(
        free_bytes=free_bytes(reading.path),
        low_bytes=LOW_BYTES,
        other_bytes=_other_bytes(reading.path),
        files=_files(reading),
        now_s=moment.now_s,
        horizon_s=moment.horizon_s,
        is_over=moment.is_over,
    )


def _outlook(trials: Sequence[TrialRow], standing: Standing, moment: _Moment) -> Outlook:
    begun = sum(trial.started_s is not None for trial in trials)
    return Outlook(
        now_s=moment.now_s,
        now_utc=moment.now_utc,
        horizon_s=moment.horizon_s,
        horizon=moment.horizon.words,
        trials_begun=begun,
        trials_left=None if standing.trials_budget is None else max(0, standing.trials_budget - begun),
        is_over=moment.is_over,
    )


def _newest_steps(reading: Reading) -> Sequence[Any]:
    newest = select(*_STEP_COLUMNS).order_by(_STEP.c.started_s.desc(), _STEP.c.command_id.desc()).limit(NEWEST_STEPS)
    return _rows(reading, newest)[::-1]


def _uses(reading: Reading, magazine: str | None) -> Iterator[Use]:
    chosen = select(*_STEP_COLUMNS).order_by(_STEP.c.started_s, _STEP.c.command_id)
    yield from doses(_rows(reading, chosen.where(_STEP.c.command == "dispense")))
    if magazine is not None:
        mentioned = cast(_STEP.c.arguments, Text).contains(json.dumps(magazine), autoescape=True)
        yield from fetched(_rows(reading, chosen.where(_STEP.c.command == "transfer", mentioned)), magazine)


def _rows(reading: Reading, query: Any) -> Sequence[Any]:
    return reading.connection.execute(query).all()


def _files(reading: Reading) -> list[tuple[float, int]]:
    rows = reading.connection.execute(select(_MEASUREMENT.c.taken_s, _MEASUREMENT.c.size_bytes))
    return [(row.taken_s, row.size_bytes) for row in rows]


def _ticks(reading: Reading) -> Iterator[Tick]:
    columns = select(_JOURNAL.c.epoch, _JOURNAL.c.utc, _JOURNAL.c.mono_s).order_by(_JOURNAL.c.seq)
    for epoch, utc, mono_s in reading.connection.execute(columns):
        yield Tick(epoch=epoch, utc=datetime.fromisoformat(utc), mono_s=mono_s)


def _shelves(reading: Reading, lab: Mapping[str, Any], magazine: str | None) -> list[Shelf]:
    told = lab.get("stock") or {}
    stocked = {name: units.measure(amount) for name, amount in told.get("materials", {}).items()}
    if magazine is not None and told.get("containers"):
        stocked[magazine] = units.Measure(float(told["containers"]), "1")
    return shelves(_uses(reading, magazine), stocked)


def _other_bytes(path: Path) -> int:
    """Return the size of what grows with a campaign beside its measurements."""
    directory = CampaignDirectory(path)
    journals = path.glob(f"{directory.journal.name}*")
    found = [*journals, *path.glob("wire/*"), *directory.worlds.glob("*")]
    return sum(file.stat().st_size for file in found if file.is_file())
