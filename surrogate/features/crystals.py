"""Crystals as features see them: the atoms of the standardised primitive cell, from phases and CIF files."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gemmi
import numpy as np
from numpy.typing import NDArray

from surrogate.features.errors import BadItem
from surrogate.xrd.phase import Phase

if TYPE_CHECKING:
    from pymatgen.core import Structure

Array = NDArray[np.float64]

SYMMETRY_TOLERANCE_ANGSTROM = 1e-3
_PLACE = re.compile(r"(.*): string:(\d+):\d+\(\d+\): (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Atoms:
    """The atoms of one cell."""

    numbers: Array
    """Nuclear charges of the n atoms."""
    lattice_angstrom: Array
    """`3 x 3`, an edge in each row."""
    fractions: Array
    """`n x 3` parts of the edges."""

    @property
    def positions_angstrom(self) -> Array:
        """Return the places, `n x 3`."""
        return self.fractions @ self.lattice_angstrom


def read_structures(path: Path) -> list[Phase]:
    """Return the structures of a CIF file, at least one.

    Raises:
        BadItem: There is none, or one of its blocks is contradictory; names the file, and the line where it is known.
    """
    from surrogate.xrd.cif import read_cif

    phases, reasons = read_cif(path)
    if reasons or not phases:
        raise BadItem("; ".join(_told(path.name, reason) for reason in reasons))
    return phases


def _told(name: str, reason: str) -> str:
    place = _PLACE.fullmatch(reason)
    return f"{name}: {reason}" if place is None else f"{name}, line {place[2]}: {place[1]}: {place[3]}"


def structure_of(structure: Structure, name: str) -> Phase:
    """Return a pymatgen structure, of whatever made it, as a phase.

    Raises:
        BadItem: It is contradictory: atoms too close to each other, say.
    """
    from pymatgen.io.cif import CifWriter

    return structure_of_text(str(CifWriter(structure)), name, source="pymatgen")


def structure_of_text(text: str, name: str, *, source: str = "text") -> Phase:
    """Return the structure that the text of a CIF tells.

    Raises:
        BadItem: It tells none, several, or one that is contradictory; names the line where it is known.
    """
    from surrogate.xrd.cif import read_cif_bytes

    phases, reasons = read_cif_bytes(text.encode(), name=name, source=source)
    if reasons or not phases:
        raise BadItem("; ".join(_told(name, reason) for reason in reasons))
    if len(phases) > 1:
        raise BadItem(f"{name}: it tells {len(phases)} structures; one is needed")
    return phases[0]


def pymatgen_structure(phase: Phase) -> Structure:
    """Return a phase as pymatgen's structure of its conventional cell, which pretrained networks take."""
    from pymatgen.core import Lattice, Structure

    places: dict[tuple[float, float, float], dict[str, float]] = {}
    for site in phase.sites:
        there = places.setdefault(site.position, {})
        there[site.element] = there.get(site.element, 0.0) + site.occupancy
    return Structure(Lattice.from_parameters(*phase.cell), list(places.values()), list(places))


@lru_cache(maxsize=4096)
def primitive_atoms(phase: Phase) -> Atoms:
    """Return the atoms of the standardised primitive cell.

    Which cell a structure was written in, and where its origin was put, does not matter then, and a supercell is its
    primitive cell again.

    Raises:
        BadItem: Some place is not fully occupied by one element.
    """
    import spglib

    if phase.is_disordered:
        raise BadItem(
            f"{phase.name}: some places are shared or partly occupied, so that the cell holds no whole atoms; leave it "
            "out, or use features that take it (diffraction, element_statistics)"
        )
    lattice = lattice_of(phase)
    fractions = np.array([site.position for site in phase.sites])
    numbers = np.array([gemmi.Element(site.element).atomic_number for site in phase.sites])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how spglib will tell errors in a later version
        cell: Any = (lattice, fractions, numbers)
        found: Any = spglib.standardize_cell(cell, to_primitive=True, symprec=SYMMETRY_TOLERANCE_ANGSTROM)
    if found is not None:
        lattice, fractions, numbers = found
    return Atoms(numbers=np.asarray(numbers, dtype=float), lattice_angstrom=lattice, fractions=fractions)


def lattice_of(phase: Phase) -> Array:
    """Return the edges of a phase's cell in angstrom, `3 x 3`, one in each row."""
    return np.array(gemmi.UnitCell(*phase.cell).orth.mat.tolist()).T
