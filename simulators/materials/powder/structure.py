"""Crystal structures: cell, space group, sites; the cells that a lattice strain of the same symmetry makes of them.

Coordinates are those of the space group's setting as gemmi names it (``I41/amd:1`` is origin choice 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import gemmi
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

AVOGADRO = 6.02214076e23
SAME = 1e-3
"""Fractional coordinates this close are one position."""

_TIED_LENGTHS = {"cubic": (0, 0, 0), "tetragonal": (0, 0, 1), "hexagonal": (0, 0, 1), "trigonal": (0, 0, 1)}
"""Which of the free lengths a, b and c follow, by crystal system; elsewhere each is free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A unit cell, in angstrom and degrees."""

    a: float
    b: float
    c: float
    alpha: float = 90.0
    beta: float = 90.0
    gamma: float = 90.0

    @property
    def parameters(self) -> tuple[float, float, float, float, float, float]:
        """a, b, c, alpha, beta, gamma."""
        return (self.a, self.b, self.c, self.alpha, self.beta, self.gamma)

    @property
    def metric(self) -> Array:
        """``3 x 3``: scalar products of the axes."""
        lengths = np.array(self.parameters[:3], dtype=np.float64)
        cosines: Array = np.eye(3, dtype=np.float64)
        for i, j, angle_deg in ((1, 2, self.alpha), (0, 2, self.beta), (0, 1, self.gamma)):
            cosines[i, j] = cosines[j, i] = math.cos(math.radians(angle_deg))
        return cosines * np.outer(lengths, lengths)

    @property
    def reciprocal_metric(self) -> Array:
        """``3 x 3``: ``1/d^2 = h G* h``."""
        return np.asarray(np.linalg.inv(self.metric), dtype=np.float64)

    @property
    def volume_angstrom3(self) -> float:
        """Volume of the cell."""
        return math.sqrt(np.linalg.det(self.metric))


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A position of the asymmetric unit and what sits there."""

    element: str
    xyz: tuple[float, float, float]
    occupancy: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Structure:
    """A crystal structure."""

    name: str
    formula: str
    space_group: str
    cell: Cell
    sites: tuple[Site, ...]

    @cached_property
    def symmetry(self) -> Symmetry:
        """Of the space group."""
        return symmetry(self.space_group)

    @cached_property
    def orbits(self) -> tuple[Array, ...]:
        """For each site, ``m x 3`` fractional coordinates of all its positions in the cell."""
        return tuple(self.symmetry.orbit(site.xyz) for site in self.sites)

    @cached_property
    def composition(self) -> dict[str, float]:
        """How many atoms of each element a cell holds."""
        atoms: dict[str, float] = {}
        for site, orbit in zip(self.sites, self.orbits, strict=True):
            atoms[site.element] = atoms.get(site.element, 0.0) + site.occupancy * len(orbit)
        return atoms

    @cached_property
    def mass_fractions(self) -> dict[str, float]:
        """By element."""
        grams = {element: n * gemmi.Element(element).weight for element, n in self.composition.items()}
        return {element: mass / sum(grams.values()) for element, mass in grams.items()}

    @cached_property
    def density_g_cm3(self) -> float:
        """From the cell and what is in it."""
        grams = sum(n * gemmi.Element(element).weight for element, n in self.composition.items()) / AVOGADRO
        return grams / (self.cell.volume_angstrom3 * 1e-24)

    def __hash__(self) -> int:
        return hash((self.name, self.space_group, self.cell, self.sites))


@dataclass(frozen=True, slots=True)
class Symmetry:
    """A space group: its crystal system, and its operations as matrices."""

    group: gemmi.SpaceGroup
    rotations: NDArray[np.int64]
    """``g x 3 x 3``, centring left out."""
    translations: Array
    """``g x 3``."""
    centrings: Array
    """``c x 3``."""

    @property
    def system(self) -> str:
        """Crystal system; ``rhombohedral`` for a trigonal group on rhombohedral axes."""
        return "rhombohedral" if self.group.ext == "R" else self.group.crystal_system_str()

    def orbit(self, xyz: tuple[float, float, float]) -> Array:
        """Return all ``m x 3`` positions equivalent to one."""
        images = self.rotations @ np.array(xyz) + self.translations
        images = (images[:, None, :] + self.centrings[None, :, :]).reshape(-1, 3) % 1.0
        found: list[Array] = []
        for image in images:
            if not any(np.all(np.abs((image - known + 0.5) % 1.0 - 0.5) < SAME) for known in found):
                found.append(image)
        return np.array(found)


@lru_cache(maxsize=512)
def symmetry(name: str) -> Symmetry:
    """Return the symmetry of a space group.

    Raises:
        ValueError: There is no space group of that name.
    """
    group = gemmi.find_spacegroup_by_name(name.replace("_", ""))
    if group is None:
        raise ValueError(f"no space group is named {name!r}")
    operations = group.operations()
    scale = gemmi.Op.DEN
    return Symmetry(
        group=group,
        rotations=np.array([op.rot for op in operations.sym_ops], dtype=np.int64) // scale,
        translations=np.array([op.tran for op in operations.sym_ops], dtype=float) / scale,
        centrings=np.array(operations.cen_ops, dtype=float) / scale,
    )


def strained(structure: Structure, largest: float, rng: np.random.Generator) -> Cell:
    """Return a cell whose free lengths are strained by up to `largest`, its symmetry kept.

    Free angles change by up to the same number of radians.
    """
    cell, system = structure.cell, structure.symmetry.system
    strains = rng.uniform(-largest, largest, 6)
    if system == "rhombohedral":
        length, angle_deg = cell.a * (1.0 + strains[0]), cell.alpha + math.degrees(strains[3])
        return Cell(a=length, b=length, c=length, alpha=angle_deg, beta=angle_deg, gamma=angle_deg)
    lengths = [cell.parameters[i] * (1.0 + strains[k]) for i, k in enumerate(_TIED_LENGTHS.get(system, (0, 1, 2)))]
    angles = [angle + math.degrees(strains[3 + i]) * is_free for i, (angle, is_free) in enumerate(_angles(structure))]
    return replace(Cell(a=lengths[0], b=lengths[1], c=lengths[2]), alpha=angles[0], beta=angles[1], gamma=angles[2])


def _angles(structure: Structure) -> list[tuple[float, bool]]:
    system = structure.symmetry.system
    unique = structure.symmetry.group.monoclinic_unique_axis() if system == "monoclinic" else ""
    angles = structure.cell.parameters[3:]
    return [(angle, system == "triclinic" or axis == unique) for axis, angle in zip("abc", angles, strict=True)]
