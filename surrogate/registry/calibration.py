"""Whether forecasts are as sure as they should be, from results that came after them.

Coverage of central intervals; the Kolmogorov-Smirnov distance of the probability integral transforms (PIT) from
evenness, its significance by Stephens, J. R. Stat. Soc. B 32, 115 (1970); and the expected calibration error, the mean
distance between what nine central intervals hold and should. The factor that standard deviations need is split
conformal: the least that would have held 90 % of n results, with n + 1 counted (Lei et al., J. Am. Stat. Assoc. 113,
1094 (2018), doi:10.1080/01621459.2017.1307116), which is exact for finite n where results are exchangeable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrc, kolmogorov, ndtri

Array = NDArray[np.floating[Any]]

WINDOW = 40
"""Results that calibration is watched over: the last."""
FEWEST = 8
"""Results without which nothing is said."""
ALARM = 0.01
"""Probability that a calibrated model raises an alarm at one look; a third for each of coverage, PIT and error."""
LEVELS = tuple(round(0.1 * step, 1) for step in range(1, 10))
_LEVEL = 0.9
_N_DRAWS = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What n results say of the forecasts before them; shares of results that central intervals held."""

    n: int
    coverage_50: float
    coverage_90: float
    coverage_95: float
    ks: float
    """Kolmogorov-Smirnov distance of the PIT from evenness."""
    ks_p: float
    """Probability of at least this distance where forecasts are calibrated."""
    ece: float
    """Expected calibration error."""
    factor: float | None
    """What standard deviations must be multiplied by for 90 % coverage; None below 9 results."""
    alarms: tuple[str, ...] = ()
    """What is significantly off, in words."""

    def data(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**asdict(self), "alarms": list(self.alarms)}


def calibration_of(pits: Sequence[float]) -> Calibration | None:
    """Judge forecasts by the PIT of the results after them; None where there are fewer than 8."""
    n = len(pits)
    if n < FEWEST:
        return None
    values = np.clip(np.asarray(pits, dtype=float), 0.0, 1.0)
    distance = _ks(values)
    found = Calibration(
        n=n,
        coverage_50=coverage(values, 0.5),
        coverage_90=coverage(values, 0.9),
        coverage_95=coverage(values, 0.95),
        ks=distance,
        ks_p=ks_significance(distance, n),
        ece=_ece(values),
        factor=conformal_factor(pits),
    )
    return Calibration(**{**asdict(found), "alarms": tuple(_alarms(found))})


def coverage(pits: Array, level: float) -> float:
    """Return the share of results that lay in the central interval of a level."""
    return float((np.abs(pits - 0.5) <= 0.5 * level + 1e-12).mean())


def ks_significance(distance: float, n: int) -> float:
    """Return the probability of a Kolmogorov-Smirnov distance of at least this in n even numbers (Stephens)."""
    return float(kolmogorov((n**0.5 + 0.12 + 0.11 / n**0.5) * distance))


def ks_of(pits: Sequence[float]) -> tuple[float, float]:
    """Return the Kolmogorov-Smirnov distance of PIT from evenness, and its significance."""
    distance = _ks(np.asarray(pits, dtype=float))
    return distance, ks_significance(distance, len(pits))


def conformal_factor(pits: Sequence[float]) -> float | None:
    """Return what standard deviations must be multiplied by for 90 % coverage of the next result.

    It is the k-th smallest distance in standard deviations, k the least whole number from 0.9 (n + 1) up, over that of
    the normal; None where n is too small for any to do.
    """
    n = len(pits)
    rank = ceil(_LEVEL * (n + 1) - 1e-9)
    if rank > n:
        return None
    # a PIT of 0 or 1 is one that ran out of digits, 8 standard deviations away at least
    distances = np.sort(np.abs(ndtri(np.clip(np.asarray(pits, dtype=float), 1e-16, 1.0 - 1e-16))))
    return float(distances[rank - 1] / ndtri(0.5 + 0.5 * _LEVEL))


def _alarms(found: Calibration) -> list[str]:
    said = []
    if _binomial(round(found.coverage_90 * found.n), found.n) < ALARM / 3.0:
        said.append(f"90 % intervals held {found.coverage_90:.0%} of the last {found.n} results")
    if found.ks_p < ALARM / 3.0:
        said.append(f"results lie unevenly in what was foretold (KS {found.ks:.2f}, p {found.ks_p:.1g})")
    if found.ece > _greatest_ece(found.n):
        said.append(f"intervals are off by {found.ece:.0%} on average")
    return said


def _binomial(inside: int, n: int) -> float:
    """Return the two-sided significance of so many results inside 90 % intervals."""
    fewer, more = float(bdtr(inside, n, _LEVEL)), float(bdtrc(inside - 1, n, _LEVEL)) if inside else 1.0
    return min(1.0, 2.0 * min(fewer, more))


def _ks(values: Array) -> float:
    ordered, n = np.sort(values), len(values)
    steps = np.arange(n + 1) / n
    return float(max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max()))


def _ece(values: Array) -> float:
    return float(np.mean([abs(coverage(values, level) - level) for level in LEVELS]))


@cache
def _greatest_ece(n: int) -> float:
    """Return the calibration error that n calibrated forecasts exceed as rarely as an alarm may be false."""
    rng = np.random.default_rng([n, 5])
    distance = 2.0 * np.abs(rng.random((_N_DRAWS, n)) - 0.5)
    errors = np.mean([np.abs((distance <= level).mean(axis=1) - level) for level in LEVELS], axis=0)
    return float(np.quantile(errors, 1.0 - ALARM / 3.0))
