"""What a stripe would teach: by how much measuring it reduces the uncertainty of the whole map.

The outer loop's counterpart of the inner loop's integrated uncertainty, in the manner of active learning Cohn (Gramacy
and Apley, J. Comput. Graph. Stat. 24, 561 (2015)): for a stripe that shows conditions S,

    worth = tr( cov(M, S) (cov(S, S) + noise)^-1 cov(S, M) ),

summed over the conditions M that stripes can show. Other than the variance along the stripe itself, it does not favour
the corners of the map, where much is unknown and little else depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from surrogate.map_model import GradientMap

SPACING_C = 38.0
"""About how far apart the conditions are that stand for a stripe; finer than a map varies, coarser than it is noisy."""
_MOST_POINTS = 900
_MOST_REFERENCES = 400
_MOST_LOOKED = 800
"""On a spread: conditions that stand for all, and stripes that are looked at."""


def shown_below_c(peaks_c: np.ndarray, *, reach_c: float, margin_c: float) -> np.ndarray:
    """Return ``t`` temperatures, below the peak, that stand for a stripe.

    On a regular grid of peak temperatures they are whole steps apart, so that stripes share conditions and there are
    few to compute.
    """
    steps = np.diff(np.unique(peaks_c))
    span = reach_c - margin_c
    if len(steps) and np.allclose(steps, steps[0], rtol=1e-6) and steps[0] <= span:
        spacing = steps[0] * max(round(SPACING_C / steps[0]), 1)
    else:
        spacing = span / max(round(span / SPACING_C), 1)
    return margin_c + spacing * np.arange(int(span / spacing + 1e-9) + 1)


def uncertainty_removed(known: GradientMap, stripes: np.ndarray, *, findings: int) -> np.ndarray:
    """Return what each of ``n`` stripes is worth.

    Args:
        known: the map so far.
        stripes: ``n x t x d`` conditions (temperature in degC, log10 dwell, fractions) that stand for each stripe.
        findings: how many conditions a stripe is really measured at.
    """
    n, t, d = stripes.shape
    if d > 2 and n * t > _MOST_POINTS:
        return _removed_somewhere(known, stripes, findings)
    chosen = _affordable(known, stripes)
    some = stripes[chosen]
    points, index = np.unique(np.round(some.reshape(-1, d), 9), axis=0, return_inverse=True)
    index = index.reshape(len(some), t)
    covariance = known.latent_covariance(points, points)
    noise = float(np.median(known.noise)) * t / max(findings, t)
    inner = covariance[index[:, :, None], index[:, None, :]] + noise * np.eye(t)
    # tr(C_ms S^-1 C_sm) = sum of (C_sm C_ms) * S^-1, and C_sm C_ms is a block of the squared covariance
    squared = covariance @ covariance
    worth = np.full(len(stripes), -np.inf)
    worth[chosen] = np.sum(squared[index[:, :, None], index[:, None, :]] * np.linalg.inv(inner), axis=(1, 2))
    return worth


def _removed_somewhere(known: GradientMap, stripes: np.ndarray, findings: int) -> np.ndarray:
    """Return the worth of many stripes whose conditions differ: the variance removed at some of all conditions.

    Conditions of a spread are too many, and differ too much, for those of the stripes that are looked at to stand for
    all: M is spread evenly over the list.
    """
    n, t, d = stripes.shape
    everywhere = stripes.reshape(-1, d)
    some = everywhere[np.unique(np.linspace(0, len(everywhere) - 1, _MOST_REFERENCES).round().astype(int))]
    noise = float(np.median(known.noise)) * t / max(findings, t) * np.eye(t)
    worth = np.full(n, -np.inf)
    for part in np.array_split(_least_known(known, stripes), max(min(n, _MOST_LOOKED) // 50, 1)):
        points = stripes[part].reshape(-1, d)
        across = known.latent_covariance(points, some).reshape(len(part), t, -1)
        within = known.latent_covariance(points, points).reshape(len(part), t, len(part), t)
        own = np.array([within[i, :, i] for i in range(len(part))]) + noise
        worth[part] = np.sum(across * np.linalg.solve(own, across), axis=(1, 2))
    return worth


def _least_known(known: GradientMap, stripes: np.ndarray) -> np.ndarray:
    """Return those of the stripes to look at: half of them least known, the others spread over the list."""
    n, t, d = stripes.shape
    if n <= _MOST_LOOKED:
        return np.arange(n)
    points = stripes.reshape(-1, d)
    _, variance = known.latent(points[:, 0], points[:, 1], points[:, 2:])
    first = np.argsort(-variance.reshape(n, t).sum(axis=1), kind="stable")[: _MOST_LOOKED // 2]
    return np.union1d(first, np.linspace(0, n - 1, _MOST_LOOKED // 2).round().astype(int))


def _affordable(known: GradientMap, stripes: np.ndarray) -> np.ndarray | Sequence[int]:
    """Return the stripes to look at: all, or, of a large or irregular list, those along which least is known."""
    n, t = stripes.shape[:2]
    points = stripes.reshape(-1, 2)
    if len(np.unique(np.round(points, 9), axis=0)) <= _MOST_POINTS:
        return np.arange(n)
    _, variance = known.latent(points[:, 0], points[:, 1])
    return np.sort(np.argsort(-variance.reshape(n, t).sum(axis=1), kind="stable")[: max(_MOST_POINTS // t, 1)])
