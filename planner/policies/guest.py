"""Planners of others as policies: what is common to the adapters.

A guest is rebuilt from what is known at each ask, so that it keeps to the contract of a policy: a pure function of
`PlannerData` and the generator. What it answers passes our border: every point is put onto the nearest admissible
one (grid, bounds, constraints, pool), and one that was tried or is pending is replaced by the nearest that was not.
"""

from __future__ import annotations

import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from planner.conditions import refuse_conditions
from planner.errors import BadOption
from planner.objective import Objective
from planner.policies.base import PlannerData, Suggestion
from planner.policies.guest_goals import Translated
from planner.predictor import Predictor
from planner.proposal import Prediction, Value
from planner.space import SearchSpace
from planner.untried import listed_rows, untried_rows

_SAME = 1e-9
"""How far, as a fraction of the range, a point may be moved without a word about it."""
_REACHES = (0.01, 0.03, 0.1, 0.3, 1.0)
_STEPS = 64


def require(package: str, *, policy: str) -> None:
    """Refuse a policy whose package is not installed.

    Raises:
        BadOption: It is not; says how to install it.
    """
    if find_spec(package) is None:
        raise BadOption(
            f"policy {policy!r} needs a package that is not installed here: pip install 'labpilot[{policy}]'"
        )


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A point that a guest wants to try."""

    row: np.ndarray
    """In the columns of the space, `p`; it need not be admissible."""
    said: str = ""
    """What the guest says of it, for the reason."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a guest can be told: rows of the space, and what came of them."""

    rows: np.ndarray
    """`n x p`; all admissible (within bounds and constraints, where the space is a pool)."""
    values: np.ndarray
    """`n x m`, by objective; not a number where it was not measured."""
    noise: np.ndarray
    """`n x m`, standard deviations; not a number where unknown."""
    failed: np.ndarray
    """`n`, bool: the recipe gave no result."""
    pending: np.ndarray
    """Rows that are under way, `k x p`."""
    n_left_out: int
    """Results at points that the guest's space cannot hold."""


