"""Quantities as people write them ("350 degC", "10 ms"), read at the edge and nowhere else.

Units that laboratories use most come from `orchestrator.unit_table`; the others from pint, which is imported only then.
Arithmetic is exact (rationals), so that "10 ms" is 10000 us and not 10000.000000000002.

A temperature has a zero: a *difference* of temperatures converts without it, and "37.5 K", "37.5 degC" and
"37.5 delta_degC" are the same difference.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

from orchestrator.unit_table import (
    ALIASES,
    DIMENSION_NAMES,
    PLAIN,
    PREFIXABLE,
    PREFIXES,
    UCUM,
    Dimension,
    UnitScale,
    dimension,
)

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_QUANTITY = re.compile(rf"\s*({_NUMBER})\s*((?:[^\W\d]|[%°µμΩÅ]|1\s*/).*?)?\s*")
_ATOM = re.compile(r"([A-Za-z_%]+|1)(\^?)([-+]?\d)?")
_UCUM_ATOM = re.compile(r"(\[?[A-Za-z%_]+\]?|1)([-+]?\d)?")
_SYMBOLS = str.maketrans({"µ": "u", "μ": "u", "Ω": "ohm", "Å": "angstrom", "²": "^2", "³": "^3", "·": "*", "⋅": "*"})
_NOT_IN_A_LABORATORY = frozenset({"pH", "au", "px", "pi", "e", "k", "lambda", "dB"})
"""Names that pint reads as something that nobody means here (pH: picohenry)."""
_LONGEST_UNIT = 60
_LENGTH = dimension(length=1)


class UnitError(ValueError):
    """A quantity cannot be read or converted; the message is a sentence for the person who wrote it."""


class UnknownUnit(UnitError):
    """No such unit."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A number with its unit."""

    value: float
    unit: str

    def __str__(self) -> str:
        short = f"{self.value:.10g}"
        number = short if float(short) == self.value else repr(self.value)
        return number if self.unit == "1" else f"{number} {self.unit}"


def split(text: str) -> Measure:
    """Split "350 degC" into number and unit; a bare number has the unit "1".

    Raises:
        UnitError: It is no number with a unit behind it.
    """
    match = _QUANTITY.fullmatch(text.replace("\N{MINUS SIGN}", "-"))
    if match is None:
        raise UnitError(f"cannot read {_quoted(text)}; write a number and a unit, such as '350 degC' or '10 ms'")
    value = float(match[1])
    if not math.isfinite(value):
        raise UnitError(f"{_quoted(text)} is too large a number")
    return Measure(value, spell(match[2] or ""))


def spell(unit: str) -> str:
    """Return the plain spelling of a unit: ``°C`` is ``degC``, ``µm`` is ``um``, ``hours`` is ``h``."""
    text = unit.strip()
    text = ALIASES.get(text, text)
    text = text.replace("°C", "degC").replace("°F", "degF").replace("°", "deg").replace("**", "^")
    text = text.translate(_SYMBOLS)
    return ALIASES.get(text, text)


