"""The admissible row that is nearest to a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from planner.branches import BranchedRegion
from planner.errors import EmptySearchSpace
from planner.linear import nearest

if TYPE_CHECKING:
    from planner.space import SearchSpace

_N_NEAR = 256
_NEAR_ROUNDS = 20


def snapped(space: SearchSpace, row: np.ndarray) -> np.ndarray:
    """Return the admissible row (`p`) nearest to a row; where a constraint is not linear, one that is near, by search.

    Raises:
        EmptySearchSpace: No point is admissible.
    """
    region = space.region
    if space.pool is not None:
        distance = np.sum(np.abs(space.pool - row) / region.span, axis=1)
        return space.pool[np.argmin(distance)]
    rounded = region.round(row[None])[0]
    if region.feasible(rounded[None])[0]:
        return rounded
    if isinstance(region, BranchedRegion):
        return _of_branches(space, region, rounded)
    found = nearest(region.straight, row, 1.0 / region.span)
    if found is not None and region.curves:
        found = _searched(space, row, found)
    if found is None or not region.feasible(found[None])[0]:
        raise EmptySearchSpace(space.is_empty() or "no admissible point was found near this one")
    return found


def _of_branches(space: SearchSpace, region: BranchedRegion, row: np.ndarray) -> np.ndarray:
    """Return the nearest row of the same branch, or, where that has no point, of any."""
    place = region.place(row[None])[0]
    own = [branch.region for index, branch in enumerate(region.branches) if index == place]
    for regions in (own, [branch.region for branch in region.branches]):
        found = [one for part in regions if (one := nearest(part.straight, row, 1.0 / region.span)) is not None]
        found = [one for one in found if region.feasible(one[None])[0]]
        if found:
            return found[int(np.argmin([np.sum(np.abs(one - row) / region.span) for one in found]))]
    # what is not linear leaves nothing of these: the nearest of many draws
    rows = space.sample_rows(_N_NEAR, np.random.default_rng(0))
    return rows[int(np.argmin(np.sum(np.abs(rows - row) / region.span, axis=1)))]


def _searched(space: SearchSpace, row: np.ndarray, straight: np.ndarray) -> np.ndarray | None:
    """Return a row near a row where constraints are not linear: the nearest of many, led nearer by random steps."""
    region = space.region
    if region.feasible(straight[None])[0]:
        return straight
    if space.is_empty():
        return None
    rng = np.random.default_rng(0)
    rows = space.sample_rows(_N_NEAR, rng)
    far = np.sum(np.abs(rows - row) / region.span, axis=1)
    for part in range(_NEAR_ROUNDS):
        stepped = space.neighbourhood.step(rows, rng, reach=0.3 * 0.7**part)
        now = np.sum(np.abs(stepped - row) / region.span, axis=1)
        rows, far = np.where((now < far)[:, None], stepped, rows), np.minimum(now, far)
    return rows[int(np.argmin(far))]
