"""Gaussian priors of all that a fit refines."""

from __future__ import annotations

import math

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


def priors_of(atlas: Atlas, task: Task, parameters: Parameters, layout: Layout) -> tuple[Tensor, Tensor]:
    """Return ``r x m`` distances from the priors' centres, and their precisions; linear unknowns are not set yet."""
    r = task.n_rows
    like = {"dtype": task.data.weight.dtype, "device": task.data.weight.device}
    own = torch.zeros(r, layout.n_slots, layout.per_slot, **like)
    sharp = torch.zeros_like(own)
    values, sds = own_priors(atlas, parameters, layout)
    own[parameters.row, layout.slot, 1:] = values
    sharp[parameters.row, layout.slot, 1:] = sds.clamp(min=1e-9) ** -2
    shared = parameters.shared.clone()
    shared[:, 2] -= torch.log(task.data.width_deg[task.pattern])
    shared_sd = torch.tensor([ZERO_SD_DEG, DISPLACEMENT_SD_DEG, WIDTH_SD], **like)
    linear = linear_precision(task, layout.n_frozen).expand(r, -1)
    offset = torch.cat([own.reshape(r, -1), shared, torch.zeros_like(linear)], dim=1)
    return offset, torch.cat([sharp.reshape(r, -1), (shared_sd**-2).expand(r, -1), linear], dim=1)


def own_priors(atlas: Atlas, parameters: Parameters, layout: Layout) -> tuple[Tensor, Tensor]:
    """Return ``e x (per slot - 1)`` distances of own parameters from their priors' centres, and sds (0: not free)."""
    ones = torch.ones_like(parameters.log_size_nm)[:, None]
    size = (parameters.log_size_nm - math.log(SIZE_NM[0]))[:, None]
    microstrain = (parameters.log_microstrain - math.log(MICROSTRAIN[0]))[:, None]
    strain_sd, texture_sd = atlas.strain_sd[parameters.phase], atlas.texture_sd[parameters.phase]
    strain, texture = slice(layout.n_strain), slice(layout.n_texture)
    values = [parameters.strain[:, strain], parameters.texture[:, texture], size, microstrain]
    sds = [strain_sd[:, strain], texture_sd[:, texture], ones * SIZE_NM[1], ones * MICROSTRAIN[1]]
    return torch.cat(values, dim=1), torch.cat(sds, dim=1)


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
