"""Batches that a network learns from: generated patterns as it sees them, with what it should say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, binary_cross_entropy_with_logits, pad

from surrogate.xrd.atlas import Atlas, make_atlas
from surrogate.xrd.generate import LEVELS, GeneratedBatch, GeneratorSettings, generate
from surrogate.xrd.grid import Grid
from surrogate.xrd.library import Library, embedded_library
from surrogate.xrd.network_input import network_input
from surrogate.xrd.phase import Phase

TRAINING_GRID = Grid(start_deg=8.0, step_deg=0.04, n=1851)
"""A little more than the network sees."""
SHARE_LOSS = 0.1
"""Weight of the cross-entropy of weight fractions beside that of presence."""
SMOOTHED_POINTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What patterns are made of: the phases of a library, and behind them those that only strangers are."""

    atlas: Atlas
    n_known: int
    library_key: str
    names: tuple[str, ...]

    @property
    def stranger_keys(self) -> tuple[str, ...]:
        """Return the keys of the phases behind the library."""
        return tuple(phase.key for phase in self.atlas.phases[self.n_known :])

    def to(self, device: torch.device) -> World:
        """Return the same world on another device."""
        return replace(self, atlas=self.atlas.to(device))


def make_world(library: Library, *, strangers: Sequence[Phase] | None = None, highest_deg: float = 92.0) -> World:
    """Gather the lines of a library and of strangers: the embedded phases that it does not have, if none are given.

    Raises:
        ValueError: The library is empty.
    """
    if not library.phases:
        raise ValueError("the library has no phases; a network needs at least one")
    if strangers is None:
        known = {phase.key for phase in library.phases} | {phase.name for phase in library.phases}
        every = embedded_library().phases
        strangers = [phase for phase in every if phase.key not in known and phase.name not in known]
    return World(
        atlas=make_atlas([*library.phases, *strangers], highest_deg=highest_deg),
        n_known=len(library.phases),
        library_key=library.key,
        names=tuple(phase.name for phase in library.phases),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """``b`` patterns as the network sees them, and what is true of them."""

    inputs: Tensor
    """``b x 3 x bins``."""
    present: Tensor
    """``b x (p + 1)``: 1 where a phase is present, or its probability; the unknown stands last."""
    share: Tensor
    """``b x (p + 1)`` weight fractions."""


def training_settings(level: str, *, n_known: int, has_strangers: bool) -> GeneratorSettings:
    """Return a level's settings, on the network's range and with strangers at all levels."""
    settings = LEVELS[level]
    most = max(1, min(settings.n_phases[1], n_known))
    strangers = settings.n_strangers if settings.n_strangers[1] else (0, 1)
    return replace(
        settings,
        grid=TRAINING_GRID,
        n_phases=(1, most),
        n_strangers=strangers if has_strangers else (0, 0),
        stranger_weight=(max(settings.least_weight, 0.05), 0.4),
    )


def lesson(
    world: World, settings: GeneratorSettings, n: int, generator: torch.Generator, *, cut_deg: float = 15.0
) -> Lesson:
    """Generate patterns to learn from; up to so many degrees are missing at each end of half of them."""
    batch = generate(world.atlas, settings, n, generator, n_known=world.n_known)
    variance = _cut(batch, counting_variance(batch.counts), generator, cut_deg)
    wavelength = world.atlas.radiation.wavelength_angstrom[0]
    share = torch.cat([batch.weights, batch.stranger_weight[:, None]], dim=1).to(torch.float32)
    return Lesson(
        inputs=network_input(batch.grid, batch.counts, variance, wavelength),
        present=(share > 0.0).to(torch.float32),
        share=share,
    )


def counting_variance(counts: Tensor) -> Tensor:
    """Return the variance of ``b x n`` counts, better told by the neighbours of a point than by itself alone."""
    half = SMOOTHED_POINTS // 2
    return avg_pool1d(pad(counts[:, None], (half, half), mode="replicate"), SMOOTHED_POINTS, stride=1)[:, 0] + 1.0


def _cut(batch: GeneratedBatch, variance: Tensor, generator: torch.Generator, cut_deg: float) -> Tensor:
    """Give no weight to what lies beyond random ends."""
    n = len(variance)
    ends = torch.rand(n, 3, generator=generator, device=variance.device)
    missing = cut_deg * ends[:, :2] * (ends[:, 2:] < 0.5)
    point = torch.arange(batch.grid.n, device=variance.device)[None] * batch.grid.step_deg
    length = (batch.grid.n - 1) * batch.grid.step_deg
    outside = (point < missing[:, :1]) | (point > length - missing[:, 1:])
    return torch.where(outside, torch.inf, variance)


def loss_of(logits: Tensor, truth: Lesson) -> Tensor:
    """Return the cross-entropy of presence, summed over phases, and of shares."""
    n = truth.present.shape[1]
    presence = binary_cross_entropy_with_logits(logits[:, :n], truth.present, reduction="sum") / len(logits)
    shares = -(truth.share * torch.log_softmax(logits[:, n:], dim=1)).sum(1).mean()
    return presence + SHARE_LOSS * shares
