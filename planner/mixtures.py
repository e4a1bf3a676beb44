"""Exact uniform sampling where one constraint binds many columns: volumes that fit a vial, fractions that sum to 1.

Measured from the end of each range that uses least of the bound, any single constraint reads `sum(y) <= capacity` with
`0 <= y`. On grids the admissible rows are counted by dynamic programming and drawn by their counts; on real axes they
are broken off a stick (a Dirichlet draw), which rejects only what passes an upper bound.
Rejection from the box would keep one row in millions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from planner.region import Region

_MOST_WORK = 3e6


@dataclass(frozen=True)
class CountedMixture:
    """Rows on a grid under one constraint, counted."""

    grids: tuple[np.ndarray, ...]
    costs: tuple[np.ndarray, ...]
    """What each level of each column uses of the capacity, in whole units."""
    ways: tuple[np.ndarray, ...]
    """ways[j][s]: number of ways to choose columns j, j+1, ... when s units are left."""
    capacity: int

    @classmethod
    def of(cls, region: Region) -> CountedMixture | None:
        """Count a region with one constraint, or return None where it has none, or no common unit."""
        if len(region.A) + len(region.E) != 1 or not region.discrete.all():
            return None
        weights, bound = (region.A[0], region.b[0]) if len(region.A) else (region.E[0], region.e[0])
        grids = tuple(grid for grid in region.grids if grid is not None)
        counted = _whole_units(grids, weights, bound, exact=len(region.E) == 1)
        if counted is None:
            return None
        costs, capacity = counted
        if (capacity + 1) * sum(len(cost) for cost in costs) > _MOST_WORK:
            return None
        return cls(grids, costs, _count(costs, capacity, exact=len(region.E) == 1), capacity)

    @property
    def size(self) -> int:
        """Number of admissible rows."""
        return int(self.ways[0][self.capacity]) if self.capacity >= 0 else 0

    def draw(self, uniforms: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Map uniform numbers (`n x p`) to rows, each admissible row equally likely."""
        del rng
        left = np.full(len(uniforms), self.capacity)
        rows = np.empty_like(uniforms)
        for j, (grid, cost) in enumerate(zip(self.grids, self.costs, strict=True)):
            after = left[:, None] - cost
            chances = np.where(after >= 0, self.ways[j + 1][np.maximum(after, 0)], 0).astype(float)
            ladder = np.cumsum(chances, axis=1)
            chosen = np.sum(ladder <= uniforms[:, [j]] * ladder[:, [-1]], axis=1)
            rows[:, j] = grid[chosen]
            left = left - cost[chosen]
        return rows


@dataclass(frozen=True)
class StickMixture:
    """Real rows under one constraint; of several, the others are not looked at."""

    region: Region
    weights: np.ndarray
    capacity: float
    is_equality: bool

    @classmethod
    def of(cls, region: Region) -> list[StickMixture]:
        """Prepare real axes under each of the constraints that binds them all; the others are kept by rejection.

        Where there is an equality, only it will do.
        """
        if len(region.E) > 1 or region.discrete.any() or region.is_log.any():
            return []
        binding = zip(region.E, region.e, strict=True) if len(region.E) else zip(region.A, region.b, strict=True)
        found = []
        for weights, bound in binding:
            capacity = bound - float(np.sum(np.minimum(weights * region.low, weights * region.high)))
            if capacity >= 0 and np.all(weights != 0):
                found.append(cls(region, weights, capacity, len(region.E) == 1))
        return found

    def draw(self, uniforms: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Map uniform numbers (`n x p`) to rows; some may pass an upper bound and must be rejected."""
        del rng
        n, width = uniforms.shape
        left = np.full(n, self.capacity)
        amounts = np.empty_like(uniforms)
        for j in range(width):
            others = width - 1 - j + (not self.is_equality)
            share = 1.0 if others == 0 else 1.0 - (1.0 - uniforms[:, j]) ** (1.0 / others)
            amounts[:, j] = left * share
            left = left - amounts[:, j]
        start = np.where(self.weights > 0, self.region.low, self.region.high)
        return start + amounts / self.weights


def _whole_units(
    grids: tuple[np.ndarray, ...], weights: np.ndarray, bound: float, *, exact: bool
) -> tuple[tuple[np.ndarray, ...], int] | None:
    """Express what each level uses in whole multiples of a common unit."""
    if sum(len(grid) for grid in grids) > 20_000:
        return None
    terms = [
        [_fraction(weight) * _fraction(level) for level in grid] for weight, grid in zip(weights, grids, strict=True)
    ]
    used = [[term - min(column) for term in column] for column in terms]
    left = _fraction(bound) - sum(min(column) for column in terms)
    denominator = math.lcm(*(f.denominator for c in used for f in c))
    unit = Fraction(math.gcd(*(int(f * denominator) for c in used for f in c)) or 1, denominator)
    capacity = left / unit
    if exact and capacity.denominator != 1:
        return None
    most = sum(max(column) for column in used) / unit
    whole = min(math.floor(capacity), int(most)) if not exact else int(capacity)
    if abs(whole) > _MOST_WORK or most > 2**60:
        return None
    return tuple(np.array([int(term / unit) for term in column]) for column in used), whole


def _count(costs: tuple[np.ndarray, ...], capacity: int, *, exact: bool) -> tuple[np.ndarray, ...]:
    """Count the ways to choose the columns from the last to the first."""
    total = math.prod(len(cost) for cost in costs)
    kind = float if total < 2**53 else object
    ways = np.zeros(max(capacity, 0) + 1, dtype=kind)
    ways[0 if exact else slice(None)] = 1
    tables = [ways]
    for cost in reversed(costs):
        ways = np.zeros_like(ways)
        for used in cost:
            if used < len(ways):
                ways[used:] += tables[-1][: len(ways) - used]
        tables.append(ways)
    return tuple(reversed(tables))


def _fraction(number: float) -> Fraction:
    return Fraction(repr(float(number)))