class Guest(ABC):
    """A policy that another package thinks for; maps are predicted by our own surrogate."""

    name: str
    title: str
    """What the package calls itself."""

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], map_model: str) -> None:
        to_learn = [objective.name for objective in objectives if objective.direction == "learn"]
        if to_learn:
            raise BadOption(
                f"policy {self.name!r} optimises, but objective {to_learn[0]!r} is to be learnt; choose policy 'auto', "
                "or make its direction maximize or minimize"
            )
        refuse_conditions(space.parameters, self.name)
        self._space = space
        """The whole of it; that of an ask may be the part where some parameters are held (`SearchSpace.held`)."""
        self._objectives = tuple(objectives)
        self._goals = Translated(self._objectives)
        """What the guest is told in their place."""
        self._predictor = Predictor(space, objectives, map_model)

    def propose(self, data: PlannerData, n: int, rng: np.random.Generator) -> list[Suggestion]:
        """Return up to n admissible points that are not taken."""
        rest = _rest(data, n)
        if rest is not None:
            rows = rng.permutation(rest)
            return [Suggestion(parameters=point, reason="the last untried points") for point in data.space.points(rows)]
        known = known_of(data, self._space, self._objectives)
        with _quiet():
            answers = self._recommend(data, self._goals.told(known), n, int(rng.integers(2**31)))
        return admitted(data, answers[:n], n, rng, title=self.title, n_left_out=known.n_left_out)

    def predict(
        self, data: PlannerData, target: str, points: Sequence[Mapping[str, Value]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`n` each) of the noiseless target, in its unit."""
        return self._predictor.predict(data, target, points)

    @abstractmethod
    def _recommend(self, data: PlannerData, known: Known, n: int, seed: int) -> list[Answer]:
        """Ask a fresh guest that was told everything; what is known are values of `self._goals`."""


def _rest(data: PlannerData, n: int) -> np.ndarray | None:
    """Return all untried rows where they are no more than n, so that there is nothing to choose; otherwise None."""
    size, taken = data.space.size(), data.taken_keys()
    if size is None or size > len(taken) + n:
        return None
    rows = listed_rows(data.space, size)
    if rows is None:
        return None
    fresh = np.array([key not in taken for key in data.space.keys(rows)], dtype=bool)
    return rows[fresh] if fresh.sum() <= n else None


def known_of(data: PlannerData, space: SearchSpace, objectives: Sequence[Objective]) -> Known:
    """Return what a guest can be told, in the order of telling.

    Args:
        data: What was told and what is pending.
        space: The guest's whole space.
        objectives: What the columns of the values are.
    """
    names = [objective.name for objective in objectives]
    rows = space.rows([observation.parameters for observation in data.observations]).reshape(-1, space.region.width)
    is_inside = space.region.feasible(rows) if len(rows) else np.zeros(0, dtype=bool)
    if space.pool is None and len(rows):
        on_grid = np.all(np.abs(space.region.round(rows) - rows) <= 1e-7 * space.region.span, axis=1)
        is_inside &= on_grid
    told = [o for o, is_in in zip(data.observations, is_inside, strict=True) if is_in]
    shape = (-1, len(names))
    return Known(
        rows=rows[is_inside],
        values=np.array([[o.values.get(name, np.nan) for name in names] for o in told], dtype=float).reshape(shape),
        noise=np.array([[o.noise.get(name, np.nan) for name in names] for o in told], dtype=float).reshape(shape),
        failed=np.array([o.failure is not None for o in told], dtype=bool),
        pending=space.rows([proposal.parameters for proposal in data.pending]).reshape(-1, space.region.width),
        n_left_out=int(np.sum(~is_inside)),
    )


def admitted(
    data: PlannerData, answers: Sequence[Answer], n: int, rng: np.random.Generator, *, title: str, n_left_out: int = 0
) -> list[Suggestion]:
    """Return n admissible points that are not taken, as near as may be to what a guest wants.

    Args:
        data: The space, and what is taken.
        answers: What the guest wants, up to n.
        n: How many are wanted; random ones make up for what the guest does not give.
        rng: Where chance comes from.
        title: The guest's name.
        n_left_out: How many results it could not be told.
    """
    space, taken = data.space, set(data.taken_keys())
    tail = f"; {n_left_out} results outside its space were not told to it" if n_left_out else ""
    found: list[Suggestion] = []
    for answer in answers:
        row, moved = _nearest(space, answer.row)
        if space.keys(row[None])[0] in taken:
            row, moved = _nearest_untried(space, row, taken, rng), "; what it wanted was tried before, this is near it"
        if row is None:
            break
        taken.update(space.keys(row[None]))
        reason = f"recommended by {title}{answer.said}{moved}{tail}"
        found.append(Suggestion(parameters=space.points(row[None])[0], reason=reason))
    if len(found) < n:
        rows = untried_rows(space, n - len(found), taken, lambda count: space.sample_rows(count, rng), rng)
        reason = f"random: {title} gave {len(answers)} of {n} points"
        found += [Suggestion(parameters=point, reason=reason) for point in space.points(rows)]
    return found


def _nearest(space: SearchSpace, row: np.ndarray) -> tuple[np.ndarray, str]:
    """Return the admissible row nearest to a row, and what to say of that."""
    inside = np.clip(row, space.region.low, space.region.high)
    snapped = space.rows([space.snap(space.points(inside[None])[0])])[0]
    moved = np.max(np.abs(snapped - row) / space.region.span)
    return snapped, "" if moved <= _SAME else "; put onto the nearest admissible point"


def _nearest_untried(
    space: SearchSpace, row: np.ndarray, taken: set[bytes], rng: np.random.Generator
) -> np.ndarray | None:
    """Return an untried row near a row; None where every point was tried."""
    if space.pool is None:
        for reach in _REACHES:
            around = space.neighbourhood.step(np.repeat(row[None], _STEPS, axis=0), rng, reach=reach)
            fresh = np.array([key not in taken for key in space.keys(around)])
            if fresh.any():
                return _closest(space, around[fresh], row)
    rows = _pool_by_distance(space, row, len(taken)) if space.pool is not None else None
    if rows is None:
        rows = untried_rows(space, _STEPS, taken, lambda count: space.sample_rows(count, rng), rng)
        return _closest(space, rows, row) if len(rows) else None
    fresh = [index for index, key in enumerate(space.keys(rows)) if key not in taken]
    return rows[fresh[0]] if fresh else None


def _closest(space: SearchSpace, rows: np.ndarray, row: np.ndarray) -> np.ndarray:
    gaps = np.sum((space.encode_rows(rows) - space.encode_rows(row[None])) ** 2, axis=1)
    return rows[int(np.argmin(gaps))]


def _pool_by_distance(space: SearchSpace, row: np.ndarray, n_taken: int) -> np.ndarray:
    """Return the nearest rows of a pool, nearest first: one more than can be taken."""
    pool = np.asarray(space.pool)
    gaps = np.sum(np.abs(pool - row) / space.region.span, axis=1)
    count = min(n_taken + 1, len(pool))
    nearest = np.argpartition(gaps, count - 1)[:count]
    return pool[nearest[np.argsort(gaps[nearest], kind="stable")]]


def worst_values(known: Known, objectives: Sequence[Objective]) -> np.ndarray:
    """Return the worst measured value of each objective (`m`), not a number where there is none."""
    signs = np.array([1.0 if objective.direction == "maximize" else -1.0 for objective in objectives])
    upright = np.where(np.isfinite(known.values), signs * known.values, np.inf)
    worst = upright.min(axis=0, initial=np.inf)
    return np.where(np.isfinite(worst), signs * worst, np.nan)


def predicted(objectives: Sequence[Objective], means: Sequence[float], sds: Sequence[float]) -> dict[str, Prediction]:
    """Return predictions by objective."""
    pairs = zip(objectives, means, sds, strict=True)
    return {objective.name: Prediction(mean=float(mean), sd=float(sd)) for objective, mean, sd in pairs}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep a guest's log and its warnings from a laboratory's console; its errors are raised as they are."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
