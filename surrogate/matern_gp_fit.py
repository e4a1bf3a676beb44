"""Hyperparameters of an exact Gaussian process, by maximum a posteriori with analytic gradients.

The kernel is Matern-5/2 with one length per column. The log posterior is that which GPyTorch's exact marginal
likelihood has: scale and an unknown noise have BoTorch's priors, Gamma and log-normal, lengths one of
`surrogate.length_priors`. The constant mean has no prior and is solved in closed form. Gradients follow Rasmussen and
Williams, Gaussian Processes for Machine Learning (2006), eq. (5.9). At sixty points an evaluation takes a tenth of a
millisecond, where one through an autograd library takes two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import get_lapack_funcs

from surrogate.length_priors import LIGHT, LengthPrior
from surrogate.quasi_newton import Minimum, minimum

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
_BESIDE, _BESIDE_VALUE = 0.3, 0.5
"""A search so near to an optimum that another one found, in logarithms and in nats, leads to it."""
_MANY, _SOME = 120, 80
"""More points than the first are fitted to so many of them before."""
_MOST_STORED = 2_000_000
"""Squared distances by column that are kept: 16 MB."""
_potrf, _potri, _potrs = get_lapack_funcs(("potrf", "potri", "potrs"), (np.empty(0),))


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
    curvature: np.ndarray | None = field(default=None, repr=False)
    """What the search learnt of the inverse curvature, by which one of data that are alike begins."""


class Pairs:
    """The pairs of different points of a set, each once, and their squared distances column by column.

    Half of a symmetric matrix is enough, and at sixty points the sums below cost less than the interpreter does.

    Args:
        X: The points, `n x d`.
    """

    def __init__(self, X: np.ndarray) -> None:
        self._n = len(X)
        self._left, self._right = np.triu_indices(self._n, 1)
        self._places = self._left * self._n + self._right
        # distances do not change with the origin, and lose fewer digits about the middle
        self._X = X - X.mean(axis=0)
        self._squares = None
        if len(self._places) * X.shape[1] <= _MOST_STORED:
            columns = np.ascontiguousarray(X.T)
            self._squares = (columns[:, self._left] - columns[:, self._right]) ** 2

    def total(self, weights: np.ndarray) -> np.ndarray:
        """Return the sum over the columns of squared distances times weights (`d`), for each pair."""
        if self._squares is not None:
            return weights @ self._squares
        scaled = self._X * np.sqrt(weights)
        norms = np.einsum("ij,ij->i", scaled, scaled)
        whole = scaled @ scaled.T
        whole *= -2.0
        whole += norms[:, None]
        whole += norms
        return np.maximum(self.get(whole), 0.0)

    def by_column(self, factors: np.ndarray) -> np.ndarray:
        """Return the sum over the pairs of squared distances times factors, for each column (`d`)."""
        if self._squares is not None:
            return self._squares @ factors
        # sum_i<j M_ij (x_ik - x_jk)^2 = sum_i (row sum)_i x_ik^2 - x_k' M x_k
        whole = np.zeros((self._n, self._n))
        self.put(factors, whole)
        whole += whole.T
        return whole.sum(axis=1) @ self._X**2 - np.einsum("ij,ij->j", self._X, whole @ self._X)

    def product(self, values: np.ndarray) -> np.ndarray:
        """Return the product of the values (of `n`) of each pair."""
        return values[self._left] * values[self._right]

    def put(self, values: np.ndarray, matrix: np.ndarray) -> None:
        """Write values above the diagonal of a matrix, `n x n` in C order."""
        matrix.reshape(-1)[self._places] = values

    def get(self, matrix: np.ndarray) -> np.ndarray:
        """Return what stands above the diagonal of a matrix, `n x n` in C order."""
        return matrix.reshape(-1)[self._places]


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
        self._X, self._y, self._noise, self._extra = X, y, noise, extra
        self._targets = np.asfortranarray(np.column_stack([y, np.ones(len(y))]))
        self._lengths_prior = prior
        self._pairs = Pairs(X)
        self._covariance = np.empty((len(y), len(y)))
        """Written anew at each evaluation, in place, since passes over memory are what most of the time goes into."""

    @property
    def n_lengths(self) -> int:
        """Return the number of columns."""
        return self._X.shape[1]

    @property
    def size(self) -> int:
        """Return the number of parameters."""
        return self._X.shape[1] + 1 + (self._noise is None)

    def __call__(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the value and its gradient; a huge negative value where the covariance has no factor."""
        n, d = self._X.shape
        lengths, scale = np.exp(theta[:d]), float(np.exp(theta[d]))
        # of each pair of points: 5 times the squared distance; what it makes of a slope; its covariance
        alike = self._pairs.total(5.0 / lengths**2)
        r = np.sqrt(alike)
        decay = np.negative(r)
        np.exp(decay, out=decay)
        decay *= scale
        r += 1.0
        steep = np.multiply(r, decay, out=r)
        alike *= 1.0 / 3.0
        alike *= decay
        alike += steep
        self._fill(alike, theta, scale)
        lower, problem = _potrf(self._covariance.T, lower=True, overwrite_a=True, clean=False)
        if problem:
            return -_FAILED, np.zeros_like(theta)
        log_determinant = 2.0 * float(np.log(lower.flat[:: n + 1]).sum())
        solved, _ = _potrs(lower, self._targets, lower=True)
        inverse, _ = _potri(lower, lower=True, overwrite_c=True)
        mean = (self._y @ solved[:, 1]) / solved[:, 1].sum()
        weights = solved[:, 0] - mean * solved[:, 1]
        value = -0.5 * ((self._y - mean) @ weights + log_determinant + n * np.log(2.0 * np.pi))
        outer = self._pairs.product(weights)
        outer -= self._pairs.get(inverse.T)
        trace = float(weights @ weights) - float(inverse.flat[:: n + 1].sum())
        slopes = np.empty_like(theta)
        slopes[d] = outer @ alike + 0.5 * scale * trace
        slopes[:d] = (5.0 / 3.0) * self._pairs.by_column(np.multiply(outer, steep, out=steep)) / lengths**2
        if self._noise is None:
            slopes[d + 1] = 0.5 * trace * np.exp(theta[d + 1])
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
        d = self._X.shape[1]
        scale = float(np.exp(theta[d]))
        alike = self._pairs.total(5.0 * np.exp(-2.0 * theta[:d]))
        r = np.sqrt(alike)
        self._fill(scale * (1.0 + r + alike / 3.0) * np.exp(-r), theta, scale)
        lower, problem = _potrf(self._covariance.T, lower=True, overwrite_a=True, clean=False)
        if problem:
            return float(self._y.mean())
        solved, _ = _potrs(lower, self._targets, lower=True)
        return float(solved[:, 0].sum() / solved[:, 1].sum())

    def _fill(self, alike: np.ndarray, theta: np.ndarray, scale: float) -> None:
        """Write the covariance of the values, given that of the function at each pair of points."""
        self._pairs.put(alike, self._covariance)
        noise = np.exp(theta[-1]) + self._extra if self._noise is None else self._noise
        self._covariance.flat[:: len(self._y) + 1] = scale + noise


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
    """Return the hyperparameters with the greatest posterior of those that searches reach; None where none is finite.

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
    curvature = None if like is None or like.curvature is None else like.curvature
    found: list[Minimum] = []
    for start in starts:
        one = _climbed(objective, start[: objective.size], evaluations, curvature, found)
        if one is not None:
            found, curvature = [*found, one], one.curvature
    if not found:
        return None
    best = min(found, key=lambda one: one.value)
    theta = best.place
    return Hyperparameters(
        lengths=np.exp(theta[:d]),
        scale=float(np.exp(theta[d])),
        mean=objective.mean(theta),
        noise=float(np.exp(theta[d + 1])) if noise is None else float(np.mean(noise)),
        log_posterior=-best.value,
        curvature=best.curvature,
    )


def _climbed(
    objective: LogPosterior,
    start: np.ndarray,
    evaluations: int,
    curvature: np.ndarray | None,
    known: Sequence[Minimum],
) -> Minimum | None:
    """Return the optimum that a start leads to, or a place beside a known one; None where nothing finite was found."""

    def downhill(theta: np.ndarray) -> tuple[float, np.ndarray]:
        value, slopes = objective(theta)
        return -value, -slopes

    def is_known(theta: np.ndarray, value: float) -> bool:
        return any(
            value < one.value + _BESIDE_VALUE and float(np.abs(theta - one.place).max()) < _BESIDE for one in known
        )

    d = objective.n_lengths
    low = np.log([*[LEAST[0]] * d, *LEAST[1:]])[: objective.size]
    fits = curvature is not None and len(curvature) == len(start)
    found = minimum(
        downhill,
        start,
        low,
        np.full(objective.size, _MOST),
        evaluations=evaluations,
        curvature=curvature if fits else None,
        is_known=is_known,
    )
    return found if found.value < _FAILED and np.isfinite(found.value) else None
