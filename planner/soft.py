"""Soft constraints: what is known beside the results, as factors of a point's worth.

The worth of x is multiplied by `prod_j soft_j(P_j(x))` with `soft(p) = lo + (1 - lo) p`: P_j is a probability that
something is well at x, and lo what is left of the worth where it surely is not. lo = 0 forbids, lo near 1 hints (Liu et
al., Joule 6, 834 (2022), doi 10.1016/j.joule.2022.03.003).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.special import ndtr

from planner.errors import BadOption, SpaceError, did_you_mean
from planner.feasibility import Viability
from planner.space import SearchSpace
from planner.transforms import TargetScale
from surrogate.matern_gp import GP, fit_gp

_LEAST = 1e-12
_FEWEST_POINTS = 2
_KEYS = ("points", "values", "threshold", "lo")


class Probability(Protocol):
    """How probably something is well."""

    def probability(self, codes: np.ndarray) -> np.ndarray:
        """Return it at encoded points (`n x d`), `n`."""
        ...


@dataclass(frozen=True)
class Soft:
    """One soft constraint."""

    of: Probability | Viability
    lo: float

    def log_factor(self, codes: np.ndarray) -> np.ndarray:
        """Return the logarithm of what it leaves of the worth of encoded points (`n x d`), `n`."""
        return np.log(np.maximum(self.lo + (1.0 - self.lo) * self.of.probability(codes), _LEAST))


@dataclass(frozen=True)
class Exceeds:
    """That a target of an earlier campaign exceeds a threshold, by a Gaussian process of its data."""

    gp: GP
    threshold: float
    """On the process's scale."""
    sign: float
    """-1 where less is better."""

    def probability(self, codes: np.ndarray) -> np.ndarray:
        """Return it at encoded points (`n x d`), `n`."""
        mean, sd = self.gp.posterior(codes)
        return ndtr(self.sign * (mean - self.threshold) / sd)


@dataclass(frozen=True)
class Near:
    """That a point is near another one, which is an exploration of its neighbourhood: `exp(-|x - x0|^2 / 2 r^2)`."""

    centre: np.ndarray
    """Encoded, `d`."""
    reach: float
    """Root mean square of the distance over the columns, as a fraction of their ranges."""

    def probability(self, codes: np.ndarray) -> np.ndarray:
        """Return it at encoded points (`n x d`), `n`."""
        squared = np.mean((codes - self.centre) ** 2, axis=1)
        return np.exp(-0.5 * squared / self.reach**2)


def read_earlier(space: SearchSpace, given: Any, *, minimize: bool) -> list[Soft]:
    """Return the soft constraints that the option `earlier` describes: a list of tables of earlier campaigns.

    Each table is a mapping: `points` (mappings of every parameter to a value), `values` (as many numbers), `threshold`
    (what a value must exceed, or stay below where the first objective is minimised), and `lo` (0 to 1; 0.1 by default).

    Raises:
        BadOption: A table is none, is empty, has a point outside the space or that cannot be read, or a wrong number.
    """
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence):
        raise BadOption(f"option 'earlier' takes a list of tables with {', '.join(_KEYS)}, not {type(given).__name__}")
    return [
        _read_table(space, table, f"table {number} of option 'earlier'", minimize) for number, table in enumerate(given)
    ]


def _read_table(space: SearchSpace, table: Any, where: str, minimize: bool) -> Soft:
    if not isinstance(table, Mapping):
        raise BadOption(f"{where} must be a mapping with {', '.join(_KEYS)}, not {table!r}")
    unknown = [name for name in table if name not in _KEYS]
    if unknown:
        raise BadOption(f"{where} has no {unknown[0]!r}{did_you_mean(str(unknown[0]), _KEYS)}")
    missing = [name for name in _KEYS[:3] if name not in table]
    if missing:
        raise BadOption(f"{where} lacks {missing[0]!r}")
    points, values = list(table["points"]), list(table["values"])
    if len(points) != len(values):
        raise BadOption(f"{where} has {len(points)} points and {len(values)} values; give one value for each point")
    if len(points) < _FEWEST_POINTS:
        raise BadOption(
            f"{where} has {len(points)} points; at least {_FEWEST_POINTS} are needed, or leave the table out"
        )
    numbers = np.array([_number(value, f"{where}: value {i}") for i, value in enumerate(values)])
    threshold = _number(table["threshold"], f"{where}: the threshold")
    lo = _number(table.get("lo", 0.1), f"{where}: lo")
    if not 0.0 <= lo <= 1.0:
        raise BadOption(f"{where}: lo is what is left of a point's worth, from 0 to 1, not {lo!r}")
    codes = _codes(space, points, where)
    scale = TargetScale.of(numbers, None)
    gp = fit_gp(codes, scale.forward(numbers), None)
    return Soft(Exceeds(gp, float(scale.forward(np.array([threshold]))[0]), -1.0 if minimize else 1.0), lo)


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise BadOption(f"{what} must be a finite number, not {value!r}")
    return float(value)


def _codes(space: SearchSpace, points: Sequence[Any], where: str) -> np.ndarray:
    for number, point in enumerate(points):
        if not isinstance(point, Mapping):
            raise BadOption(f"{where}: point {number} must map every parameter to a value, not {point!r}")
        unknown = [name for name in point if name not in space.names]
        if unknown:
            raise BadOption(f"{where}: point {number} has {unknown[0]!r}, which is no parameter here")
    try:
        codes = space.encode(points)
    except SpaceError as error:
        raise BadOption(f"{where}: {error}") from error
    outside = np.flatnonzero(np.any((codes < -1e-9) | (codes > 1.0 + 1e-9), axis=1))
    if len(outside) == len(points):
        raise BadOption(
            f"{where}: every point lies outside the space, the first of them {dict(points[0])}; it tells nothing here"
        )
    return codes
