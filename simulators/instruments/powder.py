"""What the simulated diffractometer counts for a powder: any mixture of the shipped crystal structures, and amorphous.

The physics is that of `simulators.materials.powder`; here are a sample's options, and the strength of this device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.materials.powder import background
from simulators.materials.powder.aberrations import Geometry
from simulators.materials.powder.library import structures
from simulators.materials.powder.pattern import AMORPHOUS_AREA, crystalline
from simulators.materials.powder.scattering import fluorescence
from simulators.materials.powder.settings import Sample
from simulators.materials.powder.specimen import Optics, Phase, Share, draw_phase, mass_fractions

Array = NDArray[np.float64]

K_ALPHA_1 = 1.540598
K_ALPHA_2 = 1.544426
RATIO = 0.5
"""Of K-alpha 2 to K-alpha 1; with the wavelengths, what the device writes into its files."""

GEOMETRY = Geometry(radius_mm=145.0, divergence_deg=0.25, soller_rad=0.04, receiving_deg=0.04, gaussian_deg=0.02)
GAIN = 500.0
"""Counts per second and degree, for each unit of a line's strength."""
BACKGROUND_CPS = 80.0
BACKGROUND_CPS_DEG = 3000.0
FLUORESCENCE = 3.0
"""Factor of the background for compounds of Mn, Fe and Co."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Powder:
    """What truly lies in a sample holder."""

    weights: tuple[tuple[str, float], ...] = ()
    """Of crystalline phases, by name."""
    amorphous: float = 0.0
    """By weight."""
    crystallite_nm: float = 60.0
    texture: float = 1.0
    """March-Dollase r about an axis that chance chooses for each phase."""
    strain: float = 0.0
    """Largest strain of lattices against the library's."""

    def __post_init__(self) -> None:
        fractions = [self.amorphous, *(weight for _, weight in self.weights)]
        if not (min(fractions) >= 0.0 and abs(sum(fractions) - 1.0) < 1e-6):
            raise ValueError(f"weight fractions add up to {sum(fractions):g}, not to 1, or one is negative")
        if not (self.crystallite_nm > 0.0 and self.texture > 0.0 and 0.0 <= self.strain < 0.1):
            raise ValueError("crystallite_nm and texture must be positive, strain from 0 to below 0.1")


def powder_of(options: Mapping[str, Any]) -> Powder:
    """Return the powder that a sample's options describe: weights by phase, and properties by name.

    Raises:
        ValueError: A phase is not known, a value is no number, or the weights do not add up to 1.
    """
    values = {name: _number(name, value) for name, value in options.items()}
    own = {name: values.pop(name) for name in ("amorphous", "crystallite_nm", "texture", "strain") if name in values}
    unknown = sorted(set(values) - set(structures()))
    if unknown:
        raise ValueError(f"no structure is shipped of {', '.join(unknown)}")
    return Powder(weights=tuple((name, weight) for name, weight in values.items() if weight), **own)


def rate_cps(
    two_theta_deg: Array,
    powder: Powder,
    *,
    rng: np.random.Generator,
    zero_shift_deg: float = 0.0,
    displacement_mm: float = 0.0,
) -> Array:
    """Return the noiseless counts per second at ``n`` angles, with the tube at full strength.

    Args:
        two_theta_deg: ``n``.
        powder: The sample.
        rng: Of what its options leave open; the same for every scan of a sample.
        zero_shift_deg: Of the goniometer.
        displacement_mm: By how much the specimen lies too low.
    """
    return rate_of(
        two_theta_deg,
        _phases(powder, rng),
        powder.amorphous,
        rng=rng,
        zero_shift_deg=zero_shift_deg,
        displacement_mm=displacement_mm,
    )


def rate_of(
    two_theta_deg: Array,
    phases: tuple[Phase, ...],
    amorphous: float,
    *,
    rng: np.random.Generator,
    zero_shift_deg: float = 0.0,
    displacement_mm: float = 0.0,
) -> Array:
    """Return the noiseless counts per second at ``n`` angles for phases, and a share that is amorphous.

    Args:
        two_theta_deg: ``n``.
        phases: Drawn already.
        amorphous: By weight.
        rng: Of the amorphous part's humps.
        zero_shift_deg: Of the goniometer.
        displacement_mm: By how much the specimen lies too low.
    """
    humps = background.draw_humps(rng)
    optics = Optics(
        geometry=GEOMETRY,
        groups=(("K-alpha", 1.0), ("K-beta", 0.002)),
        zero_deg=zero_shift_deg,
        displacement_mm=displacement_mm,
        is_transparent=True,
    )
    glow = fluorescence(mass_fractions(phases), FLUORESCENCE) if phases else 1.0
    rate = glow * (BACKGROUND_CPS + BACKGROUND_CPS_DEG / (two_theta_deg - zero_shift_deg))
    rate += GAIN * amorphous * AMORPHOUS_AREA * background.amorphous(two_theta_deg, humps)
    for values in crystalline(phases, two_theta_deg, optics).values():
        rate += GAIN * (1.0 - amorphous) * values
    return rate


def _phases(powder: Powder, rng: np.random.Generator) -> tuple[Phase, ...]:
    sample = Sample(
        lattice_strain=powder.strain,
        size_nm=(powder.crystallite_nm, powder.crystallite_nm),
        size_spread=(0.1, 0.4),
        aspect=(0.8, 1.25),
        microstrain=(0.0, 0.0005),
        texture=(powder.texture, powder.texture),
        grains=1e6,
        b_angstrom2=(0.4, 0.9),
    )
    whole = 1.0 - powder.amorphous
    shares = [Share(structure=structures()[name], weight=weight / whole) for name, weight in powder.weights]
    return tuple(draw_phase(share, sample, rng) for share in shares)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is no number: {value!r}")
    return float(value)
