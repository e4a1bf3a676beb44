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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.errors import BadOption, NotEnoughData, did_you_mean
from planner.objective import Objective
from planner.parameters import Categorical, Continuous, Integer
from planner.policies.base import PlannerData, Suggestion
from planner.policies.options import Choice, Range, option, read_options
from planner.proposal import Observation, Prediction, Value
from planner.space import SearchSpace
from planner.untried import listed_rows

if TYPE_CHECKING:
    from surrogate.reactions.beliefs import Beliefs, Forecast, Seen
    from surrogate.reactions.precursors import PrecursorSet
    from surrogate.reactions.substances import Table

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
_VOLATILE, _LIQUID = 0.8, 0.95
"""Factors of the probability where a precursor evaporates, or melts, below the temperature of a recipe."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Given:
    """A value of one of some kinds, in words."""

    kinds: tuple[type, ...]
    words: str

    def problem(self, value: Any) -> str | None:
        """Say what is wrong with a value."""
        return None if isinstance(value, self.kinds) and value else f"must be {self.words}, not {value!r}"


@dataclass(frozen=True, slots=True)
class ReactionsOptions:
    """Options of `Reactions`."""

    target: str | None = option(None, _Given((str,), "the name of a phase"))  # type: ignore[arg-type]
    """The phase that is wanted, by its name in the table; must be given."""
    table: Any = option(None, _Given((str, list, tuple), "a path of a file, or a list of rows"))  # type: ignore[arg-type]
    """Energies: a CSV or JSON file, or rows as such a file has them; the shipped table where left out."""
    precursors: str = option("precursors", _Given((str,), "the name of a parameter"))  # type: ignore[arg-type]
    """The categorical parameter whose levels are sets, such as `BaCO3 + TiO2`."""
    temperature: str = option("temperature", _Given((str,), "the name of a parameter"))  # type: ignore[arg-type]
    """The parameter that is the temperature, in degC."""
    hold_h: float = option(8.0, Range(0.01, 1000.0))
    """How long recipes are held, in hours."""
    atmosphere: str = option("air", Choice(("air", "oxygen", "inert", "carbon dioxide")))
    """The gas around the samples."""
    wanted: float = option(0.5, Range(0.01, 1.0))
    """The yield that is aimed at, as a weight fraction."""
    goal: str = option("best", Choice(("best", "routes")))
    """One good recipe, then better ones; or every recipe that reaches what is wanted."""
    explore: float = option(0.3, Range(0.0, 10.0))
    """Worth of a standard deviation of the yield, in probabilities of success."""


def precursor_levels(
    target: str, precursors: Sequence[str], table: str | Path | Sequence[Mapping[str, Any]] | None = None
) -> list[str]:
    """Return the balanced precursor sets of a target, as levels of a categorical parameter.

    Args:
        target: name of the phase that is wanted.
        precursors: names of the phases at hand.
        table: energies; the shipped table where left out.

    Raises:
        BadOption: The table has no such phase, or no set balances; says why.
    """
    from surrogate.reactions.errors import ReactionError
    from surrogate.reactions.precursors import precursor_sets

    try:
        return [one.name for one in precursor_sets(_table(table), target, precursors)]
    except ReactionError as error:
        raise BadOption(str(error)) from error


def _table(given: Any) -> Table:
    from surrogate.reactions.substances import read_rows, read_table, shipped_table

    if given is None:
        return shipped_table()
    return read_table(given) if isinstance(given, str | Path) else read_rows(given)


class Reactions:
    """Chooses precursor sets and temperatures by what is believed of pairs of phases."""

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None:
        self._options = read_options(ReactionsOptions, options, "reactions")
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
            table = _table(self._options.table)
            sets = {level: set_of(table, self._options.target, level) for level in chosen.values}
            self._table = table.within(table[self._options.target].cations)
        except ReactionError as error:
            raise BadOption(f"policy 'reactions': {error}") from error
        self._range_c = (float(temperature.low), float(temperature.high))
        return sets

    def propose(self, data: PlannerData, n: int, rng: np.random.Generator) -> list[Suggestion]:
        """Return up to n recipes, the most promising first; those of a batch bring interfaces of their own."""
        del rng  # all draws are the beliefs' own, so that equal beliefs give equal answers
        taken = set(data.taken_keys())
        rows = self._rows[[key not in taken for key in data.space.keys(self._rows)]]
        if not len(rows):
            return []
        points = data.space.points(rows)
        beliefs = self._taught(data)
        forecast = beliefs.forecast([self._recipe(point) for point in points])
        yields, doubt = self._corrected(data, points, forecast)
        chosen = self._greedy(data, points, yields, doubt, n)
        wanted = self._wanted(data)
        return [self._suggestion(data, beliefs, points[i], forecast, i, yields[i], doubt[i], wanted) for i in chosen]

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
        from planner.gp import fit_gp

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
        reaches *= np.array([self._care(*self._recipe(point)) for point in points])[:, None]
        spread = self._options.explore * yields.std(axis=1) + _SLIGHTLY * yields.mean(axis=1)
        under_way = [self._recipe(proposal.parameters)[0] for proposal in data.pending]
        interfaces = {pair for one in under_way for pair in _interfaces(one)}
        still, chosen = np.ones(yields.shape[1]), list[int]()
        while len(chosen) < min(n, len(points)):
            score = (reaches * still).mean(axis=1) + spread
            if chosen or under_way:
                score = score + [_NEW_INTERFACES * self._newness(point, interfaces) for point in points]
            score[chosen] = -np.inf
            best = int(np.argmax(score))
            chosen.append(best)
            interfaces.update(_interfaces(self._recipe(points[best])[0]))
            if self._options.goal == "best":
                still = still * (1.0 - reaches[best])
        return chosen

    def _newness(self, point: Mapping[str, Value], interfaces: set[tuple[str, str]]) -> float:
        """Return the share of a recipe's interfaces that a batch does not have yet."""
        own = _interfaces(self._recipe(point)[0])
        return sum(pair not in interfaces for pair in own) / len(own)

    def _care(self, precursors: PrecursorSet, temperature_c: float) -> float:
        """Return a factor for what evaporates or melts before it reacts."""
        factor = 1.0
        for name in precursors.moles:
            one = self._table[name]
            factor *= _VOLATILE if one.volatile_c is not None and one.volatile_c < temperature_c else 1.0
            factor *= _LIQUID if one.melts_c is not None and one.melts_c < temperature_c else 1.0
        return factor

    def _suggestion(
        self,
        data: PlannerData,
        beliefs: Beliefs,
        point: dict[str, Value],
        forecast: Forecast,
        i: int,
        yields: np.ndarray,
        doubt: float,
        wanted: float,
    ) -> Suggestion:
        from scipy.special import ndtr

        mean = float(np.clip(yields.mean(), 0.0, 1.0))
        sd = float(np.hypot(yields.std(), doubt))
        chance = float(ndtr((yields - wanted) / doubt).mean())
        target = self._options.target
        said = [f"{target} reaches {wanted:.2f} with probability {chance:.2f} (expected {mean:.2f})"]
        between = [
            f"{name} {weight:.2f}"
            for name, weight in sorted(zip(beliefs.phases, forecast.weights[i], strict=True), key=lambda item: -item[1])
            if name != target and weight >= 0.05
        ]
        if between:
            said.append(f"beside it {', '.join(between[:3])}")
        said.append(f"driving force left {round(float(forecast.remaining_mev_atom[i]))} meV/atom")
        precursors, temperature_c = self._recipe(point)
        avoided = self._avoided(data, beliefs, precursors)
        if avoided:
            said.append(f"avoids {'; '.join(avoided)}")
        careful = [name for name in sorted(precursors.moles) if self._care_of(name, temperature_c)]
        said += [self._care_of(name, temperature_c) for name in careful]
        return Suggestion(
            parameters=point, predictions={self._objective: Prediction(mean=mean, sd=sd)}, reason="; ".join(said)
        )

    def _care_of(self, name: str, temperature_c: float) -> str:
        """Say what is to be feared of a precursor at a temperature."""
        one = self._table[name]
        if one.volatile_c is not None and one.volatile_c < temperature_c:
            return f"{name} evaporates from {one.volatile_c:.0f} degC"
        if one.melts_c is not None and one.melts_c < temperature_c:
            return f"{name} is liquid from {one.melts_c:.0f} degC"
        return ""

    def _avoided(self, data: PlannerData, beliefs: Beliefs, precursors: PrecursorSet) -> list[str]:
        """Say which interfaces of recipes that fell short this one does without, and what they make; the commonest."""
        counts: dict[tuple[str, str], int] = {}
        for one in data.observations:
            if self._seen(one) is None or one.values.get(self._objective, 0.0) >= self._options.wanted:
                continue
            for pair in self._meetings(beliefs, self._recipe(one.parameters)[0]):
                counts[pair] = counts.get(pair, 0) + 1
        own, said = set(self._meetings(beliefs, precursors)), list[str]()
        for pair in sorted(counts, key=lambda pair: (-counts[pair], pair)):
            belief = beliefs.pairs.get(pair)
            if pair in own or belief is None or belief.reacts_by(self._range_c[1]) < 0.5:
                continue
            made = belief.likeliest()[1].products
            if self._options.target not in made:
                said.append(f"{' and '.join(pair)} (make {' and '.join(sorted(made))})")
        return said[:2]

    def _meetings(self, beliefs: Beliefs, precursors: PrecursorSet) -> list[tuple[str, str]]:
        """Return the pairs that meet at first: of precursors, and of what they decompose to."""
        names = set(precursors.moles)
        for name in precursors.moles:
            belief = beliefs.pairs.get((name,))
            if belief is not None and belief.reacts_by(self._range_c[1]) >= 0.5:
                names.update(belief.likeliest()[1].products)
        return _pairs(names)


def _interfaces(precursors: PrecursorSet) -> list[tuple[str, str]]:
    """Return the pairs of precursors that touch; at least one."""
    return _pairs(precursors.moles)


def _pairs(names: Iterable[str]) -> list[tuple[str, str]]:
    ordered = sorted(names)
    return [(one, other) for i, one in enumerate(ordered) for other in ordered[i + 1 :]]


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
