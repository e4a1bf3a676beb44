"""What the maps make of stripes: worth, prediction and reason of each, pending and chosen ones taken into account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from planner.map_predictor import MapPredictor
from planner.policies.stripe_options import SaraOptions
from planner.policies.stripe_phase import NOTHING_BETTER, log_improvement, map_uncertainty, split
from planner.policies.stripe_worth import uncertainty_removed
from planner.proposal import Prediction, Value

if TYPE_CHECKING:
    from surrogate.map_model import GradientMap

_REASONS = {
    "reduction": "the stripe that teaches most about the whole map",
    "sigma": "the stripe along which least is known",
    "ucb": "the stripe along which the gradient may be largest",
}
_LEAST = 1e-300
_MOST_LOOKED = 600
"""Conditions at which the uncertainty of the map is looked up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The map of the gradient, and that of a phase's fraction where one is looked for and was seen."""

    options: SaraOptions
    axes: MapPredictor
    """Reads conditions from points."""
    below_c: np.ndarray
    """`t` temperatures below the peak that stand for a stripe."""
    gradient: GradientMap
    phase: GradientMap | None
    made: tuple[Mapping[str, Value], ...] = ()
    """Stripes that were made, are being made, or were chosen."""

    def worth(self, points: Sequence[Mapping[str, Value]]) -> np.ndarray:
        """Return what each stripe would teach about the map, `n`."""
        if self.options.acquisition == "reduction":
            return uncertainty_removed(self.gradient, self._shown(points), findings=self.options.temperatures)
        conditions = self._stripes(points)
        n, t, d = conditions.shape
        if self.options.acquisition == "ucb":
            mean, sd = self.gradient.predict(*split(conditions.reshape(-1, d)))
            worth = mean + self.options.ucb * sd
        else:
            _, worth = self.gradient.latent(*split(conditions.reshape(-1, d)))
        return worth.reshape(n, t).sum(axis=1)

    def log_worth(self, points: Sequence[Mapping[str, Value]]) -> tuple[np.ndarray, str]:
        """Return the logarithm of what each stripe is worth, `n`, for map or phase, and the reason for the best."""
        sought = self._log_improvement(points)
        if sought is not None:
            return sought, "the stripe whose centre may have most more of the phase"
        return np.log(np.maximum(self.worth(points), _LEAST)), self.reason

    @property
    def reason(self) -> str:
        """Why the stripe that teaches most is chosen."""
        return _REASONS[self.options.acquisition]

    def with_stripe(self, point: Mapping[str, Value]) -> Outlook:
        """Return what it would be if a stripe had given what is expected of it."""
        conditions = split(self._stripes([point])[0])
        phase = self.phase and self.phase.with_fantasies(*conditions)
        gradient = self.gradient.with_fantasies(*conditions)
        return replace(self, gradient=gradient, phase=phase, made=(*self.made, point))

    def largest_gradient(self, point: Mapping[str, Value]) -> Prediction:
        """Return the largest gradient expected along a stripe."""
        mean, sd = self.gradient.predict(*split(self._stripes([point])[0]))
        top = int(np.argmax(mean))
        return Prediction(mean=float(mean[top]), sd=float(sd[top]))

    def fraction(self, point: Mapping[str, Value]) -> Prediction | None:
        """Return the fraction of the phase that is expected at a stripe's centre."""
        if self.phase is None:
            return None
        mean, sd = self.phase.predict(*split(self._centres([point])))
        return Prediction(mean=float(min(mean[0], 1.0)), sd=float(sd[0]))

    def _log_improvement(self, points: Sequence[Mapping[str, Value]]) -> np.ndarray | None:
        """Return `n` log improvements of the phase; None while the map comes first, or nothing better is in sight."""
        if self.phase is None:
            return None
        everywhere = self._shown(points).reshape(-1, self.gradient.z.shape[1])
        some = np.linspace(0, len(everywhere) - 1, min(len(everywhere), _MOST_LOOKED)).round().astype(int)
        if map_uncertainty(self.gradient, everywhere[some]) > self.options.switch:
            return None
        sought = log_improvement(self.phase, self._centres(points), self._centres(self.made))
        return sought if sought.max() >= np.log(NOTHING_BETTER) else None

    def _centres(self, points: Sequence[Mapping[str, Value]]) -> np.ndarray:
        """Return the hottest conditions that stripes show, `n x d`."""
        conditions = self.axes.conditions(points)
        conditions[:, 0] -= self.options.margin_c
        return conditions

    def _stripes(self, points: Sequence[Mapping[str, Value]]) -> np.ndarray:
        """Return the conditions at which stripes are measured, `n x t x d`."""
        below = np.linspace(self.options.reach_c, self.options.margin_c, self.options.temperatures)
        return _along(self.axes.conditions(points), below)

    def _shown(self, points: Sequence[Mapping[str, Value]]) -> np.ndarray:
        """Return the fewer conditions that stand for stripes, `n x t x d`."""
        return _along(self.axes.conditions(points), self.below_c)


def _along(conditions: np.ndarray, below_c: np.ndarray) -> np.ndarray:
    along = np.repeat(conditions[:, None, :], len(below_c), axis=1)
    along[:, :, 0] -= below_c
    return along
