"""Renishaw WiRE (.wdf): single spectra, series and maps.

The file is a row of blocks, each of a name (4 bytes), a number (4) and its whole size (8). ``WDF1`` counts points and
spectra, ``XLST`` holds the axis, ``DATA`` the spectra, ``ORGN`` place and time of each, ``WMAP`` the grid, ``TEXT`` a
comment. Layout as published with Gwyddion and in doi:10.5281/zenodo.495477.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array, Axis, Content, Fact, Quantity, Scan
from surrogate.spectra.formats.spectral_words import LARGEST_POINTS, LARGEST_SCANS, as_json, finite, measured
from surrogate.spectra.formats.wdf_properties import properties

HEADER_BYTES, BLOCK_BYTES = 512, 16
_MOST_BLOCKS = 10_000
_HEADER = "<4sIQQ16s12xIIIQQIIII24s4HIIQQIf48x32s160s"
_FIELDS = (
    "name", "uid", "size", "flags", "uuid", "tracks", "status", "points", "capacity", "count", "accumulations",
    "y_length", "x_length", "origins", "application", "v1", "v2", "v3", "v4", "scan_type", "measurement", "start",
    "end", "unit", "laser_wavenumber", "user", "title",
)  # fmt: skip
_AXES: dict[int, tuple[Quantity, str]] = {
    1: ("raman_shift", "/cm"), 3: ("wavelength", "nm"), 4: ("energy", "eV"), 5: ("wavelength", "um"),
    12: ("time", "s"),
}  # fmt: skip
_UNITS = {0: "arbitrary", 6: "counts", 17: "arbitrary", 18: "arbitrary"}
_ORIGINS = {3: "x", 4: "y", 5: "z", 9: "temperature", 11: "time", 27: "exposure"}
_ORIGIN_UNITS = {5: "um", 8: "mm", 9: "m", 10: "k", 12: "s", 13: "ms", 21: "c", 25: "us"}
_SCANS = ("", "static", "continuous", "step", "filter scan", "filter image", "StreamLine", "StreamLineHR", "point")
_MEASUREMENTS = ("", "single", "series", "map")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectra:
    """The numbers of a file."""

    header: dict[str, Any]
    blocks: dict[str, tuple[int, int]]
    """Place and size of the first block of each name."""
    x: Array
    """``n``."""
    y: Array
    """``m x n``, of as many spectra as are read."""


def recognises(data: bytes) -> bool:
    """Say whether a file begins as WDF does."""
    return data[:4] == b"WDF1"


@np.errstate(all="ignore")
def read(data: bytes) -> Content:
    """Read all spectra of a file, up to the largest number that is read.

    Raises:
        NotUnderstood: It is cut short, holds no spectrum, or its blocks contradict each other.
    """
    spectra = numbers(data)
    header = spectra.header
    axis, warnings = _axis(data, spectra)
    y, infinite = finite(spectra.y)
    warnings += infinite + _unread(spectra)
    unit = _UNITS.get(header["unit"], "arbitrary")
    shared = _facts(data, spectra)
    places = _origins(data, spectra)
    title = str(shared.get("title", ""))
    scans = tuple(
        Scan(kind="spectrum", axis=axis, title=title, facts=shared | place, **measured(row, unit))
        for row, place in zip(y, places, strict=True)
    )
    version = ".".join(str(header[f"v{place}"]) for place in range(1, 5))
    return Content(
        format=f"Renishaw WDF, WiRE {version}", header=_header(data, spectra), scans=scans, warnings=warnings
    )


def numbers(data: bytes) -> Spectra:
    """Read header, axis and spectra.

    Raises:
        NotUnderstood: It is cut short, holds no spectrum, or its blocks contradict each other.
    """
    header = _parse_header(data)
    blocks = _blocks(data)
    points, count = header["points"], min(header["count"], header["capacity"])
    if points < 2 or count < 1:
        raise NotUnderstood(f"it holds {count} spectra of {points} points; was the measurement ever started?")
    if header["x_length"] != points:
        raise NotUnderstood(f"spectra of {points} points over an axis of {header['x_length']}")
    for name, size in (("XLST", 8 + 4 * points), ("DATA", 4 * points * count)):
        if name not in blocks:
            raise NotUnderstood(f"it has no block {name}; it may be cut short")
        if blocks[name][1] < BLOCK_BYTES + size:
            raise NotUnderstood(f"its block {name} has {blocks[name][1] - BLOCK_BYTES} bytes, and {size} are needed")
    kept = min(count, LARGEST_SCANS, max(1, LARGEST_POINTS // points))
    x = np.frombuffer(data, "<f4", points, blocks["XLST"][0] + BLOCK_BYTES + 8)
    y = np.frombuffer(data, "<f4", points * kept, blocks["DATA"][0] + BLOCK_BYTES)
    return Spectra(
        header=header, blocks=blocks, x=x.astype(np.float64), y=y.astype(np.float64).reshape(kept, points)
    )  # fmt: skip


def _parse_header(data: bytes) -> dict[str, Any]:
    if len(data) < HEADER_BYTES:
        raise NotUnderstood(f"{len(data)} bytes are too few for its header")
    header: dict[str, Any] = dict(zip(_FIELDS, struct.unpack_from(_HEADER, data), strict=True))
    if header["size"] != HEADER_BYTES:
        raise NotUnderstood(f"a header of {header['size']} bytes; known ones have {HEADER_BYTES}")
    for name in ("application", "user", "title"):
        header[name] = header[name].partition(b"\0")[0].decode("utf-8", errors="replace").strip()
    return header


def _blocks(data: bytes) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    at = 0
    for _ in range(_MOST_BLOCKS):
        if at + BLOCK_BYTES > len(data):
            break
        name, _, size = struct.unpack_from("<4sIQ", data, at)
        if size < BLOCK_BYTES or at + size > len(data):
            raise NotUnderstood(f"its block {name!r} at byte {at} says {size} bytes, of {len(data) - at} that are left")
        found.setdefault(name.decode("latin-1"), (at, size))
        at += size
    return found


def _axis(data: bytes, spectra: Spectra) -> tuple[Axis, tuple[str, ...]]:
    _, unit = struct.unpack_from("<II", data, spectra.blocks["XLST"][0] + BLOCK_BYTES)
    if unit == 2:
        said = "its axis has the unit 2, which some take for absolute wavenumbers and others for nanometres"
        return Axis(quantity="unknown", unit="1", values=spectra.x), (said,)
    quantity, name = _AXES.get(unit, ("unknown", "1"))
    warnings = () if unit in _AXES else (f"its axis has the unit {unit}, which is not known",)
    return Axis(quantity=quantity, unit=name, values=spectra.x), warnings


def _unread(spectra: Spectra) -> tuple[str, ...]:
    header, kept = spectra.header, len(spectra.y)
    warnings: tuple[str, ...] = ()
    if header["count"] < header["capacity"]:
        warnings += (f"{header['count']} of {header['capacity']} spectra were measured",)
    if kept < min(header["count"], header["capacity"]):
        warnings += (f"it holds {header['count']} spectra; the first {kept} are read",)
    if header["unit"] not in _UNITS:
        warnings += (f"values of the unit {header['unit']}, taken as arbitrary",)
    return warnings


def _facts(data: bytes, spectra: Spectra) -> dict[str, Fact]:
    header = spectra.header
    facts: dict[str, Fact] = {"accumulations": header["accumulations"]}
    facts |= {name: header[name] for name in ("title", "user") if header[name]}
    laser = header["laser_wavenumber"]
    if math.isfinite(laser) and laser > 0:
        facts |= {"laser_wavenumber_per_cm": float(laser), "laser_nm": 1e7 / laser}
    if started := _time(header["start"]):
        facts["started_at"] = started
    for name, words in (("scan_type", _SCANS), ("measurement", _MEASUREMENTS)):
        if 0 < header[name] < len(words):
            facts[name] = words[header[name]]
    return facts | _exposure(data, spectra)


def _exposure(data: bytes, spectra: Spectra) -> dict[str, Fact]:
    """Return the exposure that the settings agree on; of several that differ none."""
    at, size = spectra.blocks.get("WXDM", (0, BLOCK_BYTES))
    named = properties(data[at + BLOCK_BYTES : at + size])
    exposures, frames = set(named.get("Exposure Time", ())), set(named.get("Accumulations", ()))
    if len(exposures) != 1 or len(frames) != 1:
        return {}
    exposure_ms, accumulations = exposures.pop(), frames.pop()
    if not (isinstance(exposure_ms, int | float) and isinstance(accumulations, int) and exposure_ms > 0):
        return {}
    return {"exposure_s": exposure_ms / 1000, "integration_s": exposure_ms / 1000 * accumulations}


def _origins(data: bytes, spectra: Spectra) -> list[dict[str, Fact]]:
    """Return place, time and the like of each spectrum, as far as the file has them."""
    facts: list[dict[str, Fact]] = [{} for _ in spectra.y]
    at, size = spectra.blocks.get("ORGN", (0, 0))
    each = 24 + 8 * spectra.header["capacity"]
    if size < BLOCK_BYTES + 4 + each * spectra.header["origins"]:
        return facts
    for number in range(min(spectra.header["origins"], 64)):
        start = at + BLOCK_BYTES + 4 + number * each
        kind, unit = struct.unpack_from("<II", data, start)
        name = _ORIGINS.get(kind & 0x7FFFFFFF, "")
        if name == "time":
            ticks = np.frombuffer(data, "<u8", len(facts), start + 24)
            for place, tick in zip(facts, ticks.tolist(), strict=True):
                place |= {"measured_at": _time(tick)} if _time(tick) else {}
        elif name:
            label = "_".join(filter(None, (name, _ORIGIN_UNITS.get(unit, ""))))
            for place, value in zip(facts, np.frombuffer(data, "<f8", len(facts), start + 24).tolist(), strict=True):
                place |= {label: value} if math.isfinite(value) else {}
    return facts


def _time(ticks: int) -> str:
    """Return ISO 8601 of tenths of microseconds since 1601, empty where that is no year of a Raman microscope."""
    microseconds = ticks // 10
    if not 86_400_000_000 * 365 * 380 < microseconds < 86_400_000_000 * 365 * 600:
        return ""
    return (datetime(1601, 1, 1) + timedelta(microseconds=microseconds)).isoformat(timespec="seconds")  # noqa: DTZ001


def _header(data: bytes, spectra: Spectra) -> str:
    fields = {name: value for name, value in spectra.header.items() if name not in ("name", "uid", "size", "uuid")}
    fields["laser_wavenumber"] = float(fields["laser_wavenumber"])
    for name in ("TEXT", "WXDM", "WXDA", "WXCS", "WXIS"):
        at, size = spectra.blocks.get(name, (0, 0))
        content = data[at + BLOCK_BYTES : at + size] if size else b""
        if name == "TEXT" and content:
            fields[name] = content.decode("utf-8", errors="replace").strip("\0")
        elif named := properties(content):
            fields[name] = named
    if "WMAP" in spectra.blocks and spectra.blocks["WMAP"][1] >= BLOCK_BYTES + 44:
        grid = struct.unpack_from("<I4x6fIII", data, spectra.blocks["WMAP"][0] + BLOCK_BYTES)
        fields["WMAP"] = dict(zip(("flags", "x", "y", "z", "dx", "dy", "dz", "nx", "ny", "nz"), grid, strict=True))
    fields["blocks"] = {name: size for name, (_, size) in spectra.blocks.items()}
    return as_json(fields)
