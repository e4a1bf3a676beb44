"""BayBE by its Campaign, with its default recommender."""

# pyright: reportMissingImports=false
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from baybe import Campaign
from baybe.constraints import ContinuousLinearConstraint
from baybe.objectives import SingleTargetObjective
from baybe.parameters import CategoricalParameter, NumericalContinuousParameter, NumericalDiscreteParameter
from baybe.searchspace import SearchSpace
from baybe.settings import Settings
from baybe.targets import NumericalTarget
from planner_space import Axis, Space, Value

from planner_peers import TARGET, Trial


class BayBE:
    """BayBE has no channel for failures, and refuses a missing target: a failed trial is left out.

    Args:
        space: What is admissible.
        impute: Whether a failed trial is told as the worst value so far instead.
    """

    def __init__(self, space: Space, impute: bool) -> None:
        constraints = [
            ContinuousLinearConstraint(
                list(bound.weights), "=" if bound.relation == "==" else "<=", list(bound.weights.values()), bound.bound
            )
            for bound in space.bounds
        ]
        self._impute = impute
        self._worst: float | None = None
        self._campaign = Campaign(
            SearchSpace.from_product([_parameter(axis) for axis in space.axes], constraints),
            SingleTargetObjective(NumericalTarget(TARGET, minimize=True)),
        )

    def tell(self, trials: Sequence[Trial]) -> None:
        """Add measurements."""
        known = [value for _, value in trials if value is not None]
        self._worst = max([*known, *([] if self._worst is None else [self._worst])], default=None)
        rows = [{**point, TARGET: self._value(value)} for point, value in trials]
        rows = [row for row in rows if row[TARGET] is not None]
        if rows:
            self._campaign.add_measurements(pd.DataFrame(rows))

    def _value(self, value: float | None) -> float | None:
        return self._worst if value is None and self._impute else value

    def ask(self, n: int) -> list[dict[str, Value]]:
        """Get recommendations."""
        return [row.to_dict() for _, row in self._campaign.recommend(n).iterrows()]


def open_peer(space: Space, seed: int, impute: bool = False) -> BayBE:
    """Return the planner."""
    Settings(random_seed=seed).activate()
    return BayBE(space, impute)


def _parameter(axis: Axis) -> Any:
    if axis.kind == "categorical":
        return CategoricalParameter(axis.name, [str(level) for level in axis.levels])
    if axis.kind == "continuous":
        return NumericalContinuousParameter(axis.name, (axis.low, axis.high))
    return NumericalDiscreteParameter(axis.name, [float(level) for level in axis.grid])
