"""The records of a JCAMP-DX file: ``##LABEL=`` with the lines to the next, in blocks from ``##TITLE=`` to ``##END=``.

Compound files nest blocks; they come out in the order of their titles. After McDonald and Wilks,
doi:10.1366/0003702884428734, sections on labels, comments and compound files.
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from surrogate.formats.errors import NotUnderstood

LARGEST_BYTES = 1 << 25
MOST_LINES = 1_000_000
MOST_RECORDS = 50_000
MOST_BLOCKS = 4096
TABLES = ("XYDATA", "XYPOINTS", "PEAKTABLE", "DATATABLE", "PEAKASSIGNMENTS", "RADATA")
_LABEL = re.compile(r"\s*##([^=]*)=(.*)", re.DOTALL)
_LINE_END = re.compile(r"\r\n|\r|\n")
_BLANKS = re.compile(r"[\s\-/_]")
_NUMBER = re.compile(r"[+-]?(?:\d++(?:\.\d*+)?+|\.\d++)(?:[EeDd][+-]?\d++)?+")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[Ee][+-]?\d+)?")
NUMERIC = ("FIRSTX", "LASTX", "DELTAX", "XFACTOR", "YFACTOR", "MAXX", "MINX", "MAXY", "MINY", "FIRSTY", "RESOLUTION")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One label with its text."""

    label: str
    """In capitals, without blanks, dashes, slashes and underscores, as the standard compares labels."""
    text: str
    """What stands behind the equals sign, comments left out; of a table its form only."""
    lines: tuple[tuple[int, str], ...] = ()
    """Of a table: number and text of each line, comments left out."""


@dataclass(slots=True)
class Block:
    """The records between a title and its end."""

    records: list[Record] = field(default_factory=list)
    ended: bool = False

    def text(self, label: str) -> str:
        """Return the text of a label, empty where it is not there."""
        return next((record.text for record in self.records if record.label == label), "")

    def texts(self) -> dict[str, str]:
        """Return label and text of all records; of labels that come again the first."""
        return {record.label: record.text for record in reversed(self.records)}

    def tables(self) -> list[Record]:
        """Return the records that hold data."""
        return [record for record in self.records if record.label in TABLES]


def number(texts: dict[str, str], label: str) -> float | None:
    """Return the number of a label, None where the label is not there or empty.

    Raises:
        NotUnderstood: It is there, and not a number.
    """
    text = texts.get(label, "").strip()
    if not text:
        return None
    if decimal_comma(texts):
        text = text.replace(",", ".", 1)
    if not (match := _NUMBER.match(text)):
        raise NotUnderstood(f"##{label}={text[:40]} is not a number")
    value = float(re.sub("[Dd]", "e", match.group()))
    if not math.isfinite(value):
        raise NotUnderstood(f"##{label}={text[:40]} is not finite")
    return value


def resolution(text: str) -> float:
    """Return one unit of the last digit that a number was printed with: 0.01 of ``12.50``, 10 of ``1.5E+02``."""
    mantissa, _, exponent = text.strip().lower().replace(",", ".").partition("e")
    decimals = len(mantissa.partition(".")[2])
    power = int(exponent) if re.fullmatch(r"[+-]?\d{1,3}", exponent) else 0
    return 10.0 ** min(power - decimals, 300)


def decimal_comma(texts: dict[str, str]) -> bool:
    """Say whether the numbers of a header have a decimal comma: one at least, and none with a point."""
    numbers = [texts[label].strip() for label in NUMERIC if texts.get(label, "").strip()]
    return any(map(_DECIMAL_COMMA.fullmatch, numbers)) and not any("." in text for text in numbers)


def decode(data: bytes) -> str:
    """Return the text of a file: UTF-16 and UTF-8 by their marks, UTF-8 where it is valid, Latin 1 else."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def blocks(data: bytes) -> list[Block]:
    """Return the blocks of a file in the order of their titles.

    Raises:
        NotUnderstood: It is too large, or text stands outside of any record.
    """
    if len(data) > LARGEST_BYTES:
        raise NotUnderstood(f"a JCAMP-DX file of {len(data)} bytes; up to {LARGEST_BYTES} are read")
    text = decode(data)
    if text.count("\n") + text.count("\r") > MOST_LINES:
        raise NotUnderstood(f"a JCAMP-DX file of more than {MOST_LINES} lines")
    found: list[Block] = []
    open_blocks: list[Block] = []
    for number, (label, first, lines) in enumerate(_raw_records(text)):
        if number >= MOST_RECORDS or len(found) > MOST_BLOCKS:
            raise NotUnderstood(f"more than {MOST_RECORDS} labels or {MOST_BLOCKS} blocks")
        if label == "TITLE" or not found:
            found.append(Block())
            open_blocks.append(found[-1])
        if label == "END":
            if open_blocks:
                open_blocks.pop().ended = True
        elif open_blocks:
            open_blocks[-1].records.append(_record(label, first, lines))
    return found


def _raw_records(text: str) -> Iterator[tuple[str, str, list[tuple[int, str]]]]:
    """Yield label, first line and the numbered lines below it."""
    label, first, lines = "", "", []
    for line_number, line in enumerate(_LINE_END.split(text), start=1):
        line = line.partition("$$")[0]
        if match := _LABEL.fullmatch(line):
            if label:
                yield label, first, lines
            label, first, lines = _BLANKS.sub("", match[1]).upper(), match[2], []
        elif line.strip():
            if not label:
                raise NotUnderstood(f"line {line_number} stands before any ##label: {line.strip()[:40]!r}")
            lines.append((line_number, line))
    if label:
        yield label, first, lines


def _record(label: str, first: str, lines: list[tuple[int, str]]) -> Record:
    if label not in TABLES:
        return Record(label=label, text="\n".join([first.strip(), *(line.strip() for _, line in lines)]).strip())
    if not first.strip() and lines:
        first, lines = lines[0][1], lines[1:]
    return Record(label=label, text=first.strip(), lines=tuple(lines))


def header(data: bytes) -> str:
    """Return the file's text without the lines of its tables."""
    kept, in_table = [], False
    for line in _LINE_END.split(decode(data)):
        if match := _LABEL.fullmatch(line):
            in_table = _BLANKS.sub("", match[1]).upper() in TABLES
            kept.append(line)
        elif not in_table:
            kept.append(line)
    return "\n".join(kept)
