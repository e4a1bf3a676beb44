"""Whether to measure a known recipe again, or a new one: what either does for the recipe that will be recommended.

Whoever ends a campaign recommends the recipe with the best expected value of those that were tried. One more
measurement at x, with noise of variance v(x), moves what is expected at every point i by s_i(x) Z, where Z is standard
normal and s_i(x) = cov(i, x) / sqrt(var(x) + v(x)). So it is worth

    E[max_i (m_i + s_i(x) Z)] - max_i m_i,

the knowledge gradient for correlated beliefs (Frazier, Powell and Dayanik, INFORMS J. Comput. 21, 599 (2009), doi
10.1287/ijoc.1080.0314, eq. 13), i running over what was tried and x itself. It is the same measure for a repeat, which
tells apart what is known badly, and for a new point, which may be better than all: no weight between them to choose.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from planner.models import TargetModel
from surrogate.matern_gp import GP

if TYPE_CHECKING:
    from planner.policies.base import PlannerData

_NODES = np.linspace(-6.0, 6.0, 97)
_WEIGHTS = np.exp(-0.5 * _NODES**2) / np.exp(-0.5 * _NODES**2).sum()
_LEAST = 1e-300
_CHUNK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeatable:
    """Recipes that may be measured again."""

    rows: np.ndarray
    """`n x p`"""
    counts: np.ndarray
    """How often each was tried, or is about to be, `n`."""
    noise: np.ndarray
    """Variance of one measurement at each, on the scale of the surrogate, `n`."""


def repeatable(data: PlannerData, model: TargetModel, target: str, ahead: np.ndarray, *, most: int) -> Repeatable:
    """Return the recipes that gave a result, may be proposed here, and were tried less than `most` times.

    ahead: Rows that come before (`m x p`); pending and repeated ones count as tried.
    """
    space = data.space
    tried, is_result = data.tried_rows()
    times = Counter(space.keys(np.vstack([tried, space.rows([one.parameters for one in data.pending]), ahead])))
    rows = np.unique(tried[is_result], axis=0)
    rows = rows[space.region.feasible(rows) & data.keeps(rows)]
    keys = space.keys(rows)
    kept = [
        number
        for number, point in enumerate(space.points(rows))
        if times[keys[number]] < most and not space.violations(point)
    ]
    told = _told_noise(data, model, target)
    return Repeatable(
        rows=rows[kept],
        counts=np.array([times[keys[number]] for number in kept], dtype=int),
        noise=np.array([told.get(keys[number], model.gp.typical_noise) for number in kept]),
    )


def _told_noise(data: PlannerData, model: TargetModel, target: str) -> dict[bytes, float]:
    """Return the variance that was told of one measurement, by recipe, on the scale of the surrogate."""
    known = [one for one in data.observations if target in one.values and target in one.noise]
    keys = data.space.keys(data.space.rows([one.parameters for one in known])) if known else []
    slopes = model.scale.slope(np.array([one.values[target] for one in known]))
    found: dict[bytes, list[float]] = {}
    for key, one, slope in zip(keys, known, slopes, strict=True):
        found.setdefault(key, []).append(float(one.noise[target] * slope) ** 2)
    return {key: float(np.median(each)) for key, each in found.items()}


def log_gain_of_recommended(gp: GP, known: np.ndarray, points: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return the logarithm of what the recommended value gains by one measurement at each of some points, `n`.

    Args:
        gp: What is known, greater is better; pending points taken in.
        known: Points that may be recommended, encoded, `m x d`.
        points: Where may be measured, encoded, `n x d`; known ones and others.
        noise: Variance of one measurement at each of them, `n`.
    """
    chunks = [slice(start, start + _CHUNK) for start in range(0, len(points), _CHUNK)]
    return np.concatenate([_gains(gp, known, points[one], noise[one]) for one in chunks] or [np.zeros(0)])


def _gains(gp: GP, known: np.ndarray, points: np.ndarray, noise: np.ndarray) -> np.ndarray:
    mean, _ = gp.posterior(known)
    here, sd = gp.posterior(points)
    spread = np.sqrt(sd**2 + noise)
    steps = gp.covariance(known, points) / spread
    best = mean.max()
    # what is below another point at every node counts for nothing, and most of what was tried is
    reach = np.abs(steps).max(axis=1) * _NODES[-1]
    counts = np.flatnonzero(mean + reach >= np.max(mean - reach))
    tops = (mean[counts, None, None] + steps[counts][:, :, None] * _NODES).max(axis=0)
    tops = np.maximum(tops, here[:, None] + (sd**2 / spread)[:, None] * _NODES)
    return np.log(np.maximum(tops @ _WEIGHTS - best, _LEAST))
