"""Peaks that stand out of noise, with a known rate of false ones.

The signal over its noise is filtered with a Gaussian of the width of a peak (the matched filter of white noise); its
maxima above a threshold are peaks. Noise filtered with a Gaussian of standard deviation s has the autocorrelation
exp(-t^2 / 4 s^2), and by Rice (Bell Syst. Tech. J. 24, 46 (1945), doi:10.1002/j.1538-7305.1945.tb00453.x, section 3.3)
it climbs through u

    (p / 2 pi) sqrt(1 / 2 s^2) exp(-u^2 / 2)

times in p points, and starts above it with probability Q(u). The threshold is the u at which the sum, over all widths
that are tried, is the number of false alarms that is allowed in a spectrum. Points are discrete and maxima of one
noise burst at several widths count once, so that the true number is at most that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d
from scipy.optimize import brentq
from scipy.signal import find_peaks
from scipy.special import ndtr

Array = NDArray[np.floating[Any]]

FWHM_PER_SD = float(np.sqrt(8.0 * np.log(2.0)))
HIGHEST_SDS = 37.0
"""Beyond, probabilities underflow."""
SAME_PEAK = 0.7
"""What a wider filter finds closer than this, in its full widths, to something found before is the same."""
PROMINENCE_SDS = 3.0
"""Two maxima are two peaks if the valley between them is so deep, in sds of the filtered noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Something that stands out."""

    index: int
    fwhm: float
    """Of the filter under which it stands out most, in points."""
    significance: float
    """In standard deviations of the filtered noise."""


def detect(
    signal: Array, sd: Array, *, fwhms: Sequence[float], false_alarms: float, threshold: float | None = None
) -> list[Candidate]:
    """Return what stands out of ``p`` points, by index.

    Args:
        signal: ``p`` values, baseline taken off, 0 where not valid.
        sd: ``p`` standard deviations, infinite where not valid.
        fwhms: full widths at half maximum of peaks, in points.
        false_alarms: expected number of false peaks in the spectrum.
        threshold: in standard deviations, instead of the one that follows from `false_alarms`.
    """
    u = threshold_for(len(signal), fwhms, false_alarms) if threshold is None else threshold
    kept: list[Candidate] = []
    for fwhm in sorted(fwhms):
        new = _maxima(filtered(signal, sd, fwhm), fwhm, u)
        # a wider filter finds what narrower ones miss; where they see something, or two, it adds nothing
        kept += [one for one in new if all(abs(one.index - seen.index) > SAME_PEAK * fwhm for seen in kept)]
    return sorted(kept, key=lambda one: one.index)


def threshold_for(p: int, fwhms: Sequence[float], false_alarms: float) -> float:
    """Return the threshold, in sds, above which noise alone rises so many times in ``p`` points."""

    def excess(u: float) -> float:
        return float(np.log(expected_alarms(p, fwhms, u) / false_alarms))

    return brentq(excess, 0.0, HIGHEST_SDS) if excess(0.0) > 0 else 0.0  # type: ignore[return-value]


def expected_alarms(p: int, fwhms: Sequence[float], u: float) -> float:
    """Return how often filtered noise of ``p`` points climbs through u, or starts above it."""
    # below a standard deviation of half a point neighbours are independent, and each point is its own chance
    scales = np.array([max(fwhm / FWHM_PER_SD, 1e-6) for fwhm in fwhms])
    rice = p / (2.0 * np.pi) / (np.sqrt(2.0) * scales) * np.exp(-0.5 * u**2)
    independent = p * ndtr(-u)
    return float(np.sum(np.minimum(rice, independent) + ndtr(-u)))


def filtered(signal: Array, sd: Array, fwhm: float) -> Array:
    """Return the significance of a peak of this width at each of ``p`` points."""
    scale = fwhm / FWHM_PER_SD
    reach = max(int(np.ceil(4.0 * scale)), 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / scale) ** 2)
    weights = 1.0 / sd**2
    # the best estimate of the height, over its own standard deviation
    height = correlate1d(signal * weights, kernel, mode="constant")
    power = correlate1d(weights, kernel**2, mode="constant")
    return np.where(power > 0, height / np.sqrt(np.where(power > 0, power, 1.0)), 0.0)


def _maxima(standing: Array, fwhm: float, threshold: float) -> list[Candidate]:
    # the ends count as places from which the signal falls
    padded = np.pad(standing, 1, constant_values=-HIGHEST_SDS)
    tops, _ = find_peaks(padded, height=threshold, prominence=PROMINENCE_SDS)
    return [
        Candidate(index=int(i - 1), fwhm=float(fwhm), significance=float(padded[i]))
        for i in tops
        if padded[i] > threshold
    ]
