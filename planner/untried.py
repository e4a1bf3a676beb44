"""Points that were not tried yet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import numpy as np

from planner.space import SearchSpace

_MOST_LISTED = 100_000
_MOST_ROUNDS = 40
_SPREAD_CANDIDATES = 4


def first_untried(space: SearchSpace, n: int, taken: Collection[bytes], chunks: Iterable[np.ndarray]) -> np.ndarray:
    """Return the first n different rows (`m x p`) of a sequence, given in chunks, that are not taken."""
    found: dict[bytes, np.ndarray] = {}
    for rows in chunks:
        for key, row in zip(space.keys(rows), rows, strict=True):
            if len(found) < n and key not in taken:
                found.setdefault(key, row)
        if len(found) >= n:
            break
    return np.array(list(found.values())).reshape(-1, space.region.width)


def untried_rows(
    space: SearchSpace,
    n: int,
    taken: Collection[bytes],
    draw: Callable[[int], np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    """Return up to n different rows (`m x p`) that are not taken; fewer only where fewer are left.

    Args:
        space: Where to look.
        n: How many are wanted.
        taken: Keys of rows that must not be returned.
        draw: Gives so many rows of the space.
        rng: Orders the rest of a small space, which is listed where drawing no longer finds new rows.
    """
    rows = first_untried(space, n, taken, (draw(max(n, 4)) for _ in range(_MOST_ROUNDS)))
    if len(rows) == n:
        return rows
    rest = _the_rest(space, {*taken, *space.keys(rows)}, rng)
    return np.vstack([rows, rest[: n - len(rows)]])


def _the_rest(space: SearchSpace, taken: Collection[bytes], rng: np.random.Generator) -> np.ndarray:
    """Return every row that is not taken in random order; nothing where the space is too large to list."""
    rows = listed_rows(space, _MOST_LISTED)
    if rows is None:
        return np.empty((0, space.region.width))
    fresh = np.array([key not in taken for key in space.keys(rows)], dtype=bool)
    return rng.permutation(rows[fresh])


def listed_rows(space: SearchSpace, most: int) -> np.ndarray | None:
    """Return all rows of a pool or a small grid; None where there are more than `most`, or infinitely many."""
    if space.pool is not None:
        return space.pool
    size = space.size()
    if size is None or size > most:
        return None
    return np.array(list(space.walk()))


def spread_rows(
    space: SearchSpace, n: int, known: np.ndarray, taken: Collection[bytes], rng: np.random.Generator
) -> np.ndarray:
    """Return up to n untried rows far from each other and from known rows (`m x p`); sparse ones where they may be.

    Each is the farthest of a dozen draws (Mitchell, Computer Graphics 25, 157 (1991)), which needs no memory of the
    draws before and so survives a restart.
    """
    chosen, taken = np.array(known).reshape(-1, space.region.width), set(taken)
    start = len(chosen)

    def draw(count: int) -> np.ndarray:
        return space.sample_rows(count, rng, sparse=space.starts_sparse)

    for _ in range(n):
        rows = untried_rows(space, _SPREAD_CANDIDATES, taken, draw, rng)
        if not len(rows):
            break
        row = rows[[_farthest(space.encode_rows(rows), space.encode_rows(chosen))]]
        chosen = np.vstack([chosen, row])
        taken.update(space.keys(row))
    return chosen[start:]


def _farthest(candidates: np.ndarray, known: np.ndarray) -> int:
    if not len(known):
        return 0
    squared = np.sum((candidates[:, None, :] - known[None, :, :]) ** 2, axis=2)
    return int(np.argmax(squared.min(axis=1)))
