"""How well campaigns on robot benches did, by the noiseless truth.

The photocatalysis metrics count as the mobile chemist's campaign is counted: in batches, by the best noiseless yield so
far. The replay metrics count in trials, against the best that the table knows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from simulators.materials.photocatalysis import INGREDIENTS, hydrogen_umol, most_hydrogen_umol
from simulators.photocatalysis import amount_problem
from simulators.replay import ReplayTruth
from simulators.replay_options import Value

LEVELS_UMOL = (10, 16, 18)
"""Yields whose batch is reported; the robot's own campaign took 5, 11 and 17 batches."""
PERCENTS = (1, 5)
TARGET = "hydrogen"
"""What the photocatalysis robot measures, in umol; more is better."""


class ScoredTrial(Protocol):
    """What the scorers need of a trial."""

    number: int
    parameters: Mapping[str, Value]
    outcome: str | None
    """``measured``, ``failed`` or ``lost``."""
    batch: int
    """The ask that it came from."""
    is_control: bool


class ScoredRun(Protocol):
    """A finished campaign: its trials by number."""

    @property
    def trials(self) -> Sequence[ScoredTrial]:
        """Every trial, controls and failures included."""
        ...


class PhotocatalysisScorer:
    """Scores one campaign of the photocatalysis robot."""

    def __init__(self, *, seed: int, options: Mapping[str, Any], campaign: Mapping[str, Any]) -> None:
        """Take what every scorer is given; the closed form needs to know the goal only."""
        goals = [(item["name"], item["direction"]) for item in campaign.get("objectives", ())]
        self._known_best = {TARGET: most_hydrogen_umol()} if (TARGET, "maximize") in goals else {}

    def score(self, run: ScoredRun) -> dict[str, object]:
        """Return the metrics of a run.

        Returns:
            ``noiseless_umol`` (one per trial, under a new lamp; None for a recipe that cannot be made),
            ``best_noiseless_umol`` (after each batch, of the proposals that were measured; None before the first),
            ``batches_to_10_umol``, ``_16_`` and ``_18_`` (the batch, from 1; None if never),
            ``constraint_violations`` (trials whose recipe does not fit the vial or the dosers), and by objective
            ``true_values`` (the same as ``noiseless_umol``) and ``known_best`` (the most that the robot could make; not
            where the campaign wants something else).
        """
        best = _running_best_umol(run.trials)
        noiseless = [_noiseless_umol(trial) for trial in run.trials]
        return {
            "noiseless_umol": noiseless,
            "true_values": {TARGET: noiseless},
            "known_best": self._known_best,
            "best_noiseless_umol": best,
            **{f"batches_to_{level}_umol": _first(best, level) for level in LEVELS_UMOL},
            "constraint_violations": sum(amount_problem(trial.parameters) is not None for trial in run.trials),
        }


class ReplayScorer:
    """Scores one campaign on a table of measured results."""

    def __init__(self, *, seed: int, options: Mapping[str, Any], campaign: Mapping[str, Any]) -> None:
        """Read the table.

        Raises:
            TableProblems: It cannot be used.
        """
        self._truth = ReplayTruth(options)
        directions = {item["name"]: item["direction"] for item in campaign["objectives"]}
        self._signs = {
            name: 1.0 if direction == "maximize" else -1.0
            for name, direction in directions.items()
            if direction != "learn"
        }

    def score(self, run: ScoredRun) -> dict[str, object]:
        """Return the metrics of a run, each by objective (maps that are to be learnt have no best).

        Returns:
            ``true_values`` (one per trial: mean of the repeats, or the emulator's mean; None where the trial was not
            measured), ``best_true`` (best of them so far, one per trial; None before the first), ``known_best`` (of
            the measured conditions in the search space), ``regret`` (what the best trial lacks to it; below 0 where an
            emulator's trial beat every measured condition), ``rank`` (of the best trial among those conditions, from
            1), ``trials_to_top_1_percent``, ``trials_to_top_5_percent`` and ``trials_to_known_best`` (None if never).
        """
        measured = [trial for trial in run.trials if trial.outcome == "measured"]
        truths = self._truth.values([trial.parameters for trial in measured])
        by_number = {trial.number: truth for trial, truth in zip(measured, truths, strict=True)}
        table = self._truth.measured()
        scores = {
            name: _objective_score([by_number.get(trial.number, {}).get(name) for trial in run.trials], known, sign)
            for name, sign in self._signs.items()
            if (known := [values[name] for values in table])
        }
        metrics = dict.fromkeys(metric for score in scores.values() for metric in score)
        return {metric: {name: score[metric] for name, score in scores.items()} for metric in metrics}


def _noiseless_umol(trial: ScoredTrial) -> float | None:
    if amount_problem(trial.parameters) is not None:
        return None
    return hydrogen_umol({name: float(trial.parameters[name]) for name in INGREDIENTS})


def _running_best_umol(trials: Sequence[ScoredTrial]) -> list[float | None]:
    """Return the best noiseless yield after each batch, in order of the asks."""
    best: float | None = None
    after: dict[int, float | None] = {}
    for trial in sorted(trials, key=lambda trial: (trial.batch, trial.number)):
        value = _noiseless_umol(trial)
        if trial.outcome == "measured" and not trial.is_control and value is not None:
            best = value if best is None else max(best, value)
        after[trial.batch] = best
    return list(after.values())


def _objective_score(values: Sequence[float | None], known: Sequence[float], sign: float) -> dict[str, Any]:
    """Score one objective; sign is +1 to maximize and -1 to minimize."""
    ranked = sorted((sign * value for value in known), reverse=True)
    best = _running_best([None if value is None else sign * value for value in values])
    last = best[-1] if best else None
    tops = {percent: ranked[math.ceil(len(ranked) * percent / 100) - 1] for percent in PERCENTS}
    return {
        "true_values": list(values),
        "best_true": [None if value is None else sign * value for value in best],
        "known_best": sign * ranked[0],
        "regret": None if last is None else ranked[0] - last,
        "rank": None if last is None else 1 + sum(value > last for value in ranked),
        **{f"trials_to_top_{percent}_percent": _first(best, level) for percent, level in tops.items()},
        "trials_to_known_best": _first(best, ranked[0]),
    }


def _running_best(values: Sequence[float | None]) -> list[float | None]:
    best: float | None = None
    running = []
    for value in values:
        if value is not None:
            best = value if best is None else max(best, value)
        running.append(best)
    return running


def _first(running: Sequence[float | None], level: float) -> int | None:
    """Return the place, from 1, of the first value that reaches a level."""
    return next((place for place, value in enumerate(running, start=1) if value is not None and value >= level), None)
