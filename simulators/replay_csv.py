"""A CSV file as columns of text, with everything that is wrong with its form said at once."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from simulators.replay_options import TableProblems

SHOWN = 5
"""How many rows a message names before it counts the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTable:
    """A table before anybody knows what its cells mean."""

    sha256: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """Cells without surrounding blanks, one per header."""
    numbers: tuple[int, ...]
    """The row number of each row as a spreadsheet shows it: the header is row 1."""

    def column(self, name: str) -> list[str]:
        """Return the cells of one column."""
        index = self.header.index(name)
        return [row[index] for row in self.rows]


def read_text_table(path: Path) -> TextTable:
    """Read a comma-separated file in UTF-8 (with or without a byte-order mark).

    Raises:
        TableProblems: The file cannot be read, or is no regular table.
    """
    try:
        stamp = path.stat()
        return _read(path, stamp.st_mtime_ns, stamp.st_size)
    except FileNotFoundError as error:
        raise TableProblems([f"table {path}: there is no such file"]) from error
    except OSError as error:
        raise TableProblems([f"table {path}: cannot be read: {error.strerror}"]) from error


def rows_named(numbers: Iterable[int]) -> str:
    """Write row numbers for a message: "row 3", or "rows 3, 4, 9 and 12 more"."""
    numbers = list(numbers)
    shown = ", ".join(str(number) for number in numbers[:SHOWN])
    more = f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
    return f"row{'s' if len(numbers) > 1 else ''} {shown}{more}"


@lru_cache(maxsize=8)
def _read(path: Path, _mtime_ns: int, _size: int) -> TextTable:
    content = path.read_bytes()
    lines = _lines(path, _text(path, content))
    if not lines:
        raise TableProblems([f"table {path}: the file is empty; a table has a header and a row per run"])
    header = tuple(name.strip() for name in lines[0][1])
    body = [(number, tuple(cell.strip() for cell in cells)) for number, cells in lines[1:]]
    body = [(number, cells) for number, cells in body if any(cells)]
    problems = [f"table {path}: {problem}" for problem in _form_problems(header, body)]
    if problems:
        raise TableProblems(problems)
    return TextTable(
        sha256=hashlib.sha256(content).hexdigest(),
        header=header,
        rows=tuple(cells for _, cells in body),
        numbers=tuple(number for number, _ in body),
    )


def _text(path: Path, content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise TableProblems([f"table {path}: the file is in UTF-16; save it as CSV in UTF-8"])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        byte = f"0x{content[error.start]:02x}"
        raise TableProblems(
            [f"table {path}: row {row} holds the byte {byte}, which is not UTF-8; save it as CSV in UTF-8"]
        ) from error


def _lines(path: Path, text: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return [(number, cells) for number, cells in enumerate(reader, start=1) if cells]
    except csv.Error as error:
        raise TableProblems([f"table {path}: line {reader.line_num} is no CSV: {error}"]) from error


def _form_problems(header: Sequence[str], body: Sequence[tuple[int, Sequence[str]]]) -> list[str]:
    if len(header) == 1:
        marks = [name for name, mark in (("semicolons", ";"), ("tabs", "\t")) if mark in header[0]]
        hint = f"; it seems to be separated by {marks[0]}, export it with commas" if marks else ""
        return [f"the header has a single column, {header[0]!r}{hint}"]
    problems = []
    for name in dict.fromkeys(name for name in header if name):
        places = [str(index) for index, other in enumerate(header, start=1) if other == name]
        if len(places) > 1:
            problems.append(f"the header has {name!r} {len(places)} times (columns {', '.join(places)}); rename them")
    ragged = [number for number, cells in body if len(cells) != len(header)]
    if ragged:
        problems.append(f"the header has {len(header)} columns, but not {rows_named(ragged)}")
    if not body:
        problems.append("there is a header and no row below it")
    return problems
