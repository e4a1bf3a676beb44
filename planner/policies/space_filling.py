"""Policies that choose without looking at results: random, Sobol, grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from typing import ClassVar

import numpy as np

from planner.objective import Objective
from planner.policies.base import PlannerData, Suggestion
from planner.policies.options import Choice, option, read_options
from planner.predictor import MAP_MODELS, Predictor
from planner.proposal import Value
from planner.region import Region
from planner.sampling import stretch
from planner.space import SearchSpace
from planner.untried import first_untried, untried_rows

_CHUNK = 64
_LONGEST_SEQUENCE = 100_000
_MOST_STAGES = 12
_MOST_VISITED = 1_000_000
_GOLDEN = (5.0**0.5 - 1.0) / 2.0


@dataclass(frozen=True, slots=True)
class SpaceFillingOptions:
    """Options that Sobol and grid share."""

    map_model: str = option("gp", MAP_MODELS)
    """The surrogate that predictions come from; choices do not depend on it."""


@dataclass(frozen=True, slots=True)
class RandomOptions:
    """Options of `Random`."""

    map_model: str = option("gp", MAP_MODELS)
    """The surrogate that predictions come from; choices do not depend on it."""
    sparse: bool = option(False, Choice((True, False)))
    """Leave most ingredients of a mixture out of each recipe."""


class _SpaceFilling:
    """A policy whose predictions come from a surrogate that it does not use itself."""

    learns_nothing: ClassVar[bool] = True
    knows_input_noise: ClassVar[bool] = True
    _predictor: Predictor

    def predict(
        self, data: PlannerData, target: str, points: Sequence[Mapping[str, Value]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`n` each) of the noiseless target, in its unit."""
        return self._predictor.predict(data, target, points)


class Random(_SpaceFilling):
    """Uniformly random over what is admissible."""

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None:
        self._options = read_options(RandomOptions, options, "random")
        self._predictor = Predictor(space, objectives, self._options.map_model)

    def propose(self, data: PlannerData, n: int, rng: np.random.Generator) -> list[Suggestion]:
        """Return up to n random points."""
        space = data.space
        taken = set(data.taken_keys())
        rows = untried_rows(
            space, n, taken, lambda count: space.sample_rows(count, rng, sparse=self._options.sparse), rng
        )
        return [Suggestion(parameters=point, reason="random") for point in space.points(rows)]


class Sobol(_SpaceFilling):
    """The first points of a scrambled Sobol sequence that are not taken."""

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None:
        self._predictor = Predictor(space, objectives, read_options(SpaceFillingOptions, options, "sobol").map_model)

    def propose(self, data: PlannerData, n: int, rng: np.random.Generator) -> list[Suggestion]:
        """Return the next n points of the sequence."""
        return _along(data, n, rng, _sobol_chunks(data), "next of the Sobol sequence")


class Grid(_SpaceFilling):
    """Nested lattices from coarse to fine: the ends of every axis, then halves, quarters, and so on.

    Each lattice is visited in a scattered order, so that a budget that ends within one has still covered the space.
    """

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None:
        self._predictor = Predictor(space, objectives, read_options(SpaceFillingOptions, options, "grid").map_model)

    def propose(self, data: PlannerData, n: int, rng: np.random.Generator) -> list[Suggestion]:
        """Return the next n points of the lattices."""
        space = data.space
        chunks = iter([space.pool]) if space.pool is not None else _lattices(space.region)
        return _along(data, n, rng, chunks, "next of the lattice")


def _along(
    data: PlannerData, n: int, rng: np.random.Generator, chunks: Iterator[np.ndarray], reason: str
) -> list[Suggestion]:
    """Return the first n untried points of a sequence; random ones where the sequence ends before the space does."""
    space = data.space
    taken = set(data.taken_keys())
    rows = first_untried(space, n, taken, chunks)
    suggestions = [Suggestion(parameters=point, reason=reason) for point in space.points(rows)]
    if len(rows) < n:
        taken.update(space.keys(rows))
        more = untried_rows(space, n - len(rows), taken, lambda count: space.sample_rows(count, rng), rng)
        suggestions += [Suggestion(parameters=point, reason="random") for point in space.points(more)]
    return suggestions


def _sobol_chunks(data: PlannerData) -> Iterator[np.ndarray]:
    """Yield the sequence from its start: a discarded proposal leaves a gap that is filled first."""
    skip, length = 0, _CHUNK
    while skip < _LONGEST_SEQUENCE:
        yield data.space.rows(data.space.sobol(length, seed=data.seed, skip=skip))
        skip, length = skip + length, 2 * length


def _lattices(region: Region) -> Iterator[np.ndarray]:
    """Yield feasible rows of ever finer lattices, in chunks."""
    visited = before = 0
    for stage in range(_MOST_STAGES):
        axes = [_axis(region, column, 2**stage + 1) for column in range(region.width)]
        total = int(np.prod([len(axis) for axis in axes], dtype=object))
        if total == before:
            return
        before = total
        stride = _coprime_stride(total)
        for start in range(0, min(total, _MOST_VISITED - visited), 1024):
            order = [(i * stride) % total for i in range(start, min(start + 1024, total))]
            rows = _unravel(order, axes)
            yield rows[region.feasible(rows)]
        visited += total
        if visited >= _MOST_VISITED:
            return


def _axis(region: Region, column: int, count: int) -> np.ndarray:
    """Return evenly spaced levels of one column, both ends among them; every category."""
    grid = region.grids[column]
    if grid is None:
        fractions = np.linspace(0.0, 1.0, count)
        return stretch(fractions, region.low[column], region.high[column], bool(region.is_log[column]))
    return grid[np.unique(np.linspace(0, len(grid) - 1, min(count, len(grid))).round().astype(int))]


def _unravel(order: list[int], axes: list[np.ndarray]) -> np.ndarray:
    """Return the rows of a lattice at these positions; Python integers, for a lattice may exceed 64 bits."""
    rows = np.empty((len(order), len(axes)))
    for column in reversed(range(len(axes))):
        length = len(axes[column])
        rows[:, column] = axes[column][[position % length for position in order]]
        order = [position // length for position in order]
    return rows


def _coprime_stride(total: int) -> int:
    """Return a stride near the golden section of the total that visits every position once."""
    stride = max(1, int(total * _GOLDEN))
    while gcd(stride, total) != 1:
        stride += 1
    return stride
