"""A Bayesian last layer over the leaves of an ensemble of trees: for thousands of results with a hundred features.

The features that the last layer sees are learnt: which leaf of each of some hundred extremely randomised trees (Geurts
et al., Mach. Learn. 63, 3 (2006), doi:10.1007/s10994-006-6226-1) a point falls into. A linear model with one normal
weight for each leaf is then a Gaussian process in which the covariance of two points is the fraction of the trees
where they share a leaf (Davies and Ghahramani, arXiv:1402.4293): the ensemble chooses what counts among many features,
and the last layer says how sure it is and takes in what is assumed of a point without growing a tree. How much of
the variance is noise has the greatest evidence on a grid (Rasmussen and Williams, eq. 2.30); standard deviations are
then scaled to the errors that the trees made on results that they had not seen (out of the bag), for the leaves were
grown on the same results that the last layer learns from.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.linalg import cho_solve, solve_triangular

from surrogate.gp import factor

if TYPE_CHECKING:
    from sklearn.ensemble import ExtraTreesRegressor

FEWEST = 4
"""Results below which there is no model."""
_MOST = 3000
"""Results that the last layer learns from; the trees grow on all."""
_NOISES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
"""Fractions of the variance that may be noise."""
_SHARE = 0.6
"""Of the results that each tree grows on, drawn with replacement."""
_COLUMNS = 0.4
"""Of the features that each split chooses among."""
_SMALLEST_LEAF = 2
_LARGEST_CORRECTION = 3.0
_CHUNK = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What is believed of some points jointly, of the noiseless values."""

    mean: np.ndarray
    """`n`"""
    variance: np.ndarray
    """`n`"""
    leaves: sparse.csr_array
    """`n x leaves`"""
    known: np.ndarray
    """What the results say of them, `results x n`: products of columns are what they take off covariances."""
    model: LeafModel

    def part(self, some: np.ndarray) -> Belief:
        """Return the belief of some of the points."""
        return Belief(
            mean=self.mean[some],
            variance=self.variance[some],
            leaves=self.leaves[some],
            known=self.known[:, some],
            model=self.model,
        )

    def assuming(self, place: int, value: float) -> Belief:
        """Return the belief as if a value, with noise, had been found at one of the points."""
        shared = (self.leaves @ self.leaves[[place]].T).toarray()[:, 0] / self.model.trees
        covariance = self.model.scale * shared - self.known.T @ self.known[:, place]
        size = np.sqrt(max(float(covariance[place]), 0.0) + self.model.noise)
        step = covariance / size
        return Belief(
            mean=self.mean + step * (value - self.mean[place]) / size,
            variance=np.maximum(self.variance - step**2, 0.0),
            leaves=self.leaves,
            known=np.vstack([self.known, step]),
            model=self.model,
        )


