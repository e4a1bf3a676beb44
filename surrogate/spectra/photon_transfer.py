"""The noise of a detector from repeats: variance against level.

The photon-transfer method: Janesick, Klaasen & Elliott, Opt. Eng. 26, 972 (1987), doi:10.1117/12.7974183. The variance
of a count is a + b times its level: read-out noise, and photons at b counts an electron.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

LEVELS = 24
"""Groups of pixels of equal level, in which the variance is looked at."""
ROUNDS = 5
"""Of weights that follow the line."""


def photon_transfer(counts: Array) -> tuple[float, float]:
    """Return a and b of variance = a + b level, from the differences of ``r x p`` repeats, r at least 2.

    Pixels are grouped by level; in each group the median absolute difference of successive repeats gives the variance,
    so that single struck pixels do not count; the line is fitted with weights of equal relative error.
    """
    level = np.median(counts, axis=0)
    jump = np.abs(np.diff(counts, axis=0)) / np.sqrt(2.0)
    groups = np.array_split(np.argsort(level, kind="stable"), min(LEVELS, max(counts.shape[1] // 12, 1)))
    mean = np.array([level[group].mean() for group in groups])
    variance = np.array([(1.4826 * np.median(jump[:, group])) ** 2 for group in groups])
    return _line(mean - mean.min(), np.maximum(variance, 1e-12 * max(variance.max(), 1e-300)), float(mean.min()))


def _line(x: Array, variance: Array, lowest: float) -> tuple[float, float]:
    """Fit a + b (x + lowest), b at least 0 and the variance of the lowest level above 0."""
    weights, at_lowest, slope = 1.0 / variance, float(variance.min()), 0.0
    for _ in range(ROUNDS):
        design = np.stack([np.ones_like(x), x], axis=1) * weights[:, None]
        at_lowest, slope = np.linalg.lstsq(design, variance * weights, rcond=None)[0]
        if slope < 0.0 or at_lowest <= 0.0:
            slope = max(float(slope), 0.0)
            at_lowest = max(float(np.average(variance - slope * x, weights=weights**2)), float(variance.min()))
        weights = 1.0 / (at_lowest + slope * x)
    return float(at_lowest - slope * lowest), float(slope)
