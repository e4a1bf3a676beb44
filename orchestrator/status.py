"""Status: where a campaign stands, in a form that a program can read; it disturbs nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from orchestrator.ahead.metrics import ComputeStatus
from orchestrator.bill import Summary
from orchestrator.controllers import controller_is_alive
from orchestrator.doubts import Doubt, doubts_of, without
from orchestrator.fidelities import counting
from orchestrator.goals import best
from orchestrator.health.examination import Observed, Standing, findings, observe, warnings
from orchestrator.health.finding import Finding
from orchestrator.health.horizon import Horizon, next_monday
from orchestrator.hours.reading import HoursStatus, read_hours
from orchestrator.models.standing import ModelsStatus
from orchestrator.people.intent import CampaignState, activity, campaign_state
from orchestrator.people.interventions import KINDS, autonomy
from orchestrator.people.reading import events_of, read_state
from orchestrator.people.state import Asked, DeskState
from orchestrator.reading import JournalFacts, Reading, open_reading
from orchestrator.store import AskRow, CampaignRow, IncidentRow, MeasurementRow, ObservationRow, StepRow, TrialRow

LATEST_INCIDENTS = 5
EXAMINED_EVERY_S = 60.0

Lab = Literal["simulated", "replayed", "real", "partly simulated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialCounts:
    """How many trials stand where."""

    accepted: int
    measured: int
    failed: int
    lost: int
    open: int
    controls: int
    budget: int | None
    """The most trials that the campaign may do; None if only its duration is limited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The best measured trial by the first objective that has a direction."""

    trial: int
    objective: str
    value: float
    unit: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStatus:
    """One step, open or newest."""

    command_id: str
    trial: int
    device: str
    command: str
    label: str
    state: str
    started_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentStatus:
    """One incident."""

    at_s: float
    kind: str
    trial: int | None
    device: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionStatus:
    """One question that waits for an answer."""

    key: str
    text: str
    choices: Sequence[str]
    asked_s: float
    deadline_at_s: float
    default: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleStatus:
    """What people want of the campaign, and what it wants of them."""

    intent: str
    """``run``, ``pause``, ``stop`` or ``abort``."""
    by: str
    """Who wants that, when and why; empty for ``run``."""
    held: Sequence[str]
    """Devices and kinds of steps that nothing is begun with."""
    questions: Sequence[QuestionStatus]
    interventions: int
    restocks: int
    interventions_per_100: float | None
    """Per 100 measured and analysed experiments, with its exact 95 % interval; None before the first."""
    low_per_100: float | None
    high_per_100: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcesStatus:
    """What the planner takes from results from elsewhere, by what was known at its last ask."""

    standing: str
    """``trusted``, ``doubted`` (the space is filled first) or ``left alone``."""
    weights: Mapping[str, float]
    """By source, the probability that the results here follow it alone."""
    all: float
    """The probability that they follow all sources together."""
    nothing: float
    """The probability that they follow none."""
    refused: Mapping[str, str]
    """Why a source tells nothing, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignStatus:
    """Where a campaign stands. Times ending in ``_s`` are seconds since it was created."""

    campaign: str
    directory: str
    lab: Lab
    clock: str
    """``virtual`` or ``wall``."""
    planner: str
    seed: int
    status: str
    """What the journal says: created, running, finished, stopped or faulted."""
    state: str
    """Where it stands for people: the same words, or running, recovering, pausing, paused, stopping, aborting; and
    ``interrupted`` where the journal says running and no controller is alive."""
    reason: str
    controller_alive: bool
    starts: int
    created_utc: str
    last_event_utc: str
    elapsed_s: float
    """The campaign's clock at the last event."""
    trials: TrialCounts
    measurements: int
    observations: int
    best: Best | None
    doubted: Sequence[Doubt]
    """Results that the planner did not believe when it was last asked; none of them is the best."""
    sources: SourcesStatus | None
    """None where the planner takes from none, or was not asked yet."""
    alarms: Sequence[str]
    """What the planner said at the last ask that a person must know of the results: a drift, a contradiction."""
    newest_step: StepStatus | None
    open_intents: Sequence[StepStatus]
    people: PeopleStatus
    hours: HoursStatus | None
    """None where nothing is ever closed."""
    incidents: Mapping[str, int]
    """Number by kind."""
    latest_incidents: Sequence[IncidentStatus]
    costs: Summary
    """What it took so far, added up once a minute."""
    compute: ComputeStatus | None
    """How well computing was hidden behind experiments; null before the first ask. Looked at once a minute."""
    models: ModelsStatus | None
    """Which model leads, by what each foretold; null where none foretold anything. Looked at once a minute."""
    health: Sequence[Finding]
    """What somebody must act upon; `labpilot health` shows everything that was looked at."""
    problems: Sequence[str]
    """What is wrong with the journal itself; empty is well."""

    def as_json(self) -> dict[str, Any]:
        """Return plain values for `json.dumps`."""
        return asdict(self)


