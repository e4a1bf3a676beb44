"""Rows of a source that can be used: those that cannot be are left out, and it is said which and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from orchestrator.columns import Axis, header_of
from orchestrator.errors import InputError
from orchestrator.fields import did_you_mean
from orchestrator.tables import Table, empty_cells
from orchestrator.words import plural

_NO_NUMBER = "nan"
"""What programs write where nothing was measured."""
_SHOWN = 3


@dataclass(slots=True)
class Rows:
    """A table that loses rows, and what was said of them."""

    table: Table
    notes: list[str] = field(default_factory=list)
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    """Columns in the campaign's units, once they were read; they lose the same rows."""

    def __post_init__(self) -> None:
        columns = {name: _without_nan(column) for name, column in self.table.columns.items()}
        self.table = replace(self.table, columns=columns)

    def cells(self, axis: Axis) -> Any:
        """Return the column of an axis; None where the table has none."""
        header = axis.column
        if header is None:
            header = axis.name if axis.kind == "categorical" else header_of(self.table, axis.name)
        return None if header is None else self.table.columns.get(header)

    def drop(self, is_bad: np.ndarray, why: str, *, rows: str = "row") -> None:
        """Leave rows out (`n`, bool), and note how many and which, if there are any.

        why: What is wrong with them, behind their number.
        """
        if not is_bad.any():
            return
        count = plural(int(is_bad.sum()), rows)
        self.notes.append(f"{count}{why} left out ({self.table.at(np.flatnonzero(is_bad))})")
        places = np.flatnonzero(~is_bad)
        columns = {name: column.take(places) for name, column in self.table.columns.items()}
        self.table = replace(self.table, columns=columns, numbers=self.table.numbers[places])
        self.columns = {name: column[places] for name, column in self.columns.items()}

    def refuse_empty(self) -> None:
        """Refuse a table that has lost all its rows.

        Raises:
            InputError: It has.
        """
        if not len(self.table):
            raise InputError(f"{self.table.name}: no row is left: {'; '.join(self.notes)}")

    def drop_empty(self, axis: Axis) -> None:
        """Leave out rows where nothing stands for an axis."""
        cells = self.cells(axis)
        if cells is not None:
            self.drop(empty_cells(cells), f" without {axis.name!r}")

    def drop_unknown_words(self, axis: Axis) -> None:
        """Leave out rows with words that the campaign does not know."""
        cells = self.cells(axis)
        if cells is None:
            return
        words = np.array(["" if cell is None else str(cell) for cell in cells.to_pylist()], dtype=object)
        is_strange = (words != "") & ~np.isin(words, np.array(axis.levels, dtype=object))
        if is_strange.any():
            strange = list(dict.fromkeys(words[is_strange]))
            self.drop(is_strange, f" with a level of {axis.name!r} that is none here, {_named(strange, axis.levels)},")


def _named(words: Sequence[str], levels: Sequence[str]) -> str:
    if len(words) == 1:
        return repr(words[0]) + did_you_mean(words[0], levels[:200]).replace(";", ",")
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return ", ".join(map(repr, words[:_SHOWN])) + more


def _without_nan(column: Any) -> Any:
    """Return a column with nothing where text says that there is no number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_string(column.type):
        return column
    compute: Any = pc  # its functions are made when it is imported
    return compute.if_else(compute.equal(compute.utf8_lower(column), _NO_NUMBER), "", column)
