"""What a result says of a forecast that was made before it.

A forecast is a mean and a standard deviation. It is scored by the log density of a Student-t with 4 degrees of freedom:
near the middle it is like the normal, but a result 20 standard deviations away costs 12 nats and not 200, so that one
outlier cannot decide between models. Its scale is 0.831 standard deviations: then, where results are normal, no mean
and no standard deviation but the true ones have a greater expected score. With a Student-t of the same standard
deviation, wider forecasts than the truth would win. Calibration is judged by the normal, as intervals are told.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ndtr

Array = NDArray[np.floating[Any]]

DENSITY = "student-t 4"
"""What a forecast is scored by, as the ledger names it."""
_DEGREES = 4.0
_SCALE = 0.8310034937777917
"""Root of ``E[5 z^2 / (4 s^2 + z^2)] = 1`` in s, z standard normal: there the expected score has its maximum."""
_CONSTANT = float(gammaln((_DEGREES + 1.0) / 2.0) - gammaln(_DEGREES / 2.0) - 0.5 * np.log(_DEGREES * np.pi))


def log_score(mean: float, sd: float, value: float) -> float:
    """Return the log density of a value, per its unit.

    Raises:
        ValueError: One is no finite number, or the standard deviation is not above 0.
    """
    return float(log_scores(np.array(_standard(mean, sd, value)), 1.0) - np.log(sd))


def log_scores(z: Array, scales: Array | float) -> Array:
    """Return the log density of values that are z standard deviations off, were these so many times as large."""
    parts = z / (scales * _SCALE)
    return _CONSTANT - np.log(scales * _SCALE) - 0.5 * (_DEGREES + 1.0) * np.log1p(parts * parts / _DEGREES)


def pit(mean: float, sd: float, value: float) -> float:
    """Return the probability that was given to values up to this one: even in 0 to 1 where forecasts are calibrated.

    Raises:
        ValueError: As `log_score`.
    """
    return float(ndtr(_standard(mean, sd, value)))


def _standard(mean: float, sd: float, value: float) -> float:
    if not (isfinite(mean) and isfinite(value) and isfinite(sd) and sd > 0.0):
        raise ValueError(f"a forecast of {mean} +- {sd} cannot be scored with {value}: finite numbers, sd > 0")
    # far beyond any decision, and squares must not overflow
    return float(np.clip((value - mean) / sd, -1e100, 1e100))
