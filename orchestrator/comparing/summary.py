"""What a comparison found: by planner, and by pair of planners over the seeds that both have."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from orchestrator.campaign import Campaign
from orchestrator.comparing.along import Along, along_of
from orchestrator.comparing.measure import Measure, measure_of
from orchestrator.comparing.runs import Run
from planner.comparison import Estimate, paired_difference, quartiles

FEW = 10
"""Runs of a planner below which intervals are rough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One planner over its runs."""

    label: str
    n_runs: int
    at: Mapping[str, tuple[float, float, float]]
    """Median, lower and upper quartile of the measure at the stops, by what these are called."""
    reach: tuple[float, float, float]
    """Trials, or cost, to the level, median and quartiles; infinite where so many runs did not reach it."""
    n_reached: int
    failed: float
    """Trials that gave no result by the recipe's fault, mean of the runs; controls are not counted."""
    lost: float
    """Trials abandoned because of the laboratory, mean of the runs."""
    violations: int
    """Trials that the search space does not admit, of all runs."""
    fallbacks: int
    """Asks at which the planner failed and random points stood in, of all runs."""
    cpu_s: float
    """Processor time of the planner, median of the runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two planners, seed by seed."""

    first: str
    second: str
    n_seeds: int
    gain: Estimate | None
    """By how much the second is better at the end of the budget, in the measure's unit; None with less than two."""
    wins: int
    """Seeds on which the second is better."""
    ties: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Everything that tables, pictures and pages show."""

    campaign: Campaign
    along: Along
    measure: Measure
    runs: Mapping[str, Sequence[Run]]
    level: float
    """What the first planner reaches at the end, in the median."""
    rows: Sequence[Row]
    pairs: Sequence[Pair]
    remarks: Sequence[str]
    """What a reader must know: runs that are missing, ended early or are few; asks that were answered at random."""

    @property
    def budget(self) -> int:
        """Trials of a run."""
        return self.campaign.budget.trials

    @property
    def stops(self) -> list[str]:
        """After how many trials, or after what cost, planners are compared."""
        return [self.along.said(index) for index in self.along.stops]


def compare(campaign: Campaign, runs: Mapping[str, Sequence[Run]], remarks: Sequence[str] = ()) -> Comparison:
    """Compare planners by their runs; each must have one at least, with different seeds.

    Args:
        campaign: The campaign that they are runs of, whatever its planner and seed.
        runs: By planner, the first one being what the others are held against.
        remarks: What else the reader must know.

    Raises:
        InputError: The runs have nothing to be compared by.
    """
    along, measure = along_of(campaign, runs), measure_of(campaign, runs)
    curves = {label: along.resampled(its, runs[label]) for label, its in measure.curves.items()}
    measure = replace(measure, curves=curves)
    first = next(iter(runs))
    level = quartiles(_worst_for_none(measure.curves[first][:, -1], measure.sign))[0]
    return Comparison(
        campaign=campaign,
        along=along,
        measure=measure,
        runs=runs,
        level=level,
        rows=[_row(label, its, measure, along, level) for label, its in runs.items()],
        pairs=[_pair(one, other, runs, measure) for one, other in itertools.combinations(runs, 2)],
        remarks=[*remarks, *_remarks(runs, along)],
    )


def band(curves: np.ndarray, sign: float) -> np.ndarray:
    """Return median, lower and upper quartile at each place (`3 x places`); infinite where most have nothing."""
    return np.array([quartiles(column) for column in _worst_for_none(curves, sign).T]).T


def _worst_for_none(values: np.ndarray, sign: float) -> np.ndarray:
    """Count what has measured nothing yet as the worst there is, so that it is not left out of a median."""
    return np.where(np.isfinite(values), values, -sign * np.inf)


def _row(label: str, runs: Sequence[Run], measure: Measure, along: Along, level: float) -> Row:
    curves = _worst_for_none(measure.curves[label], measure.sign)
    reached = [_reached(curve, level, measure.sign) for curve in curves]
    chosen = [[trial for trial in run.result["trials"] if not trial["is_control"]] for run in runs]
    return Row(
        label=label,
        n_runs=len(runs),
        at={along.said(stop): quartiles(curves[:, stop]) for stop in along.stops},
        reach=quartiles([math.inf if index is None else float(along.places[index]) for index in reached]),
        n_reached=sum(index is not None for index in reached),
        failed=float(np.mean([_count(trials, "failed") for trials in chosen])),
        lost=float(np.mean([_count(trials, "lost") for trials in chosen])),
        violations=sum(run.violations for run in runs),
        fallbacks=sum(len(run.fallbacks) for run in runs),
        cpu_s=float(np.median([run.result["planning_cpu_s"] for run in runs])),
    )


def _count(trials: Sequence[Mapping[str, Any]], outcome: str) -> int:
    return sum(trial["outcome"] == outcome for trial in trials)


def _reached(curve: np.ndarray, level: float, sign: float) -> int | None:
    """Return the index of the place at which a level was first reached; None where it never was."""
    if not math.isfinite(level):
        return None
    good = np.flatnonzero(sign * (curve - level) >= -1e-12 * max(1.0, abs(level)))
    return int(good[0]) if len(good) else None


def side_by_side(
    one: str, other: str, runs: Mapping[str, Sequence[Run]], measure: Measure
) -> tuple[np.ndarray, np.ndarray]:
    """Return the curves of two planners over the seeds that both have, greater is better (`seeds x places` each)."""
    rows = [{run.seed: index for index, run in enumerate(runs[label])} for label in (one, other)]
    common = [seed for seed in rows[0] if seed in rows[1]]
    first, second = (
        measure.sign * measure.curves[label][[places[seed] for seed in common]]
        for label, places in zip((one, other), rows, strict=True)
    )
    return first, second


def _pair(one: str, other: str, runs: Mapping[str, Sequence[Run]], measure: Measure) -> Pair:
    first, second = (curves[:, -1] for curves in side_by_side(one, other, runs, measure))
    return Pair(
        first=one,
        second=other,
        n_seeds=len(first),
        gain=paired_difference(first, second),
        wins=int(np.sum(second > first)),
        ties=int(np.sum(second == first)),
    )


def _remarks(runs: Mapping[str, Sequence[Run]], along: Along) -> list[str]:
    remarks = []
    for label, its in runs.items():
        short = [run for run in its if not along.is_over(run)]
        if short:
            reasons = dict.fromkeys(f"{run.result['status']}: {run.result['reason']}" for run in short)
            remarks.append(
                f"{label}: {len(short)} of {len(its)} runs ended before the budget and keep their last value "
                f"({'; '.join(list(reasons)[:2])})"
            )
        fallen = [reason for run in its for reason in run.fallbacks]
        if fallen:
            remarks.append(
                f"{label}: the planner failed at {len(fallen)} asks and random points stood in, so this is no fair "
                f"picture of it; first: {fallen[0]}"
            )
    if along.remark:
        remarks.append(along.remark)
    least = min(len(its) for its in runs.values())
    if least < FEW:
        what = "one run says nothing about chance" if least == 1 else f"with {least} runs intervals are rough"
        remarks.append(f"{what}; repeat it with --repeat 20, and the runs that are there are not made again")
    return remarks
