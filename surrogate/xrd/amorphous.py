"""How much of a pattern lies in humps: a decision by evidence between a smooth background alone and one with humps.

What the fitted phases leave is averaged over half degrees and explained as a low polynomial and rises toward low angles
(Gaussian priors, marginalised in closed form) with none to three Gaussian humps of free place and width and heights
that are not negative. Places and widths are summed over a grid, so that the evidence of each number of humps pays for
the room it takes, and areas are averages over all that explains the pattern (Gull 1988,
doi:10.1007/978-94-009-3049-0_4, on evidence; the integral of a Gaussian over positive heights is exact for one hump
and of independent heights for two).

A hump and a smooth background cannot be told apart within a few degrees: then there is no answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter
from scipy.special import log_ndtr

from surrogate.xrd.pattern import Pattern

Array = NDArray[np.floating[Any]]
Indices = NDArray[np.intp]

BLOCK_DEG = 0.5
LEAST_RANGE_DEG = 20.0
"""Of angles that were measured; over less, the widest hump is as smooth as a background."""
LEAST_BLOCKS = 20
WIDTHS_DEG = (4.5, 6.0, 8.0, 10.5, 14.0)
"""Full widths at half height of humps."""
FIRST_DEG, LAST_DEG, STEP_DEG = 10.0, 62.0, 2.0
"""Places of humps; where the scan has them, and a degree within."""
PEAK_ERROR = 0.12
"""Of the phases' height, as a standard deviation of a block: tails of peaks are not known better."""
SMOOTH_ERROR = 0.025
"""Of what is smooth."""
LOCAL_DEG = 3.5
"""What stands out of the median over so much is a peak that no phase explains."""
STANDS_OUT = 3.0
DEGREE = 6
RIPPLE = 0.05
"""Prior sd of the polynomial's higher terms, over the background's level; the first are freer."""
SLOPE = 0.5
FALLS_DEG = (0.8, 2.5, 8.0, 20.0)
"""Decay of what falls from low angles on: the edge of a beam, air in the beam."""
FALL = 3.0
LOG_ODDS = -1.0
"""Prior, of each hump."""
N_PAIRS = 6
"""So many of the best pairs of humps are tried with a third."""
SHAPE_ERROR = 0.15
"""Relative sd of the ratio of humps to peaks: humps are no Gaussians, and their feet are taken for background."""
Z_90 = 1.645
UNDECIDED = 0.4
"""Where humps of such a share could be there unseen, nothing is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amorphous:
    """What can be said about humps."""

    fraction: float | None
    """Share of the scattering above the smooth background that lies in humps; 0 where the pattern asks for none, None
    where it cannot say."""
    interval: tuple[float, float]
    """90 %."""
    probability: float
    """That there are humps."""


NOTHING = Amorphous(fraction=None, interval=(0.0, 1.0), probability=0.5)


def amorphous(pattern: Pattern, peaks: Array) -> Amorphous:
    """Return the share of humps.

    Args:
        pattern: What was measured.
        peaks: ``n`` intensities of all phases together.
    """
    blocks = _blocks(pattern, peaks)
    if len(blocks.angle_deg) < LEAST_BLOCKS or float(blocks.width_deg.sum()) < LEAST_RANGE_DEG:
        return NOTHING
    if peaks.any() and blocks.level <= 0.0:
        # a background was taken off before, and humps perhaps with it
        return NOTHING
    log_evidence, area, sd = _humps(blocks)
    chance = np.exp(log_evidence - log_evidence.max())
    chance /= chance.sum()
    probability = float(1.0 - chance[0])
    others = chance[1:] / max(float(chance[1:].sum()), 1e-300)
    hidden = _share(float(_quantile(area[1:] + Z_90 * sd[1:], others, 0.95)), blocks.crystalline)
    if probability < 0.5:
        fraction = None if hidden > UNDECIDED and peaks.any() else 0.0
        return Amorphous(fraction=fraction, interval=(0.0, hidden), probability=probability)
    low = _share(_quantile(area - Z_90 * sd, chance, 0.05), blocks.crystalline, -Z_90 * SHAPE_ERROR)
    high = _share(_quantile(area + Z_90 * sd, chance, 0.95), blocks.crystalline, Z_90 * SHAPE_ERROR)
    return Amorphous(
        fraction=_share(float(others @ area[1:]), blocks.crystalline), interval=(low, high), probability=probability
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blocks:
    """Half degrees of ``m`` angles."""

    angle_deg: Array
    width_deg: Array
    value: Array
    """``m``: what the phases leave."""
    variance: Array
    smooth: Array
    """``m``, without peaks that no phase explains."""
    crystalline: float
    """Area of all peaks, those that no phase explains too."""

    @property
    def level(self) -> float:
        """Return how high the background is."""
        return float(np.quantile(self.smooth, 0.2))


def _blocks(pattern: Pattern, peaks: Array) -> _Blocks:
    step = pattern.grid.step_deg
    starts = np.arange(0, pattern.grid.n, max(1, round(BLOCK_DEG / step)))
    seen = np.isfinite(pattern.variance)
    weight = np.where(seen, 1.0 / (np.where(seen, pattern.variance, 1.0) + (PEAK_ERROR * peaks) ** 2), 0.0)
    total = np.add.reduceat(weight, starts)
    used = total > 0.0
    width = step * np.add.reduceat(seen.astype(float), starts)[used]

    def mean(values: Array) -> Array:
        return np.add.reduceat(weight * values, starts)[used] / total[used]

    value, height = mean(pattern.intensity - peaks), mean(peaks)
    variance = 1.0 / total[used] + (PEAK_ERROR * height) ** 2
    local = median_filter(value, round(LOCAL_DEG / BLOCK_DEG), mode="nearest")
    away = (value - local) / np.sqrt(variance)
    scatter = max(1.0, 1.4826 * float(np.median(np.abs(away))))
    beyond = np.maximum(away / (STANDS_OUT * scatter), 1.0)
    # weights make little of the points of a peak: its area is that of all points alike
    net = step * np.add.reduceat(np.where(seen, pattern.intensity - peaks, 0.0), starts)[used] - local * width
    unexplained = float(np.maximum(net[beyond > 1.0], 0.0).sum())
    return _Blocks(
        angle_deg=mean(pattern.two_theta_deg),
        width_deg=width,
        value=value,
        variance=variance * beyond**2 + (SMOOTH_ERROR * np.maximum(local, 0.0)) ** 2,
        smooth=local,
        crystalline=step * float(np.maximum(peaks, 0.0).sum()) + unexplained,
    )


def _humps(blocks: _Blocks) -> tuple[Array, Array, Array]:
    """Return, of all that could be (no hump first): logarithm of the evidence with its prior, area, its sd."""
    low, high = max(blocks.angle_deg[0] + 1.0, FIRST_DEG), min(blocks.angle_deg[-1] - 1.0, LAST_DEG)
    if not low < high:
        nothing = np.zeros(1)
        return nothing, nothing, nothing
    places = np.arange(low, high, STEP_DEG)
    at, fwhm = np.tile(places, len(WIDTHS_DEG)), np.repeat(WIDTHS_DEG, len(places))
    shapes = np.exp(-4.0 * math.log(2.0) * ((blocks.angle_deg[:, None] - at) / fwhm) ** 2)
    area = blocks.width_deg @ shapes
    problem = _problem(blocks, shapes, inflation=1.0)
    inflation = problem.misfit() / max(len(blocks.angle_deg) - DEGREE - 2, 1)
    if inflation > 1.0:
        problem = _problem(blocks, shapes, inflation=inflation)
    parts = (_none(), _ones(problem, area), _pairs(problem, area), _triples(problem, area))
    log_evidence, areas, sds = (np.concatenate([part[i] for part in parts]) for i in range(3))
    return log_evidence, areas, sds


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """``g`` humps that could be, with the background integrated out."""

    gram: Array
    """``g x g``."""
    right: Array
    """``g``."""
    rest: float
    """Chi squared without humps."""
    precision: float
    """Prior, of a height."""

    @property
    def own(self) -> Array:
        """Return the ``g`` precisions of a single hump's height."""
        return np.diag(self.gram) + self.precision

    def pairs(self) -> tuple[Indices, Indices]:
        """Return the indices of all pairs."""
        first, second = np.triu_indices(len(self.right), 1)
        return first, second

    def misfit(self) -> float:
        """Return chi squared of the best pair."""
        i, j, one, two, determinant = _pair_heights(self)
        gain = np.where((one > 0.0) & (two > 0.0), one * self.right[i] + two * self.right[j], 0.0)
        single = np.maximum(self.right, 0.0) ** 2 / self.own
        return self.rest - float(max(gain.max(initial=0.0), single.max()))


