"""Watching results for drift, for policies that learn: what has changed is said, and taken out of what is learnt.

Controls are no proposals: whoever runs the laboratory adds them to each batch and tells their results. What is learnt,
believed and predicted is what the first batch would have given (`planner.drift`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from planner.errors import BadOption
from planner.objective import Objective
from planner.policies.base import PlannerData
from planner.policies.options import Choice, Range, option, read_options
from planner.proposal import Observation
from planner.space import SearchSpace

if TYPE_CHECKING:
    from planner.drift import Drift

OFF = "off"
_BY_NAME = ("controls", "time")
"""Options that are no numbers or words to choose from: a list of points, and a name."""


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """Options of the policies that watch, `controls` and `time` apart: a list of points, and a name."""

    drift: str = option(OFF, Choice((OFF, "factor", "offset")))
    """Whether a drift multiplies results (a lamp that fades) or is added to them (a zero that wanders), or is not
    looked for."""
    false_alarms: float = option(0.001, Range(1e-4, 0.2))
    """Probability of a false alarm at each ask."""


WATCHING = (*_BY_NAME, *WatchOptions.__dataclass_fields__)
"""Names of all options of a watch: those above, and

- `controls`: the points that every batch repeats, a list of mappings; by default those measured in several batches;
- `time`: the entry of an observation's context that says when it was measured (a number); by default batches count.
"""


class Watch:
    """Finds the drift of each target, and takes it out of what was told.

    Args:
        space: Where controls are read.
        objectives: Whose drift.
        options: Those of `WATCHING` that were given.
        policy: Whose options these are, for messages.
        usual: What `drift` is where it is not given.

    Raises:
        BadOption: An option has a wrong value, or nothing to do.
    """

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        options: Mapping[str, Any],
        *,
        policy: str,
        usual: str = OFF,
    ) -> None:
        own = {name: value for name, value in options.items() if name not in _BY_NAME}
        self._options = read_options(WatchOptions, {"drift": usual, **_given(own)}, policy)
        self.is_on = self._options.drift != OFF
        idle = [name for name in _given(options) if name != "drift"]
        if idle and not self.is_on:
            raise BadOption(
                f"option {idle[0]!r} of policy {policy!r} is for results that drift; give option 'drift' besides, "
                "'factor' or 'offset'"
            )
        if self.is_on:
            from planner.controls import read_controls

            self._controls = read_controls(space, options.get("controls") or ())
        time = options.get("time")
        if time is not None and not isinstance(time, str):
            raise BadOption(
                f"option 'time' names an entry of an observation's context, such as 'batch'; it is {time!r}"
            )
        self._time = time
        self._targets = [one.name for one in objectives if one.direction != "classify"]
        self._seen: tuple[object, dict[str, Drift | None], tuple[Observation, ...]] = (None, {}, ())

    def drifts(self, data: PlannerData) -> Mapping[str, Drift | None]:
        """Return the drift of each target; None while too little is known."""
        return self._look(data)[0]

    def alarms(self, data: PlannerData) -> list[str]:
        """Return a sentence for each target whose results have changed with time."""
        return [
            f"{target} {drift.sentence(self._time or 'ask')}: what is learnt is corrected, look for the cause"
            for target, drift in self.drifts(data).items()
            if drift is not None and drift.alarm is not None
        ]

    def steadied(self, data: PlannerData) -> PlannerData:
        """Return what was told, as the first batch would have given it; what was steadied already stays as it is."""
        return replace(data, observations=self._look(data)[1])

    def _look(self, data: PlannerData) -> tuple[dict[str, Drift | None], tuple[Observation, ...]]:
        if not self.is_on:
            return {}, data.observations
        told, drifts, steady = self._seen
        if data.observations is not told and data.observations is not steady:
            from planner.controls import corrected, watch

            how: dict[str, Any] = {"controls": self._controls, "time": self._time}
            tested: dict[str, Any] = {"kind": self._options.drift, "false_alarms": self._options.false_alarms}
            drifts = {target: watch(data, target, **how, **tested) for target in self._targets}
            steady = corrected(data, drifts, self._time)
            self._seen = (data.observations, drifts, steady)
        return drifts, steady


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
