"""The gradient map as a planner's model: which parameters are its axes, what was told, what it predicts.

Observations of a stripe lie at temperatures between the levels of the search space; they are taken as they come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from planner.errors import BadOption, NotEnoughData, did_you_mean
from planner.parameters import Continuous
from planner.proposal import Observation, Value
from planner.space import SearchSpace

if TYPE_CHECKING:
    from planner.policies.base import PlannerData
    from surrogate.map_model import GradientMap

CALIBRATION_C = 10.5
"""How uncertain the temperature scale of a wafer is, standard deviation: 8 degC of the laser's calibration, and about 7
at 100 degC below the peak from a beam whose width is known to 3 %."""

TYPICAL_SD = 0.15
"""Relative standard deviation of a value that was told without one."""


@dataclass(slots=True)
class MapPredictor:
    """One gradient map over (temperature in degC, log10 of the dwell in us), kept until more is told."""

    space: SearchSpace
    calibration_c: float = CALIBRATION_C
    """Standard deviation of the temperature scale that all stripes of a wafer share."""
    temperature: str = "peak_temperature"
    dwell: str = "dwell"
    composition: tuple[str, ...] = ()
    """Parameters that are fractions of elements: further axes of the map of a composition spread."""
    scale: float | None = None
    """g0 of the map, where it is not to follow from the data."""
    _fitted_on: tuple[Observation, ...] | None = field(default=None)
    _map: GradientMap | None = field(default=None)

    def __post_init__(self) -> None:
        names = {parameter.name: parameter for parameter in self.space.parameters}
        for name, unit in ((self.temperature, "degC"), (self.dwell, "us")):
            if name not in names:
                raise BadOption(f"the gradient map needs a parameter {name!r}{did_you_mean(name, names)}")
            found = names[name]
            if not isinstance(found, Continuous) or found.unit != unit:
                raise BadOption(f"the gradient map needs {name!r} to be continuous and in {unit}")
        for name in self.composition:
            if not isinstance(names.get(name), Continuous):
                raise BadOption(f"composition {name!r} is no continuous parameter{did_you_mean(name, names)}")

    def fitted(self, data: PlannerData, target: str) -> GradientMap:
        """Return the map of everything told.

        Raises:
            NotEnoughData: No value was told.
        """
        from surrogate.map_model import GradientMap

        if self._map is None or self._fitted_on is not data.observations:
            measured = [item for item in data.observations if item.failure is None and target in item.values]
            if not measured:
                raise NotEnoughData(f"nothing was measured of {target!r} yet")
            temperature, log_dwell = self.axes([item.parameters for item in measured])
            value = np.array([item.values[target] for item in measured])
            floor = TYPICAL_SD * max(float(np.abs(value).max()), 1e-9)
            sd = np.array([item.noise.get(target, floor) for item in measured])
            self._map = GradientMap.fit(
                temperature,
                log_dwell,
                value,
                np.maximum(sd, 1e-6 * floor),
                composition=self.fractions([item.parameters for item in measured]),
                calibration_c=self.calibration_c,
                scale=self.scale,
            )
            self._fitted_on = data.observations
        return self._map

    def predict(
        self, data: PlannerData, target: str, points: Sequence[Mapping[str, Value]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`n` each) of the noiseless gradient at points.

        Raises:
            NotEnoughData: No value was told.
        """
        mean, sd = self.fitted(data, target).predict(*self.axes(points), self.fractions(points))
        return np.asarray(mean), np.asarray(sd)

    def axes(self, points: Sequence[Mapping[str, Value]]) -> tuple[np.ndarray, np.ndarray]:
        """Return temperatures in degC and log10 dwells (`n` each)."""
        temperature = np.array([float(point[self.temperature]) for point in points])
        dwell = np.array([float(point[self.dwell]) for point in points])
        return temperature, np.log10(dwell)

    def fractions(self, points: Sequence[Mapping[str, Value]]) -> np.ndarray | None:
        """Return fractions of the elements (`n x k`); None where the map is not that of a spread."""
        if not self.composition:
            return None
        return np.array([[float(point[name]) for name in self.composition] for point in points])

    def conditions(self, points: Sequence[Mapping[str, Value]]) -> np.ndarray:
        """Return rows (temperature in degC, log10 dwell, fractions), `n x (2 + k)`."""
        axes, fractions = np.stack(self.axes(points), axis=1), self.fractions(points)
        return axes if fractions is None else np.hstack([axes, fractions])
