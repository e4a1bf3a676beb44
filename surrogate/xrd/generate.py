"""Powder patterns for training, drawn from the forward model of `surrogate.xrd.model`.

Which phases, how much of each, cells, sizes, texture, alignment, background and counts are drawn from ranges. The
levels L0 (clean) to L3 (brutal) are those that identification is measured at, as far as our own model knows their
physics; patterns that it does not know come from elsewhere. A pattern may also hold *strangers*: phases that a network
shall call unknown.

The same settings, number and generator state give the same patterns on one device; on a GPU sums may differ in their
last bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from surrogate.formats.record import Radiation
from surrogate.xrd.atlas import Atlas
from surrogate.xrd.generate_background import Background, drawn_background
from surrogate.xrd.generate_draw import drawn
from surrogate.xrd.grid import Grid
from surrogate.xrd.lattice import DIAGONAL_SD
from surrogate.xrd.model import Parameters
from surrogate.xrd.texture import SD

VERSION = 2
"""Of what the same settings and seed give."""
Range = tuple[float, float]

MARCH_TO_HARMONIC = SD / math.log(1.25)
"""Coefficient of order 2 for the logarithm of a March-Dollase parameter; see `surrogate.xrd.texture.SD`."""
K_BETA = 1.39225 / 1.540598
"""Copper K-beta over K-alpha 1 (Hoelzer et al., doi:10.1103/PhysRevA.56.4554)."""
WIDE = Grid(start_deg=10.0, step_deg=0.02, n=3501)


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorSettings:
    """What patterns may be like. Pairs are lowest and highest; values that may be zero are drawn uniformly, sizes,
    widths, texture and counts uniformly in their logarithm."""

    strain: float = 0.0
    """Largest relative change of a reciprocal edge; cosines of angles change by a little more than half of it."""
    zero_deg: float = 0.0
    """Largest error of the axis."""
    displacement_deg: float = 0.0
    size_nm: Range = (100.0, 100.0)
    microstrain: Range = (1e-5, 1e-5)
    instrument_deg: Range = (0.04, 0.1)
    """Gaussian full width."""
    texture: Range = (1.0, 1.0)
    """March-Dollase parameter of about the same strength."""
    background: Background = field(default_factory=Background)
    peak_counts: Range = (1e5, 1e5)
    """Of the strongest peak."""
    has_k_alpha_2: bool = True
    """False: the first wavelength alone."""
    k_beta: Range = (0.0, 0.0)
    """Over K-alpha; one value for a batch."""
    n_phases: tuple[int, int] = (1, 4)
    """Of the library."""
    least_weight: float = 0.05
    n_strangers: tuple[int, int] = (0, 0)
    stranger_weight: Range = (0.05, 0.4)
    stranger_strain: Range = (0.04, 0.15)
    """Of those strangers that are phases of the library with edges far from theirs."""
    grid: Grid = WIDE


LEVELS = {
    "L0": GeneratorSettings(has_k_alpha_2=False),
    "L1": GeneratorSettings(
        strain=0.003,
        zero_deg=0.03,
        displacement_deg=0.03,
        size_nm=(30.0, 100.0),
        microstrain=(1e-5, 8e-4),
        texture=(0.8, 1.25),
        background=Background(level=(0.01, 0.08), degree=4),
        peak_counts=(2e4, 2e4),
    ),
    "L2": GeneratorSettings(
        strain=0.01,
        zero_deg=0.08,
        displacement_deg=0.08,
        size_nm=(10.0, 50.0),
        microstrain=(1e-5, 2e-3),
        texture=(0.6, 1.6),
        background=Background(level=(0.02, 0.2), degree=6, hump=(0.0, 0.2)),
        peak_counts=(3e3, 3e3),
        k_beta=(0.0, 0.01),
        least_weight=0.02,
    ),
    "L3": GeneratorSettings(
        strain=0.02,
        zero_deg=0.2,
        displacement_deg=0.15,
        size_nm=(5.0, 30.0),
        microstrain=(1e-5, 4e-3),
        texture=(0.4, 2.5),
        background=Background(level=(0.05, 0.5), degree=6, hump=(0.0, 0.4), drift=0.05),
        peak_counts=(500.0, 500.0),
        k_beta=(0.0, 0.02),
        least_weight=0.02,
        n_strangers=(0, 2),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedBatch:
    """``n`` patterns and the truth about them."""

    grid: Grid
    counts: Tensor
    """``n x points``, whole numbers in single precision."""
    weights: Tensor
    """``n x p`` weight fractions of the library's phases; with `stranger_weight`, a row's sum is 1."""
    stranger_weight: Tensor
    """``n``: of all that the library does not have."""
    parameters: Parameters
    """Cells, sizes and texture of each phase of each pattern (strangers included), and alignment of each pattern."""
    is_stranger: Tensor
    """``e``, of the entries of `parameters`."""


def generate(
    atlas: Atlas, settings: GeneratorSettings, n: int, generator: torch.Generator, *, n_known: int | None = None
) -> GeneratedBatch:
    """Draw ``n`` patterns on the device of the atlas.

    Args:
        atlas: The library, and behind it what else strangers may be.
        settings: What patterns may be like.
        n: How many.
        generator: On the atlas's device.
        n_known: How many phases of the atlas are the library: the first ones; all if not given.

    Raises:
        ValueError: The library has fewer phases than a pattern may have.
    """
    n_known = atlas.n_phases if n_known is None else n_known
    if not settings.n_phases[1] <= n_known <= atlas.n_phases:
        raise ValueError(
            f"patterns of up to {settings.n_phases[1]} phases cannot be made from {n_known} of {atlas.n_phases} phases"
        )
    draw = Draws(generator)
    phase, weight, is_stranger = _mixtures(settings, n, n_known, atlas.n_phases, draw)
    used = weight > 0.0
    row = used.nonzero()[:, 0]
    phase, weight, is_stranger = phase[used], weight[used], is_stranger[used]
    parameters = _parameters(atlas, settings, phase, row, n, is_stranger & (phase < n_known), draw)
    return GeneratedBatch(
        grid=settings.grid,
        counts=torch.poisson(_expected(atlas, settings, parameters, weight, draw), generator=generator),
        weights=_by_phase(phase, row, torch.where(is_stranger, 0.0, weight), n, n_known),
        stranger_weight=torch.zeros(n, dtype=weight.dtype, device=weight.device).index_add(
            0, row, torch.where(is_stranger, weight, 0.0)
        ),
        parameters=parameters,
        is_stranger=is_stranger,
    )


class Draws:
    """Random numbers of one generator, in double precision on its device."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Draw uniformly."""
        unit = torch.rand(shape, generator=self.generator, device=self.generator.device, dtype=torch.float64)
        return low + (high - low) * unit

    def log_uniform(self, limits: Range, *shape: int) -> Tensor:
        """Draw the logarithms of values uniform in their logarithm."""
        return self.uniform(math.log(limits[0]), math.log(limits[1]), *shape)

    def whole(self, limits: tuple[int, int], *shape: int) -> Tensor:
        """Draw whole numbers, both limits included."""
        return torch.randint(limits[0], limits[1] + 1, shape, generator=self.generator, device=self.generator.device)

    def normal(self, *shape: int) -> Tensor:
        """Draw from the standard normal distribution."""
        return torch.randn(shape, generator=self.generator, device=self.generator.device, dtype=torch.float64)


