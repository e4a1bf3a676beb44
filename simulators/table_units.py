"""Units of a table's columns: from the unit that a table was written in to the unit that a campaign uses."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache
from tokenize import TokenError
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pint

UCUM_TO_PINT = {"Cel": "degC", "[degF]": "degF"}
"""Spellings of the wire that people (and pint) write in another way."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """A change of unit: ``value * scale + offset``."""

    scale: float = 1.0
    offset: float = 0.0

    def __call__(self, value: float) -> float:
        """Convert one value; the identity is exact."""
        return value if self.scale == 1.0 and self.offset == 0.0 else value * self.scale + self.offset


def conversion(source: str, target: str) -> Conversion:
    """Find the way from one unit to another; equal texts need no meaning, so "struts" is a unit too.

    Raises:
        ValueError: One of two different texts is no known unit, or their dimensions differ.
    """
    if source.strip() == target.strip():
        return Conversion()
    known_source, known_target = _unit(source), _unit(target)
    if known_source is None or known_target is None:
        unknown = source if known_source is None else target
        raise ValueError(f"{unknown!r} is no known unit, so it must be written alike on both sides")
    if known_source.dimensionality != known_target.dimensionality:
        raise ValueError(f"{source!r} cannot be converted to {target!r}: it is another kind of quantity")
    zero, one = (float(_registry().Quantity(x, known_source).to(known_target).magnitude) for x in (0.0, 1.0))
    return Conversion(one - zero, zero)


def contradiction(header: str, declared: str) -> str | None:
    """Say where a header, ``flow (uL/min)`` for one, names another unit than the declared one.

    Only a unit in brackets at the end counts, and only where both texts are known units.
    """
    written = re.search(r"[(\[]([^()\[\]]+)[)\]]\s*$", header)
    if written is None or written[1].strip() == declared.strip():
        return None
    if _unit(written[1]) is None or _unit(declared) is None:
        return None
    try:
        found = conversion(written[1], declared)
    except ValueError:
        return f"the header says {written[1]!r}"
    same = math.isclose(found.scale, 1.0, rel_tol=1e-9) and math.isclose(found.offset, 0.0, abs_tol=1e-9)
    return None if same else f"the header says {written[1]!r}"


@cache
def _registry() -> pint.UnitRegistry[Any]:
    import pint  # a third of a second, and most tables are in the campaign's units

    return pint.UnitRegistry(autoconvert_offset_to_baseunit=True)


@cache
def _unit(text: str) -> pint.Unit | None:
    import pint

    text = text.strip()
    try:
        return _registry().Unit(UCUM_TO_PINT.get(text, text)) if text else None
    except (pint.PintError, TokenError, SyntaxError, ValueError, TypeError, AttributeError, KeyError):
        return None
