"""Simulated patterns with known truth, for the figures of identification: half of each level from either simulator.

``device``: the simulated diffractometer (`simulators.materials.powder`), whose physics the fit does not know:
aberrations, faults, anisotropic sizes and strains, spotty powders, dead time. ``model``: the generator of the
analysis's own forward model (`surrogate.xrd.generate`). The library holds 60 phases; unknown ones come from the other
embedded structures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from simulators.materials.powder.levels import LEVELS as DEVICE_LEVELS
from simulators.materials.powder.library import structures
from simulators.materials.powder.pattern import Scan as DeviceScan
from simulators.materials.powder.pattern import simulate
from simulators.materials.powder.specimen import Mixture, Share
from surrogate.formats.record import Axis, Radiation, Scan, counted
from surrogate.xrd.atlas import COPPER, Atlas, make_atlas
from surrogate.xrd.generate import LEVELS as MODEL_LEVELS
from surrogate.xrd.generate import generate
from surrogate.xrd.lattice import cell_of, strain_basis, strained_metric
from surrogate.xrd.library import Library, embedded_library
from surrogate.xrd.model import profiles

PHASES = [
    "anatase", "rutile", "brookite", "cassiterite", "pyrolusite", "alpha-Bi2O3", "beta-Bi2O3", "gamma-Bi2O3",
    "delta-Bi2O3", "Bi2Ti2O7", "Bi4Ti3O12", "baddeleyite", "ZrO2-tetragonal", "ZrO2-cubic", "quartz", "cristobalite",
    "romarchite", "litharge", "massicot", "tenorite", "cuprite", "corundum", "hematite", "eskolaite", "periclase",
    "bunsenite", "lime", "halite", "sylvite", "zincite", "sphalerite", "cerianite", "fluorite", "In2O3", "Y2O3",
    "spinel", "gahnite", "magnetite", "Co3O4", "LiMn2O4", "calcite", "magnesite", "aragonite", "witherite",
    "BaTiO3-tetragonal", "BaTiO3-cubic", "tausonite", "perovskite", "YBa2Cu3O7", "LiCoO2", "triphylite", "WO3",
    "molybdite", "shcherbinaite", "La2O3", "La(OH)3", "portlandite", "brucite", "goethite", "silicon",
]  # fmt: skip
"""60 phases, 54 polymorph or isostructural pairs among them (`surrogate.xrd.library.pairs`)."""
SOURCES = ("device", "model")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A pattern and what it truly is."""

    level: str
    source: str
    seed: int
    scan: Scan
    weights: dict[str, float]
    """Of the library's phases, among each other."""
    cells: dict[str, tuple[float, ...]]
    unknown: dict[str, float]
    """Prominence of each phase that the library lacks: its strongest peak in standard deviations of the counts."""


def library() -> Library:
    """Return the 60 phases."""
    return embedded_library(PHASES)


def cases(level: str, n: int, first_seed: int, *, n_unknown: tuple[int, int] | None = None) -> Iterator[Case]:
    """Yield ``n`` patterns of a level, from both simulators in turn."""
    batch = _ModelCases(level, first_seed, n_unknown)
    for seed in range(first_seed, first_seed + n):
        if (seed - first_seed) % 2 == 0:
            yield _device_case(level, seed, n_unknown)
        else:
            yield batch.case(seed)


K_ALPHA_1 = Radiation(wavelength_angstrom=COPPER.wavelength_angstrom[:1], ratio=(1.0,), anode="Cu")


def _scan(level: str, angles: np.ndarray, counts: np.ndarray) -> Scan:
    """Return counts as a file would give them: it names the lines that are there, one at L0 and two above."""
    axis = Axis(quantity="two_theta", unit="deg", values=angles)
    radiation = K_ALPHA_1 if level == "L0" else COPPER
    return Scan(kind="diffractogram", axis=axis, radiation=radiation, **counted(counts.astype(float)))


