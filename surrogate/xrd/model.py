"""The whole-pattern model: profiles of phases over a grid of angles, with the derivatives that a fit needs.

Of each phase: lattice strains that keep the crystal system, crystallite size, microstrain, texture. Of each pattern:
zero error, sample displacement, width of the instrument. With ``q`` from `surrogate.xrd.lattice`, for the wavelength
``l``:

    2 theta   = 2 asin(l q / 2)
    position  = 2 theta + zero - displacement cos(theta)
    Lorentz   = 57.3 (0.9 l / (size cos(theta)) + 4 microstrain tan(theta))        full widths in degrees
    profile   = pseudo-Voigt of Thompson, Cox and Hastings, J. Appl. Cryst. 20, 79 (1987), doi:10.1107/S0021889887087090
    area      = strength LP ratio exp(c . Y - |c|^2 / 2)                            Y: `surrogate.xrd.texture`

A batch is a flat list of *entries*, each one phase in one *row*; a row is one hypothesis about one pattern. Peaks are
drawn within windows of their own widths only. Everything is made of torch operations, so that it also runs on a GPU and
autograd passes through it; the derivatives given are analytic, and much cheaper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from surrogate.xrd.atlas import N_STRAIN, N_TEXTURE, Atlas

SCHERRER = 0.9
NARROWEST_DEG = 0.01
WINDOW_WIDTHS = 3.0
"""Half a window in full widths, for the weakest peak; a strong one gets up to `STRONG_WIDTHS` more."""
STRONG_WIDTHS = 10.0
DRAWN = torch.float32
"""Shapes of peaks are drawn in single precision, from distances computed in double; all sums of a fit are double."""
_HALF_WINDOWS = (10, 17, 28, 46, 76, 125, 210, 400, 1024, 2048)

SHARED = ("zero", "displacement", "log_width")
"""What all entries of a row have in common."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Equally spaced angles."""

    start_deg: float
    step_deg: float
    n: int

    @property
    def two_theta_deg(self) -> Tensor:
        """Return the ``n`` angles."""
        return self.start_deg + self.step_deg * torch.arange(self.n, dtype=torch.float64)


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
    shared: Tensor
    """``r x 3``: zero and displacement in degrees, logarithm of the instrument's width in degrees."""

    def with_(self, **changes: Tensor) -> Parameters:
        """Return parameters with some of them replaced."""
        return replace(self, **changes)

    def one(self, row: int) -> Parameters:
        """Return one row by itself."""
        entries = (self.row == row).nonzero()[:, 0]
        own = {name: getattr(self, name)[entries] for name in OWN}
        return Parameters(row=torch.zeros(len(entries), dtype=torch.int64), shared=self.shared[row : row + 1], **own)


OWN = ("phase", "strain", "texture", "log_size_nm", "log_microstrain")
"""What each entry has for itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiles:
    """Profiles at unit scale and their derivatives."""

    values: Tensor
    """``e x n x c``: columns are the profile and its derivatives by strains, texture, log size, log microstrain, and
    the row's zero, displacement and log width; only as many strains and textures as the batch has."""
    n_strain: int
    n_texture: int

    @property
    def profile(self) -> Tensor:
        """Return ``e x n``."""
        return self.values[..., 0]

    @property
    def own(self) -> Tensor:
        """Return ``e x n x (strains + textures + 2)`` derivatives by an entry's own parameters."""
        return self.values[..., 1:-3]

    @property
    def shared(self) -> Tensor:
        """Return ``e x n x 3`` derivatives by the row's parameters."""
        return self.values[..., -3:]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Peaks:
    """``k`` drawn peaks: each line of the radiation of each reflection of each entry."""

    entry: Tensor
    centre: Tensor
    gauss: Tensor
    lorentz: Tensor
    columns: Tensor
    """``k x 4 x c``: how much of profile, and of its derivatives by position, Lorentz width and Gauss width, goes into
    each column."""
    relative: Tensor
    """Height of the peak relative to the phase's strongest, about."""


