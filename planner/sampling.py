"""Uniform sampling of a region, whatever its constraints.

Columns that share no constraint are drawn apart. A group is drawn by the first of these that fits: freely (no
constraint), counted or broken off a stick (one constraint, `mixtures`), by rejection from the box, and otherwise by a
Markov chain whose moves leave the uniform distribution unchanged, begun at vertices that linear programs find.

"Uniform" means every level alike on a grid, and uniform on the parameter's scale elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from planner.errors import EmptySearchSpace
from planner.lattice import count
from planner.linear import extreme
from planner.mixtures import CountedMixture, StickMixture
from planner.moves import compensated_jump, exchange, gibbs, hit_and_run, stretch
from planner.region import Region

_LEAST_ACCEPTANCE = 0.02
_TRIALS = 512
_N_STARTS = 12
_MOST_COUNTED = 1_000_000
_MOST_DRAWN = 300_000
"""Rows among which one that keeps what is not linear is looked for."""
_DRAWN_AT_ONCE = 10_000


def sobol_uniforms(n: int, width: int, *, seed: int, skip: int) -> np.ndarray:
    """Return n points of a scrambled Sobol sequence after the first `skip`, in the unit cube (`n x width`)."""
    from scipy.stats import qmc

    engine = qmc.Sobol(width, scramble=True, rng=np.random.default_rng([seed, 0]))
    # whole powers of two, from the first point on, are what scipy takes without a warning about balance
    return engine.random_base2(int(np.ceil(np.log2(max(skip + n, 1)))))[skip : skip + n]


class Sampler(Protocol):
    """Draws rows of one group of columns."""

    def draw(self, uniforms: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Map uniform numbers (`n x p`) to rows; a method that cannot use them draws its own."""
        ...


