"""Metrics: a campaign's numbers in the text format of Prometheus.

Names and units follow its conventions (https://prometheus.io/docs/practices/naming/): base units in the name, `_total`
for what only grows, one meaning for each name. The format is version 0.0.4
(https://prometheus.io/docs/instrumenting/exposition_formats/).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from orchestrator.health.finding import Finding, Level
from orchestrator.people.intent import CampaignState
from orchestrator.record.space import free_bytes
from orchestrator.status.campaign_status import CampaignStatus

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LEVELS: Mapping[Level, int] = {Level.OK: 0, Level.NOTE: 1, Level.WARNING: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric with its samples."""

    name: str
    kind: str
    """``counter`` or ``gauge``."""
    about: str
    samples: Sequence[tuple[Mapping[str, str], float]]
    """Labels and value."""


def exposition(status: CampaignStatus, findings: Sequence[Finding]) -> str:
    """Return the text that Prometheus reads, a newline at its end."""
    common = {"campaign": status.campaign, "directory": str(Path(status.directory).absolute())}
    families = [
        *_campaign(status),
        *_trials(status),
        *_people(status),
        *_costs(status),
        *_compute(status),
        *_health(status, findings),
    ]
    return "".join(f"{line}\n" for family in families for line in _lines(family, common))


def _lines(family: Family, common: Mapping[str, str]) -> Iterator[str]:
    if not family.samples:
        return
    yield f"# HELP {family.name} {family.about}"
    yield f"# TYPE {family.name} {family.kind}"
    for labels, value in family.samples:
        told = ",".join(f'{name}="{_escaped(text)}"' for name, text in {**common, **labels}.items())
        yield f"{family.name}{{{told}}} {_number(value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))


def _gauge(name: str, about: str, value: float | None) -> Family:
    return Family(name=name, kind="gauge", about=about, samples=[] if value is None else [({}, value)])


def _counter(name: str, about: str, value: float) -> Family:
    return Family(name=name, kind="counter", about=about, samples=[({}, value)])


def _campaign(status: CampaignStatus) -> Iterator[Family]:
    facts = {"lab": status.lab, "clock": status.clock, "planner": status.planner, "seed": str(status.seed)}
    yield Family(
        name="labpilot_campaign_info", kind="gauge", about="What the campaign is; always 1.", samples=[(facts, 1)]
    )
    yield Family(
        name="labpilot_campaign_state",
        kind="gauge",
        about="Where the campaign stands: 1 for the one state that holds.",
        samples=[({"state": str(state)}, state == status.state) for state in CampaignState],
    )
    yield _gauge("labpilot_controller_up", "Whether a controller holds the campaign.", status.controller_alive)
    yield _counter("labpilot_controller_starts_total", "How often a controller was started.", status.starts)
    yield _gauge("labpilot_campaign_elapsed_seconds", "The campaign's own clock at the last event.", status.elapsed_s)
    yield _gauge(
        "labpilot_last_event_timestamp_seconds",
        "When the last event was journalled, since 1970; by the virtual clock in a simulation.",
        datetime.fromisoformat(status.last_event_utc).timestamp(),
    )
    yield _gauge(
        "labpilot_steps_open", "Steps whose intent is journalled and whose outcome is not.", len(status.open_intents)
    )


def _trials(status: CampaignStatus) -> Iterator[Family]:
    trials = status.trials
    ended = {"measured": trials.measured, "failed": trials.failed, "lost": trials.lost}
    yield Family(
        name="labpilot_trials_total",
        kind="counter",
        about="Trials that have ended, by outcome.",
        samples=[({"outcome": outcome}, count) for outcome, count in ended.items()],
    )
    yield _gauge("labpilot_trials_open", "Trials that were accepted and have not ended.", trials.open)
    yield _gauge("labpilot_trials_budget", "The most trials that the campaign may do.", trials.budget)
    yield _counter("labpilot_measurements_total", "Measurements taken.", status.measurements)
    yield _counter("labpilot_observations_total", "Observations that the analysis made.", status.observations)
    if status.best is not None:
        labels = {"objective": status.best.objective, "unit": status.best.unit}
        yield Family(
            name="labpilot_objective_best",
            kind="gauge",
            about="Best measured value of the first objective, in the unit of its label.",
            samples=[(labels, status.best.value)],
        )