@dataclass(slots=True)
class Looks:
    """Looks at one campaign again and again.

    Each checks the journal only from where the one before it ended, and its health once a minute.
    """

    path: Path
    findings: Sequence[Finding] = ()
    """Of the last examination, all of them."""
    _costs: Summary | None = None
    _compute: ComputeStatus | None = None
    _models: ModelsStatus | None = None
    _known: JournalFacts | None = None
    _examined_s: float = -math.inf

    def look(self) -> CampaignStatus:
        """Say where the campaign stands now.

        Raises:
            InputError, NewerVersion, StorageError: As `read_status`.
        """
        # the lock is looked at first: a controller that ends in between has then journalled its ending already
        is_alive = controller_is_alive(self.path)
        with open_reading(self.path) as reading:
            self._known = reading.journal_facts(self._known)
            if self._costs is None or time.monotonic() - self._examined_s >= EXAMINED_EVERY_S:
                self._costs = reading.bill(self._known).summary()
                self._compute = reading.compute(self._known)
                observed = examine(reading, self._known, is_alive=is_alive)
                self.findings, self._models = list(findings(observed)), observed.models
                self._examined_s = time.monotonic()
            looked = (self._costs, self._compute, self._models)
            return _status(reading, self._known, is_alive, *looked, warnings(self.findings))


def read_status(path: Path) -> CampaignStatus:
    """Say where the campaign in a directory stands.

    Raises:
        InputError: The directory holds no campaign.
        NewerVersion: It was written by a later labpilot.
        StorageError: It cannot be read, or the database file is damaged.
    """
    return Looks(path).look()


def read_findings(
    path: Path, *, until: Callable[[datetime, Mapping[str, Any]], Horizon] = next_monday
) -> list[Finding]:
    """Say of everything that is looked at how it is; `until` is as `observe` takes it.

    Raises:
        InputError, NewerVersion, StorageError: As `read_status`.
    """
    is_alive = controller_is_alive(path)
    with open_reading(path) as reading:
        return list(findings(examine(reading, reading.journal_facts(), is_alive=is_alive, until=until)))


def examine(
    reading: Reading,
    journal: JournalFacts,
    *,
    is_alive: bool,
    until: Callable[[datetime, Mapping[str, Any]], Horizon] = next_monday,
) -> Observed:
    """Gather what is known of a campaign's health."""
    campaign, desk = reading.campaign(), read_state(reading.connection)
    standing = Standing(
        state=str(state_of(campaign, desk, is_alive=is_alive, steps_under_way=len(reading.open_steps()))),
        is_alive=is_alive,
        trials_budget=desk.budget.get("trials") or (campaign.config.get("budget") or {}).get("trials"),
        questions=len(desk.open_questions()),
    )
    return observe(reading, journal, standing, until=until)


def _status(
    reading: Reading,
    journal: JournalFacts,
    is_alive: bool,
    costs: Summary,
    compute: ComputeStatus | None,
    models: ModelsStatus | None,
    health: Sequence[Finding],
) -> CampaignStatus:
    campaign, trials, incidents = reading.campaign(), reading.trials(), reading.incidents()
    newest, open_steps = reading.newest_step(), reading.open_steps()
    desk = read_state(reading.connection)
    doubted = doubts_of(reading.last_ask(), trials, campaign.config)
    return CampaignStatus(
        campaign=campaign.name,
        directory=str(reading.path),
        lab=lab_kind(campaign.lab),
        clock=campaign.mode,
        planner=campaign.planner,
        seed=campaign.seed,
        status=campaign.status,
        state=str(state_of(campaign, desk, is_alive=is_alive, steps_under_way=len(open_steps))),
        reason=campaign.reason,
        controller_alive=is_alive,
        starts=campaign.starts,
        created_utc=campaign.created_utc,
        last_event_utc=journal.last_utc,
        elapsed_s=journal.last_s,
        trials=count_trials(trials, campaign.config, budget=desk.budget.get("trials")),
        measurements=reading.count(MeasurementRow),
        observations=reading.count(ObservationRow),
        best=best_trial(without(trials, doubted), campaign.config),
        doubted=doubted,
        sources=sources_status(reading.last_ask()),
        alarms=planner_alarms(reading.last_ask()),
        newest_step=None if newest is None else _step_status(newest),
        open_intents=[_step_status(step) for step in open_steps],
        people=_people(reading, desk),
        hours=read_hours(reading.connection, campaign, last_utc=journal.last_utc, is_alive=is_alive),
        incidents=_by_kind(incidents),
        latest_incidents=[_incident_status(row) for row in incidents[-LATEST_INCIDENTS:]],
        costs=costs,
        compute=compute,
        models=models,
        health=health,
        problems=journal.problems,
    )


