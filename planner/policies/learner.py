"""What policies that learn have in common: a start that fills the space, then the search for what is worth most."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from planner.doubts import said_of
from planner.errors import BadOption, NotEnoughData
from planner.objective import Objective
from planner.optimise import best_row, candidate_rows
from planner.people import COLD, hinted_rows
from planner.policies.base import Foreteller, PlannerData, Suggestion
from planner.policies.bayes_options import BayesOptions
from planner.policies.options import read_options
from planner.policies.watching import OFF, WATCHING, Watch
from planner.policies.weighing import Weighing
from planner.pool import in_chunks
from planner.predictor import Predictor
from planner.promises import promises
from planner.proposal import Prediction, Value
from planner.space import SearchSpace
from planner.untried import spread_rows, untried_rows

if TYPE_CHECKING:
    from planner.acquisition import Acquisition, IntegratedVariance
    from planner.doubts import Doubted
    from planner.drift import Drift

_N_AROUND = 8
_N_EVERYWHERE = 300
"""Points that stand for the whole space."""
_FEWEST_VALUES = 2
_THINNING = 20
_MOST_SCORED = 20_000
"""Points of a pool that are scored in full."""
_MOST_LOOKED_AT = 2_000_000
_CHUNK = 10_000
_CARE = 2.0
"""Times `caution`, where a trial is made only for what it tells: one that fails tells little."""
_TELLS = "no improvement is expected that could be seen; tells most about the whole space"


class Learner(Weighing, ABC):
    """What learning policies share."""

    name: ClassVar[str]
    follows_hints: ClassVar[bool] = True
    knows_input_noise: ClassVar[bool] = True
    chooses_among: bool = True
    """Whether it takes the best of a list where that is all the space; see `Planner.chooses_among`."""
    plans_with: tuple[str, ...] = (COLD,)
    watches: ClassVar[bool] = True
    """Whether results may be watched for drift."""
    usual_drift: ClassVar[str] = OFF
    repeats: ClassVar[bool] = False
    """Whether it can weigh a repeat against a new point."""
    beside: ClassVar[tuple[str, ...]] = ()
    """Options that the policy reads itself."""

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None:
        own = {name: options[name] for name in WATCHING if self.watches and name in options}
        beside = (*self.beside, *(WATCHING if self.watches else ()))
        super().__init__(space, read_options(BayesOptions, _without(options, own), self.name, beside=beside))
        self._watch = Watch(space, objectives, own, policy=self.name, usual=self.usual_drift)
        if self._options.replicates > 1 and not self.repeats:
            raise BadOption(f"policy {self.name!r} weighs no repeats; leave option 'replicates' out, or choose 'logei'")
        to_classify = [objective.name for objective in objectives if objective.direction == "classify"]
        if to_classify:
            raise BadOption(
                f"policy {self.name!r} learns numbers, but objective {to_classify[0]!r} is to be classified; choose "
                "policy 'cameo'"
            )
        self._objectives = tuple(objectives)
        self._predictor = Predictor(space, objectives, self._options.map_model, robust=self._options.robust)
        self._gps = self._predictor
        if self._options.map_model != "gp":
            self._gps = Predictor(space, objectives, "gp", robust=self._options.robust)
        default_start = min(max(2 * len(space.parameters), 4), 10)
        self._n_start = default_start if self._options.start is None else self._options.start
        self._contradicted: tuple[object, list[str]] = (None, [])

    def predict(
        self, data: PlannerData, target: str, points: Sequence[Mapping[str, Value]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`n` each) of the noiseless target, in its unit."""
        return self._predictor.predict(self.steadied(data), target, points)

    def steadied(self, data: PlannerData) -> PlannerData:
        """Return what was told as it would have been without drift, where that is looked for."""
        return self._watch.steadied(data)

    def drifts(self, data: PlannerData) -> Mapping[str, Drift | None]:
        """Return the drift of each target, where it is looked for; None while too little is known."""
        return self._watch.drifts(data)

    def alarms(self, data: PlannerData) -> list[str]:
        """Return what a person must know of the results, a clause each: a drift, and contradictions."""
        return [*self._watch.alarms(data), *self._contradictions(self.steadied(data))]

    def _contradictions(self, data: PlannerData) -> list[str]:
        """Return the worst contradiction of each target between results of one recipe."""
        if self._contradicted[0] is not data.observations:
            from planner.contradictions import contradictions

            found = []
            for target in [one.name for one in self._objectives] if data.space.fidelity is None else []:
                model = partial(self._gps.model, data, target)
                found += [str(one) for one in contradictions(self._space, data.observations, target, model)[:1]]
            self._contradicted = (data.observations, found)
        return self._contradicted[1]

    def live(self, data: PlannerData) -> dict[str, Mapping[str, Foreteller]]:
        """Return the Gaussian processes of all targets, once each has a value."""
        try:
            return {COLD: {one.name: self._gps.model(data, one.name) for one in self._objectives}}
        except NotEnoughData:
            return {}

    def doubted(self, data: PlannerData) -> tuple[Doubted, ...]:
        """Return the results that are not believed, where option `robust` has them looked for."""
        return self._gps.doubted(self.steadied(data)) if self._options.robust else ()

    def given_up(self, data: PlannerData) -> dict[str, str]:
        """Return what had to be given up to fit targets."""
        return self._gps.given_up(self.steadied(data))

    def propose(self, data: PlannerData, n: int, rng: np.random.Generator) -> list[Suggestion]:
        """Return up to n points: some to fill the space while little is known, then those worth most.

        What a person must know of the results stands in the reason of each.
        """
        found = self._proposed(self.steadied(data), n, rng)
        said = "".join(f"; {text}" for text in self.alarms(data))
        return [replace(one, reason=one.reason + said) for one in found] if said else found

    def _proposed(self, data: PlannerData, n: int, rng: np.random.Generator) -> list[Suggestion]:
        n_known = len(data.tried_rows()[0]) + len(data.pending)
        n_fill = min(n, max(0, self._n_start - n_known)) if self._can_learn(data) else n
        taken = set(data.taken_keys())
        fill = self._fill(data, n_fill, taken, rng)
        taken.update(data.space.keys(fill))
        suggestions = [Suggestion(parameters=p, reason="fills the space") for p in data.space.points(fill)]
        if n_fill < n:
            suggestions += self._choose(data, n - n_fill, fill, taken, rng)
        return suggestions

    def _can_learn(self, data: PlannerData) -> bool:
        names = [objective.name for objective in self._objectives]
        told = [observation for observation in data.observations if observation.failure is None]
        return all(sum(name in observation.values for observation in told) >= _FEWEST_VALUES for name in names)

    def _fill(self, data: PlannerData, n: int, taken: set[bytes], rng: np.random.Generator) -> np.ndarray:
        """Return up to n rows that fill the space, away from where recipes failed."""
        if n == 0:
            return np.empty((0, data.space.region.width))
        hints = self._hints(data)
        if hints is not None:
            return hinted_rows(data, n, taken, hints, rng)
        chance = self._chance(data)
        if chance is None:
            return spread_rows(data.space, n, data.taken_rows(), taken, rng)
        # while little is known, draws are thinned by the chance of working rather than led by it
        space = data.space
        rows = untried_rows(
            space, _THINNING * n, taken, lambda count: space.sample_rows(count, rng, sparse=space.starts_sparse), rng
        )
        kept = rng.random(len(rows)) <= np.exp(self._options.caution * chance(rows))
        return np.vstack([rows[kept], rows[~kept]])[:n]

    def _choose(
        self, data: PlannerData, n: int, fill: np.ndarray, taken: set[bytes], rng: np.random.Generator
    ) -> list[Suggestion]:
        """Return up to n points by their worth, each given those before it."""
        space = data.space
        worth = self._worth(data, fill, rng)
        candidates = candidate_rows(space, self._options.candidates, self._best_rows(data), rng)
        if len(candidates) > _MOST_SCORED:
            candidates = self._promising(data, candidates, rng)
        chosen, reasons, repeats = np.empty((0, space.region.width)), list[str](), list[bool]()
        for _ in range(n):
            row, reason, is_repeat = self._next(data, worth, candidates, np.vstack([fill, chosen]), taken, rng)
            if row is None:
                break
            chosen, reasons, repeats = np.vstack([chosen, row]), [*reasons, reason], [*repeats, is_repeat]
            taken.update(space.keys(row[None]))
            worth.add(space.encode_rows(row[None])[0], rng)
        found = self._explained(data, chosen, reasons)
        return [replace(one, is_repeat=again) for one, again in zip(found, repeats, strict=True)]

    def _next(
        self,
        data: PlannerData,
        worth: Acquisition,
        candidates: np.ndarray,
        ahead: np.ndarray,
        taken: set[bytes],
        rng: np.random.Generator,
    ) -> tuple[np.ndarray | None, str, bool]:
        """Return the row that is worth most after those ahead (`m x p`), why, and whether it was tried before."""
        space, caution = data.space, self._options.caution
        row, reason = best_row(space, self._score(data, worth, caution), candidates, taken, rng), self._reason(worth)
        if row is None:
            more = untried_rows(space, 1, taken, lambda count: space.sample_rows(count, rng), rng)
            return more[0] if len(more) else None, reason, False
        tells = self._instead(data, worth, row, ahead, rng)
        again = self._again(data, worth, row, candidates, ahead) if tells is None else None
        if again is not None:
            return again[0], again[1], True
        other = (
            None
            if tells is None
            else best_row(space, self._score(data, tells, _CARE * caution), candidates, taken, rng)
        )
        row, reason = (row, reason) if other is None else (other, self._reason_instead(data))
        row, reason = self._made(data, row, reason, worth if other is None or tells is None else tells, ahead)
        return row, reason, False

    def _promising(self, data: PlannerData, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the rows of a large pool that a first look, cheap and in parts, finds most promising, and some others.

        Of a pool of more than `_MOST_LOOKED_AT` rows so many random ones are looked at, others at each ask.
        """
        if len(rows) > _MOST_LOOKED_AT:
            rows = rows[rng.choice(len(rows), _MOST_LOOKED_AT, replace=False)]
        looks, encode, reckoned = (
            self._first_look(data),
            data.space.encode_rows,
            self._reckoned(data, self._options.caution),
        )
        scores = in_chunks(lambda some: reckoned(some, looks(encode(some))), rows, _CHUNK)
        each = _MOST_SCORED // (2 * len(scores))
        best = [np.argpartition(-one, each)[:each] for one in scores]
        others = rng.choice(len(rows), _MOST_SCORED // 2, replace=False)
        return rows[np.unique(np.concatenate([*best, others]))]

    def _first_look(self, data: PlannerData) -> Callable[[np.ndarray], np.ndarray]:
        """Return what gives scores (`k x n`) of encoded points (`n x d`); those that lead in any are promising."""
        gps = [self._gps.model(data, objective.name).gp for objective in self._objectives]
        return lambda codes: np.log(np.array([gp.posterior(codes)[1] for gp in gps]))

    def _score(self, data: PlannerData, worth: Acquisition, caution: float) -> Callable[[np.ndarray], np.ndarray]:
        """Return the score of rows: their worth, and what failures, costs and people's hints make of it."""
        encode, reckoned = data.space.encode_rows, self._reckoned(data, caution)
        return lambda rows: reckoned(rows, worth(encode(rows)))

    def _instead(
        self, data: PlannerData, worth: Acquisition, row: np.ndarray, ahead: np.ndarray, rng: np.random.Generator
    ) -> Acquisition | None:
        """Return another worth to choose by where that of the best row is not worth a measurement; None where it is."""
        del data, worth, row, ahead, rng
        return None

    def _again(
        self, data: PlannerData, worth: Acquisition, row: np.ndarray, candidates: np.ndarray, ahead: np.ndarray
    ) -> tuple[np.ndarray, str] | None:
        """Return a row to be tried again, and why, where that is worth more than new ones; None where it is not.

        Args:
            data: What is known.
            worth: By which the new row was chosen.
            row: It (`p`).
            candidates: Others of the space (`n x p`).
            ahead: Rows that come before (`m x p`).
        """
        del data, worth, row, candidates, ahead
        return None

    def _made(
        self, data: PlannerData, row: np.ndarray, reason: str, worth: Acquisition, ahead: np.ndarray
    ) -> tuple[np.ndarray, str]:
        """Return how the best row by a worth is tried, given rows (`m x p`) that come before, and why."""
        del data, worth, ahead
        return row, reason

    def _reason_instead(self, data: PlannerData) -> str:
        """Say why a point was chosen by the worth of `_instead`."""
        del data
        return _TELLS

    def _explained(self, data: PlannerData, rows: np.ndarray, reasons: Sequence[str]) -> list[Suggestion]:
        if not len(rows):
            return []
        chance = self._chance(data)
        codes = data.space.encode_rows(rows)
        predicted, meant = self._foretold(data, codes), self._foretold(data, self._counting(codes))
        hints = self._hints(data)
        if hints is not None:
            n_told = len(data.observations)
            reasons = [f"{reason}; {hints.said(row, n_told)}" for reason, row in zip(reasons, rows, strict=True)]
        works = np.ones(len(rows)) if chance is None else np.exp(chance(rows))
        costs = None if self._cost is None else self._cost.of(data.space, rows)
        each, promised = _by_point(predicted, len(rows)), _by_point(meant, len(rows))
        aside = said_of(self._gps.doubted(data))
        aside += "".join(f"; {target}: {said}" for target, said in self._gps.given_up(data).items())
        return [
            Suggestion(
                parameters=point,
                predictions=each[i],
                reason=reasons[i]
                + promises(self._objectives, promised[i])
                + ("" if chance is None else f"; works with probability {works[i]:.2f}")
                + ("" if costs is None else f"; costs {costs[i]:.4g}")
                + aside,
            )
            for i, point in enumerate(data.space.points(rows))
        ]

    def _counting(self, codes: np.ndarray) -> np.ndarray:
        """Return encoded points (`n x d`) as they would be where results count."""
        return codes

    def _foretold(self, data: PlannerData, codes: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return mean and standard deviation of each target at encoded points, `n` each."""
        return {one.name: self._gps.model(data, one.name).predict(codes) for one in self._objectives}

    def _best_rows(self, data: PlannerData) -> np.ndarray:
        """Return the tried rows with the best predictions, once each, inside the space."""
        rows = np.unique(self._recipes(data), axis=0)
        rows = rows[data.space.region.feasible(rows)]
        rows = data.space.region.round(rows) if data.space.pool is None else rows
        rows = rows[data.space.region.feasible(rows)]
        height = self._heights(data, data.space.encode_rows(rows))
        return rows[np.argsort(-height, kind="stable")[:_N_AROUND]]

    def _recipes(self, data: PlannerData) -> np.ndarray:
        """Return what was tried, as rows (`n x p`) of what is searched."""
        return data.tried_rows()[0]

    def _heights(self, data: PlannerData, codes: np.ndarray) -> np.ndarray:
        """Return how good what is expected at encoded points (`n x d`) is, `n`."""
        height = np.zeros(len(codes))
        for objective in self._objectives:
            mean, _ = self._gps.model(data, objective.name).gp.posterior(codes)
            height += -mean if objective.direction == "minimize" else mean
        return height

    def _all_over(self, data: PlannerData, ahead: np.ndarray, rng: np.random.Generator) -> IntegratedVariance:
        """Return the worth of points by what they tell about the whole space, given rows (`m x p`) that come before."""
        from planner.acquisition import IntegratedVariance

        models = [self._gps.model(data, objective.name) for objective in self._objectives]
        pending = np.vstack([self._under_way(data, ahead), self._structural_failures(data)])
        everywhere = data.space.encode_rows(data.everywhere.sample_rows(_N_EVERYWHERE, rng))
        return IntegratedVariance(models, pending, everywhere)

    @staticmethod
    def _under_way(data: PlannerData, fill: np.ndarray) -> np.ndarray:
        """Return pending and filling points, encoded (`m x d`)."""
        rows = data.space.rows([proposal.parameters for proposal in data.pending])
        return data.space.encode_rows(np.vstack([rows, fill]))

    @abstractmethod
    def _worth(self, data: PlannerData, fill: np.ndarray, rng: np.random.Generator) -> Acquisition:
        """Return what points are worth, given what was told, what is pending, and the filling rows."""

    @abstractmethod
    def _reason(self, worth: Acquisition) -> str:
        """Say why a point was chosen by its worth."""


def _without(options: Mapping[str, object], names: Collection[str]) -> dict[str, object]:
    return {name: value for name, value in options.items() if name not in names}


def _by_point(predicted: Mapping[str, tuple[np.ndarray, np.ndarray]], n: int) -> list[dict[str, Prediction]]:
    return [
        {name: Prediction(mean=float(mean[i]), sd=float(sd[i])) for name, (mean, sd) in predicted.items()}
        for i in range(n)
    ]
