"""What a campaign's sources say: results from elsewhere in the campaign's units, with what was left out and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.columns import no_column, number_column, parameter_column, plain_cell
from orchestrator.earlier_campaign import SD_OF, EarlierCampaign, read_earlier
from orchestrator.errors import InputError
from orchestrator.fields import did_you_mean
from orchestrator.source_axes import Wanted
from orchestrator.source_places import sort_out_places
from orchestrator.source_rows import Rows
from orchestrator.tables import Table, digest_of, read_table
from orchestrator.words import plural

if TYPE_CHECKING:
    from orchestrator.campaign import Campaign
    from orchestrator.source_fields import SourceTable


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSource:
    """What one source says, as the campaign takes it."""

    name: str
    at: str
    """The file or directory."""
    sha256: str
    """Of the file, or of all that the earlier campaign had found."""
    points: Mapping[str, Sequence[Any]]
    """A column for each parameter; None where one does not exist."""
    values: Sequence[float]
    noise: Sequence[float] | None
    usable: int
    """Rows that could be used; those here are all of them, or as many as a model is made of."""
    notes: Sequence[str]
    """What was left out, or is odd."""

    def data(self) -> dict[str, Any]:
        """Return it as the journal keeps it."""
        return asdict(self)


def sources_of(campaign: Campaign) -> tuple[ReadSource, ...]:
    """Return what the sources of a campaign say, in the order of the file.

    Raises:
        InputError: One cannot be read or used; every mistake of all of them is named.
    """
    return _all_read(_Task.of(campaign))


@dataclass(frozen=True, slots=True)
class _Task:
    """A campaign, equal to others whose sources say the same: what was read once need not be read again."""

    said: str
    campaign: Campaign = field(compare=False)

    @classmethod
    def of(cls, campaign: Campaign) -> _Task:
        keys = {"parameters", "constraints", "objectives", "sources"}
        return cls(campaign.model_dump_json(include=keys, by_alias=True), campaign)


@lru_cache(maxsize=4)
def _all_read(task: _Task) -> tuple[ReadSource, ...]:
    campaign, found, problems = task.campaign, list[ReadSource](), list[str]()
    for given in campaign.sources:
        try:
            found.append(source_of(campaign, given))
        except InputError as error:
            problems.extend(f"source {given.name!r}: {text}" for text in error.problems)
    _refuse(problems)
    return tuple(found)


def source_of(campaign: Campaign, given: SourceTable) -> ReadSource:
    """Return what one source says.

    Raises:
        InputError: It cannot be read or used, or its file was changed since the campaign was checked.
    """
    earlier = None if given.campaign is None else read_earlier(Path(given.campaign))
    table = read_table(Path(str(given.table))) if earlier is None else earlier.table
    sha256 = digest_of(Path(str(given.table))) if earlier is None else earlier.digest
    if earlier is None and given.sha256 is not None and given.sha256 != sha256:
        raise InputError(
            f"{table.name} was changed since it was checked (its SHA-256 is {sha256[:12]}... and was "
            f"{given.sha256[:12]}...): put the file back, or begin another campaign"
        )
    wanted = Wanted.of(campaign, given, headers=table.columns, units={} if earlier is None else earlier.units)
    rows = Rows(table)
    _refuse(list(_missing(table, wanted)))
    _sort_out(rows, wanted)
    _read(rows, wanted)
    sort_out_places(rows, campaign)
    if earlier is not None:
        rows.notes += _said_of(earlier, wanted)
    return _result(campaign, given, rows, wanted, sha256)


def digest_of_source(given: SourceTable) -> str:
    """Return the SHA-256 of what a source says.

    Raises:
        InputError: It cannot be read.
    """
    return digest_of(Path(given.table)) if given.table is not None else read_earlier(Path(str(given.campaign))).digest


def _refuse(problems: list[str]) -> None:
    if problems:
        raise InputError(problems)


def _missing(table: Table, wanted: Wanted) -> Iterator[str]:
    """Say which columns are not there."""
    rows = Rows(table)
    for axis in wanted.needed:
        if rows.cells(axis) is None:
            header = axis.column or axis.name
            there = [name for name in table.columns if not name.startswith(SD_OF)]
            text = f"{table.name} has no column {header!r}{did_you_mean(header, there)}"
            renamed = f"columns: {{{axis.name}: {{column: NAME}}}}"
            yield text if axis.column else f"{text}. Where it has another name there, write {renamed}"
    if wanted.failure is not None and wanted.failure[0] not in table.columns:
        yield no_column(table, wanted.failure[0])


def _sort_out(rows: Rows, wanted: Wanted) -> None:
    """Leave out rows that say nothing here: failed ones, words that are not known, and empty cells."""
    if wanted.failure is not None:
        header, mark = wanted.failure
        cells = [plain_cell(cell) for cell in rows.table.columns[header].to_pylist()]
        rows.drop(np.array([cell == plain_cell(mark) for cell in cells], dtype=bool), "", rows="failed result")
    for axis in wanted.parameters:
        if axis.kind == "categorical":
            rows.drop_unknown_words(axis)
        if not axis.is_conditional:
            rows.drop_empty(axis)
    rows.drop_empty(wanted.target)
    rows.refuse_empty()


def _read(rows: Rows, wanted: Wanted) -> None:
    """Read the columns of what is left, in the campaign's units."""
    problems: list[str] = []
    rows.columns = {axis.name: parameter_column(rows.table, axis, problems) for axis in wanted.parameters}
    rows.columns[_VALUES] = number_column(rows.table, wanted.target, problems)
    if wanted.noise is not None:
        rows.columns[_NOISE] = sd = number_column(rows.table, wanted.noise, problems)
        if (sd < 0.0).any():
            where = rows.table.at(np.flatnonzero(sd < 0.0))
            problems.append(f"{rows.table.name}: {where}: a negative standard deviation")
    _refuse(problems)


