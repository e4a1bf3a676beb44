"""Regressions of a measured table, chosen by cross-validation over conditions.

One row per distinct condition goes in (the mean of its repeats), so that no repeat of a held-out condition is ever seen
in training. Everything is seeded: equal tables give equal models.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.model_selection import RepeatedKFold

from simulators.replay_options import Axis, Value

Array = NDArray[np.float64]

SEED = 0
"""Of every random choice in here: a table is one world, whatever the seed of the campaign that visits it."""
FOLDS = 5
REPEATS = 3
"""Shuffles of the folds for a small table, whose error depends on them."""
SMALL = 300
"""Conditions up to which folds are repeated, and from which length scales are fitted on a subset."""
LARGEST_GP = 1500


class Regression(Protocol):
    """A model from encoded settings to one target."""

    def fit(self, x: Array, y: Array, weight: Array) -> Regression:
        """Learn from ``m x d`` settings, ``m`` means and ``m`` numbers of repeats."""
        ...

    def predict(self, x: Array) -> Array:
        """Return ``m`` values for ``m x d`` settings."""
        ...


class Trees:
    """An ensemble of trees."""

    def __init__(self, model: ExtraTreesRegressor | GradientBoostingRegressor) -> None:
        self._model = model

    def fit(self, x: Array, y: Array, weight: Array) -> Trees:
        """Learn, each condition counting as often as it was repeated."""
        self._model.fit(x, y, sample_weight=weight)
        return self

    def predict(self, x: Array) -> Array:
        """Return the ensemble's means."""
        return np.asarray(self._model.predict(x), dtype=float)


class GaussianProcess:
    """A Gaussian process with a Matern-5/2 kernel, one length scale per column, and a fitted noise."""

    def fit(self, x: Array, y: Array, weight: Array) -> GaussianProcess:
        """Learn; the kernel is fitted on at most `SMALL` conditions and then holds for all of them."""
        self._mean, self._sd = float(y.mean()), float(y.std()) or 1.0
        z = (y - self._mean) / self._sd
        # scikit-learn has no type stubs: an array of length scales and optimizer=None are documented arguments
        scales: Any = np.full(x.shape[1], 0.5)
        kernel = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(scales, (0.05, 20.0), nu=2.5)
        kernel += WhiteKernel(0.1, (1e-5, 1.0))
        chosen = np.arange(len(y))
        if len(y) > SMALL:
            chosen = np.sort(np.random.default_rng(SEED).choice(len(y), SMALL, replace=False))
        with warnings.catch_warnings():
            # a length scale at its bound is an irrelevant column, and no reason for alarm
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted = GaussianProcessRegressor(kernel, random_state=SEED).fit(x[chosen], z[chosen])
        no_optimizer: Any = None
        self._model: Any = GaussianProcessRegressor(fitted.kernel_, optimizer=no_optimizer).fit(x, z)
        return self

    def predict(self, x: Array) -> Array:
        """Return the posterior means."""
        covariance = self._model.kernel_(x, self._model.X_train_)
        # not BLAS, whose rounding of one row depends on how many rows there are
        return self._mean + self._sd * np.einsum("ij,j->i", covariance, self._model.alpha_)


CANDIDATES: Mapping[str, Callable[[], Regression]] = {
    "gaussian process": GaussianProcess,
    "extra trees": lambda: Trees(ExtraTreesRegressor(n_estimators=100, random_state=SEED)),
    "gradient boosting": lambda: Trees(
        GradientBoostingRegressor(n_estimators=150, learning_rate=0.1, max_depth=3, subsample=0.7, random_state=SEED)
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossValidation:
    """How well a regression answers for conditions that it has not seen."""

    rmse: float
    """Root of the mean squared difference to the held-out conditions' means, in the target's unit."""
    r2: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The regression with the least cross-validated error, fitted to all conditions."""

    name: str
    model: Regression
    error: CrossValidation
    candidates: Mapping[str, CrossValidation]


def choose(x: Array, y: Array, weight: Array) -> Chosen:
    """Fit every candidate to the training folds and keep the best on the held-out ones.

    Args:
        x: ``m x d`` encoded settings of distinct conditions.
        y: ``m`` means over the repeats.
        weight: ``m`` numbers of repeats.
    """
    names = [name for name in CANDIDATES if name != "gaussian process" or len(y) <= LARGEST_GP]
    errors = {name: cross_validate(CANDIDATES[name], x, y, weight) for name in names}
    best = min(errors, key=lambda name: errors[name].rmse)
    return Chosen(name=best, model=CANDIDATES[best]().fit(x, y, weight), error=errors[best], candidates=errors)


def cross_validate(make: Callable[[], Regression], x: Array, y: Array, weight: Array) -> CrossValidation:
    """Measure the error on held-out conditions; arguments as in `choose`."""
    squares, spread = 0.0, 0.0
    for train, test in folds(len(y)):
        model = make().fit(x[train], y[train], weight[train])
        squares += float(np.sum((model.predict(x[test]) - y[test]) ** 2))
        spread += float(np.sum((y[test] - y.mean()) ** 2))
    n_held_out = len(y) * repeats(len(y))
    return CrossValidation(rmse=float(np.sqrt(squares / n_held_out)), r2=1.0 - squares / spread)


def folds(m: int) -> Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return training and held-out indices of ``m`` conditions."""
    splits = RepeatedKFold(n_splits=FOLDS, n_repeats=repeats(m), random_state=SEED)
    return list(splits.split(np.zeros((m, 1))))


def repeats(m: int) -> int:
    """Return how often the folds of ``m`` conditions are shuffled."""
    return REPEATS if m <= SMALL else 1


@dataclass(frozen=True, slots=True)
class Encoder:
    """Settings as numbers: a numeric parameter over its measured range, a categorical one as an indicator per level."""

    axes: Sequence[Axis]
    spans: Mapping[str, tuple[float, float]]
    levels: Mapping[str, Sequence[str]]

    def __call__(self, points: Sequence[Mapping[str, Value]]) -> Array:
        """Return ``m x d`` numbers for ``m`` points."""
        columns: list[list[float]] = []
        for axis in self.axes:
            settings = [point[axis.name] for point in points]
            if axis.is_categorical:
                columns += [[float(setting == level) for setting in settings] for level in self.levels[axis.name]]
            else:
                low, high = self.spans[axis.name]
                columns.append([(float(setting) - low) / ((high - low) or 1.0) for setting in settings])
        return np.array(columns).T
