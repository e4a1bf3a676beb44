"""Ax (https://ax.dev) as a policy, by its Client and its default generation strategy.

Translated: numbers on their scale, grids (as ordered choices where no constraint ties them), words, linear
constraints, several objectives, known noise, pending points (trials that are running), what a batch shares. Ax refuses
equalities: one parameter of each is left out and follows from the others. Constraints that are not linear are not told.
A failed trial is abandoned, so that Ax does not suggest it again, as its maintainers advise
(https://github.com/facebook/Ax/issues/329); with ``failures: fail`` it is failed.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.objective import Objective
from planner.parameters import Categorical, Continuous, Integer
from planner.policies.base import PlannerData
from planner.policies.guest import Answer, Guest, Known, require
from planner.policies.options import Choice, option, read_options
from planner.predictor import MAP_MODELS
from planner.reduced import Reduced
from planner.space import SearchSpace

_MOST_LEVELS = 50
"""Of a grid that is told as a choice; a finer one is told as a range, and put onto the grid afterwards."""


@dataclass(frozen=True, slots=True)
class AxOptions:
    """Options of `Ax`."""

    method: str = option("fast", Choice(("fast", "quality")))
    """How Ax models: its default, or the slower warped SAAS."""
    failures: str = option("abandon", Choice(("abandon", "fail")))
    """What a trial without a result is to Ax: abandoned (not suggested again) or failed (may be)."""
    map_model: str = option("gp", MAP_MODELS)
    """The surrogate that maps come from; choices do not depend on it."""


class Ax(Guest):
    """Ask a fresh Ax client that was told everything."""

    name = "ax"
    title = "Ax"

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None:
        self._options = read_options(AxOptions, options, self.name)
        require("ax", policy=self.name)
        super().__init__(space, objectives, self._options.map_model)
        self._reduced = Reduced.of(space.region)
        self._tied = set(self._reduced.tied().tolist())

    def _recommend(self, data: PlannerData, known: Known, n: int, seed: int) -> list[Answer]:
        from ax.exceptions.core import SearchSpaceExhausted

        client = self._client(seed, is_first=not (len(known.rows) or len(known.pending)))
        for row, values, noise, failed in zip(known.rows, known.values, known.noise, known.failed, strict=True):
            self._tell(client, row, values, noise, is_failed=bool(failed))
        for row in known.pending:
            client.attach_trial(self._point(row))
        try:
            trials = client.get_next_trials(max_trials=n, fixed_parameters=self._held(data.space) or None)
        except SearchSpaceExhausted:  # it gives nothing at all where fewer than n points are left
            return []
        return [Answer(row=self._row(parameters)) for parameters in trials.values()]

    def _held(self, space: SearchSpace) -> dict[str, Any]:
        """Return the parameters that are held at one value in this part of the space."""
        is_held = (space.region.low == space.region.high) & (self._space.region.low < self._space.region.high)
        point = self._point(space.region.low)
        return {f"x{column}": point[f"x{column}"] for column in self._reduced.kept if is_held[column]}

    def _client(self, seed: int, *, is_first: bool) -> Any:
        from ax.api.client import Client

        client = Client(random_seed=seed)
        client.configure_experiment(
            parameters=[self._parameter(column) for column in self._reduced.kept],
            parameter_constraints=[
                " + ".join(
                    f"{weight!r}*x{column}" for column, weight in zip(self._reduced.kept, row, strict=True) if weight
                )
                + f" <= {bound!r}"
                for row, bound in zip(self._reduced.A.tolist(), self._reduced.b.tolist(), strict=True)
            ],
        )
        wanted, limits = self._goals.wanted, self._goals.limits
        signs = ["" if objective.direction == "maximize" else "-" for objective in wanted]
        client.configure_optimization(
            objective=", ".join(f"{sign}y{index}" for index, sign in enumerate(signs)),
            outcome_constraints=[
                f"y{len(wanted) + index} {'<=' if limit.direction == 'at_most' else '>='} {limit.limit!r}"
                for index, limit in enumerate(limits)
            ]
            or None,
        )
        client.configure_generation_strategy(
            method=self._options.method,
            initialization_random_seed=seed,
            initialize_with_center=is_first,
            # a batch of the laboratory may be larger than Ax's initial design
            allow_exceeding_initialization_budget=True,
        )
        return client

    def _parameter(self, column: int) -> Any:
        from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig

        parameter, name = self._space.parameters[column], f"x{column}"
        if isinstance(parameter, Categorical):
            words = list(parameter.values)
            return ChoiceParameterConfig(name=name, values=words, parameter_type="str", is_ordered=len(words) == 2)
        low, high = parameter.bounds
        scaling = "log" if parameter.scale == "log" and column not in self._tied else "linear"
        if isinstance(parameter, Integer):
            return RangeParameterConfig(
                name=name, bounds=(round(low), round(high)), parameter_type="int", scaling=scaling
            )
        if self._is_choice(column):
            levels = np.asarray(parameter.grid).tolist()
            return ChoiceParameterConfig(name=name, values=levels, parameter_type="float", is_ordered=True)
        return RangeParameterConfig(name=name, bounds=(low, high), parameter_type="float", scaling=scaling)

    def _is_choice(self, column: int) -> bool:
        """Say whether a grid of numbers is told level by level: Ax ties ranges only."""
        grid = self._space.region.grids[column]
        if grid is None or self._space.pool is not None or not isinstance(self._space.parameters[column], Continuous):
            return False
        return column not in self._tied and len(grid) <= _MOST_LEVELS

    def _tell(self, client: Any, row: np.ndarray, values: np.ndarray, noise: np.ndarray, *, is_failed: bool) -> None:
        index = client.attach_trial(self._point(row))
        if is_failed:
            end = client.mark_trial_abandoned if self._options.failures == "abandon" else client.mark_trial_failed
            end(index)
            return
        data = {
            f"y{number}": float(value) if np.isnan(sd) else (float(value), float(sd))
            for number, (value, sd) in enumerate(zip(values, noise, strict=True))
            if np.isfinite(value)
        }
        client.complete_trial(index, raw_data=data)

    def _point(self, row: np.ndarray) -> dict[str, Any]:
        """Return a row in Ax's names and kinds."""
        point: dict[str, Any] = {}
        for column in self._reduced.kept:
            value = self._space.parameters[column].value(row[column])
            if self._is_choice(column):
                grid = np.asarray(self._space.region.grids[column])
                value = float(grid[np.argmin(np.abs(grid - row[column]))])
            point[f"x{column}"] = value
        return point

    def _row(self, point: Mapping[str, Any]) -> np.ndarray:
        kept = [self._space.parameters[column].number(point[f"x{column}"]) for column in self._reduced.kept]
        return self._reduced.whole(np.array(kept))
