"""Headers of Galactic SPC files, by the published layout ("Universal Data Format Specification", Galactic, 1997).

Byte 1 says the version: 0x4B new, little-endian; 0x4C new, big-endian; 0x4D old. A new header has 512 bytes, an old one
256, whose last 32 are the header of the first subfile. Numbers of an old file are little-endian, but its 32-bit
ordinates have their 16-bit halves in the other order.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Fact, Quantity

NEW, NEW_BIG_ENDIAN, OLD = 0x4B, 0x4C, 0x4D
NEW_BYTES, OLD_BYTES, SUBFILE_BYTES = 512, 256, 32
SHORT, MULTI, LABELS, OWN_X, EXPLICIT_X = 0x01, 0x04, 0x20, 0x40, 0x80
"""Bits of the first byte: 16-bit ordinates, several subfiles, labels of axes as text, an X for each subfile, an X."""
FLOAT = -128
"""The exponent that says that ordinates are floats."""

_NEW = "BBBbIddIBBBBI9s9sH32s130s30sIIBBHf48sfIfB187x"
_NEW_FIELDS = (
    "flags", "version", "technique", "exponent", "points", "first", "last", "subfiles", "x_type", "y_type", "z_type",
    "posting", "date", "resolution", "source", "peak_point", "spare", "comment", "labels", "log_offset",
    "modifications", "processing", "calibration_level", "injection", "factor", "method", "z_increment", "w_planes",
    "w_increment", "w_type",
)  # fmt: skip
_OLD = "<BBhfffBBHBBBB8sHH28s130s30s32x"
_OLD_FIELDS = (
    "flags", "version", "exponent", "points", "first", "last", "x_type", "y_type", "year", "month", "day", "hour",
    "minute", "resolution", "peak_point", "scans", "spare", "comment", "labels",
)  # fmt: skip

X_TYPES: dict[int, tuple[Quantity, str]] = {
    1: ("wavenumber", "/cm"), 2: ("wavelength", "um"), 3: ("wavelength", "nm"), 4: ("time", "s"), 5: ("time", "min"),
    6: ("frequency", "Hz"), 7: ("frequency", "kHz"), 8: ("frequency", "MHz"), 9: ("mass_to_charge", "1"),
    11: ("time", "d"), 13: ("raman_shift", "/cm"), 14: ("energy", "eV"), 18: ("unknown", "deg"), 23: ("time", "ms"),
    24: ("time", "us"), 25: ("time", "ns"), 26: ("frequency", "GHz"), 27: ("position", "cm"), 28: ("position", "m"),
    29: ("position", "mm"), 30: ("time", "h"),
}  # fmt: skip
Y_TYPES: dict[int, tuple[str, str]] = {
    0: ("intensity", "arbitrary"), 1: ("interferogram", "arbitrary"), 2: ("absorbance", "1"), 3: ("kubelka_munk", "1"),
    4: ("intensity", "counts"), 5: ("voltage", "V"), 10: ("log_inverse_reflectance", "1"), 11: ("intensity", "%"),
    12: ("intensity", "arbitrary"), 13: ("intensity", "arbitrary"), 14: ("energy", "arbitrary"),
    22: ("refractive_index", "1"), 23: ("extinction_coefficient", "1"), 128: ("transmittance", "1"),
    129: ("reflectance", "1"), 130: ("intensity", "arbitrary"), 131: ("emission", "arbitrary"),
}  # fmt: skip
TECHNIQUES = (
    "general", "gas chromatogram", "chromatogram", "HPLC chromatogram", "FT-IR, FT-NIR or FT-Raman", "NIR", "6",
    "UV-VIS", "8", "X-ray diffraction", "mass spectrum", "NMR", "Raman", "fluorescence", "atomic", "diode array",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the main header says."""

    version: int
    flags: int
    exponent: int
    points: int
    """Of every subfile; of a file whose subfiles have their own X the place of their directory."""
    first: float
    last: float
    subfiles: int
    """0 where an old file does not say."""
    x_type: int
    y_type: int
    log_offset: int
    fields: dict[str, Fact]
    """All fields by name, as they stand."""

    @property
    def order(self) -> str:
        """Return the byte order as `struct` names it."""
        return ">" if self.version == NEW_BIG_ENDIAN else "<"

    @property
    def length(self) -> int:
        """Return the bytes up to what follows."""
        return OLD_BYTES - SUBFILE_BYTES if self.version == OLD else NEW_BYTES

    def has(self, flag: int) -> bool:
        """Say whether a bit of the first byte is set."""
        return bool(self.flags & flag)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subheader:
    """What the header of a subfile says."""

    exponent: int
    index: int
    z: float
    z_next: float
    points: int
    scans: int
    w: float


