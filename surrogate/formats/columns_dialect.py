"""How rows of numbers are written: which character parts the columns, and which is the decimal mark.

Every way to part and to mark is tried; the way in which most lines are rows of one width is taken. Where two ways read
the same lines as different numbers, evidence decides (an axis runs one way, in even steps), and where there is none the
file is refused: ``1,5,2,3`` may be four numbers or two.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.text import number

MOST_COLUMNS = 4096
COMMENTS = ("#", ";", "!", "'", "//", "%", "*", "_", "REM ")
_LACKING = re.compile(r"|#?n[./]?a\.?|#nv|null|none|masked|-{1,3}|\*{1,12}", re.IGNORECASE)
"""What stands in a field without a number."""
_GROUPS = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")

Split = Callable[[str], list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a row is written."""

    name: str
    split: Split
    comma: bool
    """Whether the decimal mark is a comma."""


def _quoted(delimiter: str) -> Split:
    def split(line: str) -> list[str]:
        if '"' not in line:
            return line.split(delimiter)
        try:
            return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
        except csv.Error:
            return []

    return split


_SPACED = re.compile(r",[ \t]+|[ \t]+")
_SPLITS: dict[str, Split] = {
    "tabs": _quoted("\t"),
    "semicolons": _quoted(";"),
    "commas": _quoted(","),
    "spaces": str.split,
    "commas and spaces": _SPACED.split,
}
DIALECTS = tuple(
    Dialect(name=name, split=split, comma=comma) for name, split in _SPLITS.items() for comma in (False, True)
)


def is_comment(line: str) -> bool:
    """Say whether a line is blank or marked as a comment."""
    line = line.strip()
    return not line or line.startswith(COMMENTS)


def row_of(line: str, dialect: Dialect, width: int = 0) -> list[float]:
    """Return the numbers that a line begins with; text may follow them, and no number after that text.

    Empty fields at the end count as far as `width`.
    """
    fields = [field.strip().strip('"') for field in dialect.split(line.strip(" \r\n"))[: MOST_COLUMNS + 1]]
    while len(fields) > width and not fields[-1]:
        fields.pop()
    row: list[float] = []
    for position, field in enumerate(fields):
        value = float("nan") if _LACKING.fullmatch(field) else number(field, comma=dialect.comma)
        if value is None:
            rest = fields[position:]
            return [] if any(number(word, comma=dialect.comma) is not None for word in rest if word) else row
        row.append(value)
    return row if row and row[0] == row[0] else []


def dialect_of(lines: Sequence[str], names: int) -> tuple[Dialect, int]:
    """Return the dialect in which most lines are rows of one width, and that width.

    Args:
        lines: Rows, and perhaps others among them.
        names: How many names of columns, parted by commas, stand above them; 0 where none do.

    Raises:
        NotUnderstood: Two ways to read them stand against each other.
    """
    lines = [line for line in lines if not is_comment(line)]
    found: list[tuple[int, Dialect, np.ndarray]] = []
    for dialect in DIALECTS:
        rows = [row for row in (row_of(line, dialect) for line in lines) if len(row) >= 2]
        if rows:
            (width, count), *_ = Counter(map(len, rows)).most_common(1)
            found.append((count, dialect, np.array([row for row in rows if len(row) == width])))
    most = max(count for count, _, _ in found)
    best = [(dialect, rows) for count, dialect, rows in found if count == most]
    dialect, rows = _only(best, lines, names)
    _refuse_thousands(lines, dialect)
    return dialect, rows.shape[1]


def _only(found: list[tuple[Dialect, np.ndarray]], lines: Sequence[str], names: int) -> tuple[Dialect, np.ndarray]:
    """Return the reading that all agree on, or that evidence speaks for."""
    different = [found[0]]
    for dialect, rows in found[1:]:
        if not any(np.array_equal(rows, other, equal_nan=True) for _, other in different):
            different.append((dialect, rows))
    if different[0][0].name == "commas" and len(different) == 1:
        different += _paired(*different[0])
    if len(different) == 1:
        return different[0]
    named = [one for one in different if one[1].shape[1] == names]
    if len(named) == 1:
        return named[0]
    even = [one for one in different if _is_even(one[1][:, 0])]
    if len(even) == 1:
        return _not_paired(even[0])
    running = [one for one in different if _runs(one[1][:, 0])]
    if not even and len(running) == 1:
        return _not_paired(running[0])
    first = next((line.strip() for line in lines if line.strip()), "")
    raise NotUnderstood(f"the commas of {first[:40]!r} may part columns or mark decimals, and nothing tells which")


def _paired(dialect: Dialect, rows: np.ndarray) -> list[tuple[Dialect, np.ndarray]]:
    """Read rows of whole numbers as decimals cut in two: ``10,5,200,7`` as 10.5 and 200.7, and ``10,5`` as one 10.5."""
    if not np.array_equal(rows, np.floor(rows)) or rows.shape[1] % 2:
        return []
    if rows.shape[1] == 2 and _runs(rows[:, 0]):
        return []
    joined = Dialect(name="commas that also mark decimals", split=_join_pairs, comma=False)
    fractions = np.abs(rows[:, 1::2])
    digits = np.ceil(np.log10(np.maximum(fractions, 1) + 0.5))
    return [(joined, rows[:, ::2] + np.sign(rows[:, ::2] + 0.5) * fractions / 10.0**digits)]


def _join_pairs(line: str) -> list[str]:
    fields = [field.strip() for field in line.split(",")]
    return [f"{whole}.{part}" for whole, part in zip(fields[::2], fields[1::2], strict=False)]


def _not_paired(one: tuple[Dialect, np.ndarray]) -> tuple[Dialect, np.ndarray]:
    if one[1].shape[1] < 2:
        raise NotUnderstood("it holds one column of numbers with decimal commas, or two that are no scan")
    return one


def _runs(axis: np.ndarray) -> bool:
    steps = np.diff(axis)
    return bool(len(steps)) and bool((steps > 0).all() or (steps < 0).all())


def _is_even(axis: np.ndarray) -> bool:
    steps = np.abs(np.diff(axis))
    return _runs(axis) and len(steps) > 1 and bool(np.ptp(steps) <= 0.25 * np.median(steps))


def _refuse_thousands(lines: Sequence[str], dialect: Dialect) -> None:
    """Refuse decimal commas that may be thousands: ``400 1,234``, where the axis has none and all have three digits."""
    if not dialect.comma:
        return
    rows = [[field.strip() for field in dialect.split(line.strip())] for line in lines]
    fields = [field for row in rows for field in row if "," in field]
    if not fields or any("," in row[0] for row in rows if row) or not all(map(_GROUPS.fullmatch, fields)):
        return
    raise NotUnderstood(f"{fields[0]!r} may be a thousand or a decimal, and nothing tells which")
