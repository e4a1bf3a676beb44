"""How far a level of fidelity resembles a cheaper one: the factor between them, and what the level has for itself.

The level's values are a factor times what is known of the cheaper level at the same points, plus a constant, plus a
process of their own, plus noise; what is not known of the cheaper level is a covariance times the factor squared
(recursive co-kriging: Le Gratiet and Garnier, Int. J. Uncertainty Quantification 4, 365 (2014), doi
10.1615/Int.J.UncertaintyQuantification.2014006914, eqs. 4 and 5, with points that need not be nested). Parameters are
those of greatest posterior, with analytic gradients (Rasmussen and Williams, Gaussian Processes for Machine Learning
(2006), eq. 5.9); the constant is solved in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from surrogate.matern_gp_fit import LEAST, NOISE_PRIOR, SQRT5, START_NOISE

_SCALE_CENTRE, _SCALE_SPREAD = float(np.log(0.3)), 1.5
"""Of the logarithm of the variance that a level has for itself, in units of the variance of its values."""
_FACTOR_CENTRE, _FACTOR_SPREAD = 0.5, 1.0
"""Of the factor, times the standard deviation of what is taken: 1 takes all variation from the cheaper level."""
_LEAST_VARIATION = 0.3
_LENGTH_SPREAD = 0.7
"""Standard deviation of the logarithm of a length about that of the cheaper level: what differs bends alike."""
_EVALUATIONS = 60
_MOST = 9.0
_FAILED = 1e25


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """What one level has of a cheaper one."""

    factor: float
    lengths: np.ndarray
    """Of its own process, `d`."""
    scale: float
    mean: float
    noise: float
    """Variance; where it is known per point, the mean of these."""
    evidence: float
    """Logarithm of the probability density of the values, given those of the cheaper level; over all factors."""


class LikenessPosterior:
    """The log posterior of `(factor, log lengths, log scale, log noise)`, the last only where it is to be inferred.

    Args:
        X: Where was measured, `n x d`.
        y: `n`, of mean about 0 and deviation about 1.
        noise: Variance of each value, `n`; None where it is unknown.
        known: Mean of the cheaper level at X, less its constant, `n`.
        unknown: Its posterior covariance there, `n x n`.
        lengths: Of the cheaper level, `d`.
    """

    def __init__(
        self,
        X: np.ndarray,
        y: np.ndarray,
        noise: np.ndarray | None,
        known: np.ndarray,
        unknown: np.ndarray,
        lengths: np.ndarray,
    ) -> None:
        self._lengths = np.log(lengths)
        self._X, self._y, self._noise, self._known, self._unknown = X - X.mean(axis=0), y, noise, known, unknown
        self._variation = max(float(np.std(known)), _LEAST_VARIATION)

    @property
    def size(self) -> int:
        """Return the number of parameters."""
        return self._X.shape[1] + 2 + (self._noise is None)

    def starts(self) -> list[np.ndarray]:
        """Return where to search from: the slope of a line through the values, little and much of its own."""
        off = self._known - self._known.mean()
        slope = float(off @ self._y) / (float(off @ off) + 0.1 * len(off) * self._variation**2)
        return [
            np.concatenate([[slope], self._lengths, np.log([scale, START_NOISE])])[: self.size] for scale in (0.1, 0.6)
        ]

    def __call__(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the value and its gradient; a huge negative value where the covariance has no factor."""
        try:
            evidence, slopes, _, _ = self._likelihood(theta)
        except np.linalg.LinAlgError:
            return -_FAILED, np.zeros_like(theta)
        prior, prior_slopes = self._prior(theta)
        return evidence + prior, slopes + prior_slopes

    def found(self, theta: np.ndarray) -> Likeness:
        """Return what parameters mean."""
        d = self._X.shape[1]
        evidence, _, mean, sharpness = self._likelihood(theta)
        # Laplace's approximation of the integral over factors, whose prior is what a level that tells nothing lacks
        spread = _FACTOR_SPREAD / self._variation
        off = theta[0] - _FACTOR_CENTRE / self._variation
        evidence -= 0.5 * (off / spread) ** 2 + 0.5 * float(np.log1p(sharpness * spread**2))
        noise = float(np.exp(theta[d + 2])) if self._noise is None else float(np.mean(self._noise))
        return Likeness(
            factor=float(theta[0]),
            lengths=np.exp(theta[1 : d + 1]),
            scale=float(np.exp(theta[d + 1])),
            mean=mean,
            noise=noise,
            evidence=evidence,
        )

    def _likelihood(self, theta: np.ndarray) -> tuple[float, np.ndarray, float, float]:
        """Return evidence, its gradient, the constant, and the curvature along the factor."""
        n, d = self._X.shape
        factor, lengths, scale = float(theta[0]), np.exp(theta[1 : d + 1]), float(np.exp(theta[d + 1]))
        scaled = self._X * (SQRT5 / lengths)
        norms = np.einsum("ij,ij->i", scaled, scaled)
        squared = np.maximum(norms[:, None] + norms - 2.0 * (scaled @ scaled.T), 0.0)
        r = np.sqrt(squared)
        decay = scale * np.exp(-r)
        steep = (1.0 + r) * decay
        own = steep + squared / 3.0 * decay
        variance = np.full(n, np.exp(theta[d + 2])) if self._noise is None else self._noise
        lower = cho_factor(own + factor**2 * self._unknown + np.diag(variance), lower=True, check_finite=False)
        inverse = cho_solve(lower, np.eye(n), check_finite=False)
        rest = self._y - factor * self._known
        ones = inverse.sum(axis=1)
        mean = float(ones @ rest) / float(ones.sum())
        weights = inverse @ (rest - mean)
        evidence = -0.5 * float((rest - mean) @ weights + n * np.log(2.0 * np.pi)) - float(
            np.log(np.diag(lower[0])).sum()
        )
        outer = np.outer(weights, weights) - inverse
        slopes = np.empty_like(theta)
        slopes[0] = self._known @ weights + factor * np.sum(outer * self._unknown)
        moved = outer * steep
        pairs = moved.sum(axis=1) @ self._X**2 - np.einsum("ij,ij->j", self._X, moved @ self._X)
        slopes[1 : d + 1] = (5.0 / 3.0) * pairs / lengths**2
        slopes[d + 1] = 0.5 * np.sum(outer * own)
        if self._noise is None:
            slopes[d + 2] = 0.5 * np.trace(outer) * np.exp(theta[d + 2])
        known = inverse @ self._known
        sharpness = float(self._known @ known - (ones @ self._known) ** 2 / ones.sum())
        return float(evidence), slopes, mean, sharpness

    def _prior(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        d = self._X.shape[1]
        centres = np.concatenate([[_FACTOR_CENTRE / self._variation], self._lengths, [_SCALE_CENTRE]])
        spreads = np.concatenate([[_FACTOR_SPREAD / self._variation], np.full(d, _LENGTH_SPREAD), [_SCALE_SPREAD]])
        if self._noise is None:
            centres, spreads = np.append(centres, NOISE_PRIOR[0]), np.append(spreads, NOISE_PRIOR[1])
        off = (theta - centres) / spreads
        value, slopes = float(-0.5 * off @ off), -off / spreads
        if self._noise is None:  # the density of the noise, not of its logarithm, as for a target by itself
            value, slopes[-1] = value - float(theta[-1]), slopes[-1] - 1.0
        return value, slopes


def likeness(
    X: np.ndarray,
    y: np.ndarray,
    noise: np.ndarray | None,
    known: np.ndarray,
    unknown: np.ndarray,
    lengths: np.ndarray,
) -> Likeness | None:
    """Return what a level has of a cheaper one, most probably; None where nothing finite was found.

    Args:
        X: Where the level was measured, `n x d`, in or near the unit cube.
        y: What came back, `n`, of mean about 0 and deviation about 1.
        noise: Variance of each value, `n`; None where it is unknown and to be inferred.
        known: Mean of the cheaper level at X, less its constant, `n`.
        unknown: Its posterior covariance there, `n x n`.
        lengths: Of the cheaper level, `d`.
    """
    objective = LikenessPosterior(X, y, noise, known, unknown, lengths)
    d = X.shape[1]
    bounds = [(-20.0, 20.0), *[(np.log(LEAST[0]), _MOST)] * d, (np.log(LEAST[1]), _MOST), (np.log(LEAST[2]), _MOST)]

    def downhill(theta: np.ndarray) -> tuple[float, np.ndarray]:
        value, slopes = objective(theta)
        return -value, -slopes

    found = [
        minimize(
            downhill,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds[: objective.size],
            options={"maxfun": _EVALUATIONS, "ftol": 1e-7, "gtol": 1e-4},
        )
        for start in objective.starts()
    ]
    best = min(found, key=lambda one: one.fun)
    return objective.found(best.x) if best.fun < _FAILED and np.isfinite(best.fun) else None
