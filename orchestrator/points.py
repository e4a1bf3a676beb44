"""What a campaign's tables say: the points that may be tried, and what is known beforehand, in the campaign's units."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.columns import Axis, context_column, header_of, no_column, number_column, parameter_column, plain_cell
from orchestrator.energies import refuse_changed as refuse_changed_energies
from orchestrator.errors import InputError
from orchestrator.parameters import Worded
from orchestrator.pools import refuse_changed as refuse_changed_pools
from orchestrator.tables import Table, digest_of, named, read_table
from orchestrator.worlds import pool_of

if TYPE_CHECKING:
    from orchestrator.campaign import Campaign
    from orchestrator.table_fields import Column, Known


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownResult:
    """One result from before the campaign."""

    at: str
    """Where it stands, "line 3"."""
    parameters: Mapping[str, Any]
    values: Mapping[str, float]
    noise: Mapping[str, float]
    failure: str | None
    context: Mapping[str, Any] = field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        """Return it as the journal keeps it."""
        return {
            "parameters": dict(self.parameters),
            "values": dict(self.values),
            "sd": dict(self.noise),
            "failure": self.failure,
            "context": dict(self.context),
        }


def pool_for(campaign: Campaign, worlds: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return the only points that may be tried: those of a table, or those that a simulated world can answer for.

    worlds: options of each simulated world, by name.

    Raises:
        InputError: The table cannot be read or used.
    """
    found = candidates_of(campaign)
    return pool_of(worlds) if found is None else found


def refuse_changed(campaign: Campaign) -> None:
    """Hold a campaign's tables and pools against what they were when it began.

    Earlier results stand in the journal, so that their file may be gone.

    Raises:
        InputError: One has changed, or candidates cannot be read any more.
    """
    refuse_changed_pools(campaign)
    refuse_changed_energies(campaign.planner)
    tables = (("candidates", campaign.candidates), ("known", campaign.known))
    files = [(key, Path(given.table), given.sha256) for key, given in tables if given is not None]
    if campaign.durations is not None:
        files.append(("durations", Path(campaign.durations.file), campaign.durations.sha256))
    for key, file, sha256 in files:
        if sha256 is None or (key == "known" and not file.exists()):
            continue
        found = digest_of(file)
        if found != sha256:
            raise InputError(
                f"{key}: {file} was changed since this campaign began (its SHA-256 is {found[:12]}... and was "
                f"{sha256[:12]}...): put the file back, or begin another campaign in a directory of its own"
            )


def candidates_of(campaign: Campaign) -> Mapping[str, np.ndarray] | None:
    """Return the points that may be tried, a column (`n`) for each parameter; None where no table names them.

    Raises:
        InputError: The table cannot be read or used; every mistake is named, with its lines.
    """
    if campaign.candidates is None:
        return None
    found, rows = _candidates(campaign.candidates.table, campaign.candidates.sha256, _Spec.of(campaign, None))
    _refuse(_beside_conditions(campaign, rows, found))
    return found


def known_of(campaign: Campaign) -> tuple[KnownResult, ...]:
    """Return what is known beforehand, in the order of the table.

    Raises:
        InputError: The table cannot be read or used; every mistake is named, with its lines.
    """
    if campaign.known is None:
        return ()
    found, columns, rows = _known(campaign.known.table, campaign.known.sha256, _Spec.of(campaign, campaign.known))
    _refuse(_beside_conditions(campaign, rows, columns))
    return found


@dataclass(frozen=True, slots=True)
class _Spec:
    """All that a campaign wants of a table; hashable, for a table is read once."""

    parameters: tuple[Axis, ...]
    values: tuple[Axis, ...] = ()
    noise: tuple[Axis, ...] = ()
    failure: tuple[str, bool | float | str] | None = None
    context: tuple[str, ...] = ()

    @classmethod
    def of(cls, campaign: Campaign, known: Known | None) -> _Spec:
        given = campaign.candidates if known is None else known
        columns: Mapping[str, Column] = {} if given is None else given.columns
        parameters = tuple(
            _axis(
                item,
                columns,
                kind="categorical" if isinstance(item, Worded) else item.kind,
                levels=item.levels if isinstance(item, Worded) else (),
                is_conditional=item.when is not None,
            )
            for item in campaign.parameters
        )
        if known is None:
            return cls(parameters)
        measured = [item for item in campaign.objectives if item.direction != "classify"]
        return cls(
            parameters,
            values=tuple(_axis(item, columns) for item in measured),
            noise=tuple(_axis(i, known.noise, is_difference=True) for i in measured if i.name in known.noise),
            failure=None if known.failure is None else (known.failure.column, known.failure.equals),
            context=known.context,
        )


def _axis(item: Any, columns: Mapping[str, Column], **more: Any) -> Axis:
    said = columns.get(item.name)
    column, unit = (None, None) if said is None else (said.column, said.unit)
    return Axis(item.name, column, unit, item.unit, **more)


