"""Fits of many hypotheses at once: Levenberg-Marquardt for shapes and positions, closed form for all that is linear.

Each row is a hypothesis: some entries (phases with parameters of their own), some frozen columns (profiles of phases
that are not refined now), and the pattern's background. Scales of phases and amorphous humps are not negative; they and
the background are solved in closed form at every step (variable projection: Golub and Pereyra, SIAM J. Numer. Anal. 10,
413 (1973), doi:10.1137/0710036), and step along in the Gauss-Newton equations. Priors are Gaussian.

What lies above the model by more than its error may be a phase that is not in the row: there the loss goes on linearly
(Huber, Ann. Math. Stat. 35, 73 (1964), doi:10.1214/aoms/1177703732), so that peaks of other phases do not bend those
that are there. What lies below the model is held against it in full: nothing has negative intensity.

The evidence of a row is Laplace's approximation at the optimum (MacKay, Neural Comput. 4, 415 (1992),
doi:10.1162/neco.1992.4.3.415), over everything that was free.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from surrogate.xrd.atlas import N_STRAIN, N_TEXTURE, Atlas
from surrogate.xrd.linear import loss_of, normal_equations, solve_linear, trust_in
from surrogate.xrd.linear_compiled import fill_design
from surrogate.xrd.model import Parameters, Profiles, n_bent, profiles
from surrogate.xrd.priors import MICROSTRAIN, SCALE_RANGE_DEG, SIZE_NM, Priors, offsets, priors_of
from surrogate.xrd.task import Fitted, Layout, Task

LIMITS = {"strain": 0.08, "texture": 1.6, "log_size_nm": (1.4, 6.0), "log_microstrain": (-9.5, -3.9)}
SHARED_LIMITS = ((-0.5, 0.5), (-0.6, 0.6), (math.log(0.02), math.log(0.6)))
START_DAMPING = 0.2
EASED, TIGHTENED = 0.2, 5.0
"""Factors of the damping after a step that helped, and one that did not."""


def start(atlas: Atlas, phase: Tensor, row: Tensor, *, width_deg: Tensor, strain: Tensor | None = None) -> Parameters:
    """Return parameters at their priors' medians, or with strains given for each entry (``e x 6``)."""
    e = len(phase)
    like = {"dtype": torch.float64, "device": phase.device}
    shared = torch.zeros(len(width_deg), 3, **like)
    shared[:, 2] = torch.log(width_deg)
    return Parameters(
        phase=phase,
        row=row,
        strain=torch.zeros(e, N_STRAIN, **like) if strain is None else strain,
        texture=torch.zeros(e, N_TEXTURE, **like),
        log_size_nm=torch.full((e,), math.log(SIZE_NM[0]), **like),
        log_microstrain=torch.full((e,), math.log(MICROSTRAIN[0]), **like),
        kind=torch.zeros_like(phase),
        shared=shared,
    )


def fit(
    atlas: Atlas, task: Task, parameters: Parameters, *, steps: int, shared_free: bool = True, tolerance: float = 0.05
) -> Fitted:
    """Refine all rows together.

    Args:
        atlas: The library.
        task: The data.
        parameters: Where to start.
        steps: Most steps.
        shared_free: Whether zero, displacement and instrument width are refined too.
        tolerance: Rows whose objective falls by less than this are done.
    """
    damping = torch.full((task.n_rows,), START_DAMPING, dtype=torch.float64, device=task.pattern.device)
    weight = task.data.weight[task.pattern]
    trust = trust_in(task.data.intensity - task.data.baseline, task.data.weight)[task.pattern]
    layout = _layout(atlas, task, parameters)
    batch = _Batch(atlas, task, layout, priors_of(atlas, task, parameters, layout), shared_free)
    best = _evaluated(batch, parameters, weight * trust, None)
    for _ in range(steps):
        step = _step(best, damping, layout)
        tried = _evaluated(batch, _moved(best, step, layout), weight * best.trust, best.active)
        better = tried.objective < best.objective
        gain = torch.where(better, best.objective - tried.objective, torch.zeros_like(damping))
        best = _chosen(better, tried, best)
        damping = torch.where(better, damping * EASED, damping * TIGHTENED)
        if bool(((gain < tolerance) & (better | (damping > 1e3))).all()):
            break
    return _result(batch, best)


@dataclass(frozen=True, slots=True)
class _Batch:
    """What stays the same while a fit moves."""

    atlas: Atlas
    task: Task
    layout: Layout
    priors: Priors
    shared_free: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """Everything at one point, with the normal equations there."""

    parameters: Parameters
    scales: Tensor
    coefficients: Tensor
    objective: Tensor
    chi_squared: Tensor
    hessian: Tensor
    gradient: Tensor
    profile: Tensor
    trust: Tensor
    """``r x n``: how much of its weight a point keeps (`trust_in`)."""
    active: Tensor
    """``r x (slots + f + b)``: which linear unknowns are off their bound."""
    used: Tensor
    """``r x m``: which unknowns are free here."""


