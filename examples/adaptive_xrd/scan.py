"""Scan a sample until it is known what it is: ``python examples/adaptive_xrd/scan.py [--sample 1] [--seed 3]``.

The diffractometer is the packaged simulated one; its driver is the real one, on an in-memory link, in virtual time: a
scan of many minutes takes seconds. For a device in the laboratory, open its link with a real clock instead.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from drivers.capabilities import Diffractometer
from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from drivers.instruments.diffractometer import DiffractometerDriver
from drivers.links.memory import MemoryLink
from simulators.instruments.diffractometer import Diffractometer as SimulatedDiffractometer
from simulators.world import WorldFile
from surrogate.formats.read import read_bytes
from surrogate.xrd.adaptive import AdaptiveScan, ScanSettings, Stop, Temperature, Window, shipped_temperature
from surrogate.xrd.atlas import make_atlas
from surrogate.xrd.library import embedded_library
from surrogate.xrd.search import Searcher

CHEMISTRY = ("Ti", "O", "Si", "Al")
SAMPLES: Mapping[str, Mapping[str, float]] = {
    "1": {"anatase": 0.92, "brookite": 0.08, "crystallite_nm": 20.0},
    "2": {"rutile": 0.6, "anatase": 0.4},
    "3": {"corundum": 0.93, "quartz": 0.07, "strain": 0.002},
}
"""What truly lies at each place of the changer; the analysis is not told."""

TUBE_INTENSITY = 0.15
"""A beam narrowed for small samples; with all of it, the survey alone would do."""

Say = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A sample, scanned."""

    scan: AdaptiveScan
    stop: Stop
    lasted_s: float
    """By the clock of the instrument."""


async def scan_sample(xrd: Diffractometer, scan: AdaptiveScan, *, tag: str, say: Say) -> Stop:
    """Measure window after window of the loaded sample until the scan is over.

    Each window has a tag of its own, so that one that was measured before is not measured again: after a crash the
    same call goes on where it was.
    """
    while not isinstance(proposed := scan.propose(), Stop):
        pattern = await xrd.scan(
            start_deg=proposed.start_deg,
            stop_deg=proposed.stop_deg,
            step_deg=proposed.step_deg,
            count_time_s=proposed.count_time_s,
            tag=f"{tag}-{len(scan.windows) + 1}",
        )
        scan.tell(proposed, _counts(pattern.file))
        say(_line(proposed, scan))
    return proposed


def _counts(file: str) -> np.ndarray:
    """Return the counts of the instrument's own file, as detected."""
    (scan,) = read_bytes(file.encode()).scans
    if scan.counts is None:
        raise ValueError("the file does not hold whole counts; an adaptive scan needs them as detected")
    return scan.counts


def _line(window: Window, scan: AdaptiveScan) -> str:
    belief = scan.belief()
    where = f"{window.start_deg:5.1f} to {window.stop_deg:5.1f} deg, {window.count_time_s:.2f} s a point"
    what = " + ".join(belief.phases) or "nothing"
    return f"{scan.spent_s:5.0f} s  {where}  ->  {what}  P {belief.probability:.3f}"


def measure(
    sample: str,
    *,
    seed: int = 3,
    settings: ScanSettings | None = None,
    temperature: Temperature = shipped_temperature,
    say: Say = lambda line: None,
) -> Measured:
    """Load a sample of the simulated diffractometer, and scan it."""
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    options = {"samples": {place: dict(facts) for place, facts in SAMPLES.items()}, "tube_intensity": TUBE_INTENSITY}
    world = SimulatedDiffractometer(state=WorldFile(":memory:"), clock=clock, seed=seed, options=options)
    driver = DiffractometerDriver(MemoryLink(world.instruments["xrd"], clock, name="sim:diffractometer/xrd"), clock)
    searcher = Searcher(make_atlas(embedded_library().within(CHEMISTRY).phases))
    scan = AdaptiveScan(searcher, settings, temperature=temperature)

    async def whole() -> tuple[Stop, float]:
        await driver.connect()
        try:
            await driver.load_sample(position=int(sample), tag=f"sample-{sample}")
            began_s = clock.now_s()
            stop = await scan_sample(driver, scan, tag=f"sample-{sample}", say=say)
            lasted_s = clock.now_s() - began_s
            await driver.unload_sample(position=int(sample))
            return stop, lasted_s
        finally:
            await driver.close()

    stop, lasted_s = run_virtual(whole(), loop=loop)
    return Measured(scan=scan, stop=stop, lasted_s=lasted_s)


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")


def main() -> None:
    """Scan a sample, and tell what was found."""
    parser = argparse.ArgumentParser(description="Scan a sample of the simulated diffractometer until it is known.")
    parser.add_argument("--sample", choices=sorted(SAMPLES), default="1")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--temperature", type=float, help="what evidence is divided by; if left out, as calibrated")
    asked = parser.parse_args()
    temperature = shipped_temperature if asked.temperature is None else (lambda pattern, best: asked.temperature)
    measured = measure(asked.sample, seed=asked.seed, temperature=temperature, say=_print)
    sys.stdout.write(f"{measured.stop.reason}: {measured.stop.text}\n")
    sys.stdout.write(f"{measured.lasted_s:.0f} s at the instrument; truly {dict(SAMPLES[asked.sample])}\n")


if __name__ == "__main__":
    main()
