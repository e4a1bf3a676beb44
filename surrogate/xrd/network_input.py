"""Patterns as the network sees them: 2048 bins of ``log q``, background taken off, with the noise and what was seen.

On a scale of ``log q`` a cell that is larger by a part shifts all peaks alike, so that a convolution meets a strained
phase as it meets the library's; on one of 2 theta it would have to learn another shift at each angle. Bins are 0.1 deg
wide at 80 deg of copper radiation, where peaks are broad, and 0.01 deg at 10 deg. The range is one of spacings, so that
patterns of any range are taken: bins without points are marked.

The background is clipped on steps of 0.1 deg (SNIP: Ryan et al., Nucl. Instrum. Methods B 34, 396 (1988),
doi:10.1016/0168-583X(88)90063-8), in the same way in training and in use.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d

from surrogate.xrd.grid import Grid

N_BINS = 2048
N_CHANNELS = 3
LOW_PER_ANGSTROM, HIGH_PER_ANGSTROM = 0.1131, 0.8345
"""Of 1/d: from 10 to 80 degrees of copper K-alpha."""
MUST_SEE_PER_ANGSTROM = (0.3415, 0.4916)
"""From 30.5 to 44.5 degrees of copper K-alpha. Half of the patterns of training lack up to 15 degrees at an end; from
30 to 60, or 25 to 45 degrees a network still finds more than screening, and of less that is not known."""
CLIP_STEP_DEG = 0.1
CLIP_WINDOWS = (25, 20, 16, 13, 10, 8, 6, 5, 4, 3, 2, 1)
"""In clip steps: peaks up to 2.5 deg wide are taken off the background."""
SIGNIFICANCE_SCALE = 5.0
LEAST_SEEN = 0.3
"""Share of a bin that must have been measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bins:
    """Where bins begin and end on a grid: ``N_BINS + 1`` edges in steps from the grid's first edge."""

    log_q: Tensor
    clip: Tensor
    clip_at: Tensor
    """Of each bin's middle, in clip steps from the middle of the first."""


def network_input(grid: Grid, intensity: Tensor, variance: Tensor, wavelength_angstrom: float) -> Tensor:
    """Return ``b x 3 x N_BINS``: root of the peaks over the highest, significance, and whether a bin was seen.

    Args:
        grid: Of both.
        intensity: ``b x n``.
        variance: ``b x n``; infinite where nothing was measured.
        wavelength_angstrom: The strongest one.
    """
    bins = _bins(grid, wavelength_angstrom, intensity.device)
    seen = torch.isfinite(variance)
    like = intensity.to(torch.float64)
    value, share = _means(torch.where(seen, like, 0.0), seen, bins.log_q)
    # the variance of a mean over k points is the mean variance over k; less than one point cannot be averaged
    spread, _ = _means(torch.where(seen, variance, 0.0).to(torch.float64), seen, bins.log_q)
    width = (bins.log_q[1:] - bins.log_q[:-1]).clamp(min=1.0)
    coarse, coarse_share = _means(torch.where(seen, like, 0.0), seen, bins.clip)
    under = _at(_clipped(_filled(coarse, coarse_share > LEAST_SEEN)), bins.clip_at)
    is_seen = share > LEAST_SEEN
    peaks = torch.where(is_seen, value - under, 0.0)
    noise = torch.sqrt((spread / width).clamp(min=1e-300))
    highest = peaks.amax(1, keepdim=True).clamp(min=1e-300)
    root = torch.sqrt((peaks / highest).clamp(min=0.0))
    significance = torch.where(is_seen, torch.asinh(peaks / noise), 0.0) / SIGNIFICANCE_SCALE
    return torch.stack([root, significance, is_seen.to(root.dtype)], dim=1).to(torch.float32)


@lru_cache(maxsize=64)
def _bins(grid: Grid, wavelength_angstrom: float, device: torch.device) -> _Bins:
    log_q = torch.linspace(
        math.log(LOW_PER_ANGSTROM), math.log(HIGH_PER_ANGSTROM), N_BINS + 1, dtype=torch.float64, device=device
    )
    sine = (torch.exp(log_q) * wavelength_angstrom / 2.0).clamp(max=1.0)
    edges_deg = torch.rad2deg(2.0 * torch.asin(sine))
    low, high = float(edges_deg[0]), float(edges_deg[-1])
    n_clip = max(2, math.ceil((high - low) / CLIP_STEP_DEG))
    clip_deg = torch.linspace(low, high, n_clip + 1, dtype=torch.float64, device=device)
    middle = 0.5 * (edges_deg[1:] + edges_deg[:-1])
    return _Bins(
        log_q=_in_steps(edges_deg, grid),
        clip=_in_steps(clip_deg, grid),
        clip_at=((middle - low) / (clip_deg[1] - clip_deg[0]) - 0.5).clamp(0.0, n_clip - 1.0),
    )


def _in_steps(edges_deg: Tensor, grid: Grid) -> Tensor:
    """Return edges in steps of a grid whose points stand in the middle of their steps."""
    return (edges_deg - grid.start_deg) / grid.step_deg + 0.5


def _means(values: Tensor, seen: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
    """Return the means over bins (zero where nothing was seen), and which share of each bin was seen."""
    total = torch.diff(_integral(values, edges), dim=1)
    covered = torch.diff(_integral(seen.to(values.dtype), edges), dim=1)
    return torch.where(covered > 1e-9, total / covered.clamp(min=1e-9), 0.0), covered / torch.diff(edges)


def _integral(values: Tensor, edges: Tensor) -> Tensor:
    """Return the integral of ``b x n`` steps from the first to each edge, in steps."""
    sums = torch.nn.functional.pad(torch.cumsum(values, dim=1), (1, 0))
    return _at(sums, edges.clamp(0.0, values.shape[1]))


def _at(values: Tensor, place: Tensor) -> Tensor:
    """Interpolate ``b x n`` values linearly at places from 0 to n - 1."""
    low = place.to(torch.int64).clamp(max=values.shape[1] - 2)
    part = place - low
    return values[:, low] * (1.0 - part) + values[:, low + 1] * part


def _filled(values: Tensor, seen: Tensor) -> Tensor:
    """Put the nearest value before (or else after) in the place of each that was not seen."""
    n = values.shape[1]
    place = torch.arange(n, device=values.device).expand_as(values)
    before = torch.where(seen, place, -1).cummax(1).values
    after = torch.where(seen, place, n).flip(1).cummin(1).values.flip(1)
    nearest = torch.where(before >= 0, before, after).clamp(0, n - 1)
    return values.gather(1, nearest)


def _clipped(values: Tensor) -> Tensor:
    """Return the background of ``b x c`` values."""
    level = avg_pool1d(_padded(values, 1), 3, stride=1)
    for window in CLIP_WINDOWS:
        wide = _padded(level, window)
        level = torch.minimum(level, 0.5 * (wide[:, : -2 * window] + wide[:, 2 * window :]))
    return level


def _padded(values: Tensor, width: int) -> Tensor:
    return torch.nn.functional.pad(values[:, None], (width, width), mode="replicate")[:, 0]
