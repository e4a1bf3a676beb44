"""Several objectives as one number: desirabilities, and the improvement of their mean to expect.

After Derringer and Suich, J. Qual. Technol. 12, 214 (1980), doi 10.1080/00224065.1980.11968968: each value becomes a
desirability from 0 (of no use) to 1 (as good as wanted), eqs. 1 and 2 with the weight as their power, and the whole is
the geometric mean of all, eq. 3: one result of no use makes the whole of no use. Each target is modelled by itself, for
the mean has kinks where a surrogate would not expect them; the improvement is then an average over draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planner.acquisition import SMOOTHING, Draws, incumbent, log_gain, log_mean
from planner.limits import Eligible
from planner.objective import Objective
from planner.transforms import TargetScale
from surrogate.matern_gp import GP

_TOE = 0.02
"""Desirability below which a value's own is continued beyond its worse end, ever less and never 0: an optimiser then
finds the way up where all is of no use yet."""


def desirability(objective: Objective, values: np.ndarray) -> np.ndarray:
    """Return the desirability of values, from 0 to 1, of any shape; not a number where they are none."""
    return np.clip(_height(objective, values), 0.0, 1.0) ** objective.weight


def overall(objectives: Sequence[Objective], values: Mapping[str, float]) -> float | None:
    """Return the geometric mean of the desirabilities of values by target; None where one is missing."""
    if any(objective.name not in values for objective in objectives):
        return None
    each = [float(desirability(objective, np.array(values[objective.name]))) for objective in objectives]
    return float(np.prod(each) ** (1.0 / len(each)))


def _height(objective: Objective, values: np.ndarray) -> np.ndarray:
    """Return the straight line that desirability is the part from 0 to 1 of; of two lines, the lower one."""
    low, high = objective.desirability or (0.0, 1.0)
    if objective.direction == "maximize":
        return (values - low) / (high - low)
    if objective.direction == "minimize":
        return (high - values) / (high - low)
    start, end = objective.interval
    return np.minimum((values - low) / (start - low), (high - values) / (high - end))


@dataclass(frozen=True, slots=True)
class Desire:
    """An objective's desirability on the scale of its surrogate."""

    objective: Objective
    scale: TargetScale
    sign: float
    """-1 where the process is upside down."""

    def of(self, values: np.ndarray) -> np.ndarray:
        """Return the desirability of values of the process, of any shape."""
        return desirability(self.objective, self.scale.inverse(self.sign * values))

    def log_with_toe(self, values: np.ndarray) -> np.ndarray:
        """Return the logarithm of the desirability, continued where it would be 0."""
        height = np.minimum(_height(self.objective, self.scale.inverse(self.sign * values)), 1.0)
        toe = np.log(_TOE) + height / _TOE - 1.0
        return self.objective.weight * np.where(height > _TOE, np.log(np.maximum(height, _TOE)), toe)


class NoisyLogDesirability:
    """Logarithm of the expected improvement of the overall desirability.

    Args:
        gps: What is known, one process for each objective.
        desires: What is wanted of each.
        points: Every measured point of every process, and pending ones, `m x d`, each once.
        n_draws: How many draws the improvement is averaged over.
        rng: Where the draws come from.
        limits: What results must keep to besides.
    """

    def __init__(
        self,
        gps: Sequence[GP],
        desires: Sequence[Desire],
        points: np.ndarray,
        *,
        n_draws: int,
        rng: np.random.Generator,
        limits: Eligible | None = None,
    ) -> None:
        self._draws = [Draws(gp, points, n_draws=n_draws, rng=rng) for gp in gps]
        self._desires, self._limits = desires, limits
        self._begin(rng)

    def _begin(self, rng: np.random.Generator) -> None:
        self._noise = [rng.standard_normal(draws.values.shape[1]) for draws in self._draws]
        merits = [desire.of(draws.values) for desire, draws in zip(self._desires, self._draws, strict=True)]
        self._best = incumbent(np.prod(merits, axis=0) ** (1.0 / len(merits)), self._limits)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the score of points (`n x d`), `n`."""
        total = 0.0
        for draws, noise, desire in zip(self._draws, self._noise, self._desires, strict=True):
            mean, sd = draws.posterior(points)
            total = total + desire.log_with_toe(mean + sd[:, None] * noise)
        whole = np.exp(np.maximum(np.asarray(total) / len(self._draws), -700.0))
        scores = np.where(self._best > 0, log_gain((whole - self._best) / SMOOTHING), np.log(whole / SMOOTHING))
        if self._limits is not None:
            scores = scores + self._limits.log_chance(points)
        return log_mean(scores)

    def add(self, point: np.ndarray, rng: np.random.Generator) -> None:
        """Take a chosen point (`d`) as pending: it gets values in every draw."""
        for draws in self._draws:
            draws.add(point, rng)
        if self._limits is not None:
            self._limits.add(point, rng)
        self._begin(rng)
