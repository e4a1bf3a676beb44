"""Optical constants as functions of photon energy, batched in torch and differentiable.

Tauc-Lorentz: G. E. Jellison and F. A. Modine, Appl. Phys. Lett. 69, 371 (1996), doi:10.1063/1.118064, with the real
part corrected by the erratum, Appl. Phys. Lett. 69, 2137 (1996), doi:10.1063/1.118155. Real and imaginary part are a
Kramers-Kronig pair. Soda-lime glass: M. Rubin, Sol. Energy Mater. 12, 275 (1985), doi:10.1016/0165-1633(85)90052-8.
Sign convention: N = n + ik, eps = eps_1 + i eps_2, absorption has k > 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

HC_EV_NM = 1239.841984
"""Planck's constant times the speed of light, in eV nm."""

_TINY = 1e-30


def tauc_lorentz(energy_ev: Tensor, parameters: Tensor) -> Tensor:
    """Return what Tauc-Lorentz oscillators add to eps.

    Args:
        energy_ev: ``n`` photon energies above 0.
        parameters: ``... x 4``: amplitude, resonance, broadening, gap, all in eV; ``0 < gap``,
            ``broadening < sqrt(2) * resonance``.

    Returns:
        ``... x n`` complex.
    """
    a, e0, c, eg = (p.unsqueeze(-1) for p in parameters.unbind(-1))
    return torch.complex(_real(energy_ev, a, e0, c, eg), _imaginary(energy_ev, a, e0, c, eg))


def _imaginary(energy: Tensor, a: Tensor, e0: Tensor, c: Tensor, eg: Tensor) -> Tensor:
    above = torch.clamp(energy - eg, min=0.0)
    return a * e0 * c * above.square() / (((energy.square() - e0.square()).square() + (c * energy).square()) * energy)


def _real(energy: Tensor, a: Tensor, e0: Tensor, c: Tensor, eg: Tensor) -> Tensor:
    """Return the erratum's eps_1 without eps_inf; what depends on the oscillator only is computed once for it."""
    e2, e02, c2, eg2 = energy.square(), e0.square(), c.square(), eg.square()
    alpha = torch.sqrt(4.0 * e02 - c2)
    gamma2 = e02 - c2 / 2.0
    zeta4 = (e2 - gamma2).square() + alpha.square() * c2 / 4.0
    ratio = torch.log((e02 + eg2 + alpha * eg) / (e02 + eg2 - alpha * eg))
    turn = math.pi - torch.atan((2.0 * eg + alpha) / c) + torch.atan((alpha - 2.0 * eg) / c)
    cross = math.pi + 2.0 * torch.atan(2.0 * (gamma2 - eg2) / (alpha * c))
    a_ln = (eg2 - e02) * e2 + eg2 * c2 - e02 * (e02 + 3.0 * eg2)
    a_atan = (e2 - e02) * (e02 + eg2) + eg2 * c2
    total = c / (2.0 * alpha * e0) * ratio * a_ln - turn / e0 * a_atan
    total = total + 2.0 * e0 * eg / alpha * cross * (e2 - gamma2)
    total = total + e0 * c * _edge(energy, e02, c2, eg, eg2)
    return a * total / (math.pi * zeta4)


def _edge(energy: Tensor, e02: Tensor, c2: Tensor, eg: Tensor, eg2: Tensor) -> Tensor:
    """Return the two logarithms that cancel at the gap, gathered as u log u, which has a limit and a slope there."""
    below, above = (energy - eg).square(), (energy + eg).square()
    logs = 0.5 * (above * torch.log(above) - below * torch.log(below + _TINY)) / energy
    return logs - eg * torch.log((e02 - eg2).square() + eg2 * c2)


def permittivity(energy_ev: Tensor, eps_inf: Tensor, oscillators: Tensor) -> Tensor:
    """Return eps of ``b`` materials.

    Args:
        energy_ev: ``n``.
        eps_inf: ``b``.
        oscillators: ``b x m x 4``, see `tauc_lorentz`; an oscillator of amplitude 0 adds nothing.

    Returns:
        ``b x n`` complex.
    """
    return tauc_lorentz(energy_ev, oscillators).sum(-2) + eps_inf.unsqueeze(-1)


def index_of(eps: Tensor) -> Tensor:
    """Return N = n + ik of any shape, with n >= 0 and k >= 0 for passive materials."""
    return torch.sqrt(eps)


def energy_ev(wavelength_nm: Tensor) -> Tensor:
    """Return photon energies of vacuum wavelengths."""
    return HC_EV_NM / wavelength_nm


def cauchy_index(wavelength_nm: Tensor, a: float, b_um2: float = 0.0, c_um4: float = 0.0) -> Tensor:
    """Return n = a + b / lambda^2 + c / lambda^4 with lambda in micrometres, for transparent materials (k = 0)."""
    um2 = (wavelength_nm / 1000.0).square()
    return a + b_um2 / um2 + c_um4 / um2.square()


def soda_lime_index(wavelength_nm: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Return N of clear soda-lime float glass (Rubin 1985); its absorption, below 1e-6, is left out."""
    um2 = np.square(np.asarray(wavelength_nm, dtype=float) / 1000.0)
    return (1.5130 - 0.003169 * um2 + 0.003962 / um2).astype(complex)


@dataclass(frozen=True, slots=True, kw_only=True)
class Oscillator:
    """One Tauc-Lorentz oscillator; everything in eV."""

    amplitude: float
    resonance: float
    broadening: float
    gap: float

    def __post_init__(self) -> None:
        if not 0.0 < self.broadening < math.sqrt(2.0) * self.resonance or self.gap <= 0.0 or self.amplitude < 0.0:
            raise ValueError(
                "a Tauc-Lorentz oscillator needs amplitude >= 0, gap > 0 and 0 < broadening < sqrt(2) * resonance, not "
                f"amplitude {self.amplitude} eV, gap {self.gap} eV, resonance {self.resonance} eV, "
                f"broadening {self.broadening} eV"
            )

    def as_row(self) -> list[float]:
        """Return the four parameters in the order of `tauc_lorentz`."""
        return [self.amplitude, self.resonance, self.broadening, self.gap]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaucLorentz:
    """A material of Tauc-Lorentz oscillators."""

    eps_inf: float
    oscillators: Sequence[Oscillator]

    def index(self, wavelength_nm: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Return ``n`` complex indices."""
        energy = energy_ev(torch.tensor(np.asarray(wavelength_nm, dtype=float)))
        rows = torch.tensor([[o.as_row() for o in self.oscillators]], dtype=torch.float64).reshape(1, -1, 4)
        eps = permittivity(energy, torch.tensor([self.eps_inf], dtype=torch.float64), rows)
        return index_of(eps)[0].numpy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cauchy:
    """A transparent material: n = a + b / lambda^2 + c / lambda^4, lambda in micrometres."""

    a: float
    b_um2: float = 0.0
    c_um4: float = 0.0

    def index(self, wavelength_nm: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Return ``n`` complex indices, k = 0."""
        wavelength = torch.tensor(np.asarray(wavelength_nm, dtype=float))
        return cauchy_index(wavelength, self.a, self.b_um2, self.c_um4).numpy().astype(complex)


IndexFunction = Callable[[NDArray[np.float64]], NDArray[np.complex128]]
"""Wavelengths in nm to N = n + ik."""
