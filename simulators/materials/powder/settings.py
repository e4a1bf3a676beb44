"""How a sample and a diffractometer may be: ranges from which each pattern draws, and switches of the physics.

Pairs are lowest and highest of a uniform draw. The defaults switch everything off that can be.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from simulators.materials.powder.aberrations import Geometry

Range = tuple[float, float]

ONE: Range = (1.0, 1.0)
NONE: Range = (0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a powder may be like."""

    lattice_strain: float = 0.0
    """Largest; of the cell against the structure's."""
    size_nm: Range = (100.0, 100.0)
    size_spread: Range = NONE
    aspect: Range = ONE
    """Of platelets (below 1) and needles; drawn on a logarithmic scale."""
    microstrain: Range = NONE
    strain_anisotropy: Range = NONE
    fault_chance: float = 0.0
    """That a phase whose layers can be faulted is."""
    fault_probability: Range = NONE
    gradient_chance: float = 0.0
    gradient_share: Range = NONE
    gradient_strain: Range = NONE
    texture: Range = ONE
    """March-Dollase r, drawn on a logarithmic scale."""
    grains: float = 0.0
    """In the beam, for each phase; 0 for a number without end."""
    b_angstrom2: Range = (0.6, 0.6)
    """Isotropic displacement parameters of sites."""
    particle_um: float = 0.0
    """Diameter of the particles that absorb (Brindley); 0 switches micro-absorption off."""
    hump_height: Range = NONE
    """Of the amorphous part, over the strongest peak; used where the mixture does not say how much is amorphous."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What is counted besides the sample's own peaks and humps."""

    level: Range = (0.01, 0.01)
    """Over the strongest peak, before fluorescence."""
    degree: int = 0
    """Of the polynomial."""
    ripple: float = 0.5
    """How far the polynomial may leave its mean, over the mean."""
    air: Range = NONE
    """Scattered by air at 10 degrees, over the level."""
    fluorescence: Range = ONE
    """Factor of the level for a sample of pure Mn, Fe or Co compounds under copper radiation."""
    drift: float = 0.0
    """Largest relative change of the tube over a scan."""
    attenuator_chance: float = 0.0
    attenuator_error: float = 0.0
    """Largest relative error of its factor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """What the detector makes of photons."""

    peak_counts: float = 1e5
    """Of the strongest peak above background."""
    dead_time_s: float = 0.0
    over_dispersion: float = 0.0
    """Relative variance beyond Poisson's, so that the variance of a mean m is ``m + over_dispersion * m^2``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A diffractometer and how well it is aligned."""

    geometry: Geometry = field(default_factory=Geometry)
    monochromator_deg: float = 0.0
    """Its 2 theta, 26.4 for graphite; 0 for none."""
    has_k_alpha_2: bool = True
    k_beta: Range = NONE
    """Over K-alpha."""
    tungsten: Range = NONE
    """L-alpha over K-alpha."""
    zero_deg: float = 0.0
    """Largest error of the zero."""
    displacement_deg: float = 0.0
    """Largest shift of a line at low angle by a specimen out of its place."""
    is_transparent: bool = False
    """Whether the beam's depth in the specimen smears lines."""
    background: Background = field(default_factory=Background)
    counting: Counting = field(default_factory=Counting)
