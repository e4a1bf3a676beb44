"""The search spaces of `planners.py`: numpy and plain values alone, for environments without labpilot.

Points are dicts by parameter name. Whether a point keeps to the space is decided here, by the space's own definition,
and by no planner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

Value = float | int | str
Point = Mapping[str, Value]
Kind = Literal["continuous", "integer", "levels", "categorical"]
Relation = Literal["<=", "=="]

TOLERANCE = 1e-6
"""How far beyond a bound, as a fraction of the range (of the terms of a sum), is still no violation: some peers keep
their proposals in single precision, or round them."""
DUPLICATE = 1e-9
"""Points that differ by less than this fraction of every range are the same point."""
_MOST_DRAWS = 1000


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One parameter."""

    name: str
    kind: Kind
    low: float = 0.0
    high: float = 1.0
    levels: tuple[Value, ...] = ()
    """In rising order (kind levels), or words without order (kind categorical)."""

    @property
    def span(self) -> float:
        """The range of a numeric parameter."""
        return self.high - self.low

    def violation(self, value: Value) -> str | None:
        """Say what is wrong with a value, or return None."""
        if self.kind == "categorical":
            return None if value in self.levels else f"{self.name} = {value!r} is no category"
        if isinstance(value, str) or not np.isfinite(value):
            return f"{self.name} = {value!r} is no number"
        slack = TOLERANCE * self.span
        if not self.low - slack <= value <= self.high + slack:
            return f"{self.name} = {value!r} lies outside {self.low:g} to {self.high:g}"
        levels = np.array(self.grid, dtype=float)
        if len(levels) and np.min(np.abs(levels - value)) > slack:
            return f"{self.name} = {value!r} is no level"
        return None

    @property
    def grid(self) -> tuple[Value, ...]:
        """Every admissible value of a discrete parameter; nothing for a continuous one."""
        return tuple(range(round(self.low), round(self.high) + 1)) if self.kind == "integer" else self.levels

    def draw(self, n: int, rng: np.random.Generator) -> list[Value]:
        """Draw n values uniformly."""
        if self.kind == "continuous":
            return rng.uniform(self.low, self.high, n).tolist()
        return [self.grid[i] for i in rng.integers(len(self.grid), size=n)]

    def code(self, value: Value) -> float:
        """Return a value as a number: over its range, or the index of a category."""
        if self.kind == "categorical":
            return float(self.levels.index(value))
        return (float(value) - self.low) / self.span


def levels(name: str, values: Sequence[float]) -> Axis:
    """Return a numeric parameter that takes some values only."""
    return Axis(name=name, kind="levels", low=min(values), high=max(values), levels=tuple(sorted(values)))


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A weighted sum of numeric parameters that stays below, or equals, a bound."""

    weights: Mapping[str, float]
    relation: Relation
    bound: float

    def excess(self, point: Point) -> float:
        """Return by how much a point breaks the bound, as a fraction of the size of the terms; not above 0: not."""
        terms = [weight * float(point[name]) for name, weight in self.weights.items()]
        over = sum(terms) - self.bound
        return (abs(over) if self.relation == "==" else over) / max(abs(self.bound), *map(abs, terms), 1e-300)

    @property
    def text(self) -> str:
        """The constraint as `planner.SearchSpace` reads it."""
        terms = " + ".join(f"{weight!r}*{name}" for name, weight in self.weights.items())
        return f"{terms} {self.relation} {self.bound!r}"


@dataclass(frozen=True, kw_only=True)
class Space:
    """Parameters and the linear constraints that tie them."""

    axes: tuple[Axis, ...]
    bounds: tuple[Bound, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters, in order."""
        return tuple(axis.name for axis in self.axes)

    @property
    def is_continuous(self) -> bool:
        """Whether every parameter is continuous."""
        return all(axis.kind == "continuous" for axis in self.axes)

    def violations(self, point: Point) -> list[str]:
        """Return what is wrong with a point."""
        found = [text for axis in self.axes if (text := axis.violation(point[axis.name]))]
        return found or [bound.text for bound in self.bounds if bound.excess(point) > TOLERANCE]

    def key(self, point: Point) -> tuple[int, ...]:
        """Return what is equal for equal points."""
        return tuple(round(axis.code(point[axis.name]) / DUPLICATE) for axis in self.axes)

    def sample(self, n: int, rng: np.random.Generator) -> list[dict[str, Value]]:
        """Draw n points uniformly over what is admissible.

        Raises:
            RuntimeError: Nearly every draw breaks a constraint.
        """
        found: list[dict[str, Value]] = []
        for _ in range(_MOST_DRAWS):
            columns = {axis.name: axis.draw(2 * n, rng) for axis in self.axes} | self._shares(2 * n, rng)
            drawn = [dict(zip(self.names, row, strict=True)) for row in zip(*map(columns.get, self.names), strict=True)]
            found += [point for point in drawn if not self.bounds or not self.violations(point)]
            if len(found) >= n:
                return found[:n]
        raise RuntimeError(f"no {n} admissible points in {_MOST_DRAWS * 2 * n} draws")

    @cached_property
    def mixture(self) -> Bound | None:
        """The first constraint that is a plain sum of continuous parameters."""
        plain = {axis.name for axis in self.axes if axis.kind == "continuous"}
        sums = [
            bound for bound in self.bounds if set(bound.weights.values()) == {1.0} and plain.issuperset(bound.weights)
        ]
        return sums[0] if sums else None

    def _shares(self, n: int, rng: np.random.Generator) -> dict[str, list[float]]:
        """Draw the parts of a mixture uniformly over the simplex that its lower bounds leave."""
        if self.mixture is None:
            return {}
        parts = [axis for axis in self.axes if axis.name in self.mixture.weights]
        free = self.mixture.bound - sum(axis.low for axis in parts)
        rest = self.mixture.relation == "<="
        shares = rng.dirichlet(np.ones(len(parts) + rest), size=n)
        return {axis.name: (axis.low + free * shares[:, i]).tolist() for i, axis in enumerate(parts)}

    def to_json(self) -> dict[str, Any]:
        """Return the space in plain JSON values."""
        return {"axes": [asdict(axis) for axis in self.axes], "bounds": [asdict(bound) for bound in self.bounds]}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Space:
        """Return the space that `to_json` told."""
        axes = tuple(Axis(**{**axis, "levels": tuple(axis["levels"])}) for axis in told["axes"])
        return cls(axes=axes, bounds=tuple(Bound(**bound) for bound in told["bounds"]))
