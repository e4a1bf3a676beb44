"""Fewer points out of many, spread over what the many cover.

Greedy farthest points (Gonzalez, Theor. Comput. Sci. 38, 293 (1985), doi:10.1016/0304-3975(85)90224-5): each next one
is the farthest from those taken, so that no point lies farther from a taken one than twice what the best choice could
do. Every k-th row would not do: the rows of a table that runs through a grid lie in a few planes then.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST_SEEN = 50_000
"""Of more points so many random ones are looked at, always the same."""


def spread_out(X: NDArray[np.floating[Any]], most: int) -> NDArray[np.intp]:
    """Return the numbers of up to ``most`` of some points (``n x d``), in rising order.

    Equal points, which tell noise, are taken where no others are left.
    """
    n = len(X)
    if n <= most:
        return np.arange(n)
    seen = np.arange(n)
    if n > _MOST_SEEN:
        seen = np.sort(np.random.default_rng(n).choice(n, max(_MOST_SEEN, most), replace=False))
    points = np.asarray(X, dtype=float)[seen]
    taken = np.empty(most, dtype=np.intp)
    taken[0] = int(np.argmin(((points - points.mean(axis=0)) ** 2).sum(axis=1)))
    distance = np.full(len(points), np.inf)
    for place in range(1, most):
        last = taken[place - 1]
        distance = np.minimum(distance, ((points - points[last]) ** 2).sum(axis=1))
        distance[last] = -1.0
        taken[place] = int(np.argmax(distance))
    return np.sort(seen[taken])
