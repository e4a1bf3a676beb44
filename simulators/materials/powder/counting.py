"""From expected counts to counts: dead time, Poisson statistics, and a little more scatter than Poisson's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulators.materials.powder.settings import Counting

Array = NDArray[np.float64]


def count(
    expected: Array,
    counting: Counting,
    *,
    count_time_s: float,
    rng: np.random.Generator,
    attenuation: Array | float = 1.0,
    gain: Array | float = 1.0,
) -> NDArray[np.int64]:
    """Return ``n`` counts.

    Args:
        expected: Photons that arrive in the counting time.
        counting: Of the detector.
        count_time_s: Of each point.
        rng: Of the statistics.
        attenuation: By an absorber, factors of at least 1 by which counts are multiplied back.
        gain: Errors of these factors.
    """
    seen = observed(expected / attenuation, counting.dead_time_s, count_time_s)
    if counting.over_dispersion:
        shape = 1.0 / counting.over_dispersion
        seen = seen * rng.gamma(shape, 1.0 / shape, len(seen))
    return np.rint(rng.poisson(seen) * attenuation * gain).astype(np.int64)


def observed(expected: Array, dead_time_s: float, count_time_s: float) -> Array:
    """Return the mean counts of a detector that is blind for a while after each (not paralysable)."""
    return expected / (1.0 + expected / count_time_s * dead_time_s)
