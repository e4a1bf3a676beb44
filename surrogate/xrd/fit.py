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
from surrogate.xrd.model import Grid, Parameters, Profiles, profiles

SIZE_NM = (40.0, 0.9)
"""Prior of the crystallite size: median and sd of the logarithm."""
MICROSTRAIN = (8e-4, 0.9)
ZERO_SD_DEG = 0.06
DISPLACEMENT_SD_DEG = 0.1
WIDTH_SD = 0.4
"""Of the logarithm of the instrument's width."""
BACKGROUND_SD = 10.0
HUMP_SD = 1.0
SCALE_RANGE_DEG = 0.5
"""Prior range of a scale, the area in degrees of a peak as high as the pattern's highest."""

LIMITS = {"strain": 0.08, "texture": 1.6, "log_size_nm": (1.4, 6.0), "log_microstrain": (-9.5, -3.9)}
SHARED_LIMITS = ((-0.5, 0.5), (-0.6, 0.6), (math.log(0.02), math.log(0.6)))
START_DAMPING = 0.2
UNEXPLAINED_SD = 2.5
"""What lies above the model by more of its standard deviations counts linearly."""
_TINY = 1e-12
EASED, TIGHTENED = 0.2, 5.0
"""Factors of the damping after a step that helped, and one that did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """What ``p`` patterns on one grid show."""

    grid: Grid
    intensity: Tensor
    """``p x n``."""
    weight: Tensor
    """``p x n``."""
    background: Tensor
    """``n x b``: smooth columns first, then humps."""
    baseline: Tensor
    """``p x n``: a first guess of all that is smooth."""
    n_free: int
    """How many of the columns may be negative: the first ones."""
    width_deg: Tensor
    """``p``: prior median of the instrument's width."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What ``r`` rows are to explain, and what stands beside their entries."""

    data: Data
    pattern: Tensor
    """``r`` indices of patterns."""
    frozen: Tensor
    """``r x n x f`` profiles that are scaled but not refined; or ``1 x n x f`` for all rows."""

    @property
    def n_rows(self) -> int:
        """Return how many rows there are."""
        return len(self.pattern)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The optimum of ``r`` rows with ``e`` entries."""

    parameters: Parameters
    scales: Tensor
    """``e``."""
    coefficients: Tensor
    """``r x (f + b)`` of the frozen profiles and the background columns."""
    objective: Tensor
    """``r``: the loss of the data, plus half of the priors' squares."""
    log_evidence: Tensor
    """``r``; without the prior of the phase set."""
    chi_squared: Tensor
    """``r``, with the model's error."""
    profile: Tensor
    """``e x n`` at unit scale."""
    hessian: Tensor
    """``r x m x m`` over slots of entries, shared parameters and columns; unused ones are identity."""
    layout: Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where things stand among the ``m`` unknowns of a row: each slot's scale and own parameters, what is shared, the
    scales of frozen profiles, the background."""

    slot: Tensor
    """``e``: the entry's place in its row."""
    n_slots: int
    n_strain: int
    n_texture: int
    n_frozen: int
    n_background: int

    @property
    def per_slot(self) -> int:
        """Return how many unknowns a slot has."""
        return 3 + self.n_strain + self.n_texture

    @property
    def shared(self) -> int:
        """Return where the shared parameters begin."""
        return self.n_slots * self.per_slot

    @property
    def frozen(self) -> int:
        """Return where the scales of frozen profiles begin."""
        return self.shared + 3

    @property
    def background(self) -> int:
        """Return where the background begins."""
        return self.frozen + self.n_frozen

    @property
    def m(self) -> int:
        """Return the number of unknowns."""
        return self.background + self.n_background


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
    trust = _trust(task.data.intensity - task.data.baseline, task.data.weight)[task.pattern]
    best = _evaluated(atlas, task, parameters, weight * trust, None, shared_free=shared_free)
    for _ in range(steps):
        step = _step(best, damping)
        tried = _evaluated(atlas, task, _moved(best, step), weight * best.trust, best.active, shared_free=shared_free)
        better = tried.objective < best.objective
        gain = torch.where(better, best.objective - tried.objective, torch.zeros_like(damping))
        best = _chosen(better, tried, best)
        damping = torch.where(better, damping * EASED, damping * TIGHTENED)
        if bool(((gain < tolerance) & (better | (damping > 1e3))).all()):
            break
    return _result(atlas, task, best)


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
    """``r x n``: how much of its weight a point keeps (`_trust`)."""
    active: Tensor
    """``r x (slots + f + b)``: which linear unknowns are off their bound."""
    used: Tensor
    """``r x m``: which unknowns are free here."""
    layout: Layout


