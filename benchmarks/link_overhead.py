"""What link and command layer cost beyond the bare wire: in memory, and over a pseudo-terminal beside bare pyserial.

    python benchmarks/link_overhead.py [--rounds 5] [--exchanges 1000]

Rounds of bare and layered exchanges alternate in one run; the figures are medians over all of them. The device is the
simulated laser, asked for its last shot; on the pseudo-terminal it runs in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import serial

from drivers.clock import RealClock
from drivers.instruments.laser_annealer import LaserAnnealerDriver
from drivers.links.framing import SealedLine
from drivers.links.memory import MemoryLink
from drivers.links.opening import open_link
from drivers.links.tap import Tap
from drivers.links.url import SerialAddress, parse_url
from simulators.film_station import FilmStation
from simulators.world import WorldFile

LINE = SealedLine()
REQUEST = LINE.wrap(b"SHOT?")


def bare_memory(instrument: object, n: int) -> list[float]:
    """Time requests handed to the instrument, and their replies unwrapped."""
    times, received = [], bytearray()
    instrument.send = received.extend  # type: ignore[attr-defined]
    for _ in range(n):
        began = time.perf_counter()
        received.clear()
        instrument.receive(REQUEST)  # type: ignore[attr-defined]
        LINE.take(received)
        times.append(time.perf_counter() - began)
    instrument.send = None  # type: ignore[attr-defined]
    return times


def bare_serial(path: str, n: int) -> list[float]:
    """Time requests over pyserial alone."""
    times = []
    with serial.Serial(path, 115200, timeout=1.0) as port:
        for _ in range(n):
            began = time.perf_counter()
            port.write(REQUEST)
            LINE.take(port.read_until(b"\r\n"))
            times.append(time.perf_counter() - began)
    return times


async def layered(driver: LaserAnnealerDriver, n: int) -> list[float]:
    """Time the driver's command."""
    times = []
    await driver.connect()
    for _ in range(n):
        began = time.perf_counter()
        await driver.last_shot()
        times.append(time.perf_counter() - began)
    await driver.close()
    return times


def tell(where: str, bare: list[float], whole: list[float]) -> None:
    """Print one line of figures, in milliseconds."""
    low, high = 1e3 * np.median(bare), 1e3 * np.median(whole)
    print(f"{where:16s} bare {low:.3f} ms, through link and command {high:.3f} ms: {high - low:+.3f} ms (target: 0.2)")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--exchanges", type=int, default=1000)
    options = parser.parse_args()
    clock = RealClock()
    state = WorldFile(":memory:")
    laser = FilmStation(state=state, clock=clock, seed=0, options={}).instruments["laser"]
    bare, whole = [], []
    for _ in range(options.rounds):
        bare += bare_memory(laser, options.exchanges)
        link = MemoryLink(laser, clock, name="memory", tap=Tap(clock))
        whole += asyncio.run(layered(LaserAnnealerDriver(link, clock), options.exchanges))
    tell("in memory", bare, whole)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "simulators.serve", "--world", "film-station"]
        command += ["--state", str(Path(folder) / "world.db")]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdin is not None and process.stdout is not None
        url = json.loads(process.stdout.readline())["laser"]
        address = parse_url(url)
        assert isinstance(address, SerialAddress)
        bare, whole = [], []
        for _ in range(options.rounds):
            bare += bare_serial(address.path, options.exchanges)
            driver = LaserAnnealerDriver(open_link(url, clock), clock)  # type: ignore[arg-type]
            whole += asyncio.run(layered(driver, options.exchanges))
        tell("pseudo-terminal", bare, whole)
        process.stdin.close()
        process.wait()


if __name__ == "__main__":
    main()
