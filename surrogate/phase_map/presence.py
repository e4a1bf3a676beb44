"""Where a phase is: its amount as a Gaussian process that is seen only between nothing and everything.

The amount of a phase changes steadily across a region of several phases (lever rule), is 0 where the phase is absent
and 1 where it is alone. So there is a latent amount g(x): where a share between was seen, it is that; where the phase
was absent, g < 0; where it was alone, g > 1. So a boundary is found by extrapolation, and not only halfway between a
point on either side. Censored values are taken in by expectation propagation with probit sites (Rasmussen and Williams,
Gaussian Processes for Machine Learning (2006), section 3.6 and eq. (3.58)), all at once and damped. The length of the
process is that under which each value is predicted best by the others, by the cavities (section 5.4.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, solve_triangular
from scipy.special import log_ndtr, ndtr

from surrogate.gp import factor

LENGTHS = (0.15, 0.25, 0.4, 0.7)
"""Of the latent amount, in units of the coordinates."""
_SCALE = 1.0
"""Variance of the latent amount."""
_SD = 0.04
"""How well a share is known, and how soft the censoring is."""
_ALONE = 0.999
_MOST_ROUNDS = 60
_DAMPING = 0.6
_SQRT5 = 5.0**0.5


@dataclass(frozen=True)
class Amounts:
    """What was seen of one phase at `n` points."""

    points: np.ndarray
    """`n x d`"""
    shares: np.ndarray
    """From 0, absent, to 1, alone; `n`."""


@dataclass(frozen=True)
class Presence:
    """The latent amount of one phase, given what was seen."""

    length: float
    points: np.ndarray
    precision: np.ndarray
    """Of the sites, `n`."""
    target: np.ndarray
    """Means of the sites, `n`."""
    score: float
    """Sum of the logarithms of what each value was given by the others."""

    def latent(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`m` each) of the latent amount at points (`m x d`)."""
        root = np.sqrt(self.precision)
        lower = factor(np.eye(len(root)) + root[:, None] * _kernel(self.points, self.points, self.length) * root)
        cross = _kernel(points, self.points, self.length)
        weights = root * cho_solve((lower, True), root * self.target)
        half = solve_triangular(lower, (cross * root).T, lower=True)
        variance = _SCALE - np.sum(half * half, axis=0)
        return cross @ weights, np.sqrt(np.maximum(variance, 1e-12))

    def probability(self, points: np.ndarray) -> np.ndarray:
        """Return the probability (`m`) that the phase is there at points (`m x d`)."""
        mean, sd = self.latent(points)
        return ndtr(mean / sd)

    def with_pending(self, points: np.ndarray) -> Presence:
        """Return what would be known had points (`m x d`) shown what is expected there."""
        mean, _ = self.latent(points)
        return Presence(
            self.length,
            np.vstack([self.points, points]),
            np.concatenate([self.precision, np.full(len(points), _SD**-2)]),
            np.concatenate([self.target, mean]),
            self.score,
        )


def fit_presences(amounts: Sequence[Amounts]) -> list[Presence]:
    """Fit the latent amounts of phases; they share the length under which all together are predicted best."""
    found = [[_propagated(one, length) for one in amounts] for length in LENGTHS]
    return max(found, key=lambda fits: sum(fit.score for fit in fits), default=[])


def _propagated(amounts: Amounts, length: float) -> Presence:
    shares = amounts.shares
    absent, alone = shares <= 0.0, shares >= _ALONE
    sign = np.where(absent, -1.0, 1.0)
    edge = np.where(alone, 1.0, 0.0)
    is_censored = absent | alone
    covariance = _kernel(amounts.points, amounts.points, length)
    precision = np.where(is_censored, 1e-6, _SD**-2)
    shift = np.where(is_censored, 0.0, shares * _SD**-2)  # precision times mean
    for _ in range(_MOST_ROUNDS):
        _, fresh_precision, fresh_shift = _probit_sites(*_cavities(covariance, precision, shift), sign, edge)
        step = np.abs(np.where(is_censored, fresh_shift - shift, 0.0)).max()
        precision = np.where(is_censored, _damped(precision, fresh_precision), precision)
        shift = np.where(is_censored, _damped(shift, fresh_shift), shift)
        if step < 1e-4:
            break
    cavity_mean, cavity_variance = _cavities(covariance, precision, shift)
    log_z, _, _ = _probit_sites(cavity_mean, cavity_variance, sign, edge)
    plain = cavity_variance + _SD**2
    log_normal = -0.5 * ((shares - cavity_mean) ** 2 / plain + np.log(2.0 * np.pi * plain))
    # the density of a share, made a probability by the width that a share is known to
    score = np.where(is_censored, log_z, np.minimum(log_normal + np.log(_SD), 0.0))
    return Presence(length, amounts.points, precision, shift / precision, float(np.sum(score)))


def _cavities(covariance: np.ndarray, precision: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance (`n` each) of the latent amount at each point, given the sites of all others."""
    mean, variance = _posterior(covariance, precision, shift)
    cavity_variance = 1.0 / np.maximum(1.0 / variance - precision, 1e-9)
    return cavity_variance * (mean / variance - shift), cavity_variance


def _damped(old: np.ndarray, fresh: np.ndarray) -> np.ndarray:
    return (1.0 - _DAMPING) * old + _DAMPING * fresh


def _posterior(covariance: np.ndarray, precision: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance (`n` each) of the latent amount at the points, given the sites."""
    root = np.sqrt(precision)
    lower = factor(np.eye(len(root)) + root[:, None] * covariance * root)
    half = solve_triangular(lower, root[:, None] * covariance, lower=True)
    variance = np.maximum(np.diag(covariance) - np.sum(half * half, axis=0), 1e-10)
    return covariance @ shift - half.T @ (half @ shift), variance


def _probit_sites(
    mean: np.ndarray, variance: np.ndarray, sign: np.ndarray, edge: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return log normaliser, precision, and precision times mean of sites that say `sign (g - edge) > 0`, `n` each."""
    width = np.sqrt(_SD**2 + variance)
    z = sign * (mean - edge) / width
    log_z = log_ndtr(z)
    ratio = np.exp(-0.5 * z * z - 0.5 * np.log(2.0 * np.pi) - log_z)
    fresh_mean = mean + sign * variance * ratio / width
    fresh_variance = variance - variance**2 * ratio * (z + ratio) / width**2
    fresh_variance = np.clip(fresh_variance, 1e-10, variance * (1.0 - 1e-9))
    precision = 1.0 / fresh_variance - 1.0 / variance
    return log_z, precision, fresh_mean / fresh_variance - mean / variance


def _kernel(left: np.ndarray, right: np.ndarray, length: float) -> np.ndarray:
    """Return Matern-5/2 covariances (`n x m`) between points (`n x d`, `m x d`)."""
    squared = np.sum(left**2, axis=1)[:, None] + np.sum(right**2, axis=1)[None, :] - 2.0 * left @ right.T
    r = _SQRT5 * np.sqrt(np.maximum(squared, 0.0)) / length
    return _SCALE * (1.0 + r + r * r / 3.0) * np.exp(-r)
