"""Finding where a target passes a level."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from planner.errors import BadOption, NotEnoughData
from planner.objective import Objective
from planner.policies.base import PlannerData, Suggestion
from planner.policies.learner import Learner
from planner.policies.options import Choice, Range, option, read_options
from planner.proposal import Value
from planner.space import SearchSpace

if TYPE_CHECKING:
    from planner.acquisition import Acquisition

_N_JUDGED = 1024
"""Points by which the undecided share of the space is told."""
_N_EVERYWHERE = 600


@dataclass(frozen=True, slots=True)
class LevelOptions:
    """Options beside those of the policies that learn."""

    level: float | None = option(None, Range(-1e280, 1e280))
    """The value whose places are wanted, in the target's unit."""
    worth: str = option("variance", Choice(("variance", "straddle")))
    """What points are worth; see `planner.level`."""
    risk: float = option(0.05, Range(1e-6, 0.4))
    """Chance of a mistake that counts as decided."""
    enough: float = option(0.02, Range(0.0, 1.0))
    """Share of the space that may stay undecided; below it the reason of a proposal says that it is enough."""


class LevelSet(Learner):
    """Measure what tells most about where the target passes the level."""

    name = "level_set"

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None:
        mine = LevelOptions.__dataclass_fields__
        super().__init__(space, objectives, {name: value for name, value in options.items() if name not in mine})
        own = {name: options[name] for name in mine if name in options}
        self._wanted = read_options(LevelOptions, own, self.name)
        if len(objectives) != 1 or objectives[0].direction != "learn":
            raise BadOption("policy 'level_set' looks for one level: give one objective with direction 'learn'")
        if self._wanted.level is None:
            raise BadOption("policy 'level_set' needs option 'level': the value whose places are wanted")
        self._level = self._wanted.level

    def level(self, data: PlannerData, points: Sequence[Mapping[str, Value]]) -> np.ndarray:
        """Return the chance that the target exceeds the level at points, `n`.

        Raises:
            NotEnoughData: Nothing was measured yet.
        """
        return self._chances(data, data.space.encode(points))

    def undecided(self, data: PlannerData) -> float:
        """Return the share of the space where the target may as well lie above the level as below.

        Raises:
            NotEnoughData: Nothing was measured yet.
        """
        from planner.level import undecided

        rows = data.space.sample_rows(_N_JUDGED, np.random.default_rng([data.seed, _N_JUDGED]))
        return undecided(self._chances(data, data.space.encode_rows(rows)), self._wanted.risk)

    def _chances(self, data: PlannerData, codes: np.ndarray) -> np.ndarray:
        from planner.level import chance_above

        return chance_above(self._gps.model(self.steadied(data), self._objectives[0].name), codes, self._level)

    def _worth(self, data: PlannerData, fill: np.ndarray, rng: np.random.Generator) -> Acquisition:
        from planner.level import LevelVariance, Straddle

        model = self._gps.model(data, self._objectives[0].name)
        height = float(model.scale.forward(np.array([self._level]))[0])
        pending = np.vstack([self._under_way(data, fill), self._structural_failures(data)])
        if self._wanted.worth == "straddle":
            return Straddle(model.gp, height, pending)
        everywhere = data.space.encode_rows(data.everywhere.sample_rows(_N_EVERYWHERE, rng))
        return LevelVariance(model.gp, height, pending, everywhere)

    def _first_look(self, data: PlannerData) -> Callable[[np.ndarray], np.ndarray]:
        """Score points of a large pool by the straddle, which needs nothing of the rest of the space."""
        from planner.level import Straddle

        model = self._gps.model(data, self._objectives[0].name)
        straddle = Straddle(model.gp, float(model.scale.forward(np.array([self._level]))[0]), np.empty((0, 0)))
        return lambda codes: straddle(codes)[None]

    def _explained(self, data: PlannerData, rows: np.ndarray, reasons: Sequence[str]) -> list[Suggestion]:
        try:
            share = self.undecided(data)
        except NotEnoughData:
            return super()._explained(data, rows, reasons)
        enough = self._wanted.enough
        said = f"; {100 * share:.1f} % of the space is undecided"
        said += f", at most {100 * enough:g} % as wanted: it is enough" if share <= enough else ""
        return super()._explained(data, rows, [reason + said for reason in reasons])

    def _reason(self, worth: Acquisition) -> str:
        del worth
        return f"tells most about where {self._objectives[0].name} passes {self._level:g}"
