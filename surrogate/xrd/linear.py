"""What is linear in a fit: scales and background in closed form, scales and humps never negative; and the loss."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from surrogate.xrd.linear_compiled import solve_bounded
from surrogate.xrd.priors import linear_precision
from surrogate.xrd.task import Layout, Task

UNEXPLAINED_SD = 2.5
"""What lies above the model by more of its standard deviations counts linearly."""
_TINY = 1e-12


def trust_in(residual: Tensor, weight: Tensor) -> Tensor:
    """Return the part of its weight that each point keeps: all of it but where much is unexplained."""
    return (UNEXPLAINED_SD / (residual * torch.sqrt(weight)).clamp(min=UNEXPLAINED_SD)).to(residual.dtype)


def loss_of(residual: Tensor, weight: Tensor) -> Tensor:
    """Return ``r``: quadratic, but linear where the data lie far above the model."""
    scaled = residual * torch.sqrt(weight)
    far = UNEXPLAINED_SD * (scaled - 0.5 * UNEXPLAINED_SD)
    return torch.where(scaled > UNEXPLAINED_SD, far, 0.5 * scaled**2).sum(1)


def normal_equations(task: Task, design: Tensor, weight: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``r x m x m`` and ``r x m`` for a design of ``r x (m - b) x n``, and the background's columns after it."""
    background = task.data.background
    scaled = design * weight[:, None]
    across = scaled @ background
    own = scaled @ design.transpose(1, 2)
    smooth = (weight[:, :, None] * background).transpose(1, 2) @ background
    upper = torch.cat([own, across], dim=2)
    lower = torch.cat([across.transpose(1, 2), smooth], dim=2)
    right = (scaled @ residual[:, :, None])[:, :, 0]
    return torch.cat([upper, lower], dim=1), torch.cat([right, (weight * residual) @ background], dim=1)


def solve_linear(
    task: Task, linear: Tensor, weight: Tensor, layout: Layout, begin: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Solve for scales and coefficients; return them (``r x (slots + f + b)``) and which are off their bound."""
    gram, right = normal_equations(task, linear, weight, task.data.intensity[task.pattern])
    n_scales = layout.n_slots + layout.n_frozen
    is_bound = torch.ones(right.shape[1], dtype=torch.bool, device=linear.device)
    is_bound[n_scales : n_scales + task.data.n_free] = False
    gram = gram + torch.diag_embed(linear_precision(task, n_scales).expand(len(gram), -1))
    empty = torch.diagonal(gram, dim1=1, dim2=2) < _TINY
    active = ~empty if begin is None else begin & ~empty
    if right.device.type == "cpu":
        solution = np.empty(right.shape)
        solve_bounded(gram.numpy(), right.numpy(), empty.numpy(), is_bound.numpy(), active.numpy(), solution)
        return _within(torch.from_numpy(solution), is_bound), active
    return _solved_together(gram, right, empty, is_bound, active)


def _within(solution: Tensor, is_bound: Tensor) -> Tensor:
    return torch.where(is_bound, solution.clamp(min=0.0), solution)


def _solved_together(
    gram: Tensor, right: Tensor, empty: Tensor, is_bound: Tensor, active: Tensor
) -> tuple[Tensor, Tensor]:
    """Solve all rows in step, as a GPU wants it."""
    solution = torch.zeros_like(right)
    for _ in range(4 * right.shape[1]):
        both = active[:, :, None] & active[:, None, :]
        matrix = torch.where(both, gram, torch.zeros_like(gram)) + torch.diag_embed((~active).to(gram.dtype))
        solution = torch.linalg.solve(matrix, torch.where(active, right, torch.zeros_like(right))[:, :, None])[:, :, 0]
        negative = active & is_bound & (solution < 0)
        if bool(negative.any()):
            active = active & ~negative
            continue
        # what would grow again from zero is let in, so that the end is (nearly always) the true constrained optimum
        slope = right - (gram @ solution[:, :, None])[:, :, 0]
        returning = ~active & ~empty & is_bound & (slope > 1e-9 * right.abs().amax(1, keepdim=True))
        rows = returning.any(1).nonzero()[:, 0]
        if not len(rows):
            break
        strongest = torch.where(returning, slope, torch.full_like(slope, -math.inf)).argmax(1)
        active = active.clone()
        active[rows, strongest[rows]] = True
    return _within(solution, is_bound), active
