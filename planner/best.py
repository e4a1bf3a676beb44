"""The best of what was measured, and what is to be recommended by all of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from planner.errors import BadObservation, did_you_mean
from planner.objective import Objective
from planner.proposal import Observation, Posterior, Prediction, Value

if TYPE_CHECKING:
    from planner.space import SearchSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommended:
    """A recipe that was tried, with what is expected of it."""

    parameters: Mapping[str, Value]
    predictions: Mapping[str, Prediction]
    """By target, of the target itself, without noise."""
    results: int
    """How many results it has."""


def best_of(
    objectives: Sequence[Objective], observations: Sequence[Observation], target: str | None
) -> Observation | None:
    """Return the observation with the best measured value, of those that keep to every limit; see `Planner.best`.

    Raises:
        BadObservation: No objective has this name.
    """
    names = [objective.name for objective in objectives]
    if target is not None and target not in names:
        raise BadObservation(f"no objective is called {target!r}{did_you_mean(target, names)}")
    ranked = [objective for objective in objectives if objective.is_ranked and target in (None, objective.name)]
    if not ranked:
        return None
    is_joined = target is None and ranked[0].desirability is not None
    ranked = ranked if is_joined else ranked[:1]
    found = [
        one
        for one in observations
        if keeps_to_limits(objectives, one) and all(each.name in one.values for each in ranked)
    ]
    if is_joined:
        return max(found, key=lambda one: _desirability(ranked, one.values), default=None)
    return max(found, key=lambda one: ranked[0].rank(one.values[ranked[0].name]), default=None)


def keeps_to_limits(objectives: Sequence[Objective], observation: Observation) -> bool:
    """Say whether an observation gave values, and was measured to keep to every limit."""
    values = observation.values
    limits = [objective for objective in objectives if objective.is_limit]
    return observation.failure is None and all(one.name in values and one.keeps(values[one.name]) for one in limits)


def _desirability(objectives: Sequence[Objective], values: Mapping[str, float]) -> float:
    from planner.desirability import overall

    return overall(objectives, values) or 0.0


def recommended_of(
    space: SearchSpace,
    objectives: Sequence[Objective],
    observations: Sequence[Observation],
    predict: Callable[[Sequence[Mapping[str, Value]]], Mapping[str, Posterior]],
) -> Recommended | None:
    """Return the recipe that is expected to be the best of those that gave a result; see `Planner.recommended`.

    Raises:
        NotEnoughData: Nothing was measured of a target.
    """
    ranked = [one for one in objectives if one.is_ranked]
    told = [one.parameters for one in observations if one.failure is None and one.values]
    if not ranked or not told:
        return None
    keys = space.keys(space.rows(told))
    recipes = dict(zip(keys, told, strict=True))
    points = list(recipes.values())
    expected = {name: (one.mean, one.sd) for name, one in predict(points).items()}
    merit = _merit(ranked, {name: mean for name, (mean, _) in expected.items()})
    for limit in (one for one in objectives if one.is_limit):
        kept = [limit.keeps(float(value)) for value in expected[limit.name][0]]
        merit = np.where(kept, merit, merit - np.ptp(merit) - 1.0)
    top = int(np.argmax(merit))
    return Recommended(
        parameters=dict(points[top]),
        predictions={
            name: Prediction(mean=float(mean[top]), sd=float(sd[top])) for name, (mean, sd) in expected.items()
        },
        results=keys.count(list(recipes)[top]),
    )


def _merit(ranked: Sequence[Objective], means: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return how good expected values (`n` by target) are, `n`."""
    if ranked[0].desirability is None:
        return ranked[0].merit(means[ranked[0].name])
    names = [one.name for one in ranked]
    each = zip(*(means[name] for name in names), strict=True)
    return np.array([_desirability(ranked, dict(zip(names, map(float, values), strict=True))) for values in each])
