"""Non-negative factors of many spectra under constraints: X = W S + noise of known standard deviation.

Weights W and components S are fitted in turn. Either step is, for each row of W (each column of S), a quadratic program
of k unknowns, min w' G w / 2 - h' w over w >= 0 or over the simplex (weights that sum to one), solved for all rows at
once by accelerated projected gradients (Beck & Teboulle, SIAM J. Imaging Sci. 2, 183 (2009), doi:10.1137/080716542);
the projection on the simplex is that of Duchi et al. (ICML 2008, doi:10.1145/1390156.1390191, figure 1). Points of
weight zero count for nothing, which is how entries are masked and held out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Array = NDArray[np.floating[Any]]

INNER_STEPS = 10
MAX_ROUNDS = 300
TOLERANCE = 3e-5
"""Relative gain of the objective in a round below which the fit has come to rest, twice in a row."""
TRACE = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """What is known beforehand."""

    is_closed: bool = False
    """Weights of a spectrum sum to one."""
    fixed: Array | None = None
    """``f x p`` components that are known and stay as they are; they come first."""
    smoothness: float = 0.0
    """Penalty of squared differences of neighbouring weights (in units of 1 / weight^2)."""
    edges: NDArray[np.intp] | None = None
    """``e x 2`` pairs of neighbours, for `smoothness`."""

    @property
    def n_fixed(self) -> int:
        """Return the number of known components."""
        return 0 if self.fixed is None else len(self.fixed)


NO_CONSTRAINTS = Constraints()


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """``m x k`` weights and ``k x p`` components."""

    weights: Array
    components: Array
    objective: float
    """Half the weighted sum of squares, and the penalty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """``m x p`` values and their inverse variances, zero where masked or held out."""

    values: Array
    precision: Array


def factorise(
    data: Data, rank: int, constraints: Constraints, generator: np.random.Generator, *, grown_from: Array | None = None
) -> Factors:
    """Fit from one random start; the number of components includes the fixed ones.

    Args:
        data: the table.
        rank: number of components.
        constraints: what is known.
        generator: draws spectra to start from.
        grown_from: ``j x p`` components of a smaller fit (fixed ones first) to start from, instead of spectra.
    """
    laplacian = _laplacian(len(data.values), constraints)
    components = _start(data, rank, constraints.fixed if grown_from is None else grown_from, generator)
    weights = np.full((len(data.values), rank), 1.0 / rank)
    before, rests, objective = np.inf, 0, np.inf
    for _ in range(MAX_ROUNDS):
        weights = fit_weights(data, components, constraints, start=weights, laplacian=laplacian)
        components = _fit_components(data, weights, components, constraints)
        if not constraints.is_closed:
            weights, components = _balanced(weights, components, constraints)
        objective = _objective(data, weights, components, constraints, laplacian)
        rests = rests + 1 if before - objective < TOLERANCE * abs(objective) else 0
        if rests >= 2:
            break
        before = objective
    return Factors(weights=weights, components=components, objective=objective)


def best_of(
    data: Data,
    rank: int,
    constraints: Constraints,
    generator: np.random.Generator,
    *,
    restarts: int,
    grown_from: Array | None = None,
) -> Factors:
    """Return the best of several random starts, and of one from a smaller fit where there is one."""
    fits = [factorise(data, rank, constraints, generator) for _ in range(restarts)]
    if grown_from is not None:
        fits.append(factorise(data, rank, constraints, generator, grown_from=grown_from))
    return min(fits, key=lambda fit: fit.objective)


def fit_weights(
    data: Data,
    components: Array,
    constraints: Constraints,
    *,
    start: Array | None = None,
    laplacian: csr_array | None = None,
    steps: int = INNER_STEPS,
) -> Array:
    """Return ``m x k`` weights of given components."""
    gram, target = _normal(data.precision, data.values, components)
    start = np.full(target.shape, 1.0 / len(components)) if start is None else start
    if laplacian is None:
        laplacian = _laplacian(len(data.values), constraints)
    return _descend(gram, target, start, is_closed=constraints.is_closed, laplacian=laplacian, steps=steps)


def normal_matrices(precision: Array, components: Array) -> Array:
    """Return the ``m x k x k`` matrices S V_i S'."""
    k, p = components.shape
    products = (components[:, None, :] * components[None, :, :]).reshape(k * k, p)
    return (precision @ products.T).reshape(-1, k, k)


def _normal(precision: Array, values: Array, components: Array) -> tuple[Array, Array]:
    return normal_matrices(precision, components), (precision * values) @ components.T


