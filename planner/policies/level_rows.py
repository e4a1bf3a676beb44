"""Rows of a search space at one fidelity or another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.fidelity import Fidelity
from planner.space import SearchSpace


@dataclass(frozen=True, slots=True)
class LevelRows:
    """Moves rows between the levels of a fidelity.

    Args:
        space: The whole space of a campaign.
        fidelity: Its parameter that says the level.
    """

    space: SearchSpace
    fidelity: Fidelity

    @property
    def column(self) -> int:
        """Return which column of a row holds its level."""
        return self.space.names.index(self.fidelity.name)

    def levels(self, rows: np.ndarray) -> np.ndarray:
        """Return the levels of rows (`n x p`), `n`."""
        return rows[:, self.column].round().astype(int)

    def moved(self, rows: np.ndarray, level: int) -> np.ndarray:
        """Return rows (`n x p`) as they are at a level; what exists there only rests."""
        moved = rows.copy()
        moved[:, self.column] = level
        conditions = self.space.conditions
        return moved if conditions is None else conditions.settled(moved)

    def said(self, level: int) -> str:
        """Return a level in words."""
        return f"{self.fidelity.name} {self.fidelity.values[level]!r}"


def is_open(space: SearchSpace, rows: np.ndarray) -> np.ndarray:
    """Say which rows (`n x p`) may be proposed in a space, `n`."""
    if not len(rows):
        return np.zeros(0, dtype=bool)
    good = space.region.feasible(rows)
    if space.pool is not None:
        good &= np.array([space.is_of_pool(point) for point in space.points(rows)], dtype=bool)
    return good