def state_of(campaign: CampaignRow, desk: DeskState, *, is_alive: bool, steps_under_way: int = 0) -> CampaignState:
    """Say where a campaign stands, from what people want of it and what its tables say."""
    if campaign.status == "created" and not is_alive:
        return CampaignState.INTERRUPTED  # a controller made the directory, and is no more
    goes_on = activity(steps_under_way=steps_under_way, open_trials=0, trials_waiting_for_people=0)
    return campaign_state(desk.intent, status=campaign.status, is_alive=is_alive, activity=goes_on)


def _people(reading: Reading, desk: DeskState) -> PeopleStatus:
    counted = autonomy(events_of(reading.connection, KINDS))
    return PeopleStatus(
        intent=str(desk.intent),
        by=str(desk.intent_by or ""),
        held=[name for _, name in sorted(desk.held)],
        questions=[_question_status(asked) for asked in desk.open_questions()],
        interventions=len(counted.interventions),
        restocks=len(counted.restocks),
        interventions_per_100=counted.per_100,
        low_per_100=counted.low_per_100,
        high_per_100=counted.high_per_100,
    )


def _question_status(asked: Asked) -> QuestionStatus:
    question = asked.question
    return QuestionStatus(
        key=question.key,
        text=question.text,
        choices=[choice.name for choice in question.choices],
        asked_s=asked.at_s,
        deadline_at_s=asked.deadline_at_s,
        default=question.default,
    )


def lab_kind(lab: Mapping[str, Any]) -> Lab:
    """Say whether the devices of a lab are hardware; only ``sim:`` addresses are not."""
    urls = [str(device.get("url", "")) for device in lab.get("devices", {}).values()]
    simulated = [url for url in urls if url.startswith("sim:")]
    if len(simulated) < len(urls):
        return "partly simulated" if simulated else "real"
    return "replayed" if urls and all(url.startswith("sim:replay/") for url in urls) else "simulated"


def count_trials(trials: Sequence[TrialRow], config: Mapping[str, Any], *, budget: int | None = None) -> TrialCounts:
    """Count trials by outcome; budget: what people have set since."""
    outcomes = [trial.outcome for trial in trials]
    return TrialCounts(
        accepted=len(trials),
        measured=outcomes.count("measured"),
        failed=outcomes.count("failed"),
        lost=outcomes.count("lost"),
        open=outcomes.count(None),
        controls=sum(trial.is_control for trial in trials),
        budget=budget or (config.get("budget") or {}).get("trials"),
    )


def sources_status(ask: AskRow | None) -> SourcesStatus | None:
    """Return what an ask says of sources."""
    found = None if ask is None else ask.diagnostics.get("sources")
    return None if found is None else SourcesStatus(**found)


def planner_alarms(ask: AskRow | None) -> list[str]:
    """Return what the planner said at an ask that a person must know of the results."""
    return [] if ask is None else [str(text) for text in ask.diagnostics.get("alarms", ())]


_UNRANKED = ("learn", "classify", "at_most", "at_least", None)


def best_trial(trials: Sequence[TrialRow], config: Mapping[str, Any]) -> Best | None:
    """Return the best measured trial by what is optimised, the first among equals; see `orchestrator.goals`.

    None where the campaign only learns, or nothing was measured yet.
    """
    objectives = config.get("objectives", [])
    ranked = [objective for objective in objectives if objective.get("direction") not in _UNRANKED]
    found = best(objectives, counting(config.get("parameters", []), trials)) if ranked else None
    if found is None:
        return None
    return Best(
        trial=found.number,
        objective=ranked[0]["name"],
        value=found.values[ranked[0]["name"]],
        unit=str(ranked[0].get("unit") or "1"),
        parameters=found.parameters,
    )


def _step_status(step: StepRow) -> StepStatus:
    return StepStatus(
        command_id=step.command_id,
        trial=step.trial,
        device=step.device,
        command=step.command,
        label=step.label,
        state=step.state,
        started_s=step.started_s,
    )


def _incident_status(row: IncidentRow) -> IncidentStatus:
    return IncidentStatus(at_s=row.at_s, kind=row.kind, trial=row.trial, device=row.device, text=row.text)


def _by_kind(incidents: Sequence[IncidentRow]) -> dict[str, int]:
    kinds = [incident.kind for incident in incidents]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}
