"""From the tables of a campaign to what its status says of each thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.fidelities import counting
from orchestrator.goals import best
from orchestrator.people.intent import CampaignState, activity, campaign_state
from orchestrator.people.interventions import KINDS, autonomy
from orchestrator.people.reading import events_of
from orchestrator.people.state import Asked, DeskState
from orchestrator.reading import Reading
from orchestrator.status.campaign_status import (
    Best,
    IncidentStatus,
    Lab,
    PeopleStatus,
    QuestionStatus,
    SourcesStatus,
    StepStatus,
    TrialCounts,
)
from orchestrator.store import AskRow, CampaignRow, IncidentRow, StepRow, TrialRow

_UNRANKED = ("learn", "classify", "at_most", "at_least", None)


def state_of(campaign: CampaignRow, desk: DeskState, *, is_alive: bool, steps_under_way: int = 0) -> CampaignState:
    """Say where a campaign stands, from what people want of it and what its tables say."""
    if campaign.status == "created" and not is_alive:
        return CampaignState.INTERRUPTED  # a controller made the directory, and is no more
    goes_on = activity(steps_under_way=steps_under_way, open_trials=0, trials_waiting_for_people=0)
    return campaign_state(desk.intent, status=campaign.status, is_alive=is_alive, activity=goes_on)


def people_status(reading: Reading, desk: DeskState) -> PeopleStatus:
    """Say what people want of a campaign, and what it wants of them."""
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


def step_status(step: StepRow) -> StepStatus:
    """Return a step as the status tells it."""
    return StepStatus(
        command_id=step.command_id,
        trial=step.trial,
        device=step.device,
        command=step.command,
        label=step.label,
        state=step.state,
        started_s=step.started_s,
    )


def incident_status(row: IncidentRow) -> IncidentStatus:
    """Return an incident as the status tells it."""
    return IncidentStatus(at_s=row.at_s, kind=row.kind, trial=row.trial, device=row.device, text=row.text)


def by_kind(incidents: Sequence[IncidentRow]) -> dict[str, int]:
    """Count incidents by kind."""
    kinds = [incident.kind for incident in incidents]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}
