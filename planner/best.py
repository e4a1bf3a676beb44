"""The best of what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planner.errors import BadObservation, did_you_mean
from planner.objective import Objective
from planner.proposal import Observation


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