def _fit_components(data: Data, weights: Array, components: Array, constraints: Constraints) -> Array:
    f = constraints.n_fixed
    if f == weights.shape[1]:
        return components
    left = data.values - weights[:, :f] @ components[:f]
    gram, target = _normal(data.precision.T, left.T, weights[:, f:].T)
    free = _descend(gram, target, components[f:].T, is_closed=False, laplacian=None, steps=INNER_STEPS)
    return np.concatenate([components[:f], free.T])


def _descend(
    gram: Array, target: Array, start: Array, *, is_closed: bool, laplacian: csr_array | None, steps: int
) -> Array:
    """Minimise sum_i (w_i' G_i w_i / 2 - h_i' w_i) + tr(W' L W) / 2 by accelerated projected gradients."""
    # the largest row sum bounds the largest eigenvalue
    steepest = np.abs(gram).sum(axis=2).max(axis=1) + TRACE
    if laplacian is not None:
        steepest = steepest + 2.0 * laplacian.diagonal()
    if laplacian is not None:
        # neighbours share their steps, so the smallest one of all is safe
        steepest = np.full_like(steepest, steepest.max())
    project = _on_simplex if is_closed else _non_negative
    now, ahead, momentum = start, start, 1.0
    for _ in range(steps):
        slope = (gram @ ahead[:, :, None])[:, :, 0] - target
        if laplacian is not None:
            slope = slope + laplacian @ ahead
        new = project(ahead - slope / steepest[:, None])
        following = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum**2))
        # start anew where the momentum points uphill
        uphill = np.sum((ahead - new) * (new - now), axis=1, keepdims=True) > 0
        ahead = np.where(uphill, new, new + (momentum - 1.0) / following * (new - now))
        now, momentum = new, following
    return now


def _non_negative(weights: Array) -> Array:
    return np.maximum(weights, 0.0)


def _on_simplex(weights: Array) -> Array:
    """Return the nearest ``m x k`` weights that are non-negative and sum to one."""
    k = weights.shape[1]
    ordered = -np.sort(-weights, axis=1)
    above = np.cumsum(ordered, axis=1) - 1.0
    count = np.maximum(np.sum(ordered - above / np.arange(1, k + 1) > 0, axis=1), 1)
    shift = above[np.arange(len(weights)), count - 1] / count
    return np.maximum(weights - shift[:, None], 0.0)


def _laplacian(m: int, constraints: Constraints) -> csr_array | None:
    if constraints.edges is None or constraints.smoothness <= 0.0:
        return None
    one, other = np.asarray(constraints.edges).T
    rows, columns = np.concatenate([one, other]), np.concatenate([other, one])
    adjacent = csr_array((np.ones(len(rows)), (rows, columns)), shape=(m, m))
    degree = csr_array((adjacent.sum(axis=1), (np.arange(m), np.arange(m))), shape=(m, m))
    return constraints.smoothness * csr_array(degree - adjacent)


def _start(data: Data, rank: int, known: Array | None, generator: np.random.Generator) -> Array:
    """Return ``k x p``: what is known, and spectra of the data that are far from those chosen before."""
    filled = np.where(data.precision > 0, data.values, 0.0)
    # entries that are masked are taken from the mean spectrum, scaled to the row
    seen = data.precision > 0
    mean = filled.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    scale = filled.sum(axis=1) / np.maximum((seen * mean).sum(axis=1), 1e-300)
    filled = np.maximum(np.where(seen, filled, np.outer(scale, mean)), 0.0)
    chosen = [] if known is None else list(known)
    while len(chosen) < rank:
        chosen.append(_far(filled, chosen, generator) + 1e-3 * mean.clip(0) + TRACE)
    return np.array(chosen)


def _far(spectra: Array, chosen: list[Array], generator: np.random.Generator) -> Array:
    """Draw a spectrum with the probability of its squared distance from the span of the chosen ones."""
    if not chosen:
        distance = np.sum((spectra - spectra.mean(axis=0)) ** 2, axis=1)
    else:
        basis = np.linalg.qr(np.array(chosen).T)[0]
        distance = np.sum((spectra - spectra @ basis @ basis.T) ** 2, axis=1)
    # squared once more: noise makes all of them differ a little
    share = distance**2 + TRACE
    return spectra[generator.choice(len(spectra), p=share / share.sum())]


def _balanced(weights: Array, components: Array, constraints: Constraints) -> tuple[Array, Array]:
    """Give free components a mean of one, which without closure is nobody's choice but ours."""
    scale = np.maximum(components.mean(axis=1), TRACE)
    scale[: constraints.n_fixed] = 1.0
    return weights * scale, components / scale[:, None]


def _objective(
    data: Data, weights: Array, components: Array, constraints: Constraints, laplacian: csr_array | None
) -> float:
    misfit = 0.5 * float(np.sum(data.precision * (data.values - weights @ components) ** 2))
    if laplacian is None:
        return misfit
    return misfit + 0.5 * float(np.sum(weights * (laplacian @ weights)))
