"""Draw patterns without derivatives, many at once: the sum over phases, not each phase.

Peaks are those of `surrogate.xrd.model`, their shapes those of `surrogate.xrd.drawing`; only the way they are put on
the grid differs. The grid is cut into blocks of equal length and each peak is drawn over the blocks that it reaches, so
that all of a batch is a few operations on rows of the same length, in pieces that stay in a core's cache.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from surrogate.xrd.atlas import Atlas
from surrogate.xrd.drawing import half_windows, pseudo_voigt_shape
from surrogate.xrd.grid import Grid
from surrogate.xrd.model import Parameters, peaks_of

BLOCK = 32
CHUNK = 2048
"""Rows of blocks at once: 256 kB of single precision."""
CHUNK_GPU = 1 << 20
_FARTHEST = 60.0
"""Powers of two below this one's inverse are drawn as it is: denormal numbers are slow."""


def drawn(atlas: Atlas, grid: Grid, parameters: Parameters, scale: Tensor) -> Tensor:
    """Return ``r x n`` sums of the profiles of each row's entries, times their ``e`` scales, in single precision."""
    peaks = peaks_of(atlas, parameters, 0, 0, with_derivatives=False)
    width, mixing, _ = pseudo_voigt_shape(peaks.gauss, peaks.lorentz)
    area = peaks.columns[:, 0, 0] * scale[peaks.entry]
    half = half_windows(peaks.relative, width, grid)
    at = (peaks.centre - grid.start_deg) / grid.step_deg
    lorentz = area * mixing * (2.0 / math.pi) / width
    gauss = area * (1.0 - mixing) * (2.0 * math.sqrt(math.log(2.0) / math.pi)) / width
    table = torch.stack([at, 2.0 * grid.step_deg / width, lorentz, gauss], dim=1).to(torch.float32)
    n_blocks = -(-grid.n // BLOCK)
    first = torch.floor((at - half) / BLOCK).clamp(0, n_blocks).to(torch.int64)
    last = torch.floor((at + half) / BLOCK).clamp(-1, n_blocks - 1).to(torch.int64)
    row = parameters.row[peaks.entry]
    total = _blocks(table, first, last, row * n_blocks, len(parameters.shared) * n_blocks)
    return total.reshape(len(parameters.shared), n_blocks * BLOCK)[:, : grid.n]


def _blocks(table: Tensor, first: Tensor, last: Tensor, begin: Tensor, n_rows: int) -> Tensor:
    """Return ``n_rows x BLOCK``: for each of ``k`` peaks, blocks first to last of its pattern are added to.

    Args:
        table: ``k x 4``: position and inverse half width in steps, heights of the Lorentz and the Gauss part.
        first: ``k`` numbers of blocks.
        last: ``k`` numbers of blocks; before the first where there is none.
        begin: ``k``: the row of the pattern's block 0.
        n_rows: Blocks of all patterns.
    """
    device = table.device
    counts = (last - first + 1).clamp(min=0)
    peak = torch.repeat_interleave(counts)
    before = torch.cumsum(counts, 0) - counts
    block = torch.arange(len(peak), device=device) + (first - before)[peak]
    target = begin[peak] + block
    start = (block * BLOCK).to(torch.float32)
    steps = torch.arange(BLOCK, dtype=torch.float32, device=device)
    basis = torch.stack([torch.ones_like(steps), steps])
    total = torch.zeros(n_rows, BLOCK, device=device)
    size = CHUNK if device.type == "cpu" else CHUNK_GPU
    for begins in range(0, len(peak), size):
        part = slice(begins, begins + size)
        total.index_add_(0, target[part], _shapes(table[peak[part]], start[part], basis))
    return total


def _shapes(peak: Tensor, start: Tensor, basis: Tensor) -> Tensor:
    """Return ``b x BLOCK`` heights of one peak for each block, from ``b x 4`` facts of `_blocks`."""
    line = torch.stack([(start - peak[:, 0]) * peak[:, 1], peak[:, 1]], dim=1)
    squared = (line @ basis).square_()
    gauss = torch.special.exp2(squared.clamp(max=_FARTHEST).neg_()).mul_(peak[:, 3:])
    return gauss.add_(squared.add_(1.0).reciprocal_().mul_(peak[:, 2:3]))
