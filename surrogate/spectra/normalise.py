"""Raw counts to reflectance: (film - blank) / (mirror - blank), with the noise and the gaps that come with it.

Nothing is used silently: saturated, dead and struck pixels are masked and fitted around, and where too few are left the
answer is that one cannot tell. References are low-passed, since a lamp is smooth and the noise of a reference is shared
by all spectra that are divided by it. Noise is estimated from the spectra themselves, by second differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, idct
from scipy.ndimage import median_filter

from surrogate.spectra.errors import CannotTell
from surrogate.spectra.noise import noise_sd

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

REFERENCE_MODES = 40
"""Cosine modes that a reference keeps."""
SATURATION_MARGIN = 0.015
"""An average this close (as a fraction) below the clipping level may hold clipped exposures."""
SPIKE_SDS = 7.0
SPIKE_WINDOW = 9
"""Pixels of the running median that spikes stand out from."""
MIN_VALID_FRACTION = 0.6
"""A spectrum with fewer valid pixels is dropped."""
MIN_SIGNAL_SDS = 5.0
"""A pixel whose reference signal is fainter than this many noise sds is too dim to divide by."""
EXPOSURE_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSpectrum:
    """One acquisition, as it came from the instrument."""

    wavelength_nm: Array
    counts: Array
    exposure_s: float
    averages: int = 1
    saturation_counts: float = np.inf
    offset_mm: float = 0.0
    taken_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reflectance:
    """Reflectance of ``m`` spectra over ``p`` pixels."""

    offset_mm: Array
    """``m``, ascending."""
    values: Array
    """``m x p``; meaningless where not valid."""
    noise_sd: Array
    """``m x p``, of pixel noise."""
    valid: Mask
    """``m x p``."""
    dropped: tuple[str, ...]
    """Why spectra are missing, one sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """Mirrors and blanks, checked and low-passed, ready to divide by."""

    wavelength_nm: Array
    blanks: tuple[tuple[float, Array], ...]
    """(exposure in s, ``p`` counts) of each blank."""
    taken_s: Array
    """``r`` times of the mirrors, ascending."""
    rates: Array
    """``r x p`` counts per second of the mirrors, blank subtracted."""
    valid: Mask
    """``p`` pixels that every mirror lights well enough, and none saturates."""

    def blank(self, exposure_s: float) -> Array:
        """Return the blank of an exposure.

        Raises:
            CannotTell: None was taken with it.
        """
        return _blank(self.blanks, exposure_s)

    def rate(self, taken_s: float) -> Array:
        """Return ``p`` counts per second of the mirror at a time, between the mirrors before and after."""
        after = int(np.searchsorted(self.taken_s, taken_s))
        if after == 0 or after == len(self.taken_s):
            return self.rates[min(after, len(self.rates) - 1)]
        share = (taken_s - self.taken_s[after - 1]) / (self.taken_s[after] - self.taken_s[after - 1])
        return (1.0 - share) * self.rates[after - 1] + share * self.rates[after]


def references(mirrors: Sequence[RawSpectrum], blanks: Sequence[RawSpectrum]) -> References:
    """Check and low-pass the references of a stripe.

    Raises:
        CannotTell: One kind is missing, their wavelengths differ, or the mirrors are too dim or saturated.
    """
    if not mirrors or not blanks:
        raise CannotTell(f"there are {len(mirrors)} mirror and {len(blanks)} blank spectra; one of each is needed")
    wavelength = mirrors[0].wavelength_nm
    for one in (*mirrors, *blanks):
        _require_same_pixels(wavelength, one)
    ordered = sorted(mirrors, key=lambda one: one.taken_s)
    # of equal exposures the first one taken counts, in whatever order they are given
    dark = tuple(
        (one.exposure_s, _low_pass(one.counts, _clean(one))) for one in sorted(blanks, key=lambda one: one.taken_s)
    )
    rates, valid = zip(*(_mirror_rate(one, _blank(dark, one.exposure_s)) for one in ordered), strict=True)
    lit = np.all(valid, axis=0)
    if lit.mean() < MIN_VALID_FRACTION:
        raise CannotTell(_why_dark(ordered, float(1.0 - lit.mean())))
    times = np.array([one.taken_s for one in ordered])
    return References(wavelength_nm=wavelength, blanks=dark, taken_s=times, rates=np.array(rates), valid=lit)


