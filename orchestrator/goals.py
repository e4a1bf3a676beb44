"""Which trial is the best, by what the campaign wants: the most, the least, what hits, within every limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from planner.objective import Objective

_KEYS = ("name", "direction", "unit", "target", "tolerance", "low", "high", "limit", "desirability", "weight")

_One = TypeVar("_One")
Rank = tuple[float, float]
"""Greater is better; what hits is ordered by how near to the middle it is."""


def planned(objective: Any) -> Objective:
    """Return the planner's objective of one in a campaign, or in what a record keeps of one."""
    from planner.objective import Objective

    if isinstance(objective, Objective):
        return objective
    given = objective if isinstance(objective, Mapping) else {key: getattr(objective, key, None) for key in _KEYS}
    return Objective(**{"direction": "learn", **{key: given[key] for key in _KEYS if given.get(key) is not None}})


def leading(objectives: Sequence[_One]) -> _One:
    """Return the objective that a campaign is judged by first.

    That is the first of those that are optimised, otherwise the first that is learnt, otherwise the first of all.
    """
    wanted = [one for one in objectives if _direction(one) in ("maximize", "minimize", "target", "window")]
    learnt = [one for one in objectives if _direction(one) == "learn"]
    return [*wanted, *learnt, *objectives][0]


def rank(objectives: Sequence[Any], values: Mapping[str, Any]) -> Rank | None:
    """Return how good measured values are; None where they lack something, exceed a limit, or nothing is optimised.

    By the first objective that is optimised; by all together, where they have desirabilities.
    """
    goals = [planned(objective) for objective in objectives]
    limits, ranked = [goal for goal in goals if goal.is_limit], [goal for goal in goals if goal.is_ranked]
    if not ranked or any(not _keeps(goal, values) for goal in limits):
        return None
    if ranked[0].desirability is not None:
        from planner.desirability import overall

        told = {goal.name: float(values[goal.name]) for goal in ranked if values.get(goal.name) is not None}
        whole = overall(ranked, told)
        return None if whole is None else (whole, 0.0)
    value = values.get(ranked[0].name)
    return None if value is None else ranked[0].rank(float(value))


def best(objectives: Sequence[Any], trials: Sequence[Any]) -> Any | None:
    """Return the best measured trial, the first among equals; None where none counts."""
    ranked = [
        (found, trial)
        for trial in trials
        if trial.outcome == "measured" and (found := rank(objectives, trial.values)) is not None
    ]
    return max(ranked, key=lambda pair: (pair[0], -pair[1].number), default=(None, None))[1]


def worded(objective: Any) -> str:
    """Return what is wanted of an objective, in words; numbers with their unit."""
    goal = planned(objective)
    is_plain = goal.unit == "1" or not (goal.is_aimed or goal.is_limit)
    return str(goal) if is_plain else f"{goal} {goal.unit}"


def _direction(objective: Any) -> str:
    return objective["direction"] if isinstance(objective, Mapping) else objective.direction


def _keeps(limit: Objective, values: Mapping[str, Any]) -> bool:
    value = values.get(limit.name)
    return value is not None and limit.keeps(float(value))
