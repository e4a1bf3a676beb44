"""Hyperparameters of an exact Gaussian process, by maximum a posteriori with analytic gradients.

The kernel is Matern-5/2 with one length per column. The log posterior is that which GPyTorch's exact marginal
likelihood has: scale and an unknown noise have BoTorch's priors, Gamma and log-normal, lengths one of
`surrogate.length_priors`. The constant mean has no prior and is solved in closed form. Gradients follow Rasmussen and
Williams, Gaussian Processes for Machine Learning (2006), eq. (5.9); that of a length is a quadratic form of one column,
so that no `n x n x d` array is made. At sixty points an evaluation takes a tenth of a millisecond, where one through an
autograd library takes two.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import get_lapack_funcs
from scipy.optimize import minimize

from surrogate.length_priors import LIGHT, LengthPrior

SQRT5 = 5.0**0.5
SCALE_PRIOR = (2.0, 0.15)
"""Shape and rate of the Gamma prior of the scale."""
NOISE_PRIOR = (-4.0, 1.0)
"""Mean and standard deviation of the logarithm of an unknown noise variance."""
LEAST = (1e-4, 1e-6, 1e-5)
"""Bounds below of lengths, scale and noise."""
START_NOISE = 0.02
MOST_EVALUATIONS = 120
_MOST = 9.0
"""Bound above of every logarithm."""
_FAILED = 1e25
_MANY, _SOME = 120, 80
"""More points than the first are fitted to so many of them before."""
_potrf, _potri = get_lapack_funcs(("potrf", "potri"), (np.empty(0),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameters:
    """What was found."""

    lengths: np.ndarray
    """`d`"""
    scale: float
    mean: float
    noise: float
    """Variance; where it is known per point, the mean of these."""
    log_posterior: float
    """Up to a constant that data do not change."""


class LogPosterior:
    """The log posterior of `(log lengths, log scale, log noise)`, the last only where the noise is to be inferred.

    Args:
        X: Where was measured, `n x d`.
        y: `n`.
        noise: Variance of each value, `n`; None where it is unknown.
        extra: What is known of an unknown noise: the variance of each value beside that which all have alike, `n`.
        prior: Of the lengths.
    """

    def __init__(
        self,
        X: np.ndarray,
        y: np.ndarray,
        noise: np.ndarray | None,
        extra: np.ndarray | float = 0.0,
        prior: LengthPrior = LIGHT,
    ) -> None:
        # distances do not change with the origin, and lose fewer digits about the middle
        self._X, self._y, self._noise, self._extra = X - X.mean(axis=0), y, noise, extra
        self._targets = np.column_stack([y, np.ones(len(y))])
        self._lengths_prior = prior

    @property
    def n_lengths(self) -> int:
        """Return the number of columns."""
        return self._X.shape[1]

    @property
    def size(self) -> int:
        """Return the number of parameters."""
        return self._X.shape[1] + 1 + (self._noise is None)

    @cached_property
    def _squares(self) -> np.ndarray:
        return self._X * self._X

    def __call__(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the value and its gradient; a huge negative value where the covariance has no factor."""
        n, d = self._X.shape
        lengths, scale = np.exp(theta[:d]), np.exp(theta[d])
        scaled = self._X * (SQRT5 / lengths)
        norms = np.einsum("ij,ij->i", scaled, scaled)
        # in place, since passes over memory are what most of the time goes into
        covariance = scaled @ scaled.T
        covariance *= -2.0
        covariance += norms[:, None]
        covariance += norms
        np.maximum(covariance, 0.0, out=covariance)
        r = np.sqrt(covariance)
        decay = np.negative(r)
        np.exp(decay, out=decay)
        decay *= scale
        r += 1.0
        steep = np.multiply(r, decay, out=r)
        covariance *= 1.0 / 3.0
        covariance *= decay
        covariance += steep
        variance = np.exp(theta[d + 1]) if self._noise is None else self._noise
        covariance.flat[:: n + 1] = scale + (variance if self._noise is not None else variance + self._extra)
        lower, problem = _potrf(covariance.T, lower=True, overwrite_a=False)
        if problem:
            return -_FAILED, np.zeros_like(theta)
        log_determinant = 2.0 * float(np.log(lower.flat[:: n + 1]).sum())
        inverse, _ = _potri(lower, lower=True, overwrite_c=True)
        inverse = inverse + inverse.T  # of a triangle; the other one is zero
        inverse.flat[:: n + 1] *= 0.5
        solved = inverse @ self._targets
        mean = (self._y @ solved[:, 1]) / solved[:, 1].sum()
        weights = solved[:, 0] - mean * solved[:, 1]
        value = -0.5 * ((self._y - mean) @ weights + log_determinant + n * np.log(2.0 * np.pi))
        outer = np.multiply.outer(weights, weights)
        outer -= inverse
        slopes = np.empty_like(theta)
        moved = np.multiply(outer, steep, out=steep)
        # sum_ij M_ij (x_ik - x_jk)^2 = 2 sum_i (row sum)_i x_ik^2 - 2 x_k' M x_k
        pairs = moved.sum(axis=1) @ self._squares - np.einsum("ij,ij->j", self._X, moved @ self._X)
        slopes[:d] = (5.0 / 3.0) * pairs / lengths**2
        covariance.flat[:: n + 1] = scale
        slopes[d] = 0.5 * np.einsum("ij,ij->", outer, covariance)
        if self._noise is None:
            slopes[d + 1] = 0.5 * np.trace(outer) * variance
        prior, prior_slopes = self._prior(theta)
        return float(value + prior), slopes + prior_slopes

    def _prior(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the log density of lengths, scale and noise (not of their logarithms), as BoTorch adds it."""
        d = self._X.shape[1]
        shape, rate = SCALE_PRIOR
        slopes = np.empty_like(theta)
        value, slopes[:d] = self._lengths_prior.log_density(theta[:d])
        value += float((shape - 1.0) * theta[d] - rate * np.exp(theta[d]))
        slopes[d] = shape - 1.0 - rate * np.exp(theta[d])
        if self._noise is None:
            centre, spread = NOISE_PRIOR
            away = (theta[d + 1] - centre) / spread
            value += float(-0.5 * away * away - theta[d + 1])
            slopes[d + 1] = -away / spread - 1.0
        return value, slopes

    def mean(self, theta: np.ndarray) -> float:
        """Return the constant mean that is most probable."""
        n, d = self._X.shape
        scaled = self._X / np.exp(theta[:d])
        norms = np.einsum("ij,ij->i", scaled, scaled)
        r = SQRT5 * np.sqrt(np.maximum(norms[:, None] + norms[None, :] - 2.0 * (scaled @ scaled.T), 0.0))
        total = np.exp(theta[d]) * (1.0 + r + r * r / 3.0) * np.exp(-r)
        alike = np.exp(theta[d + 1]) + self._extra if self._noise is None else self._noise
        total.flat[:: n + 1] = np.exp(theta[d]) + alike
        solved = np.linalg.solve(total, self._targets)
        return float(solved[:, 0].sum() / solved[:, 1].sum())


def most_probable(
    X: np.ndarray,
    y: np.ndarray,
    noise: np.ndarray | None,
    *,
    like: Hyperparameters | None = None,
    evaluations: int = MOST_EVALUATIONS,
    extra: np.ndarray | None = None,
    prior: LengthPrior = LIGHT,
) -> Hyperparameters | None:
    """Return the hyperparameters with the greatest posterior of those that L-BFGS-B reaches; None where none is finite.

    Many points are fitted from the optimum of some of them, which costs a tenth and starts beside the goal.

    Args:
        X: Where was measured, `n x d`.
        y: What came back, `n`, of mean about 0 and deviation about 1.
        noise: Variance of each value, `n`; None where it is unknown and to be inferred.
        like: Where to start; from two usual places where it is not given.
        evaluations: Of the posterior from each start, at most.
        extra: Variance of each value beside an unknown noise, `n`; None for none.
        prior: Of the lengths.
    """
    if like is None and len(y) > _MANY:
        some = np.linspace(0, len(y) - 1, _SOME).round().astype(int)
        beside = None if extra is None else extra[some]
        like = most_probable(X[some], y[some], None if noise is None else noise[some], extra=beside, prior=prior)
    objective = LogPosterior(X, y, noise, 0.0 if extra is None else extra, prior)
    d = X.shape[1]
    if like is None:
        starts = [np.log([*([length] * d), 1.0, START_NOISE]) for length in (1.0, 0.3 * d**0.5)]
    else:
        starts = [np.log([*like.lengths, like.scale, max(like.noise, LEAST[2])])]
    found = [
        one
        for one in (_climbed(objective, start[: objective.size], evaluations) for start in starts)
        if one is not None
    ]
    if not found:
        return None
    value, theta = max(found, key=lambda one: one[0])
    return Hyperparameters(
        lengths=np.exp(theta[:d]),
        scale=float(np.exp(theta[d])),
        mean=objective.mean(theta),
        noise=float(np.exp(theta[d + 1])) if noise is None else float(np.mean(noise)),
        log_posterior=value,
    )


def _climbed(objective: LogPosterior, start: np.ndarray, evaluations: int) -> tuple[float, np.ndarray] | None:
    """Return the value and place of the optimum that a start leads to; None where nothing finite was found."""

    def downhill(theta: np.ndarray) -> tuple[float, np.ndarray]:
        value, slopes = objective(theta)
        return -value, -slopes

    d = objective.n_lengths
    bounds = [(np.log(LEAST[0]), _MOST)] * d + [(np.log(LEAST[1]), _MOST), (np.log(LEAST[2]), _MOST)]
    found = minimize(
        downhill,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds[: objective.size],
        options={"maxfun": evaluations, "ftol": 1e-7, "gtol": 1e-4},
    )
    return (-float(found.fun), found.x) if found.fun < _FAILED and np.isfinite(found.fun) else None