def reflectance(film: Sequence[RawSpectrum], against: References) -> Reflectance:
    """Normalise film spectra by references; each by a blank of its own exposure.

    Raises:
        CannotTell: No film spectrum is usable, or wavelengths or exposures do not match.
    """
    if not film:
        raise CannotTell("there is no spectrum of the film")
    for one in film:
        _require_same_pixels(against.wavelength_nm, one)
    ordered = sorted(film, key=lambda one: one.offset_mm)
    values = np.array([_divided(one, against) for one in ordered])
    valid = np.array([_unsaturated(one) & np.isfinite(one.counts) & against.valid for one in ordered])
    spread = noise_sd(values, valid)
    valid &= ~_spikes(values, spread, valid)
    usable = valid.mean(axis=1) >= MIN_VALID_FRACTION
    dropped = tuple(_why_dropped(ordered[i], valid[i]) for i in np.flatnonzero(~usable))
    if not usable.any():
        raise CannotTell(f"none of {len(film)} spectra is usable: {dropped[0]}")
    offsets = np.array([one.offset_mm for one in ordered])
    return Reflectance(
        offset_mm=offsets[usable],
        values=values[usable],
        noise_sd=spread[usable],
        valid=valid[usable],
        dropped=dropped,
    )


def _require_same_pixels(wavelength_nm: Array, one: RawSpectrum) -> None:
    same = one.wavelength_nm.shape == wavelength_nm.shape == one.counts.shape
    if not (same and np.allclose(one.wavelength_nm, wavelength_nm, rtol=0.0, atol=0.01)):
        raise CannotTell(
            f"spectra of {one.counts.size} and {wavelength_nm.size} pixels, or of different wavelengths, were mixed; "
            "take film, mirror and blank with one spectrometer"
        )
    if not (one.exposure_s > 0 and one.averages >= 1):
        raise CannotTell(f"a spectrum claims {one.averages} exposures of {one.exposure_s:g} s")


def _divided(one: RawSpectrum, against: References) -> Array:
    signal = one.counts - against.blank(one.exposure_s)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = signal / (against.rate(one.taken_s) * one.exposure_s)
    return np.where(np.isfinite(ratio), ratio, 0.0)


def _mirror_rate(one: RawSpectrum, blank: Array) -> tuple[Array, Mask]:
    """Return ``p`` counts per second and which of them are lit and not saturated."""
    good = _clean(one) & _unsaturated(one)
    noise = noise_sd(one.counts[None], good[None])[0]
    signal = _low_pass(one.counts, good) - blank
    return signal / one.exposure_s, _unsaturated(one) & np.isfinite(one.counts) & (signal > MIN_SIGNAL_SDS * noise)


def _blank(blanks: Sequence[tuple[float, Array]], exposure_s: float) -> Array:
    exposure, counts = min(blanks, key=lambda blank: abs(blank[0] - exposure_s))
    if abs(exposure - exposure_s) > EXPOSURE_TOLERANCE * exposure_s:
        raise CannotTell(
            f"a spectrum was taken with {exposure_s:g} s and the nearest blank with {exposure:g} s; "
            "take a blank with the same exposure"
        )
    return counts


def _unsaturated(one: RawSpectrum) -> Mask:
    return one.counts < one.saturation_counts * (1.0 - (SATURATION_MARGIN if one.averages > 1 else 1e-9))


def _clean(one: RawSpectrum) -> Mask:
    """Return which of ``p`` pixels are finite and not struck."""
    finite = np.isfinite(one.counts)[None]
    counts = np.where(finite, one.counts, 0.0)
    return (finite & ~_spikes(counts, noise_sd(counts, finite), finite))[0]


def _low_pass(counts: Array, good: Mask) -> Array:
    """Keep the lowest cosine modes of ``p`` counts; other than Fourier modes these have no jump at the ends."""
    if not good.any():
        return np.zeros_like(counts)
    pixels = np.arange(len(counts))
    modes = np.asarray(dct(np.interp(pixels, pixels[good], counts[good]), norm="ortho"))
    modes[REFERENCE_MODES:] = 0.0
    return np.asarray(idct(modes, norm="ortho"))


def _spikes(values: Array, noise_sd: Array, valid: Mask) -> Mask:
    """Return ``m x p``: pixels that stand out of the running median of their neighbours, and dead ones."""
    deviation = np.abs(values - median_filter(values, size=(1, SPIKE_WINDOW), mode="nearest"))
    return valid & np.isfinite(noise_sd) & (deviation > SPIKE_SDS * noise_sd + 1e-12)


def _why_dropped(one: RawSpectrum, valid: Mask) -> str:
    saturated = 1.0 - _unsaturated(one).mean()
    cause = f"{saturated:.0%} of its pixels are saturated, so shorten the exposure" if saturated > 0.1 else ""
    return f"at {one.offset_mm:g} mm {cause or f'only {valid.mean():.0%} of its pixels are valid'}"


def _why_dark(mirrors: Sequence[RawSpectrum], lost: float) -> str:
    saturated = max(1.0 - float(_unsaturated(one).mean()) for one in mirrors)
    if saturated > 0.5 * lost:
        return f"the mirror reference is saturated in {saturated:.0%} of its pixels; shorten the exposure"
    return (
        f"the mirror reference is too dim: {lost:.0%} of its pixels lie within {MIN_SIGNAL_SDS:g} noise sds of the "
        "blank; check lamp and mirror, or lengthen the exposure"
    )
