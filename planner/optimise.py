"""Finding the point of a search space that scores best, with every constraint kept at every step.

No relaxation is left to repair: candidates are drawn from the space itself, and the best are improved by small moves
that stay inside it (a level up or down, an exchange between two ingredients, an ingredient left out, another word).
All rows of a round are scored at once, which is what makes this cheaper than a gradient at laboratory size.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

import numpy as np

from planner.ascent import Climbers, Score, Slopes
from planner.branches import BranchedRegion
from planner.neighbourhood import Neighbourhood
from planner.space import SearchSpace

_N_CLIMBERS = 5
_FAN = 80
_FEW = 8
_SOME = 24
"""Random steps of a climber in a round: without gradients; beside gradients; and where levels are stepped as well."""
_MOST_ROUNDS = 24
_PATIENCE = 2
_LEAST_GAIN = 1e-3
_MET = 0.01
"""Of each column's range: a climber that is so near to a higher one goes where that one goes."""
_REACHES = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)


def candidate_rows(space: SearchSpace, n: int, around: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw about n rows: uniform ones, sparse mixtures where there are any, and neighbours of the rows given.

    Of a pool or a small grid, return every row.
    """
    if space.listing is not None:
        return space.listing
    n_sparse = n // 2 if len(space.optional) else 0
    parts = [space.sample_rows(n - n_sparse, rng)]
    if n_sparse:
        parts.append(space.sample_rows(n_sparse, rng, sparse=True))
    if len(around):
        repeats = max(1, n // (2 * len(around)))
        start = np.repeat(around, repeats, axis=0)
        parts.append(space.neighbourhood.step(start, rng, reach=0.2))
    return np.unique(np.vstack(parts), axis=0)


def best_row(
    space: SearchSpace, score: Score, candidates: np.ndarray, taken: Collection[bytes], rng: np.random.Generator
) -> np.ndarray | None:
    """Return the row with the best score that is not taken, or None where every candidate is.

    Candidates are rows of the space; they are where the climb begins.
    """
    rows, scores = candidates, score(candidates)
    if space.listing is None:
        order = np.argsort(-scores, kind="stable")[:_N_CLIMBERS]
        climbed, heights = _climb_all(space, score, rows[order], scores[order], rng)
        rows, scores = np.vstack([climbed, rows]), np.concatenate([heights, scores])
    for index in np.argsort(-scores, kind="stable"):
        if space.keys(rows[[index]])[0] not in taken:
            return rows[index]
    return None


def _climb_all(
    space: SearchSpace, score: Score, rows: np.ndarray, scores: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Improve rows; where parameters do not all exist everywhere, those of each branch by themselves."""
    steps, region = space.neighbourhood, space.region
    if isinstance(steps, Neighbourhood) or not isinstance(region, BranchedRegion):
        return _climb(cast("Neighbourhood", steps), score, rows, scores, rng)
    places, climbed = region.place(rows), []
    for index in np.unique(places).tolist():
        mine = places == index
        climbed.append(_climb(steps.within(index), score, rows[mine], scores[mine], rng))
    return np.vstack([one for one, _ in climbed]), np.concatenate([heights for _, heights in climbed])


def _climb(
    steps: Neighbourhood, score: Score, rows: np.ndarray, scores: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Improve each row by the best of its steps and neighbours until none is better at the smallest reach."""
    climbers, found = Climbers(Slopes(steps.region), rows), scores.copy()
    is_smooth = not steps.region.discrete[steps.region.free].all()
    fan = _FAN if not is_smooth else _SOME if steps.region.discrete[steps.region.free].any() else _FEW
    last = 1 if not is_smooth else len(_REACHES) - 1
    top, best = rows.copy(), scores.copy()
    under_way, stage, waited = np.arange(len(rows)), 0, 0
    for _ in range(_MOST_ROUNDS):
        if is_smooth:
            climbers.learn(found, score(climbers.differences()))
        tried = _neighbours(climbers, steps, rng, fan, _REACHES[stage], is_smooth=is_smooth)
        flat = tried.reshape(-1, tried.shape[2])
        heights = score(flat)
        if steps.region.curves:  # a straight step may leave what is not linear
            heights = np.where(steps.region.feasible(flat), heights, -np.inf)
        heights = heights.reshape(tried.shape[:2])
        highest = np.argmax(heights, axis=1)
        each = np.arange(len(highest))
        gained = heights[each, highest] - found > _LEAST_GAIN
        climbers.rows[gained] = tried[each, highest][gained]
        found[gained] = heights[each, highest][gained]
        climbers.forget(gained & (highest < fan))
        waited = 0 if gained.any() else waited + 1
        top[under_way], best[under_way] = climbers.rows, found
        if waited >= _PATIENCE and (is_smooth or stage == last):
            break
        if is_smooth:
            alone = _alone(steps, climbers.rows, found)
            if not alone.all():
                climbers.keep(alone)
                under_way, found = under_way[alone], found[alone]
        stage = min(stage + (not gained.any() or stage == 0), last)
    return top, best


def _alone(steps: Neighbourhood, rows: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return which climbers (`k`, bool) are not where a higher one is now."""
    region, free = steps.region, steps.region.free
    low, high, is_log = region.low[free], region.high[free], region.is_log[free]
    places = rows[:, free] / np.where(high > low, high - low, 1.0)
    places[:, is_log] = np.log(rows[:, free[is_log]]) / np.log(high[is_log] / low[is_log])
    apart = np.abs(places[:, None] - places[None])
    words = steps.words[free]
    apart[:, :, words] = np.where(apart[:, :, words] > 0.0, 1.0, 0.0)
    rank = np.empty(len(scores), dtype=int)
    rank[np.argsort(-scores, kind="stable")] = np.arange(len(scores))
    return ~np.any((apart.max(axis=2) < _MET) & (rank[None] < rank[:, None]), axis=1)


def _neighbours(
    climbers: Climbers, steps: Neighbourhood, rng: np.random.Generator, fan: int, reach: float, *, is_smooth: bool
) -> np.ndarray:
    """Return what each climber tries, `k x m x p`: random steps first, then those along its gradient."""
    k, width = climbers.rows.shape
    fans = steps.step(np.repeat(climbers.rows, fan, axis=0), rng, reach=reach).reshape(k, fan, width)
    return np.concatenate([fans, climbers.steps()], axis=1) if is_smooth else fans
