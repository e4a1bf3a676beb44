"""What weighs on the worth of a point beside what measured values tell: failures, costs, and what people expect.

Failures teach. Where recipes gave no result, a classifier learns where recipes work (`planner.feasibility`). The worth
of a point is multiplied by its probability of working to the power `caution`, and recipes that the classifier expects
to fail again count as bad results, not as unknown ones. Failures without a pattern do neither.

What an experiment costs, where a formula says it, divides its worth (`planner.cost`); areas that people hold for likely
multiply it (`planner.people`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from planner.errors import BadOption
from planner.people import Hints
from planner.policies.base import PlannerData
from planner.policies.bayes_options import BayesOptions
from planner.space import SearchSpace

if TYPE_CHECKING:
    from planner.cost import Cost
    from planner.feasibility import Viability

_LEAST_CHANCE = 1e-12


class Weighing:
    """Weighs points of a space.

    Args:
        space: The whole of it.
        options: Of the policy.

    Raises:
        BadOption: An option of the cost makes no sense.
    """

    def __init__(self, space: SearchSpace, options: BayesOptions) -> None:
        self._space, self._options = space, options
        self._cost = self._read_cost(space)
        self._hinted: Hints | None = None
        self._judged: object = None
        self._judgement: Viability | None = None

    def _read_cost(self, space: SearchSpace) -> Cost | None:
        options = self._options
        if options.cost is None:
            if options.cost_budget is not None or options.cost_power != 1.0:
                raise BadOption("options 'cost_power' and 'cost_budget' need option 'cost', the formula of a cost")
            return None
        from planner.cost import Cost

        return Cost.read(options.cost, space, power=options.cost_power, budget=options.cost_budget)

    def _reckoned(self, data: PlannerData, caution: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """Return what adds to the worth (`... x n`) of rows (`n x p`) all that does not hang on measured values."""
        chance, hints, price = self._chance(data), self._hints(data), self._price(data)
        n_told = len(data.observations)

        def reckon(rows: np.ndarray, found: np.ndarray) -> np.ndarray:
            found = found if chance is None else found + caution * chance(rows)
            found = found if price is None else found - price(rows)
            return found if hints is None else found + hints.log_weight(rows, n_told)

        return reckon

    def _hints(self, data: PlannerData) -> Hints | None:
        """Return the areas that people hold for likely; None where there is none."""
        if not data.said.likely:
            return None
        if self._hinted is None or self._hinted.likely is not data.said.likely:
            self._hinted = Hints(self._space, data.said.likely)
        return self._hinted

    def _viability(self, data: PlannerData) -> Viability | None:
        """Return what was learnt of where recipes work; None while nothing failed."""
        if self._judged is not data.observations:
            rows, is_result = data.tried_rows()
            self._judged, self._judgement = data.observations, None
            if not is_result.all() and self._options.caution > 0:
                from planner.feasibility import fit_viability

                self._judgement = fit_viability(data.space.encode_rows(rows), is_result)
        return self._judgement

    def _chance(self, data: PlannerData) -> Callable[[np.ndarray], np.ndarray] | None:
        """Return the logarithm of the probability that rows work; None while nothing failed."""
        viability = self._viability(data)
        if viability is None:
            return None
        encode = data.space.encode_rows
        return lambda rows: np.log(np.maximum(viability.probability(encode(rows)), _LEAST_CHANCE))

    def _structural_failures(self, data: PlannerData) -> np.ndarray:
        """Return encoded recipes (`m x d`) that failed, and would rather fail again: not the accidents."""
        viability = self._viability(data)
        if viability is None:
            return np.empty((0, data.space.width))
        rows, is_result = data.tried_rows()
        codes = np.unique(data.space.encode_rows(rows[~is_result]), axis=0)
        return codes[viability.probability(codes) < 0.5]

    def _price(self, data: PlannerData) -> Callable[[np.ndarray], np.ndarray] | None:
        """Return the logarithm of what worth is divided by, of rows; None where all cost the same."""
        cost, space = self._cost, data.space
        if cost is None:
            return None
        under_way = space.rows([proposal.parameters for proposal in data.pending])
        begun = np.vstack([data.tried_rows()[0], under_way])
        power = cost.power_after(float(cost.of(space, begun).sum()))
        return lambda rows: power * np.log(cost.of(space, rows))
