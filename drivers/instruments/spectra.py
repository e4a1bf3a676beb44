"""Frames of a free-running detector, and what is computed of spectra that belong together."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from drivers.capabilities import Spectrum

HEADER = struct.Struct("<IIddfI")
"""Number, flags (1: shutter open, 2: it moved, 4: lamp on), exposure (s), start (s), detector (Cel), pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One exposure of the detector."""

    number: int
    exposure_s: float
    is_open: bool
    """Whether the shutter was open."""
    has_moved: bool
    """Whether the shutter moved while it was exposed."""
    is_lit: bool
    """Whether the lamp was on all the time."""
    counts: NDArray[np.float64]


def read_frame(data: bytes, n: int) -> Frame:
    """Read a frame: header, ``n`` counts of 16 bits, and a CRC-32 over both, all little-endian.

    Raises:
        ValueError: It has another length or another number of pixels, or its checksum is wrong.
    """
    size = HEADER.size + 2 * n + 4
    if len(data) != size:
        raise ValueError(f"a frame of {n} pixels has {size} bytes, this one {len(data)}")
    number, flags, exposure_s, _, _, pixels = HEADER.unpack_from(data)
    if struct.unpack_from("<I", data, size - 4) != (crc32(data[:-4]),):
        raise ValueError("the checksum of a frame is wrong")
    if pixels != n:
        raise ValueError(f"a frame has {pixels} pixels and not {n}")
    counts = np.frombuffer(data, dtype="<u2", count=n, offset=HEADER.size).astype(np.float64)
    return Frame(
        number=number,
        exposure_s=exposure_s,
        is_open=bool(flags & 1),
        has_moved=bool(flags & 2),
        is_lit=bool(flags & 4),
        counts=counts,
    )


def read_wavelengths(data: bytes) -> NDArray[np.float64]:
    """Read wavelengths: numbers of 64 bits, little-endian, ascending.

    Raises:
        ValueError: They are none.
    """
    wavelength_nm = np.frombuffer(data[: len(data) // 8 * 8], dtype="<f8").astype(np.float64)
    is_whole = len(data) > 0 and len(data) % 8 == 0 and bool(np.isfinite(wavelength_nm).all())
    if not is_whole or not (np.diff(wavelength_nm) > 0.0).all():
        raise ValueError(f"{len(data)} bytes are no ascending wavelengths")
    wavelength_nm.flags.writeable = False
    return wavelength_nm


def reflectance(sample: Spectrum, *, dark: Spectrum, reference: Spectrum) -> NDArray[np.float64]:
    """Return ``(sample - dark) / (reference - dark)`` for each pixel, NaN where it is saturated or the lamp too weak.

    Raises:
        ValueError: The three were not taken with the same exposure and the same wavelengths.
    """
    for other in (dark, reference):
        if other.exposure_s != sample.exposure_s:
            raise ValueError(
                f"exposures differ: {other.tag} {other.exposure_s:g} s, {sample.tag} {sample.exposure_s:g} s"
            )
        if not np.array_equal(other.wavelength_nm, sample.wavelength_nm):
            raise ValueError(f"the wavelengths of {other.tag} and {sample.tag} differ")
    lamp = reference.counts - dark.counts
    is_good = (sample.counts < sample.saturation_counts) & (reference.counts < reference.saturation_counts)
    is_good &= lamp > 0.001 * sample.saturation_counts
    share = np.full(len(lamp), np.nan)
    np.divide(sample.counts - dark.counts, lamp, out=share, where=is_good)
    return share
