"""What planners are compared by: one number after each trial, chosen by the campaign's objectives and what is known.

- One objective: the best value so far. Where the simulated world tells the truth (`true_values` among the metrics), it
  is the true value of the recipe that measured best: a planner that was lucky with noise gains nothing. Where it also
  tells the best there is (`known_best`), it is the regret, what is lacking to that.
- One that is to hit something: the distance of that recipe to the target or the window.
- Several with desirabilities: the greatest overall desirability so far.
- Several otherwise: the hypervolume that the measured front dominates, as a fraction of the box between the worst and
  the best value of each objective over all runs of the comparison.
- A map: `map_error` of the world's scorer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from typing import Any, Literal

import numpy as np

from orchestrator.campaign import Campaign
from orchestrator.check import Ready
from orchestrator.comparing.runs import Run
from orchestrator.errors import InputError
from orchestrator.fidelities import counts, fidelity_in
from orchestrator.goals import Rank, planned, rank, worded
from orchestrator.words import label, quantity
from orchestrator.worlds import SCORERS, load
from planner.comparison import hypervolume
from planner.objective import Objective

Kind = Literal["best", "regret", "distance", "hypervolume", "map"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A number after each trial, and how to read it."""

    kind: Kind
    title: str
    """What an axis is called, without the unit."""
    unit: str
    sign: float
    """+1 where greater is better, -1 where less is."""
    note: str
    """How it was got, in a sentence or two."""
    curves: Mapping[str, np.ndarray]
    """By planner: `runs x budget`; not a number before anything was measured. An ended run keeps its last value."""

    @property
    def better(self) -> str:
        """Which way is better, in a word."""
        return "higher" if self.sign > 0 else "lower"


def refuse_unscored(ready: Ready) -> None:
    """Refuse a campaign that learns a map which nobody could judge, before anything is simulated.

    Raises:
        InputError: Saying what would be needed.
    """
    if any(not _is_no_goal(objective) for objective in ready.campaign.objectives):
        return
    names = {entry.name for entry in entry_points(group=SCORERS)}
    if any(getattr(load(SCORERS, world), "SCORES_MAP", False) for world in ready.worlds if world in names):
        return
    worlds = " and ".join(ready.worlds) or "none"
    first = ready.campaign.leading
    mapped = "classified" if first.direction == "classify" else "learnt"
    raise InputError(
        f"objective {first.name!r} is to be {mapped}, so that there is no best value to compare "
        f"by, and the simulated world ({worlds}) does not say how wrong a map is; compare on a world whose scorer has "
        "'map_error' (the film station), or make the direction maximize or minimize"
    )


def measure_of(campaign: Campaign, runs: Mapping[str, Sequence[Run]]) -> Measure:
    """Return what to compare by, with its curves.

    Args:
        campaign: The campaign that every run is of.
        runs: At least one for each planner.

    Raises:
        InputError: A map is to be compared, and a run has no error of it.
    """
    wanted = [objective for objective in campaign.objectives if not _is_no_goal(objective)]
    runs = {key: [_counted(campaign, run) for run in its] for key, its in runs.items()}
    if not wanted:
        return _map_error(campaign, runs)
    if wanted[0].desirability is not None:
        return _desirability(campaign, runs)
    if len(wanted) > 1:
        return _hypervolume(campaign, wanted, runs)
    if planned(wanted[0]).is_aimed:
        return _distance(campaign, wanted[0], runs)
    return _best(campaign, wanted[0], runs)


def _counted(campaign: Campaign, run: Run) -> Run:
    """Return a run whose trials at cheaper fidelities count as trials and never as the best, as controls do."""
    if fidelity_in(campaign.parameters) is None:
        return run
    trials = [
        {**trial, "is_control": trial["is_control"] or not counts(campaign.parameters, trial["parameters"])}
        for trial in run.result["trials"]
    ]
    return replace(run, result={**run.result, "trials": trials})


def _is_no_goal(objective: Any) -> bool:
    return objective.direction in ("learn", "classify", "at_most", "at_least")


