"""Find the X-ray wavelengths that the header of a text file names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from surrogate.formats.record import Radiation
from surrogate.formats.text import number
from surrogate.xrd.formats.source import USUAL_RATIO, misfit

SHORTEST_ANGSTROM, LONGEST_ANGSTROM = 0.05, 10.0
_NAME = r"k[-_ ]?(?:alpha|α|a)[-_ ]?[12]?|wave[ -]?length|wellenl..?nge|longueur d.onde|lambda|λ|\bWL"
_LINE = re.compile(
    rf"(?:{_NAME})[12]?(?P<between>[^0-9+\n]{{0,40}}?)(?P<value>[0-9]+[.,][0-9]+)\s*(?P<unit>nm|pm|Å|A\b|ang)?", re.I
)
_LAST_NUMBER = re.compile(r"([0-9]*[.,]?[0-9]+)\s*$")
_ANODE = re.compile(
    r"(?:anode|anode material|target|tube)\s*[:=,;\t]\s*['\"]?\s*(Cu|Co|Mo|Cr|Fe|Ag|W|Ni|Ga|In)\b", re.I
)
_PER_UNIT = {"nm": 10.0, "pm": 0.01}


def radiation_in(lines: Iterable[str]) -> tuple[Radiation | None, list[str]]:
    """Return the lines of a source as a header gives them, and what was assumed or cannot be; None where none is."""
    found: list[float] = []
    ratio, anode = 0.0, ""
    for line in lines:
        line = line[:500]
        line, told = _cut_ratio(line)
        ratio = ratio or told
        found += [one for one in _wavelengths(line) if one not in found]
        if match := _ANODE.search(line):
            anode = anode or match[1].capitalize()
    if not found:
        return None, []
    said = [doubt] if (doubt := misfit(anode, found[0])) else []
    if len(found) == 1:
        return Radiation(wavelength_angstrom=(found[0],), ratio=(1.0,), anode=anode), said
    if not 0 < ratio < 1:
        said.append(f"the header gives K-alpha 2 without its ratio; {USUAL_RATIO} is assumed")
        ratio = USUAL_RATIO
    return Radiation(wavelength_angstrom=(found[0], found[1]), ratio=(1.0, ratio), anode=anode), said


def _cut_ratio(line: str) -> tuple[str, float]:
    """Return a line up to the word ratio, and the number that ends what follows it."""
    at = line.lower().find("ratio")
    if at < 0:
        return line, 0.0
    match = _LAST_NUMBER.search(line[at:])
    return line[:at], (number(match[1], comma="," in match[1]) or 0.0) if match else 0.0


def _wavelengths(line: str) -> list[float]:
    found = []
    for match in _LINE.finditer(line):
        value = number(match["value"], comma="," in match["value"])
        value = (value or 0.0) * _PER_UNIT.get((match["unit"] or "").lower(), 1.0)
        named = re.search(r"ratio|range|beta|start|filter|from", match["between"], re.IGNORECASE)
        if not named and SHORTEST_ANGSTROM < value < LONGEST_ANGSTROM and not value.is_integer():
            found.append(value)
    return found
