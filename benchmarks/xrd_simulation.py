"""Time the drawing of powder patterns against pymatgen: ``python benchmarks/xrd_simulation.py [--device cuda]``.

Both draw the same phases from 10 to 80 degrees, on one thread, in turns of alternating order. pymatgen's
`XRDCalculator.get_pattern` gives a list of sticks of one phase for each call, for one wavelength. Ours gives 3,501
intensities of one phase for each pattern: profiles with a strain, size, texture and alignment of their own, in batches
of one phase, for one wavelength and for the K-alpha doublet. Reflection tables are cached; making them is the cold
start. Seconds are those of the process on a CPU.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from pymatgen.analysis.diffraction.xrd import XRDCalculator
from pymatgen.core import Lattice, Structure
from xrd_timing import HIGHEST_DEG, cpu_name, seconds, singles

from surrogate.formats.record import Radiation
from surrogate.xrd.atlas import COPPER, Atlas, make_atlas
from surrogate.xrd.generate import LEVELS, GeneratorSettings, generate
from surrogate.xrd.generate_draw import drawn
from surrogate.xrd.library import embedded_library
from surrogate.xrd.phase import Phase

ONE_LINE = Radiation(wavelength_angstrom=COPPER.wavelength_angstrom[:1], ratio=(1.0,))


def structure_of(phase: Phase) -> Structure:
    """Return a phase as pymatgen has it."""
    places: dict[tuple[float, float, float], dict[str, float]] = {}
    for site in phase.sites:
        places.setdefault(site.position, {})[site.element] = site.occupancy
    return Structure(Lattice.from_parameters(*phase.cell), list(places.values()), list(places))


def time_pymatgen(structures: Sequence[Structure]) -> list[float]:
    """Return the seconds of one call for each structure."""
    wavelength: Any = ONE_LINE.wavelength_angstrom[0]  # a number is allowed beside a name
    calculator = XRDCalculator(wavelength=wavelength)
    found = []
    for structure in structures:
        begin = time.process_time()
        calculator.get_pattern(structure, two_theta_range=(10.0, 80.0))
        found.append(time.process_time() - begin)
    return found


def time_drawing(atlas: Atlas, batch: int, generator: torch.Generator) -> list[float]:
    """Return the seconds for each pattern of each phase."""
    found = []
    for phase in range(atlas.n_phases):
        same = torch.full((batch,), phase, device=generator.device)
        many = singles(atlas, same, generator)
        ones = torch.ones(batch, dtype=torch.float64, device=generator.device)
        call = partial(drawn, atlas, LEVELS["L1"].grid, many, ones)
        found.append(seconds(call, generator.device) / batch)
    return found


def time_generating(atlas: Atlas, settings: GeneratorSettings, batch: int, generator: torch.Generator) -> float:
    """Return the seconds for each pattern with background and counts."""
    return seconds(lambda: generate(atlas, settings, batch, generator), generator.device) / batch


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=None, help="patterns at once; 256 on a CPU, 4096 on a GPU")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    batch = arguments.batch or (256 if device.type == "cpu" else 4096)
    torch.set_num_threads(1)
    phases = embedded_library().phases
    structures = [structure_of(phase) for phase in phases]
    begin = time.process_time()
    atlas = make_atlas(phases, highest_deg=HIGHEST_DEG)
    cold = time.process_time() - begin
    print(f"{cpu_name()}, one thread, {len(phases)} phases, 10 to 80 deg in steps of 0.02 deg, batches of {batch}")
    print(f"cold start: reflection tables of all phases {1e3 * cold:.0f} ms ({1e3 * cold / len(phases):.1f} ms each)")
    call = compare(atlas.to(device), structures, batch, arguments.rounds, device)
    print_mixtures(atlas.to(device), batch, arguments.rounds, device, call)


def compare(atlas: Atlas, structures: list[Structure], batch: int, rounds: int, device: torch.device) -> float:
    """Time pymatgen and ours in turns, print medians over the rounds, and return pymatgen's mean call."""
    generator = torch.Generator(device).manual_seed(0)
    atlases = {"one wavelength": replace(atlas, radiation=ONE_LINE), "K-alpha doublet": atlas}
    theirs: list[list[float]] = []
    ours: dict[str, list[list[float]]] = {name: [] for name in atlases}
    for number in range(rounds):
        for is_theirs in (number % 2 == 0, number % 2 == 1):
            if is_theirs:
                theirs.append(time_pymatgen(structures))
            else:
                for name, one in atlases.items():
                    ours[name].append(time_drawing(one, batch, generator))
    calls = np.median(theirs, axis=0)
    print(f"pymatgen get_pattern: {1e3 * calls.mean():.2f} ms for each call (median {1e3 * np.median(calls):.2f} ms)")
    for name, found in ours.items():
        each = np.median(found, axis=0)
        ratio = np.quantile(calls / each, (0.05, 0.5, 0.95))
        print(
            f"ours, one phase, {name}: {1e3 * each.mean():.4f} ms (median {1e3 * np.median(each):.4f} ms), "
            f"{1.0 / each.mean():.0f} patterns/s; ratio of all phases once {calls.sum() / each.sum():.0f} (target: at "
            f"least 50), phase by phase {ratio[1]:.0f} (5 % to 95 %: {ratio[0]:.0f} to {ratio[2]:.0f})"
        )
    return float(calls.mean())


def print_mixtures(atlas: Atlas, batch: int, rounds: int, device: torch.device, call: float) -> None:
    """Print the cost of mixtures, drawn alone and with background and counts, beside one call for each phase."""
    generator = torch.Generator(device).manual_seed(1)
    for name, settings in LEVELS.items():
        parameters = generate(atlas, settings, batch, generator).parameters
        ones = torch.ones(len(parameters.phase), dtype=torch.float64, device=device)
        draw = partial(drawn, atlas, settings.grid, parameters, ones)
        drawing = statistics.median(seconds(draw, device) for _ in range(max(rounds, 3))) / batch
        whole = statistics.median(time_generating(atlas, settings, batch, generator) for _ in range(max(rounds, 3)))
        theirs = call * len(parameters.phase) / batch
        print(
            f"{name}, mixtures of {len(parameters.phase) / batch:.1f} phases: drawn {1e3 * drawing:.3f} ms (ratio "
            f"{theirs / drawing:.0f}), with background and counts {1e3 * whole:.3f} ms (ratio {theirs / whole:.0f}), "
            f"{1.0 / whole:.0f} patterns/s"
        )


if __name__ == "__main__":
    main()
