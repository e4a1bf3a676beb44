"""Powder patterns of titania: what a Bragg-Brentano diffractometer with a copper tube counts.

Lines of anatase and rutile from their structures (Howard, Sabine and Dickson, Acta Cryst. B 47 (1991) 462,
doi:10.1107/S010876819100335X), each with multiplicity times ``|F|^2`` in electrons squared, computed once without
thermal motion. On top: the Lorentz and polarisation factor, pseudo-Voigt profiles that broaden for small crystallites
(Scherrer), both K-alpha lines, a hump of the amorphous part, and a background that falls with the angle. All phases are
titania and absorb alike, so that intensities are proportional to weight fractions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

K_ALPHA_1 = 1.540598
K_ALPHA_2 = 1.544426
RATIO = 0.5
"""Of K-alpha 2 to K-alpha 1."""

FWHM_DEG = 0.08
"""Of the instrument."""
SCHERRER = 0.9
LORENTZIAN = 0.6
"""Share of the Lorentzian in a profile."""

GAIN = 500.0
"""Counts per second and degree, for each unit of a line's strength."""
HUMP = 20.0
"""Strength of pure amorphous titania's hump."""
HUMP_AT_DEG = 25.0
HUMP_SIGMA_DEG = 5.0
BACKGROUND_CPS = 80.0
BACKGROUND_CPS_DEG = 3000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A tetragonal phase."""

    a_angstrom: float
    c_angstrom: float
    density_g_cm3: float
    lines: tuple[tuple[int, int, int, float], ...]
    """h, k, l, and multiplicity times ``|F|^2``."""

    @property
    def volume_angstrom3(self) -> float:
        """Volume of the cell."""
        return self.a_angstrom**2 * self.c_angstrom

    def spacing_angstrom(self, h: int, k: int, l: int) -> float:  # noqa: E741
        """Return the distance of lattice planes."""
        return 1.0 / math.sqrt((h * h + k * k) / self.a_angstrom**2 + l * l / self.c_angstrom**2)


ANATASE = Phase(
    a_angstrom=3.7848,
    c_angstrom=9.5124,
    density_g_cm3=3.893,
    lines=(
        (1, 0, 1, 29173.2),
        (1, 0, 3, 4106.6),
        (0, 0, 4, 14272.0),
        (1, 1, 2, 5055.4),
        (2, 0, 0, 34795.2),
        (1, 0, 5, 29307.3),
        (2, 1, 1, 29984.6),
        (2, 1, 3, 6531.4),
        (2, 0, 4, 32232.0),
        (1, 1, 6, 17519.8),
        (2, 2, 0, 20689.3),
        (2, 1, 5, 36680.3),
        (3, 0, 1, 10020.7),
        (2, 2, 4, 22037.4),
        (3, 1, 2, 7939.3),
        (3, 0, 5, 13078.3),
        (3, 2, 1, 14731.1),
        (1, 0, 9, 10126.4),
        (3, 1, 6, 19763.6),
        (4, 0, 0, 10977.3),
    ),
)
RUTILE = Phase(
    a_angstrom=4.5937,
    c_angstrom=2.9587,
    density_g_cm3=4.248,
    lines=(
        (1, 1, 0, 5762.2),
        (1, 0, 1, 4787.3),
        (2, 0, 0, 841.9),
        (1, 1, 1, 2668.8),
        (2, 1, 0, 1103.7),
        (2, 1, 1, 15232.4),
        (2, 2, 0, 5040.5),
        (0, 0, 2, 3047.7),
        (3, 1, 0, 3248.9),
        (3, 0, 1, 9562.2),
        (1, 1, 2, 4825.6),
        (3, 1, 1, 595.1),
        (2, 0, 2, 1265.8),
        (3, 2, 1, 2884.6),
        (2, 2, 2, 5345.0),
        (3, 3, 0, 2921.5),
        (4, 1, 1, 5331.3),
        (3, 1, 2, 4090.1),
        (4, 2, 0, 2367.1),
    ),
)
PHASES: Mapping[str, Phase] = {"anatase": ANATASE, "rutile": RUTILE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Powder:
    """What truly lies in a sample holder, by weight."""

    anatase: float = 0.0
    rutile: float = 0.0
    amorphous: float = 0.0
    crystallite_nm: float = 60.0


def rate_cps(two_theta_deg: NDArray[np.float64], powder: Powder, *, zero_shift_deg: float = 0.0) -> NDArray[np.float64]:
    """Return the noiseless counts per second at ``n`` angles, with the tube at full strength."""
    true_deg = two_theta_deg - zero_shift_deg
    rate = BACKGROUND_CPS + BACKGROUND_CPS_DEG / true_deg
    rate += GAIN * powder.amorphous * HUMP * _gauss(true_deg - HUMP_AT_DEG, HUMP_SIGMA_DEG)
    for name, phase in PHASES.items():
        fraction = getattr(powder, name)
        if fraction:
            rate += GAIN * fraction * _lines(true_deg, phase, powder.crystallite_nm)
    return rate


def angle_deg(phase: Phase, h: int, k: int, l: int, wavelength_angstrom: float = K_ALPHA_1) -> float | None:  # noqa: E741
    """Return where a line lies (2 theta); None where it is out of reach of the wavelength."""
    sine = wavelength_angstrom / (2.0 * phase.spacing_angstrom(h, k, l))
    return None if sine >= 1.0 else 2.0 * math.degrees(math.asin(sine))


def lorentz_polarisation(two_theta_deg: float) -> float:
    """Return the factor of a powder line without monochromator."""
    theta = math.radians(two_theta_deg / 2.0)
    return (1.0 + math.cos(2.0 * theta) ** 2) / (math.sin(theta) ** 2 * math.cos(theta))


def _lines(two_theta_deg: NDArray[np.float64], phase: Phase, crystallite_nm: float) -> NDArray[np.float64]:
    total = np.zeros_like(two_theta_deg)
    strength = 1.0 / (phase.density_g_cm3 * phase.volume_angstrom3**2)
    for h, k, l, weight in phase.lines:  # noqa: E741
        for wavelength, share in ((K_ALPHA_1, 1.0 / (1.0 + RATIO)), (K_ALPHA_2, RATIO / (1.0 + RATIO))):
            at_deg = angle_deg(phase, h, k, l, wavelength)
            if at_deg is not None:
                area = share * strength * weight * lorentz_polarisation(at_deg)
                total += area * _pseudo_voigt(two_theta_deg - at_deg, _fwhm_deg(at_deg, crystallite_nm))
    return total


def _fwhm_deg(two_theta_deg: float, crystallite_nm: float) -> float:
    theta = math.radians(two_theta_deg / 2.0)
    return FWHM_DEG + math.degrees(SCHERRER * 0.1 * K_ALPHA_1 / (crystallite_nm * math.cos(theta)))


def _pseudo_voigt(offset_deg: NDArray[np.float64], fwhm_deg: float) -> NDArray[np.float64]:
    half = fwhm_deg / 2.0
    lorentz = half / (math.pi * (offset_deg**2 + half**2))
    return LORENTZIAN * lorentz + (1.0 - LORENTZIAN) * _gauss(offset_deg, fwhm_deg / 2.354820045)


def _gauss(offset_deg: NDArray[np.float64], sigma_deg: float) -> NDArray[np.float64]:
    return np.exp(-0.5 * (offset_deg / sigma_deg) ** 2) / (sigma_deg * math.sqrt(2.0 * math.pi))
