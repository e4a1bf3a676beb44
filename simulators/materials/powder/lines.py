"""The lines of one phase: where they truly lie, how strong they are, what broadens each.

The integrated intensity of a line, of an infinitely thick specimen in Bragg-Brentano geometry, is
``w m |F|^2 LP / (rho V^2 mean(mu/rho))`` for a weight fraction w (Klug and Alexander, X-ray Diffraction Procedures,
1974, eq. 7-4), here with mass absorption relative to titania's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.materials.powder import aberrations, broadening, emission, texture
from simulators.materials.powder.broadening import Widths
from simulators.materials.powder.emission import Group
from simulators.materials.powder.reflections import Reflections, d_min_angstrom, reflections
from simulators.materials.powder.specimen import Optics, Phase

Array = NDArray[np.float64]

FAINTEST = 1e-4
"""Lines below this share of the strongest K-alpha line are left out."""
MARGIN_DEG = 8.0
"""Lines this far outside a scan still reach into it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """``n`` lines of one phase in one group of wavelengths."""

    two_theta_deg: Array
    """By Bragg's law."""
    centre_deg: Array
    """Where the instrument puts them."""
    area: Array
    spacing_nm: Array
    widths: Widths


@dataclass(frozen=True, slots=True, kw_only=True)
class Crystal:
    """What of a phase does not depend on the wavelength: ``n`` reflections, in ``p`` parts that faults touch alike."""

    spacing_angstrom: Array
    """``n``."""
    strength: Array
    """``n``: everything of an intensity except the Lorentz and polarisation factor, for unit weight."""
    part_of: NDArray[np.int64]
    """``p``: the reflection of each part."""
    part_share: Array
    """``p``."""
    widths: Widths
    """``p``."""


def crystal(phase: Phase, highest_deg: float, optics: Optics) -> Crystal:
    """Return the reflections of a phase up to an angle."""
    shortest = min(emission.wavelength_angstrom(group) for group, _ in optics.groups)
    table = reflections(phase.structure, d_min_angstrom(highest_deg, 0.97 * shortest))
    metric = phase.cell.reciprocal_metric
    cosine = broadening.cosines(table.equivalents, phase.crystallites.axis, metric)
    strength = table.multiplicity * table.squared(np.array(phase.b_angstrom2))
    strength *= texture.march_dollase(cosine, phase.texture_r)
    if phase.grains:
        strength *= texture.graininess(table.multiplicity, phase.grains, np.random.default_rng(phase.grain_seed))
    mass = phase.structure.density_g_cm3 * phase.structure.cell.volume_angstrom3  # of a cell, whatever its strain
    strength /= mass * phase.cell.volume_angstrom3
    part_of, part_share, decay, turn = _parts(table, phase, metric)
    widths = Widths(
        size_nm=broadening.size_nm(cosine, phase.crystallites)[part_of],
        strain=broadening.strain(cosine, phase.crystallites)[part_of],
        decay_per_nm=decay,
        turn_per_nm=turn,
    )
    spacing = table.spacing_angstrom(phase.cell)
    return Crystal(spacing_angstrom=spacing, strength=strength, part_of=part_of, part_share=part_share, widths=widths)


def lines(
    crystal: Crystal, group: Group, optics: Optics, low_deg: float, high_deg: float, *, strength: float = 1.0
) -> Lines:
    """Return the lines that reach into a scan, in one group of wavelengths of a strength over K-alpha's."""
    sine = emission.wavelength_angstrom(group) / (2.0 * crystal.spacing_angstrom)
    two_theta_deg = np.degrees(2.0 * np.arcsin(np.minimum(sine, 1.0)))
    area = strength * crystal.strength * lorentz_polarisation(two_theta_deg, optics.monochromator_deg)
    is_in = (sine < 0.999) & (two_theta_deg > low_deg - MARGIN_DEG) & (two_theta_deg < high_deg + MARGIN_DEG)
    is_in &= area > min(FAINTEST / strength, 0.05) * np.max(area, where=is_in, initial=0.0)
    rows = np.flatnonzero(is_in[crystal.part_of])
    of = crystal.part_of[rows]
    shift_deg = aberrations.shift_deg(
        two_theta_deg[of],
        zero_deg=optics.zero_deg,
        displacement_mm=optics.displacement_mm,
        radius_mm=optics.geometry.radius_mm,
    )
    return Lines(
        two_theta_deg=two_theta_deg[of],
        centre_deg=two_theta_deg[of] + shift_deg,
        area=area[of] * crystal.part_share[rows],
        spacing_nm=0.1 * crystal.spacing_angstrom[of],
        widths=crystal.widths.take(rows),
    )


def lorentz_polarisation(two_theta_deg: Array, monochromator_deg: float) -> Array:
    """Return the factor of powder lines, with a monochromator behind the specimen or (0) without one."""
    theta = np.radians(two_theta_deg) / 2.0
    polarised = math.cos(math.radians(monochromator_deg)) ** 2
    mean = (1.0 + polarised * np.cos(2.0 * theta) ** 2) / (1.0 + polarised)
    return 2.0 * mean / (np.sin(theta) ** 2 * np.maximum(np.cos(theta), 1e-6))


def _parts(table: Reflections, phase: Phase, metric: Array) -> tuple[NDArray[np.int64], Array, Array, Array]:
    """Return reflection, share, decay and turn of the parts into which faults split reflections."""
    n = len(table.hkl)
    faults = phase.crystallites.faults
    if faults is None:
        return np.arange(n), np.ones(n), np.zeros(n), np.zeros(n)
    decay, turn = broadening.fault_rates(table.equivalents, faults, metric)
    index = np.broadcast_to(np.arange(n)[:, None], decay.shape)
    steps = (index.ravel(), np.rint(1e4 * decay).ravel(), np.rint(1e4 * turn).ravel())
    key = steps[0] * 1e12 + steps[1] * 1e6 + steps[2] + 5e5
    _, first, count = np.unique(key, return_index=True, return_counts=True)
    return index.ravel()[first], count / decay.shape[1], decay.ravel()[first], turn.ravel()[first]
