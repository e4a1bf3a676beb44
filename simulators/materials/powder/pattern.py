"""Simulates a pattern of a mixture, and keeps the truth about it for scoring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.materials.powder import background, counting, profile, scattering
from simulators.materials.powder.lines import crystal, lines
from simulators.materials.powder.profile import Grid
from simulators.materials.powder.settings import Instrument, Sample
from simulators.materials.powder.specimen import (
    PACKING,
    Mixture,
    Optics,
    Phase,
    draw_optics,
    draw_phase,
    mass_fractions,
    mean_density_g_cm3,
)
from simulators.materials.powder.structure import Cell

Array = NDArray[np.float64]

REFERENCE_CM2_G = 125.4
"""Mass absorption of titania, to which intensities refer."""
AMORPHOUS_AREA = 40.0
"""Area of the humps of a specimen without any crystalline phase: what titania has in its lines below 80 degrees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """Equal steps of two theta."""

    start_deg: float = 10.0
    stop_deg: float = 80.0
    step_deg: float = 0.02
    count_time_s: float = 1.0

    @property
    def two_theta_deg(self) -> Array:
        """``n`` angles."""
        n = round((self.stop_deg - self.start_deg) / self.step_deg) + 1
        return self.start_deg + self.step_deg * np.arange(n, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What a simulated pattern truly holds; for scoring only. Arrays are expected counts at ``n`` angles."""

    weights: Mapping[str, float]
    """Of the crystalline part, by phase."""
    cells: Mapping[str, Cell]
    amorphous: float
    """Share of the whole."""
    phases: tuple[Phase, ...]
    optics: Optics
    expected: Array
    """All together."""
    contributions: Mapping[str, Array]
    """Peaks, by phase."""
    background: Array
    """Everything else, humps included."""

    def prominence(self, name: str) -> float:
        """Return by how many standard deviations of the counts a phase's strongest peak stands out."""
        return float(np.max(self.contributions[name] / np.sqrt(np.maximum(self.expected, 1.0))))


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedPattern:
    """A pattern as it was measured, and what it truly is."""

    two_theta_deg: Array
    counts: NDArray[np.int64]
    truth: Truth


def simulate(
    mixture: Mixture, *, scan: Scan, sample: Sample, instrument: Instrument, rng: np.random.Generator
) -> SimulatedPattern:
    """Return a pattern of a mixture, its specimen and the instrument's state drawn from what settings allow.

    Raises:
        ValueError: Nothing of the mixture is to be seen in the scan, so that its counts cannot be set by a peak's.
    """
    phases = tuple(draw_phase(share, sample, rng) for share in mixture.shares)
    optics = draw_optics(instrument, rng)
    angles = scan.two_theta_deg
    peaks = crystalline(phases, angles, optics, particle_um=sample.particle_um)
    total = np.sum(list(peaks.values()), axis=0) if peaks else np.zeros_like(angles)
    strongest = _strongest(total, scan) if peaks else None
    humps, share = _humps(mixture, angles, total, sample, rng)
    scale = instrument.counting.peak_counts / (strongest or float(humps.max()))
    under = instrument.counting.peak_counts * background.smooth(
        angles, instrument.background, mass_fractions(phases), rng
    )
    steady = scale * background.drift(angles, instrument.background.drift, rng)
    contributions = {name: steady * values for name, values in peaks.items()}
    rest = steady / scale * under + steady * humps
    expected = np.sum([*contributions.values(), rest], axis=0)
    return SimulatedPattern(
        two_theta_deg=angles,
        counts=_counted(expected, steady * total, instrument, scan, rng),
        truth=Truth(
            weights={part.structure.name: part.weight for part in mixture.shares},
            cells={phase.structure.name: phase.cell for phase in phases},
            amorphous=share,
            phases=phases,
            optics=optics,
            expected=expected,
            contributions=contributions,
            background=rest,
        ),
    )


def crystalline(
    phases: tuple[Phase, ...], two_theta_deg: Array, optics: Optics, *, particle_um: float = 0.0
) -> dict[str, Array]:
    """Return the peaks of each phase at ``n`` angles, by weight and mass absorption, in the unit of line areas."""
    mass_cm2_g = scattering.mixed_absorption_cm2_g(mass_fractions(phases))
    mu_per_mm = 0.1 * PACKING * mass_cm2_g * mean_density_g_cm3(phases) if phases and optics.is_transparent else 0.0
    patterns = {}
    for phase in phases:
        factor = phase.weight * REFERENCE_CM2_G / mass_cm2_g
        factor *= _microabsorption(phase, phases, particle_um) if particle_um else 1.0
        patterns[phase.structure.name] = factor * _unit_pattern(phase, two_theta_deg, optics, mu_per_mm)
    return patterns


def _unit_pattern(phase: Phase, two_theta_deg: Array, optics: Optics, mu_per_mm: float) -> Array:
    low_deg, high_deg = float(two_theta_deg.min()), float(two_theta_deg.max())
    grid = Grid.over(low_deg, high_deg)
    reflecting = crystal(phase, high_deg + 8.0, optics)
    for group, strength in optics.groups:
        found = lines(reflecting, group, optics, low_deg, high_deg, strength=strength)
        profile.draw(grid, found, group=group, optics=optics, crystallites=phase.crystallites, mu_per_mm=mu_per_mm)
    return np.maximum(grid.at(two_theta_deg), 0.0)


def _microabsorption(phase: Phase, phases: tuple[Phase, ...], particle_um: float) -> float:
    own = scattering.mixed_absorption_cm2_g(phase.structure.mass_fractions) * phase.structure.density_g_cm3
    mean = scattering.mixed_absorption_cm2_g(mass_fractions(phases)) * mean_density_g_cm3(phases)
    return scattering.brindley((own - mean) * particle_um * 1e-4)


def _humps(
    mixture: Mixture, angles: Array, total: Array, sample: Sample, rng: np.random.Generator
) -> tuple[Array, float]:
    """Return what the amorphous part scatters at ``n`` angles, and its share of the whole.

    Atoms scatter as much in all whether they are in order or not, so that areas over a wide scan are as weights.
    """
    shape = background.amorphous(angles, background.draw_humps(rng))
    if not mixture.shares:
        return AMORPHOUS_AREA * shape, 1.0
    whole = float(np.trapezoid(total, angles))
    if mixture.amorphous:
        ratio = mixture.amorphous / (1.0 - mixture.amorphous)
    else:
        height = float(rng.uniform(*sample.hump_height)) * total.max()
        ratio = float(height / shape.max() / whole)
    return ratio * whole * shape, ratio / (1.0 + ratio)


def _strongest(values: Array, scan: Scan) -> float:
    strongest = float(values.max())
    if not strongest > 0.0:
        raise ValueError(f"no line of the mixture between {scan.start_deg:g} and {scan.stop_deg:g} degrees")
    return strongest


def _counted(
    expected: Array, crystalline: Array, instrument: Instrument, scan: Scan, rng: np.random.Generator
) -> NDArray[np.int64]:
    has_attenuator = rng.random() < instrument.background.attenuator_chance
    attenuation, gain = background.attenuated(crystalline, instrument.background.attenuator_error, rng)
    factors = {"attenuation": attenuation, "gain": gain} if has_attenuator else {}
    return counting.count(expected, instrument.counting, count_time_s=scan.count_time_s, rng=rng, **factors)
