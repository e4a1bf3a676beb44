"""Optics of one thin film on silicon, seen at normal incidence from air, 350 to 900 nm.

Dielectric functions: Tauc-Lorentz oscillator with the real part in closed form (G. E. Jellison and F. A. Modine, Appl.
Phys. Lett. 69, 371 (1996), doi 10.1063/1.118064, corrected by the erratum, Appl. Phys. Lett. 69, 2137 (1996), doi
10.1063/1.118155). The layer is Airy's closed form of the transfer matrix of a single film. Sign convention: N = n + ik.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.interpolate import CubicSpline

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

N_PIXELS = 1200
WAVELENGTH_NM: Array = np.linspace(350.0, 900.0, N_PIXELS)
"""``1200`` pixel wavelengths."""
WAVELENGTH_NM.flags.writeable = False

HC_EV_NM = 1239.841984
"""Planck's constant times the speed of light, in eV nm."""

REFINEMENT = 4
"""Pixels between two knots: R is computed at the knots and interpolated by cubics, with an error below 1e-4 for a film
of 260 nm and 3e-4 for 400 nm; a detector's noise is more than ten times larger."""

_STEP_NM = WAVELENGTH_NM[1] - WAVELENGTH_NM[0]
KNOT_NM: Array = WAVELENGTH_NM[0] + REFINEMENT * _STEP_NM * np.arange(-1, N_PIXELS // REFINEMENT + 2)
"""``302 + 1`` wavelengths at which reflectance is computed: every fourth pixel, and one or two beyond each end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaucLorentz:
    """One Tauc-Lorentz oscillator; energies in eV."""

    amplitude: float
    resonance: float
    broadening: float
    gap: float
    eps_inf: float

    def __post_init__(self) -> None:
        if not 0.0 < self.broadening < math.sqrt(2.0) * self.resonance or not 0.0 < self.gap < self.resonance:
            raise ValueError(
                f"a Tauc-Lorentz oscillator needs 0 < gap < resonance and 0 < broadening < sqrt(2) * resonance, "
                f"not gap {self.gap} eV, resonance {self.resonance} eV, broadening {self.broadening} eV"
            )

    def permittivity(self, energy_ev: Array) -> Complex:
        """Return eps_1 + i eps_2 at photon energies (any shape), in eV."""
        return self._real(energy_ev) + 1j * self._imaginary(energy_ev)

    def _imaginary(self, energy: Array) -> Array:
        lorentz = (energy**2 - self.resonance**2) ** 2 + (self.broadening * energy) ** 2
        above = np.maximum(energy - self.gap, 0.0)
        return self.amplitude * self.resonance * self.broadening * above**2 / (lorentz * energy)

    def _real(self, energy: Array) -> Array:
        a, e0, c, eg = self.amplitude, self.resonance, self.broadening, self.gap
        alpha = math.sqrt(4.0 * e0**2 - c**2)
        gamma2 = e0**2 - c**2 / 2.0
        zeta4 = (energy**2 - gamma2) ** 2 + alpha**2 * c**2 / 4.0
        a_ln = (eg**2 - e0**2) * energy**2 + eg**2 * c**2 - e0**2 * (e0**2 + 3.0 * eg**2)
        a_atan = (energy**2 - e0**2) * (e0**2 + eg**2) + eg**2 * c**2
        plus, minus = math.atan((2.0 * eg + alpha) / c), math.atan((alpha - 2.0 * eg) / c)
        log_ratio = math.log((e0**2 + eg**2 + alpha * eg) / (e0**2 + eg**2 - alpha * eg))
        resonant = a * c * a_ln / (2.0 * alpha * e0) * log_ratio - a * a_atan / e0 * (math.pi - plus + minus)
        crossing = 2.0 * a * e0 * eg * (energy**2 - gamma2) / alpha
        crossing = crossing * (math.pi + 2.0 * math.atan(2.0 * (gamma2 - eg**2) / (alpha * c)))
        return self.eps_inf + (resonant + crossing + a * e0 * c * self._edge(energy)) / (math.pi * zeta4)

    def _edge(self, energy: Array) -> Array:
        """Return the last two logarithms of the published formula, regrouped so that E = Eg is no singularity."""
        from scipy.special import xlogy  # slow to import, and `labpilot check` needs none of it

        e0, c, eg = self.resonance, self.broadening, self.gap
        above, below = energy + eg, np.abs(energy - eg)
        constant = eg * math.log((e0**2 - eg**2) ** 2 + (eg * c) ** 2)
        return (xlogy(above**2, above) - xlogy(below**2, below)) / energy - constant

    def index(self, wavelength_nm: Array) -> Complex:
        """Return N = n + ik at wavelengths in nm."""
        return np.sqrt(self.permittivity(HC_EV_NM / wavelength_nm))


@cache
def _silicon_splines() -> tuple[CubicSpline, CubicSpline]:
    from scipy.interpolate import CubicSpline  # a third of a second to import

    text = (resources.files("simulators.materials") / "silicon.json").read_text(encoding="utf-8")
    wavelength, n, k = np.array(json.loads(text)["rows"]).T
    return CubicSpline(wavelength, n), CubicSpline(wavelength, k)


def silicon_index(wavelength_nm: Array) -> Complex:
    """Return N = n + ik of silicon at 300 K (M. A. Green 2008, doi 10.1016/j.solmat.2008.06.009), 330 to 910 nm."""
    n, k = _silicon_splines()
    return n(wavelength_nm) + 1j * k(wavelength_nm)


def bare_reflectance(index: Complex) -> Array:
    """Return Fresnel's reflectance of a half space in air at normal incidence."""
    return np.square(np.abs((1.0 - index) / (1.0 + index)))


def layer_reflectance(film: Complex, substrate: Complex, thickness_nm: Array | float, wavelength_nm: Array) -> Array:
    """Return the reflectance of one coherent layer on a substrate in air, at normal incidence.

    Args:
        film: ``m x n`` complex indices.
        substrate: ``n`` complex indices.
        thickness_nm: scalar, or ``m x 1``.
        wavelength_nm: ``n``.

    Returns:
        ``m x n``, between 0 and 1.
    """
    phase = film * (thickness_nm * (4.0 * math.pi / wavelength_nm))
    # exp(i z) written out: numpy's complex exponential is several times slower than these three
    turn = np.empty_like(phase)
    np.cos(phase.real, out=turn.real)
    np.sin(phase.real, out=turn.imag)
    turn *= np.exp(-phase.imag)
    inner = (film - substrate) * turn
    outer = film + substrate
    entering, leaving = 1.0 - film, 1.0 + film
    above = entering * outer + leaving * inner
    below = leaving * outer + entering * inner
    return (above.real**2 + above.imag**2) / (below.real**2 + below.imag**2)


def _cubic_weights() -> Array:
    """Return ``4 x 4`` Lagrange weights: row, the knot (-1, 0, 1, 2); column, the pixel between knots 0 and 1."""
    t = np.arange(REFINEMENT) / REFINEMENT
    return np.array(
        [
            -t * (t - 1) * (t - 2) / 6,
            (t + 1) * (t - 1) * (t - 2) / 2,
            -(t + 1) * t * (t - 2) / 2,
            (t + 1) * t * (t - 1) / 6,
        ]
    )


_WEIGHTS = _cubic_weights()


def knots_to_pixels(values: Array) -> Array:
    """Interpolate ``m x 303`` values at the knots to ``m x 1200`` pixels."""
    windows = np.lib.stride_tricks.sliding_window_view(values, 4, axis=1)[:, : N_PIXELS // REFINEMENT]
    return (windows @ _WEIGHTS).reshape(len(values), N_PIXELS)