def header(data: bytes) -> Header:
    """Read the main header.

    Raises:
        NotUnderstood: The file is too short, or the header contradicts itself.
    """
    version = data[1] if len(data) > 1 else 0
    if version not in (NEW, NEW_BIG_ENDIAN, OLD) or len(data) < (OLD_BYTES if version == OLD else NEW_BYTES):
        raise NotUnderstood(f"{len(data)} bytes are too few for the header of an SPC file")
    read = _old(data) if version == OLD else _new(data, version)
    if not (math.isfinite(read.first) and math.isfinite(read.last)):
        raise NotUnderstood(f"an axis from {read.first} to {read.last}")
    if read.has(OWN_X) and not read.has(EXPLICIT_X):
        raise NotUnderstood("its flags say an X for each subfile, and no explicit X")
    return read


def subheader(data: bytes, at: int, order: str) -> Subheader:
    """Read the header of a subfile at a place."""
    _, exponent, index, z, z_next, _, points, scans, w = struct.unpack_from(order + "BbHfffIIf4x", data, at)
    return Subheader(exponent=exponent, index=index, z=z, z_next=z_next, points=points, scans=scans, w=w)


def _new(data: bytes, version: int) -> Header:
    values = struct.unpack_from((">" if version == NEW_BIG_ENDIAN else "<") + _NEW, data)
    raw: dict[str, Any] = dict(zip(_NEW_FIELDS, values, strict=True))
    fields = _texts(raw)
    if date := _date(raw["date"]):
        fields["started_at"] = date
    if raw["technique"] < len(TECHNIQUES):
        fields["technique"] = TECHNIQUES[raw["technique"]]
    subfiles = raw["subfiles"] if raw["flags"] & MULTI else 1
    known = {name: raw[name] for name in ("flags", "exponent", "points", "first", "last", "x_type", "y_type")}
    return Header(version=version, subfiles=subfiles, log_offset=raw["log_offset"], fields=fields, **known)


def _old(data: bytes) -> Header:
    raw: dict[str, Any] = dict(zip(_OLD_FIELDS, struct.unpack_from(_OLD, data), strict=True))
    points = raw["points"]
    if not (math.isfinite(points) and points == int(points) and points >= 1):
        raise NotUnderstood(f"it says that it holds {points} points")
    if raw["flags"] & (EXPLICIT_X | OWN_X):
        raise NotUnderstood("an old SPC file with an explicit X, which the format does not have")
    fields = _texts(raw)
    year = raw["year"] & 0x0FFF
    if year and 1 <= raw["month"] <= 12 and 1 <= raw["day"] <= 31 and raw["hour"] < 24 and raw["minute"] < 60:
        fields["started_at"] = f"{year:04d}-{raw['month']:02d}-{raw['day']:02d}T{raw['hour']:02d}:{raw['minute']:02d}"
    known = {name: raw[name] for name in ("flags", "exponent", "first", "last", "x_type", "y_type")}
    exponent = FLOAT if raw["exponent"] in (128, FLOAT) else raw["exponent"]
    multi = bool(raw["flags"] & MULTI)
    return Header(
        version=OLD, points=int(points), subfiles=0 if multi else 1, log_offset=0, fields=fields,
        **(known | {"exponent": exponent}),
    )  # fmt: skip


def _texts(raw: dict[str, Any]) -> dict[str, Fact]:
    fields: dict[str, Fact] = {n: _text(value) if isinstance(value, bytes) else value for n, value in raw.items()}
    fields["spare"] = raw["spare"].hex().rstrip("0")
    fields["labels"] = " / ".join(labels(raw["labels"]))
    return fields


def labels(raw: bytes) -> list[str]:
    """Return the labels of X, Y and Z as far as they are given."""
    return [_text(part) for part in raw.split(b"\0")][:3]


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("latin-1").strip()


def _date(packed: int) -> str:
    """Return ISO 8601 of minute (6 bits), hour (5), day (5), month (4) and year (12), from the lowest bit on."""
    minute, hour, day = packed & 63, packed >> 6 & 31, packed >> 11 & 31
    month, year = packed >> 16 & 15, packed >> 20
    valid = year and 1 <= month <= 12 and day >= 1 and hour < 24 and minute < 60
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}" if valid else ""
