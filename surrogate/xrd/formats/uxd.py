"""Read Bruker and Siemens DIFFRAC text (.uxd): a header of ``_KEY=value``, then ranges of counts or rates.

The word that opens the data tells two things: ``_2THETA`` before it that a column of positions stands before the
values, and COUNTS or CPS the unit. The position is of the drive that ``_DRIVE`` names, so ``_2THETACOUNTS`` under
``_DRIVE='THETA'`` is a rocking curve.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from surrogate.formats.axes import oddities
from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array, Axis, Content, Fact, Quantity, Scan
from surrogate.formats.text import decode, facts_from, lines_of, number
from surrogate.xrd.formats.intensities import multiplied, per_second
from surrogate.xrd.formats.source import Tube

_FIRST = re.compile(r"\s*(?:;[^\r\n]*[\r\n]\s*)*_(?:FILEVERSION|SAMPLE|\+SAMPLE|SITE|DRIVE|RANGE|START|WL1|STEPTIME)\b")
_DATA = re.compile(r"_(2THETA)?(COUNTS|CPS|COUNTSTIME)(?:\s*=.*)?", re.IGNORECASE)
_KEY = re.compile(r"_(\+?[A-Z0-9_-]+)\s*=\s*(.*)", re.IGNORECASE)
_HEAD = 1 << 16
MOST_RANGES = 10_000
LARGEST_DEG = 1e4
_DRIVES: dict[str, tuple[Quantity, str]] = {
    "COUPLED": ("two_theta", "START"), "2THETA": ("two_theta", "2THETA"), "DETECTOR": ("two_theta", "2THETA"),
    "THETA": ("omega", "THETA"), "OMEGA": ("omega", "OMEGA"), "TUBE": ("omega", "THETA"),
}  # fmt: skip
_NAMED = {
    "SAMPLE": "sample", "SITE": "site", "USER": "operator", "DATEMEASURED": "measured_at", "ANODE": "anode",
    "KV": "tube_voltage_kv", "MA": "tube_current_ma", "STEPTIME": "step_time_s", "STEPSIZE": "step_deg",
    "GONIOMETER_RADIUS": "goniometer_radius_mm", "TEMPERATURE": "temperature", "PROGRAM": "program",
}  # fmt: skip


def recognises(data: bytes) -> bool:
    """Say whether bytes are UXD text by the first line that is no comment."""
    try:
        text = decode(data[:_HEAD])
    except NotUnderstood:
        return False
    return bool(_FIRST.match(text)) and "=" in text


@dataclass(slots=True, kw_only=True)
class _Range:
    """A range as it is read: what its header says, and the numbers below."""

    keys: dict[str, str] = field(default_factory=dict)
    positions: bool = False
    word: str = ""
    numbers: list[float] = field(default_factory=list)


def read(data: bytes) -> Content:
    """Read UXD text, each range as a scan.

    Raises:
        NotUnderstood: It holds no range, or one that is broken.
    """
    general: dict[str, str] = {}
    ranges: list[_Range] = []
    header: list[str] = []
    peaks = _parse(lines_of(decode(data)), general, ranges, header)
    warnings = ["a list of peaks was left out"] if peaks else []
    if not ranges:
        raise NotUnderstood("it holds no range of counts or rates")
    scans = tuple(_scan(index, one, {**general, **one.keys}, warnings) for index, one in enumerate(ranges, start=1))
    version = general.get("FILEVERSION", "").strip("'\" ")
    return Content(
        format=f"Bruker UXD {version}".strip(),
        header="\n".join(header),
        scans=scans,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _parse(lines: list[str], general: dict[str, str], ranges: list[_Range], header: list[str]) -> bool:
    """Part lines into the general header and ranges; say whether there was a list of peaks."""
    keys, current, peaks = general, None, False
    for place, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith(";"):
            header.extend([line] if line else [])
        elif match := _DATA.fullmatch(line):
            header.append(line)
            current = _Range(keys={} if keys is general else keys, positions=bool(match[1]), word=match[2].upper())
            ranges.append(current)
            keys = {}
            if len(ranges) > MOST_RANGES:
                raise NotUnderstood(f"more than {MOST_RANGES} ranges")
        elif line.startswith("_"):
            header.append(line)
            keys, current, list_here = _key(line, keys, general, current)
            peaks = peaks or list_here
        elif current is not None:
            current.numbers += _row(line, place)
        elif not peaks:
            raise NotUnderstood(f"line {place}, {line[:40]!r}, stands before any data")
    return peaks


def _key(
    line: str, keys: dict[str, str], general: dict[str, str], current: _Range | None
) -> tuple[dict[str, str], _Range | None, bool]:
    match = _KEY.fullmatch(line)
    name = match[1].upper() if match else line[1:].upper()
    if name in ("DRIVE", "RANGE") and keys is general:
        keys = {}
    if match:
        keys[name] = match[2].strip()
    ends = not match and name in ("D-I", "2THETA-I")
    return keys, None, ends


def _row(line: str, place: int) -> list[float]:
    words = re.split(r"[\s,;]+", line.strip(",; "))
    row = [number(word) for word in words]
    if None in row:
        raise NotUnderstood(f"line {place}, {line[:40]!r}, holds something that is no number")
    return [value for value in row if value is not None]


def _scan(index: int, one: _Range, keys: Mapping[str, str], warnings: list[str]) -> Scan:
    quantity, start = _DRIVES.get(_plain(keys.get("DRIVE", "COUPLED")).upper(), ("unknown", "START"))
    if quantity == "unknown":
        warnings.append(f"range {index} is along the drive {keys['DRIVE'][:20]}; its axis is in degrees of that drive")
    x, y, times = _columns(index, one, keys, start)
    fields, told = per_second(y, None, times) if one.word == "CPS" else multiplied(y, None)
    tube = _tube(keys)
    warnings += [*told, *tube.warnings(), *(f"range {index}: {odd}" for odd in oddities(x))]
    return Scan(
        kind="diffractogram",
        axis=Axis(quantity=quantity, unit="deg", values=x),
        count_time_s=times,
        radiation=tube.radiation(),
        title=_plain(keys.get("SAMPLE", "")),
        facts=_facts(keys),
        **fields,
    )


def _columns(index: int, one: _Range, keys: Mapping[str, str], start: str) -> tuple[Array, Array, Array | None]:
    width = 1 + one.positions + (one.word == "COUNTSTIME")
    if not one.numbers or len(one.numbers) % width:
        raise NotUnderstood(f"range {index} holds {len(one.numbers)} numbers, not {width} for each point")
    _require_count(index, keys, len(one.numbers) // width)
    table = np.array(one.numbers).reshape(-1, width)
    times = table[:, -1].copy() if one.word == "COUNTSTIME" else _times(keys, len(table))
    if one.positions:
        return table[:, 0].copy(), table[:, 1].copy(), times
    first, step = _float(keys, "START"), _float(keys, "STEPSIZE")
    first = _float(keys, start) if first is None else first
    if first is None or step is None or not 0 < abs(step) < LARGEST_DEG > abs(first):
        raise NotUnderstood(f"range {index} gives neither positions nor a start and a step")
    return first + step * np.arange(len(table), dtype=np.float64), table[:, 0].copy(), times


def _require_count(index: int, keys: Mapping[str, str], found: int) -> None:
    declared = _float(keys, "STEPCOUNT")
    if declared is not None and declared != found:
        raise NotUnderstood(f"range {index} declares {declared:g} points and holds {found}")


def _times(keys: Mapping[str, str], n: int) -> Array | None:
    time_s = _float(keys, "STEPTIME")
    return np.full(n, time_s) if time_s and time_s > 0 else None


def _tube(keys: Mapping[str, str]) -> Tube:
    factor = 10.0 if _plain(keys.get("WL_UNIT", "")).lower() == "nm" else 1.0
    first, second = (None if (line := _float(keys, name)) is None else line * factor for name in ("WL1", "WL2"))
    return Tube(anode=_plain(keys.get("ANODE", "")), alpha_1=first, alpha_2=second, ratio=_float(keys, "WLRATIO"))


def _facts(keys: Mapping[str, str]) -> dict[str, Fact]:
    return facts_from((_NAMED.get(name, name), _plain(value)) for name, value in keys.items())


def _plain(value: str) -> str:
    return value.strip().strip("'\"").strip()


def _float(keys: Mapping[str, str], name: str) -> float | None:
    value = number(_plain(keys.get(name, "")))
    return None if value is None or value != value else value
