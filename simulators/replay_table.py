"""A table of measured runs: what was set, what came out, and which runs are repeats of one another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simulators.replay_cells import failed_rows, settings, values
from simulators.replay_csv import TextTable, read_text_table
from simulators.replay_options import Axis, ReplayOptions, TableProblems, Target, Value, did_you_mean

MIN_POOL_CONDITIONS = 2
MIN_EMULATOR_CONDITIONS = 10
MATCH_TOLERANCE = 1e-6
"""How far a value may lie from a measured one and still be it, as a fraction of the column's range: the way of a number
through units and text costs less, and two set points of an instrument differ by more."""
EXTRAPOLATION = 0.05
"""How far beyond the measured range an emulator may be asked, as a fraction of that range."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Measured runs in the campaign's units; ``n`` rows, ``m`` distinct conditions, ``t`` targets."""

    sha256: str
    axes: tuple[Axis, ...]
    targets: tuple[Target, ...]
    conditions: tuple[dict[str, Value], ...]
    """``m`` distinct parameter settings, in the order of their first row."""
    condition_of_row: NDArray[np.intp]
    """``n``: which condition each row repeats."""
    values: NDArray[np.float64]
    """``n x t``; NaN in failed rows."""
    failed: NDArray[np.bool_]
    """``n``: rows that gave no result."""
    numbers: NDArray[np.intp]
    """``n``: the row in the file, where the header is row 1."""

    @cached_property
    def rows_of(self) -> tuple[NDArray[np.intp], ...]:
        """The rows of each condition."""
        order = np.argsort(self.condition_of_row, kind="stable")
        return tuple(np.split(order, np.cumsum(np.bincount(self.condition_of_row))[:-1]))

    @cached_property
    def good_counts(self) -> NDArray[np.intp]:
        """``m``: how many rows of each condition have values."""
        return np.bincount(self.condition_of_row[~self.failed], minlength=len(self.conditions))

    @cached_property
    def means(self) -> NDArray[np.float64]:
        """``m x t``: the mean over the repeats of each condition; NaN where every repeat failed."""
        sums = np.zeros((len(self.conditions), len(self.targets)))
        np.add.at(sums, self.condition_of_row[~self.failed], self.values[~self.failed])
        counts = self.good_counts[:, None]
        return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)

    @cached_property
    def spans(self) -> dict[str, tuple[float, float]]:
        """Least and greatest measured setting of each numeric parameter."""
        return {axis.name: _span(self, axis) for axis in self.axes if not axis.is_categorical}

    @cached_property
    def admissible(self) -> tuple[int, ...]:
        """The conditions that lie in the campaign's search space."""
        inside = (all(_lies_in(axis, point[axis.name]) for axis in self.axes) for point in self.conditions)
        return tuple(i for i, is_inside in enumerate(inside) if is_inside)

    def find(self, parameters: Mapping[str, Value]) -> int | None:
        """Return the condition with these parameters, or None where it was never measured."""
        distance = np.zeros(len(self.conditions))
        for axis in self.axes:
            column = self._columns[axis.name]
            if axis.is_categorical:
                distance[column != parameters[axis.name]] = math.inf
            else:
                distance = np.maximum(distance, np.abs(column - float(parameters[axis.name])) / self._scale(axis.name))
        best = int(np.argmin(distance))
        return best if distance[best] <= MATCH_TOLERANCE else None

    @cached_property
    def _columns(self) -> dict[str, NDArray]:
        return {axis.name: np.array([point[axis.name] for point in self.conditions]) for axis in self.axes}

    def _scale(self, name: str) -> float:
        low, high = self.spans[name]
        return (high - low) or abs(high) or 1.0


def read_table(options: ReplayOptions) -> Table:
    """Read and check a table.

    Raises:
        TableProblems: Everything that is wrong with it, at once.
    """
    text = read_text_table(options.table)
    problems = _missing_columns(text, options)
    failed = failed_rows(text, options.failure, problems)
    axes = [axis for axis in options.axes if axis.column in text.header]
    targets = [target for target in options.targets if target.column in text.header]
    set_to = {axis.name: settings(text, axis, problems) for axis in axes}
    measured = [values(text, target, [not lost for lost in failed], problems) for target in targets]
    _raise(options, problems)
    table = _grouped(text, options, set_to, np.array(measured).T, np.array(failed))
    _raise(options, _sense_problems(table, options))
    return table


def _raise(options: ReplayOptions, problems: Sequence[str]) -> None:
    if problems:
        raise TableProblems([f"table {options.table}: {problem}" for problem in problems])


