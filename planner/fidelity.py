"""At which fidelity a trial is made: in full, as a fast scan, as a simulation.

A parameter whose levels have costs, and of which one level counts: the others only tell about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from planner.errors import SpaceError, did_you_mean
from planner.parameter_checks import is_number
from planner.parameters import Categorical, Parameter


@dataclass(frozen=True, init=False)
class Fidelity(Categorical):
    """Which of several ways a trial is made, and what each costs: `Fidelity("source", {"model": 0.05, "lab": 1.0})`.

    Args:
        name: What points call it.
        costs: What one trial costs, by level, in any unit; two levels at least.
        target: The level that counts; by default the dearest. None may be dearer, for then nothing speaks for it.

    Raises:
        SpaceError: Costs are no numbers above 0, or no level is called as the target.
    """

    costs: tuple[float, ...]
    """Of the levels, in their order."""
    target: str

    def __init__(self, name: str, costs: Mapping[str, float], target: str | None = None) -> None:
        if not isinstance(costs, Mapping) or len(costs) < 2:
            raise SpaceError(f"parameter {name!r}: a fidelity needs the costs of two levels at least, by level")
        for level, cost in costs.items():
            if not is_number(cost) or cost <= 0:
                raise SpaceError(f"parameter {name!r}: the cost of {level!r} must be a number above 0, not {cost!r}")
        chosen = max(costs, key=lambda level: costs[level]) if target is None else target
        if chosen not in costs:
            raise SpaceError(f"parameter {name!r}: the target {target!r} is no level{did_you_mean(str(target), costs)}")
        dearer = [level for level in costs if costs[level] > costs[chosen]]
        if dearer:
            raise SpaceError(
                f"parameter {name!r}: {dearer[0]!r} costs more than the target {chosen!r}; leave it out, or make it "
                "the target"
            )
        for key, value in (("name", name), ("values", tuple(costs)), ("descriptors", None), ("when", None)):
            object.__setattr__(self, key, value)
        object.__setattr__(self, "costs", tuple(float(cost) for cost in costs.values()))
        object.__setattr__(self, "target", chosen)
        self.__post_init__()

    @cached_property
    def target_level(self) -> int:
        """The index of the target."""
        return list(self.values).index(self.target)

    @cached_property
    def relative(self) -> np.ndarray:
        """What each level costs, in trials at the target."""
        return np.array(self.costs) / self.costs[self.target_level]

    @property
    def by_level(self) -> dict[str, float]:
        """What one trial costs, by level."""
        return dict(zip(self.values, self.costs, strict=True))

    def counts(self, point: Mapping[str, Any]) -> bool:
        """Say whether a point is at the target."""
        return point.get(self.name) == self.target


def fidelity_of(parameters: Sequence[Parameter]) -> Fidelity | None:
    """Return the parameter that says the fidelity; None where there is none.

    Raises:
        SpaceError: There are several.
    """
    found = [parameter for parameter in parameters if isinstance(parameter, Fidelity)]
    if len(found) > 1:
        raise SpaceError(f"parameters {found[0].name!r} and {found[1].name!r} both say the fidelity; one of them can")
    return found[0] if found else None