def read(value: object, unit: str, *, difference: bool = False) -> float:
    """Return a quantity as a number in `unit`; a bare number is in that unit already.

    A unit that nothing is known about is a label: quantities in it are bare numbers, or carry the same label.

    Raises:
        UnitError: It is no quantity, or of another dimension.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise UnitError(f"must be a number or a quantity such as '5 {unit}', got {_kind(value)}")
    if isinstance(value, str):
        measure = split(value)
        if _is_bare(value) or measure.unit == unit:
            return measure.value
        return convert(measure.value, measure.unit, unit, difference=difference)
    if not math.isfinite(value):
        raise UnitError(f"must be a finite number, got {value}")
    return float(value)


def measure(value: object) -> Measure:
    """Return what a person wrote as a number with its own unit; a bare number has the unit "1".

    Raises:
        UnitError: It is no quantity, or the unit is unknown.
    """
    if isinstance(value, str):
        found = split(value)
        scale_of(found.unit)
        return found
    return Measure(read(value, "1"), "1")


def convert(value: float, unit: str, to: str, *, difference: bool = False) -> float:
    """Convert between two units of one dimension.

    Raises:
        UnitError: They are of different dimensions, or one is unknown.
    """
    source, target = scale_of(spell(unit)), scale_of(spell(to))
    if source.dimension != target.dimension:
        raise UnitError(
            f"'{Measure(value, unit)}' is {describe(source.dimension)}, "
            f"but {describe(target.dimension)} in {to!r} is needed here"
        )
    exact = Fraction(repr(float(value))) * source.factor
    if not difference:
        exact += source.offset - target.offset
    return float(exact / target.factor)


def to_ucum(value: float, unit: str, ucum_code: str, *, difference: bool = False) -> float:
    """Convert a value to the unit of a driver's argument, a UCUM code such as ``Cel`` or ``us``.

    Raises:
        UnitError: The dimensions differ, or a unit is unknown.
    """
    return convert(value, unit, from_ucum(ucum_code), difference=difference)


def from_ucum(code: str) -> str:
    """Return our spelling of a UCUM code: ``Cel`` is ``degC``, ``mL/min`` stays, ``m.s-1`` is ``m*s^-1``.

    Raises:
        UnknownUnit: The code cannot be read.
    """
    parts: list[str] = []
    for operator, factor in _factors(code.replace(".", "*")):
        match = _UCUM_ATOM.fullmatch(factor)
        if match is None:
            raise UnknownUnit(f"unknown UCUM code {code!r}")
        name = UCUM.get(match[1], match[1])
        parts.append(f"{operator}{name}^{int(match[2])}" if match[2] else f"{operator}{name}")
    return "".join(parts)


def is_known(unit: str) -> bool:
    """Say whether anything is known about a unit."""
    try:
        scale_of(spell(unit))
    except UnknownUnit:
        return False
    return True


def same_dimension(unit: str, other: str) -> bool:
    """Say whether two units measure the same thing; equal labels do."""
    unit, other = spell(unit), spell(other)
    if unit == other:
        return True
    return is_known(unit) and is_known(other) and scale_of(unit).dimension == scale_of(other).dimension


def describe(of: Dimension | str) -> str:
    """Name a dimension, or that of a unit: "a temperature", "length^2/time"."""
    exponents = scale_of(spell(of)).dimension if isinstance(of, str) else of
    if exponents in DIMENSION_NAMES:
        return DIMENSION_NAMES[exponents]
    above = "*".join(_powered(name, power) for name, power in exponents if power > 0) or "1"
    below = "".join(f"/{_powered(name, -power)}" for name, power in exponents if power < 0)
    return above + below


@cache
def scale_of(unit: str) -> UnitScale:
    """Return what a unit is, from the table or from pint.

    Raises:
        UnknownUnit: Nothing is known about it; suggests what may have been meant.
    """
    unit = spell(unit)
    alone = _atom(unit)
    if alone is not None:
        return alone
    if len(unit) > _LONGEST_UNIT:
        raise UnknownUnit("unknown unit: too long to be one")
    return _product(unit)


def _product(unit: str) -> UnitScale:
    factor, exponents = Fraction(1), {}
    for operator, text in _factors(unit):
        match = _ATOM.fullmatch(text)
        scale = _atom(match[1]) if match else None
        # cm3 is a power; H2 is hydrogen, not a squared henry
        if match is None or scale is None or (match[3] and not match[2] and scale.dimension != _LENGTH):
            raise UnknownUnit(f"unknown unit {_quoted(unit)}{hint(unit)}")
        power = int(match[3] or 1) * (-1 if operator == "/" else 1)
        factor *= scale.factor**power
        for name, exponent in scale.dimension:
            exponents[name] = exponents.get(name, 0) + exponent * power
    return UnitScale(dimension(**exponents), factor)


def _factors(unit: str) -> Iterable[tuple[str, str]]:
    """Split ``mol/L*s`` into ("", "mol"), ("/", "L"), ("*", "s")."""
    pieces = re.split(r"\s*([*/])\s*|\s+", unit.strip())
    operators = ["", *[piece or "*" for piece in pieces[1::2]]]
    return zip(operators, pieces[0::2], strict=True)


@cache
def _atom(name: str) -> UnitScale | None:
    name = ALIASES.get(name, name)
    if name in PLAIN:
        return PLAIN[name]
    if name in PREFIXABLE:
        return PREFIXABLE[name]
    prefix, base = name[:1], name[1:]
    if prefix in PREFIXES and base in PREFIXABLE:
        scale = PREFIXABLE[base]
        return UnitScale(scale.dimension, scale.factor * PREFIXES[prefix])
    return _from_pint(name)


def _from_pint(name: str) -> UnitScale | None:
    if not re.fullmatch(r"[A-Za-z_]{1,40}", name) or name in _NOT_IN_A_LABORATORY:
        return None
    registry = _pint_registry()
    parsed = registry.parse_unit_name(name)
    if not parsed:
        return None
    full = parsed[0][0] + parsed[0][1]
    quantity = registry.Quantity(1.0, full)
    if registry.Quantity(0.0, full).to_base_units().magnitude != 0.0:  # a logarithm, or a zero elsewhere: no factor
        return None
    names = {"[substance]": "amount", "[luminosity]": "luminosity"}
    exponents = {
        names.get(str(key), str(key).strip("[]")): int(power) for key, power in quantity.dimensionality.items()
    }
    return UnitScale(dimension(**exponents), Fraction(float(quantity.to_base_units().magnitude)))


@cache
def _pint_registry() -> Any:
    from pint import UnitRegistry

    return UnitRegistry()


def hint(unit: str) -> str:
    """Return "; did you mean 'mg'?" where a unit that is not known is nearly one that is."""
    near = [known for known in _common_units() if known.lower() == unit.lower()]
    near = near or difflib.get_close_matches(unit, _common_units(), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


@cache
def _common_units() -> tuple[str, ...]:
    prefixed = [
        prefix + base for base in ("m", "g", "s", "mol", "M", "L", "V", "A", "W", "J", "Pa") for prefix in "numk"
    ]
    return (*(name for name in PLAIN if name != "1"), *PREFIXABLE, *prefixed, *(name for name in ALIASES if name))


def _is_bare(text: str) -> bool:
    return re.fullmatch(rf"\s*{_NUMBER}\s*", text.replace("\N{MINUS SIGN}", "-")) is not None


def _powered(name: str, power: int) -> str:
    return name if power == 1 else f"{name}^{power}"


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_UNIT else text[:_LONGEST_UNIT] + "...")


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    return "a list" if isinstance(value, list | tuple) else "a mapping"