def _device_case(level: str, seed: int, n_unknown: tuple[int, int] | None) -> Case:
    settings, rng = DEVICE_LEVELS[level], np.random.default_rng([seed, int(level[1])])
    every = structures()
    others = [name for name in every if name not in PHASES]
    n = int(rng.integers(settings.n_phases[0], settings.n_phases[1] + 1))
    low, high = n_unknown or settings.n_unknown
    names = [PHASES[i] for i in rng.choice(len(PHASES), n, replace=False)]
    unknown = [others[i] for i in rng.choice(len(others), int(rng.integers(low, high + 1)), replace=False)]
    lacking = rng.uniform(*(settings.unknown_weight if any(settings.unknown_weight) else (0.05, 0.4)), len(unknown))
    free = 1.0 - lacking.sum() - n * settings.least_weight
    weights = [*(settings.least_weight + free * rng.dirichlet(np.ones(n))), *lacking]
    shares = tuple(Share(structure=every[k], weight=float(w)) for k, w in zip([*names, *unknown], weights, strict=True))
    made = simulate(
        Mixture(shares=shares), scan=DeviceScan(), sample=settings.sample, instrument=settings.instrument(rng), rng=rng
    )
    known = sum(weights[:n])
    return Case(
        level=level,
        source="device",
        seed=seed,
        scan=_scan(level, made.two_theta_deg, made.counts),
        weights={name: float(w / known) for name, w in zip(names, weights, strict=False)},
        cells={k: (c.a, c.b, c.c, c.alpha, c.beta, c.gamma) for k, c in made.truth.cells.items() if k in names},
        unknown={name: made.truth.prominence(name) for name in unknown},
    )


class _ModelCases:
    def __init__(self, level: str, first_seed: int, n_unknown: tuple[int, int] | None) -> None:
        others = [phase for phase in embedded_library().phases if phase.name not in PHASES]
        self.level = level
        self.atlas: Atlas = make_atlas([*library().phases, *others], highest_deg=90.0)
        settings = MODEL_LEVELS[level]
        low = {"n_strangers": n_unknown} if n_unknown else {}
        self.settings = replace(settings, **low)

    def case(self, seed: int) -> Case:
        generator = torch.Generator().manual_seed(1_000_003 * seed + int(self.level[1]))
        made = generate(self.atlas, self.settings, 1, generator, n_known=len(PHASES))
        p = made.parameters
        names = [self.atlas.phases[i].name for i in p.phase.tolist()]
        drawn = profiles(self.atlas, made.grid, p, with_derivatives=False).profile
        is_known = ~made.is_stranger
        weights = made.weights[0]
        known = {self.atlas.phases[i].name: float(w / weights.sum()) for i, w in enumerate(weights) if w > 0}
        return Case(
            level=self.level,
            source="model",
            seed=seed,
            scan=_scan(self.level, made.grid.two_theta_deg.numpy(), made.counts[0].numpy()),
            weights=known,
            cells={
                name: cell_of(
                    strained_metric(
                        self.atlas.phases[i], p.strain[e, : len(strain_basis(self.atlas.phases[i])[0])].numpy()
                    )
                )
                for e, (name, i) in enumerate(zip(names, p.phase.tolist(), strict=True))
                if is_known[e]
            },
            unknown=self._prominence(made, drawn, names),
        )

    def _prominence(self, made, drawn: torch.Tensor, names: list[str]) -> dict[str, float]:  # noqa: ANN001
        """Scale the strangers' profiles by their share, as the generator does: the strongest peak has its counts."""
        strangers = made.is_stranger.nonzero()[:, 0].tolist()
        if not strangers:
            return {}
        share = torch.zeros(len(names), dtype=torch.float64)
        per_scale = self.atlas.weight_per_scale[made.parameters.phase]
        share[~made.is_stranger] = made.weights[0][made.parameters.phase[~made.is_stranger]].double()
        # of several strangers only the sum is kept: each is taken to have an equal part of it
        share[made.is_stranger] = float(made.stranger_weight[0]) / len(strangers)
        parts = (share / per_scale)[:, None] * drawn
        scale = float(self.settings.peak_counts[0]) / float(parts.sum(0).max())
        noise = torch.sqrt(made.counts[0].double().clamp(min=1.0))
        return {names[e]: float((scale * parts[e] / noise).max()) for e in strangers}
