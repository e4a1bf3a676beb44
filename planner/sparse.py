"""Mixtures that leave most ingredients out.

Uniformly over "the volumes sum to at most 5 mL", every recipe holds a little of everything, and an ingredient that
spoils the product spoils them all. Here a recipe first chooses which ingredients it has.
"""

from __future__ import annotations

import numpy as np

from planner.errors import EmptySearchSpace
from planner.region import Region
from planner.sampling import RegionSampler

_LEAST_SHARED = 3
_MOST_PATTERNS = 64


def optional_columns(region: Region) -> np.ndarray:
    """Return the columns that may be 0 in a sum of at least three columns that is bounded."""
    found = np.zeros(region.width, dtype=bool)
    for weights in np.vstack([region.A, region.E]):
        used = weights != 0
        one_sign = len(set(np.sign(weights[used]))) == 1
        if one_sign and used.sum() >= _LEAST_SHARED:
            found |= used & (region.low == 0) & (region.high > 0)
    return np.flatnonzero(found)


def sparse_rows(
    region: Region, whole: RegionSampler, optional: np.ndarray, n: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw n rows, each with at most half of the optional columns above 0.

    The number of ingredients is uniform, then which they are, then the amounts over what the constraints leave.
    Patterns that no feasible row has are replaced by draws from the whole region.
    """
    n_patterns = min(n, _MOST_PATTERNS)
    shares = [len(part) for part in np.array_split(np.arange(n), n_patterns)] if n else []
    parts = [_with_pattern(region, whole, optional, share, rng) for share in shares]
    return np.vstack(parts) if parts else np.empty((0, region.width))


def _with_pattern(
    region: Region, whole: RegionSampler, optional: np.ndarray, n: int, rng: np.random.Generator
) -> np.ndarray:
    n_present = int(rng.integers(0, (len(optional) + 1) // 2 + 1))
    absent = rng.permutation(optional)[n_present:]
    sampler = whole
    if not len(absent):
        return sampler.draw(rng.random((n, region.width)), rng)
    try:
        sampler = RegionSampler.of(region.pinned(absent, np.zeros(len(absent))))
    except EmptySearchSpace:
        sampler = whole
    return sampler.draw(rng.random((n, region.width)), rng)
