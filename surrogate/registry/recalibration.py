"""By what standard deviations are multiplied before people are told them, from results that came after forecasts.

The scale is that which makes the log score of past forecasts greatest (`surrogate.registry.scores`), with a normal
prior of its logarithm about 0: its posterior says how far it is known. Wider is told as soon as the middle of that
says so; narrower only by as much as is nearly certain, and as would still have held 90 % of the results, for being too
sure costs more than being too careful: where a few gross errors stand beside good forecasts, both must be true.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from surrogate.registry.calibration import FEWEST, WINDOW, conformal_factor
from surrogate.registry.scores import log_scores

PRIOR = 1.0
"""Standard deviation of the logarithm of the scale beforehand."""
CERTAIN = 0.975
"""Quantile of the scale that must lie below 1 before narrower intervals are told: it is then told itself."""
_GRID = np.linspace(-1.5, 2.5, 201)
_FARTHEST = 1e-16


def correction(pits: Sequence[float]) -> float:
    """Return what standard deviations are to be told as multiples of, by the PIT of results; 1 below 8 of them.

    pits: of all results so far, the newest last; the last 40 count.
    """
    if len(pits) < FEWEST:
        return 1.0
    # a PIT of 0 or 1 is one that ran out of digits, 8 standard deviations away at least
    z = ndtri(np.clip(np.asarray(pits[-WINDOW:], dtype=float), _FARTHEST, 1.0 - _FARTHEST))
    posterior = log_scores(z[:, None], np.exp(_GRID)).sum(axis=0) - 0.5 * (_GRID / PRIOR) ** 2
    weights = np.cumsum(np.exp(posterior - posterior.max()))
    middle, most = np.exp(np.interp([0.5, CERTAIN], weights / weights[-1], _GRID))
    if middle >= 1.0:
        return float(middle)
    holding = conformal_factor(pits[-WINDOW:])
    return 1.0 if holding is None else float(min(1.0, max(most, holding)))
