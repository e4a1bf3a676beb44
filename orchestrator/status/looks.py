"""Looks at a campaign, which disturb nothing: its tables, its journal and the health of its laboratory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestrator.ahead.metrics import ComputeStatus
from orchestrator.bill import Summary
from orchestrator.controllers import controller_is_alive
from orchestrator.doubts import doubts_of, without
from orchestrator.health.examination import Observed, Standing, findings, observe, warnings
from orchestrator.health.finding import Finding
from orchestrator.health.horizon import Horizon, next_monday
from orchestrator.hours.reading import read_hours
from orchestrator.models.standing import ModelsStatus
from orchestrator.people.reading import read_state
from orchestrator.reading import JournalFacts, Reading, open_reading
from orchestrator.status.campaign_status import CampaignStatus
from orchestrator.status.facts import (
    best_trial,
    by_kind,
    count_trials,
    incident_status,
    lab_kind,
    people_status,
    planner_alarms,
    sources_status,
    state_of,
    step_status,
)
from orchestrator.store import MeasurementRow, ObservationRow

LATEST_INCIDENTS = 5
EXAMINED_EVERY_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Examined:
    """What takes long to find out, and is therefore looked at once a minute."""

    at_s: float
    """By the monotonic clock, when it was known."""
    findings: Sequence[Finding]
    costs: Summary
    compute: ComputeStatus | None
    models: ModelsStatus | None

    @classmethod
    def of(cls, reading: Reading, journal: JournalFacts, *, is_alive: bool) -> _Examined:
        """Add up what a campaign took, and look at everything else."""
        costs, compute = reading.bill(journal).summary(), reading.compute(journal)
        observed = examine(reading, journal, is_alive=is_alive)
        found = list(findings(observed))
        return cls(at_s=time.monotonic(), findings=found, costs=costs, compute=compute, models=observed.models)


@dataclass(slots=True)
class Looks:
    """Looks at one campaign again and again.

    Each checks the journal only from where the one before it ended, and its health once a minute.
    """

    path: Path
    _examined: _Examined | None = None
    _known: JournalFacts | None = None

    @property
    def findings(self) -> Sequence[Finding]:
        """Of the last examination, all of them."""
        return () if self._examined is None else self._examined.findings

    def look(self) -> CampaignStatus:
        """Say where the campaign stands now.

        Raises:
            InputError, NewerVersion, StorageError: As `read_status`.
        """
        # the lock is looked at first: a controller that ends in between has then journalled its ending already
        is_alive = controller_is_alive(self.path)
        with open_reading(self.path) as reading:
            self._known = reading.journal_facts(self._known)
            if self._examined is None or time.monotonic() - self._examined.at_s >= EXAMINED_EVERY_S:
                self._examined = _Examined.of(reading, self._known, is_alive=is_alive)
            return _status(reading, self._known, self._examined, is_alive=is_alive)


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


def _status(reading: Reading, journal: JournalFacts, examined: _Examined, *, is_alive: bool) -> CampaignStatus:
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
        newest_step=None if newest is None else step_status(newest),
        open_intents=[step_status(step) for step in open_steps],
        people=people_status(reading, desk),
        hours=read_hours(reading.connection, campaign, last_utc=journal.last_utc, is_alive=is_alive),
        incidents=by_kind(incidents),
        latest_incidents=[incident_status(row) for row in incidents[-LATEST_INCIDENTS:]],
        costs=examined.costs,
        compute=examined.compute,
        models=examined.models,
        health=warnings(examined.findings),
        problems=journal.problems,
    )
