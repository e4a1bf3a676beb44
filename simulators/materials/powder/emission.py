"""What a copper tube emits: K-alpha with its natural shape, the K-beta that a filter leaves, tungsten on the anode.

Lorentzians of the copper lines from Hoelzer et al., Phys. Rev. A 56 (1997) 4554, doi:10.1103/PhysRevA.56.4554;
tungsten L-alpha from Deslattes et al., Rev. Mod. Phys. 75 (2003) 35, doi:10.1103/RevModPhys.75.35.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HC_EV_ANGSTROM = 12398.41984

Group = Literal["K-alpha", "K-alpha 1", "K-beta", "W L-alpha"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One Lorentzian of a group of lines."""

    energy_ev: float
    fwhm_ev: float
    share: float
    """Of the group's intensity."""


K_ALPHA_1 = (
    Line(energy_ev=8047.837, fwhm_ev=2.285, share=0.579),
    Line(energy_ev=8045.367, fwhm_ev=3.358, share=0.080),
)
K_ALPHA_2 = (
    Line(energy_ev=8027.993, fwhm_ev=2.666, share=0.236),
    Line(energy_ev=8026.504, fwhm_ev=3.571, share=0.105),
)
K_BETA = (
    Line(energy_ev=8905.532, fwhm_ev=3.52, share=0.485),
    Line(energy_ev=8903.109, fwhm_ev=3.52, share=0.248),
    Line(energy_ev=8908.462, fwhm_ev=3.55, share=0.110),
    Line(energy_ev=8897.387, fwhm_ev=8.08, share=0.100),
    Line(energy_ev=8911.393, fwhm_ev=5.31, share=0.055),
)
W_L_ALPHA = (
    Line(energy_ev=8398.24, fwhm_ev=7.0, share=0.9),
    Line(energy_ev=8335.34, fwhm_ev=7.0, share=0.1),
)
GROUPS: dict[Group, tuple[Line, ...]] = {
    "K-alpha": K_ALPHA_1 + K_ALPHA_2,
    "K-alpha 1": K_ALPHA_1,
    "K-beta": K_BETA,
    "W L-alpha": W_L_ALPHA,
}


def wavelength_angstrom(group: Group) -> float:
    """Return the wavelength of a group's strongest line, to which positions refer."""
    return HC_EV_ANGSTROM / GROUPS[group][0].energy_ev


def transform(group: Group, two_theta_deg: Array, omega_per_deg: Array) -> NDArray[np.complex128]:
    """Return the Fourier transform of a group's profile about its strongest line.

    Args:
        group: Which lines.
        two_theta_deg: ``m`` angles of the strongest line.
        omega_per_deg: ``k`` frequencies.
    """
    lines = GROUPS[group]
    total = np.zeros((len(two_theta_deg), len(omega_per_deg)), dtype=complex)
    shares = sum(line.share for line in lines)
    for line in lines:
        shift_deg, half_deg = _seen(line, lines[0], two_theta_deg)
        decay = half_deg[:, None] + 1j * shift_deg[:, None]
        total += line.share / shares * np.exp(-decay * omega_per_deg[None, :])
    return total


def _seen(line: Line, main: Line, two_theta_deg: Array) -> tuple[Array, Array]:
    """Return ``m`` shifts and half widths of a line; where it is out of reach, those at the last angle."""
    theta = np.radians(two_theta_deg) / 2.0
    sine = np.minimum(np.sin(theta) * main.energy_ev / line.energy_ev, math.sin(math.radians(89.0)))
    own = np.arcsin(sine)
    half = np.tan(own) * line.fwhm_ev / line.energy_ev
    return np.degrees(2.0 * (own - theta)), np.degrees(half)
