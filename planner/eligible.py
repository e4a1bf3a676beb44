"""Which points may be the best where only one fidelity counts: those that were measured there."""

from __future__ import annotations

import numpy as np

from planner.limits import Eligible


class AtTarget:
    """Points at the target, which keep to limits besides.

    Args:
        is_target: Whether each known point is at the target, `m`.
        column: Of the encoding, which says that a point is at the target.
        draws: How many draws there are of each.
        limits: What results must keep to besides.
    """

    def __init__(self, is_target: np.ndarray, *, column: int, draws: int, limits: Eligible | None) -> None:
        self._is_target, self._column, self._draws, self._limits = is_target, column, draws, limits

    def kept(self) -> np.ndarray:
        """Say which points may be the best in which draws, `m x draws`."""
        kept = np.repeat(self._is_target[:, None], self._draws, axis=1)
        return kept if self._limits is None else kept & self._limits.kept()

    def log_chance(self, points: np.ndarray) -> np.ndarray:
        """Return the logarithm of the probability that points (`n x d`) may, given each draw, `n x draws`."""
        if self._limits is None:
            return np.zeros((len(points), 1))
        return self._limits.log_chance(points)

    def add(self, point: np.ndarray, rng: np.random.Generator) -> None:
        """Take a chosen point (`d`) as pending."""
        self._is_target = np.append(self._is_target, point[self._column] > 0.5)
        if self._limits is not None:
            self._limits.add(point, rng)
