"""How long trials take, by their recipes: from what a person declared, or from what the steps of a plan take.

What the planner is told of it is a formula where durations are one: declared, or a weighted sum of the parameters and
what words add, which is fitted to some plans and held against others at random. Where they are none, it is told which
of some hundred points of the space fit, each by its own plan. Whatever is proposed is held against its plan once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.around import around
from orchestrator.campaign import Campaign
from orchestrator.casting import Casting
from orchestrator.compile import lacks
from orchestrator.compile_racks import visit_node
from orchestrator.estimate import step_s
from orchestrator.fields import Declared
from orchestrator.foresight import HANDLING_S, TRIP_S
from orchestrator.hours.declared import read_duration
from orchestrator.lab import Lab
from orchestrator.plan import Firing
from orchestrator.recipe import Step
from orchestrator.recipe_racks import Fire, StationStep
from orchestrator.recipe_step import parameters_of
from orchestrator.samples import Racks
from orchestrator.scheduling.batching import LONGEST_WAIT

if TYPE_CHECKING:
    from planner.space import SearchSpace
    from planner.within import Within

_N_HELD_AGAINST = 128
_N_LISTED = 512
"""Points whose plans are looked at where durations are no weighted sum."""
_MOST_CORNERED = 8
"""Parameters, of which all corners are looked at."""
_EXACT = 1e-6
"""Of the longest duration: by so little a weighted sum may miss a plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What a sample in racks may have to wait for at one step: others that are served before it."""

    longest_s: float
    at_once: int
    """How many are surely served at once; in furnaces one each, since programs may differ."""
    sharing_s: float = 0.0
    """How long one waits at most for others to share a run with."""

    def waits_s(self, others: int) -> float:
        """Return how long a sample may have to wait where so many others are under way."""
        if not others:
            return 0.0
        return self.sharing_s + others // self.at_once * (self.longest_s + self.sharing_s)


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """How long the trials of one campaign take, in one lab."""

    campaign: Campaign
    lab: Lab
    casting: Casting
    space: SearchSpace

    def of(self, point: Mapping[str, Any]) -> float | None:
        """Return what a trial takes by its plan, in seconds, waiting for others apart; None where nobody knows.

        A sample in racks is carried between its steps, which counts.
        """
        key = tuple(sorted(point.items()))
        if key not in self._known:
            self._known[key] = self._of(point)
        return self._known[key]

    def _of(self, point: Mapping[str, Any]) -> float | None:
        if self._declared is not None:
            return float(self._declared_s([point])[0])
        lasts_s = [self._step_s(step, point) for step in self.campaign.recipe if not self._lacks(step, point)]
        known = [one for one in lasts_s if one is not None]
        return sum(known) if len(known) == len(lasts_s) else None

    @cached_property
    def range_s(self) -> tuple[float, float] | None:
        """The shortest and the longest duration there is, about; None where nobody knows."""
        if not len(self._looked_at) or self._lasts_s is None:
            return None
        low, high = float(self._lasts_s.min()), float(self._lasts_s.max())
        if self._sum is None or self.space.pool is not None:
            return low, high
        least, most = self._sum.range_over(self.space)
        return min(low, least), max(high, most)

    def within(self, most_s: float, said: str) -> Within:
        """Return what restricts an ask to points that take at most so long."""
        from planner.within import Within

        if self._declared is not None:
            return Within(most=most_s, formula=self._declared, said=said)
        if self._sum is not None:
            # by as much less as the sum may miss a plan
            most_s -= _EXACT * self._sum.range_over(self.space)[1]
            return Within(most=most_s, formula=self._sum.formula, words=self._sum.words, said=said)
        lasts_s = np.asarray(self._lasts_s)
        fitting = tuple(self.space.points(self._looked_at[lasts_s <= most_s]))
        return Within(most=most_s, points=fitting, said=said)

    def queues(self) -> list[Queue]:
        """Return what samples in racks share, by step; nothing elsewhere, where a trial has its devices to itself."""
        if not isinstance(self.lab.samples, Racks):
            return []
        return [self._queue(step) for step in self.campaign.recipe if isinstance(step, StationStep)]

    def _queue(self, step: StationStep) -> Queue:
        longest_s = self._longest_s(step)
        sharing_s = 0.0
        if isinstance(step, Fire):
            sharing_s = LONGEST_WAIT * longest_s if step.longest_wait_s is None else step.longest_wait_s
        return Queue(longest_s=longest_s, at_once=len(self.casting.stations(step)), sharing_s=sharing_s)

    @cached_property
    def _known(self) -> dict[tuple[tuple[str, Any], ...], float | None]:
        """What was found already, by point: plans are compiled once."""
        return {}

    @cached_property
    def declared_parameters(self) -> Mapping[str, Declared]:
        """The parameters as the campaign's file declares them."""
        return around(self.campaign.data()).parameters

    @cached_property
    def _declared(self) -> str | None:
        return None if self.campaign.duration is None else read_duration(self.campaign, self.space)

    def _declared_s(self, points: Sequence[Mapping[str, Any]]) -> np.ndarray:
        from planner.within import Within, read_bound, settled_rows

        bound = read_bound(self.space, Within(most=0.0, formula=self._declared or "0"))
        return bound.total(settled_rows(self.space, self.space.rows(points)))

    def _lacks(self, step: Step, point: Mapping[str, Any]) -> bool:
        return lacks(step, self.declared_parameters, point)

    def _step_s(self, step: Step, point: Mapping[str, Any]) -> float | None:
        if isinstance(step, StationStep):
            node: Any = visit_node(step, "0", self.casting, point)
            return node.work_s + (HANDLING_S if isinstance(node, Firing) else TRIP_S)
        if step.kind == "wait":
            return max(0.0, float(step.duration.at(point)))  # type: ignore[attr-defined]
        return step_s(step, self.campaign, self.lab)

    def _longest_s(self, step: Step) -> float:
        points = self.space.points(self._looked_at[:64])
        return max(self._step_s(step, point) or 0.0 for point in points if not self._lacks(step, point))

    @cached_property
    def _depends(self) -> bool:
        """Whether durations may differ from recipe to recipe."""
        if self.campaign.duration is not None:
            return True
        return any(isinstance(step, StationStep) or step.kind == "wait" for step in self.campaign.recipe) and any(
            parameters_of(step) for step in self.campaign.recipe
        )

    @cached_property
    def _looked_at(self) -> np.ndarray:
        """Rows (`n x p`) whose plans are looked at; those of a small space all."""
        if self.space.listing is not None and len(self.space.listing) <= _N_LISTED:
            return self.space.listing
        rows = self.space.sample_rows(_N_LISTED if self._depends else 1, np.random.default_rng([self.campaign.seed, 0]))
        return np.unique(np.vstack([rows, self._corners()]) if self._depends else rows, axis=0)

    def _corners(self) -> np.ndarray:
        """Return admissible corners of the box of parameters (`n x p`): what is shortest often lies there."""
        region = self.space.region
        if self.space.pool is not None or self.space.conditions is not None or region.width > _MOST_CORNERED:
            return np.empty((0, region.width))
        corners = np.array(list(product(*zip(region.low, region.high, strict=True))))
        return corners[region.feasible(corners)]

    @cached_property
    def _lasts_s(self) -> np.ndarray | None:
        """What the plans of these rows take (`n`)."""
        points = self.space.points(self._looked_at)
        if self._declared is not None:
            return self._declared_s(points)
        if not self._depends:
            lasts_s = self.of(points[0])
            return None if lasts_s is None else np.full(len(points), lasts_s)
        found = [self.of(point) for point in points]
        known = [one for one in found if one is not None]
        return np.array(known) if len(known) == len(found) else None

    @cached_property
    def _sum(self) -> WeightedSum | None:
        """Durations as a weighted sum; None where they are none, or not for certain."""
        if self.space.conditions is not None or self._lasts_s is None:
            return None
        if not self._depends:
            return WeightedSum(constant=float(self._lasts_s[0]), weights={}, words={})
        found = WeightedSum.fitted(self.space, self._looked_at, self._lasts_s)
        if found is None:
            return None
        rows = self.space.sample_rows(_N_HELD_AGAINST, np.random.default_rng([self.campaign.seed, 1]))
        lasts_s = np.array([self.of(point) for point in self.space.points(rows)], dtype=float)
        return found if np.all(np.abs(found.of(self.space, rows) - lasts_s) <= _EXACT * lasts_s.max()) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedSum:
    """A constant, weights of numeric parameters, and what the words of the others add, in seconds."""

    constant: float
    weights: Mapping[str, float]
    words: Mapping[str, Mapping[str, float]]

    @property
    def formula(self) -> str:
        """The part without words, as text."""
        return " + ".join([repr(self.constant), *(f"{weight!r}*`{name}`" for name, weight in self.weights.items())])

    @classmethod
    def fitted(cls, space: SearchSpace, rows: np.ndarray, lasts_s: np.ndarray) -> WeightedSum | None:
        """Return the sum that gives these durations (`n`) at these rows (`n x p`); None where none does."""
        from planner.parameters import Categorical as Words

        numbers = [(j, one.name) for j, one in enumerate(space.parameters) if not isinstance(one, Words)]
        words = [(j, one) for j, one in enumerate(space.parameters) if isinstance(one, Words)]
        scales = np.array([space.region.span[j] for j, _ in numbers])
        parts = [np.ones((len(rows), 1)), rows[:, [j for j, _ in numbers]] / scales]
        parts += [(rows[:, [j]] == np.arange(len(one.values))) * 1.0 for j, one in words]
        solved = np.linalg.lstsq(np.hstack(parts), lasts_s, rcond=None)[0]
        if np.abs(np.hstack(parts) @ solved - lasts_s).max() > _EXACT * lasts_s.max():
            return None
        solved = np.where(np.abs(solved) < _EXACT * 0.01 * lasts_s.max(), 0.0, solved)
        weights = solved[1 : 1 + len(numbers)] / scales
        added, here = {}, 1 + len(numbers)
        for _, one in words:
            levels = solved[here : here + len(one.values)].tolist()
            here += len(one.values)
            if np.ptp(levels) > _EXACT * lasts_s.max():
                added[one.name] = dict(zip(one.values, map(_short, levels), strict=True))
            else:
                solved[0] += levels[0]
        kept = {name: _short(weight) for (_, name), weight in zip(numbers, weights, strict=True) if weight != 0.0}
        return cls(constant=_short(solved[0]), weights=kept, words=added)

    def of(self, space: SearchSpace, rows: np.ndarray) -> np.ndarray:
        """Return the durations of rows (`n x p`), `n`."""
        total = np.full(len(rows), self.constant)
        for name, weight in self.weights.items():
            total += weight * rows[:, space.names.index(name)]
        for name, levels in self.words.items():
            total += np.array(list(levels.values()))[np.rint(rows[:, space.names.index(name)]).astype(int)]
        return total

    def range_over(self, space: SearchSpace) -> tuple[float, float]:
        """Return the least and the greatest value over a space; constraints that are not linear may leave less."""
        from planner.linear import extreme

        region = space.region.straight
        cost = np.array([self.weights.get(name, 0.0) for name in space.names])
        ends = []
        for sign in (1.0, -1.0):
            row = extreme(region, sign * cost / max(np.abs(cost).max(), 1e-300), relaxed=True)
            if row is None:
                row = region.low
            word_s = sum(sign * min(sign * one for one in levels.values()) for levels in self.words.values())
            ends.append(self.constant + float(cost @ row) + word_s)
        return ends[0], ends[1]


def _short(value: float) -> float:
    return float(f"{value:.12g}")