def _problem(blocks: _Blocks, shapes: Array, *, inflation: float) -> _Problem:
    columns, sd = _smooth_columns(blocks)
    per_sigma = 1.0 / np.sqrt(inflation * blocks.variance)
    columns, shapes, value = columns * per_sigma[:, None], shapes * per_sigma[:, None], blocks.value * per_sigma
    factor = np.linalg.cholesky(columns.T @ columns + np.diag(sd**-2.0))
    across = np.linalg.solve(factor, columns.T @ np.column_stack([shapes, value]))
    gram, right = shapes.T @ shapes, shapes.T @ value
    return _Problem(
        gram=gram - across[:, :-1].T @ across[:, :-1],
        right=right - across[:, :-1].T @ across[:, -1],
        rest=float(value @ value - across[:, -1] @ across[:, -1]),
        precision=max(float(np.ptp(blocks.smooth)), 1e-12) ** -2,
    )


def _smooth_columns(blocks: _Blocks) -> tuple[Array, Array]:
    """Return what a background is made of (``m x b``) and the ``b`` prior sds."""
    angle = blocks.angle_deg
    low, high = float(angle[0]), float(angle[-1])
    level = max(blocks.level, 1e-3 * float(np.ptp(blocks.value)), 1e-12)
    degree = min(DEGREE, max(2, int((high - low) / 6.0)))
    polynomial = np.polynomial.chebyshev.chebvander(2.0 * (angle - low) / (high - low) - 1.0, degree)
    falls = [np.exp((low - angle) / decay) for decay in FALLS_DEG]
    falls.append(max(low, 1.0) / np.maximum(angle, 1.0))
    first = [10.0, SLOPE, SLOPE / 2.0]
    steepest = max(FALL, float(blocks.value[:2].max()) / level)
    sd = [*first, *[RIPPLE] * (degree - 2), *[steepest] * 2, *[FALL] * (len(falls) - 2)]
    return np.column_stack([polynomial, *falls]), level * np.array(sd)


