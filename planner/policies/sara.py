"""SARA's outer loop: which stripe to make next.

One laser stripe visits every temperature below its peak, so a proposal (peak temperature, dwell) is worth what its
whole stripe would teach. Three ways to put a number on that: by how much it would reduce the variance of the whole map
("reduction", see `planner.policies.stripe_worth`); the variance of the map summed over the temperatures that the stripe
shows ("sigma", the stripe sigma of Ament et al., Sci. Adv. 7, eabg4930 (2021)); or an upper confidence bound of the
gradient there ("ucb", their stripe ucb). Variances are those of the map's even scale (see `surrogate.map_model`), so
that a steep ridge does not count for more than a plain that is as little known. Stripes that were made, or are being
made, are never proposed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from planner.conditions import refuse_conditions
from planner.errors import BadOption
from planner.map_predictor import CALIBRATION_C, MapPredictor
from planner.objective import Objective
from planner.policies.base import PlannerData, Suggestion
from planner.policies.options import Choice, Range, option, read_options
from planner.policies.stripe_worth import shown_below_c, uncertainty_removed
from planner.proposal import Prediction, Value
from planner.space import SearchSpace
from planner.untried import listed_rows, spread_rows

if TYPE_CHECKING:
    from surrogate.map_model import GradientMap

_MOST_STRIPES = 20_000


@dataclass(frozen=True, slots=True)
class SaraOptions:
    """Options of `Sara`."""

    acquisition: str = option("reduction", Choice(("reduction", "sigma", "ucb")))
    """What a stripe is worth: what it would teach, how little is known along it, or how large the gradient may be."""
    ucb: float = option(5.0, Range(0.0, 100.0))
    """Standard deviations that `ucb` adds to the mean."""
    reach_c: float = option(200.0, Range(1.0, 2000.0))
    """How far below its peak a stripe shows the film."""
    margin_c: float = option(10.0, Range(0.0, 1000.0))
    """How far below its peak a stripe begins to show it: at the very centre the temperature does not change."""
    temperatures: int = option(16, Range(2, 256, is_whole=True))
    """Temperatures at which a stripe is valued."""
    start: int = option(3, Range(1, 1000, is_whole=True))
    """Stripes that are spread over the space before the map is asked."""
    calibration_c: float = option(CALIBRATION_C, Range(0.0, 200.0))
    """Standard deviation of the temperature scale that all stripes of a wafer share."""


class Sara:
    """Chooses stripes on a finite grid of peak temperature and dwell."""

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None:
        self._options = read_options(SaraOptions, options, "sara")
        refuse_conditions(space.parameters, "sara")
        if len(objectives) != 1 or objectives[0].direction != "learn":
            raise BadOption("policy 'sara' learns one map: give one objective with direction 'learn'")
        if self._options.margin_c >= self._options.reach_c:
            raise BadOption("option margin_c of policy 'sara' must be below reach_c")
        self._target = objectives[0].name
        self._predictor = MapPredictor(space, self._options.calibration_c)
        rows = listed_rows(space, _MOST_STRIPES)
        if rows is None:
            raise BadOption(
                f"policy 'sara' chooses among a list of stripes, at most {_MOST_STRIPES}: give both parameters a step, "
                "levels or a count"
            )
        self._rows = rows
        peaks, _ = self._predictor.axes(space.points(rows))
        self._below = shown_below_c(peaks, reach_c=self._options.reach_c, margin_c=self._options.margin_c)

    def propose(self, data: PlannerData, n: int, rng: np.random.Generator) -> list[Suggestion]:
        """Return up to n stripes; those of a batch know of each other through what the map expects of them."""
        taken = set(data.taken_keys())
        free = np.array([key not in taken for key in data.space.keys(self._rows)])
        rows = self._rows[free]
        if not len(rows):
            return []
        if not self._is_started(data):
            known = data.space.rows([item.parameters for item in (*data.finished, *data.pending)])
            chosen = spread_rows(data.space, min(n, len(rows)), known, taken, rng)
            return [self._suggestion(point, None) for point in data.space.points(chosen)]
        points = data.space.points(rows)
        return self._greedy(self._with_pending(data), points, n)

    def predict(
        self, data: PlannerData, target: str, points: Sequence[Mapping[str, Value]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`n` each) of the noiseless gradient."""
        return self._predictor.predict(data, target, points)

    def _is_started(self, data: PlannerData) -> bool:
        measured = any(item.failure is None for item in data.observations)
        return measured and len(data.finished) >= self._options.start

    def _with_pending(self, data: PlannerData) -> GradientMap:
        known = self._predictor.fitted(data, self._target)
        for proposal in data.pending:
            known = self._fantasised(known, proposal.parameters)
        return known

    def _greedy(self, known: GradientMap, points: list[dict[str, Value]], n: int) -> list[Suggestion]:
        suggestions: list[Suggestion] = []
        left = list(points)
        while left and len(suggestions) < n:
            best = int(np.argmax(self._worth(known, left)))
            point = left.pop(best)
            suggestions.append(self._suggestion(point, known))
            known = self._fantasised(known, point)
        return suggestions

    def _worth(self, known: GradientMap, points: Sequence[Mapping[str, Value]]) -> np.ndarray:
        """Return what each stripe is worth, ``n``."""
        if self._options.acquisition == "reduction":
            return uncertainty_removed(known, self._shown(points), findings=self._options.temperatures)
        temperature, log_dwell = self._stripes(points)
        if self._options.acquisition == "ucb":
            mean, sd = known.predict(temperature.ravel(), log_dwell.ravel())
            worth = mean + self._options.ucb * sd
        else:
            _, worth = known.latent(temperature.ravel(), log_dwell.ravel())
        return worth.reshape(temperature.shape).sum(axis=1)

    def _stripes(self, points: Sequence[Mapping[str, Value]]) -> tuple[np.ndarray, np.ndarray]:
        """Return temperatures and log10 dwells that stripes show, ``n x t`` each."""
        peak, log_dwell = self._predictor.axes(points)
        below = np.linspace(self._options.reach_c, self._options.margin_c, self._options.temperatures)
        temperature = peak[:, None] - below
        return temperature, np.broadcast_to(log_dwell[:, None], temperature.shape)

    def _shown(self, points: Sequence[Mapping[str, Value]]) -> np.ndarray:
        """Return the conditions that stand for stripes, ``n x t x 2``."""
        peak, log_dwell = self._predictor.axes(points)
        temperature = peak[:, None] - self._below
        return np.stack([temperature, np.broadcast_to(log_dwell[:, None], temperature.shape)], axis=2)

    def _fantasised(self, known: GradientMap, point: Mapping[str, Value]) -> GradientMap:
        temperature, log_dwell = self._stripes([point])
        return known.with_fantasies(temperature[0], log_dwell[0])

    def _suggestion(self, point: dict[str, Value], known: GradientMap | None) -> Suggestion:
        if known is None:
            return Suggestion(parameters=point, reason="spread over the space, before there is a map")
        temperature, log_dwell = self._stripes([point])
        mean, sd = known.predict(temperature[0], log_dwell[0])
        top = int(np.argmax(mean))
        reason = {
            "reduction": "the stripe that teaches most about the whole map",
            "sigma": "the stripe along which least is known",
            "ucb": "the stripe along which the gradient may be largest",
        }[self._options.acquisition]
        prediction = Prediction(mean=float(mean[top]), sd=float(sd[top]))
        return Suggestion(parameters=point, predictions={self._target: prediction}, reason=reason)
