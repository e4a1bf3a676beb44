"""The reflections of a structure: indices, their equivalents, multiplicities, and ``|F|^2``.

What does not change under a small strain (indices, geometric parts of the structure factors, form factors) is computed
once for each structure; positions and the Debye-Waller factors belong to each sample.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import gemmi
import numpy as np
from numpy.typing import NDArray

from simulators.materials.powder import scattering
from simulators.materials.powder.structure import Cell, Structure

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reflections:
    """``n`` sets of equivalent reflections of a structure with ``s`` sites."""

    hkl: NDArray[np.int64]
    """``n x 3``, one of each set."""
    equivalents: NDArray[np.int64]
    """``n x g x 3``: images under all rotations, each as often as the symmetry repeats it."""
    multiplicity: NDArray[np.int64]
    """``n``, Friedel mates counted."""
    stol2: Array
    """``n``: (sin theta / lambda)^2 of the unstrained cell."""
    real: NDArray[np.complex128]
    """``n x s``: each site's part of F with f0 + f', without thermal motion."""
    imaginary: NDArray[np.complex128]
    """``n x s``: the same with f''."""

    def squared(self, b_angstrom2: Array) -> Array:
        """Return ``n`` values of ``|F|^2`` in electrons squared, the mean over Friedel mates.

        Args:
            b_angstrom2: ``s`` isotropic displacement parameters B.
        """
        damping = np.exp(-np.outer(self.stol2, b_angstrom2))
        real, imaginary = (self.real * damping).sum(1), (self.imaginary * damping).sum(1)
        return np.abs(real) ** 2 + np.abs(imaginary) ** 2

    def spacing_angstrom(self, cell: Cell) -> Array:
        """Return the ``n`` distances of lattice planes in a strained cell."""
        return 1.0 / np.sqrt(np.einsum("ni,ij,nj->n", self.hkl, cell.reciprocal_metric, self.hkl))


@lru_cache(maxsize=256)
def reflections(structure: Structure, d_min_angstrom: float) -> Reflections:
    """Return all reflections with lattice planes at least so far apart, the systematically absent left out."""
    cell = gemmi.UnitCell(*structure.cell.parameters)
    hkl = np.asarray(gemmi.make_miller_array(cell, structure.symmetry.group, d_min_angstrom), dtype=np.int64)
    squared = np.einsum("ni,ij,nj->n", hkl, structure.cell.reciprocal_metric, hkl)
    hkl, squared = hkl[squared > 0.0], squared[squared > 0.0]
    order = np.argsort(squared)
    hkl, stol2 = hkl[order], squared[order] / 4.0
    equivalents = np.einsum("ni,gij->ngj", hkl, structure.symmetry.rotations)
    real, imaginary = _parts(structure, hkl, stol2)
    return Reflections(
        hkl=hkl,
        equivalents=equivalents,
        multiplicity=_multiplicity(equivalents),
        stol2=stol2,
        real=real,
        imaginary=imaginary,
    )


def d_min_angstrom(two_theta_deg: float, wavelength_angstrom: float) -> float:
    """Return the smallest spacing that reflects below an angle, in steps of a tenth so that few tables are made."""
    exact = wavelength_angstrom / (2.0 * math.sin(math.radians(min(two_theta_deg, 179.0) / 2.0)))
    return math.floor(exact * 10.0) / 10.0


def _multiplicity(equivalents: NDArray[np.int64]) -> NDArray[np.int64]:
    first, reached = equivalents[:, :1, :], np.concatenate([equivalents, -equivalents], axis=1)
    stabiliser = np.all(reached == first, axis=2).sum(axis=1)
    return reached.shape[1] // stabiliser


def _parts(
    structure: Structure, hkl: NDArray[np.int64], stol2: Array
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    real, imaginary = [], []
    for site, orbit in zip(structure.sites, structure.orbits, strict=True):
        geometric = site.occupancy * np.exp(2j * math.pi * (hkl @ orbit.T)).sum(axis=1)
        anomalous = scattering.dispersion(site.element)
        real.append(geometric * (scattering.form_factor(site.element, stol2) + anomalous.real))
        imaginary.append(geometric * anomalous.imag)
    return np.array(real).T, np.array(imaginary).T
