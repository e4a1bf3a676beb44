"""Optimising with what earlier campaigns, simulations or theory tell of the same search space.

The target's process is averaged over what it may take from its sources, by exact evidence (`surrogate.transfer`): a
source that resembles the target, or is its opposite, saves experiments from the first one on, and one that misleads
loses its weight as results come in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from planner.acquisition import Acquisition, log_h
from planner.doubts import believed
from planner.errors import BadOption
from planner.live import Mixed
from planner.models import target_data
from planner.objective import Objective
from planner.people import COLD
from planner.policies.base import Foreteller, PlannerData, Suggestion
from planner.policies.bayes import LogEI
from planner.proposal import Value
from planner.space import SearchSpace
from planner.threads import one_thread
from planner.transfer import TransferredLogEI, read_sources
from surrogate.transfer.mixture import Mixture
from surrogate.transfer.sources import PreparedSource, prepare

MIXED = "transfer"
"""The model that averages over what the target may take from its sources."""
_FEWEST_VALUES = 2
_SAID = 0.05
"""Least weight of a source that a reason names."""
_DOUBTED, _DROPPED = 0.6, 0.9
"""Weights of taking nothing (0.4 to begin with) from which the space is filled first, as without sources, and from
which sources are left alone: then the target's own process, its lengths sought, knows more."""


