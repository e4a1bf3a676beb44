"""JCAMP-DX by the package ``jcamp`` (MIT), as a second opinion.

It is asked only about the forms that it decodes by the standard: one block, numbers in the free form or in differences
with repeats of differences only, and no unknown values. About squeezed repeats, compound files, pages and decimal
commas it has no opinion.
"""

from __future__ import annotations

import contextlib
import io
import re

import jcamp
import numpy as np

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Axis, Content, Scan
from surrogate.spectra.formats import jcamp_asdf
from surrogate.spectra.formats.jcamp import recognises
from surrogate.spectra.formats.jcamp_records import Block, blocks, decimal_comma, decode

__all__ = ["read", "recognises"]

_LARGEST_BYTES = 1 << 22
"""It takes seconds for each megabyte."""
_OTHER_REPEAT = re.compile(r"(?<![%J-Rj-r\d])\d*[S-Zs]|[S-Zs][\dS-Zs]")
"""A repeat of a value, by ten and more, or of a repeat."""
_ENDS_BY_DIFFERENCE = re.compile(r"[%J-Rj-r]\d*[S-Zs]?\s*\Z")


def read(data: bytes) -> Content:
    """Read the curve of a file of one block.

    Raises:
        NotUnderstood: The package does not know the form, or cannot read it.
    """
    if len(data) > _LARGEST_BYTES:
        raise NotUnderstood("it is too long for a second reading")
    found = blocks(data)
    if len(found) != 1 or not _knows(found[0]):
        raise NotUnderstood("the package jcamp does not know this form")
    with contextlib.redirect_stdout(io.StringIO()):  # it reports by printing
        curve = jcamp.read(io.BytesIO("\n".join(decode(data).splitlines()).encode()))
    x, y = np.asarray(curve["x"], dtype=float), np.asarray(curve["y"], dtype=float)
    if len(x) != len(y) or not len(x):
        raise NotUnderstood(f"the package jcamp finds {len(x)} abscissas and {len(y)} ordinates")
    axis = Axis(quantity="unknown", unit="1", values=x)
    scan = Scan(kind="spectrum", axis=axis, values=y, unit="arbitrary")
    return Content(format="JCAMP-DX", header="", scans=(scan,))


def _knows(block: Block) -> bool:
    tables, texts = block.tables(), block.texts()
    if len(tables) != 1 or decimal_comma(texts) or "NTUPLES" in texts:
        return False
    table = tables[0]
    lines = [text for _, text in table.lines]
    if table.label not in ("XYDATA", "XYPOINTS", "PEAKTABLE") or not lines or any("?" in text for text in lines):
        return False
    if table.text == "(XY..XY)":
        return all(_separate(re.sub("[,;]", " ", line)) for line in lines)
    known_axis = all(texts.get(label) for label in ("FIRSTX", "LASTX", "NPOINTS"))
    return table.text == "(X++(Y..Y))" and known_axis and _plain(table.lines, lines)


def _plain(numbered: jcamp_asdf.Lines, lines: list[str]) -> bool:
    """Say whether all lines are free numbers, or all are differences whose repeats repeat differences."""
    if not jcamp_asdf.compressed(numbered):
        exponents = any("E" in line.upper() for line in lines)
        return not any(re.search("[,;]", line) or (exponents and not _separate(line)) for line in lines)
    every_line = all(map(_ENDS_BY_DIFFERENCE.search, lines[:-1]))
    return every_line and not any(map(_OTHER_REPEAT.search, lines))


def _separate(line: str) -> bool:
    """Say whether a line is of numbers with blanks between them."""
    return all(map(jcamp.is_float, line.split()))
