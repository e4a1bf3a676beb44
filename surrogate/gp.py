"""Exact Gaussian processes in float64, with known noise per point, on numpy alone.

For data of tens to hundreds of points, where a Cholesky factor costs less than importing anything larger. Equations
are those of Rasmussen and Williams, Gaussian Processes for Machine Learning (2006): (2.25), (2.26), (5.8), (5.9).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from surrogate.kernels import Kernel1D

Array = NDArray[np.floating[Any]]

JITTERS = (0.0, 1e-12, 1e-10, 1e-8, 1e-6, 1e-5, 1e-4)
"""Tried in turn, as a fraction of the mean diagonal, where rounding makes a covariance indefinite."""


class NotPositiveDefinite(ArithmeticError):
    """A covariance has no Cholesky factor, even with jitter: NaN in the data, or a kernel that is none."""


class Covariance(Protocol):
    """A kernel over points of any kind."""

    def value(self, a: Array, b: Array) -> Array:
        """Return cov(f(a), f(b)), ``n x m``."""
        ...

    def slope(self, a: Array, b: Array) -> Array:
        """Return cov(f'(a), f(b)), ``n x m``."""
        ...


def factor(covariance: Array) -> Array:
    """Return the lower Cholesky factor of an ``n x n`` covariance, with the least jitter that gives one.

    Raises:
        NotPositiveDefinite: No factor exists.
    """
    return factor_and_jitter(covariance)[0]


def factor_and_jitter(covariance: Array) -> tuple[Array, float]:
    """Return what `factor` does, and the jitter, as a fraction of the mean diagonal.

    Raises:
        NotPositiveDefinite: No factor exists.
    """
    scale = float(np.mean(np.diag(covariance))) if len(covariance) else 1.0
    if not np.isfinite(covariance).all():
        raise NotPositiveDefinite("a covariance holds NaN or infinity: check inputs and noise of the points")
    for jitter in JITTERS:
        try:
            matrix = covariance + jitter * scale * np.eye(len(covariance))
            return cholesky(matrix, lower=True, check_finite=False), jitter
        except np.linalg.LinAlgError:
            continue
    raise NotPositiveDefinite(f"a covariance of {len(covariance)} points stays indefinite with jitter {JITTERS[-1]:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """A Gaussian process given values at ``n`` points; one covariance for all ``m`` outputs."""

    kernel: Covariance
    x: Array
    """``n`` positions or ``n x d`` points."""
    cholesky: Array
    """``n x n``, lower, of K + noise."""
    weights: Array
    """``n x m``, (K + noise)^-1 y."""

    def mean(self, x: Array) -> Array:
        """Return ``q x m`` posterior means."""
        return self.kernel.value(x, self.x) @ self.weights

    def slope_mean(self, x: Array) -> Array:
        """Return ``q x m`` posterior means of f' (along axis 0 where points have several)."""
        return self.kernel.slope(x, self.x) @ self.weights

    def variance(self, x: Array, *, prior: Array | float) -> Array:
        """Return ``q`` posterior variances of f, given the kernel's own variance at x."""
        half = self._whiten(self.kernel.value(self.x, x))
        return np.maximum(prior - np.sum(half * half, axis=0), 0.0)

    def covariance(self, x: Array) -> Array:
        """Return the ``q x q`` posterior covariance of f."""
        half = self._whiten(self.kernel.value(self.x, x))
        return self.kernel.value(x, x) - half.T @ half

    def slope_value_covariance(self, x: Array) -> Array:
        """Return the ``q x q`` posterior covariance of f'(x_i) and f(x_j)."""
        left, right = self._whiten(self.kernel.slope(x, self.x).T), self._whiten(self.kernel.value(self.x, x))
        return self.kernel.slope(x, x) - left.T @ right

    def _whiten(self, columns: Array) -> Array:
        return solve_triangular(self.cholesky, columns, lower=True, check_finite=False)


def slope_covariance(posterior: Posterior, kernel: Kernel1D, x: Array) -> Array:
    """Return the ``q x q`` posterior covariance of f', for kernels of one variable."""
    half = solve_triangular(posterior.cholesky, kernel.slope(x, posterior.x).T, lower=True, check_finite=False)
    return kernel.both_slopes(x, x) - half.T @ half


def condition(kernel: Covariance, x: Array, y: Array, noise_variance: ArrayLike) -> Posterior:
    """Return the posterior of f given y = f(x) + noise.

    Args:
        kernel: prior covariance; the prior mean is 0.
        x: ``n`` positions or ``n x d`` points.
        y: ``n`` or ``n x m`` values.
        noise_variance: scalar or ``n``, in the square of the values' unit.

    Raises:
        NotPositiveDefinite: Values or noise are not finite.
    """
    lower = factor(kernel.value(x, x) + np.diag(np.broadcast_to(np.asarray(noise_variance, dtype=float), len(x))))
    columns = y if y.ndim == 2 else y[:, None]
    weights = cho_solve((lower, True), columns, check_finite=False)
    return Posterior(kernel=kernel, x=x, cholesky=lower, weights=weights)


def log_evidence(covariance: Array, slopes: Sequence[Array], y: Array) -> tuple[float, Array]:
    """Return log p(y) and its gradient, eqs. (5.8) and (5.9).

    Args:
        covariance: ``n x n``, noise included.
        slopes: p matrices ``n x n``, d covariance / d parameter.
        y: ``n`` or ``n x m``; outputs are independent and share the covariance.

    Raises:
        NotPositiveDefinite: The covariance has no factor.
    """
    columns = y if y.ndim == 2 else y[:, None]
    lower = factor(covariance)
    weights = cho_solve((lower, True), columns, check_finite=False)
    n, m = columns.shape
    value = -0.5 * np.sum(columns * weights) - m * np.sum(np.log(np.diag(lower))) - 0.5 * n * m * np.log(2 * np.pi)
    inner = weights @ weights.T - m * cho_solve((lower, True), np.eye(n), check_finite=False)
    return float(value), np.array([0.5 * np.sum(inner * slope) for slope in slopes])


def maximise(
    objective: Callable[[Array], tuple[float, Array]],
    start: Array,
    bounds: Sequence[tuple[float, float]],
    *,
    max_evaluations: int = 40,
) -> Array:
    """Return the best point that L-BFGS-B found; the start where nothing was better.

    An evaluation that raises NotPositiveDefinite counts as infinitely bad.
    """
    best_value, best_point = -np.inf, np.asarray(start, dtype=float)

    def downhill(point: Array) -> tuple[float, Array]:
        nonlocal best_value, best_point
        try:
            value, gradient = objective(point)
        except NotPositiveDefinite:
            return 1e25, np.zeros_like(point)
        if value > best_value:
            best_value, best_point = value, point.copy()
        return -value, -gradient

    minimize(downhill, best_point, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxfun": max_evaluations})
    return best_point
