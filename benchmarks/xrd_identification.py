"""Measure identification on simulated patterns: `python benchmarks/xrd_identification.py --patterns 500`.

The protocol: levels L0 (clean) to L3 (brutal, with 0 to 2 phases that the library lacks), seeds from 0, a library of 60
phases, half of the patterns from the simulated diffractometer and half from the analysis's own forward model. Prints a
table in Markdown; `--json FILE` keeps every pattern's outcome.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from xrd_cases import SOURCES, Case, cases, library

from surrogate.xrd.identify import Identifier
from surrogate.xrd.library import pairs
from surrogate.xrd.result import Identification

TRACE = 0.02
PROMINENT = 5.0
N_BINS = 15
CHUNK = 50
"""Patterns of a job; an even number, so that sources take turns alike."""
ANSWERS = ("identified", "unknown phase present", "amorphous", "no crystalline phase")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a pattern."""

    level: str
    source: str
    seed: int
    verdict: str
    true: dict[str, float]
    found: dict[str, float]
    interval: dict[str, tuple[float, float]]
    chances: dict[str, float]
    """Of the best set's phases and of all alternatives' phases."""
    unknown_probability: float
    prominence: float
    """Of the most prominent unknown phase; 0 where there is none."""
    cell_ppm: dict[str, float] = field(default_factory=dict)
    rwp: float | None = None
    seconds: float = 0.0


def main() -> None:
    """Run, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--levels", nargs="+", default=["L0", "L1", "L2", "L3"])
    parser.add_argument("--patterns", type=int, default=500)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="processes; more than cores disturb the times")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    reference_s = _reference_s()
    names = {phase.name for phase in library().phases}
    close = sum(set(pair.names) <= names for pair in pairs())
    print(
        f"library: {len(names)} phases, {close} polymorph or isostructural pairs; "
        f"reference loop {reference_s:.3f} CPU s"
    )
    outcomes: list[Outcome] = []
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
        for level in arguments.levels:
            began_s = time.perf_counter()
            for some in pool.map(_outcomes, _jobs(level, arguments.patterns, arguments.first)):
                outcomes += some
            print(f"{level}: {time.perf_counter() - began_s:.0f} s, simulation included", flush=True)
            if arguments.json:
                arguments.json.write_text(json.dumps([asdict(one) for one in outcomes]))
    _report(outcomes, arguments.levels)


def _jobs(level: str, n: int, first: int) -> list[tuple[str, int, int]]:
    return [(level, min(CHUNK, first + n - begin), begin) for begin in range(first, first + n, CHUNK)]


def _outcomes(job: tuple[str, int, int]) -> list[Outcome]:
    torch.set_num_threads(1)
    identifier = Identifier(library())
    return [_outcome(case, identifier.identify(case.scan, curves=False)) for case in cases(*job)]


def _reference_s() -> float:
    """Return the CPU time of a loop that tells how fast this core is now."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(300, 300))
    began_s = time.process_time()
    for _ in range(40):
        np.linalg.solve(matrix, matrix @ matrix)
    return time.process_time() - began_s


def _outcome(case: Case, found: Identification) -> Outcome:
    chances: dict[str, float] = {}
    for alternative in found.alternatives:
        for name in alternative.phases:
            chances[name] = min(1.0, chances.get(name, 0.0) + alternative.probability)
    chances.update({phase.name: phase.probability for phase in found.phases})
    cells = {}
    for phase in found.phases:
        if phase.name in case.cells:
            ratio = np.array(phase.cell.values[:3]) / np.array(case.cells[phase.name][:3])
            cells[phase.name] = float(1e6 * np.abs(ratio - 1.0).mean())
    return Outcome(
        level=case.level,
        source=case.source,
        seed=case.seed,
        verdict=found.verdict,
        true=case.weights,
        found={phase.name: phase.weight_fraction for phase in found.phases},
        interval={phase.name: phase.weight_interval for phase in found.phases},
        chances=chances,
        unknown_probability=found.unknown_probability,
        prominence=max(case.unknown.values(), default=0.0),
        cell_ppm=cells,
        rwp=found.rwp,
        seconds=found.seconds,
    )


def _report(outcomes: list[Outcome], levels: list[str]) -> None:
    groups = [(level, source) for level in levels for source in ("all", *SOURCES)]
    rows = {name: [] for name in _figures(outcomes)}
    for level, source in groups:
        some = [one for one in outcomes if one.level == level and source in ("all", one.source)]
        for name, value in _figures(some).items():
            rows[name].append(value)
    print("\n| figure | " + " | ".join(f"{level} {source}" for level, source in groups) + " |")
    print("|---|" + "---|" * len(groups))
    for name, values in rows.items():
        print(f"| {name} | " + " | ".join(values) + " |")
    _unknown_by_prominence([one for one in outcomes if one.level == "L3"])


