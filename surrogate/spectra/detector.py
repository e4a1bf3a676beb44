"""Counts of an array detector to a corrected signal with standard deviation: dark, linearity, bad pixels, repeats.

What cannot be used is masked and set to NaN, with the reason; nothing is interpolated. Repeats are averaged with those
values left out that stand too far from the median. The variance of a count is a + b times its level (read-out noise,
and photons at a gain), taken from the detector where it is known, else from the differences between repeats over all
pixels (`surrogate.spectra.photon_transfer`), else from neighbouring pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from surrogate.spectra.errors import CannotTell
from surrogate.spectra.noise import noise_sd
from surrogate.spectra.photon_transfer import photon_transfer

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

EXPOSURE_TOLERANCE = 0.01
"""Relative difference of exposures that still count as equal."""
SATURATION_MARGIN = 0.015
"""An average this close (as a fraction) below the clipping level may hold clipped exposures."""
OUTLIER_SDS = 6.0
"""A repeat this far from the median of its pixel is left out."""
HOT_SDS = 8.0
"""A pixel whose dark stands this far out of its neighbours' is hot."""
DEAD_SHARE = 0.2
"""A pixel that sees less than this share of the light its neighbours see is dead."""
WINDOW = 15
"""Pixels that count as neighbours."""
MIN_REFERENCE_SDS = 5.0
MIN_PIXELS = 24
MIN_REPEATS = 4
"""So many exposures, in all, tell their own noise; fewer are taken at the noise of neighbouring pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """What is known of a detector of ``p`` pixels."""

    saturation_counts: float = np.inf
    nonlinearity: tuple[float, ...] = ()
    """c0, c1, ... : true counts are N / (c0 + c1 N + c2 N^2 + ...), N above dark; the form that Ocean Optics uses."""
    counts_per_electron: float | None = None
    read_noise_counts: float | None = None
    bad_pixels: tuple[int, ...] = ()
    """Known to be dead or hot."""


UNKNOWN_DETECTOR = Detector()
"""Nothing is known: no clipping, straight, no bad pixels, noise from the spectra."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """Repeats of one acquisition."""

    counts: Array
    """``r x p``."""
    exposure_s: float
    averages: int = 1
    """Exposures that the instrument itself averaged into each of the r."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """A signal of ``p`` pixels."""

    values: Array
    """Counts per second, or a ratio; NaN where not valid."""
    sd: Array
    """NaN where not valid."""
    valid: Mask
    masked: Mapping[str, Mask]
    """Why pixels are not valid: ``saturated``, ``not finite``, ``disagreeing`` (two repeats, one of them struck),
    ``hot``, ``dead``, ``bad``, ``dim reference``."""
    noise_from: Literal["detector", "repeats", "neighbours"]
    n_outliers: int = 0
    """Repeats of single pixels that were left out."""
    assumptions: tuple[str, ...] = ()
    """What had to be assumed, one sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mean:
    """Average of repeats, ``p`` each; the variance is that of the average."""

    counts: Array
    variance: Array
    masked: dict[str, Mask]
    noise_from: Literal["detector", "repeats", "neighbours"]
    n_outliers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dark:
    counts: Array
    variance: Array
    hot: Mask
    assumptions: tuple[str, ...] = field(default=())


def correct(
    frames: Frames,
    darks: Sequence[Frames],
    *,
    detector: Detector = UNKNOWN_DETECTOR,
    bias_counts: Array | float | None = None,
    scale_dark: bool = False,
) -> Corrected:
    """Return counts per second, dark taken off and linearised.

    Args:
        frames: of the sample or of a reference.
        darks: taken without light; the one of the same exposure counts.
        detector: what is known of it.
        bias_counts: ``p`` counts (or one number) of a dark of no exposure, for `scale_dark`.
        scale_dark: where no dark has the exposure, assume that dark counts above the bias grow in proportion to it.

    Raises:
        CannotTell: No dark has the exposure, shapes differ, or a number of the detector makes no sense.
    """
    _require_sense(frames, darks, detector)
    mean = _averaged(frames, detector)
    dark = _dark(darks, frames.exposure_s, detector, bias_counts if scale_dark else None, scale_dark=scale_dark)
    signal = mean.counts - dark.counts
    linear, slope = _linearised(signal, detector.nonlinearity)
    masked = {**mean.masked, "hot": dark.hot, "bad": _at(detector.bad_pixels, len(signal))}
    sd = slope * np.sqrt(mean.variance + dark.variance) / frames.exposure_s
    return _masked(linear / frames.exposure_s, sd, masked, mean, dark.assumptions)


