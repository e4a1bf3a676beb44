"""Pools: the points of a table or a generator, as rows of numbers, up to some ten million."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from planner.errors import SpaceError, did_you_mean
from planner.parameters import Categorical, Parameter
from planner.proposal import Value
from planner.region import Region

Columns = Mapping[str, Any]
"""A column of values for each parameter, all of one length: a dict of arrays, or a data frame."""


def is_columns(candidates: object) -> bool:
    """Say whether candidates come by column and not by point."""
    return hasattr(candidates, "keys") and hasattr(candidates, "__getitem__")


def rows_of_columns(parameters: Sequence[Parameter], columns: Columns) -> np.ndarray:
    """Return a table as rows of numbers (`n x p`).

    Raises:
        SpaceError: A column is missing, unknown or of another length, or a value is no number or no known word.
    """
    names = [parameter.name for parameter in parameters]
    check_names(names, list(columns.keys()), "candidates: ")
    found = [_numbers(parameter, np.asarray(columns[parameter.name])) for parameter in parameters]
    for name, column in zip(names, found, strict=True):
        if len(column) != len(found[0]):
            raise SpaceError(f"candidates: column {name!r} has {len(column)} values, {names[0]!r} has {len(found[0])}")
    return np.column_stack(found)


def check_names(names: Sequence[str], given: Iterable[str], where: str, *, needed: Sequence[str] | None = None) -> None:
    """Refuse names that are missing (of those needed, or all) or unknown.

    Raises:
        SpaceError: One is.
    """
    given = list(given)
    missing = [name for name in (names if needed is None else needed) if name not in given]
    unknown = [name for name in given if name not in names]
    if missing:
        raise SpaceError(f"{where}parameter {missing[0]!r} is missing")
    if unknown:
        raise SpaceError(f"{where}unknown parameter {unknown[0]!r}{did_you_mean(unknown[0], names)}")


def _numbers(parameter: Parameter, column: np.ndarray) -> np.ndarray:
    """Return a column as numbers; not a number where a parameter that may not exist has no value."""
    absent = np.array([value is None or value != value for value in column.tolist()]) if parameter.when else None
    if absent is not None and absent.any():
        numbers = np.full(len(column), np.nan)
        numbers[~absent] = _numbers(replace(parameter, when=None), column[~absent])
        return numbers
    if isinstance(parameter, Categorical) or column.dtype.kind not in "iuf":
        # of few different values each is looked at once; of other things, where they cannot be sorted, one by one
        try:
            values, places = np.unique(column, return_inverse=True)
        except TypeError:
            values, places = column, np.arange(len(column))
        return np.array([_number(parameter, value) for value in values.tolist()], dtype=float)[places]
    numbers = column.astype(float)
    if not np.isfinite(numbers).all():
        bad = int(np.argmin(np.isfinite(numbers)))
        raise SpaceError(f"candidate {bad}: parameter {parameter.name!r}: {numbers[bad]} is no finite number")
    return numbers


def _number(parameter: Parameter, value: Value) -> float:
    try:
        return parameter.number(value)
    except SpaceError as error:
        raise SpaceError(f"candidates: {error}") from None


class Members:
    """Which rows are there: a sorted list of their marks, a few bytes each.

    Args:
        marks: `n x p`; equal rows have equal marks (`SearchSpace.marks`).
    """

    def __init__(self, marks: np.ndarray) -> None:
        self._sorted, self.first = np.unique(_packed(marks), return_index=True)
        """First places of different rows, in the order of the marks."""

    def __contains__(self, mark: np.ndarray) -> bool:
        packed = _packed(np.atleast_2d(mark))[0]
        place = int(np.searchsorted(self._sorted, packed))
        return place < len(self._sorted) and self._sorted[place] == packed


def _packed(marks: np.ndarray) -> np.ndarray:
    """Return one opaque item for each row (`n`)."""
    marks = np.ascontiguousarray(marks)
    return marks.view(np.dtype((np.void, marks.dtype.itemsize * marks.shape[1]))).ravel()


def nearest(pool: np.ndarray, region: Region, uniforms: np.ndarray) -> np.ndarray:
    """Return which row of a pool (`n x p`) is nearest to each point of the unit cube (`m x p`), `m`."""
    rows = region.low + uniforms * (region.high - region.low)
    return np.array([np.argmin(np.sum(((pool - row) / region.span) ** 2, axis=1)) for row in rows])


def in_chunks(score: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, size: int) -> np.ndarray:
    """Return the scores (`n`, or `k x n`) of many rows (`n x p`), without holding what they need all at once."""
    parts = [score(rows[start : start + size]) for start in range(0, len(rows), size)]
    return np.concatenate(parts, axis=-1)
