"""Predictions for a policy: the default Gaussian process, or the map model that a campaign names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from planner.errors import BadObservation, did_you_mean
from planner.map_predictor import MapPredictor
from planner.objective import Objective
from planner.policies.options import Choice
from planner.proposal import Observation, Value
from planner.space import SearchSpace

if TYPE_CHECKING:
    from planner.doubts import Doubted
    from planner.models import TargetModel
    from planner.policies.base import PlannerData

MAP_MODELS = Choice(("gp", "gradient"))
"""``gp``: a Gaussian process over the whole space; ``gradient``: the map of SARA over peak temperature and dwell."""


class Predictor:
    """One fitted model per target, kept until another observation is told."""

    def __init__(
        self, space: SearchSpace, objectives: Sequence[Objective], map_model: str, *, robust: bool = False
    ) -> None:
        self._space, self._is_robust = space, robust
        self._targets = [objective.name for objective in objectives]
        self._map_model = map_model
        self._fitted_on: Sequence[Observation] | None = None
        self._models: dict[str, TargetModel] = {}
        self._given_up: dict[str, str] = {}
        self._map = MapPredictor(space) if map_model == "gradient" else None

    def model(self, data: PlannerData, target: str) -> TargetModel:
        """Return the model of a target, fitted to what was told.

        Raises:
            NotEnoughData: No value was told.
        """
        if target not in self._targets:
            raise BadObservation(f"no objective is called {target!r}{did_you_mean(target, self._targets)}")
        if self._fitted_on is not data.observations:
            self._fitted_on, self._models, self._given_up = data.observations, {}, {}
        if target not in self._models:
            self._models[target] = self._fitted(data.observations, target)
        return self._models[target]

    def _fitted(self, observations: Sequence[Observation], target: str) -> TargetModel:
        if self._space.fidelity is not None:
            from planner.fidelity_models import fit_fidelities

            return fit_fidelities(self._space, self._space.fidelity, observations, target)
        from planner.doubts import fit_doubting
        from planner.models import fit_target, target_data
        from planner.rescue import fit_anyhow

        data, fit = target_data(self._space, observations, target), fit_doubting if self._is_robust else fit_target
        if not len(data.values):
            return fit(data, target)
        model, self._given_up[target] = fit_anyhow(lambda told: fit(told, target), data)
        return model

    def given_up(self, data: PlannerData) -> dict[str, str]:
        """Return what had to be given up to fit targets, by target; those that were fitted as usual are left out."""
        if self._fitted_on is not data.observations:
            return {}
        return {target: said for target, said in self._given_up.items() if said}

    def doubted(self, data: PlannerData) -> tuple[Doubted, ...]:
        """Return the results that are not believed, by target and in the order of telling."""
        if not self._is_robust:
            return ()
        from planner.doubts import doubted

        return tuple(one for target in self._targets for one in doubted(data, target, self.model))

    def predict(
        self, data: PlannerData, target: str, points: Sequence[Mapping[str, Value]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`n` each) of the noiseless target at points, in its unit.

        Raises:
            NotEnoughData: No value was told.
        """
        if self._map is not None:
            return self._map.predict(data, target, points)
        return self.model(data, target).predict(self._space.encode(points))
