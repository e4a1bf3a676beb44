"""A target's Gaussian process averaged over what its sources may tell, by exact evidence.

Each component (`surrogate.transfer.components`) says: the target is a constant, plus what it takes from the posterior
means of its sources, plus a process of its own, plus noise; all in units of a scale whose square is inverse-gamma. So
evidence and prediction are those of a Student-t process, in closed form (Shah, Wilson and Ghahramani, AISTATS 2014,
arXiv 1402.4306): no hyperparameter is searched, and what is left is a sum over a small grid. What a source that is
taken does not know itself is part of the target's covariance, as in Tighineanu et al., AISTATS 2024, arXiv 2312.00742.

With covariance ``C`` and residuals ``r`` of ``n`` values: shape ``a = a0 + n/2`` and rate ``b = b0 + r' C^-1 r / 2``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import gammaln

from surrogate.gp import factor
from surrogate.length_priors import HEAVY
from surrogate.matern_gp import fit_gp
from surrogate.transfer.components import CONSTANT_SD, Component, components
from surrogate.transfer.covariances import Covariances
from surrogate.transfer.sources import PreparedSource

Array = NDArray[np.floating[Any]]

SHAPE, RATE = 2.0, 1.0
"""Of the inverse-gamma prior of the squared scale, in units of the sources' spread squared; its mean is 1."""
LEAST_NOISE = 1e-4
"""Least variance of a value, in units of the squared spread of the sources."""
FEWEST = 4
"""Values of a target that lengths of its own are fitted to."""
MANY, SOME = 100, 60
"""Of more values than the first, so many, spread evenly, tell which components are out of the question."""
HOPELESS = 12.0
"""Nats by which these are less probable than the best one."""
KEPT = 0.995
"""Sum of the weights of the components that predict: the heaviest."""
WIDENING = 1.15
"""What standard deviations of predictions are multiplied by; see `benchmarks/transfer.py`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What is expected at ``m`` points."""

    mean: Array
    sd: Array
    """Standard deviation, of the noiseless function or of a value, as was asked."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A component given the data."""

    component: Component
    lower: Array
    """``n x n`` Cholesky factor."""
    half: Array
    """``n``: the whitened residuals."""
    log_evidence: float

    @property
    def shape(self) -> float:
        """Return that of the inverse-gamma posterior of the squared scale."""
        return SHAPE + len(self.half) / 2.0

    @property
    def rate(self) -> float:
        """Return that of the inverse-gamma posterior of the squared scale."""
        return RATE + float(self.half @ self.half) / 2.0