def profiles(atlas: Atlas, grid: Grid, parameters: Parameters, *, with_derivatives: bool = True) -> Profiles:
    """Return the profiles of all entries, with their derivatives if wanted."""
    n_strain = _used(atlas.strain_sd[parameters.phase], N_STRAIN) if with_derivatives else 0
    n_texture = _used(atlas.texture_sd[parameters.phase], N_TEXTURE) if with_derivatives else 0
    peaks = peaks_of(atlas, parameters, n_strain, n_texture, with_derivatives=with_derivatives)
    values = _drawn(peaks, grid, len(parameters.phase), with_derivatives=with_derivatives)
    return Profiles(values=values, n_strain=n_strain, n_texture=n_texture)


def positions_deg(atlas: Atlas, phase: int, parameters: Parameters, entry: int) -> Tensor:
    """Return where the reflections of an entry lie on the pattern's axis, for the strongest wavelength."""
    index = torch.arange(int(atlas.first[phase]), int(atlas.first[phase + 1]))
    q = torch.sqrt(atlas.q_squared[index] + atlas.by_strain[index] @ parameters.strain[entry])
    sine = (q * atlas.radiation.wavelength_angstrom[0] / 2.0).clamp(max=1.0)
    theta = torch.asin(sine)
    zero, displacement, _ = parameters.shared[parameters.row[entry]]
    return torch.rad2deg(2.0 * theta) + zero - displacement * torch.cos(theta)


def _used(sd: Tensor, most: int) -> int:
    """Return how many leading columns any entry uses."""
    used = (sd > 0).any(dim=0)
    return int(most - int(used.flip(0).to(torch.int64).argmax())) if bool(used.any()) else 0


def peaks_of(atlas: Atlas, parameters: Parameters, n_strain: int, n_texture: int, *, with_derivatives: bool) -> _Peaks:
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
        n_strain,
        n_texture,
        with_derivatives,
    )


def _shares(ratio: tuple[float, ...]) -> list[float]:
    return [one / sum(ratio) for one in ratio]


def _lines(
    atlas: Atlas,
    parameters: Parameters,
    entry: Tensor,
    index: Tensor,
    wavelength: Tensor,
    share: Tensor,
    n_strain: int,
    n_texture: int,
    with_derivatives: bool,
) -> _Peaks:
    by_strain = atlas.by_strain[index]
    q = torch.sqrt(atlas.q_squared[index] + (by_strain * parameters.strain[entry]).sum(1))
    kept = (q * (wavelength / 2.0) < 0.9995).nonzero()[:, 0]
    entry, index, q, by_strain, half = entry[kept], index[kept], q[kept], by_strain[kept], wavelength[kept] / 2.0
    harmonics, texture = atlas.harmonics[index], parameters.texture[entry]
    shared = parameters.shared[parameters.row[entry]]
    sine = q * half
    cosine = torch.sqrt(1.0 - sine**2)
    centre = torch.rad2deg(2.0 * torch.asin(sine)) + shared[:, 0] - shared[:, 1] * cosine
    size = math.degrees(SCHERRER * 0.2) * half * torch.exp(-parameters.log_size_nm[entry]) / cosine
    strain = math.degrees(4.0) * torch.exp(parameters.log_microstrain[entry]) * sine / cosine
    gauss = torch.exp(shared[:, 2])
    factor = torch.exp((harmonics * texture).sum(1) - 0.5 * (texture**2).sum(1))
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
    return _Peaks(entry=entry, centre=centre, gauss=gauss, lorentz=size + strain, columns=columns, relative=relative)


