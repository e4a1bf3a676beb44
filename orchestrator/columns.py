"""Columns of a table as numbers and words in the campaign's units; what is wrong with their cells is noted by line."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator import units
from orchestrator.fields import did_you_mean
from orchestrator.tables import Table, empty_cells

if TYPE_CHECKING:
    import pyarrow as pa

_UNIT_BEHIND = re.compile(r"(?P<name>.*\S)\s*[(\[](?P<unit>[^()\[\]]*)[)\]]")
MOST_WRONG = 5
"""Kinds of mistakes in one column that are named before the rest is counted."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A column that is wanted, and what its cells must be."""

    name: str
    column: str | None
    """Its header; None: the name, alone or with a unit behind it."""
    column_unit: str | None
    unit: str
    kind: str = ""
    """Of a parameter; empty: a number that may be missing."""
    levels: tuple[str, ...] = ()
    """The words, where it is one."""
    is_conditional: bool = False
    """Of a parameter that does not exist everywhere: cells may be empty."""
    is_difference: bool = False


def plain_cell(cell: object) -> object:
    """Return a cell so that ``1``, ``1.0`` and text "1" are equal, and ``True`` and "true"."""
    text = "" if cell is None else str(cell).strip()
    try:
        return float(text)
    except ValueError:
        return text.casefold() if text.casefold() in ("true", "false") else text


def context_column(table: Table, header: str, problems: list[str]) -> np.ndarray:
    """Return cells as numbers where they are some, otherwise as words; None where nothing stands (`n`, objects)."""
    if header not in table.columns:
        problems.append(no_column(table, header))
        return np.full(len(table), None)
    cells = [_plain_context(cell) for cell in table.columns[header].to_pylist()]
    found = np.empty(len(cells), dtype=object)
    found[:] = cells
    return found


def _plain_context(cell: object) -> float | str | None:
    text = "" if cell is None else str(cell)
    try:
        number = float(text)
    except ValueError:
        return text or None
    return number if math.isfinite(number) else None


def no_column(table: Table, header: str) -> str:
    """Say that a column is missing, and which may have been meant."""
    return f"{table.name} has no column {header!r}{did_you_mean(header, table.columns)}"


def header_of(table: Table, name: str) -> str | None:
    """Return the header of a name: the name alone, or with a unit in brackets behind it."""
    if name in table.columns:
        return name
    return next((one for one in table.columns if (m := _UNIT_BEHIND.fullmatch(one)) and m["name"] == name), None)


def _header_and_unit(table: Table, axis: Axis, problems: list[str]) -> tuple[str, str] | None:
    header = header_of(table, axis.name) if axis.column is None else axis.column
    if header is None or header not in table.columns:
        problems.append(no_column(table, axis.name if header is None else header))
        return None
    behind = _UNIT_BEHIND.fullmatch(header)
    said = units.spell(behind["unit"]) if behind is not None else None
    if axis.column_unit is None and said is not None and units.is_known(said):
        return header, said
    if axis.column_unit is not None and said is not None and units.is_known(said) and said != axis.column_unit:
        problems.append(f"{table.name}: column {header!r} says {said!r}, the campaign file {axis.column_unit!r}")
        return None
    return header, axis.column_unit or axis.unit


def parameter_column(table: Table, axis: Axis, problems: list[str]) -> np.ndarray:
    """Return the values of a parameter (`n`), None where nothing stands for one that is conditional.

    What is wrong with them is noted.
    """
    if axis.kind == "categorical":
        return _words(table, axis, problems)
    found = number_column(table, axis, problems)
    cells = table.columns.get(axis.column or header_of(table, axis.name) or "")
    is_empty = np.zeros(len(table), dtype=bool) if cells is None else empty_cells(cells)
    if is_empty.any() and not axis.is_conditional:
        problems.append(f"{table.name}: {table.at(np.flatnonzero(is_empty))}: nothing stands for {axis.name!r}")
    if axis.kind == "integer":
        between = np.flatnonzero(np.isfinite(found) & (found != np.floor(found)))
        if between.size:
            problems.append(f"{table.name}: {table.at(between)}: {axis.name!r} is no whole number")
        elif np.isfinite(found[~is_empty]).all():
            return _with_gaps(found[~is_empty].astype(np.int64), is_empty)
    return _with_gaps(found[~is_empty], is_empty) if axis.is_conditional else found