@dataclass(frozen=True, kw_only=True)
class LeafModel:
    """The ensemble and its last layer, given results; see `fit_leaves`."""

    forest: ExtraTreesRegressor
    leaves: sparse.csr_array
    """Of the results, `n x leaves`: 1 where a result lies in a leaf."""
    centre: float
    scale: float
    """Prior variance of the noiseless value."""
    noise: float
    """Variance of what is found about it."""
    lower: np.ndarray
    """Cholesky factor of the covariance of the results, `n x n`."""
    weights: np.ndarray
    """`n`"""

    @property
    def trees(self) -> int:
        """How many there are."""
        return len(self.forest.estimators_)

    @cached_property
    def _by_leaf(self) -> np.ndarray:
        """What each leaf adds to the mean."""
        return self.scale / self.trees * np.asarray(self.leaves.T @ self.weights)

    def leaves_of(self, points: np.ndarray) -> sparse.csr_array:
        """Return which leaves points (`m x d`) fall into, `m x leaves`."""
        return _leaves_of(self.forest, points)

    def mean(self, leaves: sparse.csr_array) -> np.ndarray:
        """Return the mean (`m`) at points by their leaves; cheap for a hundred thousand."""
        return self.centre + np.asarray(leaves @ self._by_leaf)

    def belief(self, leaves: sparse.csr_array) -> Belief:
        """Return the joint belief at points by their leaves; holds `results x points` numbers."""
        known = self._whitened(leaves)
        return Belief(
            mean=self.mean(leaves),
            variance=np.maximum(self.scale - np.sum(known * known, axis=0), 1e-9 * self.scale),
            leaves=leaves,
            known=known,
            model=self,
        )

    def predict(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`m` each) of the noiseless value at points (`m x d`)."""
        means, variances = [np.empty(0)], [np.empty(0)]
        for start in range(0, len(points), _CHUNK):
            leaves = self.leaves_of(points[start : start + _CHUNK])
            known = self._whitened(leaves)
            means.append(self.mean(leaves))
            variances.append(self.scale - np.sum(known * known, axis=0))
        variance = np.maximum(np.concatenate(variances), 1e-9 * self.scale)
        return np.concatenate(means), np.sqrt(variance)

    def _whitened(self, leaves: sparse.csr_array) -> np.ndarray:
        covariance = self.scale / self.trees * (self.leaves @ leaves.T).toarray()
        return solve_triangular(self.lower, covariance, lower=True, check_finite=False)


def fit_leaves(points: np.ndarray, values: np.ndarray, *, trees: int = 200, seed: int = 0) -> LeafModel | None:
    """Grow the ensemble and fit its last layer; None where there are too few results, or all of them are equal.

    Args:
        points: Features, `n x d`; their scales do not matter.
        values: `n`
        trees: How many; time grows with them, and chance shrinks.
        seed: Equal seeds and results give equal models, to the last digit.
    """
    centre, spread = float(np.mean(values)) if len(values) else 0.0, float(np.std(values)) if len(values) else 0.0
    if len(values) < FEWEST or not spread > 1e-12 * max(abs(centre), 1e-300):
        return None
    z = (values - centre) / spread
    forest = _grown(points, z, trees, seed)
    some = _kept(len(values))
    leaves = _leaves_of(forest, points[some])
    shared = (leaves @ leaves.T).toarray() / trees
    fits = [_Fit.of(shared, z[some], noise) for noise in _NOISES]
    best = fits[int(np.argmax([fit.evidence for fit in fits]))]
    correction = _correction(forest, points, z, some, best.left_out_sd())
    size = best.size * (spread * correction) ** 2
    return LeafModel(
        forest=forest,
        leaves=leaves,
        centre=centre,
        scale=size * (1.0 - best.noise),
        noise=size * best.noise,
        lower=np.sqrt(size) * best.lower,
        weights=spread * cho_solve((best.lower, True), z[some]) / size,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    """The last layer with one fraction of noise, on standardised values."""

    noise: float
    size: float
    """Variance of a result, the most probable one."""
    lower: np.ndarray
    """Cholesky factor of the correlations."""
    evidence: float

    @classmethod
    def of(cls, shared: np.ndarray, z: np.ndarray, noise: float) -> _Fit:
        lower = factor((1.0 - noise) * shared + noise * np.eye(len(z)))
        half = solve_triangular(lower, z, lower=True)
        size = max(float(half @ half) / len(z), 1e-12)
        evidence = -float(np.sum(np.log(np.diag(lower)))) - 0.5 * len(z) * float(np.log(size))
        return cls(noise=noise, size=size, lower=lower, evidence=evidence)

    def left_out_sd(self) -> np.ndarray:
        """Return the standard deviation with which each result is predicted by the others (`n`; eq. 5.12)."""
        inverse = cho_solve((self.lower, True), np.eye(len(self.lower)))
        return np.sqrt(self.size / np.diag(inverse))


def _grown(points: np.ndarray, values: np.ndarray, trees: int, seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesRegressor

    forest = ExtraTreesRegressor(
        trees,
        max_features=_COLUMNS,
        min_samples_leaf=_SMALLEST_LEAF,
        bootstrap=True,
        max_samples=max(2, round(_SHARE * len(values))),
        random_state=seed,
    )
    return forest.fit(points, values)


def _leaves_of(forest: Any, points: np.ndarray) -> sparse.csr_array:
    counts = [tree.tree_.node_count for tree in forest.estimators_]
    columns = forest.apply(points) + np.cumsum([0, *counts[:-1]])
    n, trees = columns.shape
    ends = np.arange(0, n * trees + 1, trees)
    return sparse.csr_array((np.ones(n * trees), columns.ravel(), ends), shape=(n, sum(counts)))


def _kept(n: int) -> np.ndarray:
    """Return the places of the results that the last layer sees: the later half of what it can, and others evenly."""
    if n <= _MOST:
        return np.arange(n)
    late = n - _MOST // 2
    return np.concatenate([np.linspace(0, late - 1, _MOST - _MOST // 2).round().astype(int), np.arange(late, n)])


def _correction(forest: Any, points: np.ndarray, values: np.ndarray, some: np.ndarray, sd: np.ndarray) -> float:
    """Return by what standard deviations must be multiplied to be as large as errors out of the bag."""
    total, seen = np.zeros(len(values)), np.zeros(len(values))
    for tree, drawn in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        outside = np.ones(len(values), dtype=bool)
        outside[drawn] = False
        if outside.any():
            total[outside] += tree.predict(points[outside])
            seen[outside] += 1
    judged = seen[some] > 0
    if not judged.any():
        return 1.0
    errors = (values - total / np.maximum(seen, 1.0))[some][judged]
    ratio = float(np.sqrt(np.mean(errors**2) / np.mean(sd[judged] ** 2)))
    return float(np.clip(ratio, 1.0 / _LARGEST_CORRECTION, _LARGEST_CORRECTION))
