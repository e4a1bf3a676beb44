"""The noise of a spectrum, from the spectrum itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

NOISE_BLOCK = 75
"""Pixels over which the noise is taken as constant."""
WHITE = -2.0 / 3.0
"""Lag-one correlation of the second differences of white noise."""


def noise_sd(values: Array, valid: Mask) -> Array:
    """Return ``m x p`` pixel noise by the median absolute second difference in blocks, which signals hardly reach."""
    m, p = values.shape
    second = np.abs(values[:, 2:] - 2.0 * values[:, 1:-1] + values[:, :-2]) / np.sqrt(6.0)
    usable = valid[:, 2:] & valid[:, 1:-1] & valid[:, :-2]
    edges = np.unique(np.append(np.arange(0, max(p - 2 - NOISE_BLOCK // 2, 1), NOISE_BLOCK), p - 2))
    sd = np.full((m, len(edges) - 1), np.nan)
    for block, (start, stop) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        sd[:, block] = 1.4826 * _masked_median(second[:, start:stop], usable[:, start:stop])
    centres = 0.5 * (edges[:-1] + edges[1:]) + 1.0
    return np.array([_spread(centres, row, p) for row in sd])


def neighbour_correlation(residual: Array) -> float:
    """Return the correlation of neighbouring points' noise that the second differences of ``p`` values suggest.

    For noise of lag-one correlation rho (a moving average of two), second differences have the lag-one correlation
    (-4 + 7 rho) / (6 - 8 rho); it is solved for rho. Large differences are cut to size: they are peaks, not noise.
    """
    second = np.diff(residual, n=2)
    bound = 3.0 * 1.4826 * float(np.median(np.abs(second)))
    second = np.clip(second, -bound, bound)
    power = float(second @ second)
    if power == 0.0:
        return 0.0
    seen = float(second[1:] @ second[:-1]) / power
    return float(np.clip((4.0 + 6.0 * seen) / (7.0 + 8.0 * seen), -1.0, 1.0))


def _masked_median(values: Array, usable: Mask) -> Array:
    """Return ``m`` medians of the usable entries of each row; NaN where fewer than half are."""
    few = usable.mean(axis=1) < 0.5
    hidden = np.sort(np.where(usable, values, np.inf), axis=1)
    middle = np.maximum(usable.sum(axis=1) - 1, 0) // 2
    return np.where(few, np.nan, hidden[np.arange(len(values)), middle])


def _spread(centres: Array, sd: Array, p: int) -> Array:
    known = np.isfinite(sd)
    if not known.any():
        return np.full(p, np.inf)
    return np.interp(np.arange(p), centres[known], sd[known])
