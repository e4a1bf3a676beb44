"""Choosing a batch from a pool: far enough from what is known, far enough from each other, most likely to be hits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import log_ndtr, ndtr

if TYPE_CHECKING:
    from surrogate.last_layer import Belief, LeafModel

_UNIT = 12.0**0.5
"""Turns distances of codes into standard deviations of a number that is uniform in the unit interval."""
_SHORT = 2000
"""Candidates that are looked at together."""
_CHUNK = 4000
_DRAWN = 2000
"""Candidates of which the farthest is taken where nothing can be predicted."""
_SAME = 1e-5
"""Distance within which two candidates are one, to the rounding of single precision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """A candidate that was chosen."""

    place: int
    """In the pool."""
    is_new: bool
    """Whether it is as far from what is known as was asked for."""
    mean: float | None = None
    """On the model's scale; None where nothing could be predicted."""
    sd: float = 0.0
    """Of the noiseless value."""
    hit: float = 0.0
    """Chance of being a hit, if it gives a result."""
    works: float = 1.0
    """Chance of giving a result."""


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """The candidates of a pool that were not tried, and what was.

    Args:
        codes: Of the whole pool, `n x d`.
        free: Places of those that may be chosen.
        known: Codes of everything tried or pending, `k x d`.
        novelty: Least distance from these, in standard deviations of a code.
        apart: Least distance within a batch.
    """

    codes: np.ndarray
    free: np.ndarray
    known: np.ndarray
    novelty: float
    apart: float

    def nearest_known(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which of the known is nearest to each of some candidates, and how far it is (`m` each)."""
        if not len(self.known):
            return np.zeros(len(places), dtype=int), np.full(len(places), np.inf)
        found = [self._nearest(places[start : start + _CHUNK]) for start in range(0, len(places), _CHUNK)]
        which, far = zip(*found, strict=True) if found else ((np.empty(0, dtype=int),), (np.empty(0),))
        return np.concatenate(which), np.concatenate(far)

    def _nearest(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        squared = _squared(self.codes[places], self.known)
        which = np.argmin(squared, axis=1)
        exact = self.codes[places].astype(float) - self.known[which]  # small distances drown in the squares' rounding
        return which, _UNIT * np.sqrt(np.mean(exact**2, axis=1))

    def is_new(self, places: np.ndarray) -> np.ndarray:
        """Say which candidates are far enough from what is known (`m`, bool)."""
        return self.nearest_known(places)[1] > max(self.novelty, _SAME)

    def near(self, place: int, others: np.ndarray) -> np.ndarray:
        """Say which others are too near to a candidate to be in one batch with it (`m`, bool)."""
        squared = np.mean((self.codes[others] - self.codes[place]).astype(float) ** 2, axis=1)
        return _UNIT * np.sqrt(squared) <= max(self.apart, _SAME)

    def shortlists(self, order: np.ndarray, n: int) -> Iterator[tuple[np.ndarray, bool]]:
        """Yield places to choose from, the most promising first, and whether they are new.

        New ones come first; what is near to what is known follows, for where nothing else is left.

        Args:
            order: The free places, the most promising first.
            n: How many will be chosen.
        """
        size = max(_SHORT, 20 * n)
        rest = []
        for start in range(0, len(order), size):
            some = order[start : start + size]
            new = self.is_new(some)
            rest.append(some[~new])
            if new.any():
                yield some[new], True
        near = np.concatenate(rest) if rest else order[:0]
        for start in range(0, len(near), size):
            yield near[start : start + size], False


def spread_out(candidates: Candidates, n: int, rng: np.random.Generator) -> list[Pick]:
    """Return up to n candidates far from what is known and from each other, each the farthest of some random ones."""
    picks: list[Pick] = []
    free, known = candidates.free, candidates.known
    while len(picks) < n and len(free):
        drawn = rng.choice(free, min(_DRAWN, len(free)), replace=False)
        now = Candidates(codes=candidates.codes, free=free, known=known, novelty=candidates.novelty, apart=0.0)
        far = now.nearest_known(drawn)[1]
        best = int(np.argmax(far))
        place = int(drawn[best])
        picks.append(Pick(place=place, is_new=bool(far[best] > max(candidates.novelty, _SAME))))
        known = np.vstack([known, candidates.codes[[place]]])
        free = free[free != place]
    return picks


@dataclass(frozen=True, kw_only=True)
class Hunt:
    """The search for hits, one after another."""

    candidates: Candidates
    model: LeafModel
    """Of values, greater is better."""
    threshold: float
    """Least value of a hit, on the model's scale."""
    works: np.ndarray
    """Chance of giving a result, for each of the pool's candidates that is free."""
    pending: np.ndarray
    """Codes of what is under way, `k x d`."""

    def picks(self, n: int) -> list[Pick]:
        """Return up to n candidates, each the most likely hit if all before it, and the pending ones, were misses."""
        free = self.candidates.free
        order = np.argsort(-self._promise(), kind="stable")
        works = dict(zip(free.tolist(), self.works.tolist(), strict=True))
        picks: list[Pick] = []
        for places, is_new in self.candidates.shortlists(free[order], n):
            if len(picks) < n:
                likely = np.array([works[place] for place in places.tolist()])
                picks += self._among(places, likely, n - len(picks), is_new=is_new, before=picks)
        return picks

    def _promise(self) -> np.ndarray:
        """Return a first look at every free candidate: the logarithm of its worth as if it were least known."""
        free, size = self.candidates.free, float(np.sqrt(self.model.scale + self.model.noise))
        means = [np.empty(0)]
        for start in range(0, len(free), _CHUNK):
            leaves = self.model.leaves_of(self.candidates.codes[free[start : start + _CHUNK]])
            means.append(self.model.mean(leaves))
        return log_ndtr((np.concatenate(means) - self.threshold) / size) + np.log(self.works)

    def _among(self, places: np.ndarray, works: np.ndarray, n: int, *, is_new: bool, before: list[Pick]) -> list[Pick]:
        """Return up to n of some candidates; those too near to one that was picked wait until no other is left."""
        under_way = np.vstack([self.pending, self.candidates.codes[[pick.place for pick in before]]])
        k = len(under_way)
        belief = self.model.belief(self.model.leaves_of(np.vstack([under_way, self.candidates.codes[places]])))
        plain = belief.part(np.arange(k, k + len(places)))
        hits = ndtr((plain.mean - self.threshold) / np.sqrt(plain.variance + self.model.noise))
        for place in range(k):
            belief = self._after_a_miss(belief, place)
        belief = belief.part(np.arange(k, k + len(places)))
        waits = np.zeros(len(places), dtype=bool)
        for pick in before:
            waits |= self.candidates.near(pick.place, places)
        is_free, picks = np.ones(len(places), dtype=bool), list[Pick]()
        while len(picks) < n and is_free.any():
            among = is_free & ~waits if (is_free & ~waits).any() else is_free
            worth = self._log_chance(belief) + np.log(works)
            best = int(np.argmax(np.where(among, worth, -np.inf)))
            picks.append(
                Pick(
                    place=int(places[best]),
                    is_new=is_new and not waits[best],
                    mean=float(plain.mean[best]),
                    sd=float(np.sqrt(plain.variance[best])),
                    hit=float(hits[best]),
                    works=float(works[best]),
                )
            )
            is_free[best] = False
            waits |= self.candidates.near(int(places[best]), places)
            belief = self._after_a_miss(belief, best)
        return picks

    def _log_chance(self, belief: Belief) -> np.ndarray:
        return log_ndtr((belief.mean - self.threshold) / np.sqrt(belief.variance + self.model.noise))

    def _after_a_miss(self, belief: Belief, place: int) -> Belief:
        """Return the belief as if one were known to be no hit: its mean where it is below the threshold."""
        size = float(np.sqrt(belief.variance[place] + self.model.noise))
        below = (self.threshold - float(belief.mean[place])) / size
        ratio = np.exp(-0.5 * below**2 - 0.5 * np.log(2.0 * np.pi) - log_ndtr(below))
        return belief.assuming(place, float(belief.mean[place]) - size * float(ratio))


def _squared(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return mean squared differences over columns, `n x m`, good to the rounding of the codes' own squares."""
    squares = np.sum(left * left, axis=1)[:, None] + np.sum(right * right, axis=1) - 2.0 * (left @ right.T)
    return np.maximum(squares, 0.0) / left.shape[1]
