"""What stands on a region: drawing from it, stepping within it, walking through it, saying why it is empty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np

from planner.branch_sampling import BranchNeighbourhood, BranchSampler
from planner.branches import BranchedRegion
from planner.declared import Constraint
from planner.emptiness import explain_branches, explain_emptiness
from planner.errors import EmptySearchSpace
from planner.lattice import walk
from planner.neighbourhood import Neighbourhood
from planner.parameters import Parameter
from planner.region import Region, category_columns
from planner.sampling import RegionSampler
from planner.sparse import SparseSampler, optional_columns


@dataclass(frozen=True, eq=False)
class Ground:
    """A region with what samples it and steps in it, whether its parameters exist everywhere or not."""

    region: Region
    parameters: tuple[Parameter, ...]
    constraints: tuple[Constraint, ...]

    @cached_property
    def sampler(self) -> RegionSampler | BranchSampler:
        """What draws uniformly from the region.

        Raises:
            EmptySearchSpace: Nothing is feasible.
        """
        region = self.region
        return BranchSampler.of(region) if isinstance(region, BranchedRegion) else RegionSampler.of(region)

    @cached_property
    def has_points(self) -> bool:
        """Whether anything is feasible."""
        try:
            return self.sampler is not None
        except EmptySearchSpace:
            return False

    @cached_property
    def optional(self) -> np.ndarray:
        """Columns of ingredients that a mixture may do without."""
        return np.unique(np.concatenate([optional_columns(region) for region in self.regions]))

    @cached_property
    def starts_sparse(self) -> bool:
        """Whether a design should leave most ingredients out of each recipe.

        So where something else fills what they leave (a solvent, below a bound). Where the parts must add up to a
        whole, recipes of few ingredients are its corners, and a design of them leaves the inside empty.
        """
        return len(self.optional) > 0 and not any(np.any(region.E[:, self.optional]) for region in self.regions)

    @cached_property
    def _sparse(self) -> SparseSampler | BranchSampler:
        sampler = self.sampler
        return sampler if isinstance(sampler, BranchSampler) else SparseSampler(self.region, sampler, self.optional)

    def draw(self, n: int, rng: np.random.Generator, *, sparse: bool) -> np.ndarray:
        """Draw n rows (`n x p`)."""
        if sparse and len(self.optional):
            sampler = self._sparse
            return sampler.draw_sparse(n, rng) if isinstance(sampler, BranchSampler) else sampler.draw(n, rng)
        return self.sampler.draw(rng.random((n, self.region.width)), rng)

    @cached_property
    def neighbourhood(self) -> Neighbourhood | BranchNeighbourhood:
        """What steps from one admissible row to the next."""
        words = category_columns(self.parameters)
        if isinstance(self.region, BranchedRegion) and isinstance(self.sampler, BranchSampler):
            return BranchNeighbourhood(self.sampler, words)
        return Neighbourhood.of(self.region, words)

    def walk(self) -> Iterator[np.ndarray]:
        """Yield the admissible rows (`p`) of a grid one by one.

        Raises:
            ValueError: A column is continuous.
        """
        return chain.from_iterable(walk(region) for region in self.regions)

    @cached_property
    def regions(self) -> list[Region]:
        """The ordinary regions that it consists of, and that have a point."""
        if isinstance(self.region, BranchedRegion) and isinstance(self.sampler, BranchSampler):
            return [self.region.branches[index].region for index in self.sampler.samplers]
        return [self.region]

    @cached_property
    def emptiness(self) -> str | None:
        """Why no row is admissible; None where one is."""
        try:
            return None if self.sampler else None
        except EmptySearchSpace:
            if isinstance(self.region, BranchedRegion):
                return explain_branches(self.region, self.constraints)
            return explain_emptiness(self.region, self.parameters, self.constraints)

    @cached_property
    def size(self) -> int | None:
        """Number of admissible rows; None where a column is continuous, or counting takes too long."""
        return 0 if self.emptiness else self.sampler.size()
