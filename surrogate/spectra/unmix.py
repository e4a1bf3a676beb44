"""Maps of spectra as mixtures of a few components: which, and how much of each where.

The model is X = W S + noise with known standard deviation, W and S non-negative (Lee & Seung, Nature 401, 788 (1999),
doi:10.1038/44565), and what else is known: weights that sum to one, components that are given, neighbours that are
alike.
How many components there are is a question of its own, see `surrogate.spectra.rank`.

Non-negative factors are not unique unless some spectra (nearly) lack each component; the uncertainty given is that of
the weights with the components as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from surrogate.spectra.factors import NO_CONSTRAINTS, Constraints, Data, best_of, fit_weights, normal_matrices
from surrogate.spectra.map_table import map_table, require_ranks

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

RESTARTS = 4
FINAL_STEPS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmixed:
    """A map of ``m`` spectra in ``k`` components."""

    weights: Array
    """``m x k``."""
    weight_sds: Array
    """``m x k``, with the components taken as known; 0 where nothing else is allowed."""
    components: Array
    """``k x p``, the fixed ones first."""
    reduced_chi2: float


def unmix(
    values: Array,
    sd: Array | float,
    rank: int,
    *,
    generator: np.random.Generator,
    constraints: Constraints = NO_CONSTRAINTS,
    valid: Mask | None = None,
    restarts: int = RESTARTS,
) -> Unmixed:
    """Return weights and components of a map for a given number of components, best of several starts.

    Args:
        values: ``m x p`` spectra, baseline taken off.
        sd: standard deviations, ``m x p`` or what broadcasts to it.
        rank: number of components, fixed ones included.
        generator: draws the starts.
        constraints: what is known.
        valid: ``m x p``; other entries are not used.
        restarts: number of starts.

    Raises:
        CannotTell: The table cannot be used, or is too small for the rank.
    """
    data = map_table(values, sd, valid)
    require_ranks(data, [rank], constraints)
    fit = best_of(data, rank, constraints, generator, restarts=restarts)
    weights = fit_weights(data, fit.components, constraints, start=fit.weights, steps=FINAL_STEPS)
    left = data.precision * (data.values - weights @ fit.components) ** 2
    freedom = max(int(np.sum(data.precision > 0)) - weights.size - (rank - constraints.n_fixed) * values.shape[1], 1)
    return Unmixed(
        weights=weights,
        weight_sds=weight_sds(data, fit.components, weights, constraints),
        components=fit.components,
        reduced_chi2=float(left.sum()) / freedom,
    )


def weight_sds(data: Data, components: Array, weights: Array, constraints: Constraints) -> Array:
    """Return ``m x k`` standard deviations of weights at given components.

    The covariance is that of least squares, with closure that of weights whose sum is known. It is the width of the
    unconstrained estimate also where a weight lies at zero, so that weight plus twice the sd is an upper limit there.
    Smoothness is left out, which makes the sd too large rather than too small.
    """
    gram = normal_matrices(data.precision, components)
    k = len(components)
    ridge = 1e-12 * np.trace(gram, axis1=1, axis2=2)[:, None, None] / k
    covariance = np.linalg.pinv(gram + ridge * np.eye(k), hermitian=True)
    if constraints.is_closed:
        towards = covariance.sum(axis=2)
        total = np.maximum(towards.sum(axis=1), 1e-300)
        covariance = covariance - towards[:, :, None] * towards[:, None, :] / total[:, None, None]
    return np.sqrt(np.maximum(np.diagonal(covariance, axis1=1, axis2=2), 0.0))


def line_edges(m: int) -> NDArray[np.intp]:
    """Return the neighbours along a line of ``m`` spectra."""
    index = np.arange(m)
    return np.stack([index[:-1], index[1:]], axis=1)


def grid_edges(rows: int, columns: int) -> NDArray[np.intp]:
    """Return the neighbours on a map of rows times columns, row by row."""
    index = np.arange(rows * columns).reshape(rows, columns)
    across = np.stack([index[:, :-1].ravel(), index[:, 1:].ravel()], axis=1)
    down = np.stack([index[:-1].ravel(), index[1:].ravel()], axis=1)
    return np.concatenate([across, down])


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """Found components against reference ones, whatever their order."""

    order: tuple[int, ...]
    """Index of the found component for each reference component."""
    cosines: tuple[float, ...]
    """How alike the pairs are: 1 is the same up to scale."""


def match(found: Array, reference: Array) -> Matching:
    """Pair ``k x p`` components with as many or fewer reference ones, so that the sum of cosines is largest.

    Raises:
        ValueError: There are more reference components than found ones.
    """
    if len(found) < len(reference):
        raise ValueError(f"{len(found)} components cannot be matched with {len(reference)} of a reference")
    cosines = _unit(reference) @ _unit(found).T
    rows, columns = linear_sum_assignment(-cosines)
    return Matching(order=tuple(map(int, columns)), cosines=tuple(map(float, cosines[rows, columns])))


def _unit(rows: Array) -> Array:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300)
