"""Sampling of, and steps within, a region whose parameters do not all exist everywhere (`planner.branches`)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from planner.branches import BranchedRegion
from planner.errors import EmptySearchSpace
from planner.neighbourhood import Neighbourhood
from planner.sampling import RegionSampler
from planner.sparse import SparseSampler, optional_columns

_CROSSING = 0.2
"""Share of steps that lead into another branch, where there is one."""


@dataclass(frozen=True)
class BranchSampler:
    """Draws a branch, by levels of the deciding columns alike, and in it uniformly.

    A branch of which constraints leave nothing is left out, and its draws fall to the others.
    """

    region: BranchedRegion
    samplers: dict[int, RegionSampler]
    """By branch that has a point."""

    @classmethod
    def of(cls, region: BranchedRegion) -> BranchSampler:
        """Choose a way of drawing for each branch.

        Raises:
            EmptySearchSpace: None has a point.
        """
        samplers: dict[int, RegionSampler] = {}
        for index, branch in enumerate(region.branches):
            try:
                samplers[index] = RegionSampler.of(branch.region)
            except EmptySearchSpace:
                continue
        if not samplers:
            raise EmptySearchSpace("no point satisfies every constraint; SearchSpace.is_empty() says which contradict")
        return cls(region, samplers)

    @cached_property
    def _shares(self) -> np.ndarray:
        """Of the branches that have a point, adding up to 1."""
        shares = np.array([self.region.branches[index].share for index in self.samplers])
        return shares / shares.sum()

    def draw(self, uniforms: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Map uniform numbers (`n x p`) to feasible rows."""
        rows, places, inner = np.empty_like(uniforms), *self._placed(uniforms, rng)
        for index, sampler in self.samplers.items():
            mine = places == index
            if mine.any():
                rows[mine] = sampler.draw(inner[mine], rng)
        return rows

    def draw_sparse(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw n rows that leave most ingredients of their branch's mixture out."""
        rows = np.empty((n, self.region.width))
        places = rng.choice(list(self.samplers), size=n, p=self._shares)
        for index in self.samplers:
            mine = places == index
            if mine.any():
                rows[mine] = self._sparse[index].draw(int(mine.sum()), rng)
        return rows

    @cached_property
    def _sparse(self) -> dict[int, SparseSampler]:
        regions = {index: self.region.branches[index].region for index in self.samplers}
        return {i: SparseSampler(region, self.samplers[i], optional_columns(region)) for i, region in regions.items()}

    def _placed(self, uniforms: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return the branch of each draw (`n`), and the uniform numbers that are left for it (`n x p`)."""
        deciding = self.region.conditions.deciding
        rows, inner = np.tile(self.region.conditions.resting, (len(uniforms), 1)), uniforms.copy()
        index, rest = {}, {}
        for column in deciding:
            grid = np.asarray(self.region.grids[column])
            scaled = uniforms[:, column] * len(grid)
            index[column] = np.minimum(scaled.astype(int), len(grid) - 1)
            rest[column] = scaled - index[column]
            rows[:, column] = grid[index[column]]
        places = self.region.place(self.region.conditions.settled(rows))
        lost = ~np.isin(places, list(self.samplers))
        if lost.any():
            places[lost] = rng.choice(list(self.samplers), size=int(lost.sum()), p=self._shares)
        for number in self.samplers:
            for column, levels in self.region.branches[number].levels.items():
                mine = (places == number) & ~lost
                order = np.searchsorted(levels, rows[mine, column])
                inner[mine, column] = np.minimum((order + rest[column][mine]) / len(levels), 1.0 - 1e-12)
        return places, inner

    def size(self) -> int | None:
        """Count the rows; None where a column that exists somewhere is continuous, or counting takes too long."""
        total = 0
        for sampler in self.samplers.values():
            counted = sampler.size()
            if counted is None:
                return None
            total += counted
        return total


@dataclass(frozen=True)
class BranchNeighbourhood:
    """What steps from one admissible row to the next, within its branch and into others."""

    sampler: BranchSampler
    words: list[int]
    """Columns of categories."""

    @cached_property
    def _known(self) -> dict[int, Neighbourhood]:
        return {}

    def within(self, index: int) -> Neighbourhood:
        """Return what steps within one branch."""
        if index not in self._known:
            self._known[index] = Neighbourhood.of(self.sampler.region.branches[index].region, self.words)
        return self._known[index]

    def step(self, rows: np.ndarray, rng: np.random.Generator, *, reach: float) -> np.ndarray:
        """Return a random feasible neighbour for each row (`n x p`); see `Neighbourhood.step`."""
        region, moved = self.sampler.region, rows.copy()
        places = region.place(rows)
        for index in np.unique(places[places >= 0]):
            mine = places == index
            moved[mine] = self.within(int(index)).step(rows[mine], rng, reach=reach)
        if len(self.sampler.samplers) > 1:
            crossing = rng.random(len(rows)) < _CROSSING
            if crossing.any():
                moved[crossing] = self._crossed(rows[crossing], rng)
        return moved

    def _crossed(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return rows of any branch that keep what exists in both, where that is feasible."""
        region = self.sampler.region
        fresh = self.sampler.draw(rng.random(rows.shape), rng)
        both = region.conditions.active(fresh) & region.conditions.active(rows)
        both[:, list(region.conditions.deciding)] = False
        kept = np.where(both, rows, fresh)
        return np.where(region.feasible(kept)[:, None], kept, fresh)
