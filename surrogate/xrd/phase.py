"""A crystal phase: the conventional cell with all its atoms, and what follows from them."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import gemmi

CrystalSystem = Literal["triclinic", "monoclinic", "orthorhombic", "tetragonal", "trigonal", "hexagonal", "cubic"]
UniqueAxis = Literal["a", "b", "c"]
CellParameters = tuple[float, float, float, float, float, float]
Position = tuple[float, float, float]

GRAM_PER_DALTON_ANGSTROM3 = 1.66053906892
"""g/cm3 of one dalton in one cubic angstrom (CODATA 2022)."""
FULL_OCCUPANCY = 0.999
KEY_DIGITS = 5
LARGEST_WHOLE_AMOUNT = 16
"""In the formula of a disordered crystal; beyond it people write decimals."""
HYDROGEN_ISOTOPES = {"D": "H", "T": "H"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One atom of the cell, or one of several that share a place."""

    element: str
    """Its symbol; ``D`` for deuterium."""
    position: Position
    """Fractions of the cell edges, from 0 to below 1."""
    occupancy: float
    b_iso_angstrom2: float | None
    """Isotropic displacement parameter B = 8 pi^2 U; None where the source gives none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A phase of the library; everything after `notes` is worked out from the fields before it."""

    name: str
    """Unique in its library."""
    formula: str
    """Reduced, as people write it: ``TiO2``."""
    space_group: str
    """Hermann-Mauguin symbol, with the setting where one is needed: ``F d -3 m:2``."""
    space_group_number: int
    crystal_system: CrystalSystem
    has_rhombohedral_axes: bool = False
    """a = b = c with equal angles, instead of the hexagonal axes of a rhombohedral group."""
    unique_axis: UniqueAxis = "b"
    """Of a monoclinic cell."""
    cell: CellParameters
    """a, b, c in angstrom, alpha, beta, gamma in degrees."""
    sites: tuple[Site, ...]
    """All atoms of the conventional cell, symmetry applied; a mixed site is several with one position."""
    source: str
    """Paper and database id, or the file."""
    notes: tuple[str, ...] = ()
    """What had to be assumed or corrected when the phase was read."""
    volume_angstrom3: float = field(init=False)
    mass_per_cell: float = field(init=False)
    """g/mol."""
    density_g_cm3: float = field(init=False)
    elements: frozenset[str] = field(init=False)
    """Deuterium counts as H."""
    is_disordered: bool = field(init=False)
    """Some site is not fully occupied by one element."""
    key: str = field(init=False)
    """SHA-256 of what diffraction depends on: cell, symmetry of the cell and atoms; name and source do not count."""

    def __post_init__(self) -> None:
        volume = float(gemmi.UnitCell(*self.cell).volume)
        mass = sum(site.occupancy * gemmi.Element(site.element).weight for site in self.sites)
        derived = {
            "volume_angstrom3": volume,
            "mass_per_cell": mass,
            "density_g_cm3": GRAM_PER_DALTON_ANGSTROM3 * mass / volume,
            "elements": frozenset(HYDROGEN_ISOTOPES.get(site.element, site.element) for site in self.sites),
            "is_disordered": any(site.occupancy < FULL_OCCUPANCY for site in self.sites),
            "key": _key(self),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)


def _key(phase: Phase) -> str:
    cell = [round(value, KEY_DIGITS) for value in phase.cell]
    sites = sorted(
        (site.element, *_wrapped(site.position), round(site.occupancy, 4), _rounded_b(site)) for site in phase.sites
    )
    symmetry = (phase.crystal_system, phase.has_rhombohedral_axes, phase.unique_axis)
    return hashlib.sha256(repr((cell, symmetry, sites)).encode()).hexdigest()


def _wrapped(position: Position) -> tuple[float, ...]:
    """Round first, then wrap: 0.9999999 and 0 are one place."""
    return tuple(round(value, KEY_DIGITS) % 1.0 for value in position)


def _rounded_b(site: Site) -> float:
    return -1.0 if site.b_iso_angstrom2 is None else round(site.b_iso_angstrom2, 3)


def content_of_cell(sites: tuple[Site, ...]) -> dict[str, float]:
    """Return how many atoms of each element the cell holds, partial occupancies counted as such."""
    amounts: dict[str, float] = {}
    for site in sites:
        amounts[site.element] = amounts.get(site.element, 0.0) + site.occupancy
    return amounts


def reduced_amounts(sites: tuple[Site, ...]) -> dict[str, float]:
    """Return the amounts per formula unit: whole numbers where small ones exist, else per common factor of places.

    Fe(0.95) and O on four places each give Fe0.95 O1; Bi 4 and O(0.75) on eight places give Bi2 O3.
    """
    amounts = content_of_cell(sites)
    thousandths = [round(1000 * amount) for amount in amounts.values()]
    factor = math.gcd(*thousandths) / 1000
    is_full = all(site.occupancy >= FULL_OCCUPANCY for site in sites)
    if not is_full and (not factor or max(amounts.values()) / factor > LARGEST_WHOLE_AMOUNT):
        factor = _common_factor_of_places(sites)
    return {element: round(amount / factor, 4) for element, amount in amounts.items()}


def _common_factor_of_places(sites: tuple[Site, ...]) -> int:
    places = {(site.element, _wrapped(site.position)) for site in sites}
    return math.gcd(*Counter(element for element, _ in places).values())
