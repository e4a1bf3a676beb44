"""Finding the point of a search space that scores best, with every constraint kept at every step.

No relaxation is left to repair: candidates are drawn from the space itself, and the best are improved by small moves
that stay inside it (a level up or down, an exchange between two ingredients, an ingredient left out, another word).
All rows of a round are scored at once, which is what makes this cheaper than a gradient at laboratory size.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from planner.neighbourhood import Neighbourhood
from planner.space import SearchSpace

Score = Callable[[np.ndarray], np.ndarray]
"""A function from rows (`n x p`) to what they are worth (`n`)."""

_N_CLIMBERS = 6
_FAN = 80
_MOST_ROUNDS = 24
_PATIENCE = 2
_LEAST_GAIN = 1e-3
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
        climbed, heights = _climb(space.neighbourhood, score, rows[order], scores[order], rng)
        rows, scores = np.vstack([climbed, rows]), np.concatenate([heights, scores])
    for index in np.argsort(-scores, kind="stable"):
        if space.keys(rows[[index]])[0] not in taken:
            return rows[index]
    return None


def _climb(
    steps: Neighbourhood, score: Score, rows: np.ndarray, scores: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Improve each row by the best of its neighbours until none is better at the smallest reach."""
    rows, scores = rows.copy(), scores.copy()
    last = 1 if steps.region.discrete.all() else len(_REACHES) - 1
    stage = waited = 0
    for _ in range(_MOST_ROUNDS):
        fans = steps.step(np.repeat(rows, _FAN, axis=0), rng, reach=_REACHES[stage])
        heights = score(fans).reshape(len(rows), _FAN)
        top = np.argmax(heights, axis=1)
        gained = heights[np.arange(len(rows)), top] > scores + _LEAST_GAIN
        rows[gained] = fans.reshape(len(rows), _FAN, -1)[gained, top[gained]]
        scores[gained] = heights[gained, top[gained]]
        waited = 0 if gained.any() else waited + 1
        if stage == last and waited >= _PATIENCE:
            break
        stage = min(stage + (not gained.any() or stage == 0), last)
    return rows, scores
