"""Whittaker's smoother: penalised second differences, in time proportional to the number of points.

Eilers, Anal. Chem. 75, 3631 (2003), doi:10.1021/ac034173t, equations 4 to 6. Smoothness is stated as the shortest
period L, in points, that is followed: a wave of that period is passed by half where the penalty is (L / 2 pi)^4.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve_banded, cholesky_banded

Array = NDArray[np.floating[Any]]

_TRACE = 1e-9
"""A weight everywhere: fewer than two weighted points do not determine a line."""


def penalty(period: float) -> float:
    """Return the penalty of second differences that passes a wave of this many points by half."""
    return (period / (2.0 * np.pi)) ** 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Whittaker:
    """A smoother of ``p`` weighted points: least sum w (y - b)^2 + penalty mean(w) |second difference of b|^2."""

    weights: Array
    """``p``, of mean 1 over the points that have any."""
    scale: float
    """What the weights were divided by."""
    factor: Array
    """``3 x p``, Cholesky factor of the banded system."""

    @classmethod
    def of(cls, weights: Array, period: float) -> Whittaker:
        """Factor the system of ``p`` weights, at least one of them above zero."""
        scale = float(weights[weights > 0].mean())
        bands = penalty(period) * _bands(len(weights))
        bands[-1] += weights / scale + _TRACE
        return cls(weights=weights / scale, scale=scale, factor=cholesky_banded(bands))

    def __call__(self, y: Array) -> Array:
        """Return the smooth ``p`` (or ``p x c``) values."""
        weights = self.weights if y.ndim == 1 else self.weights[:, None]
        return cho_solve_banded((self.factor, False), weights * y)

    def rest(self, y: Array) -> Array:
        """Return ``M y`` of ``p x c`` values, where y' M y is the least value of the minimised sum."""
        return self.scale * self.weights[:, None] * (y - self(y))


@lru_cache(maxsize=8)
def _bands(p: int) -> Array:
    """Return D'D of second differences as ``3 x p`` upper bands."""
    second = np.array([1.0, -2.0, 1.0])
    bands = np.zeros((3, p))
    for lag in range(3):
        for offset, value in enumerate(second[: 3 - lag] * second[lag:]):
            bands[2 - lag, lag + offset : p - 2 + lag + offset] += value
    return bands
