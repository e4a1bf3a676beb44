"""The search space: which recipes are admissible.

A point is a dict from parameter names to plain values. Constraints always hold, exactly (to rounding): for what is
sampled, snapped and proposed, on grids and off them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from planner.branch_sampling import BranchNeighbourhood, BranchSampler
from planner.branches import region_of
from planner.conditions import Conditions
from planner.declared import Constraint, admissible_rows, read_constraints, read_parameters, read_shared
from planner.encoding import Encoding, marks
from planner.errors import EmptySearchSpace, SpaceError
from planner.fidelity import fidelity_of
from planner.ground import Ground
from planner.neighbourhood import Neighbourhood
from planner.parameters import Parameter
from planner.parts import part_beside, part_held
from planner.pool import Columns, Members, check_names, nearest
from planner.proposal import Value
from planner.region import Region
from planner.rows import points_of, rows_of
from planner.sampling import RegionSampler, sobol_uniforms
from planner.snapping import snapped
from planner.violations import violations
from planner.within import Within, part_within
from surrogate.input_noise import InputNoise

Point = Mapping[str, Value]

_MOST_LISTED = 4096


class SearchSpace:
    """Parameters, the constraints that tie them, and, for a measured pool, the only points there are.

    Args:
        parameters: The axes, in the order in which rows hold them.
        constraints: Text such as "a + 2*b <= 5" (see `planner.constraints`) or "a * b <= 5" (see `planner.nonlinear`),
            or such a constraint that was read.
        candidates: Points of a pool, or a column of values for each parameter (a dict of arrays, a data frame: what
            millions of points should come in); nothing else can be proposed. Those outside the bounds or the
            constraints are left out and counted in `left_out`. Their values need not lie on a parameter's grid.
        shared: Parameters that all points of one ask have in common: the temperature of a furnace that takes eight
            samples at once, say.

    Constraints that no point satisfies are no error here, where a space may be looked at: `is_empty` says which
    contradict, and a `Planner` refuses such a space.

    Raises:
        SpaceError: A parameter, a constraint or a candidate makes no sense; the message says which.
        EmptySearchSpace: Candidates were given, and none of them is admissible.
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        constraints: Sequence[str | Constraint] = (),
        candidates: Iterable[Point] | Columns | None = None,
        shared: Sequence[str] = (),
    ) -> None:
        self.parameters = read_parameters(parameters)
        self.names = tuple(parameter.name for parameter in self.parameters)
        self.constraints = read_constraints(self.parameters, constraints)
        self.shared = read_shared(self.parameters, shared)
        self.fidelity = fidelity_of(self.parameters)
        """The parameter that says at which fidelity a trial is made; None where there is none."""
        self.conditions = Conditions.of(self.parameters)
        """Which parameters exist where; None where all always exist."""
        self.region = region_of(self.parameters, self.conditions, self.constraints)
        """The same as arrays."""
        self._scales = self.region
        """What points are keyed by: the region of the whole space, also in a part of it (see `held`)."""
        self.left_out = 0
        """How many candidates lay outside the bounds or the constraints."""
        self.pool: np.ndarray | None = None
        """The candidates as rows (`n x p`), each once; None where the whole region may be proposed."""
        if candidates is not None:
            rows, self.left_out = admissible_rows(self, candidates)
            self._members = Members(self.marks(rows))
            self.pool = rows[np.sort(self._members.first)]

    def held(self, point: Point) -> SearchSpace:
        """Return the part of this space where some parameters have the values given; encoded and keyed alike."""
        return self._part(*part_held(self, point))

    def beside(self, areas: Sequence[Mapping[str, Any]]) -> SearchSpace:
        """Return the part of this space outside areas (see `planner.area`); encoded and keyed alike.

        Raises:
            SpaceError: An area cannot be read.
            EmptySearchSpace: Nothing is left.
        """
        part = self._part(*part_beside(self, areas))
        return part._with_points("nothing of the space is left outside these areas; forbid less")

    def within(self, within: Within) -> SearchSpace:
        """Return the part of this space that takes no more than a bound; encoded and keyed alike.

        Raises:
            SpaceError: The bound cannot be read.
            EmptySearchSpace: Nothing keeps to it.
        """
        part = self._part(*part_within(self, within))
        return part._with_points(f"no point of the space takes at most {within.most:g}")

    def _with_points(self, otherwise: str) -> SearchSpace:
        """Return this space, where it has points; raise EmptySearchSpace otherwise."""
        if not (self._ground.has_points if self.pool is None else len(self.pool)):
            raise EmptySearchSpace(otherwise)
        return self

    def _part(self, region: Region, pool: np.ndarray | None) -> SearchSpace:
        part = object.__new__(SearchSpace)
        part.parameters, part.names, part.constraints, part.shared = self.parameters, self.names, self.constraints, ()
        part.conditions, part.fidelity = self.conditions, self.fidelity
        part.region, part._scales, part.left_out = region, self._scales, self.left_out
        part.pool = pool
        if pool is not None:
            part._members = Members(part.marks(pool))
        return part

    def __repr__(self) -> str:
        return f"SearchSpace({', '.join(self.names)}; {len(self.constraints)} constraints; size {self.size()})"

    @cached_property
    def _ground(self) -> Ground:
        return Ground(self.region, self.parameters, self.constraints)

    @property
    def sampler(self) -> RegionSampler | BranchSampler:
        """What draws uniformly from the region.

        Raises:
            EmptySearchSpace: Nothing is feasible.
        """
        return self._ground.sampler

    @property
    def optional(self) -> np.ndarray:
        """Columns of ingredients that a mixture may do without."""
        return self._ground.optional

    @property
    def starts_sparse(self) -> bool:
        """Whether a design should leave most ingredients out of each recipe (see `Ground.starts_sparse`)."""
        return self._ground.starts_sparse

    @property
    def neighbourhood(self) -> Neighbourhood | BranchNeighbourhood:
        """What steps from one admissible row to the next."""
        return self._ground.neighbourhood

    def walk(self) -> Iterator[np.ndarray]:
        """Yield the admissible rows (`p`) of a grid one by one.

        Raises:
            ValueError: A column is continuous.
        """
        return self._ground.walk()

    @cached_property
    def listing(self) -> np.ndarray | None:
        """All admissible rows (`n x p`) of a pool or a small grid; None where they are too many to try each."""
        if self.pool is not None:
            return self.pool
        size = self.size()
        return None if size is None or size > _MOST_LISTED else np.array(list(self.walk()))

    def size(self) -> int | None:
        """Count the admissible points; None where an axis is continuous, or too many constraints tie the axes."""
        return self._ground.size if self.pool is None else len(self.pool)

    def is_empty(self) -> str | None:
        """Say in a sentence why no point is admissible, or return None where one is."""
        return self._ground.emptiness if self.pool is None else None

    def violations(self, point: Point) -> list[str]:
        """Return every reason why a point is not admissible, as sentences."""
        return violations(self, point)

    def is_of_pool(self, point: Point) -> bool:
        """Say whether a point is one of the pool; every point is where there is none.

        Raises:
            SpaceError: A parameter is missing, or has no number.
        """
        return self.pool is None or self.marks(self.rows([point]))[0] in self._members

    def contains(self, point: Point) -> bool:
        """Say whether a point may be proposed."""
        return not self.violations(point)

    def snap(self, point: Point) -> dict[str, Value]:
        """Return the admissible point nearest to a point: levels, bounds and every constraint honoured.

        Where a constraint is not linear, one that is near, by search.

        Distance is the sum over parameters of the change as a fraction of the range (a change of category counts 1).

        Raises:
            EmptySearchSpace: No point is admissible.
            SpaceError: A parameter is missing, unknown, or no number.
        """
        check_names(self.names, point, "", needed=[p.name for p in self.parameters if not p.when])
        return self.points(snapped(self, self.rows([point])[0])[None])[0]

    def sample(self, n: int, rng: np.random.Generator, *, sparse: bool = False) -> list[dict[str, Value]]:
        """Draw n points uniformly over what is admissible (with repetition).

        sparse: leave most ingredients of a mixture out of each point. Where a sum is bounded, a uniform point holds a
            little of everything; good recipes seldom do.
        """
        return self.points(self.sample_rows(n, rng, sparse=sparse))

    def sample_rows(self, n: int, rng: np.random.Generator, *, sparse: bool = False) -> np.ndarray:
        """Draw n points as rows (`n x p`); see `sample`."""
        if self.pool is not None:
            return self.pool[rng.integers(len(self.pool), size=n)]
        return self._ground.draw(n, rng, sparse=sparse)

    def sobol(self, n: int, *, seed: int = 0, skip: int = 0) -> list[dict[str, Value]]:
        """Return n points of a scrambled Sobol sequence after the first `skip`; equal seeds give equal sequences.

        A mixture keeps the evenness of the sequence; where a region must be sampled by rejection or by a Markov
        chain, the points are random there.
        """
        uniforms = sobol_uniforms(n, self.region.width, seed=seed, skip=skip)
        if self.pool is not None:
            return self.points(self.pool[nearest(self.pool, self.region, uniforms)])
        return self.points(self.sampler.draw(uniforms, np.random.default_rng([seed, 1, skip])))

    def enumerate(self, limit: int | None = None) -> Iterator[dict[str, Value]]:
        """Iterate over the admissible points of a grid or a pool, lazily, up to a limit.

        Raises:
            SpaceError: An axis is continuous.
        """
        if self.pool is not None:
            return iter(self.points(self.pool[:limit]))
        if not all(region.discrete.all() for region in self._ground.regions):
            raise SpaceError("a space with a continuous parameter cannot be listed; give it step, levels or count")
        return (self.points(row[None])[0] for row in islice(self.walk(), limit))

    def rows(self, points: Sequence[Point]) -> np.ndarray:
        """Return points as rows of numbers (`n x p`); values may lie outside the bounds.

        Raises:
            SpaceError: A value is no finite number, or no known category, or is missing where its parameter exists.
        """
        return rows_of(self.parameters, self.conditions, points)

    def points(self, rows: np.ndarray) -> list[dict[str, Value]]:
        """Return rows of numbers as points, without the parameters that do not exist there."""
        return points_of(self.parameters, self.conditions, rows)

    def keys(self, rows: np.ndarray) -> list[bytes]:
        """Return a key for each row; equal points have equal keys, whatever rounding did to them."""
        return [row.tobytes() for row in self.marks(rows)]

    def marks(self, rows: np.ndarray) -> np.ndarray:
        """Return what the keys of rows (`n x p`) are made of: numbers (`n x p`) that rounding did nothing to."""
        return marks(self._scales, rows if self.conditions is None else self.conditions.settled(rows))

    @cached_property
    def width(self) -> int:
        """Number of columns of the encoding."""
        return self._encoding.width

    @property
    def widths(self) -> list[int]:
        """Number of columns of the encoding of each parameter; those of conditions come after them."""
        return self._encoding.widths

    @property
    def input_noise(self) -> InputNoise | None:
        """How far what is achieved lies from what is asked for, in codes; None where everything is exact."""
        return self._encoding.input_noise

    @cached_property
    def _encoding(self) -> Encoding:
        return Encoding(self.parameters, self.conditions)

    def encode(self, points: Sequence[Point]) -> np.ndarray:
        """Return points in the unit cube (`n x width`): numbers on their scale, a category as one column each.

        Descriptors of categories have the mean and spread of the cube, and some lie beyond it.
        """
        return self.encode_rows(self.rows(points))

    def encode_rows(self, rows: np.ndarray) -> np.ndarray:
        """Return rows (`n x p`) in the unit cube (`n x width`); points outside the bounds lie outside the cube."""
        return self._encoding.encode(rows)

    def decode(self, codes: np.ndarray) -> list[dict[str, Value]]:
        """Return points for codes in the unit cube (`n x width`): on levels and within bounds; see `snap`."""
        return self.points(self.region.round(self._encoding.decode(codes)))
