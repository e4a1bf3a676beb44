"""The whole-pattern model: profiles of phases over a grid of angles, with the derivatives that a fit needs.

Of each phase: lattice strains that keep the crystal system, crystallite size, microstrain, texture. Of each pattern:
zero error, sample displacement, width of the instrument. With ``q`` from `surrogate.xrd.lattice`, for the wavelength
``l``:

    2 theta   = 2 asin(l q / 2)
    position  = 2 theta + zero - displacement cos(theta)
    Lorentz   = 57.3 (0.9 l / (size cos(theta)) + 4 microstrain tan(theta))        full widths in degrees
    profile   = pseudo-Voigt of Thompson, Cox and Hastings, J. Appl. Cryst. 20, 79 (1987), doi:10.1107/S0021889887087090
    area      = strength LP ratio exp(c . Y - |c|^2 / 2)                            Y: `surrogate.xrd.texture`

A batch is a flat list of *entries*, each one phase in one *row*; a row is one hypothesis about one pattern. Everything
can be made of torch operations, so that it also runs on a GPU and autograd passes through it; the derivatives given are
analytic, and much cheaper. `surrogate.xrd.drawing` puts the peaks on the grid. On a CPU, without autograd, compiled
loops make the same (`surrogate.xrd.drawing_compiled`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surrogate.xrd.atlas import N_STRAIN, N_TEXTURE, Atlas
from surrogate.xrd.drawing import Peaks, drawn
from surrogate.xrd.drawing_compiled import HIGHEST_SINE, SCHERRER, draw_profiles
from surrogate.xrd.grid import Grid

SHARED = ("zero", "displacement", "log_width")
"""What all entries of a row have in common."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What the profiles of ``e`` entries in ``r`` rows depend on, but for their scales."""

    phase: Tensor
    """``e`` indices into the atlas."""
    row: Tensor
    """``e``, ascending."""
    strain: Tensor
    """``e x 6``."""
    texture: Tensor
    """``e x 8``."""
    log_size_nm: Tensor
    """``e``."""
    log_microstrain: Tensor
    """``e``."""
    kind: Tensor
    """``e`` numbers of March-Dollase distributions (`Atlas.kinds`) that textures are beside; 0 is none."""
    shared: Tensor
    """``r x 3``: zero and displacement in degrees, logarithm of the instrument's width in degrees."""

    @property
    def has_gradient(self) -> bool:
        """Return whether autograd is to pass through."""
        return self.shared.requires_grad or any(getattr(self, name).requires_grad for name in OWN)

    def with_(self, **changes: Tensor) -> Parameters:
        """Return parameters with some of them replaced."""
        return replace(self, **changes)

    def one(self, row: int) -> Parameters:
        """Return one row by itself."""
        entries = (self.row == row).nonzero()[:, 0]
        own = {name: getattr(self, name)[entries] for name in OWN}
        return Parameters(row=torch.zeros(len(entries), dtype=torch.int64), shared=self.shared[row : row + 1], **own)


OWN = ("phase", "strain", "texture", "log_size_nm", "log_microstrain", "kind")
"""What each entry has for itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiles:
    """Profiles at unit scale and their derivatives."""

    values: Tensor
    """``e x c x n``: columns are the profile and its derivatives by strains, texture, log size, log microstrain, and
    the row's zero, displacement and log width; only as many strains and textures as the batch has."""
    n_strain: int
    n_texture: int

    @property
    def profile(self) -> Tensor:
        """Return ``e x n``."""
        return self.values[:, 0]

    @property
    def own(self) -> Tensor:
        """Return ``e x (strains + textures + 2) x n`` derivatives by an entry's own parameters."""
        return self.values[:, 1:-3]

    @property
    def shared(self) -> Tensor:
        """Return ``e x 3 x n`` derivatives by the row's parameters."""
        return self.values[:, -3:]