def _drawn(peaks: _Peaks, grid: Grid, n_entries: int, *, with_derivatives: bool) -> Tensor:
    width, mixing, by_width = pseudo_voigt_shape(peaks.gauss, peaks.lorentz)
    reach = WINDOW_WIDTHS + STRONG_WIDTHS * torch.sqrt(peaks.relative.clamp(0.0, 1.0))
    halves = reach * width.detach() / grid.step_deg
    nearest = torch.round((peaks.centre.detach() - grid.start_deg) / grid.step_deg)
    off_step = nearest * grid.step_deg + grid.start_deg - peaks.centre
    shapes = torch.stack([off_step, width, mixing, *by_width]).to(DRAWN)
    columns = peaks.columns.to(DRAWN)
    n_columns = columns.shape[2]
    total = torch.zeros(n_entries, grid.n, n_columns, dtype=DRAWN, device=columns.device)
    low = 0.0
    for half in _HALF_WINDOWS:
        is_last = half == _HALF_WINDOWS[-1]
        chosen = (halves > low) & ((halves <= half) | is_last) & (nearest > -half) & (nearest < grid.n + half)
        low = float(half)
        picked = chosen.nonzero()[:, 0]
        if not len(picked):
            continue
        # a margin on both sides takes what falls outside of the grid
        padded = grid.n + 4 * half
        first = peaks.entry[picked] * padded + nearest[picked].to(torch.int64) + half
        drawn = _windows(shapes[:, picked], columns[picked], half, grid.step_deg, with_derivatives=with_derivatives)
        index = (first[:, None] + torch.arange(2 * half + 1, device=first.device)).reshape(-1)
        margin = torch.zeros(n_entries * padded, n_columns, dtype=DRAWN, device=columns.device)
        margin = margin.index_add(0, index, drawn.reshape(-1, n_columns))
        total = total + margin.reshape(n_entries, padded, -1)[:, 2 * half : 2 * half + grid.n]
    return total.to(peaks.columns.dtype)


def _windows(shapes: Tensor, columns: Tensor, half: int, step_deg: float, *, with_derivatives: bool) -> Tensor:
    """Return ``k x (2 half + 1) x c``: peaks with all their columns, within ``half`` steps of the nearest one."""
    off_step, f, eta, f_lorentz, f_gauss, eta_lorentz, eta_gauss = shapes[:, :, None]
    away = off_step + step_deg * torch.arange(-half, half + 1, dtype=shapes.dtype, device=shapes.device)
    scaled = (2.0 * away / f) ** 2
    lorentz = (2.0 / math.pi) / f / (1.0 + scaled)
    gauss = (2.0 * math.sqrt(math.log(2.0) / math.pi)) / f * torch.special.exp2(-scaled.clamp(max=60.0))
    profile = eta * lorentz + (1.0 - eta) * gauss
    if not with_derivatives:
        return profile[:, :, None] * columns[:, None, 0]
    steep = eta * lorentz / (1.0 + scaled) + (1.0 - eta) * math.log(2.0) * gauss
    by_f = (2.0 * scaled * steep - profile) / f
    by_eta = lorentz - gauss
    kinds = [
        profile,
        (8.0 * away / f**2) * steep,
        by_f * f_lorentz + by_eta * eta_lorentz,
        by_f * f_gauss + by_eta * eta_gauss,
    ]
    return torch.bmm(torch.stack(kinds, dim=2), columns)


_TCH = (2.69269, 2.42843, 4.47163, 0.07842)


def pseudo_voigt_shape(gauss: Tensor, lorentz: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Return full width, Lorentz share, and the derivatives of both by the Lorentz and Gauss widths."""
    g, l = gauss.clamp(min=NARROWEST_DEG), lorentz.clamp(min=1e-6)  # noqa: E741
    a, b, c, d = _TCH
    g2, l2 = g * g, l * l
    g3, l3 = g2 * g, l2 * l
    g4, l4 = g2 * g2, l2 * l2
    fifth = g4 * g + a * g4 * l + b * g3 * l2 + c * g2 * l3 + d * g * l4 + l4 * l
    f = fifth**0.2
    by_lorentz = a * g4 + 2 * b * g3 * l + 3 * c * g2 * l2 + 4 * d * g * l3 + 5 * l4
    by_gauss = 5 * g4 + 4 * a * g3 * l + 3 * b * g2 * l2 + 2 * c * g * l3 + d * l4
    f_lorentz, f_gauss = (one * f / (5.0 * fifth) for one in (by_lorentz, by_gauss))
    x = l / f
    eta = x * (1.36603 - x * (0.47719 - 0.11116 * x))
    by_x = 1.36603 - x * (2 * 0.47719 - 3 * 0.11116 * x)
    return f, eta, (f_lorentz, f_gauss, by_x * (1.0 - x * f_lorentz) / f, -by_x * x * f_gauss / f)
