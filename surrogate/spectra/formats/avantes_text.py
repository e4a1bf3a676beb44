"""Read text of Avantes AvaSoft (.ttt, .trt, .tat, .txt): wavelength, dark, reference, sample and the result."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from surrogate.formats.columns import content_of
from surrogate.formats.columns_table import table_of
from surrogate.formats.record import Content
from surrogate.spectra.formats.instrument_facts import with_common_names

NAME = "Avantes text"
_TIME = re.compile(r"integration ?time\s*(?:\[ms\])?\s*:\s*[0-9]", re.IGNORECASE)
_COLUMNS = re.compile(r"wave(length)?\s*;", re.IGNORECASE)
_HEAD = 20


def recognises(lines: Sequence[str]) -> bool:
    """Say whether the first lines give an integration time and name columns parted by semicolons."""
    head = [line.strip() for line in lines[:_HEAD]]
    return any(map(_TIME.match, head)) and any(map(_COLUMNS.match, head))


def read(lines: Sequence[str]) -> Content:
    """Read each column as a spectrum.

    Raises:
        NotUnderstood: There is no table below the names of the columns.
    """
    first = next(index for index, line in enumerate(lines) if _COLUMNS.match(line.strip()))
    content = content_of(table_of(lines, first=first), format=NAME)
    facts = with_common_names(content.scans[0].facts)
    title = lines[0].strip()
    scans = tuple(replace(scan, facts={**facts, "comment": title} if title else facts) for scan in content.scans)
    return replace(content, scans=scans)
