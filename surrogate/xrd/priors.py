"""Gaussian priors of all that a fit refines."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.xrd.atlas import Atlas
from surrogate.xrd.march_dollase import LOG_R_SD
from surrogate.xrd.model import Parameters
from surrogate.xrd.task import Layout, Task

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Priors:
    """The priors of ``r`` rows' ``m`` unknowns, which stay what they are while a fit moves the unknowns."""

    precision: Tensor
    """``r x m``."""
    is_free: Tensor
    """``r x slots x per slot``: which unknowns of an entry may move; its scale always may."""
    shared_centre: Tensor
    """``r x 3``."""


def priors_of(atlas: Atlas, task: Task, parameters: Parameters, layout: Layout) -> Priors:
    """Return the priors of a batch of entries."""
    r = task.n_rows
    like = {"dtype": task.data.weight.dtype, "device": task.data.weight.device}
    sds = torch.zeros(r, layout.n_slots, layout.per_slot, **like)
    ones = torch.ones_like(parameters.log_size_nm)[:, None]
    strain_sd, texture_sd = atlas.strain_sd[parameters.phase], atlas.texture_sd[parameters.phase]
    own = [strain_sd[:, : layout.n_strain], texture_sd[:, : layout.n_texture], ones * SIZE_NM[1], ones * MICROSTRAIN[1]]
    sds[parameters.row, layout.slot, 1:] = torch.cat(own, dim=1)
    is_free = sds > 0
    is_free[parameters.row, layout.slot, 0] = True
    has_entry = is_free[:, :, :1]
    sharp = torch.where(has_entry, sds.clamp(min=1e-9) ** -2, torch.zeros_like(sds))
    sharp[:, :, 0] = 0.0
    shared_sd = torch.tensor([ZERO_SD_DEG, DISPLACEMENT_SD_DEG, WIDTH_SD], **like)
    linear = linear_precision(task, layout.n_frozen).expand(r, -1)
    centre = torch.zeros(r, 3, **like)
    centre[:, 2] = torch.log(task.data.width_deg[task.pattern])
    return Priors(
        precision=torch.cat([sharp.reshape(r, -1), (shared_sd**-2).expand(r, -1), linear], dim=1),
        is_free=is_free,
        shared_centre=centre,
    )


def offsets(priors: Priors, parameters: Parameters, layout: Layout, linear: Tensor) -> Tensor:
    """Return ``r x m`` distances from the priors' centres; of scales, whose prior is flat, zero.

    Args:
        priors: Of the batch.
        parameters: Where its entries are.
        layout: Of the batch.
        linear: ``r x (f + b)`` scales of frozen profiles and coefficients of the background.
    """
    size = (parameters.log_size_nm - math.log(SIZE_NM[0]))[:, None]
    microstrain = (parameters.log_microstrain - math.log(MICROSTRAIN[0]))[:, None]
    values = [parameters.strain[:, : layout.n_strain], parameters.texture[:, : layout.n_texture], size, microstrain]
    own = torch.zeros(len(linear), layout.n_slots, layout.per_slot, dtype=linear.dtype, device=linear.device)
    own[parameters.row, layout.slot, 1:] = torch.cat(values, dim=1)
    return torch.cat([own.reshape(len(linear), -1), parameters.shared - priors.shared_centre, linear], dim=1)


def linear_precision(task: Task, n_scales: int) -> Tensor:
    """Return the prior precisions of scales (next to none) and of the background's coefficients."""
    n_humps = task.data.background.shape[1] - task.data.n_free
    like = {"dtype": task.data.background.dtype, "device": task.data.background.device}
    parts = ((n_scales, 1e-10), (task.data.n_free, BACKGROUND_SD**-2), (n_humps, HUMP_SD**-2))
    return torch.cat([torch.full((count,), value, **like) for count, value in parts])


def bends(atlas: Atlas, parameters: Parameters) -> tuple[Tensor, Tensor]:
    """Return strains and textures (``e x 6``, ``e x 8``) in sds of their priors; what is not free is zero."""
    strain_sd, texture_sd = atlas.strain_sd[parameters.phase], atlas.texture_sd[parameters.phase]
    strain = torch.where(strain_sd > 0, parameters.strain / strain_sd.clamp(min=1e-9), 0.0)
    texture = torch.where(texture_sd > 0, parameters.texture / texture_sd.clamp(min=1e-9), 0.0)
    for entry in parameters.kind.nonzero()[:, 0].tolist():
        kinds = atlas.kinds(int(parameters.phase[entry]))
        texture[entry, 0] = torch.hypot(
            texture[entry, 0], torch.tensor(kinds.log_r[int(parameters.kind[entry])] / LOG_R_SD)
        )
    return strain, texture