def _beside_conditions(campaign: Campaign, rows: Table, columns: Mapping[str, np.ndarray]) -> list[str]:
    """Say in which rows a parameter has no value though it exists there, or has one though it does not."""
    if all(item.when is None for item in campaign.parameters):
        return []
    from orchestrator.space import search_space
    from planner.pool import rows_of_columns

    space = search_space(campaign)
    if space.conditions is None:
        return []
    numbers = rows_of_columns(space.parameters, columns)
    exists, is_given = space.conditions.active(numbers), np.isfinite(numbers)
    problems = []
    for column in space.conditions.rules:
        name, said = space.names[column], space.conditions.said(column)
        for wrong, what in (
            (exists & ~is_given, f"nothing stands for {name!r}, which exists where {said}"),
            (~exists & is_given, f"{name!r} exists only where {said}; leave the cell empty"),
        ):
            if wrong[:, column].any():
                problems.append(f"{rows.name}: {rows.at(np.flatnonzero(wrong[:, column]))}: {what}")
    return problems


@lru_cache(maxsize=4)
def _candidates(path: str, _sha256: str | None, spec: _Spec) -> tuple[Mapping[str, np.ndarray], Table]:
    """Return the columns, and where their rows stand."""
    table = read_table(Path(path))
    problems: list[str] = []
    found = {axis.name: parameter_column(table, axis, problems) for axis in spec.parameters}
    _refuse(problems)
    return found, replace(table, columns={})


@lru_cache(maxsize=4)
def _known(
    path: str, _sha256: str | None, spec: _Spec
) -> tuple[tuple[KnownResult, ...], Mapping[str, np.ndarray], Table]:
    """Return the results, the columns of their parameters, and where their rows stand."""
    table = read_table(Path(path))
    problems: list[str] = []
    parameters = {axis.name: parameter_column(table, axis, problems) for axis in spec.parameters}
    values = dict(_measured(table, spec, problems))
    noise = {axis.name: number_column(table, axis, problems) for axis in spec.noise}
    failed = _failed(table, spec, problems)
    context = {name: context_column(table, name, problems) for name in spec.context}
    _refuse(problems)
    for rows, what in (
        (~failed & ~_any(values, np.isfinite, len(table)), "neither a value nor a failure"),
        (failed & _any(values, np.isfinite, len(table)), "a value and a failure; leave one of them empty"),
        (_any(noise, lambda sd: sd < 0, len(table)), "a negative standard deviation"),
    ):
        if rows.any():
            problems.append(f"{table.name}: {table.at(np.flatnonzero(rows))}: {what}")
    _refuse(problems)
    results = tuple(
        KnownResult(
            at=table.at([row]),
            parameters={name: _cell(column, row) for name, column in parameters.items() if column[row] is not None},
            values=_finite(values, row),
            noise={name: sd for name, sd in _finite(noise, row).items() if np.isfinite(values[name][row])},
            failure=f"known to fail ({table.name}, {table.at([row])})" if failed[row] else None,
            context={name: _cell(column, row) for name, column in context.items() if column[row] is not None},
        )
        for row in range(len(table))
    )
    return results, parameters, replace(table, columns={})


def _any(columns: Mapping[str, np.ndarray], holds: Callable[[np.ndarray], np.ndarray], n: int) -> np.ndarray:
    """Say of each row whether something holds in one of the columns (`n`, bool)."""
    found = np.zeros(n, dtype=bool)
    for column in columns.values():
        found |= holds(column)
    return found


def _refuse(problems: list[str]) -> None:
    if problems:
        raise InputError(problems)


def _cell(column: np.ndarray, row: int) -> Any:
    value = column[row]
    return value.item() if isinstance(value, np.generic) else value


def _finite(columns: Mapping[str, np.ndarray], row: int) -> dict[str, float]:
    return {name: float(column[row]) for name, column in columns.items() if math.isfinite(column[row])}


def _measured(table: Table, spec: _Spec, problems: list[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Return the columns of objectives that the table has; one at least, unless it tells failures."""
    given = [axis for axis in spec.values if axis.column is not None or header_of(table, axis.name) is not None]
    if not given and spec.failure is None:
        wanted = named(axis.name for axis in spec.values)
        problems.append(f"{table.name} has no column of an objective ({wanted}); it has {named(table.columns)}")
    for axis in given:
        yield axis.name, number_column(table, axis, problems)


def _failed(table: Table, spec: _Spec, problems: list[str]) -> np.ndarray:
    nobody = np.zeros(len(table), dtype=bool)
    if spec.failure is None:
        return nobody
    header, mark = spec.failure
    if header not in table.columns:
        problems.append(no_column(table, header))
        return nobody
    cells = [plain_cell(cell) for cell in table.columns[header].to_pylist()]
    return np.array([cell == plain_cell(mark) for cell in cells])
