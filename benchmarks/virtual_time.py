"""A month of laboratory time: 1,000 stripes at random, ten spectra each, every byte through the drivers.

    python benchmarks/virtual_time.py [--trials 1000] [--fsync]

Prints the wall time, the reference loop beside it (machines differ), and what each layer cost. Layers are timed by
wrapping their entry functions; a layer's time is its own, without that of the layers below it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from drivers.links.memory import MemoryLink
from orchestrator.analysis import Analysis
from orchestrator.check import check_campaign
from orchestrator.evidence import Evidence
from orchestrator.execution import Settings, start
from orchestrator.journal import Journal
from orchestrator.knowledge import Knowledge
from simulators.instruments.base import FramedInstrument
from simulators.materials.detector import Detector
from simulators.materials.film import FilmMaterial

LAYERS = {
    "optics": [(FilmMaterial, "reflectance"), (FilmMaterial, "shoot"), (Detector, "counts")],
    "simulator": [(FramedInstrument, "receive")],
    "link": [(MemoryLink, "_write")],
    "journal": [(Journal, "append"), (Journal, "flush")],
    "files": [(Evidence, "keep")],
    "analysis": [(Analysis, "of_trial")],
    "planner": [(Knowledge, "ask"), (Knowledge, "tell"), (Knowledge, "diagnostics")],
}


class Stopwatch:
    """Charges time to the innermost layer."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)
        self._stack: list[str] = []
        self._since = time.perf_counter()

    def _charge(self) -> None:
        now = time.perf_counter()
        self.spent[self._stack[-1] if self._stack else "orchestration and drivers"] += now - self._since
        self._since = now

    def wrap(self, owner: Any, name: str, layer: str) -> None:
        """Time a synchronous method as part of a layer."""
        inner: Callable[..., Any] = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            self._charge()
            self._stack.append(layer)
            self.calls[layer] += 1
            try:
                return inner(*args, **kwargs)
            finally:
                self._charge()
                self._stack.pop()

        setattr(owner, name, timed)

    def end(self) -> None:
        """Charge what is left."""
        self._charge()


def reference_loop_s() -> float:
    """Time a fixed piece of Python and numpy, to compare machines."""
    began = time.perf_counter()
    total = 0.0
    for index in range(2_000_000):
        total += index % 7
    matrix = np.random.default_rng(0).random((400, 400))
    for _ in range(20):
        np.linalg.svd(matrix)
    return time.perf_counter() - began


def fdatasync_s(folder: str, n: int = 200) -> float:
    """Return the median time of an append and fdatasync of 300 bytes on this disk."""
    times = []
    with open(Path(folder) / "probe", "wb", buffering=0) as file:
        for _ in range(n):
            began = time.perf_counter()
            file.write(b"x" * 300)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return float(np.median(times))


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--fsync", action="store_true")
    options = parser.parse_args()
    file = Path(__file__).with_name("thirty_days.yaml")
    ready = check_campaign(file, None, [f"budget.trials={options.trials}"]).require()
    with tempfile.TemporaryDirectory(dir=os.environ.get("LABPILOT_BENCH_DIR")) as folder:
        reference_s, sync_s = reference_loop_s(), fdatasync_s(folder)
        watch = Stopwatch()
        for layer, methods in LAYERS.items():
            for owner, name in methods:
                watch.wrap(owner, name, layer)
        began, cpu = time.perf_counter(), time.process_time()
        start(ready, Path(folder) / "campaign", Settings(is_virtual=True, fsync=options.fsync))
        watch.end()
        wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    fsync = "on (each commit, file, and trial's folder)" if options.fsync else "off (as simulate does)"
    print(f"{options.trials} trials: {wall_s:.1f} s wall, {cpu_s:.1f} s CPU; fsync {fsync}")
    print(f"reference loop {reference_s:.2f} s; ratio {wall_s / reference_s:.1f}; fdatasync {1e3 * sync_s:.2f} ms")
    for layer, seconds in sorted(watch.spent.items(), key=lambda item: -item[1]):
        print(f"  {layer:28s} {seconds:6.2f} s  {100 * seconds / wall_s:4.0f} %  {watch.calls[layer]:7d} calls")


if __name__ == "__main__":
    main()
