"""Linear programs over a region: is anything feasible, what is nearest, where to start.

Discrete columns become integers (the index of a step) where their levels are evenly spaced, otherwise a choice of one
level each. scipy is imported on the first use; it is slow to load.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.errors import SpaceError
from planner.region import Region, is_even

_EXACT = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
_WHOLE = {"mip_rel_gap": 0.0, "time_limit": 60.0}
"""A whole-number program keeps the solver's own tolerance, and `polish` makes up for it."""


@dataclass(frozen=True)
class _Program:
    """Variables x with `z = offset + lift @ x`, whole where `integrality` is 1."""

    lift: np.ndarray
    offset: np.ndarray
    low: np.ndarray
    high: np.ndarray
    integrality: np.ndarray
    choose_one: np.ndarray
    """Rows over x that must sum to 1 (one level of an uneven grid)."""

    @classmethod
    def of(cls, region: Region, *, relaxed: bool) -> _Program:
        """Lay out the variables of a region; relaxed leaves the levels out."""
        columns, offset, low, high, whole, choices = [], [], [], [], [], []
        for j, grid in enumerate(region.grids):
            unit = np.zeros(region.width)
            unit[j] = 1.0
            even = relaxed or grid is None or is_even(grid)
            offset.append(region.low[j] if even or grid is None else 0.0)
            if even or grid is None:
                stepped = not relaxed and grid is not None and len(grid) > 1
                step = float(grid[1] - grid[0]) if stepped and grid is not None else region.span[j]
                columns.append(unit * step)
                low.append(0.0)
                high.append(round((region.high[j] - region.low[j]) / step) if stepped else _reach(region, j))
                whole.append(int(stepped))
            else:
                choices.append((len(columns), len(columns) + len(grid)))
                columns.extend(unit * level for level in grid)
                low.extend([0.0] * len(grid))
                high.extend([1.0] * len(grid))
                whole.extend([1] * len(grid))
        choose_one = np.zeros((len(choices), len(columns)))
        for row, (start, stop) in enumerate(choices):
            choose_one[row, start:stop] = 1.0
        return cls(
            lift=np.array(columns).T.reshape(region.width, -1),
            offset=np.array(offset),
            low=np.array(low),
            high=np.array(high),
            integrality=np.array(whole),
            choose_one=choose_one,
        )

    def solve(
        self, region: Region, cost: np.ndarray, *, target: np.ndarray | None = None, weights: np.ndarray | None = None
    ) -> np.ndarray | None:
        """Minimise `cost @ z`, plus the weighted distance from a target; None if nothing is feasible."""
        from scipy.optimize import linprog

        n_x = self.lift.shape[1]
        n_d = 0 if target is None else region.width
        objective = np.concatenate([cost @ self.lift, np.zeros(n_d) if weights is None else weights])
        scale_a, scale_e = _row_scale(region.A), _row_scale(region.E)
        upper = _widen((region.A / scale_a[:, None]) @ self.lift, n_d)
        upper_b = (region.b - region.A @ self.offset) / scale_a
        equal = np.vstack([_widen((region.E / scale_e[:, None]) @ self.lift, n_d), _widen(self.choose_one, n_d)])
        equal_b = np.concatenate([(region.e - region.E @ self.offset) / scale_e, np.ones(len(self.choose_one))])
        if target is not None:
            eye = np.eye(region.width)
            upper = np.vstack([upper, np.hstack([self.lift, -eye]), np.hstack([-self.lift, -eye])])
            upper_b = np.concatenate([upper_b, target - self.offset, self.offset - target])
        bounds = [*zip(self.low, self.high, strict=True), *[(0.0, None)] * n_d]
        options = _WHOLE if self.integrality.any() else _EXACT
        result = linprog(
            objective,
            A_ub=upper if len(upper) else None,
            b_ub=upper_b if len(upper) else None,
            A_eq=equal if len(equal) else None,
            b_eq=equal_b if len(equal) else None,
            bounds=bounds,
            integrality=np.concatenate([self.integrality, np.zeros(n_d)]) if self.integrality.any() else None,
            method="highs",
            options=options,
        )
        if result.x is None and "infeasible" not in result.message.lower():
            raise SpaceError(
                f"whether the constraints can hold could not be decided ({result.message}); give fewer equalities "
                "on grids, or coarser grids"
            )
        if result.x is None:
            return None
        x = np.where(self.integrality == 1, np.round(result.x[:n_x]), result.x[:n_x])
        return self.offset + self.lift @ x


