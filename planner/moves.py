"""Moves of the Markov chains that sample a region, for many rows at once.

Each leaves the uniform distribution unchanged: a Gibbs step draws a column from all that it may be, the others propose
symmetrically and keep the row where the proposal is not feasible. (Where a column with a log scale is bound by an
equality, its proposals are even on that scale, and the result is only nearly uniform.)
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from planner.constraints import TOLERANCE
from planner.region import Region


def stretch(u: np.ndarray, low: np.ndarray | float, high: np.ndarray | float, is_log: bool) -> np.ndarray:
    """Map uniform numbers into an interval, evenly on its scale."""
    if is_log:
        return np.clip(low * (high / low) ** u, low, high)
    return np.clip(low + u * (high - low), low, high)


def gibbs(region: Region, rows: np.ndarray, column: int, rng: Generator) -> np.ndarray:
    """Draw one column anew from every value that it may have, given the others."""
    low, high = region.interval(rows, column)
    grid = region.grids[column]
    u = rng.random(len(rows))
    moved = rows.copy()
    if grid is None:
        low, high = np.minimum(low, rows[:, column]), np.maximum(high, rows[:, column])
        moved[:, column] = stretch(u, low, high, bool(region.is_log[column]))
        return _kept(region, rows, moved)
    slack = TOLERANCE * region.span[column]
    first = np.searchsorted(grid, low - slack)
    last = np.searchsorted(grid, high + slack, side="right") - 1
    chosen = first + np.floor(u * (last - first + 1)).astype(int)
    moved[:, column] = np.where(last >= first, grid[np.clip(chosen, 0, len(grid) - 1)], rows[:, column])
    return _kept(region, rows, moved)


def exchange(region: Region, rows: np.ndarray, rng: Generator) -> np.ndarray:
    """Give one column a new value and let another make up for it, so that a constraint's sum stays what it is."""
    weights = np.vstack([region.A, region.E])
    shared = [np.flatnonzero((row != 0) & (region.high > region.low)) for row in weights]
    choices = [(k, columns) for k, columns in enumerate(shared) if len(columns) > 1]
    if not choices:
        return rows
    k, columns = choices[rng.integers(len(choices))]
    first, second = rng.choice(columns, size=2, replace=False)
    moved = rows.copy()
    moved[:, first] = _anywhere(region, int(first), len(rows), rng)
    moved[:, second] -= (moved[:, first] - rows[:, first]) * weights[k, first] / weights[k, second]
    return settle(region, rows, moved)


def compensated_jump(region: Region, rows: np.ndarray, rng: Generator) -> np.ndarray:
    """Give one discrete column a new level and let the continuous ones close the equalities, by least change."""
    bound = np.flatnonzero(np.any(region.E != 0, axis=0) & region.discrete & (region.high > region.low))
    soft = np.flatnonzero(~region.discrete)
    if not len(bound) or not len(soft):
        return rows
    column = int(rng.choice(bound))
    moved = rows.copy()
    moved[:, column] = _anywhere(region, column, len(rows), rng)
    change = moved[:, column] - rows[:, column]
    moved[:, soft] += change[:, None] * (-np.linalg.pinv(region.E[:, soft]) @ region.E[:, column])
    return settle(region, rows, moved)


def hit_and_run(region: Region, rows: np.ndarray, rng: Generator) -> np.ndarray:
    """Move the continuous columns along a random line that keeps the equalities, anywhere within the region."""
    soft = np.flatnonzero(~region.discrete & ~region.is_log & (region.high > region.low))
    if not len(soft):
        return rows
    basis = null_space(region.E[:, soft] * region.span[soft])
    if not basis.shape[1]:
        return rows
    directions = np.zeros_like(rows)
    directions[:, soft] = (rng.standard_normal((len(rows), basis.shape[1])) @ basis.T) * region.span[soft]
    least, most = region.allowed_steps(rows, directions)
    steps = least + rng.random(len(rows)) * (most - least)
    return settle(region, rows, rows + np.where(np.isfinite(steps), steps, 0.0)[:, None] * directions)


def settle(region: Region, rows: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Return the moved rows where they are feasible and on their levels, and the old rows elsewhere."""
    rounded = region.round(moved)
    on_level = np.all(np.abs(rounded - moved) <= TOLERANCE * region.span, axis=1)
    return np.where((on_level & region.feasible(rounded))[:, None], rounded, rows)


def null_space(matrix: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis (columns) of what the matrix maps to zero."""
    if not len(matrix):
        return np.eye(matrix.shape[1])
    _, values, rows = np.linalg.svd(matrix)
    rank = int(np.sum(values > 1e-12 * max(values.max(initial=0.0), 1e-300)))
    return rows[rank:].T


def _kept(region: Region, rows: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Return the moved rows but where they leave a constraint that is not linear, which no interval knows."""
    return np.where(region.feasible(moved)[:, None], moved, rows) if region.curves else moved


def _anywhere(region: Region, column: int, n: int, rng: Generator) -> np.ndarray:
    grid = region.grids[column]
    if grid is not None:
        return grid[rng.integers(len(grid), size=n)]
    return stretch(rng.random(n), region.low[column], region.high[column], bool(region.is_log[column]))
