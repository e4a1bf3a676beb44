"""A region whose parameters do not all exist everywhere: some ordinary regions beside each other.

Each branch is what is left where the deciding columns keep to some of their levels: there it is settled which
parameters exist, the others rest at one value, and constraints ask what they ask of those that exist (see
`planner.conditions.applied`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from planner.conditions import Conditions, applied
from planner.constraints import LinearConstraint
from planner.errors import SpaceError
from planner.nonlinear import NonlinearConstraint
from planner.parameters import Parameter
from planner.region import Bend, Region

_MOST_BRANCHES = 1000

Levels = dict[int, np.ndarray]
"""Levels that deciding columns have in a branch, by column."""


@dataclass(frozen=True)
class Branch:
    """One of the ordinary regions."""

    levels: Levels
    """Of the deciding columns that exist in it."""
    active: np.ndarray
    """Which parameters exist (`p`, bool)."""
    region: Region
    """Of all columns; those that do not exist have one level."""
    share: float
    """Of the choices among levels of the deciding columns."""


@dataclass(frozen=True, kw_only=True)
class BranchedRegion(Region):
    """All branches. As a region it has their bounds and levels; constraints are in the branches."""

    conditions: Conditions
    branches: tuple[Branch, ...]

    @classmethod
    def of_conditions(
        cls, conditions: Conditions, constraints: Sequence[LinearConstraint | NonlinearConstraint]
    ) -> BranchedRegion:
        """Lay out every branch.

        Raises:
            SpaceError: They are too many.
        """
        hull = Region.of(conditions.parameters, ())
        branches: list[Branch] = []
        for levels, active in _walk(conditions, conditions.deciding, {}, hull):
            if len(branches) == _MOST_BRANCHES:
                raise SpaceError(f"conditions split the space into more than {_MOST_BRANCHES} parts; use fewer")
            branches.append(_branch(conditions, constraints, hull, levels, active))
        fields = {name: getattr(hull, name) for name in Region.__dataclass_fields__}
        return cls(**fields, conditions=conditions, branches=tuple(branches))

    def place(self, rows: np.ndarray) -> np.ndarray:
        """Return which branch each row (`n x p`) belongs to (`n`); -1 for none."""
        found = np.full(len(rows), -1)
        active = self.conditions.active(rows)
        for index, branch in enumerate(self.branches):
            mine = np.all(active == branch.active, axis=1)
            for column, levels in branch.levels.items():
                slack = 1e-7 * self.span[column]
                mine &= np.any(np.abs(rows[:, [column]] - levels) <= slack, axis=1)
            found[mine] = index
        return found

    def feasible(self, rows: np.ndarray) -> np.ndarray:
        """Say which rows (`n x p`) keep every constraint and bound of what exists in them (`n`, bool)."""
        rows = self.conditions.settled(rows)
        places, good = self.place(rows), np.zeros(len(rows), dtype=bool)
        for index, branch in enumerate(self.branches):
            mine = places == index
            if mine.any():
                good[mine] = branch.region.feasible(rows[mine])
        return good

    def round(self, rows: np.ndarray) -> np.ndarray:
        """Move each discrete column to its nearest level, each other one into its bounds, and the rest to rest."""
        return self.conditions.settled(super().round(rows))

    def keeping_to(self, bends: Sequence[Bend]) -> BranchedRegion:
        """Return the part of the region where these hold, too: each where all that it names exists."""
        kept = []
        for branch in self.branches:
            mine = [bend for bend in bends if branch.active[list(bend.columns)].all()]
            kept.append(replace(branch, region=branch.region.keeping_to(mine)))
        return replace(self, branches=tuple(kept))

    def pinned(self, columns: np.ndarray, values: np.ndarray) -> BranchedRegion:
        """Return the region with some columns, which exist everywhere, held at one level each."""
        hull, kept = super().pinned(columns, values), []
        for branch in self.branches:
            held = {int(c): np.array([v]) for c, v in zip(columns, values, strict=True) if int(c) in branch.levels}
            if all(np.any(np.isclose(branch.levels[c], v[0], rtol=0, atol=1e-9)) for c, v in held.items()):
                region = branch.region.pinned(columns, values)
                kept.append(replace(branch, levels={**branch.levels, **held}, region=region))
        return cast("BranchedRegion", replace(hull, branches=tuple(kept)))


def _walk(
    conditions: Conditions, left: Sequence[int], levels: Levels, hull: Region
) -> Iterator[tuple[Levels, np.ndarray]]:
    """Yield the levels of deciding columns, branch by branch, and what exists there."""
    # one row with these levels tells for all of them what exists
    row = conditions.resting.copy()
    for column, some in levels.items():
        row[column] = some[0]
    active = conditions.active(row[None])[0]
    if not left:
        yield levels, active
        return
    column = left[0]
    if not active[column]:
        yield from _walk(conditions, left[1:], levels, hull)
        return
    for some in _alike(conditions, column, np.asarray(hull.grids[column])):
        yield from _walk(conditions, left[1:], {**levels, column: some}, hull)


def _alike(conditions: Conditions, column: int, grid: np.ndarray) -> list[np.ndarray]:
    """Return the levels of a deciding column in groups that decide alike."""
    named = [set(values) for rule in conditions.rules.values() for other, values in rule if other == column]
    groups: dict[tuple[bool, ...], list[float]] = {}
    for level in grid.tolist():
        groups.setdefault(tuple(level in values for values in named), []).append(level)
    return [np.array(levels) for levels in groups.values()]


def _branch(
    conditions: Conditions,
    constraints: Sequence[LinearConstraint | NonlinearConstraint],
    hull: Region,
    levels: Levels,
    active: np.ndarray,
) -> Branch:
    existing = {name for name, exists in zip(conditions.names, active, strict=True) if exists}
    asked = [found for one in constraints if (found := applied(one, existing)) is not None]
    region = Region.of(conditions.parameters, asked)
    at_rest = np.flatnonzero(~active)
    region = region.pinned(at_rest, conditions.resting[at_rest])
    low, high, grids, share = region.low.copy(), region.high.copy(), list(region.grids), 1.0
    for column, some in levels.items():
        low[column], high[column], grids[column] = some[0], some[-1], some
        share *= len(some) / len(np.asarray(hull.grids[column]))
    return Branch(levels, active, replace(region, low=low, high=high, grids=tuple(grids)), share)


def region_of(
    parameters: Sequence[Parameter],
    conditions: Conditions | None,
    constraints: Sequence[LinearConstraint | NonlinearConstraint],
) -> Region:
    """Return the region of a space; one of branches where some parameters exist in a part of it only."""
    if conditions is None:
        return Region.of(parameters, constraints)
    return BranchedRegion.of_conditions(conditions, constraints)