def profiles(atlas: Atlas, grid: Grid, parameters: Parameters, *, with_derivatives: bool = True) -> Profiles:
    """Return the profiles of all entries, with their derivatives if wanted."""
    n_strain, n_texture = n_bent(atlas, parameters.phase) if with_derivatives else (0, 0)
    if parameters.shared.device.type == "cpu" and not (torch.is_grad_enabled() and parameters.has_gradient):
        values = _by_loops(atlas, grid, parameters, n_strain, n_texture, with_derivatives=with_derivatives)
    else:
        peaks = peaks_of(atlas, parameters, n_strain, n_texture, with_derivatives=with_derivatives)
        values = drawn(peaks, grid, len(parameters.phase))
    return Profiles(values=values, n_strain=n_strain, n_texture=n_texture)


def _by_loops(
    atlas: Atlas, grid: Grid, parameters: Parameters, n_strain: int, n_texture: int, *, with_derivatives: bool
) -> Tensor:
    counts = atlas.first[parameters.phase + 1] - atlas.first[parameters.phase]
    n_columns = 1 + (n_strain + n_texture + 5) * with_derivatives
    total = np.zeros((len(counts), n_columns, grid.n))
    draw_profiles(
        atlas.first.numpy(),
        atlas.q_squared.numpy(),
        atlas.by_strain.numpy(),
        atlas.harmonics.numpy(),
        atlas.strength.numpy(),
        np.array(atlas.radiation.wavelength_angstrom),
        np.array(_shares(atlas.radiation.ratio)),
        parameters.phase.numpy(),
        parameters.row.numpy(),
        _array(parameters.strain),
        _array(parameters.texture),
        _array(parameters.log_size_nm),
        _array(parameters.log_microstrain),
        _array(parameters.shared),
        _log_factors(atlas, parameters, counts, int(counts.sum())).numpy(),
        n_strain,
        n_texture,
        grid.start_deg,
        grid.step_deg,
        total,
    )
    return torch.from_numpy(total)


def _array(tensor: Tensor) -> NDArray[np.floating[Any]]:
    # one layout of memory only, so that loops are compiled once
    return tensor.detach().contiguous().numpy()


def positions_deg(atlas: Atlas, phase: int, parameters: Parameters, entry: int) -> Tensor:
    """Return where the reflections of an entry lie on the pattern's axis, for the strongest wavelength."""
    index = torch.arange(int(atlas.first[phase]), int(atlas.first[phase + 1]))
    q = torch.sqrt(atlas.q_squared[index] + atlas.by_strain[index] @ parameters.strain[entry])
    sine = (q * atlas.radiation.wavelength_angstrom[0] / 2.0).clamp(max=1.0)
    theta = torch.asin(sine)
    zero, displacement, _ = parameters.shared[parameters.row[entry]]
    return torch.rad2deg(2.0 * theta) + zero - displacement * torch.cos(theta)


def texture_log_factor(atlas: Atlas, parameters: Parameters, entry: int) -> Tensor:
    """Return ``m``: logarithms of what texture puts on an entry's reflections, but for a factor that all share."""
    phase, kind = int(parameters.phase[entry]), int(parameters.kind[entry])
    part = slice(int(atlas.first[phase]), int(atlas.first[phase + 1]))
    smooth = atlas.harmonics[part] @ parameters.texture[entry]
    return smooth + torch.tensor(atlas.kinds(phase).log_factor[kind], device=smooth.device) if kind else smooth


def n_bent(atlas: Atlas, phase: Tensor) -> tuple[int, int]:
    """Return how many strains and harmonics any of ``e`` phases has."""
    return _used(atlas.strain_sd[phase], N_STRAIN), _used(atlas.texture_sd[phase], N_TEXTURE)


def _used(sd: Tensor, most: int) -> int:
    """Return how many leading columns any entry uses."""
    used = (sd > 0).any(dim=0)
    return int(most - int(used.flip(0).to(torch.int64).argmax())) if bool(used.any()) else 0


