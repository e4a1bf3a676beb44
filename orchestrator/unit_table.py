"""The units that laboratories write most, as data, so that reading a file does not wait for pint.

Factors are exact rationals to the SI base unit (gram counts as 1/1000 kg). `tests/orchestrator/test_units.py` holds
every entry equal to pint's. Whatever is not here is looked up in pint, by name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

Dimension = tuple[tuple[str, int], ...]
"""Base dimensions with their exponents, sorted by name; empty for a plain number."""


def dimension(**exponents: int) -> Dimension:
    """Return the dimension with these exponents; zeros are dropped."""
    return tuple(sorted((name, power) for name, power in exponents.items() if power))


@dataclass(frozen=True, slots=True)
class UnitScale:
    """What a unit is: value x factor + offset = value in SI base units."""

    dimension: Dimension
    factor: Fraction
    offset: Fraction = Fraction(0)


def _unit(factor: str | Fraction, **exponents: int) -> UnitScale:
    return UnitScale(dimension(**exponents), Fraction(factor))


PREFIXES: Mapping[str, Fraction] = MappingProxyType(
    {
        "f": Fraction(1, 10**15),
        "p": Fraction(1, 10**12),
        "n": Fraction(1, 10**9),
        "u": Fraction(1, 10**6),
        "m": Fraction(1, 10**3),
        "c": Fraction(1, 10**2),
        "d": Fraction(1, 10),
        "k": Fraction(10**3),
        "M": Fraction(10**6),
        "G": Fraction(10**9),
        "T": Fraction(10**12),
    }
)

PREFIXABLE: Mapping[str, UnitScale] = MappingProxyType(
    {
        "m": _unit("1", length=1),
        "g": _unit("1e-3", mass=1),
        "s": _unit("1", time=1),
        "A": _unit("1", current=1),
        "mol": _unit("1", amount=1),
        "M": _unit("1000", amount=1, length=-3),
        "L": _unit("1e-3", length=3),
        "l": _unit("1e-3", length=3),
        "Hz": _unit("1", time=-1),
        "N": _unit("1", mass=1, length=1, time=-2),
        "Pa": _unit("1", mass=1, length=-1, time=-2),
        "bar": _unit("1e5", mass=1, length=-1, time=-2),
        "J": _unit("1", mass=1, length=2, time=-2),
        "W": _unit("1", mass=1, length=2, time=-3),
        "V": _unit("1", mass=1, length=2, time=-3, current=-1),
        "C": _unit("1", current=1, time=1),
        "ohm": _unit("1", mass=1, length=2, time=-3, current=-2),
        "F": _unit("1", mass=-1, length=-2, time=4, current=2),
        "S": _unit("1", mass=-1, length=-2, time=3, current=2),
        "T": _unit("1", mass=1, time=-2, current=-1),
        "eV": _unit("1.602176634e-19", mass=1, length=2, time=-2),
    }
)
"""Take a prefix: ``ms``, ``umol``, ``kPa``."""

ZERO_C = Fraction("273.15")

PLAIN: Mapping[str, UnitScale] = MappingProxyType(
    {
        "1": _unit("1"),
        "%": _unit("0.01"),
        "ppm": _unit("1e-6"),
        # fractions of different kinds do not convert into each other
        "mol%": _unit("0.01", mole_fraction=1),
        "wt%": _unit("0.01", mass_fraction=1),
        "vol%": _unit("0.01", volume_fraction=1),
        "at%": _unit("0.01", atomic_fraction=1),
        "rad": _unit("1", angle=1),
        "deg": _unit(Fraction(math.pi) / 180, angle=1),
        "rpm": _unit(Fraction(math.pi) / 30, angle=1, time=-1),
        "sccm": _unit("1", standard_flow=1),
        "K": _unit("1", temperature=1),
        "mK": _unit("1e-3", temperature=1),
        "degC": UnitScale(dimension(temperature=1), Fraction(1), ZERO_C),
        "degF": UnitScale(dimension(temperature=1), Fraction(5, 9), ZERO_C - 32 * Fraction(5, 9)),
        "delta_degC": _unit("1", temperature=1),
        "delta_degF": _unit(Fraction(5, 9), temperature=1),
        "min": _unit("60", time=1),
        "h": _unit("3600", time=1),
        "d": _unit("86400", time=1),
        "week": _unit("604800", time=1),
        "um": _unit("1e-6", length=1),
        "angstrom": _unit("1e-10", length=1),
        "inch": _unit("0.0254", length=1),
        "Torr": _unit(Fraction(101325, 760), mass=1, length=-1, time=-2),
        "atm": _unit("101325", mass=1, length=-1, time=-2),
    }
)
"""Take no prefix."""

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "": "1",
        "percent": "%",
        "mol %": "mol%",
        "wt %": "wt%",
        "vol %": "vol%",
        "at %": "at%",
        "at.%": "at%",
        "at. %": "at%",
        "celsius": "degC",
        "Celsius": "degC",
        "kelvin": "K",
        "sec": "s",
        "second": "s",
        "seconds": "s",
        "minute": "min",
        "minutes": "min",
        "hr": "h",
        "hour": "h",
        "hours": "h",
        "day": "d",
        "days": "d",
        "weeks": "week",
        "micron": "um",
        "microns": "um",
        "liter": "L",
        "litre": "L",
        "Ohm": "ohm",
        "degree": "deg",
        "degrees": "deg",
    }
)

UCUM: Mapping[str, str] = MappingProxyType(
    {"Cel": "degC", "[degF]": "degF", "Ohm": "ohm", "wk": "week", "[in_i]": "inch", "Ao": "angstrom", "[ppm]": "ppm"}
)
"""UCUM atoms that are spelled differently here; the others agree."""

DIMENSION_NAMES: Mapping[Dimension, str] = MappingProxyType(
    {
        dimension(): "a plain number",
        dimension(length=1): "a length",
        dimension(length=2): "an area",
        dimension(length=3): "a volume",
        dimension(mass=1): "a mass",
        dimension(time=1): "a time",
        dimension(time=-1): "a rate (1/time)",
        dimension(temperature=1): "a temperature",
        dimension(amount=1): "an amount of substance",
        dimension(amount=1, length=-3): "a concentration",
        dimension(mass=1, length=-3): "a mass concentration",
        dimension(length=1, time=-1): "a speed",
        dimension(length=3, time=-1): "a flow",
        dimension(temperature=1, time=-1): "a heating rate",
        dimension(mass=1, length=-1, time=-2): "a pressure",
        dimension(mass=1, length=2, time=-2): "an energy",
        dimension(mass=1, length=2, time=-3): "a power",
        dimension(mass=1, length=2, time=-3, current=-1): "a voltage",
        dimension(current=1): "a current",
        dimension(angle=1): "an angle",
        dimension(standard_flow=1): "a standard gas flow",
        dimension(mole_fraction=1): "a mole fraction",
        dimension(mass_fraction=1): "a mass fraction",
        dimension(volume_fraction=1): "a volume fraction",
        dimension(atomic_fraction=1): "an atomic fraction",
    }
)
