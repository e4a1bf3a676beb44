"""Least squares of a fit by one CPU core: what `surrogate.xrd.fit` and `surrogate.xrd.linear` else do with torch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.xrd.drawing_compiled import compiled

Array = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]


@compiled
def solve_bounded(gram: Array, right: Array, empty: Flags, is_bound: Flags, active: Flags, solution: Array) -> None:
    """Solve ``r`` quadratic problems of ``m`` unknowns, some of which are not negative, by active sets.

    Args:
        gram: ``r x m x m``.
        right: ``r x m``.
        empty: ``r x m``: unknowns that stay zero.
        is_bound: ``m``: which are not negative.
        active: ``r x m``, where to begin; changed to which are off their bound at the end.
        solution: ``r x m``, changed.
    """
    n = right.shape[1]
    for r in range(len(right)):
        highest = np.abs(right[r]).max()
        for _ in range(4 * n):
            index = np.flatnonzero(active[r])
            k = len(index)
            solution[r] = 0.0
            if k:
                matrix, side = np.empty((k, k)), np.empty(k)
                for i in range(k):
                    side[i] = right[r, index[i]]
                    for j in range(k):
                        matrix[i, j] = gram[r, index[i], index[j]]
                solution[r, index] = np.linalg.solve(matrix, side)
            is_feasible = True
            for i in index:
                if is_bound[i] and solution[r, i] < 0:
                    active[r, i] = False
                    is_feasible = False
            if not is_feasible:
                continue
            # what would grow again from zero is let in, so that the end is (nearly always) the true constrained optimum
            best, steepest = -1, -math.inf
            for i in range(n):
                if active[r, i] or empty[r, i] or not is_bound[i]:
                    continue
                slope = right[r, i]
                for j in index:
                    slope -= gram[r, i, j] * solution[r, j]
                if slope > 1e-9 * highest and slope > steepest:
                    best, steepest = i, slope
            if best < 0:
                break
            active[r, best] = True


@compiled
def fill_design(
    values: Array, row: NDArray[np.int64], slot: NDArray[np.int64], scales: Array, frozen: Array, design: Array
) -> None:
    """Write the derivatives of ``r`` rows' models by all unknowns but the background, in the order that `Layout` tells.

    Args:
        values: ``e x c x n``: profile, derivatives by an entry's own unknowns and by the three shared ones.
        row: ``e``.
        slot: ``e``.
        scales: ``e``.
        frozen: ``r x f x n``, or ``1 x f x n`` for all rows.
        design: ``r x (m - b) x n`` of zeros, changed.
    """
    n = design.shape[2]
    per_slot, shared = values.shape[1] - 3, design.shape[1] - frozen.shape[1] - 3
    for e in range(len(row)):
        into, begin, scale = design[row[e]], slot[e] * per_slot, scales[e]
        for i in range(n):
            into[begin, i] = values[e, 0, i]
        for c in range(1, per_slot):
            for i in range(n):
                into[begin + c, i] = scale * values[e, c, i]
        for c in range(3):
            for i in range(n):
                into[shared + c, i] += scale * values[e, per_slot + c, i]
    for r in range(len(design)):
        for f in range(frozen.shape[1]):
            for i in range(n):
                design[r, shared + 3 + f, i] = frozen[r if len(frozen) > 1 else 0, f, i]
