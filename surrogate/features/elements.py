"""Properties of the elements as one table of numbers without gaps.

Values are those that pymatgen ships. Where it has none for an element, the median of the element's group of the
periodic table stands in (of its row, for the lanthanides and actinides), or that of all elements where the group has
none either; `imputed` and `gaps` say where. Elements after lawrencium (103) have hardly any data and are left out, and
so are properties that are known of less than half of the elements (refractive index, reflectivity, Vickers hardness,
critical temperature, transition temperature to superconductivity).
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

LAST = 103
"""Atomic number of the last element of the table."""
_HYDROGEN: Mapping[str, str] = {"D": "H", "T": "H"}
_SUBSHELL = re.compile(r"\d([spdf])(\d+)")


def _number(key: str) -> Callable[[Any], Any]:
    return lambda element: element.data.get(key)


def _electrons(subshells: str) -> Callable[[Any], float]:
    """Return what counts the electrons outside the noble-gas core in some subshells."""

    def count(element: Any) -> float:
        outer = element.data["Electronic structure"]["0"].split("]")[-1]
        return float(sum(int(n) for shell, n in _SUBSHELL.findall(outer) if shell in subshells))

    return count


def _log10(key: str) -> Callable[[Any], Any]:
    def read(element: Any) -> float | None:
        found = element.data.get(key)
        return math.log10(found) if isinstance(found, int | float) and found > 0 else None

    return read


def _mean_of(key: str) -> Callable[[Any], Any]:
    def read(element: Any) -> float | None:
        found = list((element.data.get(key) or {}).values())
        return sum(found) / len(found) if found else None

    return read


def _end_of(key: str, end: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def read(element: Any) -> float | None:
        found = element.data.get(key)
        return end(found) if found else None

    return read


_PROPERTIES: Mapping[str, Callable[[Any], Any]] = {
    "atomic number": lambda element: element.Z,
    "Mendeleev number": _number("Mendeleev no"),
    "atomic mass": _number("Atomic mass"),
    "row": lambda element: element.row,
    "group": lambda element: element.group,
    "electronegativity": _number("X"),
    "atomic radius": _number("Atomic radius"),
    "molar volume": _number("Molar volume"),
    "valence electrons": _electrons("spdf"),
    "s electrons": _electrons("s"),
    "p electrons": _electrons("p"),
    "d electrons": _electrons("d"),
    "f electrons": _electrons("f"),
    "ionization energy": lambda element: element.data["Ionization energies"][0],
    "electron affinity": _number("Electron affinity"),
    "melting temperature": _number("Melting point"),
    "boiling temperature": _number("Boiling point"),
    "thermal conductivity": _number("Thermal conductivity"),
}
PROPERTIES = tuple(_PROPERTIES)
"""Names of the columns of `table`. Electrons are counted outside the noble-gas core; the unit of each is pymatgen's."""
_FURTHER: Mapping[str, Callable[[Any], Any]] = {
    "calculated atomic radius": _number("Atomic radius calculated"),
    "van der Waals radius": _number("Van der waals radius"),
    "metallic radius": _number("Metallic radius"),
    "mean ionic radius": _mean_of("Ionic radii"),
    "greatest oxidation state": _end_of("Common oxidation states", max),
    "least oxidation state": _end_of("Common oxidation states", min),
    "density of the solid": _number("Density of solid"),
    "liquid range": _number("Liquid range"),
    "log10 electrical resistivity": _log10("Electrical resistivity"),
    "velocity of sound": _number("Velocity of sound"),
    "thermal expansion": _number("Coefficient of linear thermal expansion"),
    "bulk modulus": _number("Bulk modulus"),
    "Young's modulus": _number("Youngs modulus"),
    "rigidity modulus": _number("Rigidity modulus"),
    "Poisson's ratio": _number("Poissons ratio"),
    "Brinell hardness": _number("Brinell hardness"),
    "mineral hardness": _number("Mineral hardness"),
}
ALL_PROPERTIES = (*PROPERTIES, *_FURTHER)
"""Names of the columns of `wide_table`: those of `table`, and further ones that more elements lack."""


@cache
def symbols() -> tuple[str, ...]:
    """Return the symbols of the elements in the order of the table's rows."""
    return tuple(element.symbol for element in _elements())


@cache
def places() -> Mapping[str, int]:
    """Return the row of each symbol; isotopes of hydrogen are hydrogen."""
    found = {symbol: place for place, symbol in enumerate(symbols())}
    return {**found, **{isotope: found[symbol] for isotope, symbol in _HYDROGEN.items()}}


@cache
def table() -> np.ndarray:
    """Return the properties (`elements x PROPERTIES`) without gaps."""
    return wide_table()[:, : len(PROPERTIES)]


@cache
def wide_table() -> np.ndarray:
    """Return the properties (`elements x ALL_PROPERTIES`) without gaps."""
    raw = _raw()
    filled = raw.copy()
    for row, column in zip(*np.nonzero(np.isnan(raw)), strict=True):
        like = raw[_kin()[row], column]
        like = like if np.isfinite(like).any() else raw[:, column]
        filled[row, column] = np.nanmedian(like)
    return filled


@cache
def gaps() -> np.ndarray:
    """Say where a stand-in is (`elements x ALL_PROPERTIES`, bool)."""
    return np.isnan(_raw())


@cache
def imputed() -> Mapping[str, tuple[str, ...]]:
    """Return the elements whose value of a property is a stand-in, for each property that has any."""
    by_property = {
        name: tuple(symbol for symbol, is_gap in zip(symbols(), gaps()[:, column], strict=True) if is_gap)
        for column, name in enumerate(PROPERTIES)
    }
    return {name: missing for name, missing in by_property.items() if missing}


@cache
def _elements() -> tuple[Any, ...]:
    from pymatgen.core import Element

    return tuple(Element.from_Z(number) for number in range(1, LAST + 1))


@cache
def _raw() -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen warns of each value that it has not; `imputed` says it
        readers = [*_PROPERTIES.values(), *_FURTHER.values()]
        rows = [[_value(read(element)) for read in readers] for element in _elements()]
    return np.array(rows, dtype=float)


def _value(found: Any) -> float:
    is_number = isinstance(found, int | float) and math.isfinite(found)
    return float(found) if is_number else math.nan


@cache
def _kin() -> tuple[np.ndarray, ...]:
    """Return for each element the rows of the elements most like it."""
    group = np.array([element.group for element in _elements()])
    row = np.array([element.row for element in _elements()])
    is_inner = np.array([element.is_lanthanoid or element.is_actinoid for element in _elements()])
    return tuple(
        np.flatnonzero(is_inner & (row == row[i])) if is_inner[i] else np.flatnonzero(~is_inner & (group == group[i]))
        for i in range(len(group))
    )
