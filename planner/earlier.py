"""Tables of earlier results, as a policy's options give them: plain data, checked with sentences for what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.errors import BadOption, SpaceError, did_you_mean
from planner.space import SearchSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierTable:
    """What one table says."""

    where: str
    """How sentences call it."""
    codes: np.ndarray
    """Its points, encoded, `n x d`."""
    values: np.ndarray
    """`n`."""
    given: Mapping[str, Any]
    """All that it was given with."""

    def number(self, key: str, default: float | None = None) -> float:
        """Return a number that stands beside the points."""
        return number(self.given.get(key, default), f"{self.where}: {key}")


def read_tables(
    space: SearchSpace, given: Any, option: str, *, keys: Sequence[str], needed: Sequence[str], fewest: int
) -> list[EarlierTable]:
    """Return tables, each a mapping with `points` (mappings of every parameter to a value) and as many `values`.

    Args:
        space: Where the points are.
        given: What the option was given.
        option: Its name.
        keys: All keys that a table may have.
        needed: Those that it must have.
        fewest: Points that a table must have.

    Raises:
        BadOption: A table is none, is too small, has a point that cannot be read, or all of them outside the space.
    """
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence):
        raise BadOption(f"option {option!r} takes a list of tables with {', '.join(keys)}, not {type(given).__name__}")
    return [
        _table(space, table, f"table {count} of option {option!r}", keys, needed, fewest)
        for count, table in enumerate(given)
    ]


def number(value: Any, what: str) -> float:
    """Return a finite number.

    Raises:
        BadOption: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise BadOption(f"{what} must be a finite number, not {value!r}")
    return float(value)


def _table(
    space: SearchSpace, table: Any, where: str, keys: Sequence[str], needed: Sequence[str], fewest: int
) -> EarlierTable:
    if not isinstance(table, Mapping):
        raise BadOption(f"{where} must be a mapping with {', '.join(keys)}, not {table!r}")
    unknown = [name for name in table if name not in keys]
    if unknown:
        raise BadOption(f"{where} has no {unknown[0]!r}{did_you_mean(str(unknown[0]), keys)}")
    missing = [name for name in needed if name not in table]
    if missing:
        raise BadOption(f"{where} lacks {missing[0]!r}")
    points, values = list(table["points"]), list(table["values"])
    if len(points) != len(values):
        raise BadOption(f"{where} has {len(points)} points and {len(values)} values; give one value for each point")
    if len(points) < fewest:
        raise BadOption(f"{where} has {len(points)} points; at least {fewest} are needed, or leave the table out")
    numbers = np.array([number(value, f"{where}: value {i}") for i, value in enumerate(values)])
    return EarlierTable(where=where, codes=_codes(space, points, where), values=numbers, given=table)


def _codes(space: SearchSpace, points: Sequence[Any], where: str) -> np.ndarray:
    for count, point in enumerate(points):
        if not isinstance(point, Mapping):
            raise BadOption(f"{where}: point {count} must map every parameter to a value, not {point!r}")
        unknown = [name for name in point if name not in space.names]
        if unknown:
            raise BadOption(f"{where}: point {count} has {unknown[0]!r}, which is no parameter here")
    try:
        rows = space.rows(points)
    except SpaceError as error:
        raise BadOption(f"{where}: {error}") from error
    low, high = np.array([parameter.bounds for parameter in space.parameters]).T
    slack = 1e-9 * np.maximum(high - low, np.abs(high))
    outside = np.flatnonzero(np.any((rows < low - slack) | (rows > high + slack), axis=1))
    if len(outside) == len(points):
        raise BadOption(
            f"{where}: every point lies outside the space, the first of them {dict(points[0])}; it tells nothing here"
        )
    return space.encode_rows(rows)
