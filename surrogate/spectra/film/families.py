"""Families of film materials to simulate: random generic ones, and perovskite-like ones with their own habits.

Generic films: one to three Tauc-Lorentz oscillators with broad ranges, after S. I. P. Tian et al., Digital Discovery 2,
1334 (2023), doi:10.1039/d2dd00149g. Perovskite-like films: a sharp excitonic edge and interband transitions near
0.9, 1.8 and 3 eV above it, after the transitions of CH3NH3PbI3 at 1.58, 2.49, 3.36 and 4.63 eV (C. G. Bailey, G. M.
Piana and P. G. Lagoudakis, 2019, arXiv:1909.03907); amplitudes are set so that n is 1.75 to 2.8 below the edge. The
ranges are ours. No material of the second family lies in the first: it has four oscillators, and one of them is
narrower than 0.4 eV, the least broadening there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.spectra.film.dispersion import permittivity


@dataclass(frozen=True, slots=True, kw_only=True)
class Materials:
    """``b`` materials of ``m`` oscillators; unused oscillators have amplitude 0."""

    eps_inf: Tensor
    """``b``."""
    oscillators: Tensor
    """``b x m x 4``."""

    def permittivity(self, energy_ev: Tensor) -> Tensor:
        """Return ``b x n`` complex."""
        return permittivity(energy_ev, self.eps_inf, self.oscillators)

    def take(self, rows: Tensor) -> Materials:
        """Return the materials of some rows."""
        return Materials(eps_inf=self.eps_inf[rows], oscillators=self.oscillators[rows])


Family = Callable[[int, torch.Generator], Materials]
"""A number of materials and a generator, to that many materials (float64, on the CPU)."""


class _Dice:
    """Independent draws of ``shape`` from a generator."""

    def __init__(self, shape: tuple[int, ...], generator: torch.Generator) -> None:
        self.shape, self.generator = shape, generator

    def unit(self) -> Tensor:
        return torch.rand(self.shape, generator=self.generator, dtype=torch.float64)

    def uniform(self, low: float | Tensor, high: float | Tensor) -> Tensor:
        return low + (high - low) * self.unit()

    def log_uniform(self, low: float, high: float) -> Tensor:
        return low * torch.pow(torch.tensor(high / low, dtype=torch.float64), self.unit())


def generic(count: int, generator: torch.Generator) -> Materials:
    """Draw films of one to three broad oscillators, from transparent to strongly absorbing."""
    shared, each = _Dice((count,), generator), _Dice((count, 3), generator)
    gap = shared.uniform(0.8, 4.5).unsqueeze(-1) + each.uniform(0.0, 2.0) * torch.tensor([0.0, 1.0, 1.0])
    resonance = gap + each.log_uniform(0.3, 5.0)
    broadening = torch.minimum(each.log_uniform(0.4, 6.0), 0.9 * resonance)
    number = 1 + torch.floor(3.0 * shared.unit())
    used = torch.arange(3) < number.unsqueeze(-1)
    amplitude = each.log_uniform(10.0, 200.0) * used
    eps_inf = shared.uniform(1.0, 3.5)
    oscillators = torch.stack([amplitude, resonance, broadening, gap], dim=-1)
    return Materials(eps_inf=eps_inf, oscillators=_tempered(oscillators, number))


def _tempered(oscillators: Tensor, number: Tensor) -> Tensor:
    """Weaken the amplitudes of crowded materials so that the static eps stays below that of known semiconductors."""
    scaled = oscillators.clone()
    scaled[..., 0] = scaled[..., 0] / number.unsqueeze(-1)
    static = permittivity(torch.tensor([0.1], dtype=torch.float64), torch.zeros_like(number), scaled)[..., 0].real
    scaled[..., 0] = scaled[..., 0] * torch.clamp(14.0 / static, max=1.0).unsqueeze(-1)
    return scaled


def perovskite_like(count: int, generator: torch.Generator) -> Materials:
    """Draw films with a sharp edge between 1.3 and 2.4 eV and three interband transitions above it."""
    dice = _Dice((count,), generator)
    gap = dice.uniform(1.3, 2.4)
    edge = [dice.uniform(15.0, 80.0), gap + dice.uniform(0.04, 0.12), dice.uniform(0.08, 0.25), gap]
    middle_gap = gap + dice.uniform(0.0, 0.3)
    middle = [dice.uniform(10.0, 28.0), gap + dice.uniform(0.8, 1.1), dice.uniform(0.4, 1.0), middle_gap]
    upper_gap = gap + dice.uniform(0.5, 1.2)
    upper = [dice.uniform(15.0, 35.0), gap + dice.uniform(1.6, 2.0), dice.uniform(0.5, 1.0), upper_gap]
    high_gap = gap + dice.uniform(1.2, 2.0)
    high = [dice.uniform(40.0, 90.0), gap + dice.uniform(2.8, 3.4), dice.uniform(1.0, 2.0), high_gap]
    rows = torch.stack([torch.stack(row, dim=-1) for row in (edge, middle, upper, high)], dim=-2)
    return Materials(eps_inf=dice.uniform(1.3, 2.3), oscillators=rows)


FAMILIES: dict[str, Family] = {"generic": generic, "perovskite-like": perovskite_like}
"""By name, as training records it."""
