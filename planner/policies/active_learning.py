"""Learning a map of a target with Gaussian processes: where next to measure, so that it is known everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from planner.policies.base import PlannerData
from planner.policies.learner import Learner

if TYPE_CHECKING:
    from planner.acquisition import Acquisition


class Uncertainty(Learner):
    """Learn: measure where the surrogate is least certain."""

    name = "uncertainty"

    def _worth(self, data: PlannerData, fill: np.ndarray, rng: np.random.Generator) -> Acquisition:
        from planner.acquisition import TotalUncertainty

        del rng
        models = [self._gps.model(data, objective.name) for objective in self._objectives]
        return TotalUncertainty(models, np.vstack([self._under_way(data, fill), self._structural_failures(data)]))

    def _reason(self, worth: Acquisition) -> str:
        del worth
        names = " and ".join(objective.name for objective in self._objectives)
        return f"greatest uncertainty of {names}"


class IntegratedVariance(Learner):
    """Learn: measure what tells most about the whole space."""

    name = "integrated_variance"

    def _worth(self, data: PlannerData, fill: np.ndarray, rng: np.random.Generator) -> Acquisition:
        return self._all_over(data, fill, rng)

    def _reason(self, worth: Acquisition) -> str:
        del worth
        names = " and ".join(objective.name for objective in self._objectives)
        return f"tells most about {names} everywhere"
