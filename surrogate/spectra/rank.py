"""How many components a map of spectra has.

The number is the one that foretells entries best that were held out at random over the whole table. (Owen & Perry, Ann.
Appl. Stat. 3, 564 (2009), doi:10.1214/08-AOAS227, hold out blocks; single entries leave a part of each row and column.)
Where the difference between two numbers is within twice its standard error, that is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.spectra.factors import NO_CONSTRAINTS, Constraints, Data, Factors, best_of
from surrogate.spectra.map_table import map_table, require_ranks

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

RANK_RESTARTS = 2
FOLDS = 3
HELD_OUT = 0.1
"""Share of the entries that is held out in each fold."""
SURE_SES = 2.0
"""A rank is better than another if it is by so many standard errors."""
MISFIT = 1.3
"""A held-out chi-square per entry above this says that the model or the noise is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankScore:
    """How well a number of components foretold held-out entries."""

    rank: int
    log_probability: float
    """Relative to the best rank, over all held-out entries."""
    standard_error: float
    """Of that difference."""
    chi2_per_entry: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RankChoice:
    """How many components there are."""

    rank: int
    """The smallest that is not worse than the best by more than its error."""
    is_determined: bool
    reason: str
    """Why it is determined, or not."""
    scores: tuple[RankScore, ...]


def choose_rank(
    values: Array,
    sd: Array | float,
    ranks: Sequence[int],
    *,
    generator: np.random.Generator,
    constraints: Constraints = NO_CONSTRAINTS,
    valid: Mask | None = None,
) -> RankChoice:
    """Choose the number of components by the probability of held-out entries.

    Args:
        values: ``m x p`` spectra, baseline taken off.
        sd: standard deviations, ``m x p`` or what broadcasts to it.
        ranks: to try, fixed components included; the search ends when two in a row are surely worse than a smaller one.
        generator: draws starts and held-out entries.
        constraints: what is known.
        valid: ``m x p``; other entries are not used.

    Raises:
        CannotTell: The table cannot be used, or is too small for the ranks.
    """
    data = map_table(values, sd, valid)
    ranks = sorted(set(ranks))
    require_ranks(data, ranks, constraints)
    folds = [_Fold.of(data, _speckles(data, generator)) for _ in range(FOLDS)]
    smaller: list[Array | None] = [None] * FOLDS
    scores: dict[int, Array] = {}
    for rank in ranks:
        fits = [
            best_of(fold.training, rank, constraints, generator, restarts=RANK_RESTARTS, grown_from=start)
            for fold, start in zip(folds, smaller, strict=True)
        ]
        scores[rank] = np.concatenate([fold.scored(fit) for fold, fit in zip(folds, fits, strict=True)])
        smaller = [fit.components for fit in fits]
        if _is_past_best(scores):
            break
    return _chosen(scores, list(scores))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fold:
    """A table, which of its entries are held out, and what is left to learn from."""

    whole: Data
    held: Mask
    training: Data

    @classmethod
    def of(cls, whole: Data, held: Mask) -> _Fold:
        return cls(whole=whole, held=held, training=replace(whole, precision=np.where(held, 0.0, whole.precision)))

    def scored(self, fit: Factors) -> Array:
        """Return the log probabilities of the held-out entries, without their constant."""
        away = (self.whole.values - fit.weights @ fit.components)[self.held]
        return -0.5 * self.whole.precision[self.held] * away**2


def _is_past_best(scores: dict[int, Array]) -> bool:
    """Say whether the last two ranks are surely worse than one before them."""
    best = max(scores, key=lambda rank: float(scores[rank].sum()))
    last_two = [_rank_score(rank, scores[rank], scores[best]) for rank in list(scores)[-2:]]
    return len(scores) > 2 and all(-one.log_probability > SURE_SES * one.standard_error for one in last_two)


def _speckles(data: Data, generator: np.random.Generator) -> Mask:
    """Draw entries to hold out, leaving at least half of each row and column that is used."""
    used = data.precision > 0
    held = used & (generator.random(used.shape) < HELD_OUT)
    for axis in (0, 1):
        too_many = held.sum(axis=axis, keepdims=True) > 0.5 * used.sum(axis=axis, keepdims=True)
        held &= ~too_many
    return held


def _chosen(scores: dict[int, Array], ranks: list[int]) -> RankChoice:
    totals = {rank: float(points.sum()) for rank, points in scores.items()}
    best = max(ranks, key=lambda rank: totals[rank])
    table = tuple(_rank_score(rank, scores[rank], scores[best]) for rank in ranks)
    open_ranks = [one.rank for one in table if -one.log_probability <= SURE_SES * one.standard_error]
    chosen = open_ranks[0]
    by_rank = {one.rank: one for one in table}
    reason = _why_open(chosen, best, ranks, open_ranks, by_rank)
    return RankChoice(
        rank=chosen,
        is_determined=reason is None,
        reason=reason or f"{chosen} components foretell held-out values better than fewer, and more do no better",
        scores=table,
    )


def _rank_score(rank: int, points: Array, best: Array) -> RankScore:
    away = points - best
    return RankScore(
        rank=rank,
        log_probability=float(away.sum()),
        standard_error=float(np.sqrt(len(away)) * away.std()),
        chi2_per_entry=-2.0 * float(points.mean()),
    )


def _why_open(
    chosen: int, best: int, ranks: list[int], open_ranks: list[int], by_rank: dict[int, RankScore]
) -> str | None:
    """Return why the number of components is not determined, or None where it is."""
    if by_rank[best].chi2_per_entry > MISFIT:
        return (
            f"even with {best} components held-out values miss by {by_rank[best].chi2_per_entry:.1f} times their "
            "variance: the noise is larger than said, or spectra do not simply add"
        )
    if chosen == ranks[-1]:
        return f"{chosen} components, the most that were tried, are needed: try more"
    if len(open_ranks) > 1:
        more = ", ".join(str(rank) for rank in open_ranks)
        return f"{more} components foretell held-out values equally well, within {SURE_SES:g} standard errors"
    return None
