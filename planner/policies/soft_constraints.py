"""Optimising with soft constraints: earlier data of another process, people's judgement of samples, a neighbourhood.

After the perovskite campaign of Liu et al., Joule 6, 834 (2022) (doi 10.1016/j.joule.2022.03.003): expected improvement
times the soft probability that a film passes inspection and that what an earlier process taught holds here too; first
everywhere, then about the best.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from planner.errors import BadObservation, BadOption
from planner.objective import Objective
from planner.policies.base import PlannerData
from planner.policies.mobile_chemist import MobileChemist
from planner.policies.options import Range, option, read_options
from planner.proposal import Observation
from planner.space import SearchSpace
from planner.untried import untried_rows

if TYPE_CHECKING:
    from planner.acquisition import Acquisition
    from planner.goals import Goal
    from planner.soft import Soft
    from surrogate.matern_gp import GP

_DRAWN = 40
"""Rows drawn for each that fills the space: it is one of them, by what soft constraints leave of its worth."""
_MAY_BE = "the best by one draw of what the surrogate thinks possible"


@dataclass(frozen=True, slots=True)
class SoftOptions:
    """Options beside those of `mobile_chemist`, and `earlier` and `inspection`, which are no numbers."""

    inspection_lo: float = option(0.1, Range(0.0, 1.0))
    """What is left of a point's worth where people would surely not like the sample."""
    local_from: int | None = option(None, Range(1, 100_000, is_whole=True))
    """Trials after which the search stays about the best; never by default."""
    reach: float = option(0.15, Range(0.001, 1.0))
    """How far about the best it then goes, as a fraction of the ranges."""


class SoftConstraints(MobileChemist):
    """Optimise what soft constraints leave of the expected improvement.

    Options: those of `mobile_chemist`, those of `SoftOptions`, and

    - `earlier`: tables of earlier campaigns, see `planner.soft.read_earlier`;
    - `inspection`: the entry of an observation's context in which a person judged the sample: "pass", "fail", or how
      probably it is good, from 0 to 1. A failed trial counts as a fail where nobody judged it.
    """

    name = "soft_constraints"

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None:
        from planner.soft import read_earlier

        mine = ("earlier", "inspection", *SoftOptions.__dataclass_fields__)
        super().__init__(space, objectives, {name: value for name, value in options.items() if name not in mine})
        own = {name: options[name] for name in SoftOptions.__dataclass_fields__ if name in options}
        self._soft = read_options(SoftOptions, own, self.name)
        self._earlier = read_earlier(
            space, options.get("earlier") or (), minimize=objectives[0].direction == "minimize"
        )
        inspection = options.get("inspection")
        if inspection is not None and not isinstance(inspection, str):
            raise BadOption(f"option 'inspection' names an entry of an observation's context; it is {inspection!r}")
        self._inspection = inspection
        self._inspected: tuple[object, Soft | None] = (None, None)

    def _score(self, data: PlannerData, worth: Acquisition, caution: float) -> Callable[[np.ndarray], np.ndarray]:
        plain, softs, encode = super()._score(data, worth, caution), self._softs(data), data.space.encode_rows
        return lambda rows: plain(rows) + _log_factor(softs, encode(rows))

    def _fill(self, data: PlannerData, n: int, taken: set[bytes], rng: np.random.Generator) -> np.ndarray:
        """Return up to n rows that fill what soft constraints leave of the space."""
        softs = [*self._earlier, *self._judged_good(data)]
        if n == 0 or not softs:
            return super()._fill(data, n, taken, rng)
        space, chance = data.space, self._chance(data)
        rows = untried_rows(
            space, _DRAWN * n, taken, lambda count: space.sample_rows(count, rng, sparse=space.starts_sparse), rng
        )
        if not len(rows):
            return rows
        heights = _log_factor(softs, space.encode_rows(rows))
        if chance is not None:
            heights = heights + self._options.caution * chance(rows)
        # the greatest of scores with Gumbel noise are draws without replacement, by weight
        return rows[np.argsort(-(heights + rng.gumbel(size=len(rows))))[:n]]

    def _instead(
        self, data: PlannerData, worth: Acquisition, row: np.ndarray, ahead: np.ndarray, rng: np.random.Generator
    ) -> Acquisition | None:
        """About the best, try what may be the best of all rather than learn about the whole space."""
        tells = super()._instead(data, worth, row, ahead, rng)
        if tells is None or not self._is_local(data):
            return tells
        gp, goal = self._upright(data, self._ranked[0]), self._goal(data, self._ranked[0])
        return OneDraw(gp, np.unique(np.vstack([gp.X, self._under_way(data, ahead)]), axis=0), rng, goal)

    def _reason_instead(self, data: PlannerData) -> str:
        return (
            "no improvement is expected that could be seen; " + _MAY_BE
            if self._is_local(data)
            else super()._reason_instead(data)
        )

    def _is_local(self, data: PlannerData) -> bool:
        return self._soft.local_from is not None and len(data.tried_rows()[0]) >= self._soft.local_from

    def _softs(self, data: PlannerData) -> list[Soft]:
        return [*self._earlier, *self._judged_good(data), *self._about_the_best(data)]

    def _judged_good(self, data: PlannerData) -> list[Soft]:
        """Return what people's judgement says; nothing while all samples were judged alike."""
        if self._inspection is None:
            return []
        if self._inspected[0] is not data.observations:
            from planner.feasibility import fit_viability
            from planner.soft import Soft

            codes, good = _judgements(data, self._inspection)
            found = Soft(fit_viability(codes, good), self._soft.inspection_lo) if len(set(good.tolist())) > 1 else None
            self._inspected = (data.observations, found)
        return [] if self._inspected[1] is None else [self._inspected[1]]

    def _about_the_best(self, data: PlannerData) -> list[Soft]:
        from planner.soft import Near, Soft

        if not self._is_local(data):
            return []
        best = self._best_rows(data)[:1]
        return [Soft(Near(data.space.encode_rows(row[None])[0], self._soft.reach), 0.0) for row in best]


