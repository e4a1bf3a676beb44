"""What a network that proposes phases is worth beside screening: ``python benchmarks/xrd_network.py NETWORK``.

First, candidates: patterns come from the independent simulator of `simulators.materials.powder`, with mixtures of the
network's phases (at L3 without what the library lacks). Printed for each level: the share of true phases among the
first `--top` by screening (the first step of a search, matched filters over strains), by the network, and by half of
either; the same for phases below 10 % of the weight; calibration of the network's probabilities; time of each for one
pattern, by the process.

Then, identification: the patterns of `xrd_cases` (60 phases, which the network should have been trained for; both
simulators; at L3 with phases that the library lacks), each with and without the network. Printed: exact sets, micro F1,
seconds of the process for one pattern, and how many answers differ.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
import xrd_cases
from numpy.typing import NDArray

from simulators.materials.powder.levels import LEVELS
from simulators.materials.powder.library import structures
from simulators.materials.powder.pattern import Scan as Sweep
from simulators.materials.powder.pattern import simulate
from surrogate.formats.record import Axis, Scan, counted
from surrogate.xrd.atlas import make_atlas
from surrogate.xrd.identify import Identifier, Settings
from surrogate.xrd.library import embedded_library
from surrogate.xrd.network import PhaseNetwork, load_network
from surrogate.xrd.pattern import Pattern, make_pattern
from surrogate.xrd.screen import Screen, make_screen, score
from surrogate.xrd.training_metrics import auroc, calibration_error

SMALL = 0.1


def pattern_of(network: PhaseNetwork, level: str, seed: int) -> tuple[Pattern, NDArray[np.float64]]:
    """Simulate a pattern; return it with the ``p`` weights of the network's phases."""
    rng = np.random.default_rng(seed)
    settings = replace(LEVELS[level], n_unknown=(0, 0))
    known = structures()
    mixture = settings.mixture([known[name] for name in network.names], rng).mixture
    found = simulate(mixture, scan=Sweep(), sample=settings.sample, instrument=settings.instrument(rng), rng=rng)
    axis = Axis(quantity="two_theta", unit="deg", values=found.two_theta_deg)
    scan = Scan(kind="diffractogram", axis=axis, **counted(found.counts.astype(float)))
    pattern = make_pattern(scan, wavelength_angstrom=network.wavelength_angstrom)
    return pattern, np.array([found.truth.weights.get(name, 0.0) for name in network.names])


def screened(screen: Screen, pattern: Pattern) -> NDArray[Any]:
    """Return the ``p`` gains of screening."""
    height = np.maximum(pattern.intensity - pattern.baseline, 0.0)
    return score(screen, pattern, pattern.intensity - pattern.baseline, height=height).gain


def interleaved(first: NDArray[np.int64], second: NDArray[np.int64], top: int) -> list[int]:
    """Return the best of two rankings, taking turns."""
    turns = [int(one) for pair in zip(first, second, strict=True) for one in pair]
    return list(dict.fromkeys(turns))[:top]


def measure(network: PhaseNetwork, screen: Screen, level: str, seeds: range, top: int) -> None:
    """Print the figures of candidates at one level."""
    hits: dict[str, list[tuple[float, bool]]] = {"screening": [], "network": [], "half of either": []}
    seconds: dict[str, list[float]] = {"screening": [], "network": []}
    probability, truth = [], []
    for seed in seeds:
        pattern, weights = pattern_of(network, level, seed)
        begin = time.process_time()
        by_screen = np.argsort(-screened(screen, pattern), kind="stable")
        middle = time.process_time()
        said = network.propose(pattern).probability
        seconds["screening"].append(middle - begin)
        seconds["network"].append(time.process_time() - middle)
        by_network = np.argsort(-said, kind="stable")
        chosen = {
            "screening": by_screen[:top],
            "network": by_network[:top],
            "half of either": interleaved(by_screen, by_network, top),
        }
        for name, few in chosen.items():
            hits[name] += [(float(weights[p]), p in few) for p in np.flatnonzero(weights)]
        probability.append(said)
        truth.append(weights > 0.0)
    for name, found in hits.items():
        small = [hit for weight, hit in found if weight < SMALL]
        cost = f"; {1e3 * np.median(seconds[name]):.1f} ms for one pattern" if name in seconds else ""
        print(
            f"{level}, {name}: {np.mean([hit for _, hit in found]):.3f} of {len(found)} true phases among the first "
            f"{top} of {len(network.names)}, {np.mean(small):.3f} of {len(small)} below {100 * SMALL:.0f} wt%{cost}"
        )
    said, true = torch.tensor(np.array(probability)).ravel(), torch.tensor(np.array(truth)).ravel()
    print(
        f"{level}, network: area under the curve {auroc(said, true):.4f}, calibration error (0.02 < P < 0.98) "
        f"{calibration_error(said, true.to(said.dtype)):.3f}"
    )


def identify(path: Path, level: str, seeds: range) -> None:
    """Print the figures of identification at one level, with and without the network."""
    library = xrd_cases.library()
    by_name = {
        "without network": Identifier(library),
        "with network": Identifier(library, settings=Settings(network=path)),
    }
    true: list[set[str]] = []
    found: dict[str, list[set[str]]] = {name: [] for name in by_name}
    seconds: dict[str, list[float]] = {name: [] for name in by_name}
    for number, case in enumerate(xrd_cases.cases(level, len(seeds), seeds.start)):
        true.append(set(case.weights))
        # caches that the first one fills help the second, so they take turns
        for name in list(by_name)[:: 1 if number % 2 else -1]:
            said = by_name[name].identify(case.scan, curves=False)
            found[name].append({phase.name for phase in said.phases})
            seconds[name].append(said.seconds)
    for name, sets in found.items():
        n_exact = sum(a == b for a, b in zip(sets, true, strict=True))
        print(
            f"{level}, identification {name}: {n_exact} of {len(true)} exact sets, micro F1 {_f1(sets, true):.4f}, CPU "
            f"{np.median(seconds[name]):.3f} s (median), {np.mean(seconds[name]):.3f} s (mean)"
        )
    first, second = found.values()
    print(
        f"{level}, other phases with the network: {sum(a != b for a, b in zip(first, second, strict=True))}", flush=True
    )


def _f1(found: list[set[str]], true: list[set[str]]) -> float:
    hits = sum(len(a & b) for a, b in zip(found, true, strict=True))
    return 2.0 * hits / max(sum(map(len, found)) + sum(map(len, true)), 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", type=Path)
    parser.add_argument("--patterns", type=int, default=150, help="for each level")
    parser.add_argument("--first", type=int, default=0, help="seed of the first pattern")
    parser.add_argument("--top", type=int, default=12)
    parser.add_argument("--levels", nargs="+", default=["L1", "L2"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    trained = load_network(arguments.network)
    library = embedded_library(trained.names)
    network = trained.belonging_to(library)
    screen = make_screen(make_atlas(library.phases))
    seeds = range(arguments.first, arguments.first + arguments.patterns)
    for level in arguments.levels:
        measure(network, screen, level, seeds, arguments.top)
    for level in arguments.levels:
        identify(arguments.network, level, seeds)


if __name__ == "__main__":
    main()
