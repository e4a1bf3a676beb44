"""Which precursors to fire next, at which temperature, to make a target: reactions learnt from what diffraction saw.

The recipes are the balanced precursor sets (`precursor_levels`) at some temperatures. What every pair of phases does is
believed in probabilities (`surrogate.reactions.beliefs`): they begin with the driving forces of a table, and each
diffractogram reweighs them. Recipes are tried by the probability that the yield reaches what is wanted, in draws from
these beliefs. What the model of firings misses in the yields is learnt beside it, as a Gaussian process of the
precursors and the temperature. After ARROWS3 (Szymanski et al., Nat. Commun. 14, 6956 (2023), doi
10.1038/s41467-023-42329-9), which keeps facts where this keeps probabilities.

An observation tells the phases in its context: `phase:NAME` is a weight fraction, `probability:NAME` how sure it is.
Without them only the yield teaches.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from planner.conditions import refuse_conditions
from planner.errors import BadOption, NotEnoughData, did_you_mean
from planner.objective import Objective
from planner.parameters import Categorical, Continuous, Integer
from planner.policies.base import PlannerData, Suggestion
from planner.policies.options import read_options
from planner.policies.reaction_options import ReactionsOptions, precursor_levels, table_of
from planner.policies.reaction_reasons import Reasons, care, interfaces_of
from planner.proposal import Observation, Prediction, Value
from planner.space import SearchSpace
from planner.untried import listed_rows

if TYPE_CHECKING:
    from surrogate.reactions.beliefs import Beliefs, Forecast, Seen
    from surrogate.reactions.precursors import PrecursorSet

__all__ = ["Reactions", "ReactionsOptions", "precursor_levels"]

PHASE, PROBABILITY = "phase:", "probability:"
_MOST_RECIPES = 5_000
_START = 6
"""Results before what the model of firings misses is learnt."""
_DOUBT = 0.25
"""Standard deviation of a yield about the model of firings, until it is learnt."""
_LEAST_DOUBT = 0.2
_NEW_INTERFACES = 0.05
"""Worth of a recipe in a batch whose interfaces are all new in it."""
_SLIGHTLY = 1e-3
_RAISE = 0.02
"""Of a yield: the least improvement that is looked for once what was wanted is reached."""
_log = logging.getLogger(__name__)


class Reactions:
    """Chooses precursor sets and temperatures by what is believed of pairs of phases."""

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None:
        self._options = read_options(ReactionsOptions, options, "reactions")
        refuse_conditions(space.parameters, "reactions")
        if len(objectives) != 1 or objectives[0].direction != "maximize":
            raise BadOption("policy 'reactions' makes a target: give one objective, its yield, to maximize")
        self._objective = objectives[0].name
        self._sets = self._read(space)
        self._space = space
        rows = listed_rows(space, _MOST_RECIPES)
        if rows is None:
            raise BadOption(
                f"policy 'reactions' chooses among a list of at most {_MOST_RECIPES} recipes: give the temperature a "
                "step, levels or a count"
            )
        self._rows = rows
        self._chain: tuple[int, list[Observation], list[Beliefs]] | None = None

    def _read(self, space: SearchSpace) -> dict[str, PrecursorSet]:
        """Check parameters and table, and return the sets by level."""
        from surrogate.reactions.errors import ReactionError
        from surrogate.reactions.precursors import set_of

        names = {parameter.name: parameter for parameter in space.parameters}
        wanted = (self._options.precursors, self._options.temperature)
        missing = [name for name in wanted if name not in names]
        if missing:
            raise BadOption(f"policy 'reactions' finds no parameter {missing[0]!r}{did_you_mean(missing[0], names)}")
        others = sorted(set(names) - set(wanted))
        if others:
            raise BadOption(
                f"policy 'reactions' chooses precursors and temperature, and knows nothing of {others[0]!r}; fix it in "
                "the recipe"
            )
        chosen, temperature = names[wanted[0]], names[wanted[1]]
        if not isinstance(chosen, Categorical) or not isinstance(temperature, Continuous | Integer):
            raise BadOption(f"for policy 'reactions' {wanted[0]!r} is categorical and {wanted[1]!r} a number")
        if self._options.target is None:
            raise BadOption("policy 'reactions' needs option 'target', the phase that is wanted")
        try:
            table = table_of(self._options.table, self._options.table_sha256)
            sets = {level: set_of(table, self._options.target, level) for level in chosen.values}
            self._table = table.within(table[self._options.target].cations)
        except ReactionError as error:
            raise BadOption(f"policy 'reactions': {error}") from error
        self._range_c = (float(temperature.low), float(temperature.high))
        return sets

    def propose(self, data: PlannerData, n: int, rng: np.random.Generator) -> list[Suggestion]:
        """Return up to n recipes, the most promising first; those of a batch bring interfaces of their own."""
        del rng  # all draws are the beliefs' own, so that equal beliefs give equal answers
        rows = self._rows[data.are_open(self._rows)]
        if not len(rows):
            return []
        points = data.space.points(rows)
        beliefs = self._taught(data)
        forecast = beliefs.forecast([self._recipe(point) for point in points])
        yields, doubt = self._corrected(data, points, forecast)
        chosen = self._greedy(data, points, yields, doubt, n)
        words, wanted = Reasons(beliefs, forecast, self._short(data)), self._wanted(data)
        return [self._suggestion(words, points[i], yields[i], doubt[i], wanted, i) for i in chosen]

    def predict(
        self, data: PlannerData, target: str, points: Sequence[Mapping[str, Value]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`n` each) of the yield."""
        if not any(self._seen(observation) for observation in data.observations):
            raise NotEnoughData(f"nothing was measured of target {target!r} yet; tell at least one value")
        forecast = self._taught(data).forecast([self._recipe(point) for point in points])
        yields, doubt = self._corrected(data, points, forecast)
        mean = yields.mean(axis=1)
        return np.clip(mean, 0.0, 1.0), np.sqrt(yields.var(axis=1) + doubt**2)

    def _recipe(self, point: Mapping[str, Value]) -> tuple[PrecursorSet, float]:
        return self._sets[str(point[self._options.precursors])], float(point[self._options.temperature])

    def _seen(self, observation: Observation) -> Seen | None:
        """Return what an observation says of phases; None where it says nothing."""
        from surrogate.reactions.beliefs import Seen

        if observation.failure is not None or str(observation.parameters[self._options.precursors]) not in self._sets:
            return None
        precursors, temperature_c = self._recipe(observation.parameters)
        weights = _fractions(observation.context, PHASE)
        if weights:
            sure = _fractions(observation.context, PROBABILITY)
            return Seen(precursors=precursors, temperature_c=temperature_c, weights=weights, probabilities=sure)
        if self._objective not in observation.values:
            return None
        found = min(max(observation.values[self._objective], 0.0), 1.0)
        weights = {precursors.target: found}
        return Seen(precursors=precursors, temperature_c=temperature_c, weights=weights, is_whole=False)

    def _taught(self, data: PlannerData) -> Beliefs:
        """Return what is believed after all observations; what was learnt from the first of them is kept."""
        told = data.observations
        chain = self._chain
        if chain is None or chain[0] != data.seed or any(a is not b for a, b in zip(chain[1], told, strict=False)):
            chain = (data.seed, [], [self._before(data.seed)])
        seed, known, beliefs = chain
        if len(known) > len(told):
            known, beliefs = known[: len(told)], beliefs[: len(told) + 1]
        for observation in told[len(known) :]:
            seen = self._seen(observation)
            beliefs = [*beliefs, beliefs[-1] if seen is None else beliefs[-1].taught(seen)]
            known = [*known, observation]
        self._chain = (seed, known, beliefs)
        return beliefs[-1]

    def _before(self, seed: int) -> Beliefs:
        from surrogate.reactions.balance import Network
        from surrogate.reactions.beliefs import Beliefs
        from surrogate.reactions.energies import ATMOSPHERES

        given = self._options
        return Beliefs(
            Network(self._table),
            str(given.target),
            self._range_c,
            hold_h=given.hold_h,
            gas=ATMOSPHERES[given.atmosphere],
            seed=seed,
        )

    def _corrected(
        self, data: PlannerData, points: Sequence[Mapping[str, Value]], forecast: Forecast
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return yields (`n x w`) with what the model of firings misses, and the standard deviation (`n`) of that."""
        told = [one for one in data.observations if self._objective in one.values and self._seen(one) is not None]
        if len(told) < _START:
            return forecast.yields, np.full(len(points), _DOUBT)
        from surrogate.matern_gp import fit_gp

        believed = self._taught(data).forecast([self._recipe(one.parameters) for one in told]).yields.mean(axis=1)
        missed = np.array([one.values[self._objective] for one in told]) - believed
        gp = fit_gp(self._codes([one.parameters for one in told]), missed, None)
        mean, sd = gp.posterior(self._codes(points))
        return forecast.yields + mean[:, None], np.hypot(sd, _LEAST_DOUBT)

    def _codes(self, points: Sequence[Mapping[str, Value]]) -> np.ndarray:
        """Return recipes as numbers (`n x d`): which precursors there are, and the temperature."""
        names = sorted({name for one in self._sets.values() for name in one.moles})
        low, high = self._range_c
        recipes = [self._recipe(point) for point in points]
        return np.array(
            [[*(float(n in one.moles) for n in names), (t - low) / max(high - low, 1.0)] for one, t in recipes]
        )

    def _wanted(self, data: PlannerData) -> float:
        """Return the yield to reach: what is wanted, or a little more than the best where that is reached."""
        if self._options.goal == "routes":
            return self._options.wanted
        best = max((one.values.get(self._objective, 0.0) for one in data.observations), default=0.0)
        return max(self._options.wanted, min(best + _RAISE, 1.0 - _RAISE))

    def _greedy(
        self, data: PlannerData, points: Sequence[Mapping[str, Value]], yields: np.ndarray, doubt: np.ndarray, n: int
    ) -> list[int]:
        """Return up to n points, each given those before it and those under way."""
        from scipy.special import ndtr

        reaches = ndtr((yields - self._wanted(data)) / doubt[:, None])
        reaches *= np.array([care(self._table, *self._recipe(point)) for point in points])[:, None]
        spread = self._options.explore * yields.std(axis=1) + _SLIGHTLY * yields.mean(axis=1)
        under_way = [self._recipe(proposal.parameters)[0] for proposal in data.pending]
        interfaces = {pair for one in under_way for pair in interfaces_of(one)}
        still, chosen = np.ones(yields.shape[1]), list[int]()
        while len(chosen) < min(n, len(points)):
            score = (reaches * still).mean(axis=1) + spread
            if chosen or under_way:
                score = score + [_NEW_INTERFACES * self._newness(point, interfaces) for point in points]
            score[chosen] = -np.inf
            best = int(np.argmax(score))
            chosen.append(best)
            interfaces.update(interfaces_of(self._recipe(points[best])[0]))
            if self._options.goal == "best":
                still = still * (1.0 - reaches[best])
        return chosen

    def _newness(self, point: Mapping[str, Value], interfaces: set[tuple[str, str]]) -> float:
        """Return the share of a recipe's interfaces that a batch does not have yet."""
        own = interfaces_of(self._recipe(point)[0])
        return sum(pair not in interfaces for pair in own) / len(own)

    def _suggestion(
        self, words: Reasons, point: dict[str, Value], yields: np.ndarray, doubt: float, wanted: float, i: int
    ) -> Suggestion:
        from scipy.special import ndtr

        mean = float(np.clip(yields.mean(), 0.0, 1.0))
        chance = float(ndtr((yields - wanted) / doubt).mean())
        first = f"{self._options.target} reaches {wanted:.2f} with probability {chance:.2f} (expected {mean:.2f})"
        return Suggestion(
            parameters=point,
            predictions={self._objective: Prediction(mean=mean, sd=float(np.hypot(yields.std(), doubt)))},
            reason="; ".join([first, *words.of(*self._recipe(point), i)]),
        )

    def _short(self, data: PlannerData) -> list[PrecursorSet]:
        """Return the sets of recipes that were seen to fall short, once for each time."""
        return [
            self._recipe(one.parameters)[0]
            for one in data.observations
            if self._seen(one) is not None and one.values.get(self._objective, 0.0) < self._options.wanted
        ]


def _fractions(context: Mapping[str, Value], prefix: str) -> dict[str, float]:
    """Return the numbers of a context whose keys begin with a prefix; what is none from 0 to 1 is left out."""
    found = {}
    for key, value in context.items():
        if not key.startswith(prefix):
            continue
        if isinstance(value, str | bool) or not math.isfinite(value) or not -0.01 <= value <= 1.01:
            _log.warning("fraction_ignored key=%s value=%r", key, value)
            continue
        found[key.removeprefix(prefix)] = min(max(float(value), 0.0), 1.0)
    return found