_VALUES, _NOISE = "\0values", "\0noise"
"""Keys of columns that no parameter can have."""


def _said_of(earlier: EarlierCampaign, wanted: Wanted) -> Iterator[str]:
    if earlier.failed:
        yield f"{plural(earlier.failed, 'failed trial')} left out"
    taken = {axis.column or axis.name for axis in wanted.parameters}
    for name in earlier.parameters:
        cells = set(earlier.table.columns[name].to_pylist())
        if name not in taken and len(cells) > 1:
            yield f"{name!r} was varied there and is no parameter here: what it did counts as noise"


def _result(campaign: Campaign, given: SourceTable, rows: Rows, wanted: Wanted, sha256: str) -> ReadSource:
    noise = _noise(rows, wanted)
    names = [axis.name for axis in wanted.parameters]
    usable = len(rows.table)
    places = _thinned(campaign, rows, names)
    return ReadSource(
        name=given.name,
        at=str(given.table or given.campaign),
        sha256=sha256,
        points={name: rows.columns[name][places].tolist() for name in names},
        values=rows.columns[_VALUES][places].tolist(),
        noise=None if noise is None else noise[places].tolist(),
        usable=usable,
        notes=tuple(rows.notes),
    )


def _noise(rows: Rows, wanted: Wanted) -> np.ndarray | None:
    """Return standard deviations (`n`); None where they are to be learnt."""
    found = rows.columns.get(_NOISE, np.full(len(rows.table), np.nan))
    is_there = np.isfinite(found)
    if wanted.sd is not None:
        return np.where(is_there, found, wanted.sd)
    if is_there.all():
        return found
    if is_there.any():
        where = rows.table.at(np.flatnonzero(~is_there))
        rows.notes.append(f"no standard deviation in {where}, so that the noise of all is learnt from the values")
    return None


def _thinned(campaign: Campaign, rows: Rows, names: Sequence[str]) -> np.ndarray:
    """Return the numbers of the rows that a model is made of: all, or some that lie spread over the space."""
    from surrogate.transfer.sources import MOST

    if len(rows.table) <= MOST:
        return np.arange(len(rows.table))
    from orchestrator.space import search_space
    from planner.pool import rows_of_columns
    from surrogate.transfer.thinning import spread_out

    space = search_space(campaign)
    codes = space.encode_rows(rows_of_columns(space.parameters, {name: rows.columns[name] for name in names}))
    rows.notes.append(f"{MOST} of {len(rows.table)} rows, spread over the space, make its model")
    return spread_out(codes, MOST)