def _distance(campaign: Campaign, objective: Any, runs: Mapping[str, Sequence[Run]]) -> Measure:
    """Return the distance to what is aimed at, of the recipe that measured nearest so far."""
    goal, name, budget = planned(objective), objective.name, campaign.budget.trials
    knows_truth = all(_truth(run, name) is not None for its in runs.values() for run in its)
    curves = {
        key: [_best_so_far(run, campaign.objectives, name, budget, knows_truth) for run in its]
        for key, its in runs.items()
    }
    told = "True" if knows_truth else "Measured"
    return Measure(
        kind="distance",
        title=f"distance of {label(name)} to its aim" + (" (true value)" if knows_truth else " (measured)"),
        unit=objective.unit,
        sign=-1.0,
        note=f"{told} values of the recipe that measured best so far: what is lacking to {worded(objective)}; 0 hits. "
        f"{_limits_said(campaign)}{_UNCOUNTED}",
        curves={key: -goal.merit(np.array(its)) for key, its in curves.items()},
    )


def _desirability(campaign: Campaign, runs: Mapping[str, Sequence[Run]]) -> Measure:
    """Return the greatest overall desirability of measured values so far."""
    return Measure(
        kind="best",
        title="best overall desirability so far (measured)",
        unit="1",
        sign=1.0,
        note=f"Geometric mean of the desirabilities of measured values, noise included. {_limits_said(campaign)}"
        f"{_UNCOUNTED}",
        curves={
            key: np.array([_merits_so_far(run, campaign.objectives, campaign.budget.trials) for run in its])
            for key, its in runs.items()
        },
    )


def _merits_so_far(run: Run, objectives: Sequence[Any], budget: int) -> np.ndarray:
    curve, best, trials = np.full(budget, np.nan), np.nan, run.result["trials"]
    for index in range(budget):
        if index < len(trials) and (found := _rank(trials[index], objectives)) is not None:
            best = np.nanmax([best, found[0]])
        curve[index] = best
    return curve


def _limits_said(campaign: Campaign) -> str:
    limits = [worded(objective) for objective in campaign.objectives if objective.is_limit]
    return f"Only trials that were measured to keep {' and '.join(limits)} count. " if limits else ""


def _best(campaign: Campaign, objective: Any, runs: Mapping[str, Sequence[Run]]) -> Measure:
    every = [run for its in runs.values() for run in its]
    budget, sign = campaign.budget.trials, 1.0 if objective.direction == "maximize" else -1.0
    name = label(objective.name)
    knows_truth = all(_truth(run, objective.name) is not None for run in every)
    values = {
        key: [_best_so_far(run, campaign.objectives, objective.name, budget, knows_truth) for run in its]
        for key, its in runs.items()
    }
    optima = [run.result["metrics"].get("known_best", {}).get(objective.name) for run in every]
    told = "True values, as the simulated world tells them, of the recipe that measured best so far"
    if not knows_truth or any(optimum is None for optimum in optima):
        note = f"{told}." if knows_truth else "Measured values, noise included; the world does not tell the truth."
        return Measure(
            kind="best",
            title=f"best {name} so far" + (" (true value)" if knows_truth else " (measured)"),
            unit=objective.unit,
            sign=sign,
            note=f"{note} {_limits_said(campaign)}{_UNCOUNTED}",
            curves={key: np.array(its) for key, its in values.items()},
        )
    regrets = {
        key: np.array(
            [
                sign * (run.result["metrics"]["known_best"][objective.name] - curve)
                for run, curve in zip(runs[key], its, strict=True)
            ]
        )
        for key, its in values.items()
    }
    lowest, highest = min(optima), max(optima)
    known = quantity(lowest, objective.unit) if lowest == highest else f"{lowest:.4g} to {highest:.4g}"
    return Measure(
        kind="regret",
        title=f"regret of {name}",
        unit=objective.unit,
        sign=-1.0,
        note=f"Regret: what is lacking to the best known value ({known}). {told}. {_limits_said(campaign)}{_UNCOUNTED}",
        curves=regrets,
    )


_UNCOUNTED = "Controls count as trials and never as the best."


def _truth(run: Run, name: str) -> Sequence[float | None] | None:
    found = run.result["metrics"].get("true_values", {}).get(name)
    return found if found is not None and len(found) == len(run.result["trials"]) else None


def _best_so_far(run: Run, objectives: Sequence[Any], name: str, budget: int, knows_truth: bool) -> np.ndarray:
    """Return the value of the trial that measured best so far, within the limits, after each trial: `budget`."""
    truth = _truth(run, name) if knows_truth else None
    curve, best, current = np.full(budget, np.nan), (-np.inf, 0.0), np.nan
    trials = run.result["trials"]
    for index in range(budget):
        if index < len(trials) and (found := _rank(trials[index], objectives)) is not None:
            value = float(trials[index]["values"][name]) if truth is None else truth[index]
            if found > best and value is not None:
                best, current = found, value
        curve[index] = current
    return curve


