"""Cosmic rays: found in single spectra and in repeats, masked, and bridged with an enlarged standard deviation.

In a single spectrum a spike is suspected where the modified z-score of the first differences is large on the way up and
down (Whitaker & Hayes, Chemom. Intell. Lab. Syst. 179, 82 (2018), doi:10.1016/j.chemolab.2018.06.009).
By that alone the flanks of strong narrow peaks are spikes too. What decides is optics: light has passed the
instrument, so no peak falls off faster than its line. At a distance of k points from the top of a line of full width f
at least the share rho_k = min(2^(-4 k^2 / f^2), 1 / (1 + 4 k^2 / f^2)) remains (Gaussian or Lorentzian); a point whose
neighbours, on the mean, keep less, by more than noise allows, was struck.

In repeats a spike is what stands above the median of its pixel by more than noise allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import percentile_filter

from surrogate.spectra.errors import CannotTell
from surrogate.spectra.noise import noise_sd

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

Z_SCORE = 6.0
"""Modified z-score of a first difference that makes a point suspect."""
SURPRISE_SDS = 6.0
"""A point stands this many sds above what the sharpest line allows, or above its repeats."""
REACHES = (1, 2, 3)
"""Distances of the neighbours that a point is compared with: spikes are up to five points wide."""
MAX_PASSES = 6
MAX_STRUCK = 0.05
"""A spectrum of which more is struck was not struck: its lines are narrower than said, or its noise larger."""
LOWEST_PERCENT = 5.0
GROUND_FWHMS = 4.0
"""The ground that a point stands on is the lowest percentile within this many full widths."""
TAIL_SLACK = 1.03
"""Tails of a Lorentzian line lift the ground by 1.6 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Despiked:
    """Spectra (``p`` or ``r x p``) without spikes."""

    values: Array
    """Bridged where struck."""
    sd: Array
    """Enlarged where struck: what a bridge may miss."""
    struck: Mask


def despike(y: Array, *, line_fwhm: float, sd: Array | None = None) -> Despiked:
    """Find and bridge the spikes of one spectrum of ``p`` evenly spaced points.

    Args:
        y: ``p`` values.
        line_fwhm: full width at half maximum of the instrument's line, in points; nothing as wide is a spike.
        sd: ``p`` standard deviations; estimated from second differences where not given.

    Raises:
        CannotTell: Lines of the instrument are as narrow as spikes, points are missing, or too many seem struck.
    """
    _require_usable(y, line_fwhm)
    whole = np.ones((1, len(y)), dtype=bool)
    noise: Array = noise_sd(y[None], whole)[0] if sd is None else np.broadcast_to(np.asarray(sd, float), y.shape)
    struck, values = np.zeros(len(y), dtype=bool), np.array(y, dtype=float)
    for _ in range(MAX_PASSES):
        new = _struck(values, noise, line_fwhm) & ~struck
        if not new.any():
            break
        struck |= new
        values = _bridge(y, struck)[0]
    if struck.mean() > MAX_STRUCK:
        raise CannotTell(
            f"{struck.mean():.0%} of the points look struck, which is no work of cosmic rays: "
            f"lines are narrower than {line_fwhm:g} points, or the noise is larger than said"
        )
    values, missed = _bridge(y, struck)
    return Despiked(values=values, sd=np.where(struck, np.hypot(noise, missed), noise), struck=struck)


def despike_repeats(counts: Array, sd: Array) -> Despiked:
    """Find the spikes of ``r x p`` repeats, r at least 2, and put the median of the other repeats in their place.

    Repeats may differ in strength by a common factor, as under a drifting lamp. Of two, the higher one is struck where
    they differ too much.

    Args:
        counts: ``r x p`` values.
        sd: ``p`` or ``r x p`` standard deviations.

    Raises:
        CannotTell: There is only one repeat.
    """
    if counts.ndim != 2 or len(counts) < 2:
        raise CannotTell(f"spikes in repeats need at least two of them, not an array of shape {counts.shape}")
    sd = np.broadcast_to(np.asarray(sd, dtype=float), counts.shape)
    centre = np.median(counts, axis=0) if len(counts) > 2 else counts.min(axis=0)
    strength = np.array([_ratio(row, centre) for row in counts])[:, None]
    expected = strength * centre
    # the noise of a median of r, and that of the repeat itself
    allowed = SURPRISE_SDS * sd * np.sqrt(1.0 + 1.57 / (len(counts) - 1))
    struck = counts - expected > allowed
    if struck.mean() > MAX_STRUCK:
        raise CannotTell(
            f"{struck.mean():.0%} of the repeats' values stand out: the repeats differ by more than spikes and strength"
        )
    others = strength * _median_of(counts / strength, ~struck)
    enlarged = sd * np.sqrt(1.0 + 1.57 / np.maximum((~struck).sum(axis=0), 1))
    return Despiked(values=np.where(struck, others, counts), sd=np.where(struck, enlarged, sd), struck=struck)


def least_share(distance: float, line_fwhm: float) -> float:
    """Return what a Gaussian or Lorentzian line keeps, at the least, of its height at a distance from its top."""
    square = 4.0 * (distance / line_fwhm) ** 2
    return min(2.0**-square, 1.0 / (1.0 + square))


