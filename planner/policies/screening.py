"""Closed-loop screening: which candidates of a pool to make next, to find as many hits as the budget allows.

A hit is a value beyond a threshold. Each ask learns anew from everything told, what is no hit as much as what is: known
data mostly report what worked, and a model that has seen few misses believes in too many candidates (Pogue et al., npj
Comput. Mater. 9, 181 (2023), doi:10.1038/s41524-023-01131-3, whose success rate more than doubled over four such
cycles). The surrogate is the ensemble of `surrogate.last_layer` over the space's codes (descriptors of compositions,
say). A candidate is worth its chance of being a hit times its chance of giving a result at all, which is learnt from
the trials that failed. Candidates as near to known ones as `novelty` are left out. Those of a batch, and those that
are still pending, are assumed to be misses for the choice of the next one, so that a batch does not bet on one guess
many times; that pessimism finds more than sampling does (Jiang et al., NeurIPS 2018, arXiv:1811.08871).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from planner.errors import BadObservation, BadOption, did_you_mean
from planner.objective import Objective
from planner.policies.base import PlannerData, Suggestion
from planner.policies.options import Range, option, read_options
from planner.policies.screening_batch import Candidates, Hunt, Pick, spread_out
from planner.pool import in_chunks
from planner.predictor import Predictor
from planner.proposal import Observation, Prediction, Proposal, Value
from planner.space import SearchSpace
from planner.transforms import TargetScale
from planner.untried import listed_rows

if TYPE_CHECKING:
    from surrogate.last_layer import LeafModel

_MOST_CANDIDATES = 300_000
_MOST_COLUMNS = 3000
_CHUNK = 4000
_LEAST_CHANCE = 0.02
"""Of giving a result: no candidate is ruled out for the failures of others."""
_MOSTLY = 0.9
_BEND = 5.0
"""Values that mostly have the threshold's sign are modelled on the scale of asinh, its knee at this part of it."""


@dataclass(frozen=True, slots=True)
class ScreeningOptions:
    """Options of `Screening`."""

    threshold: float | None = option(None, Range(-1e280, 1e280))
    """What a hit is: at least this value, at most where the objective is minimised; 0.5 where values are 0 and 1."""
    novelty: float = option(0.05, Range(0.0, 10.0))
    """Least distance from what was tried, in standard deviations of a code (root mean square over the columns):
    unrelated candidates are about 1.4 apart. 0 leaves out equal codes only, two formulas of one composition."""
    spread: float = option(0.05, Range(0.0, 10.0))
    """Least distance between the candidates of a batch, likewise."""
    caution: float = option(1.0, Range(0.0, 100.0))
    """Power of the probability that a candidate gives a result; 0 ignores failures."""
    trees: int = option(200, Range(10, 5000, is_whole=True))
    """Size of the ensemble."""


@dataclass(frozen=True, slots=True)
class _Learnt:
    """What was learnt from what was told."""

    scale: TargetScale
    model: LeafModel | None
    """Of values on that scale, greater is better; None where too few are known, or all are equal."""
    works: LeafModel | None
    """Of trials that gave a result (1) and that failed (0); None where too few are known, or all ended alike."""


