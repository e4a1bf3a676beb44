"""Part GSAS records into points; see `surrogate.xrd.formats.gsas` for the layouts.

Records of fixed columns are often written by programs that only put blanks between numbers. Both ways are tried; a file
that is whole in both, and then holds other numbers, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array
from surrogate.formats.text import number

_FIELD = re.compile(r"[ \d][ \d] *[-+]?\d*\.?\d*(?:[eE][-+]?\d+)? *")
WIDTH = 8
FREE = "values were parted at blanks, since their columns are not those of the format"


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """The ``n`` points of a bank."""

    values: Array
    positions: Array | None = None
    sigma: Array | None = None
    counters: Array | None = None
    """Numbers of counters whose mean each value is."""


def free_points(records: Sequence[str], *, columns: int) -> Points:
    """Part records of position, value and perhaps standard deviation at blanks, up to the first that is none."""
    rows: list[list[float]] = []
    for record in records:
        words = record.split()[:columns]
        row = [value for word in words if (value := number(word)) is not None]
        if len(row) < columns:
            if rows and not record.split()[0][0].isdigit():
                break
            raise NotUnderstood(f"record {record.strip()[:40]!r} has no {columns} numbers")
        rows.append(row)
    if not rows:
        raise NotUnderstood("a bank holds no records")
    table = np.array(rows)
    return Points(positions=table[:, 0], values=table[:, 1], sigma=table[:, 2] if columns > 2 else None)


def std_points(records: Sequence[str], n: int, warnings: list[str]) -> Points:
    """Part records of ten counters and values, two and six characters each.

    Raises:
        NotUnderstood: They are not as many as declared, or can be parted in two ways.
    """
    fixed, free = _fixed_std(records), _free(records)
    if fixed is not None and _as_many(len(fixed), n):
        counters, values = fixed[:n, 0], fixed[:n, 1]
        if free is not None and len(free) == n and _overflows(fixed[:n], free):
            raise NotUnderstood("long values may run into the columns of the counters, and nothing tells")
        return Points(values=values, counters=np.maximum(counters, 1.0))
    if free is not None and _as_many(len(free), n):
        warnings.append(FREE)
        return Points(values=free[:n])
    raise NotUnderstood(_short(None if fixed is None else len(fixed), n))


def esd_points(records: Sequence[str], n: int, warnings: list[str]) -> Points:
    """Part records of five values and their standard deviations, eight characters each.

    Raises:
        NotUnderstood: They are not as many as declared.
    """
    fixed, free = _fixed(records, WIDTH), _free(records)
    for found in (fixed, free):
        if found is not None and len(found) % 2 == 0 and _as_many(len(found) // 2, n):
            if fixed is None or not np.array_equal(fixed, found):
                warnings.append(FREE)
            pairs = found.reshape(-1, 2)[:n]
            return Points(values=pairs[:, 0], sigma=pairs[:, 1])
    raise NotUnderstood(_short(None if fixed is None else len(fixed) // 2, n))


def alt_points(records: Sequence[str], n: int, warnings: list[str]) -> Points:
    """Part records of four positions (times 32), values and standard deviations, of 8, 7 and 5 characters.

    Raises:
        NotUnderstood: They are not as many as declared.
    """
    rows: list[tuple[float, float, float]] = []
    for record in records:
        line = record.rstrip()
        for at in range(0, min(len(line), 80), 20):
            fields = line[at : at + 8], line[at + 8 : at + 15], line[at + 15 : at + 20]
            position, value, sigma = (_implied(text, places) for text, places in zip(fields, (0, 4, 4), strict=True))
            if position is None or value is None or sigma is None:
                raise NotUnderstood(f"record {line[:40]!r} is not in columns of 8, 7 and 5 characters")
            rows.append((position, value, sigma))
    while len(rows) > n and rows[-1][0] == 0:
        rows.pop()
    if len(rows) != n:
        raise NotUnderstood(_short(len(rows), n))
    warnings.append("values without a decimal point were taken with the four places that ALT implies")
    table = np.array(rows)
    return Points(positions=table[:, 0], values=table[:, 1], sigma=table[:, 2])


def _implied(text: str, places: int) -> float | None:
    value = number(text) if text.strip() else 0.0
    return value if value is None or "." in text else value / 10.0**places


def _fixed_std(records: Sequence[str]) -> Array | None:
    """Return ``n x 2`` counters and values by columns, or None where these are not kept."""
    rows: list[tuple[float, float]] = []
    for record in records:
        line = record.rstrip()
        if len(line) > 10 * WIDTH:
            return None
        for at in range(0, len(line), WIDTH):
            field = line[at : at + WIDTH].ljust(WIDTH)
            value = number(field[2:]) if field[2:].strip() else 0.0
            if not _FIELD.fullmatch(field) or value is None or field[:2].rstrip() != field[:2].rstrip(" "):
                return None
            rows.append((float(field[:2].strip().replace(" ", "") or 0), value))
    return np.array(rows).reshape(-1, 2)


def _fixed(records: Sequence[str], width: int) -> Array | None:
    values: list[float] = []
    for record in records:
        line = record.rstrip()
        for at in range(0, len(line), width):
            value = number(line[at : at + width])
            if value is None:
                return None
            values.append(value)
    return np.array(values)


def _free(records: Sequence[str]) -> Array | None:
    values = [number(word) for record in records for word in record.split()]
    return None if None in values else np.array(values, dtype=np.float64)


def _as_many(found: int, declared: int) -> bool:
    """Say whether the points are there; a last record may be filled up."""
    return declared <= found < declared + 10


def _overflows(fixed: Array, free: Array) -> bool:
    """Say whether values run into the counters' columns: those differ, and are there for large values only."""
    touched = fixed[:, 0] > 0
    return bool(touched.any()) and not touched.all() and not np.array_equal(fixed[:, 1], free)


def _short(found: int | None, declared: int) -> str:
    return f"{'no' if found is None else found} points in the columns of the format, and {declared} declared"
