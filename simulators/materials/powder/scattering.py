"""How atoms scatter and absorb copper K-alpha.

Form factors are those of International Tables C (1992), dispersion is Cromer and Liberman's (J. Chem. Phys. 53 (1970)
1891, doi:10.1063/1.1674266), both by gemmi. Absorption follows from the imaginary part by the optical theorem, the
cross-section of an atom being ``2 r_e lambda f''``; the few per cent that scattering takes are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import gemmi
import numpy as np
from numpy.typing import NDArray

from simulators.materials.powder.structure import AVOGADRO

Array = NDArray[np.float64]

ENERGY_EV = 8047.8
"""Of copper K-alpha 1."""
WAVELENGTH_ANGSTROM = 1.5406
ELECTRON_RADIUS_CM = 2.8179403e-13

FLUORESCING = ("Mn", "Fe", "Co")
"""Elements with a K edge just below copper K-alpha: they answer with light of their own."""
FULLY_FLUORESCENT = 0.3
"""Mass fraction of these from which on fluorescence grows no more."""


@lru_cache(maxsize=128)
def dispersion(element: str) -> complex:
    """Return ``f' + i f''`` of an element, in electrons."""
    real, imaginary = gemmi.cromer_liberman(z=gemmi.Element(element).atomic_number, energy=ENERGY_EV)
    return complex(real, imaginary)


def form_factor(element: str, stol2: Array) -> Array:
    """Return f0 of the neutral atom at ``n`` values of (sin theta / lambda)^2, in electrons."""
    known = gemmi.Element(element).it92
    if known is None:
        raise ValueError(f"no form factor is known of {element!r}")
    return np.exp(-np.outer(stol2, known.b)) @ np.array(known.a) + known.c


@lru_cache(maxsize=128)
def absorption_cm2_g(element: str) -> float:
    """Return the mass absorption coefficient of an element."""
    cross_section_cm2 = 2.0 * ELECTRON_RADIUS_CM * WAVELENGTH_ANGSTROM * 1e-8 * dispersion(element).imag
    return cross_section_cm2 * AVOGADRO / gemmi.Element(element).weight


def mixed_absorption_cm2_g(mass_fractions: Mapping[str, float]) -> float:
    """Return the mass absorption coefficient of a mixture of elements."""
    return sum(share * absorption_cm2_g(element) for element, share in mass_fractions.items())


def brindley(contrast: float) -> float:
    """Return the share of its intensity that a spherical particle keeps in a mixture.

    Brindley, Phil. Mag. 36 (1945) 347, doi:10.1080/14786444508520918, for rays that pass straight through, which the
    scattering angle changes little.

    Args:
        contrast: ``(mu - mean mu) * diameter``, without unit.
    """
    nodes, weights = np.polynomial.legendre.leggauss(16)
    chord = (nodes + 1.0) / 2.0
    return float(np.sum(weights / 2.0 * 3.0 * chord**2 * np.exp(-contrast * chord)))


def fluorescence(mass_fractions: Mapping[str, float], factor: float) -> float:
    """Return the factor of a background by fluorescence, `factor` where the specimen is rich in such elements."""
    share = sum(mass_fractions.get(element, 0.0) for element in FLUORESCING)
    return 1.0 + (factor - 1.0) * min(1.0, share / FULLY_FLUORESCENT)