class Mixture:
    """A target given its values.

    Args:
        sources: At least one.
        X: Where was measured, ``n x d``; ``n`` may be 0.
        y: What came back, ``n``.
        noise: Standard deviation of each value, ``n``; None where it is unknown.

    Raises:
        ValueError: There is no source, shapes do not agree, or a value is no number.
    """

    def __init__(self, sources: Sequence[PreparedSource], X: Array, y: Array, noise: Array | None = None) -> None:
        if not sources:
            raise ValueError("a mixture needs a source; without one use surrogate.matern_gp.fit_gp")
        shape = (len(X), len(sources[0].lengths))
        if np.shape(X) != shape or np.shape(y) != shape[:1] or np.shape(y if noise is None else noise) != shape[:1]:
            raise ValueError(
                f"points of shape {np.shape(X)}, {np.size(y)} values and {'no' if noise is None else np.size(noise)} "
                f"standard deviations; n x {shape[1]} points with n values, and n or no standard deviations are needed"
            )
        if not all(np.isfinite(one).all() for one in (X, y, [] if noise is None else noise)):
            raise ValueError("the target's values hold NaN or infinity; leave them out")
        self.sources, self.X, self.y = list(sources), np.asarray(X, dtype=float), np.asarray(y, dtype=float)
        self.noise = None if noise is None else np.asarray(noise, dtype=float)
        self.scale = float(np.exp(np.mean([np.log(one.spread) for one in sources])))
        centres = np.array([one.centre for one in sources]) / self.scale
        self._centre, self._constant_sd = float(centres.mean()), float(np.sqrt(CONSTANT_SD**2 + centres.var()))
        self._y = self.y / self.scale - self._centre
        self._known = None if self.noise is None else np.maximum((self.noise / self.scale) ** 2, LEAST_NOISE**2)
        self._typical = max(float(np.exp(np.mean([np.log(one.noise) for one in sources]))), LEAST_NOISE)
        fitted = self._all_fitted()
        log_weights = np.array([one.log_evidence + one.component.log_prior for one in fitted])
        self.log_evidence = float(np.logaddexp.reduce(log_weights)) - len(self._y) * float(np.log(self.scale))
        self.weights = np.exp(log_weights - np.logaddexp.reduce(log_weights))
        """Of all components; they sum to 1."""
        self.fitted = fitted
        """All components given the data; of many values, those that are not out of the question."""

    def weight_of(self, name: str) -> float:
        """Return the posterior probability that the target takes from one source alone, by name."""
        which = [one.name for one in self.sources].index(name)
        return self._weight(lambda one: one.take in ("trusted", "signed") and one.which == which)

    @property
    def weight_of_nothing(self) -> float:
        """Return the posterior probability that the target takes nothing from its sources."""
        return self._weight(lambda one: one.take == "nothing")

    @property
    def weight_of_all(self) -> float:
        """Return the posterior probability that the target takes from all sources at once."""
        return self._weight(lambda one: one.take in ("average", "all signed"))

    def predict(self, points: Array, *, noise: bool = False) -> Prediction:
        """Return mean and standard deviation at points (``m x d``); of values, rather than the function, with noise."""
        parts = self._parts(np.asarray(points, dtype=float), noise=noise)
        weights = np.array([weight for weight, *_ in parts])[:, None]
        means = np.array([mean for _, mean, _, _ in parts])
        variances = np.array([squared * shape / (shape - 1.0) for _, _, squared, shape in parts])
        mean = (weights * means).sum(axis=0)
        variance = (weights * (variances + (means - mean) ** 2)).sum(axis=0)
        return Prediction(
            mean=self.scale * (self._centre + mean), sd=WIDENING * self.scale * np.sqrt(np.maximum(variance, 1e-14))
        )

    def log_score(self, points: Array, values: Array) -> Array:
        """Return the log density of each value, ``m``, at its point (``m x d``), as a mixture of Student-t's."""
        y = np.asarray(values, dtype=float) / self.scale - self._centre
        scores = []
        for weight, mean, squared, shape in self._parts(np.asarray(points, dtype=float), noise=True):
            wide = WIDENING**2 * squared
            scores.append(
                np.log(weight) + gammaln(shape + 0.5) - gammaln(shape) - 0.5 * np.log(2.0 * np.pi * shape * wide)
                - (shape + 0.5) * np.log1p((y - mean) ** 2 / (2.0 * shape * wide))
            )  # fmt: skip
        return np.logaddexp.reduce(scores, axis=0) - np.log(self.scale)

    def _parts(self, points: Array, *, noise: bool) -> list[tuple[float, Array, Array, float]]:
        """Return weight, mean, squared t scale and shape of the components that count, at ``m`` points."""
        order = np.argsort(-self.weights)
        kept = order[: 1 + int(np.searchsorted(np.cumsum(self.weights[order]), KEPT))]
        total = float(self.weights[kept].sum())
        across = self.between(points, self.X)
        typical = float(np.median(self._known)) if self._known is not None and len(self._known) else None
        found = []
        for number in kept:
            one = self.fitted[number]
            component = one.component
            white = solve_triangular(one.lower, across.covariance(component).T, lower=True, check_finite=False)
            left = np.maximum(across.variance(component) - (white**2).sum(axis=0), 1e-12)
            if noise:
                left = left + (self._typical * component.noise if typical is None else typical)
            mean = across.offset(component) + white.T @ one.half
            found.append((float(self.weights[number]) / total, mean, left * one.rate / one.shape, one.shape))
        return found

    def between(self, left: Array, right: Array) -> Covariances:
        """Return what the values at two sets of points (``l x d``, ``r x d``) have to do with each other."""
        return Covariances(self.sources, left, right, self._constant_sd)

    def in_unit(self, values: Array) -> Array:
        """Return values of the target in its unit, given them in units of the mixture."""
        return self.scale * (self._centre + values)

    @property
    def noise_sd(self) -> float:
        """Return the typical standard deviation of a value's noise, in the target's unit."""
        if self._known is not None and len(self._known):
            return self.scale * float(np.sqrt(np.median(self._known)))
        typical = sum(weight * one.component.noise for weight, one in zip(self.weights, self.fitted, strict=True))
        return self.scale * float(np.sqrt(self._typical * typical))

    def _all_fitted(self) -> list[Fitted]:
        every = self._distinct(components(self.sources, self._own_lengths(), len(self._y)))
        if len(self._y) > MANY:
            some = np.linspace(0, len(self._y) - 1, SOME).round().astype(int)
            rough = self._fitted_to(every, some)
            weights = np.array([one.log_evidence + one.component.log_prior for one in rough])
            every = [every[number] for number in np.flatnonzero(weights >= weights.max() - HOPELESS)]
        return self._fitted_to(every, np.arange(len(self._y)))

    def _fitted_to(self, every: list[Component], some: NDArray[np.intp]) -> list[Fitted]:
        """Return components given some of the values, by number."""
        within, y = self.between(self.X[some], self.X[some]), self._y[some]
        known = None if self._known is None else self._known[some]
        return [self._fitted_one(component, within, y, known) for component in every]

    def _own_lengths(self) -> Array | None:
        """Return the lengths that the target's values ask for by themselves; None where they are too few, or equal."""
        spread = float(self._y.std()) if len(self._y) >= FEWEST else 0.0
        if not spread > 0.0 or not np.isfinite(spread):
            return None
        known = None if self._known is None else self._known / spread**2
        return fit_gp(self.X, (self._y - self._y.mean()) / spread, known, prior=HEAVY).kernel.lengths

    def _distinct(self, every: list[Component]) -> list[Component]:
        """Where noise is known, components that differ in noise alone are one."""
        if self._known is None:
            return every
        n_noises = len({one.noise for one in every})
        return [_with_prior(one, np.log(n_noises)) for one in every if one.noise == every[0].noise]

    def _fitted_one(self, component: Component, within: Covariances, y: Array, known: Array | None) -> Fitted:
        n = len(y)
        covariance = within.covariance(component)
        covariance.flat[:: n + 1] += component.noise * self._typical if known is None else known
        lower = factor(covariance) if n else np.zeros((0, 0))
        residual = y - within.offset(component)
        half = solve_triangular(lower, residual, lower=True, check_finite=False) if n else np.zeros(0)
        fitted = Fitted(component, lower, half, 0.0)
        evidence = (
            gammaln(fitted.shape) - gammaln(SHAPE) + SHAPE * np.log(RATE) - fitted.shape * np.log(fitted.rate)
            - np.log(np.diag(lower)).sum() - 0.5 * n * np.log(2.0 * np.pi)
        )  # fmt: skip
        return Fitted(component, lower, half, float(evidence))

    def _weight(self, chosen: Callable[[Component], bool]) -> float:
        pairs = zip(self.fitted, self.weights, strict=True)
        return float(sum(weight for one, weight in pairs if chosen(one.component)))


def _with_prior(component: Component, more: float) -> Component:
    return replace(component, log_prior=component.log_prior + float(more))