class Transfer(LogEI):
    """Maximise or minimise one objective with the help of sources.

    Options: those of `logei`, `sources`, a list of tables, see `planner.transfer.read_sources`, and `follow`: whether
    sources are left alone, besides, while the model without them has foretold results better (`Planner.lead`).
    """

    name = "transfer"
    plans_with = (MIXED, COLD)
    knows_input_noise: ClassVar[bool] = False
    watches: ClassVar[bool] = False
    repeats: ClassVar[bool] = False
    beside: ClassVar[tuple[str, ...]] = ("sources", "follow")

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None:
        super().__init__(space, objectives, {name: value for name, value in options.items() if name not in self.beside})
        if len(objectives) != 1 or not objectives[0].is_extremal:
            raise BadOption(
                "policy 'transfer' maximises or minimises one objective; for others, or limits, choose 'logei'"
            )
        if self._options.map_model != "gp":
            raise BadOption("policy 'transfer' predicts by its sources and has no option 'map_model'")
        sources = read_sources(space, options.get("sources") or (), objectives[0].unit)
        if not sources:
            raise BadOption(
                "policy 'transfer' needs option 'sources', a list of tables with name, points and values; without "
                "earlier results choose 'logei'"
            )
        follows = options.get("follow", False)
        if not isinstance(follows, bool):
            raise BadOption(f"option 'follow' of policy 'transfer' is true or false, not {follows!r}")
        self._follows = follows
        self._n_cold_start = self._n_start
        with one_thread():  # as at every ask, so that a planner that is rebuilt has the same models to the last digit
            self._sources, self.refused = prepare(sources, d=space.width, unit=objectives[0].unit)
        self._sign = -1.0 if objectives[0].direction == "minimize" else 1.0
        self._fitted_on: object = None
        self._fitted: Mixture | None = None

    def sources(self, data: PlannerData) -> dict[str, Any]:
        """Return what is taken; see `planner.policies.base.TakesFromSources`."""
        refused = {one.name: one.reason for one in self.refused}
        if not self._sources:
            return {"weights": {}, "all": 0.0, "nothing": 1.0, "refused": refused, "standing": "left alone"}
        mixture = self._mixture(data)
        return {
            "weights": {one.name: mixture.weight_of(one.name) for one in self._sources},
            "all": mixture.weight_of_all,
            "nothing": mixture.weight_of_nothing,
            "refused": refused,
            "standing": self._standing(data),
        }

    def _standing(self, data: PlannerData) -> str:
        if not self._is_helped(data):
            return "left alone"
        return "trusted" if self._mixture(data).weight_of_nothing < _DOUBTED else "doubted"

    def propose(self, data: PlannerData, n: int, rng: np.random.Generator) -> list[Suggestion]:
        """Return up to n points: those worth most at once, but where sources are doubted the space is filled first."""
        self._n_start = 0 if self._is_trusted(data) else self._n_cold_start
        found = super().propose(data, n, rng)
        said = self._said_of_model(data)
        return [replace(one, reason=one.reason + said) for one in found] if said else found

    def _said_of_model(self, data: PlannerData) -> str:
        if data.said.model is not None:
            return f"; planned with model {data.said.model!r} as ordered"
        return "; sources are left alone, as they have foretold results worse" if self._is_led_by_cold(data) else ""

    def _is_outdone(self, data: PlannerData) -> bool:
        """Say whether the process without sources is to plan, by order or by what it has foretold."""
        return not self._sources or data.said.model == COLD or self._is_led_by_cold(data)

    def _is_led_by_cold(self, data: PlannerData) -> bool:
        return self._follows and data.said.model is None and data.said.leads == COLD

    def live(self, data: PlannerData) -> dict[str, Mapping[str, Foreteller]]:
        """Return the mixture, where there is a source, and the process that knows none."""
        found = super().live(data)
        if self._sources:
            found[MIXED] = {self._objectives[0].name: Mixed(self._mixture(data))}
        return found

    def _is_trusted(self, data: PlannerData) -> bool:
        """Say whether sources are believed enough for the space not to be filled first."""
        if self._is_outdone(data):
            return False
        return data.said.model == MIXED or self._mixture(data).weight_of_nothing < _DOUBTED

    def _is_helped(self, data: PlannerData) -> bool:
        """Say whether the target may take something from its sources, or too little was measured to do without."""
        if self._is_outdone(data):
            return False
        if data.said.model == MIXED:
            return True
        mixture = self._mixture(data)
        return len(mixture.y) < _FEWEST_VALUES or mixture.weight_of_nothing < _DROPPED

    def predict(
        self, data: PlannerData, target: str, points: Sequence[Mapping[str, Value]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`n` each) of the noiseless target, in its unit."""
        if not self._is_helped(data):
            return super().predict(data, target, points)
        return self._foretold(data, self._space.encode(points))[target]

    def _mixture(self, data: PlannerData) -> Mixture:
        if self._fitted is None or self._fitted_on is not data.observations:
            target = self._objectives[0].name
            told = target_data(self._space, data.observations, target)
            told = told.only(believed(self._gps.model(data, target), told)) if len(told.values) else told
            self._fitted_on = data.observations
            self._fitted = Mixture(self._sources, told.codes, told.values, told.noise)
        return self._fitted

    def _can_learn(self, data: PlannerData) -> bool:
        return self._is_helped(data) or super()._can_learn(data)

    def _worth(self, data: PlannerData, fill: np.ndarray, rng: np.random.Generator) -> Acquisition:
        if not self._is_helped(data):
            return super()._worth(data, fill, rng)
        mixture = self._mixture(data)
        known = np.unique(np.vstack([mixture.X, self._under_way(data, fill)]), axis=0)
        return TransferredLogEI(mixture, known, sign=self._sign, n_draws=self._options.draws, rng=rng)

    def _instead(
        self, data: PlannerData, worth: Acquisition, row: np.ndarray, ahead: np.ndarray, rng: np.random.Generator
    ) -> Acquisition | None:
        is_known = len(self._mixture(data).y) >= _FEWEST_VALUES if self._sources else True
        return super()._instead(data, worth, row, ahead, rng) if is_known else None

    def _first_look(self, data: PlannerData) -> Callable[[np.ndarray], np.ndarray]:
        if not self._is_helped(data):
            return super()._first_look(data)
        mixture = self._mixture(data)
        best = (
            float((self._sign * mixture.predict(mixture.X).mean).max())
            if len(mixture.y)
            else self._sign * float(mixture.in_unit(np.zeros(1))[0])
        )

        def look(codes: np.ndarray) -> np.ndarray:
            found = mixture.predict(codes)
            return (log_h((self._sign * found.mean - best) / found.sd) + np.log(found.sd))[None]

        return look

    def _heights(self, data: PlannerData, codes: np.ndarray) -> np.ndarray:
        if not self._is_helped(data):
            return super()._heights(data, codes)
        return self._sign * self._mixture(data).predict(codes).mean

    def _foretold(self, data: PlannerData, codes: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        if not self._is_helped(data):
            return super()._foretold(data, codes)
        found = self._mixture(data).predict(codes)
        return {self._objectives[0].name: (found.mean, found.sd)}

    def _reason(self, worth: Acquisition) -> str:
        return super()._reason(worth) + self._taken()

    def _taken(self) -> str:
        """Say what the target takes from which source, and why some are not used."""
        parts = [f"source {one.name!r} is not used: {one.reason}" for one in self.refused]
        if self._fitted is not None:
            weights = {one.name: self._fitted.weight_of(one.name) for one in self._sources}
            named = [
                f"{one.name!r} {weights[one.name]:.0%}{_selection(one)}"
                for one in self._sources
                if weights[one.name] >= _SAID
            ]
            if len(self._sources) > 1:
                named.append(f"all sources together {self._fitted.weight_of_all:.0%}")
            parts.insert(0, f"takes from {', '.join([*named, f'none {self._fitted.weight_of_nothing:.0%}'])}")
        return "; " + "; ".join(parts) if parts else ""


def _selection(source: PreparedSource) -> str:
    """Say of how many values a model is made, where it could not be all."""
    return "" if source.of is None else f" (by {len(source.gp.y)} of its {source.of} values)"
