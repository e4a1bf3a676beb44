"""Limits on what is measured: unknown constraints, of which every result tells how far it is from the limit.

The worth of a point is multiplied by the probability that it keeps to all limits, and only points that do can be the
incumbent of a draw (constrained noisy expected improvement: Letham et al., Bayesian Analysis 14, 495 (2019), doi
10.1214/18-BA1110, section 3.3; Gardner et al., ICML 2014). Where no known point keeps to them in a draw, the least
of all is its incumbent, so that the probability of keeping to the limits leads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import log_ndtr

from planner.acquisition import Draws
from planner.models import TargetModel
from planner.objective import Objective
from surrogate.matern_gp import GP

_LEAST = -1e5
"""Of the logarithm of a probability: sums of it must stay finite."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A process that must stay at or above a bound."""

    gp: GP
    bound: float

    @classmethod
    def of(cls, objective: Objective, model: TargetModel) -> Limit:
        """Return the limit that an objective sets, on the scale of its surrogate, upright."""
        bound = float(model.scale.forward(np.array([objective.limit]))[0])
        return cls(model.gp, bound) if objective.direction == "at_least" else cls(model.gp.negated(), -bound)

    def log_chance(self, points: np.ndarray) -> np.ndarray:
        """Return the logarithm of the probability that points (`n x d`) keep to it, `n`."""
        mean, sd = self.gp.posterior(points)
        return np.maximum(log_ndtr((mean - self.bound) / sd), _LEAST)


class Eligible(Protocol):
    """Which points may be the best, and the chance that others may."""

    def kept(self) -> np.ndarray:
        """Say which known points may be the best in which draws, `m x draws`."""
        ...

    def log_chance(self, points: np.ndarray) -> np.ndarray:
        """Return the logarithm of the probability that points (`n x d`) may, given each draw, `n x draws`."""
        ...

    def add(self, point: np.ndarray, rng: np.random.Generator) -> None:
        """Take a chosen point (`d`) as pending."""
        ...


class Limits:
    """Draws of what limits are set on, at measured and pending points.

    Args:
        limits: One at least.
        points: Every measured point of every process, and pending ones, `m x d`, each once.
        n_draws: How many.
        rng: Where the draws come from.
    """

    def __init__(self, limits: Sequence[Limit], points: np.ndarray, *, n_draws: int, rng: np.random.Generator) -> None:
        self._bounds = [limit.bound for limit in limits]
        self._draws = [Draws(limit.gp, points, n_draws=n_draws, rng=rng) for limit in limits]

    def kept(self) -> np.ndarray:
        """Say which points keep to all limits in which draws, `m x draws`."""
        pairs = zip(self._draws, self._bounds, strict=True)
        return np.all([draws.values >= bound for draws, bound in pairs], axis=0)

    def log_chance(self, points: np.ndarray) -> np.ndarray:
        """Return the logarithm of the probability that points (`n x d`) keep to all, given each draw, `n x draws`."""
        total = 0.0
        for draws, bound in zip(self._draws, self._bounds, strict=True):
            mean, sd = draws.posterior(points)
            total = total + np.maximum(log_ndtr((mean - bound) / sd[:, None]), _LEAST)
        return np.asarray(total)

    def add(self, point: np.ndarray, rng: np.random.Generator) -> None:
        """Take a chosen point (`d`) as pending."""
        for draws in self._draws:
            draws.add(point, rng)