def modified_z(values: Array) -> Array:
    """Return 0.6745 (v - median) / median absolute deviation."""
    away = values - np.median(values)
    spread = float(np.median(np.abs(away)))
    return 0.6745 * away / spread if spread > 0 else np.zeros_like(away)


def _struck(y: Array, sd: Array, line_fwhm: float) -> Mask:
    """Return which points stand out of their neighbours at one of the reaches, with all that lies between."""
    # how high a point stands, at the most: the lower the ground is thought, the more a line is allowed
    size = 2 * int(np.ceil(GROUND_FWHMS * line_fwhm)) + 1
    height = np.maximum(y - percentile_filter(y, LOWEST_PERCENT, size=size, mode="nearest"), 0.0)
    struck = np.zeros(len(y), dtype=bool)
    for reach in REACHES:
        share = least_share(reach, line_fwhm)
        if share < 0.5 * least_share(1, line_fwhm) and reach > 1:
            break
        left, right = _moved(y, reach), _moved(y, -reach)
        drop = y - 0.5 * (left + right)
        suspect = (_steep(y, sd, reach) & (y >= _moved(y, 1)) & (y >= _moved(y, -1))) & (y > np.maximum(left, right))
        noise = sd * np.sqrt(1.0 + 0.5 + (1.0 - share) ** 2)
        top = suspect & (drop > TAIL_SLACK * (1.0 - share) * height + SURPRISE_SDS * noise)
        struck |= top | _beside(top, y, 0.5 * (left + right) + SURPRISE_SDS * noise, reach - 1)
    return struck


def _steep(y: Array, sd: Array, reach: int) -> Mask:
    """Return to which points the signal climbs and from which it falls in a way that few differences do.

    Where peaks are dense most differences are large; there the noise is the scale, instead of their median.
    """
    jump = y[reach:] - y[:-reach]
    noise = np.hypot(sd[reach:], sd[:-reach])
    score = np.maximum(modified_z(jump), jump / noise), np.maximum(modified_z(-jump), -jump / noise)
    up = np.concatenate([np.full(reach, np.inf), score[0]])
    down = np.concatenate([score[1], np.full(reach, np.inf)])
    return (up > Z_SCORE) & (down > Z_SCORE)


def _moved(y: Array, by: int) -> Array:
    """Return the neighbours at a distance; beyond the ends, those of the other side."""
    index = np.arange(len(y)) - by
    inside = (index >= 0) & (index < len(y))
    return np.where(inside, y[np.clip(index, 0, len(y) - 1)], y[np.clip(np.arange(len(y)) + by, 0, len(y) - 1)])


def _beside(top: Mask, y: Array, level: Array, reach: int) -> Mask:
    """Return the points near struck tops that stand above the level that is given at the tops."""
    raised = np.zeros(len(y), dtype=bool)
    for i in np.flatnonzero(top):
        near = slice(max(i - reach, 0), i + reach + 1)
        raised[near] |= y[near] > level[i]
    return raised


def _bridge(y: Array, struck: Mask) -> tuple[Array, Array]:
    """Return ``p`` values with a line over struck points, and what the line may miss.

    That is half the height of the bridge's two sides apart, as well as the curvature that the neighbours show.
    """
    values = np.array(y, dtype=float)
    missed = np.zeros(len(y))
    if not struck.any():
        return values, missed
    index = np.arange(len(y))
    clean = index[~struck]
    values[struck] = np.interp(index[struck], clean, y[clean])
    for i in index[struck]:
        near = clean[np.argsort(np.abs(clean - i), kind="stable")[:6]]
        curve = np.polynomial.Polynomial.fit(near - i, y[near], 2)
        missed[i] = max(abs(float(curve(0.0)) - values[i]), 0.25 * float(np.ptp(y[near])))
    return values, missed


def _ratio(row: Array, centre: Array) -> float:
    """Return the strength of a repeat relative to the median one, by the pixels that are bright."""
    bright = centre >= np.percentile(centre, 75.0)
    denominator = np.where(centre[bright] > 0, centre[bright], np.nan)
    if not np.isfinite(denominator).any():
        return 1.0
    ratio = float(np.nanmedian(row[bright] / denominator))
    return ratio if ratio > 0 else 1.0


def _median_of(values: Array, usable: Mask) -> Array:
    """Return ``p`` medians of the usable entries; the least one where none is."""
    masked = np.ma.masked_array(values, mask=~usable)
    return np.where(usable.any(axis=0), np.ma.median(masked, axis=0).filled(0.0), values.min(axis=0))


def _require_usable(y: Array, line_fwhm: float) -> None:
    if line_fwhm < 2.0:
        raise CannotTell(f"lines of {line_fwhm:g} points are as narrow as spikes: take repeats, which tell them apart")
    if not np.isfinite(y).all():
        raise CannotTell(f"{int(np.sum(~np.isfinite(y)))} points are not finite; mask or cut them before")
    if len(y) < 16:
        raise CannotTell(f"{len(y)} points are too few to tell a spike from a peak; 16 are needed")
