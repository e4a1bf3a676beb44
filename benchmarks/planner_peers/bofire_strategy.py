"""BoFire's single-objective strategy with its defaults."""

# pyright: reportMissingImports=false
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bofire.strategies.api as strategies
import pandas as pd
from bofire.data_models.constraints.api import LinearEqualityConstraint, LinearInequalityConstraint
from bofire.data_models.domain.api import Constraints, Domain, Inputs, Outputs
from bofire.data_models.features.api import CategoricalInput, ContinuousInput, ContinuousOutput, DiscreteInput
from bofire.data_models.objectives.api import MinimizeObjective
from bofire.data_models.strategies.api import SoboStrategy
from planner_space import Axis, Bound, Space, Value

from planner_peers import TARGET, Trial


class BoFire:
    """A failed trial is told as not valid, its own channel for that."""

    def __init__(self, space: Space, seed: int) -> None:
        domain = Domain(
            inputs=Inputs(features=[_feature(axis) for axis in space.axes]),
            outputs=Outputs(features=[ContinuousOutput(key=TARGET, objective=MinimizeObjective())]),
            constraints=Constraints(constraints=[_constraint(bound) for bound in space.bounds]),
        )
        self._names = space.names
        self._strategy = strategies.map(SoboStrategy(domain=domain, seed=seed))

    def tell(self, trials: Sequence[Trial]) -> None:
        """Add experiments."""
        rows = [
            {**point, TARGET: 0.0 if y is None else y, f"valid_{TARGET}": int(y is not None)} for point, y in trials
        ]
        self._strategy.tell(pd.DataFrame(rows))

    def ask(self, n: int) -> list[dict[str, Value]]:
        """Get candidates."""
        return [row.to_dict() for _, row in self._strategy.ask(n)[list(self._names)].iterrows()]


def open_peer(space: Space, seed: int) -> BoFire:
    """Return the planner."""
    return BoFire(space, seed)


def _feature(axis: Axis) -> Any:
    if axis.kind == "categorical":
        return CategoricalInput(key=axis.name, categories=[str(level) for level in axis.levels])
    if axis.kind == "continuous":
        return ContinuousInput(key=axis.name, bounds=(axis.low, axis.high))
    return DiscreteInput(key=axis.name, values=[float(level) for level in axis.grid])


def _constraint(bound: Bound) -> Any:
    kind = LinearEqualityConstraint if bound.relation == "==" else LinearInequalityConstraint
    return kind(features=list(bound.weights), coefficients=list(bound.weights.values()), rhs=bound.bound)
