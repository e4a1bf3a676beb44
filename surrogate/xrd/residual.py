"""What a model leaves unexplained: peaks, and figures that tell whether a phase is missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from surrogate.xrd.pattern import Pattern
from surrogate.xrd.result import ResidualPeak
from surrogate.xrd.wildcard import Wildcard, wildcard

Array = NDArray[np.floating[Any]]

LEAST_SIGMA = 4.5
"""Of a matched filter; noise alone passes it about once in ten thousand independent places."""
SHAPE_ERROR = 0.12
"""Of the model's height, as a standard deviation: misfits at the flanks of strong peaks are no peaks."""
WIDTHS = (1.0, 2.0)
"""Of the matched filters, in typical widths of peaks."""
LEAST_SEEN = 0.3
"""Part of a matched filter that must have been measured."""
MOST_PEAKS = 40
MUCH_STRAIN = 4.0
"""In prior sds: phases that are there hardly reach it."""
UNBENT = (0.0, 0.0, 0.0, 4.0, 0.0, 0.0)
"""The last features where there is no phase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """What no phase explains."""

    peaks: tuple[ResidualPeak, ...]
    features: tuple[float, ...]
    """What the probability of a missing phase is worked out from; see `FEATURES`."""
    wildcard: Wildcard


FEATURES = (
    "strongest",
    "second",
    "third",
    "unexplained",
    "misfit",
    "peaks",
    "wild gain",
    "wild peaks",
    "wild misfit",
    "strain",
    "overstrain",
    "texture",
    "size",
    "priors",
    "phases",
)
"""Square roots of the three highest residual peaks in sigma; the logarithm of the part of the peaks' intensity that is
not explained; the logarithm of chi squared per step; the root of the number of residual peaks. The root of what free
peaks gain, in nats, and of how many they are, and the logarithm of chi squared per step beside them. Then how the found
phases had to bend, which is what they do to take a missing one's place: the largest strain in prior sds, by how much it
exceeds `MUCH_STRAIN`, the largest texture in prior sds, the logarithm of the smallest crystallites in nm, the root of
all priors' squares, the number of phases."""


def leftover(pattern: Pattern, model: Array, background: Array, *, bent: tuple[float, ...] = UNBENT) -> Leftover:
    """Find peaks that a model does not explain.

    Args:
        pattern: What was measured.
        model: ``n`` intensities.
        background: ``n``, all of the model that is no peak.
        bent: The last features, of the set's phases.
    """
    seen = np.isfinite(pattern.variance)
    peaks = np.maximum(model - background, 0.0)
    # a flank's misfit is as large as the change of the model over a part of its width
    width = pattern.width_deg / pattern.grid.step_deg
    blurred = gaussian_filter1d(peaks, max(width / 2.0, 0.7))
    error = np.where(seen, pattern.variance, 1.0) + (SHAPE_ERROR * np.maximum(blurred, peaks)) ** 2
    weight = np.where(seen, 1.0 / error, 0.0)
    residual = pattern.intensity - model
    significance = np.max([_matched(residual, weight, width * scale / 2.355) for scale in WIDTHS], axis=0)
    found = _peaks(pattern, significance, residual, width)
    free = wildcard(pattern, model)
    wild = (math.sqrt(free.gain), math.sqrt(free.n_peaks), math.log10(free.misfit + 1e-3))
    told = _features(pattern, found, residual, peaks, seen)
    return Leftover(peaks=found, features=(*told, *wild, *bent), wildcard=free)


def _matched(residual: Array, weight: Array, sigma: float) -> Array:
    """Return ``n`` significances of a peak of a width at each step."""
    sigma = max(sigma, 0.5)
    signal = gaussian_filter1d(weight * residual, sigma, mode="constant")
    # the kernel's square is a narrower Gaussian, with this factor
    power = gaussian_filter1d(weight, sigma / math.sqrt(2.0), mode="constant") / (2.0 * math.sqrt(math.pi) * sigma)
    # beside a gap there is no telling
    seen = gaussian_filter1d((weight > 0.0).astype(float), sigma / math.sqrt(2.0), mode="constant")
    return np.where(seen > LEAST_SEEN, signal / np.sqrt(np.maximum(power, 1e-300)), 0.0)


def _peaks(pattern: Pattern, significance: Array, residual: Array, width: float) -> tuple[ResidualPeak, ...]:
    places, _ = find_peaks(significance, height=LEAST_SIGMA, distance=max(1, int(width)))
    strongest = places[np.argsort(-significance[places])][:MOST_PEAKS]
    smooth = gaussian_filter1d(residual, max(width / 2.355, 0.5) / 2.0)
    wavelength = pattern.radiation.wavelength_angstrom[0]
    angles = pattern.two_theta_deg[strongest]
    return tuple(
        ResidualPeak(
            two_theta_deg=float(angle),
            d_angstrom=float(wavelength / (2.0 * math.sin(math.radians(angle / 2.0)))),
            height_sigma=float(significance[place]),
            relative_height=float(max(smooth[place], 0.0)),
        )
        for place, angle in zip(strongest, angles, strict=True)
    )


def _features(
    pattern: Pattern, peaks: Sequence[ResidualPeak], residual: Array, explained: Array, seen: NDArray[np.bool_]
) -> tuple[float, ...]:
    heights = sorted((peak.height_sigma for peak in peaks), reverse=True)
    first, second, third = (math.sqrt(height) for height in (*heights, 0.0, 0.0, 0.0)[:3])
    width = max(pattern.width_deg / pattern.grid.step_deg / 2.355, 0.5)
    above = np.maximum(gaussian_filter1d(np.where(seen, residual, 0.0), width), 0.0)
    noise = np.sqrt(np.where(seen, pattern.variance, 0.0) / max(2.0 * width, 1.0))
    # noise is in the denominator too, so that background alone has nothing to explain
    unexplained = float(np.maximum(above - 2.0 * noise, 0.0).sum() / max(float((explained + noise).sum()), 1e-9))
    misfit = float(np.sum(pattern.weight * residual**2) / max(int(seen.sum()), 1))
    return first, second, third, math.log10(unexplained + 1e-3), math.log10(misfit + 1e-3), math.sqrt(len(peaks))
