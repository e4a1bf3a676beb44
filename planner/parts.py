"""Parts of a search space: where some parameters are held, or outside areas (below a bound, see `planner.within`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.area import Barred, read_area
from planner.proposal import Value
from planner.region import Region

if TYPE_CHECKING:
    from planner.space import SearchSpace


def part_held(space: SearchSpace, point: Mapping[str, Value]) -> tuple[Region, np.ndarray | None]:
    """Return the region and the pool of the part of a space where some parameters have the values given."""
    columns = np.array([space.names.index(name) for name in point], dtype=int)
    values = np.array([space.parameters[column].number(point[space.names[column]]) for column in columns])
    pool = None if space.pool is None else space.pool[np.all(space.pool[:, columns] == values, axis=1)]
    return space.region.pinned(columns, values), pool


def part_beside(space: SearchSpace, areas: Sequence[Mapping[str, Any]]) -> tuple[Region, np.ndarray | None]:
    """Return the region and the pool of the part of a space outside areas.

    Raises:
        SpaceError: An area cannot be read.
    """
    region = space.region.keeping_to([Barred(read_area(space, area)) for area in areas])
    return region, None if space.pool is None else space.pool[region.feasible(space.pool)]