def divide(sample: Corrected, reference: Corrected) -> Corrected:
    """Return sample over reference, both of one detector, with first-order standard deviation.

    A pixel whose reference lies within `MIN_REFERENCE_SDS` of zero has no ratio worth the name and is masked, as is one
    that sees far less of the reference's light than its neighbours do.

    Raises:
        CannotTell: The numbers of pixels differ, or no pixel of the reference is lit.
    """
    if sample.values.shape != reference.values.shape:
        raise CannotTell(
            f"a sample of {sample.values.size} pixels cannot be divided by a reference of {reference.values.size}"
        )
    lit = reference.valid & (np.nan_to_num(reference.values) > MIN_REFERENCE_SDS * np.nan_to_num(reference.sd))
    dead = reference.valid & _dead(reference.values, reference.valid)
    if not lit.any():
        raise CannotTell("no pixel of the reference is lit: check lamp and shutter, or lengthen the exposure")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = sample.values / reference.values
        sd = np.hypot(sample.sd, ratio * reference.sd) / np.abs(reference.values)
    masked = {key: _either(sample.masked, reference.masked, key) for key in {**sample.masked, **reference.masked}}
    masked |= {"dead": dead, "dim reference": reference.valid & ~lit & ~dead}
    assumptions = tuple(dict.fromkeys((*sample.assumptions, *reference.assumptions)))
    return _masked(ratio, sd, masked, sample, assumptions)


def _require_sense(frames: Frames, darks: Sequence[Frames], detector: Detector) -> None:
    if not darks:
        raise CannotTell("there is no dark spectrum; take one with the same exposure and without light")
    p = frames.counts.shape[-1]
    for one in (frames, *darks):
        if one.counts.ndim != 2 or one.counts.shape[1] != p or len(one.counts) == 0:
            raise CannotTell(f"repeats of shape {one.counts.shape} and {frames.counts.shape} were mixed")
        if not (one.exposure_s > 0 and one.averages >= 1):
            raise CannotTell(f"a spectrum claims {one.averages} exposures of {one.exposure_s:g} s")
    if any(not 0 <= pixel < p for pixel in detector.bad_pixels):
        raise CannotTell(f"a bad pixel is named that {p} pixels do not have: {max(detector.bad_pixels)}")


def _averaged(frames: Frames, detector: Detector) -> _Mean:
    finite = np.isfinite(frames.counts)
    margin = SATURATION_MARGIN if frames.averages > 1 else 1e-9
    clipped = finite & (frames.counts >= detector.saturation_counts * (1.0 - margin))
    # a pixel that is clipped once is clipped in the others as far as noise decides, and its mean is too low
    saturated, broken = np.asarray(clipped.any(axis=0)), np.asarray(~finite.all(axis=0))
    counts = np.where(finite, frames.counts, 0.0)
    variance, noise_from = _variance(counts, ~(saturated | broken), frames, detector)
    keep = np.abs(counts - np.median(counts, axis=0)) <= OUTLIER_SDS * np.sqrt(variance)
    n = np.maximum(keep.sum(axis=0), 1)
    return _Mean(
        counts=np.sum(np.where(keep, counts, 0.0), axis=0) / n,
        variance=variance / n,
        masked={"saturated": saturated, "not finite": broken, "disagreeing": np.asarray(~keep.any(axis=0))},
        noise_from=noise_from,
        n_outliers=int(np.sum(~keep[:, ~(saturated | broken)])),
    )


