"""Reflection tables: where a phase's lines lie, how strong they are, and how both move with cell and texture.

Structure factors are kinematic sums over the atoms of the cell, with the scattering factors of International Tables C
(1992, table 6.1.1.4) and the dispersion of Cromer and Liberman (J. Chem. Phys. 53, 1891 (1970), doi:10.1063/1.1674266),
both as gemmi has them. Reflections that keep equal spacings under every strain that keeps the crystal system are one
line. Tables depend on the phase's content and the wavelength only; they are kept in memory and, if wanted, in a folder.
"""

from __future__ import annotations

import hashlib
import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import gemmi
import numpy as np
from numpy.typing import NDArray

from surrogate.model_file import BROKEN
from surrogate.xrd.lattice import canonical_hkl, columns, reciprocal_metric
from surrogate.xrd.phase import Phase
from surrogate.xrd.texture import harmonics

Array = NDArray[np.floating[Any]]

VERSION = 2
_log = logging.getLogger(__name__)
B_ISO_ANGSTROM2 = 0.6
"""Of atoms whose file gives none: usual at room temperature in an oxide."""
B_HYDROGEN_ANGSTROM2 = 2.0
WEAKEST = 3e-4
"""Lines weaker than this part of the strongest (after Lorentz and polarisation) are left out."""
FORBIDDEN = 1e-12
"""Of the square of all electrons: weaker lines are rounding errors."""
MOST_INDICES = 400_000
"""Of one table; a cell that needs more is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reflections:
    """The ``m`` lines of a phase, by spacing."""

    hkl: NDArray[np.int64]
    """``m x 3``, one of each family."""
    strength: Array
    """``m``: multiplicity times ``|F|^2`` in electrons squared, of the cell."""
    q_squared: Array
    """``m`` squared reciprocal spacings in 1/angstrom^2, without strain."""
    by_strain: Array
    """``m x s`` derivatives of these by the strains of `surrogate.xrd.lattice`."""
    harmonics: Array
    """``m x t``: symmetrised harmonics of the plane normals; see `surrogate.xrd.texture`."""


class TooLarge(ValueError):
    """A cell has more reflections than a powder pattern can tell apart."""


def lorentz_polarisation(two_theta_deg: Array) -> Array:
    """Return the factor of a powder line at ``m`` angles, without monochromator."""
    theta = np.radians(two_theta_deg) / 2.0
    return (1.0 + np.cos(2.0 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta))


def reflections(
    phase: Phase, *, wavelength_angstrom: float, highest_deg: float = 140.0, folder: Path | None = None
) -> Reflections:
    """Return a phase's lines up to a 2 theta, from the folder of tables if it is there.

    Raises:
        TooLarge: The cell has more reflections than can be told apart.
        ValueError: An element has no scattering factor.
    """
    limit = round(min(highest_deg, 179.0), 3)
    if folder is None:
        return _computed(phase, wavelength_angstrom, limit)
    path = folder / f"{_table_key(phase, wavelength_angstrom, limit)}.npz"
    if (known := _loaded(path)) is not None:
        return known
    table = _computed(phase, wavelength_angstrom, limit)
    _store(path, table)
    return table


@lru_cache(maxsize=4096)
def _computed(phase: Phase, wavelength_angstrom: float, highest_deg: float) -> Reflections:
    largest = 2.0 * np.sin(np.radians(highest_deg / 2.0)) / wavelength_angstrom
    hkl = _indices(phase, largest)
    families, inverse = np.unique(canonical_hkl(phase, hkl), axis=0, return_inverse=True)
    squared = squared_factors(phase, hkl, wavelength_angstrom)
    strength = 2.0 * np.bincount(inverse.ravel(), weights=squared, minlength=len(families))
    q_squared, by_strain = columns(phase, families)
    two_theta = 2.0 * np.degrees(np.arcsin(np.minimum(np.sqrt(q_squared) * wavelength_angstrom / 2.0, 1.0 - 1e-12)))
    seen = strength * lorentz_polarisation(two_theta)
    # what symmetry forbids comes out as rounding errors, and must not be the strongest of a short range
    electrons = sum(site.occupancy * gemmi.Element(site.element).atomic_number for site in phase.sites)
    is_allowed = strength > FORBIDDEN * electrons**2
    kept = np.flatnonzero(is_allowed & (seen > WEAKEST * seen.max(initial=0.0)))
    kept = kept[np.argsort(q_squared[kept], kind="stable")]
    return Reflections(
        hkl=families[kept],
        strength=strength[kept],
        q_squared=q_squared[kept],
        by_strain=by_strain[kept],
        harmonics=harmonics(phase, families[kept]),
    )


def _indices(phase: Phase, largest: float) -> NDArray[np.int64]:
    """Return ``m x 3`` indices of half of reciprocal space, up to a reciprocal spacing in 1/angstrom."""
    metric = reciprocal_metric(phase.cell)
    # an index is bounded by the spacing times the direct edge
    edges = np.sqrt(np.diag(np.linalg.inv(metric)))
    h, k, l = (int(np.floor(largest * edge)) for edge in edges)  # noqa: E741
    if (2 * h + 1) * (2 * k + 1) * (l + 1) > 8 * MOST_INDICES:
        raise TooLarge(f"the cell of {phase.name} ({phase.volume_angstrom3:.0f} A^3) is too large for a powder pattern")
    grid = np.mgrid[-h : h + 1, -k : k + 1, 0 : l + 1].reshape(3, -1).T
    in_half = (grid[:, 2] > 0) | ((grid[:, 1] > 0) | ((grid[:, 1] == 0) & (grid[:, 0] > 0)))
    grid = grid[in_half]
    spacing = np.einsum("mi,ij,mj->m", grid.astype(float), metric, grid.astype(float))
    found = grid[spacing <= largest**2]
    if len(found) > MOST_INDICES:
        raise TooLarge(f"the cell of {phase.name} has {len(found)} reflections in range; {MOST_INDICES} are allowed")
    return found


def squared_factors(phase: Phase, hkl: NDArray[np.int64], wavelength_angstrom: float) -> Array:
    """Return ``m`` squared moduli of the structure factor; a Friedel pair has the same mean."""
    metric = reciprocal_metric(phase.cell)
    s_squared = np.einsum("mi,ij,mj->m", hkl.astype(float), metric, hkl.astype(float)) / 4.0
    # of both of a Friedel pair: |A + iB|^2 averages to the squares of the sums over real and imaginary factors
    real, imaginary = np.zeros((2, len(hkl)), dtype=complex)
    for factor, damping, positions, occupancies in _groups(phase, s_squared, wavelength_angstrom):
        phases = 2.0 * np.pi * (hkl @ positions.T)
        sum_of_phases = (np.cos(phases) + 1j * np.sin(phases)) @ occupancies
        real += factor.real * damping * sum_of_phases
        imaginary += factor.imag * damping * sum_of_phases
    return np.abs(real) ** 2 + np.abs(imaginary) ** 2


def _groups(phase: Phase, s_squared: Array, wavelength_angstrom: float):  # noqa: ANN202
    """Yield, for the atoms of one element and one displacement: factors, damping, positions, occupancies."""
    kinds = sorted({(site.element, _b_iso(site.element, site.b_iso_angstrom2)) for site in phase.sites})
    for element, b_iso in kinds:
        sites = [
            site for site in phase.sites if site.element == element and _b_iso(element, site.b_iso_angstrom2) == b_iso
        ]
        positions = np.array([site.position for site in sites])
        occupancies = np.array([site.occupancy for site in sites])
        yield _factor(element, s_squared, wavelength_angstrom), np.exp(-b_iso * s_squared), positions, occupancies


def _b_iso(element: str, given: float | None) -> float:
    if given is not None and 0.0 < given < 10.0:
        return given
    return B_HYDROGEN_ANGSTROM2 if element in ("H", "D") else B_ISO_ANGSTROM2


def _factor(element: str, s_squared: Array, wavelength_angstrom: float) -> NDArray[np.complexfloating[Any, Any]]:
    known = gemmi.Element(element)
    if known.it92 is None:
        raise ValueError(f"no scattering factor is known for {element!r}")
    factor = np.full(len(s_squared), known.it92.c)
    for a, b in zip(known.it92.a, known.it92.b, strict=True):
        factor += a * np.exp(-b * s_squared)
    real, imaginary = gemmi.cromer_liberman(z=known.atomic_number, energy=gemmi.hc / wavelength_angstrom)
    return (factor + real) + 1j * imaginary


def _table_key(phase: Phase, wavelength_angstrom: float, highest_deg: float) -> str:
    text = f"{VERSION} {phase.key} {phase.crystal_system} {wavelength_angstrom:.6f} {highest_deg}"
    return hashlib.sha256(text.encode()).hexdigest()


def _loaded(path: Path) -> Reflections | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return Reflections(**{name: stored[name] for name in _NAMES})
    except (*BROKEN, TypeError):
        return None  # absent, or damaged, in one of the many ways that an archive fails: it is made anew


def _store(path: Path, table: Reflections) -> None:
    """Keep a table; a folder that cannot be written to, or a full disk, costs time only."""
    temporary = path.with_name(f"{path.stem}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            np.savez(file, **{name: getattr(table, name) for name in _NAMES})
        os.replace(temporary, path)
    except OSError as error:
        _log.warning("table_not_kept path=%s error=%s", path, error)
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


_NAMES = ("hkl", "strength", "q_squared", "by_strain", "harmonics")