@dataclass(frozen=True)
class BoxSampler:
    """Columns without constraints."""

    region: Region

    def draw(self, uniforms: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Map uniform numbers (`n x p`) to rows."""
        del rng
        rows = np.empty_like(uniforms)
        for j, grid in enumerate(self.region.grids):
            if grid is not None:
                rows[:, j] = grid[np.minimum((uniforms[:, j] * len(grid)).astype(int), len(grid) - 1)]
            else:
                rows[:, j] = stretch(
                    uniforms[:, j], self.region.low[j], self.region.high[j], bool(self.region.is_log[j])
                )
        return rows


@dataclass(frozen=True)
class RejectionSampler:
    """Redraws what is not feasible."""

    region: Region
    inner: Sampler

    def draw(self, uniforms: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Map uniform numbers (`n x p`) to rows, and draw again where a row is not feasible."""
        rows = self.inner.draw(uniforms, rng)
        missing = np.flatnonzero(~self.region.feasible(rows))
        while len(missing):
            fresh = self.inner.draw(rng.random((max(4 * len(missing), 64), self.region.width)), rng)
            fresh = fresh[self.region.feasible(fresh)][: len(missing)]
            rows[missing[: len(fresh)]] = fresh
            missing = missing[len(fresh) :]
        return rows


@dataclass(frozen=True)
class ChainSampler:
    """Independent Markov chains, one for each row asked for."""

    region: Region
    starts: np.ndarray
    sweeps: int = field(default=0)

    @classmethod
    def of(cls, region: Region) -> ChainSampler:
        """Find starting rows in many directions.

        Raises:
            EmptySearchSpace: No row is feasible.
        """
        rng = np.random.default_rng(0)
        if region.curves:
            return cls(region, _found(region, rng), 20 + 4 * region.width)
        costs = rng.standard_normal((_N_STARTS, region.width)) / region.span
        rows = [extreme(region, cost) for cost in costs]
        found = [row for row in rows if row is not None and region.feasible(row[None])[0]]
        if not found:
            raise EmptySearchSpace("no point satisfies every constraint; SearchSpace.is_empty() says which contradict")
        return cls(region, np.unique(np.array(found), axis=0), 20 + 4 * region.width)

    def draw(self, uniforms: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Run one chain for each of n rows."""
        rows = self.starts[rng.integers(len(self.starts), size=len(uniforms))].copy()
        for _ in range(self.sweeps):
            rows = self._sweep(rows, rng)
        return rows

    def _sweep(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        region = self.region
        bound = np.any(region.E != 0, axis=0)
        for column in region.free[~bound[region.free]]:
            rows = gibbs(region, rows, int(column), rng)
        if len(region.free) > 1:
            for _ in range(len(region.free)):
                rows = exchange(region, rows, rng)
        if bound.any():
            rows = compensated_jump(region, rows, rng)
        return hit_and_run(region, rows, rng)


@dataclass(frozen=True)
class RegionSampler:
    """Draws whole rows, group by group."""

    region: Region
    groups: tuple[tuple[np.ndarray, Sampler], ...]

    @classmethod
    def of(cls, region: Region) -> RegionSampler:
        """Choose a way of drawing for each group of columns.

        Raises:
            EmptySearchSpace: No row is feasible.
        """
        return cls(region, tuple((columns, _sampler(region.part(columns))) for columns in region.components()))

    def draw(self, uniforms: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Map uniform numbers (`n x p`) to feasible rows."""
        rows = np.empty_like(uniforms)
        for columns, sampler in self.groups:
            rows[:, columns] = sampler.draw(uniforms[:, columns], rng)
        return rows

    def size(self) -> int | None:
        """Count the rows; None where a column is continuous or counting would take too long."""
        total = 1
        for columns, sampler in self.groups:
            counted = _size(self.region.part(columns), sampler)
            if counted is None:
                return None
            total *= counted
        return total


def _sampler(region: Region) -> Sampler:
    if region.curves:
        return _sampler_of_curves(region)
    box = BoxSampler(region)
    if not len(region.A) and not len(region.E):
        return box
    counted = CountedMixture.of(region)
    if counted is not None:
        if counted.size == 0:
            raise EmptySearchSpace("no grid point satisfies the constraint")
        return counted
    options: list[Sampler] = [*StickMixture.of(region), box]
    rates = [_acceptance(region, sampler) for sampler in options]
    best = int(np.argmax(rates))
    if rates[best] >= _LEAST_ACCEPTANCE:
        return RejectionSampler(region, options[best])
    return ChainSampler.of(region)


def _sampler_of_curves(region: Region) -> Sampler:
    """Draw from the linear constraints and reject, or, where little is left, run chains from rows that were found."""
    inner = _sampler(region.straight)
    if _acceptance(region, inner) >= _LEAST_ACCEPTANCE:
        return RejectionSampler(region, inner)
    return ChainSampler.of(region)


def _found(region: Region, rng: np.random.Generator) -> np.ndarray:
    """Return some rows of a region of which little is left.

    Raises:
        EmptySearchSpace: Not one is found.
    """
    inner, some, drawn = _sampler(region.straight), np.empty((0, region.width)), 0
    while len(some) < _N_STARTS and drawn < _MOST_DRAWN:
        rows = inner.draw(rng.random((_DRAWN_AT_ONCE, region.width)), rng)
        some = np.vstack([some, rows[region.feasible(rows)]])
        drawn += len(rows)
    if not len(some):
        raise EmptySearchSpace("no point was found that satisfies every constraint")
    return np.unique(some[:_N_STARTS], axis=0)


def _acceptance(region: Region, sampler: Sampler) -> float:
    rng = np.random.default_rng(0)
    return float(np.mean(region.feasible(sampler.draw(rng.random((_TRIALS, region.width)), rng))))


def _size(region: Region, sampler: Sampler) -> int | None:
    if isinstance(sampler, CountedMixture):
        return sampler.size
    if not region.discrete.all():
        return None
    lengths = [len(grid) for grid in region.grids if grid is not None]
    total = int(np.prod(lengths, dtype=object))
    if isinstance(sampler, BoxSampler):
        return total
    return None if total > _MOST_COUNTED else int(count(region))
