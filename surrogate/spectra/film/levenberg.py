"""Levenberg-Marquardt for many small problems at once (K. Levenberg 1944, doi:10.1090/qam/10666; D. W. Marquardt 1963,
doi:10.1137/0111030), with a Gaussian prior: each row has its own damping and stops on its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.spectra.film.parameters import Belief

Residuals = Callable[[Tensor], Tensor]
"""``b x p`` places to ``b x n`` residuals in standard deviations."""
Slopes = Callable[[Tensor], tuple[Tensor, Tensor]]
"""``b x p`` places to ``b x n`` residuals and their ``b x n x p`` derivatives."""

_LARGEST_STEP = 1.0
"""Per place: a logit moves by one at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Minima:
    """Where ``b`` rows ended."""

    places: Tensor
    """``b x p``."""
    misfit: Tensor
    """``b`` sums of squared residuals, without the prior."""
    cost: Tensor
    """``b``: half of the misfit plus half of the prior's quadratic form."""

    def take(self, rows: Tensor) -> Minima:
        """Return some of the rows."""
        return Minima(places=self.places[rows], misfit=self.misfit[rows], cost=self.cost[rows])


def minimise(
    start: Tensor, residuals: Residuals, slopes: Slopes, belief: Belief, *, steps: int, tolerance: float = 1e-3
) -> Minima:
    """Descend from ``b x p`` places for at most `steps` steps.

    A row stops when an accepted step lowers its cost by less than `tolerance`, which is small against the half that one
    standard deviation costs, or when its damping has become hopeless.
    """
    places = start.clone()
    damping = torch.full_like(start[:, 0], 1e-2)
    misfit, cost = _cost(residuals(places), places, belief)
    active = torch.arange(len(places))
    for _ in range(steps):
        trial = _trial(places[active], damping[active], slopes, belief)
        trial_misfit, trial_cost = _cost(residuals(trial), trial, belief)
        gain = cost[active] - trial_cost
        better = gain > 0.0
        won = active[better]
        places[won], misfit[won], cost[won] = trial[better], trial_misfit[better], trial_cost[better]
        damping[active] = torch.where(better, damping[active] * 0.2, damping[active] * 5.0)
        is_done = (better & (gain < tolerance)) | (damping[active] > 1e6)
        active = active[~is_done]
        if not len(active):
            break
    return Minima(places=places, misfit=misfit, cost=cost)


def _cost(residuals: Tensor, places: Tensor, belief: Belief) -> tuple[Tensor, Tensor]:
    misfit = residuals.square().sum(-1)
    away = places - belief.mean
    cost = 0.5 * misfit + 0.5 * ((away @ belief.precision) * away).sum(-1)
    return misfit, torch.nan_to_num(cost, nan=torch.inf)


def _trial(places: Tensor, damping: Tensor, slopes: Slopes, belief: Belief) -> Tensor:
    residuals, jacobian = slopes(places)
    hessian = curvature(jacobian, belief)
    slope = (jacobian * residuals.unsqueeze(-1)).sum(-2) + (places - belief.mean) @ belief.precision
    damped = hessian + torch.diag_embed(damping.unsqueeze(-1) * hessian.diagonal(dim1=-2, dim2=-1))
    step = torch.linalg.solve(damped, slope.unsqueeze(-1)).squeeze(-1)
    return places - torch.clamp(step, -_LARGEST_STEP, _LARGEST_STEP)


def curvature(jacobian: Tensor, belief: Belief) -> Tensor:
    """Return ``b x p x p``: the Gauss-Newton second derivative of the cost."""
    return jacobian.transpose(-1, -2) @ jacobian + belief.precision
