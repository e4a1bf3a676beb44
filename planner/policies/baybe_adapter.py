"""BayBE (https://emdgroup.github.io/baybe) as a policy, by its Campaign and its default recommender.

A pool or a small grid is told point by point, with every constraint already met. Elsewhere numbers are continuous to
BayBE (a grid is put back afterwards, a logarithmic scale is told as logarithms) and only words are discrete: it
optimises the numbers anew for each combination of discrete values. Linear constraints are told as they are. BayBE has
no channel for failures and refuses a missing value: a failure is told as the worst value so far, or left out
(``failures: omit``). Nor has it one for the noise of single results.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.errors import BadOption
from planner.objective import Objective
from planner.parameters import Categorical, Parameter
from planner.policies.base import PlannerData
from planner.policies.guest import Answer, Guest, Known, require, worst_values
from planner.policies.options import Choice, option, read_options
from planner.predictor import MAP_MODELS
from planner.space import SearchSpace
from planner.untried import listed_rows

_MOST_LISTED = 20_000
"""Points that are told one by one; BayBE keeps and scores them all."""
_MOST_COMBINATIONS = 500
"""Of categories beside continuous parameters; each costs a search of its own at every ask."""


@dataclass(frozen=True, slots=True)
class BayBEOptions:
    """Options of `BayBE`."""

    failures: str = option("worst", Choice(("worst", "omit")))
    """What a trial without a result is told as: the worst value so far, or not at all."""
    map_model: str = option("gp", MAP_MODELS)
    """The surrogate that maps come from; choices do not depend on it."""


class BayBE(Guest):
    """Ask a fresh BayBE campaign that was told everything."""

    name = "baybe"
    title = "BayBE"

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None:
        self._options = read_options(BayBEOptions, options, self.name)
        require("baybe", policy=self.name)
        super().__init__(space, objectives, self._options.map_model)
        if self._goals.limits:
            raise BadOption(
                f"policy 'baybe' knows no limits on what is measured, and {str(self._goals.limits[0])!r} is one; "
                "choose policy 'auto' or 'ax', or give the objectives desirabilities"
            )
        self._listed = listed_rows(space, _MOST_LISTED)
        if self._listed is not None and len(self._listed) > _MOST_LISTED:
            raise BadOption(
                f"policy 'baybe' keeps every candidate in memory, and a pool of {len(self._listed)} is too many (at "
                f"most {_MOST_LISTED}); choose policy 'auto', or narrow the pool"
            )
        region = space.region
        self._columns = [
            column for column in region.free if self._listed is None or np.ptp(self._listed[:, column]) > 0
        ]
        self._tied = np.any(np.vstack([region.A, region.E]) != 0, axis=0)
        if self._listed is None:
            self._refuse_large()

    def _refuse_large(self) -> None:
        sizes = [len(np.asarray(self._space.region.grids[c])) for c in self._columns if self._is_discrete(c)]
        count = float(np.prod(sizes, dtype=float))
        if count > _MOST_COMBINATIONS:
            raise BadOption(
                f"policy 'baybe' searches anew for every combination of categories, and {count:.0f} are too many (at "
                f"most {_MOST_COMBINATIONS}); choose policy 'auto'"
            )

    def _is_discrete(self, column: int) -> bool:
        return self._listed is not None or isinstance(self._space.parameters[column], Categorical)

    def _is_logarithm(self, column: int) -> bool:
        return bool(self._space.region.is_log[column]) and not self._tied[column]

    def _recommend(self, data: PlannerData, known: Known, n: int, seed: int) -> list[Answer]:
        from baybe.settings import Settings

        with Settings(random_seed=seed):
            campaign = self._campaign()
            measured = self._measured(known)
            if len(measured):
                campaign.add_measurements(measured, numerical_measurements_must_be_within_tolerance=False)
            pending = self._frame(known.pending) if len(known.pending) else None
            frame = campaign.recommend(n, pending_experiments=pending)
        return [Answer(row=self._row(dict(zip(frame.columns, values, strict=True)))) for values in frame.to_numpy()]

    def _campaign(self) -> Any:
        from baybe import Campaign
        from baybe.objectives import ParetoObjective, SingleTargetObjective
        from baybe.targets import NumericalTarget

        targets = [
            NumericalTarget(f"y{index}", minimize=objective.direction == "minimize")
            for index, objective in enumerate(self._goals.wanted)
        ]
        objective = SingleTargetObjective(targets[0]) if len(targets) == 1 else ParetoObjective(targets)
        if self._listed is None:
            return Campaign(self._search_space(), objective)
        return Campaign(
            self._search_space(),
            objective,
            allow_recommending_already_measured=False,
            allow_recommending_pending_experiments=False,
        )

    def _search_space(self) -> Any:
        from baybe.searchspace import SearchSpace as Theirs
        from baybe.searchspace.discrete import SubspaceDiscrete

        parameters = [self._parameter(column) for column in self._columns]
        if self._listed is not None:
            return Theirs(discrete=SubspaceDiscrete.from_dataframe(self._frame(self._listed), parameters))
        return Theirs.from_product(parameters, self._constraints() or None)

    def _parameter(self, column: int) -> Any:
        from baybe.parameters import CategoricalParameter, NumericalContinuousParameter, NumericalDiscreteParameter

        name, parameter = f"x{column}", self._space.parameters[column]
        if isinstance(parameter, Categorical):
            words = parameter.values if self._listed is None else _words(parameter, self._listed[:, column])
            return CategoricalParameter(name, list(words))
        if self._listed is not None:
            return NumericalDiscreteParameter(name, np.unique(self._told(self._listed[:, column], column)).tolist())
        bounds = self._told(np.array(parameter.bounds), column)
        return NumericalContinuousParameter(name, (float(bounds[0]), float(bounds[1])))

    def _constraints(self) -> list[Any]:
        from baybe.constraints import ContinuousLinearConstraint

        region = self._space.region
        fixed = np.setdiff1d(np.arange(region.width), region.free)
        found = []
        for weights, bound, operator in (
            *((row, end, "<=") for row, end in zip(region.A, region.b, strict=True)),
            *((row, end, "=") for row, end in zip(region.E, region.e, strict=True)),
        ):
            named = [column for column in self._columns if weights[column]]
            if named:
                rest = float(bound - weights[fixed] @ region.low[fixed])
                names = [f"x{column}" for column in named]
                found.append(ContinuousLinearConstraint(names, operator, weights[named].tolist(), rest))
        return found

    def _measured(self, known: Known) -> Any:
        """Return everything that can be told as a table, one column for each parameter and target."""
        values = known.values.copy()
        if self._options.failures == "worst":
            values[known.failed] = worst_values(known, self._goals.wanted)
        whole = np.isfinite(values).all(axis=1)
        frame = self._frame(known.rows[whole])
        for index in range(len(self._goals.wanted)):
            frame[f"y{index}"] = values[whole, index]
        return frame

    def _frame(self, rows: np.ndarray) -> Any:
        import pandas as pd

        return pd.DataFrame({f"x{column}": self._cells(rows[:, column], column) for column in self._columns})

    def _cells(self, numbers: np.ndarray, column: int) -> list[Any]:
        parameter = self._space.parameters[column]
        if isinstance(parameter, Categorical):
            return [parameter.value(number) for number in numbers]
        return self._told(numbers, column).tolist()

    def _told(self, numbers: np.ndarray, column: int) -> np.ndarray:
        return np.log10(numbers) if self._is_logarithm(column) else numbers

    def _row(self, cells: Mapping[str, Any]) -> np.ndarray:
        row = self._space.region.low.copy()
        if self._listed is not None:
            row = self._listed[0].copy()
        for column in self._columns:
            value, parameter = cells[f"x{column}"], self._space.parameters[column]
            if isinstance(parameter, Categorical):
                row[column] = parameter.number(value)
            else:
                row[column] = 10.0 ** float(value) if self._is_logarithm(column) else float(value)
        return row


def _words(parameter: Parameter, numbers: np.ndarray) -> list[Any]:
    return [parameter.value(number) for number in np.unique(numbers)]
