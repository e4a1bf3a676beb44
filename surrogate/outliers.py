"""Results that cannot be: a failed transfer, a wrong label. They are found by what the other results make of them.

Results are left out one after another, always the one that is least probable given all the others, and after each the
hyperparameters are fitted anew, as gross errors hide behind the noise that they make the others seem to have. Of the
sets on this path the most probable is taken: the evidence of what is believed, times a broad density of what is not,
times what a share of wrong results is worth beforehand. The path is that of relevance pursuit, whose variances of
single points are here nothing or without bound (Ament et al., NeurIPS 2024, arXiv 2410.24222); residuals with a point
left out are those of Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), eqs. (5.10) to (5.12).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_solve

from surrogate.gp import factor
from surrogate.matern_gp import GP, LEAST_NOISE, Kernel
from surrogate.matern_gp_fit import Hyperparameters, most_probable

FEWEST = 8
"""Values below which all are believed: any of so few may be the only one of its kind."""
SHARE = 0.05
"""Share of wrong results that is expected beforehand."""
MOST = 0.2
"""Share of results that may be doubted."""
_PATIENCE = 3
"""Steps of the path that may make things worse before it ends: gross errors hide behind each other."""
_FARTHEST = 1e6
"""Deviations beyond which nothing is less probable; squares of more overflow."""
_EVALUATIONS = 25
"""Of the posterior, for a step: it starts beside its goal."""
_STEPS = 40
"""Of so many results one leaves at a step; of more, as many as there are such parts."""

Fit = Callable[[np.ndarray, Hyperparameters | None], "Hyperparameters | None"]


def doubtful(X: np.ndarray, y: np.ndarray, noise: np.ndarray | None, like: Hyperparameters | None) -> np.ndarray:
    """Return the places of results that are not to be believed, rising.

    Args:
        X: Where was measured, `n x d`, in or near the unit cube.
        y: What came back, `n`, of mean about 0 and deviation about 1.
        noise: Variance of each value, `n`; None where it is unknown.
        like: Hyperparameters of all of them, to start from.
    """
    if len(y) < FEWEST:
        return np.empty(0, dtype=int)
    path = _Path(X, y, noise)
    all_of_them = path.judged(np.arange(len(y)), like)
    if all_of_them is None:
        return np.empty(0, dtype=int)
    best = path.best_from(all_of_them)
    if len(best.kept) < len(y):
        best = path.taken_back(best)
    return np.setdiff1d(np.arange(len(y)), best.kept)


@dataclass(frozen=True, slots=True)
class _Set:
    """Results that are believed together."""

    kept: np.ndarray
    """Their places."""
    found: Hyperparameters
    score: float
    """Log probability, up to a constant."""


class _Path:
    """Sets of results, from all of them to fewer."""

    def __init__(self, X: np.ndarray, y: np.ndarray, noise: np.ndarray | None) -> None:
        y = np.clip(y, -_FARTHEST, _FARTHEST)
        # with less, as in a fit of all of them, results of one recipe would leave their covariance without a factor
        self._X, self._y, self._noise = X, y, None if noise is None else np.maximum(noise, LEAST_NOISE)
        # a Cauchy density as broad as the middle of the data: no wrong value is impossible
        centre = float(np.median(y))
        spread = max(1.4826 * float(np.median(np.abs(y - centre))), 0.3 * float(np.std(y)), 1e-6)
        self._if_wrong = -np.log(np.pi * spread * (1.0 + ((y - centre) / spread) ** 2))
        self._odds = float(np.log(SHARE / (1.0 - SHARE)))

    def judged(self, kept: np.ndarray, like: Hyperparameters | None) -> _Set | None:
        """Return a set with its hyperparameters and score; None where it has no fit."""
        noise = None if self._noise is None else self._noise[kept]
        # what was learnt of the curvature with values that are far out tells nothing of the rest
        begun = None if like is None else replace(like, curvature=None)
        found = most_probable(self._X[kept], self._y[kept], noise, like=begun, evaluations=_EVALUATIONS)
        if found is None:
            return None
        wrong = np.setdiff1d(np.arange(len(self._y)), kept)
        score = found.log_posterior + float(self._if_wrong[wrong].sum()) + len(wrong) * self._odds
        return _Set(kept, found, score)

    def best_from(self, start: _Set) -> _Set:
        """Return the most probable set on the path."""
        n = len(self._y)
        best = now = start
        step, worse = -(-n // _STEPS), 0
        while worse < _PATIENCE and len(now.kept) - step >= (1.0 - MOST) * n:
            left = np.argsort(-self._surprise(now), kind="stable")[:step]
            after = self.judged(np.delete(now.kept, left), now.found)
            if after is None:
                break
            now = after
            best, worse = (now, 0) if now.score > best.score else (best, worse + 1)
        return best

    def _surprise(self, of: _Set) -> np.ndarray:
        """Return the squared standardised residual of each result, given the others of the set."""
        lower = factor(self._covariance(of))
        inverse = cho_solve((lower, True), np.eye(len(of.kept)))
        weights = inverse @ (self._y[of.kept] - of.found.mean)
        return weights**2 / np.diag(inverse)

    def _covariance(self, of: _Set) -> np.ndarray:
        X = self._X[of.kept]
        return Kernel(of.found.lengths, of.found.scale)(X, X) + np.diag(self._variances(of, of.kept))

    def _variances(self, of: _Set, places: np.ndarray) -> np.ndarray:
        return np.full(len(places), of.found.noise) if self._noise is None else self._noise[places]

    def taken_back(self, of: _Set) -> _Set:
        """Return a set with those results besides that it explains well, once it is free of the others."""
        wrong = np.setdiff1d(np.arange(len(self._y)), of.kept)
        kernel = Kernel(of.found.lengths, of.found.scale)
        gp = GP(kernel, of.found.mean, self._X[of.kept], self._y[of.kept], self._variances(of, of.kept))
        mean, sd = gp.posterior(self._X[wrong])
        variance = sd**2 + self._variances(of, wrong)
        if_right = -0.5 * ((self._y[wrong] - mean) ** 2 / variance + np.log(2.0 * np.pi * variance))
        back = wrong[if_right > self._if_wrong[wrong] + self._odds]
        if not len(back):
            return of
        wider = self.judged(np.union1d(of.kept, back), of.found)
        return of if wider is None or wider.score < of.score else wider
