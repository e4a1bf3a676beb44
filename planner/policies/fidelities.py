"""Optimising what counts at one fidelity, with the help of cheaper ones.

Where to go next is chosen as without them, by what is expected at the target; the surrogate has learnt how far cheaper
levels can be trusted (`planner.fidelity_models`). Then, at that point: whether a look at a cheaper level is worth its
cost before the trial (`planner.look`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np

from planner.acquisition import IntegratedVariance
from planner.errors import BadOption
from planner.fidelity import Fidelity
from planner.fidelity_models import FidelityModel, level_start
from planner.look import gain_of_look, height_of
from planner.objective import Objective
from planner.policies.base import Foreteller, PlannerData, Suggestion, refuse_input_noise
from planner.policies.bayes import LogEI
from planner.policies.level_rows import LevelRows, is_open
from planner.policies.level_start import LevelStart
from planner.proposal import Proposal
from planner.space import SearchSpace

if TYPE_CHECKING:
    from planner.acquisition import Acquisition
    from planner.limits import Eligible, Limit
    from planner.prospect import Prospect
    from surrogate.fidelity_gp import FidelityGP
    from surrogate.matern_gp import GP

_FEWEST_PROVING, _PROVEN, _ON_TRUST = 4, 0.97, 0.1
"""Trials at the target, and the probability that it resembles a cheaper level, from which on looks are not counted; and
what they may cost until then beyond the start, in trials, for each trial at the target."""
_DEAREST_PAIR, _DISPROVEN = 0.1, 0.02
"""Greatest cost, of the target's, of a look at what was tried in full already; and the probability that the target
resembles a cheaper level, below which that is not looked into any more."""
_USUAL_HEIGHT = -1.0
"""What is expected less the best, in standard deviations, where several goals have no common measure of it."""


class Fidelities(LogEI):
    """Optimise at the target level of a `Fidelity`, and look at cheaper levels where that is worth its cost.

    Options: those of `logei`, and `target_only`: whether the target alone is tried, as if there were no other levels.
    """

    name = "fidelities"
    knows_fidelities: ClassVar[bool] = True
    knows_input_noise: ClassVar[bool] = False
    plans_with: tuple[str, ...] = ()
    watches: ClassVar[bool] = False
    repeats: ClassVar[bool] = False
    beside: ClassVar[tuple[str, ...]] = ("target_only",)
    chooses_among: bool = False
    """It moves what it has chosen to another fidelity, and so out of a list."""

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None:
        fidelity = space.fidelity
        if fidelity is None:
            raise BadOption("policy 'fidelities' needs a parameter that says the fidelity; add one, or choose 'logei'")
        if any(one.direction == "learn" for one in objectives):
            raise BadOption("several fidelities help to optimise, not to learn a map; leave the cheaper ones out")
        refuse_input_noise(self.name, type(self), space)
        super().__init__(space, objectives, {name: value for name, value in options.items() if name not in self.beside})
        target_only = options.get("target_only", False)
        if not isinstance(target_only, bool):
            raise BadOption(f"option 'target_only' of policy 'fidelities' is true or false, not {target_only!r}")
        if self._options.map_model != "gp":
            raise BadOption("policy 'fidelities' predicts by a process of all levels and has no option 'map_model'")
        if self._options.robust:
            raise BadOption("policy 'fidelities' has no option 'robust': it does not look for results that cannot be")
        if self._options.start is None:
            self._n_start = min(max(2 * (len(space.parameters) - 1), 4), 10)
        self._fidelity: Fidelity = fidelity
        self._rows = LevelRows(space, fidelity)
        self._start = LevelStart(self._rows, self._objectives, self._n_start, target_only)
        self._first = level_start(space)
        self._whole = space
        self._halves: tuple[SearchSpace, SearchSpace] | None = None

    def live(self, data: PlannerData) -> dict[str, Mapping[str, Foreteller]]:
        """Return no model: what one expects differs by level, and levels are not held against each other."""
        del data
        return {}

    def _at_target(self, data: PlannerData) -> PlannerData:
        """Return what is known, of the part of the space that counts."""
        if self._halves is None or self._halves[0] is not data.space:
            held = data.space.held({self._fidelity.name: self._fidelity.target})
            self._halves = (data.space, held)
        return replace(data, space=self._halves[1])

    def propose(self, data: PlannerData, n: int, rng: np.random.Generator) -> list[Suggestion]:
        """Return up to n points: cheap ones that fill the space, some of them in full, then those worth most."""
        self._whole, taken = data.space, set(data.taken_keys())
        fill, reasons = np.empty((0, data.space.region.width)), list[str]()
        for level in self._to_begin_with(data, n):
            row = self._beginning(data, level, fill, taken, rng)
            if row is not None:
                fill, reasons = np.vstack([fill, row]), [*reasons, f"fills the space at {self._rows.said(level)}"]
                taken.update(data.space.keys(row))
        suggestions = [
            Suggestion(parameters=point, reason=reason)
            for point, reason in zip(data.space.points(fill), reasons, strict=True)
        ]
        if len(fill) < n and self._can_learn(data):
            pair = self._paired(_with_ahead(data, fill), taken)
            fill = np.vstack([fill, pair])
            taken.update(data.space.keys(pair))
            suggestions += self._explained(data, pair, [self._why_paired(data)] * len(pair))
        if len(fill) < n and self._can_learn(data):
            suggestions += self._choose(self._at_target(data), n - len(fill), fill, taken, rng)
        return suggestions

    def _paired(self, data: PlannerData, taken: set[bytes]) -> np.ndarray:
        """Return what was tried in full, to be looked at where it is not decided whether looks are of use (`k x p`).

        Two results at one point tell most about that; of several, the one of which the cheaper level knows least.
        """
        target = self._fidelity.target_level
        model = min(self._models(data), key=lambda one: abs(one.trust[target] - 0.5))
        level, trust = model.likest, model.trust[target]
        if level is None or model.takes_from() or trust < _DISPROVEN:
            return np.empty((0, data.space.region.width))
        if self._fidelity.relative[level] > _DEAREST_PAIR or not self._may_look(data, level):
            return np.empty((0, data.space.region.width))
        known, is_result = data.tried_rows()
        full = known[is_result & (self._rows.levels(known) == target)]
        there = self._rows.moved(full, level)
        fresh = [key not in taken for key in data.space.keys(there)]
        there = there[is_open(self._whole, there) & np.array(fresh, dtype=bool)]
        if not len(there):
            return there
        sd = model.gp.posterior(data.space.encode_rows(there))[1]
        return there[[int(np.argmax(sd))]]

    def _why_paired(self, data: PlannerData) -> str:
        return f"what was tried in full, to see how far {self._fidelity.name} can be trusted"

    def _to_begin_with(self, data: PlannerData, n: int) -> list[int]:
        """Return the levels of up to n points that fill the space, the cheapest first."""
        plan = self._start.left(self._levels_begun(data), is_proven=self._is_proven(data))
        return (plan if self._can_learn(data) else plan + [self._fidelity.target_level] * n)[:n]

    def _levels_begun(self, data: PlannerData) -> np.ndarray:
        """Return the level of everything that was tried or is pending, `n`."""
        begun = np.vstack([data.tried_rows()[0], data.space.rows([one.parameters for one in data.pending])])
        return self._rows.levels(begun)

    def _is_proven(self, data: PlannerData) -> bool:
        """Say whether what counts has been seen to resemble cheaper levels."""
        target = self._fidelity.target_level
        return self._can_learn(data) and all(model.trust[target] >= _PROVEN for model in self._models(data))

    def _models(self, data: PlannerData) -> list[FidelityModel]:
        return [cast("FidelityModel", self._gps.model(data, one.name)) for one in self._objectives]

    def _can_learn(self, data: PlannerData) -> bool:
        told = tuple(one for one in data.observations if self._fidelity.counts(one.parameters))
        return super()._can_learn(replace(data, observations=told))

    def _beginning(
        self, data: PlannerData, level: int, fill: np.ndarray, taken: set[bytes], rng: np.random.Generator
    ) -> np.ndarray | None:
        """Return a row (`1 x p`) that fills the space at a level, where a cheaper one was tried if any is left."""
        data = _with_ahead(data, fill)
        part = replace(data, space=data.space.held({self._fidelity.name: self._fidelity.values[level]}))
        row = self._start.looked_at(part, self._whole, level, taken)
        if row is not None:
            return row
        rows = self._fill(part, 1, taken, rng)
        return rows if len(rows) else None

    def _made(
        self, data: PlannerData, row: np.ndarray, reason: str, worth: Acquisition, ahead: np.ndarray
    ) -> tuple[np.ndarray, str]:
        """Return the row at the level that is worth its cost, and why there."""
        data = _with_ahead(data, ahead)
        judged = self._lessons if isinstance(worth, IntegratedVariance) else self._looks
        worths = judged(data, row, worth)
        relative, values = self._fidelity.relative, self._fidelity.values
        good = {level: gain for level, (gain, _) in worths.items() if gain > relative[level]}
        target = self._fidelity.values[self._fidelity.target_level]
        if good:
            level = max(good, key=lambda one: good[one] / relative[one])
            told = worths[level][1]
            return self._rows.moved(row[None], level)[0], (
                f"{reason}; at {self._rows.said(level)} first, which tells {told:.0%} of what {target!r} would there, "
                f"at {relative[level]:.3g} of the cost"
            )
        said = [f"{values[level]!r} would tell {told:.0%} of it" for level, (_, told) in worths.items()]
        return (
            row,
            f"{reason}; at {self._rows.said(self._fidelity.target_level)}: {', '.join(said) or self._why_alone(data)}",
        )

    def _lessons(self, data: PlannerData, row: np.ndarray, worth: Acquisition) -> dict[int, tuple[float, float]]:
        """Return the same by what a look tells about the whole space, of what a trial there would."""
        encode, found = data.space.encode_rows, dict[int, tuple[float, float]]()
        full = float(worth(encode(row[None]))[0])
        for level, there in self._offered(data, row).items():
            told = min(float(np.exp(worth(encode(there))[0] - full)), 1.0)
            found[level] = told, told
        return found

    def _offered(self, data: PlannerData, row: np.ndarray) -> dict[int, np.ndarray]:
        """Return a row as it is at each level that the target learns from, where it may be tried there (`1 x p`)."""
        taken = data.taken_keys()
        levels = set.union(*(one.takes_from() for one in self._models(data)))
        found = {level: self._rows.moved(row[None], level) for level in sorted(levels)}
        return {
            level: there
            for level, there in found.items()
            if is_open(self._whole, there)[0] and data.space.keys(there)[0] not in taken and self._may_look(data, level)
        }

    def _may_look(self, data: PlannerData, level: int) -> bool:
        """Say whether a level has earned another look, or the looks without proof are not spent yet."""
        if self._start.target_only:
            return False
        levels, target = self._levels_begun(data), self._fidelity.target_level
        n_full = int((levels == target).sum())
        if n_full >= _FEWEST_PROVING and self._is_proven(data):
            return True
        spent = float(self._fidelity.relative[level] * (levels == level).sum())
        return spent <= self._fidelity.relative[level] * self._start.begun_with(level) + _ON_TRUST * n_full

    def _looks(self, data: PlannerData, row: np.ndarray, worth: Acquisition) -> dict[int, tuple[float, float]]:
        """Return what a look at each level that the target learns from is worth, in trials, and the share it tells."""
        code = data.space.encode_rows(row[None])
        found, models = dict[int, tuple[float, float]](), self._models(data)
        pending = self._under_way(data, np.empty((0, len(row))))
        gps = [cast("FidelityGP", one.gp.with_pending(pending) if len(pending) else one.gp) for one in models]
        target = self._fidelity.target_level
        full = float(np.mean([gp.told(code, target)[0] for gp in gps]))
        height = self._height(gps, code, worth)
        chance = self._chance(data)
        for level, there in self._offered(data, row).items():
            told = float(np.mean([gp.told(code, level)[0] for gp in gps]))
            works = 1.0 if chance is None else float(np.exp(chance(there))[0])
            found[level] = works * gain_of_look(told, height), min(told / full, 1.0)
        return found

    def _height(self, gps: Sequence[FidelityGP], code: np.ndarray, worth: Acquisition) -> float:
        """Return what is expected at a point, less the best, in standard deviations."""
        if len(gps) > 1 or not self._ranked[0].is_extremal or self._ranked[0].desirability is not None:
            return _USUAL_HEIGHT
        return height_of(float(worth(code)[0]), float(gps[0].posterior(code)[1][0]))

    def _why_alone(self, data: PlannerData) -> str:
        if self._start.target_only:
            return "it alone is tried, as option 'target_only' says"
        if any(model.takes_from() for model in self._models(data)):
            return "it was looked at"
        return "cheaper levels explain its results no better than they explain themselves"

    def _eligible(self, limits: Sequence[Limit], known: np.ndarray, rng: np.random.Generator) -> Eligible | None:
        from planner.eligible import AtTarget

        column = self._first + self._fidelity.target_level
        others = super()._eligible(limits, known, rng)
        return AtTarget(known[:, column] > 0.5, column=column, draws=self._options.draws, limits=others)

    def _counted(self, gp: GP) -> np.ndarray:
        return gp.X[gp.X[:, self._first + self._fidelity.target_level] > 0.5]

    def _counting(self, codes: np.ndarray) -> np.ndarray:
        moved = codes.copy()
        moved[:, self._first : self._first + len(self._fidelity.values)] = 0.0
        moved[:, self._first + self._fidelity.target_level] = 1.0
        return moved

    def _structural_failures(self, data: PlannerData) -> np.ndarray:
        failed = super()._structural_failures(data)
        return failed[failed[:, self._first + self._fidelity.target_level] > 0.5]

    def _recipes(self, data: PlannerData) -> np.ndarray:
        return self._rows.moved(super()._recipes(data), self._fidelity.target_level)

    def _result_rows(self, data: PlannerData) -> np.ndarray:
        rows = super()._result_rows(data)
        return rows[rows[:, self._rows.column] == self._fidelity.target_level]

    def prospect(self, data: PlannerData, by: float, rng: np.random.Generator) -> Prospect:
        """Return what untried points may still bring at the target.

        Raises:
            BadOption: Several objectives have no desirabilities, so that better has no measure.
            NotEnoughData: Too little was measured at the target.
        """
        full = tuple(one for one in data.pending if self._fidelity.counts(one.parameters))
        return super().prospect(replace(self._at_target(data), pending=full), by, rng)


def _with_ahead(data: PlannerData, rows: np.ndarray) -> PlannerData:
    """Return what is known, with rows (`m x p`) that were chosen before as pending."""
    ahead = [Proposal(id=f"ahead-{i}", parameters=point) for i, point in enumerate(data.space.points(rows))]
    keys = data.taken_keys() | set(data.space.keys(rows)) if len(rows) else data.taken_keys()
    return replace(data, pending=(*data.pending, *ahead), taken=keys)