def _people(status: CampaignStatus) -> Iterator[Family]:
    yield Family(
        name="labpilot_incidents_total",
        kind="counter",
        about="Incidents, by kind.",
        samples=[({"kind": kind}, count) for kind, count in status.incidents.items()],
    )
    yield _counter("labpilot_interventions_total", "Unplanned acts of people.", status.people.interventions)
    yield _counter("labpilot_restocks_total", "Planned restocks.", status.people.restocks)
    yield _gauge("labpilot_questions_open", "Questions that wait for an answer.", len(status.people.questions))


def _costs(status: CampaignStatus) -> Iterator[Family]:
    costs = status.costs
    yield Family(
        name="labpilot_device_busy_seconds_total",
        kind="counter",
        about="Time in which a device worked.",
        samples=[({"device": device}, hours * 3600.0) for device, hours in costs.hours.items()],
    )
    yield _counter(
        "labpilot_energy_joules_total", "Energy of the devices whose power is known.", costs.energy_kwh * 3.6e6
    )
    if costs.total is not None:
        yield Family(
            name="labpilot_cost_total",
            kind="counter",
            about="What the campaign has cost, in the currency of its label.",
            samples=[({"currency": costs.currency}, costs.total)],
        )


def _compute(status: CampaignStatus) -> Iterator[Family]:
    compute = status.compute
    if compute is None:
        return
    busy = {"plan": compute.planned_s, "speculate": compute.ahead_s, "analyse": compute.analysed_s}
    yield Family(
        name="labpilot_compute_busy_seconds_total",
        kind="counter",
        about="Time of computing, by what it was for.",
        samples=[({"class": name}, seconds) for name, seconds in busy.items()],
    )
    yield Family(
        name="labpilot_compute_idle_seconds_total",
        kind="counter",
        about="Time for which an instrument waited, by what for.",
        samples=[({"for": name}, seconds) for name, seconds in compute.idle_s.items()],
    )
    yield _gauge("labpilot_compute_hidden_ratio", "Part of computing for which no instrument waited.", compute.hidden)
    yield Family(
        name="labpilot_plans_total",
        kind="counter",
        about="Plans, by how they were made.",
        samples=[({"how": how}, count) for how, count in compute.how.items()],
    )
    yield _counter("labpilot_plans_in_time_total", "Plans that no instrument waited long for.", compute.in_time)
    yield _counter(
        "labpilot_plans_unseen_results_total",
        "Results that plans neither knew nor had imagined.",
        sum(int(unseen) * count for unseen, count in compute.unseen.items()),
    )
    yield _counter("labpilot_plans_stale_total", "Plans that missed more results than they may.", compute.stale)
    yield _counter("labpilot_speculations_total", "Plans for which results were imagined.", compute.speculated)
    yield _counter("labpilot_speculation_hits_total", "Of these, those taken from short lists.", compute.hits)
    yield _counter("labpilot_compute_fallbacks_total", "Times another way was taken.", sum(compute.fallbacks.values()))


def _health(status: CampaignStatus, findings: Sequence[Finding]) -> Iterator[Family]:
    yield Family(
        name="labpilot_finding_level",
        kind="gauge",
        about="How grave what was looked at is: 0 ok, 1 note, 2 warning (docs/health.md).",
        samples=[({"finding": finding.name}, LEVELS[finding.level]) for finding in findings],
    )
    yield _gauge("labpilot_journal_problems", "What is wrong with the journal itself; 0 is well.", len(status.problems))
    yield _gauge(
        "labpilot_disk_free_bytes", "Space left where the campaign is written.", free_bytes(Path(status.directory))
    )
