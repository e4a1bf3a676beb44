"""Points as rows of numbers, a column for each parameter, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from planner.conditions import Conditions
from planner.errors import SpaceError
from planner.parameters import Categorical, Parameter
from planner.proposal import Value


def rows_of(
    parameters: Sequence[Parameter], conditions: Conditions | None, points: Sequence[Mapping[str, Value]]
) -> np.ndarray:
    """Return points as rows (`n x p`); see `SearchSpace.rows`.

    Raises:
        SpaceError: A value is no finite number, or no known category, or is missing where its parameter exists.
    """
    rows = np.empty((len(points), len(parameters)))
    for j, parameter in enumerate(parameters):
        plain = _plain(parameter, points)
        if plain is not None:
            rows[:, j] = plain
            continue
        for i, point in enumerate(points):
            value = point.get(parameter.name)
            if value is None and parameter.when:
                rows[i, j] = np.nan
            elif parameter.name not in point:
                raise SpaceError(f"parameter {parameter.name!r} is missing")
            else:
                rows[i, j] = parameter.number(point[parameter.name])
    return rows if conditions is None else conditions.settled(rows)


def _plain(parameter: Parameter, points: Sequence[Mapping[str, Value]]) -> np.ndarray | None:
    """Return the column of a parameter that every point gives as a finite float, at once; None for any other."""
    if isinstance(parameter, Categorical):
        return None
    values = [point.get(parameter.name) for point in points]
    if any(type(value) is not float for value in values):
        return None
    column = np.array(values, dtype=float)
    return column if np.isfinite(column).all() else None


def points_of(
    parameters: Sequence[Parameter], conditions: Conditions | None, rows: np.ndarray
) -> list[dict[str, Value]]:
    """Return rows (`n x p`) as points, without the parameters that do not exist there."""
    points = [{p.name: p.value(number) for p, number in zip(parameters, row, strict=True)} for row in rows]
    if conditions is None:
        return points
    active = conditions.active(rows)
    return [
        {name: value for (name, value), exists in zip(point.items(), some, strict=True) if exists}
        for point, some in zip(points, active, strict=True)
    ]