def _rank(trial: Mapping[str, Any], objectives: Sequence[Any]) -> Rank | None:
    """Return how good a trial's measured values are; None for controls, and for what exceeds a limit."""
    return None if trial["outcome"] != "measured" or trial["is_control"] else rank(objectives, trial["values"])


def _measured(trial: Mapping[str, Any], name: str) -> float | None:
    """Return what a trial measured of a target; None for controls, which the planner did not choose."""
    if trial["outcome"] != "measured" or trial["is_control"] or name not in trial["values"]:
        return None
    return float(trial["values"][name])


def _hypervolume(campaign: Campaign, objectives: Sequence[Any], runs: Mapping[str, Sequence[Run]]) -> Measure:
    signs = np.array([-1.0 if objective.direction == "minimize" else 1.0 for objective in objectives])
    goals = [planned(objective) for objective in objectives]
    points = {key: [_points(run, goals, campaign.objectives) for run in its] for key, its in runs.items()}
    pooled = np.vstack([rows for its in points.values() for rows in its])
    pooled = pooled[np.isfinite(pooled).all(axis=1)]
    if not len(pooled):
        raise InputError("no trial of any run measured every objective, so that no front can be compared")
    worst, best = pooled.min(axis=0), pooled.max(axis=0)
    span = np.where(best > worst, best - worst, 1.0)
    budget = campaign.budget.trials
    corner = ", ".join(
        f"{label(objective.name)} {'lacking ' * goal.is_aimed}"
        f"{quantity(float(-value if goal.is_aimed else sign * value), objective.unit)}"
        for goal, objective, sign, value in zip(goals, objectives, signs, worst, strict=True)
    )
    return Measure(
        kind="hypervolume",
        title="hypervolume of the front, share of the box",
        unit="1",
        sign=1.0,
        note=(
            "Hypervolume dominated by the measured values (noise included), as a share of the box between the worst "
            f"and the best value of each objective over all runs. Reference point: the worst of all runs ({corner}). "
            f"{_limits_said(campaign)}{_UNCOUNTED}"
        ),
        curves={
            key: np.array([_volumes((rows - worst) / span, budget) for rows in its]) for key, its in points.items()
        },
    )


def _points(run: Run, goals: Sequence[Objective], objectives: Sequence[Any]) -> np.ndarray:
    """Return the merits of what each trial measured, `trials x goals`, greater is better.

    Rows without all of them, or beyond a limit, hold no number.
    """
    values = [[_measured(trial, goal.name) for goal in goals] for trial in run.result["trials"]]
    rows = np.array(values, dtype=float).reshape(-1, len(goals))
    rows = np.stack([goal.merit(column) for goal, column in zip(goals, rows.T, strict=True)], axis=1)
    rows[[_rank(trial, objectives) is None for trial in run.result["trials"]]] = np.nan
    return rows


def _volumes(rows: np.ndarray, budget: int) -> np.ndarray:
    """Return the hypervolume down to the origin after each trial: `budget`; 0 before anything was measured."""
    curve, front, volume = np.zeros(budget), np.empty((0, rows.shape[1])), 0.0
    for index in range(budget):
        if index < len(rows) and np.isfinite(rows[index]).all():
            row = rows[index]
            if not np.any(np.all(front >= row, axis=1)):
                front = np.vstack([front[~np.all(front <= row, axis=1)], row])
                volume = hypervolume(front, np.zeros(len(row)))
        curve[index] = volume
    return curve


def _map_error(campaign: Campaign, runs: Mapping[str, Sequence[Run]]) -> Measure:
    budget = campaign.budget.trials
    for its in runs.values():
        for run in its:
            if "map_error" not in run.result["metrics"]:
                raise InputError(f"{run.label}, seed {run.seed}: its world did not say how wrong the map is")
    return Measure(
        kind="map",
        title=f"map error of {label(campaign.objectives[0].name)} (1 - R²)",
        unit="1",
        sign=-1.0,
        note="1 - R² of the predicted map against the world's truth, unweighted: 0 is perfect, 1 is as good as a "
        "constant. The map is the planner's own prediction.",
        curves={key: np.array([_map_errors(run, budget) for run in its]) for key, its in runs.items()},
    )


def _map_errors(run: Run, budget: int) -> np.ndarray:
    """Return the error of the map after each trial: `budget`."""
    told = np.array(run.result["metrics"]["map_error"][:budget], dtype=float)
    return np.append(told, np.full(budget - len(told), told[-1] if len(told) else np.nan))
