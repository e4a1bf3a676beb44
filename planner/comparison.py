"""Comparing planners over seeds: medians with quartiles, paired differences with bootstrap intervals, hypervolumes.

Planners that are compared share their seeds (one world and one stream of chance each), so that a difference is taken
seed by seed and the luck that both had cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.9
"""Of the intervals."""
BOOTSTRAPS = 1000
_SEED = 30_000
_ENORMOUS = 1e300


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number and its interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def quartiles(values: Sequence[float] | np.ndarray) -> tuple[float, float, float]:
    """Return median, lower and upper quartile; infinite values of either sign are allowed."""
    # numpy's interpolation beside an infinite value is not a number
    finite = np.nan_to_num(np.array(values, dtype=float), nan=np.nan, posinf=_ENORMOUS, neginf=-_ENORMOUS)
    middle, low, high = (float(value) for value in np.quantile(finite, [0.5, 0.25, 0.75]))
    return _infinite(middle), _infinite(low), _infinite(high)


def _infinite(value: float) -> float:
    return float(np.copysign(np.inf, value)) if abs(value) > 1e-6 * _ENORMOUS else value


def paired_difference(first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray) -> Estimate | None:
    """Return the median over seeds of second - first, with its percentile bootstrap interval (seeds are drawn).

    Args:
        first: A value for each seed, `n`.
        second: The same seeds in the same order, `n`.

    Returns:
        None without two seeds that both have a finite value for: one pair says nothing of chance.
    """
    differences = np.asarray(second, dtype=float) - np.asarray(first, dtype=float)
    differences = differences[np.isfinite(differences)]
    if len(differences) < 2:
        return None
    rng = np.random.default_rng(_SEED)
    drawn = np.median(differences[rng.integers(len(differences), size=(BOOTSTRAPS, len(differences)))], axis=1)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value=float(np.median(differences)), low=float(low), high=float(high))


def geometric_mean(values: Sequence[float]) -> float:
    """Return the geometric mean; not a number where there is none."""
    return float(np.exp(np.mean(np.log(values)))) if len(values) else float("nan")


def hypervolume(points: np.ndarray, reference: np.ndarray) -> float:
    """Return the volume that points dominate down to a reference point; greater is better in every column.

    By slices along the last column (Zitzler, hypervolume by slicing objectives, ETH Zurich (2001)), exact; made for
    the fronts of a campaign, some tens of points in two to four columns.

    Args:
        points: `n x m`; those that do not exceed the reference in every column add nothing.
        reference: `m`.
    """
    above = points[np.all(points > reference, axis=1)] - reference
    return _volume(above)


def _volume(points: np.ndarray) -> float:
    """Return the volume between the origin and points above it (`n x m`)."""
    if not len(points):
        return 0.0
    if points.shape[1] == 1:
        return float(points.max())
    ordered = points[np.argsort(-points[:, -1], kind="stable")]
    depths = ordered[:, -1] - np.append(ordered[1:, -1], 0.0)
    return float(sum(depth * _volume(ordered[: n + 1, :-1]) for n, depth in enumerate(depths) if depth > 0))
