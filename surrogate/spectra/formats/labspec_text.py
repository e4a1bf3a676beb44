"""Read text of Horiba LabSpec: lines of ``#Key=value``, then a spectrum in two columns, or a map of spectra in rows.

A map has the axis in its first row; each further row is a spectrum, after one column with its number or two with its
place. The header names these two in the order X, Y, and the rows hold them as Y, X, with X running fastest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from surrogate.formats.axes import oddities
from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array, Axis, Content, Fact, Quantity, Scan
from surrogate.formats.text import are_counts, facts_from, numbers
from surrogate.spectra.formats.instrument_facts import with_common_names

NAME = "LabSpec text"
_KEYS = re.compile(r"#(Acq\. time|AxisType\[|AxisUnit\[|Accumulations|Laser|Grating|Spectro)", re.IGNORECASE)
_PAIR = re.compile(r"#([^=]{1,60})=\s*(.*)")
_UNITS: dict[str, tuple[Quantity, str]] = {
    "1/cm": ("raman_shift", "/cm"), "cm-1": ("raman_shift", "/cm"), "cm-¹": ("raman_shift", "/cm"),
    "nm": ("wavelength", "nm"), "ev": ("energy", "eV"), "µm": ("wavelength", "um"),
}  # fmt: skip
_VALUE_UNITS = {"cnt": "counts", "counts": "counts", "cnt/sec": "counts/s", "cnt/s": "counts/s"}
_RANGE = re.compile(r"(?:Range|Spectral res\.?|Spectro)\s*\(([^)]*)\)", re.IGNORECASE)
MOST_SPECTRA = 1 << 17


def recognises(lines: Sequence[str]) -> bool:
    """Say whether the first line is ``#Key=value``, and one of the first names what LabSpec names."""
    head = [line.strip() for line in lines[:80] if line.strip()]
    return bool(head) and bool(_PAIR.fullmatch(head[0])) and any(map(_KEYS.match, head))


def read(lines: Sequence[str]) -> Content:
    """Read the spectrum, or all spectra of a map.

    Raises:
        NotUnderstood: The rows are of different lengths, or hold something that is no number.
    """
    head = [line.strip() for line in lines if line.lstrip().startswith("#")]
    keys = {match[1].strip(): match[2].strip() for line in head if (match := _PAIR.fullmatch(line))}
    facts = with_common_names(facts_from(keys.items()))
    rows = _rows([line for line in lines if line.strip() and not line.lstrip().startswith("#")])
    warnings: list[str] = []
    quantity, unit = _axis(keys, facts, warnings)
    x, spectra = _parted(rows, keys, warnings)
    warnings += oddities(x)
    axis = Axis(quantity=quantity, unit=unit, values=x)
    scans = tuple(_scan(axis, y, {**facts, **place}, keys) for place, y in spectra)
    return Content(format=NAME, header="\n".join(head), scans=scans, warnings=tuple(warnings))


def _rows(lines: Sequence[str]) -> list[Array]:
    comma = any("," in line for line in lines[:20]) and not any("." in line for line in lines[:20])
    found = []
    for line in lines:
        row = numbers(line.replace(";", " ").split(), comma=comma)
        if row is None:
            raise NotUnderstood(f"{line.strip()[:40]!r} holds something that is no number")
        found.append(np.array(row))
    if not found:
        raise NotUnderstood("it holds a header and no spectrum")
    return found


def _parted(
    rows: list[Array], keys: Mapping[str, str], warnings: list[str]
) -> tuple[Array, list[tuple[dict[str, Fact], Array]]]:
    """Return the axis, and each spectrum with what is told of its place."""
    width = len(rows[0])
    if all(len(row) == 2 for row in rows):
        table = np.array(rows)
        return table[:, 0].copy(), [({}, table[:, 1].copy())]
    lead = len(rows[1]) - width if len(rows) > 1 else 0
    if lead not in (1, 2) or any(len(row) != width + lead for row in rows[1:]) or len(rows) > MOST_SPECTRA:
        raise NotUnderstood(f"rows of {width} and other numbers of values are neither a spectrum nor a map")
    if lead == 2:
        warnings.append("the two columns before each spectrum were taken as y and x")
    unit = "mm" if keys.get("AxisUnit[2]", "").lower() == "mm" else "um"
    names = ("point",) if lead == 1 else (f"y_{unit}", f"x_{unit}")
    return rows[0], [
        ({name: float(value) for name, value in zip(names, row[:lead], strict=True)}, row[lead:].copy())
        for row in rows[1:]
    ]


def _axis(keys: Mapping[str, str], facts: Mapping[str, Fact], warnings: list[str]) -> tuple[Quantity, str]:
    said = keys.get("AxisUnit[1]", "") or next((match[1] for key in keys if (match := _RANGE.match(key))), "")
    found = _UNITS.get(said.strip().lower())
    if found is None:
        warnings.append("the header does not name the unit of the axis")
        return "unknown", "1"
    if found[0] == "raman_shift" and "laser_nm" not in facts:
        warnings.append("the axis in /cm was taken as Raman shift, though the header names no laser")
    return found


def _scan(axis: Axis, y: Array, facts: Mapping[str, Fact], keys: Mapping[str, str]) -> Scan:
    unit = _VALUE_UNITS.get(keys.get("AxisUnit[0]", "").lower(), "arbitrary")
    fields: dict[str, Any] = {"counts": y} if unit == "counts" and are_counts(y) else {}
    return Scan(kind="spectrum", axis=axis, values=y, unit=unit, title=keys.get("Title", ""), facts=facts, **fields)