def _figures(some: list[Outcome]) -> dict[str, str]:
    if not some:
        return {}
    answered = [one for one in some if one.verdict in ANSWERS]
    single = [one for one in some if len(one.true) == 1]
    times = np.array([one.seconds for one in some])
    errors = [abs(one.found.get(name, 0.0) - one.true.get(name, 0.0)) for one in some for name in one.found | one.true]
    inside = [
        one.interval[name][0] <= weight <= one.interval[name][1]
        for one in some
        if set(one.found) == set(one.true)
        for name, weight in one.true.items()
        if len(one.true) > 1
    ]
    ppm = [value for one in some for value in one.cell_ppm.values()]
    area, rate = _unknown([one for one in some if not 0.0 < one.prominence < PROMINENT])
    ece, by_chance, brier, n = _calibration(some)
    return {
        "patterns": str(len(some)),
        "answered (not 'cannot tell')": f"{len(answered) / len(some):.3f}",
        "top-1, single-phase": f"{np.mean([_top(one) for one in single]):.3f}" if single else "-",
        "exact sets": f"{np.mean([set(one.found) == set(one.true) for one in some]):.3f}",
        "exact sets, of answers": f"{np.mean([set(one.found) == set(one.true) for one in answered]):.3f}"
        if answered
        else "-",
        "micro F1": f"{_f1(some, 0.0):.3f}",
        "micro F1, of answers": f"{_f1(answered, 0.0):.3f}" if answered else "-",
        "F1 of phases >= 2 wt%": f"{_f1(some, TRACE):.3f}",
        "weight MAE": f"{np.mean(errors):.4f}",
        "90 % weight intervals hold": f"{np.mean(inside):.2f}" if inside else "-",
        "cell error, median ppm": f"{np.median(ppm):.0f}" if ppm else "-",
        "Rwp, median %": f"{np.median([one.rwp for one in some if one.rwp is not None]):.1f}",
        "unknown (>= 5 sigma) AUROC": f"{area:.3f}" if not math.isnan(area) else "-",
        "unknown FPR at 95 % TPR": f"{rate:.3f}" if not math.isnan(rate) else "-",
        "ECE, 0.02 < P < 0.98": f"{ece:.3f} (n={n})",
        "ECE by chance, were P right": f"{by_chance:.3f}",
        "Brier, same": f"{brier:.3f}",
        "CPU s, median": f"{np.median(times):.2f}",
        "CPU s, p95": f"{np.quantile(times, 0.95):.2f}",
        "patterns per CPU s": f"{1.0 / times.mean():.2f}",
    }


def _top(one: Outcome) -> bool:
    return bool(one.found) and max(one.found, key=one.found.__getitem__) in one.true


def _f1(some: list[Outcome], least: float) -> float:
    hit = sum(sum(weight >= least for name, weight in one.true.items() if name in one.found) for one in some)
    extra = sum(sum(weight >= least for name, weight in one.found.items() if name not in one.true) for one in some)
    missed = sum(sum(weight >= least for name, weight in one.true.items() if name not in one.found) for one in some)
    return 2.0 * hit / max(2.0 * hit + extra + missed, 1.0)


def _calibration(some: list[Outcome]) -> tuple[float, float, float, int]:
    """Return ECE, what chance alone makes of it where every P is right, Brier score, and the number of phases."""
    pairs_ = [(p, name in one.true) for one in some for name, p in one.chances.items() if 0.02 < p < 0.98]
    if not pairs_:
        return math.nan, math.nan, math.nan, 0
    p, y = (np.array(column, dtype=float) for column in zip(*pairs_, strict=True))
    rng = np.random.default_rng(0)
    chance = float(np.mean([_ece(p, rng.random(len(p)) < p) for _ in range(500)]))
    return _ece(p, y), chance, float(np.mean((p - y) ** 2)), len(p)


def _ece(p: np.ndarray, y: np.ndarray) -> float:
    bins = np.minimum((p * N_BINS).astype(int), N_BINS - 1)
    return float(sum(abs(p[bins == b].mean() - y[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)))


def _unknown(some: list[Outcome]) -> tuple[float, float]:
    """Return the area under the curve, and the false positives where 95 % of unknown phases are found."""
    with_, without = (
        [one.unknown_probability for one in some if (one.prominence > 0.0) is is_there] for is_there in (True, False)
    )
    if not with_ or not without:
        return math.nan, math.nan
    positive, negative = np.array(with_), np.array(without)
    above = (positive[:, None] > negative[None]).mean() + 0.5 * (positive[:, None] == negative[None]).mean()
    return float(above), float((negative >= np.quantile(positive, 0.05)).mean())


def _unknown_by_prominence(some: list[Outcome]) -> None:
    without = [one for one in some if one.prominence == 0.0]
    if not without:
        return
    print("\n| strongest peak of the unknown phase, sigma | patterns | AUROC | flagged (P >= 0.5) |")
    print("|---|---|---|---|")
    for low, high in ((0.0, 2.0), (2.0, 3.5), (3.5, 5.0), (5.0, 8.0), (8.0, 12.0), (12.0, math.inf)):
        inside = [one for one in some if low < one.prominence and low <= one.prominence < high]
        if inside:
            area, _ = _unknown(inside + without)
            flagged = np.mean([one.unknown_probability >= 0.5 for one in inside])
            print(f"| {low:g} to {high:g} | {len(inside)} | {area:.3f} | {flagged:.2f} |")
    print(f"| none | {len(without)} | - | {np.mean([one.unknown_probability >= 0.5 for one in without]):.2f} |")


if __name__ == "__main__":
    main()
