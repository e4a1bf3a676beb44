"""Joint draws of a target's noiseless values under a mixture, and what is expected elsewhere given each draw.

A draw belongs to one component, taken in proportion to the weights, and has a scale of its own (its square is
inverse-gamma given the data); given both, the target is a Gaussian process. So draws keep what a mean and a variance of
the whole mixture would lose: how points hang together in each of the ways in which the target may be like its sources.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular

from surrogate.gp import factor
from surrogate.transfer.covariances import Covariances
from surrogate.transfer.mixture import Fitted, Mixture

Array = NDArray[np.floating[Any]]

_JITTER = 1e-8


class Draws:
    """Draws of a target's noiseless values at points, in its unit.

    Args:
        mixture: What is known of the target.
        points: ``m x d``, each once.
        n_draws: How many.
        rng: Where the draws come from.
    """

    def __init__(self, mixture: Mixture, points: Array, *, n_draws: int, rng: np.random.Generator) -> None:
        self._mixture, self._points = mixture, np.asarray(points, dtype=float)
        counts = _shared_out(mixture.weights, n_draws, rng)
        parts = [_Part(mixture.fitted[one], int(counts[one])) for one in np.flatnonzero(counts)]
        here = mixture.between(self._points, self._points)
        known = mixture.between(self._points, mixture.X)
        for part in parts:
            part.draw(here, known, rng)
        self._parts = parts

    @property
    def values(self) -> Array:
        """Return ``m x draws``."""
        return self._mixture.in_unit(np.hstack([part.values for part in self._parts]))

    def posterior(self, points: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation (``n x draws`` each) at points (``n x d``), given each draw."""
        mean, sd = self._posterior(np.asarray(points, dtype=float))
        return self._mixture.in_unit(mean), self._mixture.scale * sd

    def add(self, point: Array, rng: np.random.Generator) -> None:
        """Draw values at one more point (``d``)."""
        mean, sd = self._posterior(point[None])
        more = mean[0] + sd[0] * rng.standard_normal(mean.shape[1])
        self._points = np.vstack([self._points, point])
        here, first = self._mixture.between(self._points, self._points), 0
        for part in self._parts:
            part.condition(here, np.vstack([part.values, more[first : first + part.n]]))
            first += part.n

    def _posterior(self, points: Array) -> tuple[Array, Array]:
        across = self._mixture.between(points, self._points)
        each = [part.posterior(across) for part in self._parts]
        return np.hstack([mean for mean, _ in each]), np.hstack([sd for _, sd in each])


class _Part:
    """The draws of one component, in units of the mixture."""

    def __init__(self, fitted: Fitted, n: int) -> None:
        self.n = n
        self._fitted = fitted

    def draw(self, here: Covariances, known: Covariances, rng: np.random.Generator) -> None:
        """Draw scales and values at the points of ``here``, which are the left ones of ``known``."""
        fitted = self._fitted
        self._scales = np.sqrt(fitted.rate / rng.gamma(fitted.shape, size=self.n))
        white = solve_triangular(fitted.lower, known.covariance(fitted.component).T, lower=True, check_finite=False)
        covariance = here.covariance(fitted.component)
        size = float(np.diag(covariance).max(initial=0.0))
        root = factor(covariance - white.T @ white + _JITTER * size * np.eye(len(covariance)))
        mean = known.offset(fitted.component) + white.T @ fitted.half
        noise = rng.standard_normal((len(mean), self.n))
        self.condition(here, mean[:, None] + self._scales * (root @ noise))

    def condition(self, here: Covariances, values: Array) -> None:
        """Take values (``m x n``) for what the target is at the points of ``here``."""
        self.values = values
        covariance = here.covariance(self._fitted.component)
        size = float(np.diag(covariance).max(initial=0.0))
        self._factor = factor(covariance + _JITTER * size * np.eye(len(covariance)))
        off = values - here.offset(self._fitted.component)[:, None]
        self._weights = cho_solve((self._factor, True), off, check_finite=False)

    def posterior(self, across: Covariances) -> tuple[Array, Array]:
        """Return mean and standard deviation (``n x draws`` each) at the left points."""
        cross = across.covariance(self._fitted.component)
        white = solve_triangular(self._factor, cross.T, lower=True, check_finite=False)
        prior = across.variance(self._fitted.component)
        left = np.maximum(prior - (white**2).sum(axis=0), 1e-10 * prior)
        mean = across.offset(self._fitted.component)[:, None] + cross @ self._weights
        return mean, np.sqrt(left)[:, None] * self._scales


def _shared_out(weights: Array, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return how often each of some weights is taken in ``n`` systematic draws; they add up to ``n``."""
    edges = np.cumsum(weights)
    places = (np.arange(n) + rng.random()) / n * edges[-1]
    return np.bincount(np.minimum(np.searchsorted(edges, places), len(edges) - 1), minlength=len(edges))
