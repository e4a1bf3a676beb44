"""Where a target passes a level: what points are worth for finding it, and how much of a space is still undecided.

The worth is the variance that a measurement removes where the sign is open: of each point of the space, weighted with
the density of its value at the level (targeted integrated mean square error; Picheny et al., J. Mech. Des. 132, 071008
(2010), doi 10.1115/1.4001873, eq. 13). The straddle, `1.96 sd - |mean - level|` (Bryan et al., NIPS 18, 163 (2005), eq.
4), looks at each point by itself: it is cheaper, and sends measurements to the rim of the space. A point is undecided
while the chance of lying above is neither small nor large (as in Gotovos et al., IJCAI 2013, 1344, with intervals).
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from planner.models import TargetModel, widening
from surrogate.matern_gp import GP

_STRADDLE = 1.96
_LEAST = 1e-300


class LevelVariance:
    """Logarithm of the variance that a measurement removes, weighted with the density at the level.

    Args:
        gp: What is known.
        level: On the process's scale.
        pending: Encoded points that are under way, `m x d`.
        everywhere: Encoded points that stand for the whole space, `e x d`.
    """

    def __init__(self, gp: GP, level: float, pending: np.ndarray, everywhere: np.ndarray) -> None:
        self._level, self._everywhere = level, everywhere
        self._take(gp.with_pending(pending) if len(pending) else gp)

    def _take(self, gp: GP) -> None:
        mean, sd = gp.posterior(self._everywhere)
        self._gp, self._told = gp, gp.whitened(self._everywhere)
        self._density = np.exp(-0.5 * ((mean - self._level) / sd) ** 2) / sd

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the score of encoded points (`n x d`), `n`."""
        gp, half = self._gp, self._gp.whitened(points)
        shared = gp.kernel(points, self._everywhere) - half.T @ self._told
        variance = np.maximum(gp.kernel.scale - np.einsum("ij,ij->j", half, half), 1e-12 * gp.kernel.scale)
        gain = (shared * shared) @ self._density / (variance + np.median(gp.noise))
        return np.log(np.maximum(gain / len(self._everywhere), _LEAST))

    def add(self, point: np.ndarray, rng: np.random.Generator) -> None:
        """Take a chosen point (`d`) as pending: it will be known as well as any measured one."""
        del rng
        self._take(self._gp.with_pending(point[None]))


class Straddle:
    """How far the level lies within the interval of a point, `1.96 sd - |mean - level|`."""

    def __init__(self, gp: GP, level: float, pending: np.ndarray) -> None:
        self._gp, self._level = gp.with_pending(pending) if len(pending) else gp, level

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the score of encoded points (`n x d`), `n`."""
        mean, sd = self._gp.posterior(points)
        return _STRADDLE * sd - np.abs(mean - self._level)

    def add(self, point: np.ndarray, rng: np.random.Generator) -> None:
        """Take a chosen point (`d`) as pending: it will be known as well as any measured one."""
        del rng
        self._gp = self._gp.with_pending(point[None])


def chance_above(model: TargetModel, codes: np.ndarray, level: float) -> np.ndarray:
    """Return the chance that the noiseless target exceeds a level (in its unit) at encoded points (`n x d`), `n`."""
    mean, sd = model.gp.posterior(codes)
    height = float(model.scale.forward(np.array([level]))[0])
    return ndtr((mean - height) / (sd * np.sqrt(widening(model.gp))))


def undecided(chances: np.ndarray, risk: float) -> float:
    """Return the share of points (`n`) whose chance of lying above is neither below a risk nor beyond one less it."""
    return float(np.mean((chances > risk) & (chances < 1.0 - risk)))