def _missing_columns(text: TextTable, options: ReplayOptions) -> list[str]:
    wanted = {entry.column: f"{entry.name!r}" for entry in (*options.axes, *options.targets)}
    if options.failure:
        wanted.setdefault(options.failure.column, "replay.failure")
    columns = ", ".join(text.header)
    return [
        f"no column {column!r} (wanted for {use}); columns are {columns}{did_you_mean(column, text.header)}"
        for column, use in wanted.items()
        if column not in text.header
    ]


def _grouped(
    text: TextTable,
    options: ReplayOptions,
    set_to: Mapping[str, list[Value]],
    measured: NDArray[np.float64],
    failed: NDArray[np.bool_],
) -> Table:
    points = list(zip(*set_to.values(), strict=True))
    index = {point: i for i, point in enumerate(dict.fromkeys(points))}
    return Table(
        sha256=text.sha256,
        axes=options.axes,
        targets=options.targets,
        conditions=tuple(dict(zip(set_to, point, strict=True)) for point in index),
        condition_of_row=np.array([index[point] for point in points], dtype=np.intp),
        values=np.where(failed[:, None], np.nan, measured),
        failed=failed,
        numbers=np.array(text.numbers, dtype=np.intp),
    )


def _sense_problems(table: Table, options: ReplayOptions) -> list[str]:
    problems = [problem for axis in table.axes for problem in _space_problems(table, axis)]
    if options.mode == "pool":
        return problems or _pool_problems(table)
    return (
        problems + [problem for axis in table.axes for problem in _reach_problems(table, axis)] + _size_problems(table)
    )


def _space_problems(table: Table, axis: Axis) -> list[str]:
    """Say that no row lies in the search space: most often a unit that is not what was declared."""
    if axis.is_categorical or any(_lies_in(axis, point[axis.name]) for point in table.conditions):
        return []
    low, high = table.spans[axis.name]
    allowed = (
        f"is one of {', '.join(f'{level:g}' for level in axis.levels)}"
        if axis.levels
        else f"runs from {axis.low:g} to {axis.high:g}"
    )
    return [
        f"column {axis.column!r} runs from {low:g} to {high:g} {axis.unit}, but parameter {axis.name!r} {allowed} "
        f"{axis.unit}: no row lies there; is the column really in {axis.column_unit!r}?"
    ]


def _pool_problems(table: Table) -> list[str]:
    if len(table.admissible) >= MIN_POOL_CONDITIONS:
        return []
    return [
        f"{len(table.admissible)} of {len(table.conditions)} measured conditions lie in the campaign's search space; "
        f"a pool needs at least {MIN_POOL_CONDITIONS}"
    ]


def _reach_problems(table: Table, axis: Axis) -> list[str]:
    """Say where the search space goes beyond what was measured: an emulator would have to invent."""
    if axis.is_categorical:
        measured = {point[axis.name] for point in table.conditions}
        strangers = [str(level) for level in axis.levels or () if str(level) not in measured]
        told = f"was never measured at {', '.join(strangers)}; leave out those levels of parameter {axis.name!r}"
        return [f"column {axis.column!r} {told}"] if strangers else []
    low, high = reach(table, axis.name)
    ends = [f"{end:g}" for end in (axis.low, axis.high) if math.isfinite(end) and not low <= end <= high]
    if not ends:
        return []
    measured_low, measured_high = table.spans[axis.name]
    return [
        f"parameter {axis.name!r} may go to {' and '.join(ends)} {axis.unit}, but column {axis.column!r} was measured "
        f"from {measured_low:g} to {measured_high:g}: narrow the bounds, an emulator knows nothing beyond"
    ]


def _size_problems(table: Table) -> list[str]:
    usable = int(np.count_nonzero(table.good_counts))
    if usable < MIN_EMULATOR_CONDITIONS:
        return [f"{usable} distinct conditions with a result; an emulator needs at least {MIN_EMULATOR_CONDITIONS}"]
    return [
        f"column {target.column!r} has the same value in every row; there is nothing to learn from it"
        for k, target in enumerate(table.targets)
        if np.ptp(table.values[~table.failed, k]) == 0
    ]


def reach(table: Table, name: str) -> tuple[float, float]:
    """Return between which settings of a numeric parameter an emulator answers."""
    low, high = table.spans[name]
    margin = EXTRAPOLATION * (high - low)
    return low - margin, high + margin


def _lies_in(axis: Axis, value: Value) -> bool:
    if isinstance(value, str):
        return axis.levels is None or value in axis.words
    slack = 1e-9 * max(abs(value), 1e-300)
    if axis.levels is not None:
        return any(abs(value - float(level)) <= slack for level in axis.levels)
    return axis.low - slack <= value <= axis.high + slack


def _span(table: Table, axis: Axis) -> tuple[float, float]:
    column = [float(point[axis.name]) for point in table.conditions]
    return min(column), max(column)
