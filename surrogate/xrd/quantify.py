"""Amounts, cells and sizes from a refined set, with the errors that its curvature and its misfit give."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from surrogate.xrd.atlas import Atlas
from surrogate.xrd.lattice import cell_of, reciprocal_metric, strain_basis, strained_metric, volume_angstrom3
from surrogate.xrd.result import Cell
from surrogate.xrd.task import Fitted

Array = NDArray[np.floating[Any]]

Z_90 = 1.645
INTENSITY_ERROR = 0.08
"""Relative, of each phase's scale, beyond what the fit knows: absorption contrast, displacement parameters, texture of
higher order. It is what simulated mixtures show; without it intervals would be too narrow by far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """What a phase of a set amounts to."""

    phase: int
    weight_fraction: float
    weight_interval: tuple[float, float]
    cell: Cell
    crystallite_nm: float
    texture: float
    strain: float
    """Relative change of the edges' geometric mean against the library."""
    strain_sd: float


def amounts(atlas: Atlas, fitted: Fitted, *, inflation: float) -> list[Amount]:
    """Return amounts of all phases of one row, by falling weight.

    Args:
        atlas: The library.
        fitted: One row.
        inflation: Factor of all variances: chi squared per step where it exceeds one.
    """
    layout, parameters = fitted.layout, fitted.parameters
    covariance = inflation * np.linalg.pinv(fitted.hessian[0].numpy(), hermitian=True)
    scales = fitted.scales.numpy()
    per_scale = atlas.weight_per_scale[parameters.phase].numpy()
    raw = scales * per_scale
    total = max(float(raw.sum()), 1e-300)
    at = [int(slot) * layout.per_slot for slot in layout.slot]
    relative = covariance[np.ix_(at, at)] / np.maximum(np.outer(scales, scales), 1e-300)
    relative = relative + INTENSITY_ERROR**2 * np.eye(len(at))
    fractions = raw / total
    # of w_i = r_i / sum(r): dw_i = w_i (dlog r_i - sum_j w_j dlog r_j)
    jacobian = fractions[:, None] * (np.eye(len(at)) - fractions[None, :])
    sd = np.sqrt(np.maximum(np.diag(jacobian @ relative @ jacobian.T), 0.0))
    found = [
        _amount(atlas, fitted, covariance, entry, float(fractions[entry]), float(sd[entry])) for entry in range(len(at))
    ]
    return sorted(found, key=lambda one: -one.weight_fraction)


def _amount(atlas: Atlas, fitted: Fitted, covariance: Array, entry: int, fraction: float, sd: float) -> Amount:
    layout, parameters = fitted.layout, fitted.parameters
    number = int(parameters.phase[entry])
    phase = atlas.phases[number]
    begin = int(layout.slot[entry]) * layout.per_slot + 1
    n = len(strain_basis(phase)[0])
    strain = parameters.strain[entry, :n].numpy()
    block = covariance[begin : begin + n, begin : begin + n]
    cell, mean, mean_sd = _cell(number, atlas, strain, block)
    part = slice(int(atlas.first[number]), int(atlas.first[number + 1]))
    factor = atlas.harmonics[part] @ parameters.texture[entry]
    return Amount(
        phase=number,
        weight_fraction=fraction,
        weight_interval=(max(0.0, fraction - Z_90 * sd), min(1.0, fraction + Z_90 * sd)),
        cell=cell,
        crystallite_nm=float(torch.exp(parameters.log_size_nm[entry])),
        texture=float(torch.exp(factor.max() - factor.min())),
        strain=mean,
        strain_sd=mean_sd,
    )


def _cell(number: int, atlas: Atlas, strain: Array, covariance: Array) -> tuple[Cell, float, float]:
    """Return the cell, its mean relative change, and that one's sd."""
    phase = atlas.phases[number]
    values = np.array(cell_of(strained_metric(phase, strain)))
    step = 1e-5
    jacobian = np.array(
        [
            (np.array(cell_of(strained_metric(phase, strain + step * unit))) - values) / step
            for unit in np.eye(len(strain))
        ]
    ).T
    esd = np.sqrt(np.maximum(np.diag(jacobian @ covariance @ jacobian.T), 0.0))
    volume = volume_angstrom3(strained_metric(phase, strain))
    reference = volume_angstrom3(reciprocal_metric(phase.cell))
    gradient = np.array(
        [
            (math.log(volume_angstrom3(strained_metric(phase, strain + step * unit))) - math.log(volume)) / step
            for unit in np.eye(len(strain))
        ]
    )
    mean_sd = math.sqrt(max(float(gradient @ covariance @ gradient), 0.0)) / 3.0
    a, b, c, alpha, beta, gamma = (float(one) for one in values)
    sa, sb, sc, sal, sbe, sga = (float(one) for one in esd)
    cell = Cell(values=(a, b, c, alpha, beta, gamma), esd=(sa, sb, sc, sal, sbe, sga), volume_angstrom3=volume)
    return cell, math.log(volume / reference) / 3.0, mean_sd


def agreement(observed: Array, calculated: Array, variance: Array, n_parameters: int) -> tuple[float, float, float]:
    """Return Rwp and Rexp in percent, and their ratio (Toby, Powder Diffr. 21, 67 (2006), doi:10.1154/1.2179804)."""
    seen = np.isfinite(variance) & (variance > 0.0)
    weight = 1.0 / variance[seen]
    whole = float((weight * observed[seen] ** 2).sum())
    rwp = 100.0 * math.sqrt(float((weight * (observed - calculated)[seen] ** 2).sum()) / whole)
    rexp = 100.0 * math.sqrt(max(int(seen.sum()) - n_parameters, 1) / whole)
    return rwp, rexp, rwp / rexp
