"""Levels of difficulty at which identification is measured: clean, lab, hard, brutal.

Strain, alignment, sizes, texture, peak counts, lines of the tube and the share of unknown phases are fixed by the
protocol of `benchmarks/xrd_identification.py`. Read here as: alignment errors and strains are uniform up to the given
value; a hump of 20 % rises to at most a fifth of the strongest peak. What the protocol leaves open (faults, grains,
gradients, air, fluorescence, the detector) grows with the level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulators.materials.powder.aberrations import Geometry
from simulators.materials.powder.settings import Background, Counting, Instrument, Range, Sample
from simulators.materials.powder.specimen import Mixture, Share
from simulators.materials.powder.structure import Structure

GRAPHITE_DEG = 26.6
GEOMETRIES = (
    Geometry(radius_mm=145.0, divergence_deg=0.6, soller_rad=0.04, receiving_deg=0.05, gaussian_deg=0.02),
    Geometry(radius_mm=240.0, divergence_deg=0.5, soller_rad=0.04, receiving_deg=0.03, gaussian_deg=0.015),
    Geometry(radius_mm=185.0, divergence_deg=1.0, soller_rad=0.087, receiving_deg=0.08, gaussian_deg=0.03),
)
"""A benchtop device, a good laboratory one, an old one with wide slits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level: what samples and instruments may be like, and what is mixed."""

    name: str
    sample: Sample
    instruments: tuple[Instrument, ...]
    """One is drawn for each pattern."""
    least_weight: float
    n_phases: tuple[int, int] = (1, 4)
    n_unknown: tuple[int, int] = (0, 0)
    unknown_weight: Range = (0.0, 0.0)
    """Of each phase that a library is to lack."""

    def instrument(self, rng: np.random.Generator) -> Instrument:
        """Draw an instrument."""
        return self.instruments[int(rng.integers(len(self.instruments)))]

    def mixture(self, structures: Sequence[Structure], rng: np.random.Generator) -> Drawn:
        """Draw a mixture of known and unknown phases, all different.

        Raises:
            ValueError: There are too few structures to choose from.
        """
        n_known = int(rng.integers(self.n_phases[0], self.n_phases[1] + 1))
        n_unknown = int(rng.integers(self.n_unknown[0], self.n_unknown[1] + 1))
        if n_known + n_unknown > len(structures):
            raise ValueError(f"a mixture of {n_known + n_unknown} phases needs more than {len(structures)} structures")
        chosen = [structures[int(i)] for i in rng.choice(len(structures), n_known + n_unknown, replace=False)]
        lacking = rng.uniform(*self.unknown_weight, n_unknown)
        free = 1.0 - lacking.sum() - n_known * self.least_weight
        weights = np.concatenate([self.least_weight + free * rng.dirichlet(np.ones(n_known)), lacking])
        shares = tuple(Share(structure=s, weight=float(w)) for s, w in zip(chosen, weights, strict=True))
        return Drawn(mixture=Mixture(shares=shares), unknown=tuple(s.name for s in chosen[n_known:]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A mixture, and the names of its phases that a library is to lack."""

    mixture: Mixture
    unknown: tuple[str, ...]


L0 = Level(
    name="L0",
    sample=Sample(size_nm=(100.0, 100.0)),
    instruments=(Instrument(has_k_alpha_2=False, counting=Counting(peak_counts=1e5)),),
    least_weight=0.05,
)
L1 = Level(
    name="L1",
    sample=Sample(
        lattice_strain=0.003,
        size_nm=(30.0, 100.0),
        size_spread=(0.1, 0.4),
        aspect=(0.8, 1.25),
        microstrain=(0.0, 0.0008),
        texture=(0.8, 1.2),
        grains=1e6,
        b_angstrom2=(0.4, 0.9),
    ),
    instruments=tuple(
        Instrument(
            geometry=geometry,
            monochromator_deg=monochromator_deg,
            zero_deg=0.03,
            displacement_deg=0.03,
            is_transparent=True,
            background=Background(level=(0.01, 0.05), degree=4, air=(0.0, 0.5), fluorescence=(2.0, 4.0)),
            counting=Counting(peak_counts=2e4, dead_time_s=1e-7),
        )
        for geometry in GEOMETRIES[:2]
        for monochromator_deg in (0.0, GRAPHITE_DEG)
    ),
    least_weight=0.05,
)
L2 = Level(
    name="L2",
    sample=Sample(
        lattice_strain=0.01,
        size_nm=(10.0, 50.0),
        size_spread=(0.2, 0.6),
        aspect=(0.5, 2.0),
        microstrain=(0.0, 0.002),
        strain_anisotropy=(-0.2, 0.6),
        fault_chance=0.3,
        fault_probability=(0.002, 0.02),
        gradient_chance=0.2,
        gradient_share=(0.1, 0.3),
        gradient_strain=(0.001, 0.004),
        texture=(0.6, 1.6),
        grains=1e5,
        b_angstrom2=(0.4, 1.2),
        particle_um=1.0,
        hump_height=(0.0, 0.2),
    ),
    instruments=tuple(
        Instrument(
            geometry=geometry,
            k_beta=(0.002, 0.01),
            tungsten=(0.0, 0.004),
            zero_deg=0.08,
            displacement_deg=0.08,
            is_transparent=True,
            background=Background(level=(0.02, 0.1), degree=6, air=(0.0, 1.5), fluorescence=(2.0, 5.0)),
            counting=Counting(peak_counts=3e3, dead_time_s=1e-6, over_dispersion=5e-5),
        )
        for geometry in GEOMETRIES
    ),
    least_weight=0.02,
)
L3 = Level(
    name="L3",
    sample=Sample(
        lattice_strain=0.02,
        size_nm=(5.0, 30.0),
        size_spread=(0.2, 0.7),
        aspect=(0.35, 3.0),
        microstrain=(0.0, 0.004),
        strain_anisotropy=(-0.2, 0.8),
        fault_chance=0.5,
        fault_probability=(0.005, 0.04),
        gradient_chance=0.3,
        gradient_share=(0.1, 0.4),
        gradient_strain=(0.002, 0.006),
        texture=(0.4, 2.5),
        grains=3e4,
        b_angstrom2=(0.4, 1.2),
        particle_um=2.0,
        hump_height=(0.1, 0.4),
    ),
    instruments=tuple(
        Instrument(
            geometry=geometry,
            k_beta=(0.005, 0.02),
            tungsten=(0.0, 0.01),
            zero_deg=0.2,
            displacement_deg=0.15,
            is_transparent=True,
            background=Background(
                level=(0.05, 0.3),
                degree=6,
                air=(0.0, 2.0),
                fluorescence=(2.0, 5.0),
                drift=0.05,
                attenuator_chance=0.2,
                attenuator_error=0.04,
            ),
            counting=Counting(peak_counts=500.0, dead_time_s=1e-6, over_dispersion=2e-4),
        )
        for geometry in GEOMETRIES
    ),
    least_weight=0.02,
    n_unknown=(0, 2),
    unknown_weight=(0.05, 0.4),
)
LEVELS = {level.name: level for level in (L0, L1, L2, L3)}