def _variance(
    counts: Array, usable: Mask, frames: Frames, detector: Detector
) -> tuple[Array, Literal["detector", "repeats", "neighbours"]]:
    """Return ``p`` variances of a single repeat."""
    level = np.median(counts, axis=0)
    if detector.counts_per_electron is not None and detector.read_noise_counts is not None:
        photons = detector.counts_per_electron * np.maximum(level, 0.0)
        return (detector.read_noise_counts**2 + photons) / frames.averages, "detector"
    if len(counts) >= MIN_REPEATS and usable.sum() >= MIN_PIXELS:
        a, b = photon_transfer(counts[:, usable])
        lowest = a + b * float(level[usable].min())
        return np.maximum(a + b * level, lowest), "repeats"
    sd = noise_sd(counts, np.broadcast_to(usable, counts.shape))
    return np.mean(sd**2, axis=0), "neighbours"


def _dark(
    darks: Sequence[Frames], exposure_s: float, detector: Detector, bias: Array | float | None, *, scale_dark: bool
) -> _Dark:
    nearest = min(darks, key=lambda dark: abs(dark.exposure_s - exposure_s))
    mean = _averaged(nearest, detector)
    hot = _hot(mean)
    if abs(nearest.exposure_s - exposure_s) <= EXPOSURE_TOLERANCE * exposure_s:
        return _Dark(counts=mean.counts, variance=mean.variance, hot=hot)
    if not scale_dark:
        raise CannotTell(
            f"a spectrum was taken with {exposure_s:g} s and the nearest dark with {nearest.exposure_s:g} s; "
            "take a dark with the same exposure, or say that darks may be scaled"
        )
    if bias is None:
        raise CannotTell("a dark can be scaled to another exposure only above a bias; give the counts of no exposure")
    factor = exposure_s / nearest.exposure_s
    said = (
        f"the dark was scaled from {nearest.exposure_s:g} s to {exposure_s:g} s, "
        "assuming that it grows in proportion to the exposure above the bias"
    )
    return _Dark(
        counts=bias + factor * (mean.counts - bias), variance=factor**2 * mean.variance, hot=hot, assumptions=(said,)
    )


def _hot(dark: _Mean) -> Mask:
    """Return which pixels' darks stand out of their neighbours' by more than the darks of pixels differ."""
    excess = dark.counts - median_filter(dark.counts, size=WINDOW, mode="nearest")
    spread = max(1.4826 * float(np.median(np.abs(excess))), float(np.sqrt(np.median(dark.variance))))
    return excess > HOT_SDS * max(spread, 1e-12)


def _dead(values: Array, valid: Mask) -> Mask:
    index = np.arange(len(values))
    filled = np.interp(index, index[valid], values[valid]) if valid.any() else np.zeros(len(values))
    around = median_filter(filled, size=WINDOW, mode="nearest")
    return (around > 0) & (filled < DEAD_SHARE * around)


def _linearised(signal: Array, coefficients: tuple[float, ...]) -> tuple[Array, Array]:
    """Return true counts, and their derivative by the counts seen."""
    if not coefficients:
        return signal, np.ones_like(signal)
    polynomial = np.polynomial.Polynomial(coefficients)
    divisor = polynomial(signal)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (divisor - signal * polynomial.deriv()(signal)) / divisor**2
    seen = np.isfinite(signal)
    if not ((divisor[seen] > 0).all() and (slope[seen] > 0).all()):
        raise CannotTell(
            f"the linearity polynomial does not rise over the counts seen, 0 to {np.nanmax(signal):.0f}; "
            "its coefficients belong to another detector, or to counts that are scaled otherwise"
        )
    return signal / divisor, slope


def _masked(
    values: Array, sd: Array, masked: Mapping[str, Mask], source: _Mean | Corrected, assumptions: tuple[str, ...]
) -> Corrected:
    invalid = np.any(list(masked.values()), axis=0) | ~np.isfinite(values) | ~np.isfinite(sd)
    return Corrected(
        values=np.where(invalid, np.nan, values),
        sd=np.where(invalid, np.nan, sd),
        valid=~invalid,
        masked=dict(masked),
        noise_from=source.noise_from,
        n_outliers=source.n_outliers,
        assumptions=assumptions,
    )


def _at(pixels: Sequence[int], p: int) -> Mask:
    mask = np.zeros(p, dtype=bool)
    mask[list(pixels)] = True
    return mask


def _either(one: Mapping[str, Mask], other: Mapping[str, Mask], key: str) -> Mask:
    found = [side[key] for side in (one, other) if key in side]
    return np.any(found, axis=0)
