"""Cells to values: numbers in the campaign's units, words that are levels, runs that failed.

Every function adds what it finds wrong to a list of problems and goes on, so that a user sees all of it at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from simulators.replay_csv import SHOWN, TextTable, rows_named
from simulators.replay_options import Axis, Failure, Target, Value, did_you_mean
from simulators.table_units import Conversion, contradiction, conversion

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
_EMPTY = ("", "nan", "na", "n/a", "null", "none")


def failed_rows(text: TextTable, failure: Failure | None, problems: list[str]) -> list[bool]:
    """Tell which rows gave no result."""
    if failure is None or failure.column not in text.header:
        return [False] * len(text.rows)
    failed = [_equals(cell, failure.equals) for cell in text.column(failure.column)]
    if all(failed) or not any(failed):
        how_many = "every" if any(failed) else "no"
        problems.append(f"replay.failure: {how_many} row has {failure.column!r} equal to {failure.equals!r}")
    return failed


def _equals(cell: str, mark: Value) -> bool:
    if isinstance(mark, int | float) and not isinstance(mark, bool) and _NUMBER.fullmatch(cell):
        return float(cell) == float(mark)
    return cell.casefold() == str(mark).strip().casefold()


def settings(text: TextTable, axis: Axis, problems: list[str]) -> list[Value]:
    """Return what a parameter was set to in each row, in the campaign's unit."""
    if axis.is_categorical:
        return _words(text, axis, problems)
    numbers = _numbers(text, axis.column, [True] * len(text.rows), problems)
    convert = _conversion(axis.column, axis.column_unit, axis.unit, problems)
    converted = [convert(number) for number in numbers]
    if axis.kind == "continuous":
        return list(converted)
    whole = [round(number) if math.isfinite(number) else 0 for number in converted]
    broken = [i for i, number in enumerate(converted) if math.isfinite(number) and number != whole[i]]
    if broken:
        where = rows_named(text.numbers[i] for i in broken)
        problems.append(f"column {axis.column!r}: parameter {axis.name!r} is an integer, but not in {where}")
    return list(whole)


def _words(text: TextTable, axis: Axis, problems: list[str]) -> list[Value]:
    cells = text.column(axis.column)
    known = [str(level) for level in axis.levels or sorted(set(cells) - {""})]
    words = axis.words or frozenset(known)
    for word in dict.fromkeys(cells):
        if word in words:
            continue
        where = rows_named(text.numbers[i] for i, cell in enumerate(cells) if cell == word)
        what = f"{word!r} in {where} is no level of parameter {axis.name!r}" if word else f"empty in {where}"
        hint = did_you_mean(word, known) or f"; levels are {', '.join(known)}"
        problems.append(f"column {axis.column!r}: {what}{hint if word else ''}")
    return list(cells)


def values(text: TextTable, target: Target, good: Sequence[bool], problems: list[str]) -> list[float]:
    """Return what was measured in each row, in the campaign's unit; NaN in rows that are not good."""
    convert = _conversion(target.column, target.column_unit, target.unit, problems)
    return [convert(number) for number in _numbers(text, target.column, good, problems)]


def _numbers(text: TextTable, column: str, wanted: Sequence[bool], problems: list[str]) -> list[float]:
    cells = text.column(column)
    numbers = [float(cell) if _NUMBER.fullmatch(cell) else math.nan for cell in cells]
    bad = [i for i, number in enumerate(numbers) if wanted[i] and not math.isfinite(number)]
    empty = [i for i in bad if cells[i].casefold() in _EMPTY]
    if empty:
        hint = "; complete or delete them, or declare failed runs in replay.failure"
        problems.append(f"column {column!r}: empty or NaN in {rows_named(text.numbers[i] for i in empty)}{hint}")
    words = [i for i in bad if cells[i].casefold() not in _EMPTY]
    if words:
        shown = ", ".join(f"{cells[i]!r} in row {text.numbers[i]}" for i in words[:SHOWN])
        more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
        hint = "; write decimals with a point" if any(_DECIMAL_COMMA.fullmatch(cells[i]) for i in words) else ""
        problems.append(f"column {column!r} must hold finite numbers, not {shown}{more}{hint}")
    return [number if ok else math.nan for number, ok in zip(numbers, wanted, strict=True)]


def _conversion(column: str, source: str, target: str, problems: list[str]) -> Conversion:
    odd = contradiction(column, source)
    if odd:
        problems.append(f"column {column!r} is declared in {source!r}, but {odd}")
    try:
        return conversion(source, target)
    except ValueError as error:
        problems.append(f"column {column!r}: {error}")
        return Conversion()
