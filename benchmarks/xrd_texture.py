"""How far harmonics meet March-Dollase textures: `python benchmarks/xrd_texture.py`.

For the 60 phases of `xrd_cases`, each of seven low-index axes and four strengths: intensities of the simulator, up to
80 degrees, against those of the harmonics that fit their logarithms best (weighted by intensity); the error is the sum
of differences over the sum of intensities. Beside it order 2 alone (4 for cubic lattices), and no texture at all.
"""

from __future__ import annotations

import math

import numpy as np
from xrd_cases import library

from simulators.materials.powder.broadening import cosines
from simulators.materials.powder.library import structures
from simulators.materials.powder.lines import lorentz_polarisation
from simulators.materials.powder.reflections import d_min_angstrom, reflections
from simulators.materials.powder.texture import LOW_INDEX, march_dollase
from surrogate.xrd.lattice import system_of
from surrogate.xrd.phase import Phase
from surrogate.xrd.texture import KINDS, harmonics

STRENGTHS = (0.4, 0.6, 1.6, 2.5)
COPPER_ANGSTROM = 1.5406
HIGHEST_DEG = 80.0
FAINTEST = 3e-3


def errors(phase: Phase) -> dict[float, list[tuple[float, float, float]]]:
    """Return, by strength, for each axis: the error with all harmonics, with the lowest order alone, with none."""
    structure = structures()[phase.name]
    metric = structure.cell.reciprocal_metric
    table = reflections(structure, d_min_angstrom(HIGHEST_DEG, COPPER_ANGSTROM))
    hkl = np.asarray(table.hkl, dtype=float)
    sine = COPPER_ANGSTROM / 2.0 * np.sqrt(np.einsum("ni,ij,nj->n", hkl, metric, hkl))
    two_theta_deg = np.degrees(2.0 * np.arcsin(np.minimum(sine, 1.0)))
    plain = table.multiplicity * table.squared(np.full(len(structure.sites), 0.6))
    plain = plain * lorentz_polarisation(two_theta_deg, 0.0)
    seen = plain > FAINTEST * plain.max()
    columns = harmonics(phase, table.hkl)[seen]
    kinds = KINDS[system_of(phase)]
    n_lowest = sum(order == kinds[0][0] for order, _ in kinds)
    found: dict[float, list[tuple[float, float, float]]] = {}
    for r in STRENGTHS:
        for axis in LOW_INDEX:
            true = (plain * march_dollase(cosines(table.equivalents, axis, metric), r))[seen]
            tried = [columns, columns[:, :n_lowest], columns[:, :0]]
            first, second, third = (_error(plain[seen], true, one) for one in tried)
            found.setdefault(r, []).append((first, second, third))
    return found


def _error(plain: np.ndarray, true: np.ndarray, columns: np.ndarray) -> float:
    design = np.column_stack([np.ones(len(true)), columns]) * np.sqrt(true)[:, None]
    weights, *_ = np.linalg.lstsq(design, np.log(true / plain) * np.sqrt(true), rcond=1e-6)
    met = plain * np.exp(columns @ weights[1:])
    return float(np.abs(met * true.sum() / met.sum() - true).sum() / true.sum())


def main() -> None:
    """Print a table."""
    by_system: dict[tuple[str, float], list[tuple[float, float, float]]] = {}
    for phase in library().phases:
        for r, some in errors(phase).items():
            by_system.setdefault((system_of(phase), r), []).extend(some)
    print("| lattice | harmonics | " + " | ".join(f"r = {r:g}" for r in STRENGTHS) + " |")
    print("|---|---|" + "---|" * len(STRENGTHS))
    for system in sorted({name for name, _ in by_system}):
        means = [np.mean(by_system[system, r], axis=0) for r in STRENGTHS]
        cells = [" / ".join(f"{100.0 * one:.0f}" if math.isfinite(one) else "-" for one in mean) for mean in means]
        print(f"| {system} | {len(KINDS[system])} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
