"""Goals as planners of others understand them: the most or the least of a number, and limits on it.

Where a value or a range is to be hit, they are told the distance to it; where objectives have desirabilities, the
overall desirability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from planner.objective import Objective

if TYPE_CHECKING:
    from planner.policies.guest import Known

DESIRABILITY = "desirability"


@dataclass(frozen=True)
class Translated:
    """Objectives, and what a guest is told in their place."""

    objectives: tuple[Objective, ...]

    @property
    def wanted(self) -> tuple[Objective, ...]:
        """What the guest is to maximise or minimise."""
        ranked = [objective for objective in self.objectives if objective.is_ranked]
        if ranked and ranked[0].desirability is not None:
            return (Objective(DESIRABILITY, "maximize"),)
        return tuple(
            Objective(objective.name, "minimize", objective.unit) if objective.is_aimed else objective
            for objective in ranked
        )

    @property
    def limits(self) -> tuple[Objective, ...]:
        """What must be kept to; told after what is wanted."""
        return tuple(objective for objective in self.objectives if objective.is_limit)

    def told(self, known: Known) -> Known:
        """Return values and noise of what is wanted and of the limits, in that order, from those of the objectives."""
        ranked = [index for index, objective in enumerate(self.objectives) if objective.is_ranked]
        kept = [index for index, objective in enumerate(self.objectives) if objective.is_limit]
        if self.objectives[ranked[0]].desirability is not None:
            wanted = self._desirability(known.values, ranked)
            noise = np.full(wanted.shape, np.nan)
        else:
            wanted = self._distances(known.values, ranked)
            noise = known.noise[:, ranked]
        return replace(
            known,
            values=np.hstack([wanted, known.values[:, kept]]),
            noise=np.hstack([noise, known.noise[:, kept]]),
        )

    def _desirability(self, values: np.ndarray, ranked: Sequence[int]) -> np.ndarray:
        from planner.desirability import desirability

        each = [desirability(self.objectives[index], values[:, index]) for index in ranked]
        return np.prod(each, axis=0)[:, None] ** (1.0 / len(each))

    def _distances(self, values: np.ndarray, ranked: Sequence[int]) -> np.ndarray:
        pairs = [(self.objectives[index], values[:, index]) for index in ranked]
        return np.stack([-one.merit(column) if one.is_aimed else column for one, column in pairs], axis=1)
