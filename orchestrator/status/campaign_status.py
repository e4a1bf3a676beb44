"""What the status of a campaign says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from orchestrator.ahead.metrics import ComputeStatus
from orchestrator.bill import Summary
from orchestrator.doubts import Doubt
from orchestrator.health.finding import Finding
from orchestrator.hours.reading import HoursStatus
from orchestrator.models.standing import ModelsStatus

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
