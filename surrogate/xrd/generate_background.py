"""What lies under the peaks of a generated pattern: a polynomial, air scatter, amorphous humps, drift of the tube."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from surrogate.xrd.grid import Grid

Range = tuple[float, float]

AIR_AT_DEG = 10.0
HUMP_AT_DEG = (16.0, 50.0)
HUMP_FWHM_DEG = (5.0, 14.0)
N_HUMPS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """Ranges, relative to the strongest peak."""

    level: Range = (0.01, 0.01)
    degree: int = 0
    """Of the polynomial."""
    ripple: float = 0.5
    """How far the polynomial may leave its mean, over the mean."""
    air: Range = (0.0, 0.5)
    """Over the level, at 10 degrees; falls with the angle. Used where the polynomial has a degree."""
    hump: Range = (0.0, 0.0)
    """Height of all humps."""
    drift: float = 0.0
    """Largest relative change of the tube's output, from the middle to an end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnBackground:
    """Of ``n`` patterns."""

    values: Tensor
    """``n x points``, over the strongest peak."""
    drift: Tensor
    """``n x points`` factors of everything."""


def drawn_background(background: Background, grid: Grid, n: int, uniform: Callable[..., Tensor]) -> DrawnBackground:
    """Draw backgrounds with ``uniform(low, high, *shape)``."""
    level = uniform(*background.level, n, 1)
    coefficients = uniform(-1.0, 1.0, n, background.degree + 1)
    coefficients[:, 0] = 0.0
    size = coefficients.abs().sum(1, keepdim=True).clamp(min=1e-12)
    ripple = uniform(0.0, background.ripple, n, 1)
    air = uniform(*background.air, n, 1) if background.degree else torch.zeros_like(level)
    polynomial, falling, x = _columns(grid, background.degree, level.device)
    values = level * (1.0 + (ripple * coefficients / size) @ polynomial + air * falling)
    tilt = 1.0 + background.drift * uniform(-1.0, 1.0, n, 1) * x
    return DrawnBackground(
        values=(values + _humps(background, grid, n, uniform)).to(torch.float32), drift=tilt.to(torch.float32)
    )


def _columns(grid: Grid, degree: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return ``degree + 1 x n`` polynomials, ``n`` values of air scatter, and the ``n`` places from -1 to 1."""
    x = np.linspace(-1.0, 1.0, grid.n)
    polynomial = torch.tensor(np.polynomial.chebyshev.chebvander(x, degree).T, device=device)
    falling = AIR_AT_DEG / grid.two_theta_deg.clamp(min=1.0).to(device)
    return polynomial, falling, torch.tensor(x, device=device)


def _humps(background: Background, grid: Grid, n: int, uniform: Callable[..., Tensor]) -> Tensor:
    if background.hump[1] <= 0.0:
        return torch.zeros(1, dtype=torch.float64, device=uniform(0.0, 1.0, 1).device)
    height = uniform(*background.hump, n, 1) * uniform(0.2, 1.0, n, N_HUMPS) / N_HUMPS
    centre = uniform(*HUMP_AT_DEG, n, N_HUMPS)
    fwhm = uniform(*HUMP_FWHM_DEG, n, N_HUMPS)
    angle = grid.two_theta_deg.to(height.device)[None, None, :].to(torch.float32)
    away = (angle - centre[..., None].to(torch.float32)) / fwhm[..., None].to(torch.float32)
    shape = torch.exp((-4.0 * math.log(2.0) * away**2).clamp(min=-40.0))
    return (height[..., None].to(torch.float32) * shape).sum(1)
