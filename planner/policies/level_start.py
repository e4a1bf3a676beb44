"""How a campaign with several fidelities begins: cheap points that fill the space, some of them looked at in full.

A pair of results tells most about how alike two levels are, so a dearer level begins where a cheaper one was tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planner.best import best_of
from planner.objective import Objective
from planner.policies.base import PlannerData
from planner.policies.level_rows import LevelRows, is_open
from planner.space import SearchSpace

_SHARE = 0.15
"""Of what the start costs without cheaper levels: spent on each of them to begin with."""
_FEWEST, _MOST = 3, 2.5
"""Points of a cheaper level to begin with: at least, and at most times those of the start without."""
_DEAREST = 0.5
"""Of the target's cost: a level above it is not begun with."""
_FEWEST_TARGET = 2


@dataclass(frozen=True, slots=True)
class LevelStart:
    """Says at which levels a campaign begins, and where.

    Args:
        rows: The levels.
        objectives: What is wanted.
        n_start: Points of a start without cheaper levels.
        target_only: Whether nothing is tried at cheaper levels.
    """

    rows: LevelRows
    objectives: Sequence[Objective]
    n_start: int
    target_only: bool = False

    def begun_with(self, level: int) -> int:
        """Return how many points of a cheaper level fill the space."""
        relative = self.rows.fidelity.relative[level]
        if relative > _DEAREST or self.target_only:
            return 0
        most = round(_MOST * self.n_start)
        return int(np.clip(_SHARE * self.n_start / relative, min(_FEWEST, most), most))

    def left(self, levels: np.ndarray, *, is_proven: bool) -> list[int]:
        """Return the levels of the points that are left to fill the space with, the cheapest first.

        levels: Of everything that was tried or is pending, `n`.
        is_proven: Whether what counts has been seen to resemble cheaper levels.
        """
        fidelity = self.rows.fidelity
        target, plan = fidelity.target_level, list[int]()
        for level in np.argsort(fidelity.relative, kind="stable").tolist():
            if level != target:
                plan += [level] * max(0, self.begun_with(level) - int((levels == level).sum()))
        wanted = max(_FEWEST_TARGET, self.n_start // 2) if is_proven else self.n_start
        return plan + [target] * max(0, wanted - int((levels == target).sum()))

    def looked_at(self, data: PlannerData, whole: SearchSpace, level: int, taken: set[bytes]) -> np.ndarray | None:
        """Return a row (`1 x p`) at a level where the next cheaper one was tried; None where none is left.

        The best first, then those far from what was tried here.

        data: What is known, of the part of the space at that level.
        whole: All of the space.
        taken: Keys of what is not to be proposed.
        """
        space, relative, known = data.space, self.rows.fidelity.relative, data.taken_rows()
        levels = self.rows.levels(known)
        cheaper = [one for one in set(levels.tolist()) if relative[one] < relative[level]]
        if not cheaper:
            return None
        below = max(cheaper, key=lambda one: relative[one])
        looked = np.unique(self.rows.moved(known[levels == below], level), axis=0)
        looked = looked[is_open(whole, looked)]
        looked = looked[[key not in taken for key in space.keys(looked)]] if len(looked) else looked
        if not len(looked):
            return None
        tried = known[levels == level]
        if not len(tried):
            best = self._best_look(data, below, level)
            is_left = best is not None and space.keys(best)[0] in space.keys(looked)
            return best if is_left else looked[:1]
        apart = np.sum((space.encode_rows(looked)[:, None] - space.encode_rows(tried)[None]) ** 2, axis=2).min(axis=1)
        return looked[[int(np.argmax(apart))]]

    def _best_look(self, data: PlannerData, below: int, level: int) -> np.ndarray | None:
        """Return the best point of a level as it is at another (`1 x p`); None where nothing is known of it."""
        fidelity = self.rows.fidelity
        told = [one for one in data.observations if one.parameters[fidelity.name] == fidelity.values[below]]
        best = best_of(self.objectives, told, None)
        return None if best is None else self.rows.moved(data.space.rows([best.parameters]), level)
