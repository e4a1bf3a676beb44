"""Texture as a smooth factor over the directions of plane normals.

The logarithm of the factor is a sum of harmonics that have the lattice's symmetry: order 2 and, about a unique axis, 4;
cubic lattices have none of order 2 and take order 4. A March-Dollase distribution (Dollase, J. Appl. Cryst. 19, 267
(1986), doi:10.1107/S0021889886089458) of moderate strength about any axis is met by these to a few percent, and no axis
has to be guessed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.xrd.lattice import reciprocal_metric, system_of
from surrogate.xrd.phase import Phase

Array = NDArray[np.floating[Any]]

SD = 0.3
"""Prior of a coefficient of order 2: that of a March-Dollase parameter of about 0.8 or 1.25."""
SD_HIGHER = 0.15


def harmonics(phase: Phase, hkl: NDArray[np.int64]) -> Array:
    """Return the ``m x t`` values at plane normals, orthogonal and with unit mean square over all directions."""
    normals = _normals(phase, hkl)
    directions, weights = _sphere()
    over_sphere = _raw(system_of(phase), directions, _axis(phase))
    _, triangle = np.linalg.qr(over_sphere * np.sqrt(weights)[:, None])
    return np.linalg.solve(triangle.T, _raw(system_of(phase), normals, _axis(phase)).T).T


def prior_sd(phase: Phase) -> Array:
    """Return the ``t`` prior sds of the coefficients."""
    match system_of(phase):
        case "cubic":
            return np.array([SD])
        case "tetragonal" | "hexagonal" | "rhombohedral":
            return np.array([SD, SD_HIGHER])
        case "orthorhombic":
            return np.full(2, SD)
        case "monoclinic":
            return np.full(3, SD)
    return np.full(5, SD)


def _normals(phase: Phase, hkl: NDArray[np.int64]) -> Array:
    """Return ``m x 3`` unit vectors, with z along c* and y along b for the systems that have axes there."""
    metric = reciprocal_metric(phase.cell)
    order = {"a": (1, 2, 0), "b": (0, 2, 1), "c": (0, 1, 2)}[phase.unique_axis if _is_monoclinic(phase) else "c"]
    upper = np.linalg.cholesky(metric[np.ix_(order, order)]).T
    vectors = hkl[:, order].astype(float) @ upper.T
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _is_monoclinic(phase: Phase) -> bool:
    return phase.crystal_system == "monoclinic"


def _axis(phase: Phase) -> Array:
    """Return the unit vector of the axis that is like no other: [111] of rhombohedral axes, else z."""
    if system_of(phase) != "rhombohedral":
        return np.array([0.0, 0.0, 1.0])
    upper = np.linalg.cholesky(reciprocal_metric(phase.cell)).T
    vector = upper @ np.ones(3)
    return vector / np.linalg.norm(vector)


def _raw(system: str, normals: Array, axis: Array) -> Array:
    x, y, z = normals.T
    match system:
        case "cubic":
            return (x**4 + y**4 + z**4 - 0.6)[:, None]
        case "tetragonal" | "hexagonal" | "rhombohedral":
            along = (normals @ axis) ** 2
            return np.column_stack([1.5 * along - 0.5, (35.0 * along**2 - 30.0 * along + 3.0) / 8.0])
        case "orthorhombic":
            return np.column_stack([z**2 - 1.0 / 3.0, x**2 - y**2])
        case "monoclinic":
            return np.column_stack([z**2 - 1.0 / 3.0, x**2 - y**2, x * y])
    return np.column_stack([z**2 - 1.0 / 3.0, x**2 - y**2, x * y, y * z, x * z])


def _sphere() -> tuple[Array, Array]:
    """Return ``k x 3`` directions and their weights, exact for the products of harmonics used here."""
    heights, weights = np.polynomial.legendre.leggauss(8)
    angles = np.arange(16) * (2.0 * np.pi / 16.0)
    z, angle = (grid.ravel() for grid in np.meshgrid(heights, angles, indexing="ij"))
    radius = np.sqrt(1.0 - z**2)
    directions = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), z])
    return directions, np.repeat(weights, 16) / (2.0 * 16.0)