def peaks_of(atlas: Atlas, parameters: Parameters, n_strain: int, n_texture: int, *, with_derivatives: bool) -> Peaks:
    """Return all peaks of all entries, with what each adds to each column."""
    first, last = atlas.first[parameters.phase], atlas.first[parameters.phase + 1]
    counts = last - first
    entry = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    offset = torch.cumsum(counts, 0) - counts
    index = torch.arange(len(entry), device=entry.device) - offset[entry] + first[entry]
    like = {"dtype": torch.float64, "device": entry.device}
    wavelength = torch.tensor(atlas.radiation.wavelength_angstrom, **like)
    share = torch.tensor(_shares(atlas.radiation.ratio), **like)
    n_lines = len(wavelength)
    return _lines(
        atlas,
        parameters,
        entry.repeat(n_lines),
        index.repeat(n_lines),
        wavelength.repeat_interleave(len(entry)),
        share.repeat_interleave(len(entry)),
        _log_factors(atlas, parameters, counts, len(entry)).repeat(n_lines),
        n_strain,
        n_texture,
        with_derivatives,
    )


def _log_factors(atlas: Atlas, parameters: Parameters, counts: Tensor, n: int) -> Tensor:
    """Return the logarithms of the entries' March-Dollase factors, one after the other, ``n`` in all."""
    found = torch.zeros(n, dtype=torch.float64, device=counts.device)
    entries = parameters.kind.nonzero()[:, 0].tolist()
    if entries:
        last = torch.cumsum(counts, 0).tolist()
        for entry in entries:
            factors = atlas.kinds(int(parameters.phase[entry])).log_factor[int(parameters.kind[entry])]
            found[last[entry] - len(factors) : last[entry]] = torch.tensor(factors, device=counts.device)
    return found


def _shares(ratio: tuple[float, ...]) -> list[float]:
    return [one / sum(ratio) for one in ratio]


def _lines(
    atlas: Atlas,
    parameters: Parameters,
    entry: Tensor,
    index: Tensor,
    wavelength: Tensor,
    share: Tensor,
    log_factor: Tensor,
    n_strain: int,
    n_texture: int,
    with_derivatives: bool,
) -> Peaks:
    by_strain = atlas.by_strain[index]
    q = torch.sqrt(atlas.q_squared[index] + (by_strain * parameters.strain[entry]).sum(1))
    kept = (q * (wavelength / 2.0) < HIGHEST_SINE).nonzero()[:, 0]
    entry, index, q, by_strain, half = entry[kept], index[kept], q[kept], by_strain[kept], wavelength[kept] / 2.0
    harmonics, texture = atlas.harmonics[index], parameters.texture[entry]
    shared = parameters.shared[parameters.row[entry]]
    sine = q * half
    cosine = torch.sqrt(1.0 - sine**2)
    centre = torch.rad2deg(2.0 * torch.asin(sine)) + shared[:, 0] - shared[:, 1] * cosine
    size = math.degrees(SCHERRER * 0.2) * half * torch.exp(-parameters.log_size_nm[entry]) / cosine
    strain = math.degrees(4.0) * torch.exp(parameters.log_microstrain[entry]) * sine / cosine
    gauss = torch.exp(shared[:, 2])
    factor = torch.exp((harmonics * texture).sum(1) - 0.5 * (texture**2).sum(1) + log_factor[kept])
    polarisation = (1.0 + (1.0 - 2.0 * sine**2) ** 2) / (sine**2 * cosine)
    relative = atlas.strength[index] * polarisation
    area = share[kept] * relative * factor
    columns = torch.zeros(
        len(area), 4, 1 + (n_strain + n_texture + 5) * with_derivatives, dtype=area.dtype, device=area.device
    )
    columns[:, 0, 0] = area
    if with_derivatives:
        by_q = math.degrees(1.0) * half / (cosine * q)
        after = 1 + n_strain + n_texture
        columns[:, 1, 1 : 1 + n_strain] = (area * by_q)[:, None] * by_strain[:, :n_strain]
        columns[:, 0, 1 + n_strain : after] = area[:, None] * (harmonics - texture)[:, :n_texture]
        columns[:, 2, after] = -area * size
        columns[:, 2, after + 1] = area * strain
        columns[:, 1, after + 2] = area
        columns[:, 1, after + 3] = -area * cosine
        columns[:, 3, after + 4] = area * gauss
    return Peaks(entry=entry, centre=centre, gauss=gauss, lorentz=size + strain, columns=columns, relative=relative)
