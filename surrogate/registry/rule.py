"""Champion and challenger: which model leads, by what each foretold before results were seen.

A challenger takes over on at least 8 results that both foretold since the last change: the sum of its log scores is
more than 1 nat above the champion's, the lower end of the 80 % interval of that sum by the stationary bootstrap
(Politis and Romano, J. Am. Stat. Assoc. 89, 1303 (1994), doi:10.1080/01621459.1994.10476870) is above 0, its 90 %
intervals held at least 75 %, and its PIT are not uneven at 1 %. A champion gives way to the cold model at once where
the cumulative sum of what it loses to that (Page, Biometrika 41, 100 (1954)) passes 4 nats. All functions are pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.registry.calibration import FEWEST, WINDOW, coverage, ks_of

Array = NDArray[np.floating[Any]]

COLD = "cold"
"""The model without sources, which any other must be worth more than."""
GAIN = 1.0
"""Nats by which a challenger must be ahead."""
LEAST_COVERAGE = 0.75
UNEVEN = 0.01
"""Significance of the PIT's distance from evenness below which a challenger is refused."""
LOST = 4.0
"""Nats of the cumulative sum at which a champion gives way."""
_TAIL = 0.1
"""Below the lower end of an 80 % interval."""
_N_RESAMPLES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One result, and what models that had foretold it are worth by it."""

    trial: int
    target: str
    scores: Mapping[str, float]
    """Log density, in nats, by model."""
    pits: Mapping[str, float]
    is_replayed: bool = False
    """Whether models were made as they would have been before it, but after it was known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A challenger against a champion."""

    challenger: str
    champion: str
    n: int
    gain: float
    """Sum of the log-score differences, challenger less champion, in nats."""
    low: float
    high: float
    """Ends of its 80 % interval."""
    coverage_90: float
    ks_p: float
    is_replayed: bool
    """Whether replayed results were needed to come to 8."""
    is_promoted: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Another model leads from here on."""

    after: int
    """How many results there had been."""
    trial: int
    """The trial of the last of them."""
    model: str
    before: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Who leads after some results, and what the next one must know."""

    champion: str
    results: tuple[Scored, ...] = ()
    since: int = 0
    """Results that came before the last change."""
    cusum: float = 0.0
    """What the champion has lost to the cold model, in nats."""
    changes: tuple[Change, ...] = field(default=())


def standing(results: Iterable[Scored], first: str) -> Standing:
    """Return who leads after some results; the first leads before them."""
    found = Standing(champion=first)
    for one in results:
        found = after(found, one)
    return found


def after(now: Standing, result: Scored) -> Standing:
    """Return who leads after one more result."""
    now = replace(now, results=(*now.results, result))
    champion, scores = now.champion, result.scores
    if champion != COLD and not result.is_replayed and champion in scores and COLD in scores:
        lost = max(0.0, now.cusum + scores[COLD] - scores[champion])
        now = replace(now, cusum=lost)
        if lost > LOST:
            return _changed(now, COLD, f"{champion} had lost {lost:.1f} nats to the cold model")
    if champion in scores:
        for challenger in sorted(scores.keys() - {champion}):
            verdict = judged(now.results, challenger, champion, since=now.since)
            if verdict is not None and verdict.is_promoted:
                return _changed(now, challenger, verdict.reason)
    return now


def judged(results: Sequence[Scored], challenger: str, champion: str, *, since: int = 0) -> Verdict | None:
    """Hold a challenger against a champion; None where there are fewer than 8 results that both foretold.

    Args:
        results: All, in order.
        challenger: Who wants to lead.
        champion: Who leads.
        since: Results that came before the last change; what they say was judged then.
    """
    used = _common(results, {challenger, champion}, since)
    if len(used) < FEWEST:
        return None
    is_replayed = any(one.is_replayed for one in used)
    differences = np.array([one.scores[challenger] - one.scores[champion] for one in used])
    pits = np.array([one.pits[challenger] for one in used])
    low, high = interval_of_sum(differences)
    verdict = Verdict(
        challenger=challenger,
        champion=champion,
        n=len(used),
        gain=float(differences.sum()),
        low=low,
        high=high,
        coverage_90=coverage(pits, 0.9),
        ks_p=ks_of(list(pits))[1],
        is_replayed=is_replayed,
        is_promoted=False,
        reason="",
    )
    missing = _missing(verdict)
    told = f"{challenger} is {verdict.gain:+.1f} nats from {champion} over {verdict.n} results"
    told += " (replayed)" if is_replayed else ""
    return replace(verdict, is_promoted=not missing, reason=f"{told}{'; ' if missing else ''}{'; '.join(missing)}")


def _common(results: Sequence[Scored], models: set[str], since: int) -> list[Scored]:
    """Return the last results that all of some models foretold; with replayed ones where these are fewer than 8."""
    foretold, replayed = list[Scored](), list[Scored]()
    for place in range(len(results) - 1, since - 1, -1):
        one = results[place]
        if models <= one.scores.keys():
            (replayed if one.is_replayed else foretold).append(one)
        if len(foretold) == WINDOW:
            break
    found = foretold if len(foretold) >= FEWEST else [*foretold, *replayed][:WINDOW]
    return found[::-1]


def interval_of_sum(differences: Array) -> tuple[float, float]:
    """Return the 80 % interval of a sum, by the stationary bootstrap with blocks of n^(1/3) on average.

    The resamples are the same always, so that the interval follows from the differences alone.
    """
    low, high = np.quantile(differences[_resamples(len(differences))].sum(axis=0), [_TAIL, 1.0 - _TAIL])
    return float(low), float(high)


@cache
def _resamples(n: int) -> NDArray[np.intp]:
    """Return ``n x _N_RESAMPLES`` places: runs of neighbours, the last followed by the first."""
    rng = np.random.default_rng(0)
    begins = rng.random((n, _N_RESAMPLES)) < n ** (-1.0 / 3.0)
    found = rng.integers(n, size=(n, _N_RESAMPLES))
    for step in range(1, n):
        found[step] = np.where(begins[step], found[step], (found[step - 1] + 1) % n)
    return found


def _missing(verdict: Verdict) -> list[str]:
    """Say what a challenger lacks; nothing where it may lead."""
    return [
        said
        for is_lacking, said in (
            (not verdict.gain > GAIN, f"more than {GAIN:g} nat is needed"),
            (not verdict.low > 0.0, f"the 80 % interval {verdict.low:+.1f} to {verdict.high:+.1f} is not above 0"),
            (verdict.coverage_90 < LEAST_COVERAGE, f"its 90 % intervals held {verdict.coverage_90:.0%}"),
            (verdict.ks_p < UNEVEN, f"results lie unevenly in what it foretold (p {verdict.ks_p:.1g})"),
        )
        if is_lacking
    ]


def _changed(now: Standing, model: str, why: str) -> Standing:
    change = Change(after=len(now.results), trial=now.results[-1].trial, model=model, before=now.champion, why=why)
    return replace(now, champion=model, since=len(now.results), cusum=0.0, changes=(*now.changes, change))
