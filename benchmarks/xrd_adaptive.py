"""Compare the adaptive scan with a uniform one: ``python benchmarks/xrd_adaptive.py [--samples 40] [--first 0]``.

Samples of pairs that are hard to tell apart, from the independent simulator (`simulators.materials.powder`), levels L1
and L2 in turn; the minor phase has 6 to 30 % of the weight, the strongest peak 3,000 to 30,000 counts per second. The
library holds all shipped phases of the sample's elements. Both ways share the analysis, the rule for stopping, steps
of 0.02 deg and 10 s of overhead for each window. The uniform scan counts 10 to 80 deg; it is one scan, looked at after
60 s and whenever it has become a quarter longer. Evidence is divided by a fixed temperature, so that these figures do
not move with the calibration of the package. Sample n has seed n. One core.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from simulators.materials.powder.counting import count
from simulators.materials.powder.levels import L1, L2
from simulators.materials.powder.library import structures
from simulators.materials.powder.pattern import Scan, simulate
from simulators.materials.powder.settings import Counting
from simulators.materials.powder.specimen import Mixture, Share
from surrogate.xrd.adaptive import AdaptiveScan, ScanSettings, Stop, Window
from surrogate.xrd.atlas import make_atlas
from surrogate.xrd.library import embedded_library
from surrogate.xrd.search import Searcher

PAIRS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Ti O Si Al", ("anatase", "brookite")),
    ("Zr O Si Hf", ("baddeleyite", "ZrO2-tetragonal")),
    ("Al Fe Cr O", ("corundum", "hematite")),
    ("Y Ba Cu O C", ("YBa2Cu3O7", "tenorite")),
    ("Sn Pb O", ("cassiterite", "romarchite")),
    ("Ca Sr C O H", ("calcite", "aragonite")),
    ("Y Ba Cu O C", ("YBa2Cu3O7", "witherite")),
    ("Bi Ti O", ("alpha-Bi2O3", "beta-Bi2O3")),
)
LEVELS = (L1, L2)
GROWTH = 1.25
FIRST_S = 60.0

Measure = Callable[[Window], np.ndarray]


@dataclass(frozen=True)
class Specimen:
    """A sample in the instrument."""

    phases: tuple[str, ...]
    chemistry: tuple[str, ...]
    rate_cps: np.ndarray
    counting: Counting


@dataclass(frozen=True)
class Outcome:
    """How a scan ended."""

    reason: str
    is_right: bool
    stop_s: float
    right_s: float
    """When the right set first had the probability wanted; infinite for never."""
    cpu_s: tuple[float, ...]
    """Of each decision."""


def specimen(number: int, settings: ScanSettings) -> Specimen:
    """Return a sample by its number."""
    rng = np.random.default_rng(number)
    chemistry, names = PAIRS[number % len(PAIRS)]
    level = LEVELS[(number // len(PAIRS)) % len(LEVELS)]
    minor = math.exp(rng.uniform(math.log(0.06), math.log(0.3)))
    shares = (Share(structure=structures()[names[0]], weight=1.0 - minor),
              Share(structure=structures()[names[1]], weight=minor))  # fmt: skip
    low, high = settings.range_deg
    instrument = level.instrument(rng)
    scan = Scan(start_deg=low, stop_deg=high, step_deg=settings.step_deg)
    truth = simulate(Mixture(shares=shares), scan=scan, sample=level.sample, instrument=instrument, rng=rng).truth
    strongest_cps = math.exp(rng.uniform(math.log(3e3), math.log(3e4)))
    rate = truth.expected * (strongest_cps / float((truth.expected - truth.background).max()))
    return Specimen(
        phases=tuple(sorted(names)), chemistry=tuple(chemistry.split()), rate_cps=rate, counting=instrument.counting
    )


def counter(sample: Specimen, settings: ScanSettings, rng: np.random.Generator) -> Measure:
    """Return what counts a window of a sample."""

    def measure(window: Window) -> np.ndarray:
        first = round((window.start_deg - settings.range_deg[0]) / settings.step_deg)
        expected = sample.rate_cps[first : first + window.n] * window.count_time_s
        return count(expected, sample.counting, count_time_s=window.count_time_s, rng=rng)

    return measure


class Watch:
    """Notes when a scan was first right, and what decisions cost."""

    def __init__(self, sample: Specimen, scan: AdaptiveScan) -> None:
        self.sample, self.scan = sample, scan
        self.right_s = math.inf
        self.cpu_s: list[float] = []

    def note(self, spent_s: float, cpu_s: float) -> None:
        """Look at the belief after a window."""
        self.cpu_s.append(cpu_s)
        if self.is_right and self.scan.belief().probability >= self.scan.settings.sure:
            self.right_s = min(self.right_s, spent_s)

    @property
    def is_right(self) -> bool:
        """Whether the best set is the true one."""
        return tuple(sorted(self.scan.belief().phases)) == self.sample.phases

    def outcome(self, reason: str, stop_s: float) -> Outcome:
        """Return how it ended."""
        return Outcome(
            reason=reason, is_right=self.is_right, stop_s=stop_s, right_s=self.right_s, cpu_s=tuple(self.cpu_s)
        )


def adaptive(sample: Specimen, scan: AdaptiveScan, measure: Measure) -> Outcome:
    """Scan as the adaptive scan wants."""
    watch = Watch(sample, scan)
    while True:
        began_s = time.process_time()
        proposed = scan.propose()
        if scan.windows:
            watch.note(scan.spent_s, time.process_time() - began_s)
        if isinstance(proposed, Stop):
            return watch.outcome(proposed.reason, scan.spent_s)
        scan.tell(proposed, measure(proposed))


def uniform(sample: Specimen, scan: AdaptiveScan, measure: Measure) -> Outcome:
    """Scan the whole range for longer and longer."""
    settings, watch = scan.settings, Watch(sample, scan)
    low, high = settings.range_deg
    spent_s, counted_s = FIRST_S, 0.0
    while True:
        more_s = (spent_s - settings.overhead_s - counted_s) / settings.grid.n
        window = Window(start_deg=low, stop_deg=high, step_deg=settings.step_deg, count_time_s=more_s)
        scan.tell(window, measure(window))
        counted_s += window.counting_s
        began_s = time.process_time()
        is_sure = scan.is_sure()
        watch.note(spent_s, time.process_time() - began_s)
        if is_sure or spent_s >= settings.budget_s - 1e-6:
            return watch.outcome("sure" if is_sure else "out of time", spent_s)
        spent_s = min(settings.budget_s, GROWTH * spent_s)


def compared(number: int, settings: ScanSettings, temperature: float) -> tuple[Outcome, Outcome]:
    """Scan one sample both ways."""
    sample = specimen(number, settings)
    searcher = Searcher(make_atlas(embedded_library().within(sample.chemistry).phases))
    outcomes = []
    for at, way in enumerate((adaptive, uniform)):
        scan = AdaptiveScan(searcher, settings, temperature=lambda pattern, best: temperature)
        outcomes.append(way(sample, scan, counter(sample, settings, np.random.default_rng([number, at]))))
    return outcomes[0], outcomes[1]


def quartiles(values: Sequence[float]) -> str:
    """Return a median with its quartiles."""
    low, middle, high = np.quantile(np.asarray(values), [0.25, 0.5, 0.75], method="nearest")
    return f"{middle:.0f} [{low:.0f}, {high:.0f}]"


def row(name: str, outcomes: Sequence[Outcome]) -> str:
    """Return a line of the table."""
    sure = [one for one in outcomes if one.reason == "sure"]
    wrong = sum(not one.is_right for one in sure)
    right = sum(one.is_right for one in outcomes)
    cpu = np.concatenate([one.cpu_s for one in outcomes])
    return (
        f"| {name} | {quartiles([one.right_s for one in outcomes])} | {quartiles([one.stop_s for one in outcomes])} "
        f"| {len(sure)} | {wrong} of {len(sure)} | {right} of {len(outcomes)} "
        f"| {np.median([len(one.cpu_s) for one in outcomes]):.0f} | {np.median(cpu):.2f} [{cpu.max():.2f}] |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--samples", type=int, default=40)
    parser.add_argument("--first", type=int, default=0, help="number of the first sample")
    parser.add_argument("--temperature", type=float, default=4.0, help="what evidence is divided by")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    settings = ScanSettings()
    pairs = []
    for number in range(asked.first, asked.first + asked.samples):
        pairs.append(compared(number, settings, asked.temperature))
        words = "  ".join(
            f"{one.reason} {'right' if one.is_right else 'WRONG'} {one.stop_s:.0f} s (right at {one.right_s:.0f} s)"
            for one in pairs[-1]
        )
        sys.stderr.write(f"{number:3d} {' '.join(PAIRS[number % len(PAIRS)][1])}: {words}\n")
    sys.stdout.write(
        f"samples {asked.first} to {asked.first + asked.samples - 1}, budget {settings.budget_s:g} s, "
        f"P >= {settings.sure:g}, temperature {asked.temperature:g}\n\n"
        "| scan | s to the right set, P >= 0.95 | s at the end | ended sure | of these wrong | right at the end "
        "| decisions | CPU s each [most] |\n|---|---|---|---|---|---|---|---|\n"
    )
    for name, at in (("adaptive", 0), ("uniform", 1)):
        sys.stdout.write(row(name, [pair[at] for pair in pairs]) + "\n")
    both = [one.right_s / other.right_s for one, other in pairs if max(one.right_s, other.right_s) < math.inf]
    if both:
        low, middle, high = np.quantile(both, [0.25, 0.5, 0.75])
        sys.stdout.write(f"\nadaptive / uniform, {len(both)} samples that both got right: ")
        sys.stdout.write(f"{middle:.2f} [{low:.2f}, {high:.2f}]\n")


if __name__ == "__main__":
    main()
