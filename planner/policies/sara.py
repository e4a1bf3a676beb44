"""SARA's outer loop: which stripe to make next.

One laser stripe visits every temperature below its peak, so a proposal (peak temperature, dwell, composition on a
spread) is worth what its whole stripe would teach. Three ways to put a number on that: by how much it would reduce the
variance of the whole map ("reduction", see `planner.policies.stripe_worth`); the variance of the map summed over the
temperatures that the stripe shows ("sigma", the stripe sigma of Ament et al., Sci. Adv. 7, eabg4930 (2021)); or an
upper confidence bound of the gradient there ("ucb", their stripe ucb). Variances are those of the map's even scale (see
`surrogate.map_model`), so that a steep ridge does not count for more than a plain that is as little known.

Stripes that were made, or are being made, are never proposed again. Those of a batch know of each other through what
the maps expect of them. Worth counts per second where the stage's speed is known (`planner.policies.stripe_travel`),
and less where stripes fail (`planner.policies.stripe_failures`). Where a second objective asks for a phase, stripes
look for it once the map is known well enough (`planner.policies.stripe_phase`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from planner.conditions import refuse_conditions
from planner.errors import BadOption, NotEnoughData
from planner.map_predictor import MapPredictor
from planner.objective import Objective
from planner.policies import stripe_phase
from planner.policies.base import PlannerData, Suggestion
from planner.policies.options import read_options
from planner.policies.stripe_failures import result_probability
from planner.policies.stripe_options import SaraOptions
from planner.policies.stripe_outlook import Outlook
from planner.policies.stripe_travel import Places
from planner.policies.stripe_worth import shown_below_c
from planner.proposal import Prediction, Value
from planner.space import SearchSpace
from planner.untried import listed_rows, spread_rows

if TYPE_CHECKING:
    from surrogate.map_model import GradientMap

_MOST_STRIPES = 20_000
_START_DRAWS = 4
_SEEKS = "an objective with direction 'maximize'"
_ONLY_WITH = {
    "stage_mm_s": "positions",
    "stripe_s": "stage_mm_s",
    "regions": _SEEKS,
    "trust": "regions",
    "switch": _SEEKS,
}
"""Options that would do nothing without something else."""


class Sara:
    """Chooses stripes on a finite grid of peak temperature and dwell, or in a pool of stripes on a spread."""

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None:
        self._options = chosen = read_options(SaraOptions, options, "sara")
        refuse_conditions(space.parameters, "sara")
        self._target, self._phase = _targets(objectives)
        _refuse_idle(options, seeks=self._phase is not None)
        if chosen.margin_c >= chosen.reach_c:
            raise BadOption("option margin_c of policy 'sara' must be below reach_c")
        composition = tuple(chosen.composition)
        self._predictor, self._fractions = (
            MapPredictor(space, chosen.calibration_c, composition=composition, scale=scale)
            for scale in (None, stripe_phase.FRACTION_SCALE)
        )
        self._places = None
        if chosen.positions:
            x, y = chosen.positions
            self._places = Places(space, (x, y), chosen.stage_mm_s, chosen.stripe_s)
        self._regions = stripe_phase.read_regions(space, chosen.regions)
        rows = listed_rows(space, _MOST_STRIPES)
        if rows is None or len(rows) > _MOST_STRIPES:
            raise BadOption(
                f"policy 'sara' chooses among a list of stripes, at most {_MOST_STRIPES}: give both parameters a step, "
                "levels or a count, or candidates"
            )
        self._rows = rows
        peaks, _ = self._predictor.axes(space.points(rows))
        self._below = shown_below_c(peaks, reach_c=chosen.reach_c, margin_c=chosen.margin_c)

    def propose(self, data: PlannerData, n: int, rng: np.random.Generator) -> list[Suggestion]:
        """Return up to n stripes; those of a batch know of each other through what the maps expect of them."""
        rows = self._rows[data.are_open(self._rows)]
        if self._places is not None and len(rows):
            rows = rows[self._places.are_free(data.space.points(rows), self._places.used(data))]
        if not len(rows):
            return []
        if self._is_started(data):
            return self._greedy(data, rows, n)
        reason = "spread over the space, before there is a map"
        chosen = data.space.points(self._spread(data, rows, n, rng))
        return [Suggestion(parameters=point, reason=reason) for point in chosen]

    def predict(
        self, data: PlannerData, target: str, points: Sequence[Mapping[str, Value]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`n` each) of the noiseless gradient, or of the phase's fraction."""
        if target != self._phase:
            return self._predictor.predict(data, target, points)
        mean, sd = self._fractions.predict(data, target, points)
        return np.minimum(mean, 1.0), sd

    def _is_started(self, data: PlannerData) -> bool:
        measured = any(item.failure is None and self._target in item.values for item in data.observations)
        return measured and len(data.finished) >= self._options.start

    def _spread(self, data: PlannerData, rows: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return up to n stripes far from each other, rather where people expect the phase."""
        known = data.space.rows([item.parameters for item in (*data.finished, *data.pending)])
        if self._places is None and not self._regions:
            return spread_rows(data.space, min(n, len(rows)), known, data.taken_keys(), rng)
        chosen = np.array(known).reshape(-1, rows.shape[1])
        start = len(chosen)
        while len(rows) and len(chosen) - start < n:
            chance = np.exp(stripe_phase.log_prior(self._regions, rows))
            draws = rng.choice(len(rows), size=_START_DRAWS, p=chance / chance.sum())
            codes = data.space.encode_rows(rows[draws])
            best = int(draws[_farthest(codes, data.space.encode_rows(chosen))])
            chosen, rows = np.vstack([chosen, rows[best]]), rows[self._left(data.space, rows, best)]
        return chosen[start:]

    def _greedy(self, data: PlannerData, rows: np.ndarray, n: int) -> list[Suggestion]:
        outlook, bonus = self._outlook(data), self._bonus(data, rows)
        reached = np.empty((0, 2)) if self._places is None else self._places.used(data)[-1:]
        begin = reached[:1].reshape(-1)
        suggestions: list[Suggestion] = []
        while len(rows) and len(suggestions) < n:
            points = data.space.points(rows)
            worth, reason = self._worth(outlook, points, bonus, reached)
            best = int(np.argmax(worth))
            suggestions.append(self._suggestion(points[best], outlook, reason))
            outlook = outlook.with_stripe(points[best])
            if self._places is not None:
                reached = np.vstack([reached, self._places.of([points[best]])])
            left = self._left(data.space, rows, best)
            rows, bonus = rows[left], None if bonus is None else bonus[left]
        if self._options.stage_mm_s is None or self._places is None:
            return suggestions
        order = self._places.tour([one.parameters for one in suggestions], begin)
        return [suggestions[i] for i in order]

    def _outlook(self, data: PlannerData) -> Outlook:
        """Return what is known, pending stripes included as if they had given what is expected of them."""
        outlook = Outlook(
            options=self._options,
            axes=self._predictor,
            below_c=self._below,
            gradient=self._predictor.fitted(data, self._target),
            phase=self._fitted_phase(data),
            made=tuple(proposal.parameters for proposal in data.finished),
        )
        for proposal in data.pending:
            outlook = outlook.with_stripe(proposal.parameters)
        return outlook

    def _fitted_phase(self, data: PlannerData) -> GradientMap | None:
        if self._phase is None:
            return None
        try:
            return self._fractions.fitted(data, self._phase)
        except NotEnoughData:
            return None

    def _bonus(self, data: PlannerData, rows: np.ndarray) -> np.ndarray | None:
        """Return the logarithm of what failures and people leave of each stripe's worth, `n`; None: all of it."""
        chance = result_probability(data, rows) if self._options.caution > 0.0 else None
        if chance is None and not self._regions:
            return None
        weight = self._options.trust / max(len(data.finished), 1)
        bonus = weight * stripe_phase.log_prior(self._regions, rows)
        return bonus if chance is None else bonus + self._options.caution * np.log(chance)

    def _worth(
        self, outlook: Outlook, points: list[dict[str, Value]], bonus: np.ndarray | None, reached: np.ndarray
    ) -> tuple[np.ndarray, str]:
        """Return what each stripe is worth (`n`, on any increasing scale), and why the best one is."""
        is_timed = self._places is not None and self._options.stage_mm_s is not None
        if self._phase is None and bonus is None and not is_timed:
            return outlook.worth(points), outlook.reason
        worth, reason = outlook.log_worth(points)
        if bonus is not None:
            worth = worth + bonus
        if self._places is not None and is_timed:
            worth = worth - np.log(self._places.seconds(points, reached))
            reason += ", per second with the stage's travel"
        return worth, reason

    def _left(self, space: SearchSpace, rows: np.ndarray, chosen: int) -> np.ndarray:
        """Return which rows can still be made beside the chosen one (`n`, bool)."""
        if self._places is None:
            return np.arange(len(rows)) != chosen
        points = space.points(rows)
        return self._places.are_free(points, self._places.of([points[chosen]]))

    def _suggestion(self, point: dict[str, Value], outlook: Outlook, reason: str) -> Suggestion:
        predictions: dict[str, Prediction] = {self._target: outlook.largest_gradient(point)}
        fraction = outlook.fraction(point)
        if self._phase is not None and fraction is not None:
            predictions[self._phase] = fraction
        return Suggestion(parameters=point, predictions=predictions, reason=reason)


def _targets(objectives: Sequence[Objective]) -> tuple[str, str | None]:
    """Return the name of the gradient, and of the fraction of the phase that is looked for, if there is one."""
    learnt = [objective.name for objective in objectives if objective.direction == "learn"]
    sought = [objective.name for objective in objectives if objective.direction == "maximize"]
    if len(learnt) != 1 or len(sought) > 1 or len(objectives) > 2 or len(learnt) + len(sought) < len(objectives):
        raise BadOption(
            "policy 'sara' learns one map: give one objective with direction 'learn' and, to look for a phase, the "
            "phase's fraction with direction 'maximize'"
        )
    return learnt[0], sought[0] if sought else None


def _refuse_idle(options: Mapping[str, object], *, seeks: bool) -> None:
    """Refuse options that would do nothing."""
    for name, needed in _ONLY_WITH.items():
        has_it = seeks if needed == _SEEKS else options.get(needed) is not None
        if options.get(name) is not None and not has_it:
            raise BadOption(f"option {name!r} of policy 'sara' does nothing without {needed}")


def _farthest(candidates: np.ndarray, known: np.ndarray) -> int:
    if not len(known):
        return 0
    squared = np.sum((candidates[:, None, :] - known[None, :, :]) ** 2, axis=2)
    return int(np.argmax(squared.min(axis=1)))