def _with_gaps(values: np.ndarray, is_empty: np.ndarray) -> np.ndarray:
    """Return values (`m`) in their places, None where it is empty (`n`, bool)."""
    if not is_empty.any():
        return values
    found = np.full(len(is_empty), None, dtype=object)
    found[~is_empty] = values.tolist()
    return found


def _words(table: Table, axis: Axis, problems: list[str]) -> np.ndarray:
    header = axis.column or axis.name
    if header not in table.columns:
        problems.append(no_column(table, header))
        return np.full(len(table), axis.levels[0], dtype=object)
    found = np.array([_word(cell) for cell in table.columns[header].to_pylist()], dtype=object)
    is_empty = (found == "") & axis.is_conditional
    strange = np.flatnonzero(~is_empty & ~np.isin(found, np.array(axis.levels, dtype=object)))
    if strange.size:
        word = found[strange[0]]
        said = f"{word!r} is no level of {axis.name!r}{did_you_mean(word, axis.levels[:200])}"
        problems.append(f"{table.name}: {table.at(strange)}: {said if word else f'nothing stands for {axis.name!r}'}")
    return _with_gaps(found[~is_empty], is_empty)


def _word(cell: object) -> str:
    return "" if cell is None else str(cell)


def number_column(table: Table, axis: Axis, problems: list[str]) -> np.ndarray:
    """Return numbers in the campaign's unit (`n`), not a number where nothing stands; what is wrong is noted."""
    place = _header_and_unit(table, axis, problems)
    if place is None:
        return np.full(len(table), np.nan)
    header, unit = place
    cells = table.columns[header]
    try:
        found = _numbers(cells)
        if found is not None:
            return _converted(found, unit, axis)
        return _one_by_one(table, cells, unit, axis, problems)
    except units.UnitError as error:
        problems.append(f"{table.name}: column {header!r}: {error}")
        return np.full(len(table), np.nan)


def _numbers(cells: pa.Array) -> np.ndarray | None:
    """Return cells as numbers (`n`), not a number where nothing stands; None where one is something else."""
    import pyarrow as pa
    import pyarrow.compute as pc

    compute: Any = pc  # its functions are made when it is imported
    is_there = ~empty_cells(cells)
    try:
        if pa.types.is_string(cells.type):
            cells = compute.if_else(pa.array(is_there), cells, None)
        found = compute.cast(cells, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return None
    return found if np.isfinite(found[is_there]).all() else None


def _converted(found: np.ndarray, unit: str, axis: Axis) -> np.ndarray:
    """Return numbers in another unit; those that are equal in both to the last digit, and so are few ones.

    Raises:
        UnitError: The units are of different dimensions.
    """
    if units.spell(unit) == units.spell(axis.unit):
        return found
    values, places = np.unique(found, return_inverse=True)
    converted = [
        units.convert(value, unit, axis.unit, difference=axis.is_difference) if math.isfinite(value) else value
        for value in values.tolist()
    ]
    return np.array(converted, dtype=float)[places]


def _one_by_one(table: Table, cells: pa.Array, unit: str, axis: Axis, problems: list[str]) -> np.ndarray:
    """Read cells of which some are no plain numbers: quantities with units of their own, or mistakes."""
    found = np.full(len(table), np.nan)
    wrong: dict[str, list[int]] = {}
    known: dict[object, float | str] = {}
    for row, cell in enumerate(cells.to_pylist()):
        if cell in ("", None):
            continue
        if cell not in known:
            known[cell] = _read(cell, unit, axis)
        value = known[cell]
        if isinstance(value, str):
            wrong.setdefault(value, []).append(row)
        else:
            found[row] = value
    problems += [f"{table.name}: {table.at(rows)}: {axis.name!r}: {said}" for said, rows in _first(wrong)]
    return found


def _read(cell: object, unit: str, axis: Axis) -> float | str:
    try:
        own = units.split(cell) if isinstance(cell, str) else units.Measure(units.read(cell, unit), unit)
        from_unit = unit if own.unit == "1" else own.unit
        if from_unit == axis.unit:
            return own.value
        return units.convert(own.value, from_unit, axis.unit, difference=axis.is_difference)
    except units.UnitError as error:
        return str(error)


def _first(wrong: Mapping[str, list[int]]) -> list[tuple[str, list[int]]]:
    """Return the mistakes that come first, and what is left of them together."""
    found = list(wrong.items())
    if len(found) <= MOST_WRONG:
        return found
    rest = [row for _, rows in found[MOST_WRONG:] for row in rows]
    return [*found[:MOST_WRONG], ("more of that kind", rest)]