def _evaluated(batch: _Batch, parameters: Parameters, weight: Tensor, active: Tensor | None) -> _State:
    """Solve for what is linear with given weights (``r x n``), and set up the normal equations with renewed ones."""
    task, layout, precision = batch.task, batch.layout, batch.priors.precision
    drawn = profiles(batch.atlas, task.data.grid, parameters)
    linear = _linear_design(task, parameters, drawn, layout)
    intensity = task.data.intensity[task.pattern]
    solution, is_active = solve_linear(task, linear, weight, layout, active)
    scales = solution[parameters.row, layout.slot]
    n_drawn = linear.shape[1]
    model = (solution[:, None, :n_drawn] @ linear)[:, 0] + solution[:, n_drawn:] @ task.data.background.T
    residual = intensity - model
    full = task.data.weight[task.pattern]
    trust = trust_in(residual, full)
    design = _design(task, parameters, drawn, layout, scales)
    hessian, gradient = normal_equations(task, design, full * trust, residual)
    offset = offsets(batch.priors, parameters, layout, solution[:, layout.n_slots :])
    used = _used(batch, is_active)
    penalty = torch.where(used, offset**2 * precision, torch.zeros_like(offset)).sum(1)
    hessian = hessian + torch.diag_embed(precision)
    gradient = gradient - offset * precision
    both = used[:, :, None] & used[:, None, :]
    hessian = torch.where(both, hessian, torch.zeros_like(hessian)) + torch.diag_embed((~used).to(hessian.dtype))
    return _State(
        parameters=parameters,
        scales=scales,
        coefficients=solution[:, layout.n_slots :],
        objective=loss_of(residual, full) + 0.5 * penalty,
        chi_squared=(full * residual**2).sum(1),
        hessian=hessian,
        gradient=torch.where(used, gradient, torch.zeros_like(gradient)),
        profile=drawn.profile,
        trust=trust,
        active=is_active,
        used=used,
    )


def _layout(atlas: Atlas, task: Task, parameters: Parameters) -> Layout:
    e = len(parameters.row)
    counts = torch.bincount(parameters.row, minlength=task.n_rows)
    begins = torch.cumsum(counts, 0) - counts
    n_strain, n_texture = n_bent(atlas, parameters.phase)
    return Layout(
        slot=torch.arange(e, device=counts.device) - begins[parameters.row],
        n_slots=int(counts.max()) if e else 0,
        n_strain=n_strain,
        n_texture=n_texture,
        n_frozen=task.frozen.shape[1],
        n_background=task.data.background.shape[1],
    )


def _linear_design(task: Task, parameters: Parameters, drawn: Profiles, layout: Layout) -> Tensor:
    """Return ``r x (slots + f) x n``: everything with a scale."""
    r, n = task.n_rows, task.data.grid.n
    slots = torch.zeros(r, layout.n_slots, n, dtype=drawn.values.dtype, device=drawn.values.device)
    slots[parameters.row, layout.slot] = drawn.profile
    return torch.cat([slots, task.frozen.expand(r, -1, -1)], dim=1)


def _design(task: Task, parameters: Parameters, drawn: Profiles, layout: Layout, scales: Tensor) -> Tensor:
    """Return the ``r x (m - b) x n`` derivatives of the model by all unknowns but the background."""
    r, n = task.n_rows, task.data.grid.n
    like = {"dtype": drawn.values.dtype, "device": drawn.values.device}
    if drawn.values.device.type == "cpu":
        design = torch.zeros(r, layout.background, n, **like)
        entries = (drawn.values.numpy(), parameters.row.numpy(), layout.slot.numpy(), scales.numpy())
        fill_design(*entries, task.frozen.contiguous().numpy(), design.numpy())
        return design
    slots = torch.zeros(r, layout.n_slots, layout.per_slot, n, **like)
    scaled = scales[:, None, None] * drawn.values[:, 1:]
    shared = torch.zeros(r, 3, n, **like).index_add(0, parameters.row, scaled[:, -3:])
    slots[parameters.row, layout.slot, 0] = drawn.profile
    slots[parameters.row, layout.slot, 1:] = scaled[:, :-3]
    return torch.cat([slots.reshape(r, layout.shared, n), shared, task.frozen.expand(r, -1, -1)], dim=1)


def _used(batch: _Batch, is_active: Tensor) -> Tensor:
    """Return ``r x m``: which unknowns are free; those of a phase whose scale is zero are not."""
    r, n_slots = len(is_active), batch.layout.n_slots
    slots = batch.priors.is_free & is_active[:, :n_slots, None]
    shared = torch.full((r, 3), batch.shared_free, dtype=torch.bool, device=is_active.device)
    return torch.cat([slots.reshape(r, -1), shared, is_active[:, n_slots:]], dim=1)


