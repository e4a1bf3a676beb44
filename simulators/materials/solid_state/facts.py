"""What is known of the phases and gases of the simulated laboratory: a small table with its sources."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

import gemmi

Elements = tuple[tuple[str, int], ...]
"""Atoms of a formula unit, by element."""

MG_PER_FMOL_GRAM = 1e-12
"""Milligrams of a femtomole of a substance of 1 g/mol."""
GAS_ELEMENTS = frozenset("CHO")
"""Elements that come and go with carbon dioxide, water and oxygen; every other one is a cation here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Substance:
    """Something with a formula: a phase, a gas, a vapour."""

    name: str
    elements: Elements
    enthalpy_kj_mol: float = 0.0
    entropy_j_mol_k: float = 0.0

    @property
    def cations(self) -> frozenset[str]:
        """Elements that do not come and go with the air."""
        return frozenset(element for element, _ in self.elements) - GAS_ELEMENTS

    @property
    def atoms(self) -> int:
        """In a formula unit."""
        return sum(n for _, n in self.elements)

    @property
    def molar_mass_g(self) -> float:
        """In g/mol."""
        return sum(n * gemmi.Element(element).weight for element, n in self.elements)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase(Substance):
    """A crystalline phase, named as in the library of structures."""

    melts_c: float | None
    onset_c: float | None
    """Where it transforms by itself within about an hour."""
    hull_ev_atom: float | None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vapour(Substance):
    """An oxide that is lost from a hot powder."""

    threshold_c: float
    free: frozenset[str]
    """Phases that hold it loosely."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """All substances, by name."""

    phases: Mapping[str, Phase]
    gases: Mapping[str, Substance]
    vapours: Mapping[str, Vapour]

    @property
    def volatile(self) -> frozenset[str]:
        """Elements that can leave a powder: those of gases, and the cations of vapours."""
        return GAS_ELEMENTS.union(*(vapour.cations for vapour in self.vapours.values()))

    def __getitem__(self, name: str) -> Substance:
        found = self.phases.get(name) or self.gases.get(name) or self.vapours.get(name)
        if found is None:
            raise KeyError(f"no substance is named {name!r}; phases: {', '.join(self.phases)}")
        return found


@cache
def table() -> Table:
    """Return the shipped table."""
    text = (resources.files("simulators.materials.solid_state") / "thermochemistry.json").read_text(encoding="utf-8")
    rows = json.loads(text)
    vapours = {
        row["name"]: Vapour(**{**row, "elements": _elements(row), "free": frozenset(row["free"])})
        for row in rows["vapours"]
    }
    gases = {
        row["name"]: Substance(elements=_elements(row), **{key: row[key] for key in _THERMAL}) for row in rows["gases"]
    }
    phases = {row["name"]: Phase(**{**row, "elements": _elements(row)}) for row in rows["phases"]}
    return Table(phases=MappingProxyType(phases), gases=MappingProxyType(gases), vapours=MappingProxyType(vapours))


_THERMAL = ("name", "enthalpy_kj_mol", "entropy_j_mol_k")


def _elements(row: Mapping[str, Any]) -> Elements:
    return tuple(sorted(row["elements"].items()))


@cache
def molar_mass_g(name: str) -> float:
    """Return the mass of a mole of a phase, a gas or a vapour.

    Raises:
        KeyError: Nothing has that name.
    """
    return table()[name].molar_mass_g
