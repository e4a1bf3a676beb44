"""Amounts, cells and sizes from a refined set, with the errors that its curvature and its misfit give."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from surrogate.xrd.absorption import powder, widened
from surrogate.xrd.atlas import Atlas
from surrogate.xrd.lattice import cell_of, reciprocal_metric, strain_basis, strained_metric, volume_angstrom3
from surrogate.xrd.model import texture_log_factor
from surrogate.xrd.phase import CellParameters
from surrogate.xrd.result import Cell
from surrogate.xrd.task import Fitted

Array = NDArray[np.floating[Any]]

Z_90 = 1.645
INTENSITY_ERROR = 0.08
"""Relative, of each phase's scale, beyond what the fit knows: slight absorption contrast, displacement parameters,
texture of higher order. It is what simulated mixtures show; without it intervals would be too narrow by far."""

FIXED = 1e-4
"""Derivative of a cell's parameter by a strain (in angstrom or degrees) below which it is rounding; others are above
1."""


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
    bounds = np.stack([np.maximum(0.0, fractions - Z_90 * sd), np.minimum(1.0, fractions + Z_90 * sd)], axis=1)
    phases = [atlas.phases[number] for number in parameters.phase.tolist()]
    bounds = widened(fractions, powder(phases, atlas.radiation.wavelength_angstrom[0]), relative, bounds)
    found = [
        _amount(atlas, fitted, covariance, entry, float(fractions[entry]), bounds[entry]) for entry in range(len(at))
    ]
    return sorted(found, key=lambda one: -one.weight_fraction)


def _amount(atlas: Atlas, fitted: Fitted, covariance: Array, entry: int, fraction: float, bounds: Array) -> Amount:
    layout, parameters = fitted.layout, fitted.parameters
    number = int(parameters.phase[entry])
    phase = atlas.phases[number]
    begin = int(layout.slot[entry]) * layout.per_slot + 1
    n = len(strain_basis(phase)[0])
    strain = parameters.strain[entry, :n].numpy()
    block = covariance[begin : begin + n, begin : begin + n]
    cell, mean, mean_sd = _cell(number, atlas, strain, block)
    factor = texture_log_factor(atlas, parameters, entry)
    return Amount(
        phase=number,
        weight_fraction=fraction,
        weight_interval=(float(bounds[0]), float(bounds[1])),
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
    values, jacobian = _as_symmetry_has_it(phase.cell, values, jacobian)
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


def _as_symmetry_has_it(reference: CellParameters, values: Array, jacobian: Array) -> tuple[Array, Array]:
    """Return cell parameters and their derivatives without what rounding did to fixed ones and to equal ones."""
    values, jacobian = values.copy(), jacobian.copy()
    for index, exact in enumerate(reference):
        first = index - index % 3
        if index > 2 and not (np.abs(jacobian[index]) > FIXED).any():
            values[index], jacobian[index] = exact, 0.0
        elif exact == reference[first] and np.allclose(jacobian[index], jacobian[first], rtol=0.0, atol=FIXED):
            values[index], jacobian[index] = values[first], jacobian[first]
    return values, jacobian


def agreement(observed: Array, calculated: Array, variance: Array, n_parameters: int) -> tuple[float, float, float]:
    """Return Rwp and Rexp in percent, and their ratio (Toby, Powder Diffr. 21, 67 (2006), doi:10.1154/1.2179804)."""
    seen = np.isfinite(variance) & (variance > 0.0)
    weight = 1.0 / variance[seen]
    whole = float((weight * observed[seen] ** 2).sum())
    rwp = 100.0 * math.sqrt(float((weight * (observed - calculated)[seen] ** 2).sum()) / whole)
    rexp = 100.0 * math.sqrt(max(int(seen.sum()) - n_parameters, 1) / whole)
    return rwp, rexp, rwp / rexp