def _mixtures(
    settings: GeneratorSettings, n: int, n_known: int, n_all: int, draw: Draws
) -> tuple[Tensor, Tensor, Tensor]:
    """Return, ``n x slots``: phases, weights (zero for a slot that is not used), and which slots are strangers."""
    most, strangers = settings.n_phases[1], settings.n_strangers[1]
    known = draw.uniform(0.0, 1.0, n, n_known).topk(most, dim=1).indices
    slot = torch.arange(most, device=known.device)
    used = slot < draw.whole(settings.n_phases, n, 1)
    parts = -torch.log(draw.uniform(1e-12, 1.0, n, most)) * used
    lacking = draw.uniform(*settings.stranger_weight, n, strangers)
    lacking = lacking * (torch.arange(strangers, device=known.device) < draw.whole(settings.n_strangers, n, 1))
    left = 1.0 - lacking.sum(1, keepdim=True)
    free = left - settings.least_weight * used.sum(1, keepdim=True)
    weights = (settings.least_weight + free * parts / parts.sum(1, keepdim=True)) * used
    return (
        torch.cat([known, _strangers(n, strangers, n_known, n_all, draw)], dim=1),
        torch.cat([weights, lacking], dim=1),
        torch.cat([torch.zeros_like(used), torch.ones_like(lacking, dtype=torch.bool)], dim=1),
    )


