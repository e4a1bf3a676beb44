"""Cells and their strains that keep the crystal system.

A squared reciprocal spacing is linear in the reciprocal metric, and so in the few numbers that a crystal system leaves
free: ``q^2 = q_0^2 + sum_j B_j(hkl) e_j``. The columns ``B_j`` are all that a fit of positions needs; a cell and its
esds follow from ``e`` and its covariance afterwards (International Tables B, section 1.1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.xrd.phase import Phase

Array = NDArray[np.floating[Any]]
Indices = NDArray[np.int64]

DIAGONAL_SD = 0.01
"""Prior of a column's strain: twice the usual relative deviation of an edge from the library's cell, 0.5 %."""
SHEAR_SD = 0.006
"""Prior of a shear column, in units of the cosine of a reciprocal angle."""


def direct_metric(cell: tuple[float, ...]) -> Array:
    """Return the ``3 x 3`` metric of a, b, c in angstrom, alpha, beta, gamma in degrees."""
    lengths = np.array(cell[:3])
    alpha, beta, gamma = np.cos(np.radians(cell[3:]))
    cosines = np.array([[1.0, gamma, beta], [gamma, 1.0, alpha], [beta, alpha, 1.0]])
    return np.outer(lengths, lengths) * cosines


def reciprocal_metric(cell: tuple[float, ...]) -> Array:
    """Return the ``3 x 3`` reciprocal metric in 1/angstrom^2."""
    return np.linalg.inv(direct_metric(cell))


def cell_of(metric: Array) -> tuple[float, float, float, float, float, float]:
    """Return a, b, c, alpha, beta, gamma of a ``3 x 3`` reciprocal metric."""
    direct = np.linalg.inv(metric)
    a, b, c = (float(np.sqrt(direct[i, i])) for i in range(3))
    alpha, beta, gamma = (
        float(np.degrees(np.arccos(np.clip(direct[i, j] / np.sqrt(direct[i, i] * direct[j, j]), -1.0, 1.0))))
        for i, j in ((1, 2), (0, 2), (0, 1))
    )
    return a, b, c, alpha, beta, gamma


def volume_angstrom3(metric: Array) -> float:
    """Return the cell's volume from its ``3 x 3`` reciprocal metric."""
    return float(1.0 / np.sqrt(np.linalg.det(metric)))


def strain_basis(phase: Phase) -> tuple[Array, Array]:
    """Return the ``s x 3 x 3`` parts of the reciprocal metric that strains scale, and their ``s`` prior sds.

    The strained metric is the unstrained one plus the sum of strains times parts. A diagonal part is the square of a
    reciprocal edge; a shear's is the product of two, so that its strain is a change of the cosine between them.
    """
    metric = reciprocal_metric(phase.cell)
    match system_of(phase):
        case "cubic":
            return metric[None] * np.eye(3), np.array([DIAGONAL_SD])
        case "rhombohedral":
            diagonal = metric * np.eye(3)
            return np.array([diagonal, metric - diagonal]), np.array([DIAGONAL_SD, DIAGONAL_SD])
        case "tetragonal" | "hexagonal":
            along = np.zeros((3, 3))
            along[2, 2] = metric[2, 2]
            return np.array([metric - along, along]), np.full(2, DIAGONAL_SD)
        case "orthorhombic":
            return _diagonals(metric), np.full(3, DIAGONAL_SD)
        case "monoclinic":
            pair = {"a": (1, 2), "b": (0, 2), "c": (0, 1)}[phase.unique_axis]
            return _sheared(metric, (pair,))
    return _sheared(metric, ((1, 2), (0, 2), (0, 1)))


def system_of(phase: Phase) -> str:
    """Return the lattice system, where a trigonal phase is hexagonal or, in those axes, rhombohedral."""
    if phase.crystal_system == "trigonal":
        return "rhombohedral" if phase.has_rhombohedral_axes else "hexagonal"
    return phase.crystal_system


def _diagonals(metric: Array) -> Array:
    parts = np.zeros((3, 3, 3))
    for i in range(3):
        parts[i, i, i] = metric[i, i]
    return parts


def _sheared(metric: Array, pairs: tuple[tuple[int, int], ...]) -> tuple[Array, Array]:
    shears = np.zeros((len(pairs), 3, 3))
    for number, (i, j) in enumerate(pairs):
        shears[number, i, j] = shears[number, j, i] = np.sqrt(metric[i, i] * metric[j, j])
    return np.concatenate([_diagonals(metric), shears]), np.array([DIAGONAL_SD] * 3 + [SHEAR_SD] * len(pairs))


def strained_metric(phase: Phase, strain: Array) -> Array:
    """Return the ``3 x 3`` reciprocal metric under ``s`` strains."""
    basis, _ = strain_basis(phase)
    return reciprocal_metric(phase.cell) + np.einsum("s,sij->ij", strain, basis)


def columns(phase: Phase, hkl: Indices) -> tuple[Array, Array]:
    """Return ``m`` squared reciprocal spacings without strain, and their ``m x s`` derivatives by the strains."""
    basis, _ = strain_basis(phase)
    indices = hkl.astype(float)
    plain = np.einsum("mi,ij,mj->m", indices, reciprocal_metric(phase.cell), indices)
    return plain, np.einsum("mi,sij,mj->ms", indices, basis, indices)


def canonical_hkl(phase: Phase, hkl: Indices) -> Indices:
    """Return ``m x 3``: of each reflection, the one that stands for all with its spacing under every allowed strain."""
    match system_of(phase):
        case "cubic":
            return np.sort(np.abs(hkl), axis=1)[:, ::-1]
        case "tetragonal":
            plane = np.sort(np.abs(hkl[:, :2]), axis=1)[:, ::-1]
            return np.column_stack([plane, np.abs(hkl[:, 2])])
        case "hexagonal":
            three = np.abs(np.column_stack([hkl[:, 0], hkl[:, 1], -hkl[:, 0] - hkl[:, 1]]))
            ordered = np.sort(three, axis=1)
            return np.column_stack([ordered[:, 1], ordered[:, 0], np.abs(hkl[:, 2])])
        case "rhombohedral":
            up, down = np.sort(hkl, axis=1)[:, ::-1], np.sort(-hkl, axis=1)[:, ::-1]
            return np.where(_first_positive(up - down)[:, None], up, down)
        case "orthorhombic":
            return np.abs(hkl)
        case "monoclinic":
            axis = "abc".index(phase.unique_axis)
            one, two = (i for i in range(3) if i != axis)
            found = hkl.copy()
            found[:, axis] = np.abs(hkl[:, axis])
            flip = (hkl[:, one] < 0) | ((hkl[:, one] == 0) & (hkl[:, two] < 0))
            found[flip, one] *= -1
            found[flip, two] *= -1
            return found
    return np.where(_first_positive(hkl)[:, None], hkl, -hkl)


def _first_positive(hkl: Indices) -> NDArray[np.bool_]:
    """Say of ``m`` rows whether the first number that is not zero is positive."""
    first = np.argmax(hkl != 0, axis=1)
    return hkl[np.arange(len(hkl)), first] >= 0