def extreme(region: Region, cost: np.ndarray, *, relaxed: bool = False) -> np.ndarray | None:
    """Return the row with the least `cost @ row`, or None where no row is feasible; relaxed ignores the levels."""
    row = _Program.of(region, relaxed=relaxed).solve(region, cost)
    if row is None or relaxed:
        return row
    return polish(region, row)


def nearest(region: Region, target: np.ndarray, weights: np.ndarray) -> np.ndarray | None:
    """Return the feasible row with the least weighted sum of distances from target, or None."""
    row = _Program.of(region, relaxed=False).solve(region, np.zeros(region.width), target=target, weights=weights)
    return None if row is None else polish(region, row)


def polish(region: Region, row: np.ndarray) -> np.ndarray:
    """Remove what a linear program leaves: levels exactly, equalities to rounding, inequalities from the inside."""
    row = region.round(row[None])[0]
    row = _settle_equalities(region, row)
    if region.feasible(row[None])[0]:
        return row
    inner = _interior(region, row)
    if inner is None:
        return row
    for step in (1e-9, 1e-8, 1e-7, 1e-6, 1e-5):
        pulled = _settle_equalities(region, row + step * (inner - row))
        if region.feasible(pulled[None])[0]:
            return pulled
    return inner


def _settle_equalities(region: Region, row: np.ndarray) -> np.ndarray:
    """Move continuous columns by the least amount that closes the equalities."""
    if not len(region.E):
        return row
    for _ in range(20):
        gap = region.e - region.E @ row
        inside = (row > region.low) & (row < region.high) & ~region.discrete
        if not inside.any() or np.all(np.abs(gap) <= 1e-15 * np.abs(region.e)):
            break
        row = row.copy()
        row[inside] += np.linalg.lstsq(region.E[:, inside], gap, rcond=None)[0]
        row = np.clip(row, region.low, region.high)
    return row


def _interior(region: Region, row: np.ndarray) -> np.ndarray | None:
    """Return a row with the same levels that keeps away from every inequality as far as it can."""
    from scipy.optimize import linprog

    held = np.flatnonzero(region.discrete)
    free = np.flatnonzero(~region.discrete)
    if not len(free):
        return None
    moving = region.pinned(held, row[held])
    norms = np.linalg.norm(moving.A[:, free], axis=1)
    rest = moving.A[:, held] @ row[held], moving.E[:, held] @ row[held]
    result = linprog(
        np.concatenate([np.zeros(len(free)), [-1.0]]),
        A_ub=np.hstack([moving.A[:, free], norms[:, None]]) if len(moving.A) else None,
        b_ub=moving.b - rest[0] if len(moving.A) else None,
        A_eq=np.hstack([moving.E[:, free], np.zeros((len(moving.E), 1))]) if len(moving.E) else None,
        b_eq=moving.e - rest[1] if len(moving.E) else None,
        bounds=[*zip(region.low[free], region.high[free], strict=True), (0.0, float(region.span.max()))],
        method="highs",
    )
    if result.x is None:
        return None
    inner = row.copy()
    inner[free] = np.clip(result.x[:-1], region.low[free], region.high[free])
    return _settle_equalities(region, inner)


def conflict(region: Region, *, relaxed: bool) -> tuple[list[int], list[int]] | None:
    """Return a smallest contradicting set of rows of A and of E, or None where a feasible row exists."""
    zero = np.zeros(region.width)
    if _Program.of(region, relaxed=relaxed).solve(region, zero) is not None:
        return None
    keep_a, keep_e = list(range(len(region.A))), list(range(len(region.E)))
    for keep in (keep_a, keep_e):
        for row in list(keep):
            keep.remove(row)
            fewer = _only(region, keep_a, keep_e)
            if _Program.of(fewer, relaxed=relaxed).solve(fewer, zero) is not None:
                keep.append(row)
        keep.sort()
    return keep_a, keep_e


def _only(region: Region, rows_a: list[int], rows_e: list[int]) -> Region:
    return Region(
        low=region.low,
        high=region.high,
        grids=region.grids,
        is_log=region.is_log,
        A=region.A[sorted(rows_a)],
        b=region.b[sorted(rows_a)],
        E=region.E[sorted(rows_e)],
        e=region.e[sorted(rows_e)],
    )


def _reach(region: Region, column: int) -> float:
    return 1.0 if region.high[column] > region.low[column] else 0.0


def _row_scale(matrix: np.ndarray) -> np.ndarray:
    return np.max(np.abs(matrix), axis=1, initial=0.0) if len(matrix) else np.ones(0)


def _widen(matrix: np.ndarray, extra: int) -> np.ndarray:
    return np.hstack([matrix, np.zeros((len(matrix), extra))])
