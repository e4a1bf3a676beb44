"""What a policy that optimises expects of untried points: how much is still to be had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from planner.errors import BadOption, NotEnoughData
from planner.objective import Objective
from planner.optimise import candidate_rows
from planner.policies.base import PlannerData
from planner.policies.learner import Learner

if TYPE_CHECKING:
    from planner.prospect import Prospect

_N_LOOKED_AT, _MOST_LISTED = 2000, 100_000
_N_TOGETHER, _N_OTHERS = 300, 100
"""Points that are drawn together to see what is still to be had: those that promise most, and others."""
_N_REFINED, _N_AROUND = 20, 20
"""Of those, how many are stepped around, and how often."""
_N_LOOKS = 3
"""How often it is judged what is still to be had: by all results, without the last one, without the last two."""
_PLENTY = 0.25
"""A probability of more that nobody would take for the end, so that one look is enough."""


class Foreseeing(Learner):
    """Looks at untried points together; those of a policy's first look are the ones that promise most."""

    _ranked: Sequence[Objective]
    """What is optimised."""

    def prospect(self, data: PlannerData, by: float, rng: np.random.Generator) -> Prospect:
        """Return what untried points may still bring.

        Where that is little, it is judged without the last result and without the last two as well, and the greatest
        probability counts: what one result suggests, the next one often takes back.

        Raises:
            BadOption: Several objectives have no desirabilities, so that better has no measure.
            NotEnoughData: Too little was measured.
        """
        if len(self._ranked) > 1 and self._ranked[0].desirability is None:
            raise BadOption(
                "of several objectives nothing says how much better is worth going on for; give them desirabilities"
            )
        data = self.steadied(data)
        if not self._can_learn(data):
            raise NotEnoughData(
                "too little was measured to say what is still to be had; tell two values of each target"
            )
        known = set(data.space.keys(data.space.rows([one.parameters for one in (*data.observations, *data.finished)])))
        found = self._prospect(data, known, by, rng)
        for n in range(1, _N_LOOKS):
            before = replace(data, observations=data.observations[:-n])
            if not found.points or found.probability > _PLENTY or not self._can_learn(before):
                break
            found = max(found, self._prospect(before, known, by, rng), key=lambda one: one.probability)
        return found

    def _prospect(self, data: PlannerData, known: set[bytes], by: float, rng: np.random.Generator) -> Prospect:
        """Return what points whose keys are not known may bring, by all results that are told here."""
        from planner.prospect import prospect

        results = data.space.encode_rows(np.unique(self._result_rows(data), axis=0))
        best = results[np.argmax(self._heights(data, results))]
        untried = self._worth_a_look(data, known, rng)
        chance, encode = self._chance(data), data.space.encode_rows
        works = np.ones(len(untried)) if chance is None else np.exp(chance(untried))
        models = {objective.name: self._gps.model(data, objective.name) for objective in self._objectives}
        return prospect(self._objectives, models, best, encode(untried), works, by=by, rng=rng)

    def _result_rows(self, data: PlannerData) -> np.ndarray:
        """Return the rows (`n x p`) that gave results that count."""
        rows, is_result = data.tried_rows()
        return rows[is_result]

    def _worth_a_look(self, data: PlannerData, known: set[bytes], rng: np.random.Generator) -> np.ndarray:
        """Return rows of the space that promise most, some others, and pending ones, none of them known (`n x p`)."""
        space = data.space
        pending = space.rows([proposal.parameters for proposal in data.pending])
        rows = candidate_rows(space, _N_LOOKED_AT, self._best_rows(data), rng)
        if len(rows) > _N_LOOKED_AT:
            rows = rows[rng.choice(len(rows), min(len(rows), _MOST_LISTED), replace=False)]
        look = self._first_look(data)
        for round_ in range(3):
            scores = look(space.encode_rows(rows))
            top = np.unique(np.argsort(-scores, axis=1)[:, : _N_TOGETHER // len(scores)])
            if round_ == 2 or space.listing is not None:
                others = rng.choice(len(rows), min(len(rows), _N_OTHERS), replace=False)
                rows = np.unique(np.vstack([rows[np.concatenate([top, others])], pending]), axis=0)
                break
            few = rows[np.unique(np.argsort(-scores, axis=1)[:, :_N_REFINED])]
            steps = space.neighbourhood.step(np.repeat(few, _N_AROUND, axis=0), rng, reach=0.1 / (1 + round_))
            rows = np.unique(np.vstack([rows, steps]), axis=0)
        return rows[np.array([key not in known for key in space.keys(rows)], dtype=bool)]