class OneDraw:
    """A draw of the function that is optimised, in standard deviations of the noise (Thompson sampling).

    Its maximum is where the best of all may be, and many draws spread as far as that is uncertain (Thompson,
    Biometrika 25, 285 (1933), doi 10.1093/biomet/25.3-4.285).
    """

    def __init__(self, gp: GP, known: np.ndarray, rng: np.random.Generator, goal: Goal) -> None:
        from planner.acquisition import Draws

        self._goal = goal
        self._draws = Draws(gp, known, n_draws=1, rng=rng)
        self._noise_sd = float(np.sqrt(np.median(gp.noise)))

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the score of encoded points (`n x d`), `n`."""
        return self._goal.merit(self._draws.posterior(points)[0][:, 0]) / self._noise_sd

    def add(self, point: np.ndarray, rng: np.random.Generator) -> None:
        """Take a chosen point (`d`) as pending: the draw knows its value already."""


def _log_factor(softs: Sequence[Soft], codes: np.ndarray) -> np.ndarray:
    total = np.zeros(len(codes))
    for soft in softs:
        total += soft.log_factor(codes)
    return total


def _judgements(data: PlannerData, entry: str) -> tuple[np.ndarray, np.ndarray]:
    """Return encoded points that were judged (`n x d`) and whether they were good (`n`, bool)."""
    judged = [(one.parameters, _is_good(one, entry, number)) for number, one in enumerate(data.observations)]
    judged = [(point, good) for point, good in judged if good is not None]
    codes = data.space.encode([point for point, _ in judged]) if judged else np.empty((0, data.space.width))
    return codes, np.array([good for _, good in judged], dtype=bool)


def _is_good(observation: Observation, entry: str, number: int) -> bool | None:
    told = observation.context.get(entry)
    if told is None:
        return False if observation.failure is not None else None
    if told in ("pass", "fail"):
        return told == "pass"
    if isinstance(told, str) or not 0.0 <= told <= 1.0:
        raise BadObservation(
            f"observation {number}: the judgement {entry!r} is {told!r}; tell 'pass', 'fail', or a number from 0 to 1"
        )
    return told >= 0.5
