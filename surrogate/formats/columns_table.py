"""Find the table of numbers in lines of text, and say which lines are not of it."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surrogate.formats.columns_dialect import DIALECTS, MOST_COLUMNS, Dialect, dialect_of, is_comment, row_of
from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array
from surrogate.formats.text import number

TRIED_LINES = 400
LONGEST_HEADER = 20_000
"""Most lines above the first row."""
_PLAIN = re.compile(r"[-+0-9.eE \t,;]+")
_FIGURES = re.compile(r"[-+]?[0-9]+(?:[.,'\u2019\u00a0\u202f ][0-9]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of one width, and the lines around them."""

    values: Array
    """``n x m``; NaN where a field is empty or says so."""
    dialect: Dialect
    above: tuple[str, ...]
    """Lines before the first row."""
    below: tuple[str, ...]
    """Lines after the last row."""
    warnings: tuple[str, ...] = ()


def table_of(lines: Sequence[str], *, first: int = 0) -> Table:
    """Return the table of numbers that lines hold.

    Args:
        lines: All lines of a file.
        first: The first line that may be a row.

    Raises:
        NotUnderstood: There is none, or two ways to read it stand against each other.
    """
    start = first + _first_row(lines[first:])
    tried = lines[start : start + TRIED_LINES]
    dialect, width = dialect_of(tried, _names(lines[:start]))
    if width > MOST_COLUMNS:
        raise NotUnderstood(f"rows of {width} numbers; tables of up to {MOST_COLUMNS} columns are read")
    # a first row may lack values, and did not look like one before the width was known
    while start > first and len(row_of(lines[start - 1], dialect, width)) == width:
        start -= 1
    return _read(lines, start, dialect, width)


def has_table(lines: Sequence[str]) -> bool:
    """Say whether lines hold two rows of numbers, one below the other."""
    try:
        return _first_row(lines) >= 0
    except NotUnderstood:
        return False


def _first_row(lines: Sequence[str]) -> int:
    """Return the first line that some dialect reads as two or more numbers, followed by another such line."""
    before = -2
    for index, line in enumerate(lines[:LONGEST_HEADER]):
        if is_comment(line):
            continue
        if any(len(row_of(line, dialect)) >= 2 for dialect in DIALECTS):
            if before >= 0:
                return before
            before = index
        else:
            before = -2
    raise NotUnderstood("it holds no table of numbers, no two lines of two or more")


def _names(above: Sequence[str]) -> int:
    """Return how many words, parted by commas, the last line above the rows has; 0 where they are no names."""
    line = next((line for line in reversed(above) if line.strip()), "")
    return line.count(",") + 1 if any(map(str.isalpha, line)) else 0


def _read(lines: Sequence[str], start: int, dialect: Dialect, width: int) -> Table:
    flat = array("d")
    odd: list[int] = []
    last, within = start, 0
    for index in range(start, len(lines)):
        row = _plain_row(lines[index], dialect, width) or row_of(lines[index], dialect, width)
        if len(row) == width:
            flat.extend(row)
            last, within = index, len(odd)
        elif not is_comment(lines[index]):
            odd.append(index)
    _require_one_way(lines, odd, dialect, width)
    values = np.array(flat, dtype=np.float64).reshape(-1, width)
    values[np.isinf(values)] = np.nan
    if len(values) < 2:
        raise NotUnderstood("it holds no table of numbers, no two lines of as many")
    return Table(
        values=values,
        dialect=dialect,
        above=tuple(lines[:start]),
        below=tuple(lines[last + 1 :]),
        warnings=_skipped(lines, odd, within, len(values)) + _cut(lines, last),
    )


def _require_one_way(lines: Sequence[str], odd: Sequence[int], dialect: Dialect, width: int) -> None:
    """Refuse rows whose numbers are written in another way, such as 1.478 for a thousand: they may be the peaks."""
    for index in odd:
        fields = [field.strip().strip('"') for field in dialect.split(lines[index].strip())]
        read = [number(field, comma=dialect.comma) is not None or not field for field in fields]
        others = [field for field, is_read in zip(fields, read, strict=True) if not is_read]
        if len(fields) == width and others and all(map(_FIGURES.fullmatch, others)):
            raise NotUnderstood(
                f"line {index + 1}, {lines[index].strip()[:40]!r}, writes {others[0]!r} in another way than the other "
                "rows write numbers; take out marks of thousands, and use one decimal mark throughout"
            )


def _plain_row(line: str, dialect: Dialect, width: int) -> list[float]:
    """Return the numbers of a row that needs no care, as nearly all do not; empty for any other."""
    if dialect.comma or not _PLAIN.fullmatch(line):
        return []
    fields = dialect.split(line)
    if len(fields) != width:
        return []
    try:
        return [float(field) for field in fields]
    except ValueError:
        return []


def _cut(lines: Sequence[str], last: int) -> tuple[str, ...]:
    """Say that the last row may be cut: the file ends in it, with fewer decimals than the rows before have."""
    rows = [line for line in lines[max(0, last - 6) : last + 1] if not is_comment(line)]
    decimals = [len(re.split("[.,]", line.rstrip())[-1]) if "." in line or "," in line else 0 for line in rows]
    if last != len(lines) - 1 or len(rows) < 4 or len(set(decimals[:-1])) > 1 or decimals[-1] >= decimals[0]:
        return ()
    return (f"the file ends in the row {rows[-1].strip()[:40]!r}, which may be cut",)


def _skipped(lines: Sequence[str], odd: list[int], within: int, rows: int) -> tuple[str, ...]:
    """Say which lines among and after the rows were left out, and refuse where that is every tenth."""
    if within > max(1, rows // 10):
        raise NotUnderstood(f"{within} lines among {rows} rows are of another kind, first line {odd[0] + 1}")
    after = [index for index in odd[within:] if any(character.isdigit() for character in lines[index])]
    said = [f"line {index + 1}, {lines[index].strip()[:40]!r}, is no row of the table and was left out" for index in
            [*odd[:within][:3], *after[:1]]]  # fmt: skip
    if has_table([lines[index] for index in after[:TRIED_LINES]]):
        said[-1] = f"a second table, {len(after)} lines from line {after[0] + 1} on, was left out"
    return tuple(said + ([f"{within - 3} more lines were left out"] if within > 3 else []))
