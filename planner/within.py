"""What the points of one ask may take of something that is short, time say: a formula, a bound, or the points left.

    Within(most=8.0, formula="2 + hold")                              hours, of a parameter in hours
    Within(most=8.0, formula="hold", words={"powder": {"fine": 1.0, "coarse": 0.0}})
    Within(most=8.0, points=({"hold": 1.0}, {"hold": 4.0}))           nothing but these

Plain data, so that it passes between processes and can be written down. A parameter that does not exist at a point
counts as 0 there. Where the formula is a weighted sum and no words count, it is one more linear constraint, which is
sampled and kept to exactly; otherwise it is kept to as a constraint that is not linear is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from planner.branches import BranchedRegion
from planner.constraints import TOLERANCE, LinearConstraint
from planner.declared import read_constraint
from planner.errors import ConstraintError, EmptySearchSpace, SpaceError, did_you_mean
from planner.nonlinear import Expression, parse_formula
from planner.parameters import Categorical
from planner.proposal import Value
from planner.region import Region

if TYPE_CHECKING:
    from planner.space import SearchSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """What the points of one ask may take at most."""

    most: float
    """In the unit of the formula."""
    formula: str = "0"
    """What a point takes, a sum of `planner.nonlinear` over parameters that are numbers."""
    words: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """What it takes more, by categorical parameter and level; a level that is not named takes nothing more."""
    points: Sequence[Mapping[str, Value]] | None = None
    """The only points that may be proposed; then the formula is not looked at. None: all of the space."""
    said: str = ""
    """What the reason of a proposal says of it."""


@dataclass(frozen=True)
class Bound:
    """Where a sum of a formula and of what words add keeps below a bound, over the columns of a row."""

    columns: tuple[int, ...]
    """Of the formula's names, then of the words; -1 for one that is left out, which is 0 and adds nothing."""
    names: tuple[str, ...]
    formula: Expression = field(compare=False, repr=False)
    added: tuple[tuple[float, ...], ...]
    """By categorical column: what each level adds."""
    most: float

    def total(self, rows: np.ndarray) -> np.ndarray:
        """Return what rows (`n x p`) take (`n`); not finite where the formula has no value."""
        n = len(self.names)
        values = {name: _column(rows, column) for name, column in zip(self.names, self.columns[:n], strict=True)}
        with np.errstate(all="ignore"):
            total = np.asarray(self.formula(values or {"": np.zeros(len(rows))}), dtype=float).copy()
        for column, added in zip(self.columns[n:], self.added, strict=True):
            if column >= 0:
                total += np.array(added)[np.rint(rows[:, column]).astype(int)]
        return total

    def holds(self, rows: np.ndarray) -> np.ndarray:
        """Say which rows (`n x p`) keep below the bound (`n`, bool)."""
        total = self.total(rows)
        return np.isfinite(total) & (total <= self.most + TOLERANCE * abs(self.most))

    def within(self, columns: np.ndarray) -> Bound:
        """Return the same over rows of these columns only."""
        place = {int(column): index for index, column in enumerate(columns)}
        return replace(self, columns=tuple(place.get(column, -1) for column in self.columns))

    def existing(self, active: np.ndarray) -> Bound:
        """Return the same where only some columns (`p`, bool) exist."""
        kept = tuple(column if column >= 0 and active[column] else -1 for column in self.columns)
        return replace(self, columns=kept)

    @property
    def is_constant(self) -> bool:
        """Whether it takes the same at every point."""
        return all(column < 0 for column in self.columns)


def read_bound(space: SearchSpace, within: Within) -> Bound:
    """Return what points are held against.

    Raises:
        SpaceError: The formula cannot be read, or a word is none of its parameter's; says what to write instead.
    """
    numbers = [one.name for one in space.parameters if not isinstance(one, Categorical)]
    try:
        formula, names = parse_formula(within.formula, numbers)
    except ConstraintError as error:
        raise SpaceError(f"what a point takes is no formula of the parameters that are numbers: {error}") from None
    added = tuple(_added(space, name, levels) for name, levels in within.words.items())
    columns = tuple(space.names.index(name) for name in (*names, *within.words))
    return Bound(columns, names, formula, added, within.most)