def _none() -> tuple[Array, Array, Array]:
    return np.zeros(1), np.zeros(1), np.zeros(1)


def _ones(problem: _Problem, area: Array) -> tuple[Array, Array, Array]:
    own = problem.own
    height = problem.right / own
    log_evidence = 0.5 * problem.right * height + _occam(own, height, problem) + LOG_ODDS - math.log(len(own))
    return log_evidence, np.maximum(height, 0.0) * area, area / np.sqrt(own)


def _occam(precision: Array, height: Array, problem: _Problem) -> Array:
    """Return the logarithm of the part of a half-normal prior that the data leave."""
    prior = 0.5 * np.log(problem.precision / precision) + math.log(2.0)
    return prior + log_ndtr(height * np.sqrt(precision))


def _pair_heights(problem: _Problem) -> tuple[Indices, Indices, Array, Array, Array]:
    i, j = problem.pairs()
    own, across = problem.own, problem.gram[i, j]
    determinant = own[i] * own[j] - across**2
    one = (own[j] * problem.right[i] - across * problem.right[j]) / determinant
    two = (own[i] * problem.right[j] - across * problem.right[i]) / determinant
    return i, j, one, two, determinant


def _pairs(problem: _Problem, area: Array) -> tuple[Array, Array, Array]:
    i, j, one, two, determinant = _pair_heights(problem)
    own = problem.own
    # each height alone has the precision that is left when the other is integrated out
    alone_i, alone_j = determinant / own[j], determinant / own[i]
    gain = 0.5 * (problem.right[i] * one + problem.right[j] * two)
    prior = math.log(4.0 * problem.precision) - 0.5 * np.log(determinant)
    positive = log_ndtr(one * np.sqrt(alone_i)) + log_ndtr(two * np.sqrt(alone_j))
    log_evidence = gain + prior + positive + 2.0 * LOG_ODDS - math.log(len(i))
    variance = own[j] * area[i] ** 2 + own[i] * area[j] ** 2 - 2.0 * problem.gram[i, j] * area[i] * area[j]
    whole = np.maximum(one, 0.0) * area[i] + np.maximum(two, 0.0) * area[j]
    return log_evidence, whole, np.sqrt(np.maximum(variance / determinant, 0.0))


def _triples(problem: _Problem, area: Array) -> tuple[Array, Array, Array]:
    log_evidence, whole, sd = _pairs(problem, area)
    first, second = problem.pairs()
    found = []
    for pair in np.argsort(-log_evidence)[:N_PAIRS]:
        both = [first[pair], second[pair]]
        matrix = problem.gram[np.ix_(both, both)] + problem.precision * np.eye(2)
        solved = np.linalg.solve(matrix, np.column_stack([problem.gram[both], problem.right[both]]))
        own = problem.own - np.einsum("ij,ij->j", problem.gram[both], solved[:, :-1])
        own[both] = 1.0
        height = (problem.right - problem.gram[both].T @ solved[:, -1]) / own
        others = solved[:, -1:] - solved[:, :-1] * height
        more = 0.5 * own * height**2 + _occam(own, height, problem) + LOG_ODDS - math.log(len(area) / 3.0)
        allowed = (height > 0.0) & (others > 0.0).all(axis=0)
        allowed[both] = False
        areas = height * area + area[both] @ others
        found.append((np.where(allowed, log_evidence[pair] + more, -np.inf), areas, np.full(len(area), sd[pair])))
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))  # type: ignore[return-value]


def _quantile(values: Array, chance: Array, at: float) -> float:
    order = np.argsort(values)
    place = int(np.searchsorted(np.cumsum(chance[order]), at))
    return float(values[order[min(place, len(values) - 1)]])


def _share(humps: float, crystalline: float, log_factor: float = 0.0) -> float:
    """Return the humps' share of all; their ratio to the peaks may be off by a factor."""
    humps = max(humps, 0.0) * math.exp(log_factor)
    whole = humps + max(crystalline, 0.0)
    return humps / whole if whole > 0.0 else 0.0
