"""Exact Gaussian processes at laboratory size (up to some hundred observations), in the unit cube.

Everything is a few lines of linear algebra on numpy arrays, because at this size the cost of a fit or a prediction
through an autograd library is its overhead. `surrogate.matern_gp_fit` finds the hyperparameters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.linalg import cho_solve, solve_triangular

from surrogate.gp import factor_and_jitter
from surrogate.length_priors import LIGHT, LengthPrior
from surrogate.matern_gp_fit import MOST_EVALUATIONS, START_NOISE, Hyperparameters, most_probable

_MOST_FITTED = 300
"""Hyperparameters are fitted to at most so many points, spread evenly over the data; predictions use all."""

_FEWEST_FITTED = 4
"""Below this many points hyperparameters stay at their priors' centres."""

LEAST_NOISE = 1e-6
"""Least variance of a value whose noise is given, in units of the spread of all values."""

_SQRT5 = 5.0**0.5


@dataclass(frozen=True)
class Kernel:
    """`scale * Matern-5/2(|(x - x') / lengths|)`."""

    lengths: np.ndarray
    scale: float

    def __call__(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return covariances (`n x m`) between points (`n x d`, `m x d`)."""
        # in place, since passes over memory are what most of the time goes into
        part = _SQRT5 / self.lengths
        squared = _squares(left * part, right * part)
        r = np.sqrt(squared)
        squared *= 1.0 / 3.0
        squared += r
        squared += 1.0
        np.exp(np.negative(r, out=r), out=r)
        r *= squared
        r *= self.scale
        return r


def _squares(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return squared distances (`n x m`) between points (`n x d`, `m x d`), as one product of matrices."""
    n, d = a.shape
    left, right = np.ones((n, d + 2)), np.ones((len(b), d + 2))
    np.multiply(a, -2.0, out=left[:, :d])
    left[:, d] = np.einsum("ij,ij->i", a, a)
    right[:, :d] = b
    right[:, d + 1] = np.einsum("ij,ij->i", b, b)
    squared = left @ right.T
    return np.maximum(squared, 0.0, out=squared)


@dataclass(frozen=True)
class GP:
    """A Gaussian process conditioned on data."""

    kernel: Kernel
    mean: float
    X: np.ndarray
    """Where was measured, `n x d`."""
    y: np.ndarray
    noise: np.ndarray
    """Variance of each measurement, `n`."""
    hyperparameters: Hyperparameters | None = None
    """As they were found; None where they stand at their priors' centres."""

    @cached_property
    def _factored(self) -> tuple[np.ndarray, float]:
        return factor_and_jitter(self.kernel(self.X, self.X) + np.diag(self.noise))

    @property
    def _factor(self) -> np.ndarray:
        return self._factored[0]

    @property
    def jitter(self) -> float:
        """What had to be added to the covariance, as a fraction of its mean diagonal."""
        return self._factored[1]

    @property
    def is_without_fit(self) -> bool:
        """Whether hyperparameters stand at their priors although there are values enough to fit them to."""
        return self.hyperparameters is None and len(self.y) >= _FEWEST_FITTED

    @cached_property
    def _whitener(self) -> np.ndarray:
        """Return the inverse of the factor: multiplying by it is what hundreds of points at once are cheapest by."""
        return solve_triangular(self._factor, np.eye(len(self.y)), lower=True, check_finite=False)

    @cached_property
    def weights(self) -> np.ndarray:
        """What covariances with the data are multiplied by to give the posterior mean less the mean, `n`."""
        return cho_solve((self._factor, True), self.y - self.mean)

    def posterior(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`m` each) of the noiseless function at points (`m x d`)."""
        cross = self.kernel(points, self.X)
        half = cross @ self._whitener.T
        variance = self.kernel.scale - np.einsum("ij,ij->i", half, half)
        return self.mean + cross @ self.weights, np.sqrt(np.maximum(variance, 1e-12 * self.kernel.scale))

    def joint(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean (`m`) and covariance (`m x m`) of the noiseless function at points (`m x d`)."""
        return self.posterior(points)[0], self.covariance(points, points)

    def covariance(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return posterior covariances (`l x r`) of the noiseless function between points (`l x d`, `r x d`)."""
        return self.kernel(left, right) - self.whitened(left).T @ self.whitened(right)

    def whitened(self, points: np.ndarray) -> np.ndarray:
        """Return what the data say of points (`m x d`), `n x m`: its products are what they take off covariances."""
        return self._whitener @ self.kernel(self.X, points)

    @property
    def fitted_to(self) -> tuple[int, int]:
        """Number of values and of columns that hyperparameters were fitted to."""
        return len(self.y), self.X.shape[1]

    @property
    def places(self) -> float:
        """Return at how many independent places the values lie: the trace of what smooths them.

        Hastie, Tibshirani and Friedman, The Elements of Statistical Learning (2009), eq. 5.16.
        """
        return float(len(self.y) - np.einsum("ij,ij,j->", self._whitener, self._whitener, self.noise))

    @property
    def typical_noise(self) -> float:
        """Variance of one more measurement."""
        return float(np.median(self.noise))

    def noise_at(self, points: np.ndarray) -> np.ndarray:
        """Return the variance of one more measurement at each of points (`m x d`), `m`."""
        return np.full(len(points), self.typical_noise)

    def negated(self) -> GP:
        """Return the process of the same function upside down."""
        return replace(self, mean=-self.mean, y=-self.y)

    def with_pending(self, points: np.ndarray) -> GP:
        """Return the process as if points (`m x d`) had been measured at their means, with the typical noise."""
        return self.with_values(points, self.posterior(points)[0])

    def with_values(self, points: np.ndarray, values: np.ndarray) -> GP:
        """Return the process as if values (`m`) had been measured at points (`m x d`), with the typical noise."""
        return replace(
            self,
            X=np.vstack([self.X, points]),
            y=np.concatenate([self.y, values]),
            noise=np.concatenate([self.noise, self.noise_at(points)]),
        )

    @cached_property
    def evidence(self) -> float:
        """Logarithm of the marginal likelihood."""
        half = solve_triangular(self._factor, self.y - self.mean, lower=True)
        n = len(self.y)
        return float(-0.5 * half @ half - np.log(np.diag(self._factor)).sum() - 0.5 * n * np.log(2.0 * np.pi))


def fit_gp(
    X: np.ndarray,
    y: np.ndarray,
    noise: np.ndarray | None,
    *,
    like: Hyperparameters | None = None,
    evaluations: int = MOST_EVALUATIONS,
    extra: np.ndarray | None = None,
    prior: LengthPrior = LIGHT,
) -> GP:
    """Fit a Gaussian process.

    Args:
        X: Where was measured, `n x d`, in or near the unit cube.
        y: What came back, `n`, of mean about 0 and deviation about 1.
        noise: Variance of each value, `n`; None where it is unknown and to be inferred.
        like: Hyperparameters to start the search from.
        evaluations: Of their posterior, at most, from each start of the search.
        extra: Variance of each value beside that, `n`; None for none.
        prior: Of the lengths.
    """
    known = None if noise is None else np.maximum(noise, LEAST_NOISE)
    more = np.zeros(len(y)) if extra is None else extra
    found = None
    if len(y) >= _FEWEST_FITTED:
        told = (_thinned(X), _thinned(y), None if known is None else _thinned(known + more))
        known_extra = None if extra is None or known is not None else _thinned(extra)
        found = most_probable(*told, like=like, evaluations=evaluations, extra=known_extra, prior=prior)
    if found is None:
        kernel, mean, inferred = Kernel(np.full(X.shape[1], 0.5 * X.shape[1] ** 0.5), 1.0), 0.0, START_NOISE
    else:
        kernel, mean, inferred = Kernel(found.lengths, found.scale), found.mean, found.noise
    noise = more + (np.full(len(y), inferred) if known is None else known)
    return GP(kernel=kernel, mean=mean, X=X, y=y, noise=noise, hyperparameters=found)


def _thinned(data: np.ndarray) -> np.ndarray:
    if len(data) <= _MOST_FITTED:
        return data
    return data[np.linspace(0, len(data) - 1, _MOST_FITTED).round().astype(int)]
