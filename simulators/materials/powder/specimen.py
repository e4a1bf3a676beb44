"""Draws what one specimen truly is, and how the instrument truly stands, from what settings allow."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from simulators.materials.powder import texture
from simulators.materials.powder.aberrations import Geometry
from simulators.materials.powder.broadening import Crystallites, Faults
from simulators.materials.powder.emission import Group
from simulators.materials.powder.settings import Instrument, Range, Sample
from simulators.materials.powder.structure import Cell, Structure, strained

PACKING = 0.6
"""Share of a powder's volume that is solid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A phase of a mixture and its weight."""

    structure: Structure
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """What is mixed: crystalline phases by weight (of the crystalline part), and the share that is amorphous."""

    shares: tuple[Share, ...]
    amorphous: float = 0.0

    def __post_init__(self) -> None:
        weights = [share.weight for share in self.shares]
        if not (min(weights, default=1.0) > 0.0 and 0.0 <= self.amorphous <= 1.0):
            raise ValueError(f"weights must be positive, an amorphous share from 0 to 1: {weights}, {self.amorphous}")
        if not weights and self.amorphous < 1.0:
            raise ValueError("a mixture without phases is all amorphous")
        names = [share.structure.name for share in self.shares]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice} is there twice; a mixture names each phase once")
        if weights and abs(sum(weights) - 1.0) > 1e-6:
            raise ValueError(f"the weights of the crystalline phases add up to {sum(weights):g}, not to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One phase of a specimen."""

    structure: Structure
    weight: float
    cell: Cell
    crystallites: Crystallites
    texture_r: float
    b_angstrom2: tuple[float, ...]
    """By site."""
    grains: float
    grain_seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Optics:
    """How the instrument truly stands."""

    geometry: Geometry
    groups: tuple[tuple[Group, float], ...]
    """Lines of the tube, and their intensities over K-alpha's."""
    monochromator_deg: float = 0.0
    zero_deg: float = 0.0
    displacement_mm: float = 0.0
    is_transparent: bool = False


def draw_phase(share: Share, sample: Sample, rng: np.random.Generator) -> Phase:
    """Return a phase as settings allow it."""
    structure = share.structure
    return Phase(
        structure=structure,
        weight=share.weight,
        cell=strained(structure, sample.lattice_strain, rng),
        crystallites=_crystallites(structure, sample, rng),
        texture_r=_log_uniform(sample.texture, rng),
        b_angstrom2=tuple(float(rng.uniform(*sample.b_angstrom2)) for _ in structure.sites),
        grains=sample.grains,
        grain_seed=int(rng.integers(1 << 32)),
    )


def draw_optics(instrument: Instrument, rng: np.random.Generator) -> Optics:
    """Return an instrument as settings allow it."""
    beta, tungsten = float(rng.uniform(*instrument.k_beta)), float(rng.uniform(*instrument.tungsten))
    shift_deg = rng.uniform(-1.0, 1.0) * instrument.displacement_deg
    main: Group = "K-alpha" if instrument.has_k_alpha_2 else "K-alpha 1"
    lines: tuple[tuple[Group, float], ...] = ((main, 1.0), ("K-beta", beta), ("W L-alpha", tungsten))
    return Optics(
        geometry=instrument.geometry,
        groups=tuple((group, strength) for group, strength in lines if strength > 0.0),
        monochromator_deg=instrument.monochromator_deg,
        zero_deg=float(rng.uniform(-1.0, 1.0)) * instrument.zero_deg,
        displacement_mm=float(math.radians(shift_deg)) * instrument.geometry.radius_mm / 2.0,
        is_transparent=instrument.is_transparent,
    )


def _crystallites(structure: Structure, sample: Sample, rng: np.random.Generator) -> Crystallites:
    has_gradient = rng.random() < sample.gradient_chance
    is_faulted = rng.random() < sample.fault_chance
    probability = float(rng.uniform(*sample.fault_probability))
    return Crystallites(
        size_nm=_log_uniform(sample.size_nm, rng),
        spread=float(rng.uniform(*sample.size_spread)),
        axis=texture.LOW_INDEX[int(rng.integers(len(texture.LOW_INDEX)))],
        aspect=_log_uniform(sample.aspect, rng),
        microstrain=float(rng.uniform(*sample.microstrain)),
        strain_anisotropy=float(rng.uniform(*sample.strain_anisotropy)),
        gradient_share=float(rng.uniform(*sample.gradient_share)) if has_gradient else 0.0,
        gradient_strain=float(rng.choice([-1.0, 1.0]) * rng.uniform(*sample.gradient_strain)),
        faults=_faults(structure, probability) if is_faulted else None,
    )


def _faults(structure: Structure, probability: float) -> Faults | None:
    """Return how a structure's layers are faulted; None for one that has no layers of the kinds known here."""
    group = structure.symmetry.group
    match group.crystal_system_str(), group.hm[0]:
        case "cubic", "F":
            normal, displacement, layers = (1, 1, 1), (-1 / 6, -1 / 6, 1 / 3), 1
        case ("hexagonal", _) | ("trigonal", "P"):
            normal, displacement, layers = (0, 0, 1), (1 / 3, 2 / 3, 0.0), 2
        case "trigonal", _ if group.ext == "H":
            normal, displacement, layers = (0, 0, 1), (1 / 3, 2 / 3, 0.0), 3
        case "tetragonal", _:
            normal, displacement, layers = (0, 0, 1), (0.5, 0.0, 0.0), 2
        case _:
            return None
    return Faults(probability=probability, normal=normal, displacement=displacement, layers=layers)


def _log_uniform(limits: Range, rng: np.random.Generator) -> float:
    return float(math.exp(rng.uniform(math.log(limits[0]), math.log(limits[1]))))


def mass_fractions(phases: tuple[Phase, ...]) -> dict[str, float]:
    """Return the mass fractions of elements in a mixture of phases; its amorphous part is like the rest."""
    mixed: dict[str, float] = {}
    for phase in phases:
        for element, share in phase.structure.mass_fractions.items():
            mixed[element] = mixed.get(element, 0.0) + phase.weight * share
    return mixed


def mean_density_g_cm3(phases: tuple[Phase, ...]) -> float:
    """Return the density of the solid."""
    return 1.0 / sum(phase.weight / phase.structure.density_g_cm3 for phase in phases)
