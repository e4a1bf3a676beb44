"""Read text of Ocean Optics and Ocean Insight: SpectraSuite, OceanView, OOIBase32 and Jaz files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from surrogate.formats.columns import content_of
from surrogate.formats.columns_names import AxisName
from surrogate.formats.columns_table import table_of
from surrogate.formats.record import Content, Fact, Quantity
from surrogate.formats.text import facts_of
from surrogate.spectra.formats.instrument_facts import with_common_names

NAME = "Ocean Optics text"
_BEGIN = re.compile(r">>>>>\s*Begin.{0,40}Spectral Data", re.IGNORECASE)
_END = re.compile(r">>>>>\s*End", re.IGNORECASE)
_AXES: dict[str, tuple[Quantity, str]] = {
    "wavelength": ("wavelength", "nm"), "raman": ("raman_shift", "/cm"), "wavenumber": ("wavenumber", "/cm"),
    "pixel": ("unknown", "1"),
}  # fmt: skip
_JAZ = {
    "W": "Wavelength (nm)",
    "D": "Dark (counts)",
    "R": "Reference (counts)",
    "S": "Sample (counts)",
    "P": "Processed",
}


def recognises(lines: Sequence[str]) -> bool:
    """Say whether lines hold the mark that stands before the data."""
    return any(_BEGIN.search(line) for line in lines)


def read(lines: Sequence[str]) -> Content:
    """Read the spectra after the mark.

    Raises:
        NotUnderstood: No table follows it.
    """
    begin = next(index for index, line in enumerate(lines) if _BEGIN.search(line))
    end = next((index for index in range(begin, len(lines)) if _END.search(lines[index])), len(lines))
    head, data = lines[:begin], list(lines[begin + 1 : end])
    if data and (names := data[0].split()) and set(names) <= set(_JAZ) and len(names) > 1:
        data[0] = "\t".join(_JAZ[name] for name in names)
    facts = with_common_names(facts_of(head))
    content = content_of(table_of(data), format=NAME, unnamed=_axis(str(facts.get("xaxis_mode", ""))))
    scans = tuple(replace(scan, facts=facts) for scan in content.scans)
    header = "\n".join(lines[: begin + 1])
    return replace(content, header=header, scans=scans, warnings=(*content.warnings, *_assumed(content, head, facts)))


def _axis(mode: str) -> AxisName:
    assumed = "" if mode else "the axis was taken as wavelength in nm"
    quantity, unit = next((axis for word, axis in _AXES.items() if word in mode.lower()), ("wavelength", "nm"))
    return AxisName(quantity=quantity, unit=unit, assumed=assumed)


def _assumed(content: Content, head: Sequence[str], facts: Mapping[str, Fact]) -> tuple[str, ...]:
    """Say what the header leaves open, a processed spectrum may be anything, and what is missing."""
    processed = any(re.match(r"reference spectrum present:\s*yes", line.strip(), re.IGNORECASE) for line in head)
    unnamed = len(content.scans) == 1 and content.scans[0].unit == "arbitrary"
    what = "a reference was used and the file does not say for what: %R, %T or absorbance"
    declared = next((value for name, value in facts.items() if name.startswith("number_of_pixels")), None)
    found = len(content.scans[0].values)
    missing = "" if declared in (None, found) else f"the file declares {declared} pixels and holds {found}"
    return tuple(filter(None, (what if processed and unnamed else "", missing)))