def _evaluated(
    atlas: Atlas, task: Task, parameters: Parameters, weight: Tensor, active: Tensor | None, *, shared_free: bool
) -> _State:
    """Solve for what is linear with given weights (``r x n``), and set up the normal equations with renewed ones."""
    drawn = profiles(atlas, task.data.grid, parameters)
    layout = _layout(parameters, drawn, task)
    linear = _linear_design(task, parameters, drawn, layout)
    intensity = task.data.intensity[task.pattern]
    solution, is_active = _solve_linear(task, linear, weight, layout, active)
    scales = solution[parameters.row, layout.slot]
    n_drawn = linear.shape[2]
    model = (linear @ solution[:, :n_drawn, None])[:, :, 0] + solution[:, n_drawn:] @ task.data.background.T
    residual = intensity - model
    full = task.data.weight[task.pattern]
    trust = _trust(residual, full)
    design = _design(task, parameters, drawn, layout, scales)
    hessian, gradient = _normal_equations(task, design, full * trust, residual)
    offset, precision = _priors(atlas, task, parameters, layout)
    offset[:, layout.frozen :] = solution[:, layout.n_slots :]
    used = _used(atlas, parameters, layout, is_active, shared_free=shared_free)
    penalty = torch.where(used, offset**2 * precision, torch.zeros_like(offset)).sum(1)
    hessian = hessian + torch.diag_embed(precision)
    gradient = gradient - offset * precision
    both = used[:, :, None] & used[:, None, :]
    hessian = torch.where(both, hessian, torch.zeros_like(hessian)) + torch.diag_embed((~used).to(hessian.dtype))
    return _State(
        parameters=parameters,
        scales=scales,
        coefficients=solution[:, layout.n_slots :],
        objective=_loss(residual, full) + 0.5 * penalty,
        chi_squared=(full * residual**2).sum(1),
        hessian=hessian,
        gradient=torch.where(used, gradient, torch.zeros_like(gradient)),
        profile=drawn.profile,
        trust=trust,
        active=is_active,
        used=used,
        layout=layout,
    )


def _trust(residual: Tensor, weight: Tensor) -> Tensor:
    """Return the part of its weight that each point keeps: all of it but where much is unexplained."""
    return (UNEXPLAINED_SD / (residual * torch.sqrt(weight)).clamp(min=UNEXPLAINED_SD)).to(residual.dtype)


def _loss(residual: Tensor, weight: Tensor) -> Tensor:
    """Return ``r``: quadratic, but linear where the data lie far above the model."""
    scaled = residual * torch.sqrt(weight)
    far = UNEXPLAINED_SD * (scaled - 0.5 * UNEXPLAINED_SD)
    return torch.where(scaled > UNEXPLAINED_SD, far, 0.5 * scaled**2).sum(1)


