"""March-Dollase distributions of crystallites about low-index axes.

Dollase, J. Appl. Cryst. 19, 267 (1986), doi:10.1107/S0021889886089458, eq. 1: a line's factor is the mean over its
reflections of ``(r^2 cos^2 a + sin^2 a / r)^(-3/2)``, with the angle ``a`` to the axis. Its mean over all directions is
1. Harmonics (`surrogate.xrd.texture`) need no axis, and meet strong distributions roughly; where one of these fits
better, harmonics make up for the difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.xrd.lattice import canonical_hkl
from surrogate.xrd.phase import Phase
from surrogate.xrd.reflections import squared_factors
from surrogate.xrd.texture import harmonics, harmonics_along, normals, sphere

Array = NDArray[np.floating[Any]]
Indices = NDArray[np.int64]

R = (0.42, 0.58, 0.77, 1.3, 1.7, 2.3)
"""Parameters that are tried; harmonics make up for what lies between them."""
LOG_R_SD = 0.5
ALL_DIRECTIONS = 0.05
"""How much all directions count beside a phase's lines where harmonics are fitted to a distribution."""
LOW_INDEX = np.array([one for one in product((0, 1, -1), repeat=3) if any(one)])
_GENERIC = np.array([[7, 3, 1], [2, -5, 11]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """The ``k`` distributions that a phase's crystallites may follow; the first is none."""

    axis: tuple[tuple[int, int, int], ...]
    log_r: Array
    """``k``."""
    log_factor: Array
    """``k x m`` logarithms of the factors of lines."""
    projected: Array
    """``k x t`` coefficients of `surrogate.xrd.texture.harmonics` that come closest: for the lines, as strong as they
    are, and where these tell little, over all directions."""
    log_prior: Array
    """``k``: against none."""


def kinds_of(phase: Phase, hkl: Indices, wavelength_angstrom: float) -> Kinds:
    """Return the distributions about each low-index axis, for ``m`` lines of a phase.

    A phase is as likely to follow none as any; logarithms of r are normal, with `LOG_R_SD`. Reflections of a line count
    with their squared structure factors, since some share its spacing only.
    """
    rotations = _rotations(phase)
    members = np.einsum("mi,gij->mgj", hkl, rotations)
    strength = squared_factors(phase, members.reshape(-1, 3), wavelength_angstrom).reshape(members.shape[:2])
    # of a line that is extinct all reflections count alike
    strength[strength.sum(axis=1) <= 0.0] = 1.0
    share = strength / strength.sum(axis=1, keepdims=True)
    along_lines = normals(phase, members.reshape(-1, 3)).reshape(*members.shape)
    directions, weights = sphere()
    at_lines, everywhere = harmonics(phase, hkl), harmonics_along(phase, directions)
    seen = strength.sum(axis=1) / strength.sum()
    axes = _axes(phase)
    factors, over_all = [np.zeros(len(hkl))], [np.zeros(len(directions))]
    for axis in axes:
        (along,) = normals(phase, axis[None])
        equivalents = normals(phase, axis @ rotations)
        for r in R:
            factors.append(np.log((_factors(along_lines @ along, r) * share).sum(axis=1)))
            over_all.append(np.log(_factors(directions @ equivalents.T, r).mean(axis=1)))
    likely = np.exp(-0.5 * (np.log(R) / LOG_R_SD) ** 2)
    log_prior = np.tile(np.log(likely / likely.sum() / len(axes)), len(axes))
    return Kinds(
        axis=((0, 0, 0), *((int(h), int(k), int(l_)) for h, k, l_ in axes for _ in R)),
        log_r=np.array([0.0, *np.tile(np.log(R), len(axes))]),
        log_factor=np.array(factors),
        projected=_projected(at_lines, np.array(factors), seen, everywhere, np.array(over_all), weights),
        log_prior=np.array([0.0, *log_prior]),
    )


def _projected(
    at_lines: Array, factors: Array, seen: Array, everywhere: Array, over_all: Array, weights: Array
) -> Array:
    """Fit ``k x t`` coefficients to logarithms at lines, and in all directions; a common factor is free in each."""
    one, all_ = at_lines - seen @ at_lines, everywhere - weights @ everywhere
    left = one.T @ (one * seen[:, None]) + ALL_DIRECTIONS * all_.T @ (all_ * weights[:, None])
    right = (factors * seen) @ one + ALL_DIRECTIONS * (over_all * weights) @ all_
    return np.linalg.solve(left, right.T).T


def _factors(cosine: Array, r: float) -> Array:
    squared = np.minimum(cosine**2, 1.0)
    return (r**2 * squared + (1.0 - squared) / r) ** -1.5


def _axes(phase: Phase) -> Indices:
    """Return the low-index axes that differ; of trigonal crystals [hkl] and [khl] do."""
    axes = np.unique(canonical_hkl(phase, LOW_INDEX), axis=0)
    if phase.crystal_system == "trigonal" and not phase.has_rhombohedral_axes:
        turned = [one[[1, 0, 2]] for one in axes if one[2] and one[0] != one[1]]
        axes = np.concatenate([axes, np.array(turned)])
    return axes


def _rotations(phase: Phase) -> Indices:
    """Return ``g x 3 x 3`` matrices that take a reflection to each that keeps its spacing; of a Friedel pair to one."""
    of_determinant_one = _unimodular()
    is_kept = np.ones(len(of_determinant_one), dtype=bool)
    for hkl in _GENERIC:
        there = canonical_hkl(phase, hkl @ of_determinant_one)
        is_kept &= (there == canonical_hkl(phase, hkl[None])).all(axis=1)
    return of_determinant_one[is_kept]


@cache
def _unimodular() -> Indices:
    every = np.array(list(product((-1, 0, 1), repeat=9))).reshape(-1, 3, 3)
    return every[np.round(np.linalg.det(every)) == 1.0]
