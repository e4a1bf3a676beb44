"""Batches with controls: the default policy on results from which the drift that controls show was taken out.

After the mobile chemist (Burger et al., Nature 583, 237 (2020), doi 10.1038/s41586-020-2442-2), whose robot repeated
one recipe twice in every batch of sixteen. The controls are no proposals: whoever runs the laboratory adds them to each
batch and tells their results. What is learnt, believed and predicted is what the first batch would have given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from planner.errors import BadOption
from planner.objective import Objective
from planner.policies.base import PlannerData, Suggestion
from planner.policies.bayes import LogEI
from planner.policies.options import Choice, Range, option, read_options
from planner.proposal import Observation, Value
from planner.space import SearchSpace

if TYPE_CHECKING:
    from planner.doubts import Doubted
    from planner.drift import Drift
    from planner.prospect import Prospect


@dataclass(frozen=True, slots=True)
class ControlOptions:
    """Options beside those of `logei`, `controls` and `time` apart: a list of points, and a name."""

    drift: str = option("factor", Choice(("factor", "offset")))
    """Whether a drift multiplies results (a lamp that fades) or is added to them (a zero that wanders)."""
    false_alarms: float = option(0.001, Range(1e-4, 0.2))
    """Probability of a false alarm at each ask."""


class MobileChemist(LogEI):
    """Optimise in batches that hold controls.

    Options: those of `logei`, and

    - `controls`: the points that every batch repeats, a list of mappings; by default those measured in several batches;
    - `time`: the entry of an observation's context that says when it was measured (a number); by default batches count;
    - `drift`, `false_alarms`: see `ControlOptions`.
    """

    name = "mobile_chemist"

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None:
        from planner.controls import read_controls

        mine = ("controls", "time", *ControlOptions.__dataclass_fields__)
        super().__init__(space, objectives, {name: value for name, value in options.items() if name not in mine})
        own = {name: options[name] for name in ControlOptions.__dataclass_fields__ if name in options}
        self._watching = read_options(ControlOptions, own, self.name)
        self._controls = read_controls(space, options.get("controls") or ())
        time = options.get("time")
        if time is not None and not isinstance(time, str):
            raise BadOption(
                f"option 'time' names an entry of an observation's context, such as 'batch'; it is {time!r}"
            )
        self._time = time
        self._seen: tuple[object, dict[str, Drift | None], tuple[Observation, ...]] = (None, {}, ())

    def propose(self, data: PlannerData, n: int, rng: np.random.Generator) -> list[Suggestion]:
        """Return up to n points; where results have changed with time, the reasons say so."""
        found = super().propose(self._steadied(data), n, rng)
        warnings = "".join(f"; {text}" for text in self.alarms(data))
        return [replace(one, reason=one.reason + warnings) for one in found]

    def predict(
        self, data: PlannerData, target: str, points: Sequence[Mapping[str, Value]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`n` each) of the noiseless target in the first batch, in its unit."""
        return super().predict(self._steadied(data), target, points)

    def prospect(self, data: PlannerData, by: float, rng: np.random.Generator) -> Prospect:
        """Return what untried points may still bring, as the first batch would have shown it."""
        return super().prospect(self._steadied(data), by, rng)

    def doubted(self, data: PlannerData) -> tuple[Doubted, ...]:
        """Return the results that are not believed, as the first batch would have shown them."""
        return super().doubted(self._steadied(data))

    def drifts(self, data: PlannerData) -> Mapping[str, Drift | None]:
        """Return the drift of each target; None while too little is known."""
        return self._look(data)[1]

    def alarms(self, data: PlannerData) -> list[str]:
        """Return a sentence for each target whose results have changed with time."""
        found = []
        for target, drift in self.drifts(data).items():
            if drift is not None and drift.alarm is not None:
                found.append(
                    f"{target} {drift.sentence(self._time or 'ask')}: what is learnt is corrected, look for the cause"
                )
        return found

    def _steadied(self, data: PlannerData) -> PlannerData:
        """Return what was told, as the first batch would have given it."""
        return replace(data, observations=self._look(data)[2])

    def _look(self, data: PlannerData) -> tuple[object, dict[str, Drift | None], tuple[Observation, ...]]:
        from planner.controls import corrected, watch

        if self._seen[0] is not data.observations:
            how = {"controls": self._controls, "time": self._time}
            tested = {"kind": self._watching.drift, "false_alarms": self._watching.false_alarms}
            drifts = {one.name: watch(data, one.name, **how, **tested) for one in self._objectives}
            self._seen = (data.observations, drifts, corrected(data, drifts, self._time))
        return self._seen
