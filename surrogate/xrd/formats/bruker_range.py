"""One range of a .raw file, as a scan: what the versions of the format have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from surrogate.formats.axes import oddities
from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array, Axis, Content, Fact, Quantity, Scan
from surrogate.xrd.formats.intensities import gathered, multiplied
from surrogate.xrd.formats.source import Tube

MOST_RANGES = 4096
LARGEST_HEADER = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What a range's header and records say."""

    quantity: Quantity
    positions_deg: Array
    """``n``."""
    intensities: Array
    """``n``."""
    facts: Mapping[str, Fact]
    time_s: float = 0.0
    """For each point; 0 where it is not known."""
    warnings: Sequence[str] = field(default=())


def ranges_of(count: int, at: int, read: Callable[[int], tuple[Range, int]]) -> tuple[list[Range], int]:
    """Return as many ranges as a file declares, and where the last one ends.

    Args:
        count: How many there are.
        at: Where the first begins.
        read: Returns the range that begins at a place, and where it ends.

    Raises:
        NotUnderstood: There are too many, or none.
    """
    if not 1 <= count <= MOST_RANGES:
        raise NotUnderstood(f"it declares {count} ranges")
    ranges = []
    for _ in range(count):
        found, at = read(at)
        ranges.append(found)
    return ranges, at


def content(version: str, header: Mapping[str, Fact], ranges: Sequence[Range], tube: Tube) -> Content:
    """Return what a reader found.

    Raises:
        NotUnderstood: There is no range.
    """
    if not ranges:
        raise NotUnderstood("it holds no range that was measured")
    scans = [_scan(each, header, tube) for each in ranges]
    fields = {"file": dict(header), "ranges": [dict(each.facts) for each in ranges]}
    return Content(
        format=f"Bruker {version}",
        header=json.dumps(fields, ensure_ascii=False, indent=1),
        scans=tuple(scan for scan, _ in scans),
        warnings=(*tube.warnings(), *gathered([told for _, told in scans])),
    )


def _scan(each: Range, header: Mapping[str, Fact], tube: Tube) -> tuple[Scan, list[str]]:
    fields, warnings = multiplied(each.intensities, None)
    found = Scan(
        kind="diffractogram",
        axis=Axis(quantity=each.quantity, unit="deg", values=each.positions_deg),
        count_time_s=np.full(each.intensities.size, each.time_s) if 0.0 < each.time_s < 1e6 else None,
        radiation=tube.radiation(),
        title=str(header.get("sample", "")),
        facts={**header, **tube.facts(), **each.facts},
        **fields,
    )
    return found, [*each.warnings, *warnings, *oddities(each.positions_deg)]


def told(fields: Mapping[str, Fact]) -> dict[str, Fact]:
    """Return the fields that say something: no empty texts, no zeros, nothing that is not finite."""
    return {key: value for key, value in fields.items() if value and not (isinstance(value, float) and value != value)}


def positive(value: float) -> float | None:
    """Return a number that must be above zero to say anything."""
    return value if np.isfinite(value) and value > 0.0 else None


def dated(date: str, time: str) -> str:
    """Return MM/DD/YY or MM/DD/YYYY and HH:MM:SS as ISO 8601, or what is there."""
    parts = date.split("/")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        return f"{date} {time}".strip()
    month, day, year = (int(part) for part in parts)
    century = 0 if year > 99 else 2000 if year < 80 else 1900
    return f"{century + year:04d}-{month:02d}-{day:02d}T{time}".rstrip("T")
