"""The Ewald sum matrix: electrostatic energies of pairs of sublattices in a periodic crystal.

Faber et al., Int. J. Quantum Chem. 115, 1094 (2015), doi:10.1002/qua.24917. Their constant terms leave entries that
depend on the width that the sums are split at. Here they are the usual ones of an Ewald sum in a neutralising
background, shared out to pairs: entries do not depend on the width, and all of them add up to the electrostatic energy
of the cell (Toukmaji and Board, Comput. Phys. Commun. 95, 73 (1996), doi:10.1016/0010-4655(96)00016-1).
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc

from surrogate.features.matrices import BOHR_ANGSTROM

Array = NDArray[np.float64]

SMALLEST_TERM = 1e-10
"""Where the sums end: terms below it, as a part of the largest, are left out."""
_CHUNK = 1_000_000
"""Distances that are held at once."""


def ewald_matrix(
    charges: Array, lattice_angstrom: Array, fractions: Array, *, width_per_bohr: float | None = None
) -> Array:
    """Return the energies of pairs in hartree, `n x n`; they add up to that of the cell.

    Args:
        charges: Of the atoms, `n`; a uniform background makes the whole neutral.
        lattice_angstrom: `3 x 3`, an edge in each row.
        fractions: `n x 3`
        width_per_bohr: Where the sum is split; by default so that both halves take equally long. It changes nothing.
    """
    lattice = lattice_angstrom / BOHR_ANGSTROM
    volume = abs(float(np.linalg.det(lattice)))
    width = width_per_bohr or math.sqrt(math.pi) * (len(charges) / volume**2) ** (1.0 / 6.0)
    reach = math.sqrt(-math.log(SMALLEST_TERM))
    potential = _near(lattice, fractions, width, reach / width)
    potential += _far(lattice, fractions, width, 2.0 * width * reach)
    potential -= math.pi / (volume * width**2)
    potential[np.diag_indices_from(potential)] -= 2.0 * width / math.sqrt(math.pi)
    return 0.5 * np.outer(charges, charges) * potential


def _near(lattice: Array, fractions: Array, width: float, cutoff: float) -> Array:
    """Return the sums over images of erfc(width r) / r, `n x n`; no atom meets itself."""
    apart = fractions[:, None, :] - fractions[None, :, :]
    apart = ((apart - np.round(apart)) @ lattice).reshape(-1, 3)
    farthest = float(np.linalg.norm(apart, axis=1).max())
    images = _points(lattice, cutoff + farthest)
    total = np.zeros(len(apart))
    for start in range(0, len(images), max(_CHUNK // len(apart), 1)):
        some = images[start : start + max(_CHUNK // len(apart), 1)]
        r = np.linalg.norm(apart[:, None, :] + some[None, :, :], axis=2)
        is_apart = r > 1e-9
        total += np.sum(np.where(is_apart, erfc(width * r) / np.where(is_apart, r, 1.0), 0.0), axis=1)
    return total.reshape(len(fractions), len(fractions))


def _far(lattice: Array, fractions: Array, width: float, cutoff: float) -> Array:
    """Return the sums over reciprocal vectors but the origin, `n x n`."""
    reciprocal: Array = np.asarray(2.0 * math.pi * np.linalg.inv(lattice).T, dtype=np.float64)
    vectors = _points(reciprocal, cutoff)
    squared = np.sum(vectors**2, axis=1)
    vectors, squared = vectors[squared > 1e-12], squared[squared > 1e-12]
    phases = (fractions @ lattice) @ vectors.T
    weights = np.exp(-squared / (4.0 * width**2)) / squared
    cosines, sines = np.cos(phases), np.sin(phases)
    volume = abs(float(np.linalg.det(lattice)))
    return 4.0 * math.pi / volume * ((cosines * weights) @ cosines.T + (sines * weights) @ sines.T)


def _points(lattice: Array, cutoff: float) -> Array:
    """Return the points of a lattice (edges in rows) within a distance of the origin, `m x 3`."""
    heights = 1.0 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    spans = [np.arange(-n, n + 1) for n in np.floor(cutoff / heights).astype(int)]
    points = np.array(list(itertools.product(*spans)), dtype=float) @ lattice
    return points[np.linalg.norm(points, axis=1) <= cutoff]