def _normal_equations(task: Task, design: Tensor, weight: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``r x m x m`` and ``r x m`` for unknowns of which the background's come last."""
    background = task.data.background
    scaled = (design * weight[:, :, None]).transpose(1, 2)
    across = scaled @ background
    own = scaled @ design
    smooth = (weight[:, :, None] * background).transpose(1, 2) @ background
    upper = torch.cat([own, across], dim=2)
    lower = torch.cat([across.transpose(1, 2), smooth], dim=2)
    right = (scaled @ residual[:, :, None])[:, :, 0]
    return torch.cat([upper, lower], dim=1), torch.cat([right, (weight * residual) @ background], dim=1)


def _layout(parameters: Parameters, drawn: Profiles, task: Task) -> Layout:
    e = len(parameters.row)
    counts = torch.bincount(parameters.row, minlength=task.n_rows)
    begins = torch.cumsum(counts, 0) - counts
    slot = torch.arange(e, device=counts.device) - begins[parameters.row]
    return Layout(
        slot=slot,
        n_slots=int(counts.max()) if e else 0,
        n_strain=drawn.n_strain,
        n_texture=drawn.n_texture,
        n_frozen=task.frozen.shape[2],
        n_background=task.data.background.shape[1],
    )


def _linear_design(task: Task, parameters: Parameters, drawn: Profiles, layout: Layout) -> Tensor:
    """Return ``r x n x (slots + f)``: everything with a scale."""
    r, n = task.n_rows, task.data.grid.n
    slots = torch.zeros(r, layout.n_slots, n, dtype=drawn.values.dtype, device=drawn.values.device)
    slots[parameters.row, layout.slot] = drawn.profile
    return torch.cat([slots.transpose(1, 2), task.frozen.expand(r, -1, -1)], dim=2)


def _design(task: Task, parameters: Parameters, drawn: Profiles, layout: Layout, scales: Tensor) -> Tensor:
    """Return the ``r x n x (m - b)`` derivatives of the model by all unknowns but the background."""
    r, n = task.n_rows, task.data.grid.n
    like = {"dtype": drawn.values.dtype, "device": drawn.values.device}
    slots = torch.zeros(r, n, layout.n_slots, layout.per_slot, **like)
    scaled = scales[:, None, None] * drawn.values[..., 1:]
    shared = torch.zeros(r, n, 3, **like).index_add(0, parameters.row, scaled[..., -3:])
    for slot in range(layout.n_slots):
        here = (layout.slot == slot).nonzero()[:, 0]
        slots[parameters.row[here], :, slot, 0] = drawn.profile[here]
        slots[parameters.row[here], :, slot, 1:] = scaled[here, :, :-3]
    return torch.cat([slots.reshape(r, n, layout.shared), shared, task.frozen.expand(r, -1, -1)], dim=2)


def _solve_linear(
    task: Task, linear: Tensor, weight: Tensor, layout: Layout, begin: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Solve for scales and coefficients; return them (``r x (slots + f + b)``) and which are off their bound."""
    gram, right = _normal_equations(task, linear, weight, task.data.intensity[task.pattern])
    n_scales = layout.n_slots + layout.n_frozen
    is_bound = torch.ones(right.shape[1], dtype=torch.bool, device=linear.device)
    is_bound[n_scales : n_scales + task.data.n_free] = False
    gram = gram + torch.diag_embed(_linear_precision(task, n_scales).expand(len(gram), -1))
    empty = torch.diagonal(gram, dim1=1, dim2=2) < _TINY
    active = ~empty if begin is None else begin & ~empty
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
    return torch.where(is_bound, solution.clamp(min=0.0), solution), active


def _linear_precision(task: Task, n_scales: int) -> Tensor:
    """Return the prior precisions of scales (next to none) and of the background's coefficients."""
    n_humps = task.data.background.shape[1] - task.data.n_free
    like = {"dtype": task.data.background.dtype, "device": task.data.background.device}
    parts = ((n_scales, 1e-10), (task.data.n_free, BACKGROUND_SD**-2), (n_humps, HUMP_SD**-2))
    return torch.cat([torch.full((count,), value, **like) for count, value in parts])


def _priors(atlas: Atlas, task: Task, parameters: Parameters, layout: Layout) -> tuple[Tensor, Tensor]:
    """Return ``r x m`` distances from the priors' centres, and their precisions; linear unknowns are not set yet."""
    r = task.n_rows
    like = {"dtype": task.data.weight.dtype, "device": task.data.weight.device}
    own = torch.zeros(r, layout.n_slots, layout.per_slot, **like)
    sharp = torch.zeros_like(own)
    values, sds = _own_priors(atlas, parameters, layout)
    own[parameters.row, layout.slot, 1:] = values
    sharp[parameters.row, layout.slot, 1:] = sds.clamp(min=1e-9) ** -2
    shared = parameters.shared.clone()
    shared[:, 2] -= torch.log(task.data.width_deg[task.pattern])
    shared_sd = torch.tensor([ZERO_SD_DEG, DISPLACEMENT_SD_DEG, WIDTH_SD], **like)
    linear = _linear_precision(task, layout.n_frozen).expand(r, -1)
    offset = torch.cat([own.reshape(r, -1), shared, torch.zeros_like(linear)], dim=1)
    return offset, torch.cat([sharp.reshape(r, -1), (shared_sd**-2).expand(r, -1), linear], dim=1)


def _own_priors(atlas: Atlas, parameters: Parameters, layout: Layout) -> tuple[Tensor, Tensor]:
    """Return ``e x (per slot - 1)`` distances of own parameters from their priors' centres, and sds (0: not free)."""
    ones = torch.ones_like(parameters.log_size_nm)[:, None]
    size = (parameters.log_size_nm - math.log(SIZE_NM[0]))[:, None]
    microstrain = (parameters.log_microstrain - math.log(MICROSTRAIN[0]))[:, None]
    strain_sd, texture_sd = atlas.strain_sd[parameters.phase], atlas.texture_sd[parameters.phase]
    strain, texture = slice(layout.n_strain), slice(layout.n_texture)
    values = [parameters.strain[:, strain], parameters.texture[:, texture], size, microstrain]
    sds = [strain_sd[:, strain], texture_sd[:, texture], ones * SIZE_NM[1], ones * MICROSTRAIN[1]]
    return torch.cat(values, dim=1), torch.cat(sds, dim=1)


def _used(atlas: Atlas, parameters: Parameters, layout: Layout, is_active: Tensor, *, shared_free: bool) -> Tensor:
    """Return ``r x m``: which unknowns are free; those of a phase whose scale is zero are not."""
    r = len(is_active)
    _, sds = _own_priors(atlas, parameters, layout)
    own = torch.cat([torch.ones_like(sds[:, :1]), sds], dim=1) > 0
    slots = torch.zeros(r, layout.n_slots, layout.per_slot, dtype=torch.bool, device=is_active.device)
    slots[parameters.row, layout.slot] = own & is_active[parameters.row, layout.slot][:, None]
    shared = torch.full((r, 3), shared_free, dtype=torch.bool, device=is_active.device)
    return torch.cat([slots.reshape(r, -1), shared, is_active[:, layout.n_slots :]], dim=1)


def _step(state: _State, damping: Tensor) -> Tensor:
    """Return the ``r x m`` damped Gauss-Newton step; linear unknowns are not damped, they are solved for anyway."""
    diagonal = torch.diagonal(state.hessian, dim1=1, dim2=2)
    is_linear = torch.zeros(state.layout.m, dtype=torch.bool, device=diagonal.device)
    is_linear[torch.arange(state.layout.n_slots) * state.layout.per_slot] = True
    is_linear[state.layout.frozen :] = True
    extra = torch.where(is_linear, torch.full_like(diagonal, 1e-10), damping[:, None] * diagonal)
    return torch.linalg.solve(state.hessian + torch.diag_embed(extra), state.gradient[:, :, None])[:, :, 0]


def _moved(state: _State, step: Tensor) -> Parameters:
    layout, old = state.layout, state.parameters
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


def _result(atlas: Atlas, task: Task, state: _State) -> Fitted:
    return Fitted(
        parameters=state.parameters,
        scales=state.scales,
        coefficients=state.coefficients,
        objective=state.objective,
        log_evidence=_log_evidence(atlas, task, state),
        chi_squared=state.chi_squared,
        profile=state.profile,
        hessian=state.hessian,
        layout=state.layout,
    )


def _log_evidence(atlas: Atlas, task: Task, state: _State) -> Tensor:
    """Return ``r`` logarithms of the evidence, up to a constant of the pattern."""
    layout = state.layout
    _, precision = _priors(atlas, task, state.parameters, layout)
    log_prior = 0.5 * torch.log(precision.clamp(min=1e-300))
    # one half of log(2 pi) of each prior cancels that of each integral, but for the scales, whose prior is flat
    flat = 0.5 * math.log(2.0 * math.pi) - math.log(SCALE_RANGE_DEG)
    log_prior[:, torch.arange(layout.n_slots, device=precision.device) * layout.per_slot] = flat
    log_prior[:, layout.frozen : layout.background] = flat
    occam = torch.where(state.used, log_prior, torch.zeros_like(log_prior)).sum(1)
    factor = torch.linalg.cholesky_ex(state.hessian + 1e-10 * torch.diag_embed(torch.ones_like(log_prior)))[0]
    log_det = 2.0 * torch.log(torch.diagonal(factor, dim1=1, dim2=2).clamp(min=1e-150)).sum(1)
    return -state.objective + occam - 0.5 * log_det