def part_within(space: SearchSpace, within: Within) -> tuple[Region, np.ndarray | None]:
    """Return the region and the pool of the part of a space that keeps to a bound.

    Raises:
        SpaceError: The bound cannot be read.
        EmptySearchSpace: Nothing keeps to it.
    """
    if within.points is not None:
        pool = space.rows(within.points)
        pool = pool[space.region.feasible(pool)] if len(pool) else pool
        return space.region, _not_empty(pool, within)
    bound = read_bound(space, within)
    pool = None if space.pool is None else _not_empty(space.pool[bound.holds(settled_rows(space, space.pool))], within)
    if bound.is_constant:
        if not bound.holds(np.zeros((1, space.region.width)))[0]:
            raise _nothing(within)
        return space.region, pool
    return _limited(space, within, bound), pool


def kept_rows(space: SearchSpace, within: Within, rows: np.ndarray) -> np.ndarray:
    """Say which rows (`n x p`) keep to a bound (`n`, bool)."""
    if within.points is not None:
        allowed = set(space.keys(space.rows(within.points)))
        return np.array([key in allowed for key in space.keys(rows)], dtype=bool)
    return read_bound(space, within).holds(settled_rows(space, rows))


def _limited(space: SearchSpace, within: Within, bound: Bound) -> Region:
    region = space.region
    if isinstance(region, BranchedRegion):
        kept = []
        for branch in region.branches:
            mine = bound.existing(branch.active)
            if not mine.is_constant:
                kept.append(replace(branch, region=branch.region.keeping_to([mine])))
            elif mine.holds(np.zeros((1, region.width)))[0]:
                kept.append(branch)
        if not kept:
            raise _nothing(within)
        return replace(region, branches=tuple(kept))
    straight = _straight(space, within)
    if straight is None:
        return region.keeping_to([bound])
    row = np.array([[straight.coefficients.get(name, 0.0) for name in space.names]])
    sign = 1.0 if straight.relation == "<=" else -1.0
    return replace(region, A=np.vstack([region.A, sign * row]), b=np.append(region.b, sign * straight.bound))


def _straight(space: SearchSpace, within: Within) -> LinearConstraint | None:
    """Return the bound as a linear constraint; None where it is none."""
    if within.words:
        return None
    try:
        found = read_constraint(f"({within.formula}) <= {within.most!r}", space.names)
    except ConstraintError:
        return None  # such as one whose weights add up to nothing
    return found[0] if len(found) == 1 and isinstance(found[0], LinearConstraint) else None


def _added(space: SearchSpace, name: str, levels: Mapping[str, float]) -> tuple[float, ...]:
    words = [one for one in space.parameters if isinstance(one, Categorical)]
    named = {one.name: one for one in words}
    if name not in named:
        raise SpaceError(f"{name!r} is no categorical parameter{did_you_mean(name, named)}")
    unknown = [level for level in levels if level not in named[name].values]
    if unknown:
        raise SpaceError(f"{unknown[0]!r} is no level of {name!r}{did_you_mean(str(unknown[0]), named[name].values)}")
    return tuple(float(levels.get(level, 0.0)) for level in named[name].values)


def settled_rows(space: SearchSpace, rows: np.ndarray) -> np.ndarray:
    """Return rows (`n x p`) in which what does not exist is 0."""
    return rows if space.conditions is None else np.where(space.conditions.active(rows), rows, 0.0)


def _column(rows: np.ndarray, column: int) -> np.ndarray:
    return rows[:, column] if column >= 0 else np.zeros(len(rows))


def _not_empty(pool: np.ndarray, within: Within) -> np.ndarray:
    if not len(pool):
        raise _nothing(within)
    return pool


def _nothing(within: Within) -> EmptySearchSpace:
    return EmptySearchSpace(f"no point of the space takes at most {within.most:g}")
