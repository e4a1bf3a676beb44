"""Say that text is of a format with rows of numbers of its own, though no reader of that format takes it.

Where something stands before the line that the format begins with, or that line is damaged, its rows would still read
as columns: of a compressed table, of centidegrees, of attenuation factors.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_FIRST = "which must be the first line: remove what stands before it"
_FOREIGN: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\s*##\s*(TITLE|JCAMP[-_ ]?DX)\s*=", re.IGNORECASE), f"begins JCAMP-DX, {_FIRST}"),
    (re.compile(r"\s*##\s*(XY ?DATA|XY ?POINTS|DATA ?TABLE|PEAK ?TABLE)\s*=", re.IGNORECASE),
     "is a table of JCAMP-DX, and no ##TITLE= stands before it"),
    (re.compile(r"\*RAS_(DATA|HEADER)_START"), f"begins a Rigaku .ras file, {_FIRST}"),
    (re.compile(r"\s*BANK\s+\d+\s+\d+\s+\d+\s+(CON|RALF|SLOG|LOG6|TIME_MAP)", re.IGNORECASE),
     "is a BANK record of GSAS, which must begin with BANK in capitals at the start of the line"),
    (re.compile(r"_(FILEVERSION\s*=|(2THETA)?(COUNTS|CPS)\s*$)"),
     "is of DIFFRAC text (.uxd), which must begin with _FILEVERSION or another of its keys"),
    (re.compile(r"# labpilot measurement \d"), f"begins a CSV of labpilot, {_FIRST}"),
    (re.compile(r"data_\S*\s*$", re.IGNORECASE), ""),
)  # fmt: skip
_OF_CIF = re.compile(r"\s*(loop_\s*$|_[a-z][\w.\[\]/%-]*(\s|$))", re.IGNORECASE)
_SEARCHED = 2000


def foreign(lines: Sequence[str]) -> str:
    """Return which line shows what the text is, and what is wrong with it; empty where it may be a table of its own."""
    head = lines[:_SEARCHED]
    for number, line in enumerate(head, start=1):
        for pattern, reason in _FOREIGN:
            if not pattern.match(line[:200]) or (number == 1 and reason.endswith(_FIRST)):
                continue
            if reason:
                return f"line {number}, {line.strip()[:40]!r}, {reason}"
            if any(_OF_CIF.match(other[:200]) for other in head):
                return f"it is CIF (line {number} is {line.strip()[:40]!r}), and holds no powder pattern"
    return ""
