"""Texture as a smooth factor over the directions of plane normals.

The logarithm of the factor is a sum of harmonics that have the lattice's symmetry, of even orders: 2 and 4, where a
system leaves few of them 6 too, and 2 alone where it leaves all five (triclinic). A March-Dollase distribution
(Dollase, J. Appl. Cryst. 19, 267 (1986), doi:10.1107/S0021889886089458) about any low-index axis is so met to a few
percent of the intensities at moderate strength (r from 0.6 to 1.6), and to 6 to 17 % at r = 0.4, without an axis having
to be guessed (`benchmarks/xrd_texture.py`); the lowest order alone errs by 35 to 60 % there. What is stronger is met by
such a distribution with harmonics beside it (`surrogate.xrd.march_dollase`). Orders of symmetrised harmonics: Bunge,
Texture Analysis in Materials Science, 1982.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import sph_harm_y

from surrogate.xrd.lattice import reciprocal_metric, system_of
from surrogate.xrd.phase import Phase

Array = NDArray[np.floating[Any]]

SD = 0.3
"""Prior of a coefficient of order 2: that of a March-Dollase parameter of about 0.8 or 1.25."""
SD_OF_ORDER = {2: SD, 4: 0.15, 6: 0.08}
SD_CUBIC = {4: SD, 6: 0.15}
"""Cubic lattices have none of order 2."""
KINDS: dict[str, tuple[tuple[int, int], ...]] = {
    "cubic": ((4, 0), (6, 0)),
    "tetragonal": ((2, 0), (4, 0), (4, 4), (6, 0), (6, 4)),
    "hexagonal": ((2, 0), (4, 0), (6, 0), (6, 6)),
    "rhombohedral": ((2, 0), (4, 0), (4, 3), (6, 0), (6, 3), (6, 6)),
    "orthorhombic": ((2, 0), (2, 2), (4, 0), (4, 2), (4, 4)),
    "monoclinic": ((2, 0), (2, 2), (2, -2), (4, 0), (4, 2), (4, -2), (4, 4), (4, -4)),
    "triclinic": ((2, 0), (2, 1), (2, -1), (2, 2), (2, -2)),
}
"""Order, and how often a harmonic changes about the axis that is like no other: as a cosine or, negative, a sine from
the first axis; of the cubic ones (that have no such axis) the order alone counts. Lowest orders come first."""
MOST = max(len(kinds) for kinds in KINDS.values())


def harmonics(phase: Phase, hkl: NDArray[np.int64]) -> Array:
    """Return the ``m x t`` values at plane normals, orthogonal and with unit mean square over all directions."""
    return harmonics_along(phase, normals(phase, hkl))


def harmonics_along(phase: Phase, directions: Array) -> Array:
    """Return the ``m x t`` values at ``m x 3`` directions, in the axes of `normals`."""
    system = system_of(phase)
    return _raw(system, directions @ _frame(phase)) @ _orthonormal(system)


def prior_sd(phase: Phase) -> Array:
    """Return the ``t`` prior sds of the coefficients."""
    system = system_of(phase)
    by_order = SD_CUBIC if system == "cubic" else SD_OF_ORDER
    return np.array([by_order[order] for order, _ in KINDS[system]])


def normals(phase: Phase, hkl: NDArray[np.int64]) -> Array:
    """Return ``m x 3`` unit vectors, with z along c* and y along b for the systems that have axes there."""
    metric = reciprocal_metric(phase.cell)
    order = {"a": (1, 2, 0), "b": (0, 2, 1), "c": (0, 1, 2)}[phase.unique_axis if _is_monoclinic(phase) else "c"]
    upper = np.linalg.cholesky(metric[np.ix_(order, order)]).T
    vectors = hkl[:, order].astype(float) @ upper.T
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _is_monoclinic(phase: Phase) -> bool:
    return phase.crystal_system == "monoclinic"


def _frame(phase: Phase) -> Array:
    """Return the axes that harmonics refer to, as columns: the last is like no other ([111] of rhombohedral axes)."""
    if system_of(phase) != "rhombohedral":
        return np.eye(3)
    upper = np.linalg.cholesky(reciprocal_metric(phase.cell)).T
    along = upper @ np.ones(3)
    along /= np.linalg.norm(along)
    first = upper[:, 0] - (upper[:, 0] @ along) * along
    first /= np.linalg.norm(first)
    return np.column_stack([first, np.cross(along, first), along])


def _raw(system: str, normals: Array) -> Array:
    x, y, z = normals.T
    if system == "cubic":
        fourth = x**4 + y**4 + z**4 - 0.6
        return np.column_stack([fourth, (x * y * z) ** 2 + fourth / 22.0 - 1.0 / 105.0])
    polar, around = np.arccos(np.clip(z, -1.0, 1.0)), np.arctan2(y, x)
    columns = [sph_harm_y(order, abs(fold), polar, around) for order, fold in KINDS[system]]
    return np.column_stack(
        [one.imag if fold < 0 else one.real for one, (_, fold) in zip(columns, KINDS[system], strict=True)]
    )


@lru_cache(maxsize=len(KINDS))
def _orthonormal(system: str) -> Array:
    """Return the ``t x t`` matrix that makes harmonics orthogonal and their mean squares 1."""
    directions, weights = sphere()
    _, triangle = np.linalg.qr(_raw(system, directions) * np.sqrt(weights)[:, None])
    return np.linalg.inv(triangle)


def sphere() -> tuple[Array, Array]:
    """Return ``k x 3`` directions and their weights, exact for the products of harmonics used here."""
    heights, weights = np.polynomial.legendre.leggauss(8)
    angles = np.arange(16) * (2.0 * np.pi / 16.0)
    z, angle = (grid.ravel() for grid in np.meshgrid(heights, angles, indexing="ij"))
    radius = np.sqrt(1.0 - z**2)
    directions = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), z])
    return directions, np.repeat(weights, 16) / (2.0 * 16.0)
