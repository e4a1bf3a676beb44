"""Read PerkinElmer text (.asc, PEDS 4.00) of UV/Vis, infrared and fluorescence spectrometers.

The first line says ``PE`` and ``PEDS``; lines of fixed meaning follow, the units stand below ``#GR``, the spectrum
below ``#DATA``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from surrogate.formats.axes import oddities
from surrogate.formats.columns_names import axis_named, value_named
from surrogate.formats.columns_table import table_of
from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Axis, Content, Fact, Scan
from surrogate.formats.text import facts_from

NAME = "PerkinElmer text"
_FIRST = re.compile(r"PE\s+\S+\s+.*\bPEDS\b")
_PLACES = {
    "file": 2, "measured_on": 3, "measured_at_time": 4, "operator": 7, "sample": 8, "instrument": 11, "serial": 12,
    "software": 13,
}  # fmt: skip
"""Lines of fixed meaning, counted from 0."""
_ORDINATES = {
    "A": ("absorbance", "1"),
    "%T": ("transmittance", "%"),
    "%R": ("reflectance", "%"),
    "INT": ("intensity", ""),
}


def recognises(lines: Sequence[str]) -> bool:
    """Say whether the first line is PerkinElmer's."""
    return bool(lines) and bool(_FIRST.match(lines[0].strip()))


def read(lines: Sequence[str]) -> Content:
    """Read the spectrum below ``#DATA``.

    Raises:
        NotUnderstood: The marks are missing, or no table of two columns follows.
    """
    stripped = [line.strip() for line in lines]
    if "#DATA" not in stripped or "#GR" not in stripped[: stripped.index("#DATA")]:
        raise NotUnderstood("it has no #GR or no #DATA")
    data, units = stripped.index("#DATA"), stripped.index("#GR")
    table = table_of(stripped, first=data + 1)
    if table.values.shape[1] != 2:
        raise NotUnderstood(f"{table.values.shape[1]} columns below #DATA; two were expected")
    named = axis_named(stripped[units + 1])
    warnings = list(table.warnings) + (
        [] if named else [f"the unit of the axis, {stripped[units + 1]!r}, is not known"]
    )
    x, y = table.values[:, 0].copy(), table.values[:, 1].copy()
    axis = Axis(quantity=named.quantity, unit=named.unit, values=x * named.factor) if named else None
    quantity, unit = _ordinate(stripped[units + 2] if units + 2 < data else "")
    facts = _facts(stripped[:units])
    scan = Scan(
        kind="spectrum",
        axis=axis or Axis(quantity="unknown", unit="1", values=x),
        values=y,
        unit=unit or "arbitrary",
        quantity=quantity,
        title=str(facts.get("sample", "")),
        facts=facts,
    )
    header = "\n".join(lines[: data + 1])
    return Content(format=NAME, header=header, scans=(scan,), warnings=(*warnings, *oddities(x)))


def _ordinate(unit: str) -> tuple[str, str]:
    if unit.upper() in _ORDINATES:
        return _ORDINATES[unit.upper()]
    named = value_named(unit)
    return named.quantity, named.unit


def _facts(head: Sequence[str]) -> dict[str, Fact]:
    return facts_from((name, head[place]) for name, place in _PLACES.items() if place < len(head))