class Screening:
    """Chooses from a pool by the chance of a hit."""

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None:
        self._options = read_options(ScreeningOptions, options, "screening")
        if len(objectives) != 1 or not objectives[0].is_extremal:
            raise BadOption("policy 'screening' looks for hits: give one objective, to maximize or minimize")
        if self._options.threshold is None:
            raise BadOption("policy 'screening' needs option 'threshold': the value from which on a candidate is a hit")
        size = space.size()
        if size is None or size > _MOST_CANDIDATES:
            raise BadOption(
                f"policy 'screening' chooses among candidates, at most {_MOST_CANDIDATES}: give the space candidates, "
                "or parameters with levels only"
            )
        if space.width > _MOST_COLUMNS:
            raise BadOption(
                f"the space has {space.width} columns, most of them words without descriptors; give its categorical "
                "parameters descriptors (of formulas: descriptors='composition')"
            )
        self._space, self._objective = space, objectives[0]
        self._sign = 1.0 if self._objective.direction == "maximize" else -1.0
        self._few = Predictor(space, objectives, "gp")
        self._learnt_from: object = None
        self._learnt: _Learnt | None = None

    def propose(self, data: PlannerData, n: int, rng: np.random.Generator) -> list[Suggestion]:
        """Return up to n candidates, the most worth first; fewer only where fewer are left."""
        learnt, tried = self._know(data), self._codes(data.space.rows([one.parameters for one in data.observations]))
        pending = self._codes(data.space.rows([one.parameters for one in data.pending]))
        candidates = self._candidates(data, np.vstack([tried, pending]))
        if learnt.model is None:
            picks = spread_out(candidates, n, rng)
        else:
            picks = Hunt(
                candidates=candidates,
                model=learnt.model,
                threshold=self._threshold(learnt.scale),
                works=self._works(learnt, candidates.free),
                pending=pending,
            ).picks(n)
        return self._suggestions(data, picks, candidates, learnt)

    def _candidates(self, data: PlannerData, known: np.ndarray) -> Candidates:
        taken = data.taken_keys()
        is_free = np.array([key not in taken for key in self._keys], dtype=bool)
        if data.space is not self._space:
            is_free &= data.space.region.feasible(self._rows)
        return Candidates(
            codes=self._pool_codes,
            free=np.flatnonzero(is_free),
            known=known,
            novelty=self._options.novelty,
            apart=self._options.spread,
        )

    @cached_property
    def _rows(self) -> np.ndarray:
        """The candidates, `n x p`."""
        return np.asarray(listed_rows(self._space, _MOST_CANDIDATES))

    @cached_property
    def _keys(self) -> list[bytes]:
        return self._space.keys(self._rows)

    @cached_property
    def _pool_codes(self) -> np.ndarray:
        return self._codes(self._rows)

    def _codes(self, rows: np.ndarray) -> np.ndarray:
        """Return codes in single precision: trees see no more, and a large pool needs less room."""
        codes = np.empty((len(rows), self._space.width), dtype=np.float32)
        for start in range(0, len(rows), _CHUNK):
            codes[start : start + _CHUNK] = self._space.encode_rows(rows[start : start + _CHUNK])
        return codes

    def _know(self, data: PlannerData) -> _Learnt:
        """Return what is learnt from everything told, kept until more is."""
        if self._learnt is None or self._learnt_from is not data.observations:
            self._learnt_from, self._learnt = data.observations, self._learn(data)
        return self._learnt

    def _learn(self, data: PlannerData) -> _Learnt:
        from surrogate.last_layer import fit_leaves

        told = [one for one in data.observations if one.failure is None and self._objective.name in one.values]
        values = np.array([one.values[self._objective.name] for one in told], dtype=float)
        scale = self._scale(values)
        codes = self._codes(data.space.rows([one.parameters for one in told]))
        trees, seed = self._options.trees, data.seed
        model = fit_leaves(codes, self._sign * scale.forward(values), trees=trees, seed=seed) if len(told) else None
        works = None
        if self._options.caution > 0:
            rows, is_result = self._trials(data)
            works = fit_leaves(self._codes(rows), is_result.astype(float), trees=trees, seed=seed)
        return _Learnt(scale=scale, model=model, works=works)

    def _trials(self, data: PlannerData) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of which it is known whether they gave a result (`n x p`), and whether they did (`n`, bool).

        Where no failure was told but of this planner's own proposals, what others made counts as no trial: a literature
        without failures does not say how often they failed.
        """
        rows, is_result = data.tried_rows()
        proposed = set(data.space.keys(data.space.rows([one.parameters for one in data.finished])))
        is_own = np.array([key in proposed for key in data.space.keys(rows)], dtype=bool)
        counts = is_own if is_result[~is_own].all() else np.ones(len(rows), dtype=bool)
        return rows[counts], is_result[counts]

    def _scale(self, values: np.ndarray) -> TargetScale:
        """Return the scale to learn on: near the threshold differences count, far beyond it hardly any more."""
        if not len(values):
            return TargetScale(None, 0.0, 1.0)
        threshold = float(self._options.threshold or 0.0)
        is_one_sign = threshold != 0 and bool(np.mean(values * np.sign(threshold) >= 0) >= _MOSTLY)
        return TargetScale.of(values, abs(threshold) / _BEND if is_one_sign else None)

    def _threshold(self, scale: TargetScale) -> float:
        return self._sign * float(scale.forward(np.array([self._options.threshold], dtype=float))[0])

    def _works(self, learnt: _Learnt, places: np.ndarray) -> np.ndarray:
        """Return the chance of a result, to the power `caution`, for each of some candidates."""
        works = learnt.works
        if works is None:
            return np.ones(len(places))
        chance = in_chunks(lambda some: works.mean(works.leaves_of(some)), self._pool_codes[places], _CHUNK)
        return np.clip(chance, _LEAST_CHANCE, 1.0) ** self._options.caution

    def _suggestions(
        self, data: PlannerData, picks: Sequence[Pick], candidates: Candidates, learnt: _Learnt
    ) -> list[Suggestion]:
        places = np.array([pick.place for pick in picks], dtype=int)
        points = data.space.points(self._rows[places])
        found: list[Suggestion] = []
        for point, pick, nearest in zip(points, picks, self._nearest(data, candidates, places), strict=True):
            predictions, words = {}, []
            if pick.mean is not None:
                mean, sd = learnt.scale.moments(np.array([self._sign * pick.mean]), np.array([pick.sd]))
                predictions = {self._objective.name: Prediction(mean=float(mean[0]), sd=float(sd[0]))}
                words.append(f"a hit with probability {pick.hit:.2f}: {self._expected(float(mean[0]), float(sd[0]))}")
                if learnt.works is not None:
                    words.append(f"gives a result with probability {pick.works:.2f}")
            else:
                words.append("fills the space: too little is known to predict")
            if not pick.is_new:
                words.append("nothing is left that is farther from what is known or chosen")
            found.append(
                Suggestion(parameters=point, predictions=predictions, reason="; ".join(filter(None, [*words, nearest])))
            )
        return found

    def _expected(self, mean: float, sd: float) -> str:
        unit = "" if self._objective.unit == "1" else f" {self._objective.unit}"
        return f"{self._objective.name} {mean:.3g} +- {sd:.2g}{unit} expected, {self._options.threshold:g} wanted"

    def _nearest(self, data: PlannerData, candidates: Candidates, places: np.ndarray) -> list[str]:
        """Say of candidates what is nearest among what is known, and what came of it."""
        which, far = candidates.nearest_known(places)
        known = [*data.observations, *data.pending]
        return [
            f"nearest known is {_name(known[place].parameters)} at {distance:.2f}, {self._outcome(known[place])}"
            if known
            else ""
            for place, distance in zip(which, far, strict=True)
        ]

    def _outcome(self, known: Observation | Proposal) -> str:
        if isinstance(known, Proposal):
            return "under way"
        if known.failure is not None:
            return f"which failed ({known.failure})"
        if self._objective.name not in known.values:
            return f"of which no {self._objective.name} is known"
        unit = "" if self._objective.unit == "1" else f" {self._objective.unit}"
        return f"with {known.values[self._objective.name]:.3g}{unit}"

    def predict(
        self, data: PlannerData, target: str, points: Sequence[Mapping[str, Value]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`n` each) of the noiseless target, in its unit.

        Before the ensemble can be grown (four values that are not all equal) the default Gaussian process predicts.
        """
        if target != self._objective.name:
            raise BadObservation(f"no objective is called {target!r}{did_you_mean(target, [self._objective.name])}")
        learnt = self._know(data)
        if learnt.model is None:
            return self._few.predict(data, target, points)
        mean, sd = learnt.model.predict(data.space.encode(points))
        return learnt.scale.moments(self._sign * mean, sd)


def _name(parameters: Mapping[str, Value]) -> str:
    """Return how people call a candidate: its word where it has but one, otherwise all of its parameters."""
    if len(parameters) == 1:
        return str(next(iter(parameters.values())))
    return ", ".join(f"{name} {value}" for name, value in parameters.items())
