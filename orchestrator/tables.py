"""Tables that a campaign file names: CSV or Parquet, read by column, with what is wrong said line by line."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN = 5
"""How many lines a message names before it counts the rest."""

PARQUET = ".parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table before anybody knows what its cells mean."""

    name: str
    """The file's name, for messages."""
    columns: Mapping[str, pa.Array]
    """Text, without surrounding blanks and empty where nothing stands, or numbers as a Parquet file has them."""
    numbers: np.ndarray
    """Where each row stands in the file, `n`: its line in a CSV file (the header is line 1), its row otherwise."""
    counts: str
    """What the numbers count: ``line`` or ``row``."""

    def __len__(self) -> int:
        return len(self.numbers)

    def at(self, rows: Sequence[int] | np.ndarray) -> str:
        """Name rows for a message: "line 3", or "lines 3, 4, 9 and 12 more"."""
        found = [str(int(self.numbers[row])) for row in rows[:SHOWN]]
        more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
        return f"{self.counts}{'s' if len(rows) > 1 else ''} {', '.join(found)}{more}"


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises:
        InputError: It cannot be read.
    """
    return hashlib.sha256(_content(path)).hexdigest()


def read_table(path: Path) -> Table:
    """Read a Parquet file (by its name), or a comma-separated one in UTF-8 with a header.

    Raises:
        InputError: The file cannot be read, or is no regular table; every mistake in its form is named.
    """
    content = _content(path)
    return _parquet(path, content) if path.suffix == PARQUET else _csv(path, content)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def _csv(path: Path, content: bytes) -> Table:
    import pyarrow as pa
    from pyarrow import csv

    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path.name} is in UTF-16; save it as CSV in UTF-8")
    blank: list[int] = []
    ragged: list[int] = []

    def sorted_out(row: Any) -> str:
        (ragged if row.text.strip(", \t\r\n") else blank).append(row.number)
        return "skip"

    header = _header(path, content)
    try:
        found = csv.read_csv(
            io.BytesIO(content),
            # row numbers are known to one thread only
            read_options=csv.ReadOptions(use_threads=False, block_size=1 << 24),
            parse_options=csv.ParseOptions(
                newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=sorted_out
            ),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise InputError(f"{path.name} is no CSV file in UTF-8: {error}") from error
    numbers = np.setdiff1d(np.arange(2, 2 + found.num_rows + len(blank) + len(ragged)), [*blank, *ragged])
    table = _without_blank_rows(path, found, numbers, "line")
    if ragged:
        rows = Table(name=path.name, columns={}, numbers=np.array(sorted(ragged)), counts="line")
        where = rows.at(range(len(ragged)))
        raise InputError(f"{path.name}: the header has {len(header)} columns, but not {where}")
    return table


def _header(path: Path, content: bytes) -> list[str]:
    """Return the names of a CSV file's columns as they are written."""
    import csv

    try:
        first = next(csv.reader(io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline="")), [])
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path.name}: line {line} holds a byte that is not UTF-8; save it as UTF-8") from error
    except csv.Error as error:
        raise InputError(f"{path.name}: the header is no CSV: {error}") from error
    _refuse_header(path, first)
    return first


def _refuse_header(path: Path, header: Sequence[str]) -> None:
    names = [name.strip() for name in header]
    if not any(names):
        raise InputError(f"{path.name} is empty; a table has a header and a row for each point")
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise InputError(f"{path.name}: the header has {twice[0]!r} twice; rename one of them")
    marks = [name for name, mark in (("semicolons", ";"), ("tabs", "\t")) if len(names) == 1 and mark in names[0]]
    if marks:
        raise InputError(f"{path.name}: the header seems to be separated by {marks[0]}; export it with commas")


def _parquet(path: Path, content: bytes) -> Table:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        found = parquet.read_table(io.BytesIO(content))
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path.name} is no Parquet file: {error}") from error
    _refuse_header(path, found.column_names)
    return _without_blank_rows(path, found, np.arange(1, 1 + found.num_rows), "row")


def _without_blank_rows(path: Path, found: pa.Table, numbers: np.ndarray, counts: str) -> Table:
    columns = {name.strip(): _plain(column) for name, column in zip(found.column_names, found.columns, strict=True)}
    filled = np.zeros(len(numbers), dtype=bool)
    for column in columns.values():
        filled |= ~empty_cells(column)
    if not filled.any():
        raise InputError(f"{path.name}: there is a header and no row below it")
    if not filled.all():
        kept = np.flatnonzero(filled)
        columns, numbers = {name: column.take(kept) for name, column in columns.items()}, numbers[kept]
    return Table(name=path.name, columns=columns, numbers=numbers, counts=counts)


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as text without surrounding blanks, or as it is where it holds numbers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    whole: Any = column.combine_chunks()
    if pa.types.is_dictionary(whole.type):
        whole = whole.dictionary_decode()
    if pa.types.is_integer(whole.type) or pa.types.is_floating(whole.type):
        return whole
    text = pc.fill_null(pc.cast(whole, pa.string()), "")
    return pc.utf8_trim_whitespace(text)  # pyright: ignore[reportAttributeAccessIssue] - made when it is imported


def empty_cells(column: pa.Array) -> np.ndarray:
    """Say of each cell whether nothing stands in it (`n`, bool)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_string(column.type):
        return pc.equal(column, "").to_numpy(zero_copy_only=False)  # pyright: ignore[reportAttributeAccessIssue]
    return column.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)


def named(names: Iterable[str]) -> str:
    """Write the names of columns for a message."""
    return ", ".join(map(repr, names))
