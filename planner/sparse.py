"""Mixtures that leave most ingredients out.

Uniformly over "the volumes sum to at most 5 mL", every recipe holds a little of everything, and an ingredient that
spoils the product spoils them all. Here a recipe first chooses which ingredients it has.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from planner.errors import EmptySearchSpace
from planner.region import Region
from planner.sampling import RegionSampler

_LEAST_SHARED = 3
_MOST_PATTERNS = 24
_MOST_KEPT = 4096


def optional_columns(region: Region) -> np.ndarray:
    """Return the columns that may be 0 in a sum of at least three columns that is bounded."""
    found = np.zeros(region.width, dtype=bool)
    for weights in np.vstack([region.A, region.E]):
        used = weights != 0
        one_sign = len(set(np.sign(weights[used]))) == 1
        if one_sign and used.sum() >= _LEAST_SHARED:
            found |= used & (region.low == 0) & (region.high > 0)
    return np.flatnonzero(found)


@dataclass(frozen=True)
class SparseSampler:
    """Draws rows with at most half of the optional columns above 0.

    The number of ingredients is uniform, then which they are, then the amounts over what the constraints leave.
    Patterns that no feasible row has are replaced by draws from the whole region.
    """

    region: Region
    whole: RegionSampler
    optional: np.ndarray
    _known: dict[tuple[int, ...], RegionSampler | None] = field(default_factory=dict)
    """By the columns that are absent; None where no row has that pattern. Fixed by the region, so no state."""

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw n rows (`n x p`)."""
        counts: dict[tuple[int, ...], int] = {}
        for part in np.array_split(np.arange(n), min(n, _MOST_PATTERNS)) if n else ():
            n_present = int(rng.integers(0, (len(self.optional) + 1) // 2 + 1))
            absent = tuple(np.sort(rng.permutation(self.optional)[n_present:]).tolist())
            counts[absent] = counts.get(absent, 0) + len(part)
        parts = [self._of_pattern(absent, count, rng) for absent, count in counts.items()]
        return np.vstack(parts) if parts else np.empty((0, self.region.width))

    def _of_pattern(self, absent: tuple[int, ...], n: int, rng: np.random.Generator) -> np.ndarray:
        if absent not in self._known and len(self._known) < _MOST_KEPT:
            self._known[absent] = self._sampler(np.array(absent, dtype=int))
        sampler = self._known[absent] if absent in self._known else self._sampler(np.array(absent, dtype=int))
        if sampler is None:
            return self.whole.draw(rng.random((n, self.region.width)), rng)
        rows = np.zeros((n, self.region.width))
        present = np.setdiff1d(np.arange(self.region.width), absent)
        rows[:, present] = sampler.draw(rng.random((n, len(present))), rng)
        return rows

    def _sampler(self, absent: np.ndarray) -> RegionSampler | None:
        rest = self.region.without(absent)
        if rest is None:
            return None
        try:
            return RegionSampler.of(rest)
        except EmptySearchSpace:
            return None
