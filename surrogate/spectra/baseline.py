"""The baseline under peaks, chosen among many by evidence, with its uncertainty.

First the peaks are modelled as far as a baseline needs to know them (`surrogate.spectra.baseline_peaks`): positive,
narrower than `widest_peak`, on something smooth. Then each candidate (a method with a setting) is drawn several times,
each time with every fourth point hidden; hidden points are bridged from their neighbours, so that their own noise is
unknown to the fit. A candidate b is scored by the log probability of the hidden points y, the peaks P taken away,

    sum of  log [ (1 - e) N(y - P; b, s^2) + e N(y - P; b, (10 s)^2) ],    s^2 = noise^2 + (shape error of P)^2

A baseline that follows noise fails at hidden points; one that is too stiff, or that rises into peaks, fails where the
peaks are known or absent; under strong peaks, where s is large, little is at stake. Candidates are averaged with the
weights of the Bayesian bootstrap of these scores (pseudo-BMA+: Yao et al., Bayesian Anal. 13, 917 (2018),
doi:10.1214/17-BA1091, section 3.4). The variance is the spread over candidates, the delete-a-group jackknife of each
(Efron & Stein, Ann. Stat. 9, 586 (1981), doi:10.1214/aos/1176345462), which the four drawings give for nothing, and
what baseline and peaks can exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.special import logsumexp

from surrogate.spectra.baseline_candidates import PERIODS, Candidate, candidates
from surrogate.spectra.baseline_peaks import PeakModel, fit_peaks
from surrogate.spectra.errors import CannotTell
from surrogate.spectra.noise import neighbour_correlation, noise_sd

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

FOLDS = 4
MIN_POINTS = 32
CONTAMINATION = 0.02
"""Share of points that are not as the noise says."""
WIDE_SDS = 10.0
BOOTSTRAPS = 200
BLOCKS = 40
"""Stretches of the spectrum that the bootstrap weighs as wholes: neighbouring points err together."""
DEFAULT_WIDEST = 1.0 / 40.0
"""Of the points, where the widest peak is not given."""
RACE_NATS = 50.0
"""A candidate that is so far behind after the first quarter of the points is not drawn again."""
CORRELATED = 0.15
MANY_POINTS = 2000
"""More points than this are binned before, as far as the widest peak allows."""
BINS_PER_PEAK = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How well a candidate foretold the hidden points."""

    candidate: Candidate
    log_probability: float
    """Sum over all points, relative to the best candidate."""
    weight: float
    """Share in the average."""
    is_complete: bool
    """False: it was given up after the first quarter, and the score is four times that of the quarter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A baseline of ``p`` points."""

    values: Array
    sd: Array
    """``p``: of the baseline, not of the spectrum."""
    chosen: Candidate
    """The one of the largest weight."""
    scores: tuple[Score, ...]
    """Best first."""
    peaks: Array
    """``p``: the peaks that were allowed for; coarse, see `surrogate.spectra.peaks` for those to report."""
    noise_sd: Array
    """``p``, of the spectrum: given, or estimated."""
    warnings: tuple[str, ...] = ()


def estimate_baseline(
    y: Array,
    *,
    generator: np.random.Generator,
    sd: Array | None = None,
    valid: Mask | None = None,
    widest_peak: float | None = None,
    among: Sequence[Candidate] | None = None,
) -> Baseline:
    """Choose, by evidence, the baseline under a spectrum of evenly spaced points.

    Args:
        y: ``p`` values.
        generator: draws the bootstrap.
        sd: ``p`` standard deviations; estimated from second differences where not given.
        valid: ``p``; other points are bridged and not scored.
        widest_peak: full width at half maximum, in points, of the widest feature that is a peak and not baseline.
        among: candidates, instead of all.

    Raises:
        CannotTell: There are too few points or no noise to judge by.
    """
    good = np.isfinite(y) if valid is None else np.asarray(valid, dtype=bool) & np.isfinite(y)
    y = _bridged(np.asarray(y, dtype=float), good)
    noise: Array = noise_sd(y[None], good[None])[0] if sd is None else np.broadcast_to(np.asarray(sd, float), y.shape)
    _require_noise(noise, good)
    noise = np.interp(np.arange(len(y)), np.flatnonzero(good), noise[good])
    widest = DEFAULT_WIDEST * len(y) if widest_peak is None else float(widest_peak)
    if widest < 2.0:
        raise CannotTell(f"a widest peak of {widest:.1f} points is narrower than a peak can be seen")
    size = _bin_size(len(y), widest)
    if size == 1:
        return _estimate(y, noise, good, widest, among, generator)
    binned = _estimate(*_binned(y, noise, good, size), widest / size, among, generator)
    return _spread_out(binned, noise, size)


