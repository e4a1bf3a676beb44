"""A region without its equalities and its fixed columns, for whoever knows inequalities only.

One column of each equality (a part of a mixture) is left out and follows from the others, by
`z[left] = shift - M z[kept]`; its bounds become inequalities on the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.errors import BadOption
from planner.region import Region

_SLACK = 1e-9
"""By how much a bound is loosened, relative to its terms, so that a point that lies on it is within."""


@dataclass(frozen=True)
class Reduced:
    """The columns that are kept, the inequalities `A z[kept] <= b` among them, and how the others follow."""

    region: Region
    kept: np.ndarray
    """Free columns that no equality gives, `r`."""
    left: np.ndarray
    """Columns that follow, `k`."""
    M: np.ndarray
    """`k x r`"""
    shift: np.ndarray
    """`k`"""
    A: np.ndarray
    """Inequalities that the bounds of the kept columns do not already imply, `q x r`."""
    b: np.ndarray

    @classmethod
    def of(cls, region: Region) -> Reduced:
        """Solve the equalities; continuous columns are left out before those with levels.

        Raises:
            BadOption: An equality ties categories or nothing but fixed columns, and cannot be solved.
        """
        free = region.free
        fixed = np.setdiff1d(np.arange(region.width), free)
        E, e = region.E[:, free], region.e - region.E[:, fixed] @ region.low[fixed]
        table, pivots = _solved(np.hstack([E, e[:, None]]), region.discrete[free])
        kept_positions = np.setdiff1d(np.arange(len(free)), pivots)
        M, shift = table[:, kept_positions], table[:, -1]
        A, b = _inequalities(region, free, fixed)
        A, b = A[:, kept_positions] - A[:, pivots] @ M, b - A[:, pivots] @ shift
        low, high = region.low[free[pivots]], region.high[free[pivots]]
        A, b = np.vstack([A, M, -M]), np.concatenate([b, shift - low, high - shift])
        kept = free[kept_positions]
        needed = _needed(A, b, region.low[kept], region.high[kept])
        return cls(region=region, kept=kept, left=free[pivots], M=M, shift=shift, A=A[needed], b=b[needed])

    def tied(self) -> np.ndarray:
        """Return the kept columns that an inequality names."""
        return self.kept[np.any(self.A != 0, axis=0)]

    def whole(self, values: np.ndarray) -> np.ndarray:
        """Return the row (`p`) with these values (`r`) in the kept columns."""
        row = self.region.low.copy()
        row[self.kept] = values
        row[self.left] = self.shift - self.M @ values
        return row


def _inequalities(region: Region, free: np.ndarray, fixed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return region.A[:, free], region.b - region.A[:, fixed] @ region.low[fixed]


def _solved(table: np.ndarray, is_discrete: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return equalities (with their right-hand sides as last column) solved for one column each, and these columns."""
    table, pivots = table.copy(), []
    rows = []
    for row in range(len(table)):
        usable = np.abs(table[row, :-1]) > 1e-12 * max(1.0, float(np.max(np.abs(table[row]), initial=0.0)))
        if not usable.any():
            if abs(table[row, -1]) > 1e-9:
                raise BadOption("the equalities among the constraints contradict each other")
            continue
        soft = np.flatnonzero(usable & ~is_discrete)
        pivot = int(soft[-1] if len(soft) else np.flatnonzero(usable)[-1])
        table[row] /= table[row, pivot]
        for other in range(len(table)):
            if other != row:
                table[other] -= table[other, pivot] * table[row]
        pivots.append(pivot)
        rows.append(row)
    return table[rows], np.array(pivots, dtype=int)


def _needed(A: np.ndarray, b: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return which inequalities the bounds of the columns do not imply (`q`, bool)."""
    most = np.where(A > 0, A * high, A * low).sum(axis=1)
    size = np.abs(A) @ np.maximum(np.abs(low), np.abs(high)) + np.abs(b)
    return most > b + _SLACK * size
