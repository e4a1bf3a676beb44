"""Where the rows of a source lie: what has no place in the search space is left out, and what is outside is counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.errors import InputError
from orchestrator.parameters import Worded
from orchestrator.source_rows import Rows
from orchestrator.units import Measure
from orchestrator.words import plural

if TYPE_CHECKING:
    from orchestrator.campaign import Campaign


def sort_out_places(rows: Rows, campaign: Campaign) -> None:
    """Leave out rows that have no place in the search space, and note those outside its bounds.

    Raises:
        InputError: No row is left, or all lie outside the bounds.
    """
    numeric = [item for item in campaign.parameters if not isinstance(item, Worded)]
    for item in numeric:
        if item.scale == "log":
            column = rows.columns[item.name]
            is_low = np.array([value is not None and value <= 0.0 for value in column.tolist()])
            rows.drop(is_low, f" with {item.name!r} of 0 or less, which has no place on its log scale,")
    _sort_out_conditions(rows, campaign)
    rows.refuse_empty()
    is_outside = np.zeros(len(rows.table), dtype=bool)
    for item in numeric:
        low, high = item.bounds
        slack = 1e-9 * max(high - low, abs(high))
        values = rows.columns[item.name].tolist()
        found = np.array([np.nan if value is None else value for value in values], dtype=float)
        is_outside |= (found < low - slack) | (found > high + slack)
    if is_outside.all():
        ranges = _ranges(rows, numeric)
        raise InputError(f"{rows.table.name}: every row lies outside the bounds of the parameters; {ranges}")
    if is_outside.any():
        count, first = plural(int(is_outside.sum()), "row"), rows.table.at(np.flatnonzero(is_outside)[:1])
        rows.notes.append(f"{count} outside the bounds (first: {first}), used where they lie")


def _ranges(rows: Rows, numeric: Sequence[Any]) -> str:
    """Say which parameter has other values than the campaign looks at."""
    for item in numeric:
        values = [value for value in rows.columns[item.name].tolist() if value is not None]
        low, high = item.bounds
        if values and (min(values) > high or max(values) < low):
            there, here = (
                f"from {Measure(one, item.unit)} to {Measure(other, item.unit)}"
                for one, other in ((min(values), max(values)), (low, high))
            )
            return f"{item.name!r} runs {there} there, and {here} here"
    return "it tells nothing here"


def _sort_out_conditions(rows: Rows, campaign: Campaign) -> None:
    """Leave out rows without a parameter that exists there, and forget values of those that do not exist."""
    if all(item.when is None for item in campaign.parameters):
        return
    from orchestrator.space import search_space
    from planner.pool import rows_of_columns

    space = search_space(campaign)
    if space.conditions is None:
        return
    for column, name in enumerate(space.names):
        codes = rows_of_columns(space.parameters, {one: rows.columns[one] for one in space.names})
        exists = space.conditions.active(codes)[:, column]
        rows.drop(exists & ~np.isfinite(codes[:, column]), f" without {name!r}")
    codes = rows_of_columns(space.parameters, {one: rows.columns[one] for one in space.names})
    exists = space.conditions.active(codes)
    for column in space.conditions.rules:
        values = rows.columns[space.names[column]].astype(object)
        values[~exists[:, column]] = None
        rows.columns[space.names[column]] = values