def _estimate(
    y: Array,
    sd: Array,
    good: Mask,
    widest: float,
    among: Sequence[Candidate] | None,
    generator: np.random.Generator,
) -> Baseline:
    pool = list(candidates(len(y), widest) if among is None else among)
    periods = tuple(factor * widest for factor in PERIODS)
    model = fit_peaks(y, sd, widest=widest, periods=periods, good=good)
    drawn, lost = _race(pool, y, model, good)
    points = np.array([draws.points for draws in drawn.values()])
    weights = bootstrap_weights(points[:, good], generator)
    values, variance = _average(list(drawn.values()), weights)
    complete = {
        one: (float(draws.points[good].sum()), float(w)) for (one, draws), w in zip(drawn.items(), weights, strict=True)
    }
    return Baseline(
        values=values,
        sd=np.sqrt(variance + model.baseline_variance),
        chosen=list(drawn)[int(np.argmax(weights))],
        scores=_ranked(complete, lost),
        peaks=model.peaks,
        noise_sd=sd,
        warnings=_warnings(y, sd),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draws:
    """What a candidate gives with all points, its score at each point when hidden, and the jackknife variance."""

    whole: Array
    points: Array
    variance: Array


def _race(
    pool: Sequence[Candidate], y: Array, model: PeakModel, good: Mask
) -> tuple[dict[Candidate, _Draws], dict[Candidate, float]]:
    """Draw all candidates once, and those that keep up to the end; return these, and the scores of the others."""
    filled = _filled(y)
    first = {one: drawn for one in pool if (drawn := one(filled[0], model)) is not None}
    early = {one: FOLDS * _first_score(y, model, drawn, good) for one, drawn in first.items()}
    best = max(early.values(), default=0.0)
    drawn, lost = {}, {}
    for one, score in early.items():
        if score < best - FOLDS * RACE_NATS:
            lost[one] = score
        elif (draws := _draw(one, y, [first[one]], filled[1:], model)) is not None:
            drawn[one] = draws
    if not drawn:
        raise CannotTell(f"none of {len(pool)} ways of drawing a baseline works on these {len(y)} points")
    return drawn, lost


def _first_score(y: Array, model: PeakModel, baseline: Array, good: Mask) -> float:
    return float(_scored(y - model.peaks, model.sd, baseline)[::FOLDS][good[::FOLDS]].sum())


def _draw(one: Candidate, y: Array, folds: list[Array], filled: Sequence[Array], model: PeakModel) -> _Draws | None:
    for values in (*filled, y):
        drawn = one(values, model)
        if drawn is None:
            return None
        folds = [*folds, drawn]
    *hidden, whole = folds
    stacked = np.array(hidden)
    variance = (FOLDS - 1) / FOLDS * np.sum((stacked - stacked.mean(axis=0)) ** 2, axis=0)
    return _Draws(whole=whole, points=_scored(y - model.peaks, model.sd, _picked(stacked)), variance=variance)


def _filled(y: Array) -> list[Array]:
    """Return copies of ``p`` values, in each of which every fourth point is bridged from its neighbours."""
    bridge = 0.5 * (np.append(y[1], y[:-1]) + np.append(y[1:], y[-2]))
    index = np.arange(len(y))
    return [np.where(index % FOLDS == fold, bridge, y) for fold in range(FOLDS)]


def _picked(folds: Array) -> Array:
    """Return, of ``4 x p`` baselines, at each point the one to which the point was hidden."""
    index = np.arange(folds.shape[1])
    return folds[index % FOLDS, index]


def _scored(y: Array, sd: Array, baseline: Array) -> Array:
    """Return ``p`` log probabilities, in units of the noise."""
    away = (y - baseline) / sd
    narrow = np.log(1.0 - CONTAMINATION) - 0.5 * away**2
    wide = np.log(CONTAMINATION / WIDE_SDS) - 0.5 * (away / WIDE_SDS) ** 2
    return np.logaddexp(narrow, wide)


def bootstrap_weights(points: Array, generator: np.random.Generator) -> Array:
    """Return ``c`` weights of candidates from their ``c x p`` log probabilities, by blockwise Bayesian bootstrap."""
    n_blocks = min(BLOCKS, points.shape[1])
    blocks = np.array([part.sum(axis=1) for part in np.array_split(points, n_blocks, axis=1)])
    shares = generator.dirichlet(np.ones(n_blocks), size=BOOTSTRAPS)
    totals = n_blocks * shares @ blocks
    logs = totals - logsumexp(totals, axis=1, keepdims=True)
    return np.exp(logs).mean(axis=0)


def _average(draws: Sequence[_Draws], weights: Array) -> tuple[Array, Array]:
    whole = np.array([one.whole for one in draws])
    mean = weights @ whole
    within = weights @ np.array([one.variance for one in draws])
    # four drawings say little of a variance at one point; its neighbours say the same
    return mean, weights @ (whole - mean) ** 2 + gaussian_filter1d(within, 5.0, mode="nearest")


def _ranked(complete: Mapping[Candidate, tuple[float, float]], lost: Mapping[Candidate, float]) -> tuple[Score, ...]:
    best = max(total for total, _ in complete.values())
    scores = [
        Score(candidate=one, log_probability=total - best, weight=weight, is_complete=True)
        for one, (total, weight) in complete.items()
    ]
    scores += [
        Score(candidate=one, log_probability=total - best, weight=0.0, is_complete=False) for one, total in lost.items()
    ]
    return tuple(sorted(scores, key=lambda score: (not score.is_complete, -score.log_probability)))


def _bin_size(p: int, widest: float) -> int:
    return max(min(p // (MANY_POINTS // 2), int(widest / BINS_PER_PEAK)), 1) if p > MANY_POINTS else 1


def _binned(y: Array, sd: Array, good: Mask, size: int) -> tuple[Array, Array, Mask]:
    """Return means of `size` neighbours, their standard deviations, and where all of them are good."""
    n = len(y) // size
    cut = (slice(0, n * size),)
    together = [part[cut].reshape(n, size) for part in (y, sd, good)]
    return (
        together[0].mean(axis=1),
        np.sqrt(np.sum(together[1] ** 2, axis=1)) / size,
        np.asarray(together[2].all(axis=1)),
    )


def _spread_out(binned: Baseline, sd: Array, size: int) -> Baseline:
    at = np.arange(len(binned.values)) * size + 0.5 * (size - 1)
    index = np.arange(len(sd), dtype=float)

    def spread(values: Array) -> Array:
        return np.interp(index, at, values)

    return replace(binned, values=spread(binned.values), sd=spread(binned.sd), peaks=spread(binned.peaks), noise_sd=sd)


def _bridged(y: Array, good: Mask) -> Array:
    if len(y) < MIN_POINTS or good.sum() < MIN_POINTS:
        raise CannotTell(f"{int(good.sum())} usable points are too few for a baseline; {MIN_POINTS} are needed")
    index = np.arange(len(y))
    return np.interp(index, index[good], y[good])


def _require_noise(sd: Array, good: Mask) -> None:
    if not (np.isfinite(sd[good]).all() and (sd[good] > 0).all()):
        raise CannotTell(
            "the noise of the spectrum is zero or unknown, and without it no baseline is better than another; "
            "give the standard deviation of its points"
        )


def _warnings(y: Array, sd: Array) -> tuple[str, ...]:
    correlation = neighbour_correlation(y / sd)
    if correlation <= CORRELATED:
        return ()
    return (
        f"the noise of neighbouring points is correlated ({correlation:.2f}), as after smoothing or resampling: "
        "flexible baselines are judged too kindly",
    )
