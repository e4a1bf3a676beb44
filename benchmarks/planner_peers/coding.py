"""Points as rows of the unit cube, for peers that know arrays only: a category is one column for each word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from planner_space import Axis, Point, Space, Value


def encode(space: Space, points: Sequence[Point]) -> np.ndarray:
    """Return ``n x d`` codes."""
    return np.array([[code for axis in space.axes for code in _codes(axis, point[axis.name])] for point in points])


def decode(space: Space, row: np.ndarray) -> dict[str, Value]:
    """Return the point of one row; a discrete parameter takes its nearest level."""
    point: dict[str, Value] = {}
    for axis, columns in zip(space.axes, slices(space), strict=True):
        codes = row[columns]
        if axis.kind == "categorical":
            point[axis.name] = axis.levels[int(np.argmax(codes))]
        elif axis.grid:
            number = axis.low + axis.span * float(codes[0])
            point[axis.name] = min(axis.grid, key=lambda level: abs(float(level) - number))
        else:
            point[axis.name] = axis.low + axis.span * float(codes[0])
    return point


def slices(space: Space) -> list[slice]:
    """Return which columns hold each parameter."""
    widths = [len(axis.levels) if axis.kind == "categorical" else 1 for axis in space.axes]
    ends = np.cumsum(widths)
    return [slice(int(end) - width, int(end)) for end, width in zip(ends, widths, strict=True)]


def _codes(axis: Axis, value: Value) -> list[float]:
    if axis.kind == "categorical":
        return [float(value == level) for level in axis.levels]
    return [axis.code(value)]
