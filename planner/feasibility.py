"""Learning from failures: the probability that a recipe gives a result at all.

A Gaussian process classifier with a logistic link, by Laplace's approximation (Rasmussen and Williams, Gaussian
Processes for Machine Learning (2006), algorithms 3.1 and 3.2). Lengths, one per column, and the scale are those with
the greatest evidence on a coarse grid: failures are few, and a finer search would fit their accidents. Failures
that come at random (a leaking cap) have the greatest evidence at a small scale, and then forbid nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, solve_triangular
from scipy.special import expit, log_expit

from surrogate.gp import factor
from surrogate.matern_gp import Kernel

_LENGTHS = (0.15, 0.3, 0.6, 1.2, 2.4)
_SCALES = (0.5, 4.0, 25.0)
_BIAS_VARIANCE = 4.0
"""Prior variance of the overall log-odds."""

_MOST_LABELS = 250
_MOST_STEPS = 40


@dataclass(frozen=True)
class Viability:
    """Where recipes give a result."""

    kernel: Kernel
    codes: np.ndarray
    gradient: np.ndarray
    """Derivative of the log likelihood at the mode, `n`."""
    root: np.ndarray
    """Square root of the negative second derivative, `n`."""
    lower: np.ndarray
    """Cholesky factor of `I + root K root`."""
    evidence: float

    def probability(self, codes: np.ndarray) -> np.ndarray:
        """Return the probability of a result at encoded points (`m x d`), `m`."""
        cross = self.kernel(codes, self.codes) + _BIAS_VARIANCE
        half = solve_triangular(self.lower, self.root[:, None] * cross.T, lower=True)
        variance = self.kernel.scale + _BIAS_VARIANCE - np.sum(half * half, axis=0)
        return expit(cross @ self.gradient / np.sqrt(1.0 + np.pi / 8.0 * np.maximum(variance, 0.0)))


def fit_viability(codes: np.ndarray, is_result: np.ndarray) -> Viability:
    """Fit the classifier.

    Args:
        codes: Encoded points that were tried, `n x d`.
        is_result: Whether each gave a result (`n`, bool).
    """
    codes, is_result = _thinned(codes, is_result)
    signs = np.where(is_result, 1.0, -1.0)
    width = codes.shape[1]
    shared = [Kernel(np.full(width, length * width**0.5), scale) for length in _LENGTHS for scale in _SCALES]
    best = max((_laplace(kernel, codes, signs) for kernel in shared), key=_score)
    for column in np.flatnonzero(np.ptp(codes, axis=0) > 0):
        for stretch in (0.4, 2.5):
            lengths = best.kernel.lengths.copy()
            lengths[column] *= stretch
            best = max(best, _laplace(Kernel(lengths, best.kernel.scale), codes, signs), key=_score)
    return best


def _score(fit: Viability) -> float:
    """Return evidence plus a weak log prior of the lengths about half a range."""
    width = len(fit.kernel.lengths)
    return fit.evidence - float(np.sum(np.log(fit.kernel.lengths / (0.5 * width**0.5)) ** 2)) / 8.0


def _laplace(kernel: Kernel, codes: np.ndarray, signs: np.ndarray) -> Viability:
    """Find the mode of the posterior by Newton's method, and the evidence there."""
    covariance = kernel(codes, codes) + _BIAS_VARIANCE
    latent, objective = np.zeros(len(signs)), -np.inf
    for _ in range(_MOST_STEPS):
        weights = _newton_weights(covariance, latent, signs)
        latent = covariance @ weights
        before, objective = objective, float(-0.5 * weights @ latent + np.sum(log_expit(signs * latent)))
        if objective - before < 1e-6:
            break
    root, lower = _curvature(covariance, latent)
    evidence = objective - float(np.sum(np.log(np.diag(lower))))
    return Viability(kernel, codes, _gradient(latent, signs), root, lower, evidence)


def _newton_weights(covariance: np.ndarray, latent: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Return `K^-1 f` after one step (algorithm 3.1, lines 4 to 7)."""
    root, lower = _curvature(covariance, latent)
    pull = root**2 * latent + _gradient(latent, signs)
    return pull - root * cho_solve((lower, True), root * (covariance @ pull))


def _gradient(latent: np.ndarray, signs: np.ndarray) -> np.ndarray:
    return (signs + 1.0) / 2.0 - expit(latent)


def _curvature(covariance: np.ndarray, latent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    chance = expit(latent)
    root = np.sqrt(chance * (1.0 - chance))
    return root, factor(np.eye(len(latent)) + root[:, None] * covariance * root)


def _thinned(codes: np.ndarray, is_result: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep every failure and spread the results evenly over the rest of what is affordable."""
    failures, results = np.flatnonzero(~is_result), np.flatnonzero(is_result)
    room = max(_MOST_LABELS - len(failures), _MOST_LABELS // 2)
    if len(results) > room:
        results = results[np.linspace(0, len(results) - 1, room).round().astype(int)]
    kept = np.sort(np.concatenate([failures[-_MOST_LABELS:], results]))
    return codes[kept], is_result[kept]
