"""Scoring: after a simulated campaign, its world's scorer compares what was learnt with the truth.

Only here, after the run, does anything of ours look into a world's state file, and then through the scorer's entry
point. The scorer may ask what the planner would have predicted after so many trials.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select

from orchestrator.campaign_knowledge import knowledge_of
from orchestrator.check import Ready
from orchestrator.directory import CampaignDirectory
from orchestrator.history import read_standing
from orchestrator.knowledge import Knowledge
from orchestrator.points import pool_for
from orchestrator.records import Telling, TrialRecord
from orchestrator.store import MeasurementRow
from orchestrator.worlds import SCORERS, load
from planner.errors import NotEnoughData


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredTrial:
    """What a scorer may know of a trial."""

    number: int
    parameters: Mapping[str, Any]
    outcome: str | None
    values: Mapping[str, Any]
    batch: int
    is_control: bool
    n_spectra: int


@dataclass(slots=True)
class ScoredRun:
    """What a scorer may know of a run."""

    trials: Sequence[ScoredTrial]
    _ready: Ready
    _records: Sequence[TrialRecord]
    _findings: Mapping[int, Sequence[Mapping[str, Any]]]
    _told: Sequence[Telling]
    _known: Sequence[Mapping[str, Any]]
    _sources: Sequence[Mapping[str, Any]]
    _cache: dict[int, Knowledge] = field(default_factory=dict)

    def predict(self, n_trials: int, points: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the planner's mean and standard deviation (``n`` each) of the first objective after n_trials.

        None where nothing had been told of it by then: a stop can come between a measurement and its telling.
        """
        if n_trials not in self._cache:
            campaign = self._ready.campaign
            pool = pool_for(campaign, self._ready.worlds)
            knowledge = knowledge_of(campaign, pool=pool, known=self._known, sources=self._sources)
            first = list(self._records[:n_trials])
            told = [_up_to(telling, n_trials) for telling in self._told]
            knowledge.restore(first, self._findings, told=[telling for telling in told if telling.trials])
            self._cache = {n_trials: knowledge}
        try:
            return self._cache[n_trials].predict(points)
        except NotEnoughData:
            return None


def _up_to(telling: Telling, n_trials: int) -> Telling:
    return replace(telling, trials=[number for number in telling.trials if number <= n_trials])


def metrics(
    directory: CampaignDirectory, connection: Connection, ready: Ready, trials: Sequence[TrialRecord]
) -> dict[str, Any]:
    """Return the metrics of every simulated world of the lab that has a scorer."""
    scored = {entry.name for entry in entry_points(group=SCORERS)}
    found: dict[str, Any] = {}
    for world, options in ready.worlds.items():
        if world not in scored:
            continue
        scorer = load(SCORERS, world)(
            seed=ready.campaign.seed,
            options=options,
            campaign=ready.campaign.data(),
        )
        found |= scorer.score(_run(connection, ready, trials))
    return found


def _run(connection: Connection, ready: Ready, trials: Sequence[TrialRecord]) -> ScoredRun:
    history = read_standing(connection).history
    table: Any = MeasurementRow.__table__  # type: ignore[attr-defined]
    query = select(table.c.trial, func.count().label("n")).where(table.c.kind == "spectrum", table.c.role == "film")
    spectra = {row.trial: row.n for row in connection.execute(query.group_by(table.c.trial))}
    return ScoredRun(
        trials=[
            ScoredTrial(
                number=trial.number,
                parameters=trial.parameters,
                outcome=trial.outcome,
                values=trial.values,
                batch=trial.ask,
                is_control=trial.is_control,
                n_spectra=spectra.get(trial.number, 0),
            )
            for trial in trials
        ],
        _ready=ready,
        _records=trials,
        _findings=history.findings,
        _told=history.told,
        _known=history.known or (),
        _sources=history.sources or (),
    )
