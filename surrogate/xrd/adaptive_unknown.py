"""What is left over in a scan that is not finished: the strongest place of a matched filter, and whether it is a peak.

A finished pattern is looked through by `surrogate.xrd.residual`; here it is enough to know where one more look would
tell most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.special import expit

from surrogate.xrd.ghosts import ghosts
from surrogate.xrd.hypothesis import Hypothesis
from surrogate.xrd.pattern import Pattern

Array = NDArray[np.floating[Any]]

LOG_ODDS = -3.0
"""Of a peak that the library does not know, besides the number of places where noise could make one."""
UNSETTLED = (0.05, 0.95)
"""Probabilities between which it is worth a look."""
SHAPE_ERROR = 0.25
"""Of a peak's height: what is left beside strong lines is no sign of another phase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownPeak:
    """The strongest of what is left over."""

    two_theta_deg: float
    probability: float
    """Of its being a peak."""
    height: float
    """As the pattern's intensities."""

    @property
    def is_unsettled(self) -> bool:
        """Return whether one more look would tell."""
        return UNSETTLED[0] < self.probability < UNSETTLED[1]


def unknown_peak(pattern: Pattern, best: Hypothesis, *, width_deg: float) -> UnknownPeak:
    """Find what the best set leaves unexplained."""
    background, peaks = _model(pattern, best)
    left = pattern.intensity - background - peaks
    seen = np.isfinite(pattern.variance)
    variance = np.where(seen, pattern.variance, 1.0) + (SHAPE_ERROR * peaks) ** 2 + ghosts(pattern, peaks) ** 2
    weight = np.where(seen, 1.0 / np.maximum(variance, 1e-12), 0.0)
    sigma = width_deg / 2.355 / pattern.grid.step_deg
    # a Gaussian of height 1: the kernel of the filter has area 1
    per_height = sigma * math.sqrt(2.0 * math.pi)
    matched = per_height * gaussian_filter1d(weight * left, sigma, mode="constant")
    known = per_height / math.sqrt(2.0) * gaussian_filter1d(weight, sigma / math.sqrt(2.0), mode="constant")
    z = np.where(seen, matched / np.sqrt(np.maximum(known, 1e-12)), 0.0)
    at = int(z.argmax())
    n_places = max(1.0, float(seen.sum()) * pattern.grid.step_deg / width_deg)
    return UnknownPeak(
        two_theta_deg=float(pattern.two_theta_deg[at]),
        probability=float(expit(0.5 * max(z[at], 0.0) ** 2 - math.log(n_places) + LOG_ODDS)),
        height=max(float(matched[at] / max(known[at], 1e-12)), 0.0),
    )


def _model(pattern: Pattern, best: Hypothesis) -> tuple[Array, Array]:
    """Return ``n`` values of the background and of the peaks of a set."""
    if best.fitted is None:
        return pattern.baseline, np.zeros(pattern.grid.n)
    background = np.concatenate([pattern.smooth, pattern.humps], axis=1) @ best.fitted.coefficients[0].numpy()
    peaks = (best.fitted.scales @ best.fitted.profile).numpy() if best.phases else np.zeros(pattern.grid.n)
    return background, peaks
