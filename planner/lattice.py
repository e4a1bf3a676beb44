"""Walking through the rows of a grid one by one, without ever holding them all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from planner.constraints import TOLERANCE
from planner.region import Region


def walk(region: Region) -> Iterator[np.ndarray]:
    """Yield the feasible rows (`p`) of a region without continuous columns, the last column fastest.

    A branch is left as soon as the constraints can no longer be met, whatever the columns to come.
    """
    grids = [grid for grid in region.grids if grid is not None]
    if len(grids) < region.width:
        raise ValueError("a region with continuous columns has no list of rows")
    weights = np.vstack([region.A, region.E, -region.E])
    bound = np.concatenate([region.b, region.e, -region.e])
    bound = bound + 10 * TOLERANCE * (
        np.abs(weights) @ np.maximum(np.abs(region.low), np.abs(region.high)) + np.abs(bound)
    )
    least = np.minimum(weights * region.low, weights * region.high)
    to_come = np.hstack([np.cumsum(least[:, ::-1], axis=1)[:, ::-1], np.zeros((len(weights), 1))])
    for row in _descend(grids, weights, bound, to_come, np.zeros(region.width), 0, np.zeros(len(weights))):
        if region.feasible(row[None])[0]:
            yield row


def count(region: Region) -> int:
    """Count the feasible rows of a region without continuous columns; holds every combination of levels at once."""
    axes = np.meshgrid(*[grid for grid in region.grids if grid is not None], indexing="ij")
    return int(np.sum(region.feasible(np.stack(axes, axis=-1).reshape(-1, region.width))))


def _descend(
    grids: list[np.ndarray],
    weights: np.ndarray,
    bound: np.ndarray,
    to_come: np.ndarray,
    row: np.ndarray,
    depth: int,
    used: np.ndarray,
) -> Iterator[np.ndarray]:
    if depth == len(grids):
        yield row.copy()
        return
    for level in grids[depth]:
        now = used + weights[:, depth] * level
        if np.all(now + to_come[:, depth + 1] <= bound):
            row[depth] = level
            yield from _descend(grids, weights, bound, to_come, row, depth + 1, now)