def _strangers(n: int, slots: int, n_known: int, n_all: int, draw: Draws) -> Tensor:
    """Return ``n x slots`` phases: half of them from behind the library, if there are any, else from the library."""
    inside = draw.whole((0, n_known - 1), n, slots)
    if n_all == n_known:
        return inside
    outside = draw.whole((n_known, n_all - 1), n, slots)
    return torch.where(draw.uniform(0.0, 1.0, n, slots) < 0.5, inside, outside)


def _parameters(
    atlas: Atlas, settings: GeneratorSettings, phase: Tensor, row: Tensor, n: int, is_far: Tensor, draw: Draws
) -> Parameters:
    e = len(phase)
    shared = [
        draw.uniform(-settings.zero_deg, settings.zero_deg, n),
        draw.uniform(-settings.displacement_deg, settings.displacement_deg, n),
        draw.log_uniform(settings.instrument_deg, n),
    ]
    sign = torch.sign(draw.uniform(-1.0, 1.0, e, 1))
    far = sign * draw.uniform(*settings.stranger_strain, e, 1) * -2.0 * atlas.isotropic[phase]
    near = _strain(atlas, settings, phase, draw)
    return Parameters(
        phase=phase,
        row=row,
        strain=torch.where(is_far[:, None], near + far, near),
        texture=_texture(atlas, settings, phase, draw),
        log_size_nm=draw.log_uniform(settings.size_nm, e),
        log_microstrain=draw.log_uniform(settings.microstrain, e),
        kind=torch.zeros_like(phase),
        shared=torch.stack(shared, dim=1),
    )


def _strain(atlas: Atlas, settings: GeneratorSettings, phase: Tensor, draw: Draws) -> Tensor:
    """Return ``e x 6`` strains: a part that scales the cell, and a part of each free parameter's own."""
    e, columns = len(phase), atlas.strain_sd.shape[1]
    share = draw.uniform(0.0, 1.0, e, 1)
    same = draw.uniform(-1.0, 1.0, e, 1) * atlas.isotropic[phase]
    own = draw.uniform(-1.0, 1.0, e, columns) * atlas.strain_sd[phase] / DIAGONAL_SD
    # squared reciprocal spacings change by two parts for one of an edge
    return 2.0 * settings.strain * (share * same + (1.0 - share) * own)


def _texture(atlas: Atlas, settings: GeneratorSettings, phase: Tensor, draw: Draws) -> Tensor:
    """Return ``e x 8`` coefficients, in a direction at random among those that a lattice has."""
    sd = atlas.texture_sd[phase]
    direction = draw.normal(*sd.shape) * sd
    direction = direction / direction.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return MARCH_TO_HARMONIC * draw.log_uniform(settings.texture, len(phase), 1) * direction


def _expected(atlas: Atlas, settings: GeneratorSettings, parameters: Parameters, weight: Tensor, draw: Draws) -> Tensor:
    """Return ``n x points`` expected counts, in single precision."""
    scale = weight / atlas.weight_per_scale[parameters.phase]
    # of another order of magnitude for each library: one makes them moderate
    scale = scale * atlas.weight_per_scale.median()
    lit = replace(atlas, radiation=_radiation(atlas.radiation, settings, draw))
    peaks = drawn(lit, settings.grid, parameters, scale)
    peaks = peaks / peaks.amax(1, keepdim=True).clamp(min=1e-30)
    n = len(peaks)
    under = drawn_background(settings.background, settings.grid, n, draw.uniform)
    counts = torch.exp(draw.log_uniform(settings.peak_counts, n, 1)).to(peaks.dtype)
    return counts * under.drift * (peaks + under.values)


def _radiation(radiation: Radiation, settings: GeneratorSettings, draw: Draws) -> Radiation:
    wavelengths, ratios = radiation.wavelength_angstrom, radiation.ratio
    if not settings.has_k_alpha_2:
        wavelengths, ratios = wavelengths[:1], ratios[:1]
    if settings.k_beta[1] > 0.0:
        beta = float(draw.uniform(*settings.k_beta, 1)) * sum(ratios)
        wavelengths, ratios = (*wavelengths, wavelengths[0] * K_BETA), (*ratios, beta)
    return Radiation(wavelength_angstrom=wavelengths, ratio=ratios)


def _by_phase(phase: Tensor, row: Tensor, weight: Tensor, n: int, n_known: int) -> Tensor:
    """Return ``n x p`` weights from entries; those of phases behind the library are zero and left out."""
    inside = phase < n_known
    flat = torch.zeros(n * n_known, dtype=weight.dtype, device=weight.device)
    index = (row * n_known + phase)[inside]
    return flat.index_add(0, index, weight[inside]).reshape(n, n_known)
