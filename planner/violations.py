"""Why a point is not admissible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from planner.conditions import applied
from planner.errors import SpaceError, did_you_mean
from planner.proposal import Value

if TYPE_CHECKING:
    from planner.space import SearchSpace


def violations(space: SearchSpace, point: Mapping[str, Value]) -> list[str]:
    """Return every reason why a point of a space is not admissible, as sentences."""
    problems = _of_names(space, point)
    if problems:
        return problems
    existing = set(space.names)
    if space.conditions is not None:
        problems, existing = space.conditions.problems(point, with_levels=space.pool is None)
    elif space.pool is None:
        problems = [text for p in space.parameters if (text := p.violation(point[p.name])) is not None]
    if problems:
        return problems
    if space.pool is not None:
        return _of_pool(space, point)
    numbers = dict(zip(space.names, space.rows([point])[0].tolist(), strict=True))
    asked = [found for one in space.constraints if (found := applied(one, existing)) is not None]
    return [text for one in asked if (text := one.violation(numbers)) is not None]


def _of_names(space: SearchSpace, point: Mapping[str, Value]) -> list[str]:
    missing = [p.name for p in space.parameters if p.name not in point and not p.when]
    unknown = [name for name in point if name not in space.names]
    return [f"parameter {name!r} is missing" for name in missing] + [
        f"unknown parameter {name!r}{did_you_mean(name, space.names)}" for name in unknown
    ]


def _of_pool(space: SearchSpace, point: Mapping[str, Value]) -> list[str]:
    try:
        is_there = space.is_of_pool(point)
    except SpaceError as error:
        return [str(error)]
    return [] if is_there else ["the point is none of the measured pool"]
