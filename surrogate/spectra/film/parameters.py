"""Free parameters of a film and what is believed of them beforehand.

A film has 14: thickness, eps_inf, and amplitude, resonance, broadening and gap of three Tauc-Lorentz oscillators. Each
is mapped from its admissible interval to the real line (a logit, of the logarithm where the interval spans decades), so
that steps need no bounds; beliefs are Gaussian there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

OSCILLATORS = 3
FILM, EPS_INF, FIRST = 0, 1, 2
"""Places of thickness, of eps_inf and of the first oscillator."""
COUNT = FIRST + 4 * OSCILLATORS


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where a parameter may lie."""

    low: float
    high: float
    is_logarithmic: bool = False

    def value(self, u: Tensor) -> Tensor:
        """Return the parameter at a place on the real line."""
        low, high = self._ends()
        inner = low + (high - low) * torch.sigmoid(u)
        return torch.exp(inner) if self.is_logarithmic else inner

    def place(self, value: Tensor) -> Tensor:
        """Return the place of a parameter, which is moved inside the interval if it lies at or beyond an end."""
        low, high = self._ends()
        inner = torch.log(torch.clamp(value, min=1e-12)) if self.is_logarithmic else value
        return torch.logit(torch.clamp((inner - low) / (high - low), 1e-3, 1.0 - 1e-3))

    def _ends(self) -> tuple[Tensor, Tensor]:
        ends = torch.tensor([self.low, self.high], dtype=torch.float64)
        low, high = torch.log(ends) if self.is_logarithmic else ends
        return low, high


THICKNESS_NM = Interval(low=2.0, high=4000.0, is_logarithmic=True)
EPS = Interval(low=1.0, high=5.0)
AMPLITUDE_EV = Interval(low=0.05, high=500.0, is_logarithmic=True)
RESONANCE_EV = Interval(low=0.8, high=12.0, is_logarithmic=True)
BROADENING_RATIO = Interval(low=0.01, high=1.3, is_logarithmic=True)
"""Broadening over resonance."""
GAP_RATIO = Interval(low=0.05, high=0.995)
"""Gap over resonance."""


def values(u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Take ``b x 14`` places to thickness in nm (``b``), eps_inf (``b``) and oscillators (``b x 3 x 4``)."""
    each = u[..., FIRST:].reshape(*u.shape[:-1], OSCILLATORS, 4)
    return THICKNESS_NM.value(u[..., FILM]), EPS.value(u[..., EPS_INF]), oscillators(each)


def oscillators(each: Tensor) -> Tensor:
    """Take ``... x 4`` places to amplitude, resonance, broadening and gap in eV."""
    resonance = RESONANCE_EV.value(each[..., 1])
    broadening = BROADENING_RATIO.value(each[..., 2]) * resonance
    gap = GAP_RATIO.value(each[..., 3]) * resonance
    return torch.stack([AMPLITUDE_EV.value(each[..., 0]), resonance, broadening, gap], dim=-1)


def places(thickness_nm: Tensor, eps_inf: Tensor, rows: Tensor) -> Tensor:
    """Return ``b x 14`` places of ``b`` films with ``b x 3 x 4`` oscillators; inverse of `values`."""
    amplitude, resonance, broadening, gap = rows.unbind(-1)
    each = torch.stack(
        [
            AMPLITUDE_EV.place(amplitude),
            RESONANCE_EV.place(resonance),
            BROADENING_RATIO.place(broadening / resonance),
            GAP_RATIO.place(gap / resonance),
        ],
        dim=-1,
    )
    head = torch.stack([THICKNESS_NM.place(thickness_nm), EPS.place(eps_inf)], dim=-1)
    return torch.cat([head, each.reshape(*each.shape[:-2], -1)], dim=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """A Gaussian over the 14 places."""

    mean: Tensor
    """``14``."""
    precision: Tensor
    """``14 x 14``."""

    def draws(self, count: int, generator: torch.Generator) -> Tensor:
        """Return ``count x 14`` places."""
        lower = torch.linalg.cholesky(torch.linalg.inv(self.precision))
        return self.mean + torch.randn(count, COUNT, generator=generator, dtype=torch.float64) @ lower.T


def broad_belief() -> Belief:
    """Return what holds of any film: hardly anything.

    The three oscillators are expected near 2.5, 4 and 7 eV, with standard deviations of half the logarithmic range: the
    order keeps equivalent solutions from being counted six times.
    """
    centre = torch.tensor([[10.0, 2.5, 0.8, 1.7], [20.0, 4.0, 1.5, 2.8], [40.0, 7.0, 3.0, 4.0]], dtype=torch.float64)
    one = torch.ones(1, dtype=torch.float64)
    mean = places(150.0 * one, 1.8 * one, centre[None])[0]
    spread = torch.tensor([4.0, 1.2] + [1.0, 0.9, 1.3, 1.5] * OSCILLATORS, dtype=torch.float64)
    return Belief(mean=mean, precision=torch.diag(spread.pow(-2)))
