"""One round of the peers' points, for `cost_of_safety.py`: a script for an environment of its own, without labpilot.

    PEERS/bin/python benchmarks/cost_of_safety_peers.py --points 500 --folder DIR [--turn 1]

One point is one position of ``RE(scan([det], motor, -1, 1, points))``: move, trigger, read, one event document.
Prints one JSON object: wall and CPU milliseconds a point of each kind, and the versions.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bluesky import RunEngine
from bluesky.plan_stubs import mv
from bluesky.plans import scan
from ophyd.sim import det, motor  # pyright: ignore[reportAttributeAccessIssue] - made when asked for
from ophyd_async.core import init_devices
from ophyd_async.sim import PatternGenerator, SimMotor, SimPointDetector

DISTRIBUTIONS = ("bluesky", "ophyd", "ophyd-async", "event-model", "numpy")
Documents = Callable[[str, dict[str, Any]], None]


class Counting:
    """The cheapest consumer of documents."""

    def __init__(self) -> None:
        self.n = 0

    def __call__(self, name: str, document: dict[str, Any]) -> None:
        """Count."""
        self.n += 1


class Syncing:
    """A consumer that has each document on the disk before the plan goes on."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - closed by close

    def __call__(self, name: str, document: dict[str, Any]) -> None:
        """Append and sync one document."""
        self._file.write(json.dumps([name, document], default=str).encode() + b"\n")
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def timed(engine: RunEngine, detector: Any, axis: Any, points: int, consumer: Documents) -> dict[str, float]:
    """Return wall and CPU milliseconds a point of one scan."""
    token = engine.subscribe(consumer)
    wall, cpu = time.perf_counter(), time.process_time()
    engine(scan([detector], axis, -1, 1, points))
    spent = (time.perf_counter() - wall, time.process_time() - cpu)
    engine.unsubscribe(token)
    return {"wall_ms": 1e3 * spent[0] / points, "cpu_ms": 1e3 * spent[1] / points}


def main() -> None:
    """Run one round and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=500)
    parser.add_argument("--folder", type=Path, required=True, help="where documents are written: on a real disk")
    parser.add_argument("--turn", type=int, default=0, help="which kind comes first")
    options = parser.parse_args()
    engine = RunEngine({})
    with init_devices():  # on the engine's own event loop
        async_motor = SimMotor(instant=True)
        async_det = SimPointDetector(PatternGenerator(), num_channels=1)
    engine(mv(async_det.acquire_time, 0.0))
    syncing = Syncing(options.folder / "documents.jsonl")
    kinds: list[tuple[str, Any, Any, Documents]] = [
        ("ophyd.sim", det, motor, Counting()),
        ("ophyd.sim, fsync of each document", det, motor, syncing),
        ("ophyd-async", async_det, async_motor, Counting()),
    ]
    first = options.turn % len(kinds)
    found: dict[str, Any] = {}
    for name, detector, axis, consumer in kinds[first:] + kinds[:first]:
        timed(engine, detector, axis, 20, Counting())  # warm
        found[name] = timed(engine, detector, axis, options.points, consumer)
    syncing.close()
    print(json.dumps({"kinds": found, "versions": {name: version(name) for name in DISTRIBUTIONS}}))


if __name__ == "__main__":
    main()
