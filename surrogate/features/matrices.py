"""Matrices of pairs of atoms, and their spectra, which do not depend on the order of the atoms.

In atomic units (hartree, bohr). Coulomb matrix: Rupp et al., Phys. Rev. Lett. 108, 058301 (2012),
doi:10.1103/PhysRevLett.108.058301, eq. (2). Sine matrix: Faber et al., Int. J. Quantum Chem. 115, 1094 (2015),
doi:10.1002/qua.24917, which keeps the form of the Coulomb matrix and makes it periodic in the crystal's lattice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BOHR_ANGSTROM = 0.529177210544
"""CODATA 2022."""


def coulomb_matrix(numbers: Array, positions_angstrom: Array) -> Array:
    """Return the Coulomb matrix of a molecule, `n x n`: 0.5 Z^2.4 on the diagonal, Z_i Z_j / r_ij beside it.

    Args:
        numbers: Nuclear charges, `n`.
        positions_angstrom: `n x 3`
    """
    apart = positions_angstrom[:, None, :] - positions_angstrom[None, :, :]
    return _like_coulomb(numbers, np.linalg.norm(apart, axis=2))


def sine_matrix(numbers: Array, lattice_angstrom: Array, fractions: Array) -> Array:
    """Return the sine matrix of a crystal, `n x n`.

    As the Coulomb matrix, with the distance replaced by the length of the sum over edges of sin^2(pi f_k) times the
    edge, where f are the fractions between two atoms.

    Args:
        numbers: Nuclear charges, `n`.
        lattice_angstrom: `3 x 3`, an edge in each row.
        fractions: `n x 3`
    """
    apart = fractions[:, None, :] - fractions[None, :, :]
    return _like_coulomb(numbers, np.linalg.norm(np.sin(np.pi * apart) ** 2 @ lattice_angstrom, axis=2))


def _like_coulomb(numbers: Array, distances_angstrom: Array) -> Array:
    distances = distances_angstrom / BOHR_ANGSTROM
    np.fill_diagonal(distances, 1.0)
    found = np.outer(numbers, numbers) / distances
    np.fill_diagonal(found, 0.5 * numbers**2.4)
    return found


def spectrum(matrix: Array, size: int) -> Array:
    """Return the eigenvalues of a symmetric matrix (`n x n`), largest magnitude first, zeros behind them (`size`)."""
    values = np.linalg.eigvalsh(matrix)
    # equal magnitudes are put in one order by their sign, so that rounding does not exchange them
    order = np.lexsort((-values, -np.round(np.abs(values), 9)))
    found = np.zeros(size)
    found[: len(values)] = values[order]
    return found