def _step(state: _State, damping: Tensor, layout: Layout) -> Tensor:
    """Return the ``r x m`` damped Gauss-Newton step; linear unknowns are not damped, they are solved for anyway."""
    diagonal = torch.diagonal(state.hessian, dim1=1, dim2=2)
    is_linear = torch.zeros(layout.m, dtype=torch.bool, device=diagonal.device)
    is_linear[: layout.shared : layout.per_slot] = True
    is_linear[layout.frozen :] = True
    extra = torch.where(is_linear, torch.full_like(diagonal, 1e-10), damping[:, None] * diagonal)
    return torch.linalg.solve(state.hessian + torch.diag_embed(extra), state.gradient[:, :, None])[:, :, 0]


def _moved(state: _State, step: Tensor, layout: Layout) -> Parameters:
    old = state.parameters
    own = step[:, : layout.shared].reshape(len(step), layout.n_slots, layout.per_slot)[old.row, layout.slot]
    strain, texture = old.strain.clone(), old.texture.clone()
    after = 1 + layout.n_strain
    strain[:, : layout.n_strain] += own[:, 1:after]
    texture[:, : layout.n_texture] += own[:, after : after + layout.n_texture]
    shared = old.shared + step[:, layout.shared : layout.frozen]
    low, high = torch.tensor(SHARED_LIMITS, dtype=shared.dtype, device=shared.device).T
    return old.with_(
        strain=strain.clamp(-LIMITS["strain"], LIMITS["strain"]),
        texture=texture.clamp(-LIMITS["texture"], LIMITS["texture"]),
        log_size_nm=(old.log_size_nm + own[:, -2].clamp(-1.0, 1.0)).clamp(*LIMITS["log_size_nm"]),
        log_microstrain=(old.log_microstrain + own[:, -1].clamp(-1.0, 1.0)).clamp(*LIMITS["log_microstrain"]),
        shared=torch.minimum(torch.maximum(shared, low), high),
    )


def _chosen(better: Tensor, tried: _State, best: _State) -> _State:
    """Take, row by row, the better of two states."""
    if bool(better.all()):
        return tried
    if not bool(better.any()):
        return best
    by_entry = better[best.parameters.row]

    def rows(name: str) -> Tensor:
        new, old = getattr(tried, name), getattr(best, name)
        return torch.where(better.reshape(-1, *[1] * (new.dim() - 1)), new, old)

    def entries(new: Tensor, old: Tensor) -> Tensor:
        return torch.where(by_entry.reshape(-1, *[1] * (new.dim() - 1)), new, old)

    own = {
        name: entries(getattr(tried.parameters, name), getattr(best.parameters, name))
        for name in ("strain", "texture", "log_size_nm", "log_microstrain")
    }
    shared = torch.where(better[:, None], tried.parameters.shared, best.parameters.shared)
    names = ("coefficients", "objective", "chi_squared", "hessian", "gradient", "trust", "active", "used")
    return replace(
        best,
        parameters=best.parameters.with_(**own, shared=shared),
        scales=entries(tried.scales, best.scales),
        profile=entries(tried.profile, best.profile),
        **{name: rows(name) for name in names},
    )


def _result(batch: _Batch, state: _State) -> Fitted:
    return Fitted(
        parameters=state.parameters,
        scales=state.scales,
        coefficients=state.coefficients,
        objective=state.objective,
        log_evidence=_log_evidence(batch, state),
        chi_squared=state.chi_squared,
        profile=state.profile,
        hessian=state.hessian,
        layout=batch.layout,
    )


def _log_evidence(batch: _Batch, state: _State) -> Tensor:
    """Return ``r`` logarithms of the evidence, up to a constant of the pattern."""
    layout = batch.layout
    log_prior = 0.5 * torch.log(batch.priors.precision.clamp(min=1e-300))
    # one half of log(2 pi) of each prior cancels that of each integral, but for the scales, whose prior is flat
    flat = 0.5 * math.log(2.0 * math.pi) - math.log(SCALE_RANGE_DEG)
    log_prior[:, : layout.shared : layout.per_slot] = flat
    log_prior[:, layout.frozen : layout.background] = flat
    occam = torch.where(state.used, log_prior, torch.zeros_like(log_prior)).sum(1)
    factor = torch.linalg.cholesky_ex(state.hessian + 1e-10 * torch.diag_embed(torch.ones_like(log_prior)))[0]
    log_det = 2.0 * torch.log(torch.diagonal(factor, dim1=1, dim2=2).clamp(min=1e-150)).sum(1)
    return -state.objective + occam - 0.5 * log_det
