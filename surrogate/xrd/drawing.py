"""Peaks put on a grid of angles: pseudo-Voigt profiles and what derivatives need, each within a window of its own.

All of it are operations of torch, which run on a GPU too and which autograd passes through. On a CPU, where nothing is
to be differentiated, `surrogate.xrd.drawing_compiled` draws the same in compiled loops, ten times faster there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.xrd.drawing_compiled import (
    HALF_WINDOWS,
    NARROWEST_DEG,
    STRONG_WIDTHS,
    WINDOW_WIDTHS,
    shape_of,
)
from surrogate.xrd.grid import Grid

DRAWN = torch.float32
"""Torch draws shapes of peaks in single precision, from distances computed in double; all sums of a fit are double."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """``k`` drawn peaks: each line of the radiation of each reflection of each entry."""

    entry: Tensor
    centre: Tensor
    gauss: Tensor
    lorentz: Tensor
    columns: Tensor
    """``k x 4 x c``: how much of profile, and of its derivatives by position, Lorentz width and Gauss width, goes into
    each column."""
    relative: Tensor
    """Height of the peak relative to the phase's strongest, about."""


def drawn(peaks: Peaks, grid: Grid, n_entries: int) -> Tensor:
    """Return ``e x c x n``: the sums of all peaks' columns of each entry."""
    width, mixing, by_width = pseudo_voigt_shape(peaks.gauss, peaks.lorentz)
    halves = half_windows(peaks.relative, width.detach(), grid)
    nearest = torch.round((peaks.centre.detach() - grid.start_deg) / grid.step_deg)
    off_step = nearest * grid.step_deg + grid.start_deg - peaks.centre
    shapes = torch.stack([off_step, width, mixing, *by_width]).to(DRAWN)
    columns = peaks.columns.to(DRAWN)
    n_columns = columns.shape[2]
    total = torch.zeros(n_entries, grid.n, n_columns, dtype=DRAWN, device=columns.device)
    low = 0.0
    for half in HALF_WINDOWS:
        is_last = half == HALF_WINDOWS[-1]
        chosen = (halves > low) & ((halves <= half) | is_last) & (nearest >= -half) & (nearest < grid.n + half)
        low = float(half)
        picked = chosen.nonzero()[:, 0]
        if not len(picked):
            continue
        # a margin on both sides takes what falls outside of the grid
        padded = grid.n + 4 * half
        first = peaks.entry[picked] * padded + nearest[picked].to(torch.int64) + half
        points = _windows(shapes[:, picked], columns[picked], half, grid.step_deg)
        index = (first[:, None] + torch.arange(2 * half + 1, device=first.device)).reshape(-1)
        margin = torch.zeros(n_entries * padded, n_columns, dtype=DRAWN, device=columns.device)
        margin = margin.index_add(0, index, points.reshape(-1, n_columns))
        total = total + margin.reshape(n_entries, padded, -1)[:, 2 * half : 2 * half + grid.n]
    return total.to(peaks.columns.dtype).transpose(1, 2)


def half_windows(relative: Tensor, width: Tensor, grid: Grid) -> Tensor:
    """Return how many steps to each side peaks are drawn at least, from relative heights and widths in degrees."""
    return (WINDOW_WIDTHS + STRONG_WIDTHS * torch.sqrt(relative.clamp(0.0, 1.0))) * width / grid.step_deg


def _windows(shapes: Tensor, columns: Tensor, half: int, step_deg: float) -> Tensor:
    """Return ``k x (2 half + 1) x c``: peaks with all their columns, within ``half`` steps of the nearest one."""
    off_step, f, eta, f_lorentz, f_gauss, eta_lorentz, eta_gauss = shapes[:, :, None]
    away = off_step + step_deg * torch.arange(-half, half + 1, dtype=shapes.dtype, device=shapes.device)
    scaled = (2.0 * away / f) ** 2
    lorentz = (2.0 / math.pi) / f / (1.0 + scaled)
    gauss = (2.0 * math.sqrt(math.log(2.0) / math.pi)) / f * torch.special.exp2(-scaled.clamp(max=60.0))
    profile = eta * lorentz + (1.0 - eta) * gauss
    if columns.shape[2] == 1:
        return profile[:, :, None] * columns[:, None, 0]
    steep = eta * lorentz / (1.0 + scaled) + (1.0 - eta) * math.log(2.0) * gauss
    by_f = (2.0 * scaled * steep - profile) / f
    by_eta = lorentz - gauss
    kinds = [
        profile,
        (8.0 * away / f**2) * steep,
        by_f * f_lorentz + by_eta * eta_lorentz,
        by_f * f_gauss + by_eta * eta_gauss,
    ]
    return torch.bmm(torch.stack(kinds, dim=2), columns)


def pseudo_voigt_shape(gauss: Tensor, lorentz: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Return full width, Lorentz share, and the derivatives of both by the Lorentz and Gauss widths."""
    f, eta, *slopes = shape_of(gauss.clamp(min=NARROWEST_DEG), lorentz.clamp(min=1e-6))
    return f, eta, (slopes[0], slopes[1], slopes[2], slopes[3])
