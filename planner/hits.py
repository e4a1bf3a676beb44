"""The improvement to expect where a value, or a range of values, is to be hit.

The distance of a value z to an interval [a, b] is max(a - z, z - b, 0). Where the least distance so far is D, a value
improves on it by max(D - distance, 0): a trapezium over z, from a - D up to a, level to b, and down to b + D. Under a
normal z with mean m and deviation s, with ramps r(c) = E max(z - c, 0) = s h((m - c) / s), h(u) = phi(u) + u Phi(u),

    E[improvement] = r(a - D) - r(a) - r(b) + r(b + D)                                    (1)
                   = integral of P(a - t <= z <= b + t) over t from 0 to D.               (2)

(1) is taken in logarithm, in the manner of Ament et al., NeurIPS 2023, arXiv 2310.20708, so that it has a slope far
from the interval too; where D is so small that its differences would be lost to rounding, (2) is, by Gauss-Legendre
quadrature, whose integrand then hardly varies. The surrogate learns the value itself, never the distance, which has
kinks and is the same on both sides (composite functions: Astudillo and Frazier, ICML 2019, arXiv 1906.01537).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import log_ndtr, logsumexp

from planner.acquisition import NoisyLogEI, incumbent, log_h, log_mean

if TYPE_CHECKING:
    from planner.goals import Interval
    from planner.limits import Eligible
    from surrogate.matern_gp import GP

_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(6)
_SHALLOW = 0.05
"""Of a gap, in standard deviations over the distance: below it (1) would lose digits."""
_LEAST_GAP = 0.01
"""Of the standard deviation of the noise. Where the interval is hit already, the improvement is 0 everywhere; with a
gap as small as this it is the probability of hitting, times a constant."""


def log_hit(mean: np.ndarray, sd: np.ndarray, low: float, high: float, gap: np.ndarray) -> np.ndarray:
    """Return the logarithm of the expected improvement of the distance to an interval.

    Args:
        mean, sd: Of normal values; any shapes that fit each other.
        low, high: The interval's ends; they may be equal.
        gap: The least distance so far, above 0.
    """
    offset = np.abs(mean - 0.5 * (low + high)) / sd
    half = 0.5 * (high - low) / sd
    near, far, step = half - offset, -half - offset, gap / sd
    is_shallow = step * np.maximum(-near, 1.0) < _SHALLOW
    with np.errstate(divide="ignore", invalid="ignore"):
        deep = _log_difference(_log_ramp(near, step), _log_ramp(far - step, step))
    return np.log(sd) + np.where(is_shallow, _log_integral(near, far, step), deep)


def log_between(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the logarithm of the probability that a standard normal value lies between low and high > low."""
    is_upper = low + high > 0  # the lower tail keeps the digits
    left, right = np.where(is_upper, -high, low), np.where(is_upper, -low, high)
    width, middle = right - left, 0.5 * (left + right)
    is_narrow = width * np.maximum(-middle, 1.0) < 1e-4
    with np.errstate(divide="ignore", invalid="ignore"):
        wide = _log_difference(log_ndtr(right), log_ndtr(left))
        narrow = np.log(width) - 0.5 * middle * middle - 0.5 * np.log(2.0 * np.pi)
    return np.where(is_narrow, narrow, wide)


def _log_ramp(u: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Return log(h(u + step) - h(u))."""
    return _log_difference(log_h(u + step), log_h(u))


def _log_difference(greater: np.ndarray, less: np.ndarray) -> np.ndarray:
    """Return log(exp(greater) - exp(less))."""
    gap = less - greater
    return greater + np.where(gap > -0.7, np.log(-np.expm1(gap)), np.log1p(-np.exp(gap)))


def _log_integral(near: np.ndarray, far: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Return the logarithm of (2) over sd: `near` and `far` are the interval's ends less the mean, in deviations.

    The mean's reflection at the middle of the interval leaves P alone, so that it lies below the middle here.
    """
    total = []
    for node, weight in zip(_NODES, _NODE_WEIGHTS, strict=True):
        out = step * (0.5 * (1.0 + node))
        total.append(np.log(0.5 * weight) + np.log(step) + log_between(far - out, near + out))
    return np.asarray(logsumexp(np.stack(np.broadcast_arrays(*total)), axis=0))


class NoisyLogHit(NoisyLogEI):
    """Logarithm of the noisy expected improvement of the distance to an interval.

    Args:
        gp: What is known of the value itself.
        points: Every measured point of the process, and pending ones, `m x d`, each once.
        interval: What is aimed at, on the scale of the process.
        n_draws: How many draws of the noiseless values the improvement is averaged over.
        rng: Where the draws come from.
        limits: What results must keep to besides.
    """

    def __init__(
        self,
        gp: GP,
        points: np.ndarray,
        interval: Interval,
        *,
        n_draws: int,
        rng: np.random.Generator,
        limits: Eligible | None = None,
    ) -> None:
        super().__init__(gp, points, n_draws=n_draws, rng=rng, limits=limits)
        self._interval = interval

    @property
    def chance_of_hit(self) -> float:
        """Probability that a measured or pending point lies within the interval, and keeps to the limits."""
        return float(np.mean(self._gaps() <= 0.0))

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the score of points (`n x d`), `n`."""
        mean, sd = self._draws.posterior(points)
        gap = np.maximum(self._gaps(), _LEAST_GAP * self.noise_sd)
        scores = log_hit(mean, sd[:, None], self._interval.low, self._interval.high, gap)
        if self._limits is not None:
            scores = scores + self._limits.log_chance(points)
        return log_mean(scores)

    def _gaps(self) -> np.ndarray:
        """Return the least distance in each draw, `draws`."""
        return -incumbent(self._interval.merit(self._draws.values), self._limits)
