"""A scan as CSV: lines of ``# name: value`` that say what it is, one line of column names with units, the numbers.

Numbers are written so that they read back as the same numbers. The values after ``#`` are JSON where they are not plain
text, so that a program and a person can read them; any reader of tables skips them.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import numpy as np

from surrogate.formats.record import MeasurementFile, Scan
from surrogate.formats.write import columns

FIRST_LINE = "# labpilot measurement 1"


def csv_text(file: MeasurementFile, number: int) -> str:
    """Return a scan of a file as CSV."""
    scan = file.scans[number]
    out = io.StringIO()
    for line in (FIRST_LINE, *_about(file, number), *_facts(scan)):
        out.write(line + "\n")
    found = columns(scan)
    out.write(",".join(f"{name} ({unit})" for name, (unit, _) in found.items()) + "\n")
    table = np.column_stack([np.asarray(values, dtype=np.float64) for _, values in found.values()])
    for row in table.tolist():
        out.write(",".join(map(repr, row)) + "\n")
    return out.getvalue()


def _about(file: MeasurementFile, number: int) -> Iterator[str]:
    scan = file.scans[number]
    yield from _lines(
        {
            "file": file.name,
            "sha256": file.sha256,
            "format": file.format,
            "reader": f"{file.reader} {file.version}",
            "checked by": ", ".join(file.checked_by),
            "scan": f"{number + 1} of {len(file.scans)}",
            "title": scan.title,
            "kind": scan.kind,
            "axis": f"{scan.axis.quantity} in {scan.axis.unit}",
            "values": f"{scan.quantity} in {scan.unit}",
        }
    )
    if scan.radiation is not None:
        yield from _lines({"anode": scan.radiation.anode})
        yield f"# wavelength_angstrom: {json.dumps(list(scan.radiation.wavelength_angstrom))}"
        yield f"# wavelength_ratio: {json.dumps(list(scan.radiation.ratio))}"
    yield from (f"# warning: {_line(text)}" for text in file.warnings)


def _lines(fields: dict[str, str]) -> Iterator[str]:
    return (f"# {name}: {_line(text)}" for name, text in fields.items() if text)


def _facts(scan: Scan) -> Iterator[str]:
    return (f"# fact {json.dumps(name)}: {json.dumps(value)}" for name, value in scan.facts.items())


def _line(text: str) -> str:
    """Return a text that stays on its line and comes back as it is."""
    is_plain = text.isprintable() and text == text.strip() and not text.startswith('"')
    return text if is_plain else json.dumps(text)
