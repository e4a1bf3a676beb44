"""Read text of CRAIC microspectrophotometers: a line of settings, lines of mode and times, then two columns."""

from __future__ import annotations

import re
from collections.abc import Sequence

from surrogate.formats.axes import oddities
from surrogate.formats.columns import unit_by_size
from surrogate.formats.columns_table import table_of
from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Axis, Content, Fact, Scan
from surrogate.formats.text import facts_from
from surrogate.spectra.formats.instrument_facts import with_common_names

NAME = "CRAIC text"
_FIRST = re.compile(r"Time1=[0-9.]+ ?ms:Average1=[0-9]+", re.IGNORECASE)
_SETTING = re.compile(r"([A-Za-z][A-Za-z0-9. ]{0,20})[=:] *([^:=()]*[^:=() ])")
_WHEN = re.compile(r"\(([^()]{8,30})\)")
_MODES = ("reflectance", "transmittance", "absorbance", "absorptance", "fluorescence", "intensity")

_UNITS = {"fluorescence": ("arbitrary", ""), "intensity": ("arbitrary", ""), "absorbance": ("1", "")}
"""Units of modes that need none to be assumed."""


def recognises(lines: Sequence[str]) -> bool:
    """Say whether the first line is that of CRAIC's settings."""
    return bool(lines) and bool(_FIRST.match(lines[0].strip()))


def read(lines: Sequence[str]) -> Content:
    """Read the spectrum.

    Raises:
        NotUnderstood: There is no table of two columns.
    """
    table = table_of(lines, first=1)
    if table.values.shape[1] != 2:
        raise NotUnderstood(f"{table.values.shape[1]} columns; CRAIC text has two")
    mode = next((line.strip().lower() for line in table.above if line.strip().lower() in _MODES), "intensity")
    x, y = table.values[:, 0].copy(), table.values[:, 1].copy()
    unit, assumed = _UNITS.get(mode) or unit_by_size(y, mode)
    warnings = [*table.warnings, "the axis was taken as wavelength in nm", *oddities(x), *filter(None, [assumed])]
    scan = Scan(
        kind="spectrum",
        axis=Axis(quantity="wavelength", unit="nm", values=x),
        values=y,
        unit=unit,
        quantity=mode,
        facts=_facts(table.above),
    )
    return Content(format=NAME, header="\n".join(table.above), scans=(scan,), warnings=tuple(warnings))


def _facts(head: Sequence[str]) -> dict[str, Fact]:
    pairs = [(name, value) for line in head for name, value in _SETTING.findall(_WHEN.sub("", line)[:400])]
    facts = facts_from(pairs)
    when = _WHEN.search(head[0])
    return {**with_common_names(facts), **({"measured_at": when[1]} if when else {})}
