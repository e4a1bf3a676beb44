"""Soft constraints: what is known beside the results, as factors of a point's worth.

The worth of x is multiplied by `prod_j soft_j(P_j(x))` with `soft(p) = lo + (1 - lo) p`: P_j is a probability that
something is well at x, and lo what is left of the worth where it surely is not. lo = 0 forbids, lo near 1 hints (Liu et
al., Joule 6, 834 (2022), doi 10.1016/j.joule.2022.03.003).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.special import ndtr

from planner.earlier import EarlierTable, read_tables
from planner.errors import BadOption
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
    tables = read_tables(space, given, "earlier", keys=_KEYS, needed=_KEYS[:3], fewest=_FEWEST_POINTS)
    return [_soft(table, minimize) for table in tables]


def _soft(table: EarlierTable, minimize: bool) -> Soft:
    threshold, lo = table.number("threshold"), table.number("lo", 0.1)
    if not 0.0 <= lo <= 1.0:
        raise BadOption(f"{table.where}: lo is what is left of a point's worth, from 0 to 1, not {lo!r}")
    scale = TargetScale.of(table.values, None)
    gp = fit_gp(table.codes, scale.forward(table.values), None)
    return Soft(Exceeds(gp, float(scale.forward(np.array([threshold]))[0]), -1.0 if minimize else 1.0), lo)
