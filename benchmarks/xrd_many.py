"""Identify thousands of patterns in one call: `python benchmarks/xrd_many.py --patterns 10000 --workers 2`.

Writes patterns of level L1 over 20 to 70 degrees in steps of 0.04, drawn from titanium oxides, as text files in a
folder of its own; one in a hundred is broken in one of five ways. Then `labpilot identify FOLDER` runs, with list and
page, and what its processes hold in memory is read every few seconds. Prints memory against patterns done, what was
told about broken files, and the size of the output.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from surrogate.xrd.atlas import make_atlas
from surrogate.xrd.generate import LEVELS, generate
from surrogate.xrd.library import embedded_library

CHEMISTRY = "Ti,O"
AT_ONCE = 100
EVERY_S = 5.0
HEADER = "# anode: Cu\n# K-alpha1: 1.540593 A\n# K-alpha2: 1.544427 A\n# ratio: 0.5\n"
PROGRESS = re.compile(r"^(\d+) of \d+ patterns$")


def main() -> None:
    """Write, identify, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patterns", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--broken-every", type=int, default=100, help="patterns, of which one is broken")
    parser.add_argument("--rows", type=int, default=10, help="rows of the table of memory")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        patterns = Path(folder) / "patterns"
        patterns.mkdir()
        broken = write_patterns(patterns, arguments.patterns, arguments.broken_every)
        listing, page = Path(folder) / "phases.json", Path(folder) / "phases.html"
        command = [
            *(str(Path(sys.executable).with_name("labpilot")), "identify", str(patterns), "--embedded"),
            *("--chemistry", CHEMISTRY),
            *("--json", str(listing), "--html", str(page), "--workers", str(arguments.workers), "--quiet"),
        ]
        code, seen, said = watched(command)
        told = {Path(one["file"]).name: one for one in json.loads(listing.read_text(encoding="utf-8"))}
        sizes_mb = [file.stat().st_size / 1e6 for file in (listing, page)]
    print(f"exit code {code}; {said}")
    print(f"{len(told)} results; list {sizes_mb[0]:.1f} MB, page {sizes_mb[1]:.1f} MB")
    unusable = {name for name, one in told.items() if one["verdict"] == "unusable"}
    print(
        f"broken {len(broken)}, of which unusable {len(unusable & broken.keys())}; others unusable: "
        f"{len(unusable - broken.keys())}"
    )
    print(
        "verdicts of broken files: "
        + ", ".join(
            f"{kind}: {verdict} ({n})"
            for (kind, verdict), n in Counter((kind, told[name]["verdict"]) for name, kind in broken.items()).items()
        )
    )
    print("\n| patterns done | main process, MiB | all workers, MiB |\n|---|---|---|")
    for row in np.unique(np.linspace(0, len(seen) - 1, arguments.rows).astype(int)):
        done, own, workers = seen[row]
        print(f"| {done} | {own:.0f} | {workers:.0f} |")


def write_patterns(folder: Path, n: int, broken_every: int) -> dict[str, str]:
    """Write ``n`` patterns; return the names of those that were broken, each with how."""
    atlas = make_atlas(embedded_library().within(["Ti", "O"]).phases, highest_deg=90.0)
    draw, broken = torch.Generator().manual_seed(0), {}
    for first in range(0, n, AT_ONCE):
        batch = generate(atlas, LEVELS["L1"], min(AT_ONCE, n - first), draw)
        angles = batch.grid.two_theta_deg.numpy()
        kept = (angles >= 20.0) & (angles <= 70.0) & (np.arange(len(angles)) % 2 == 0)
        for number, counts in enumerate(batch.counts.numpy()[:, kept], start=first):
            lines = [f"{a:.4f} {c:.0f}" for a, c in zip(angles[kept], counts, strict=True)]
            name = f"sample_{number:05d}.xy"
            text = HEADER + "\n".join(lines) + "\n"
            if number % broken_every == broken_every // 2:
                broken[name], text = _broken(number // broken_every, lines)
            (folder / name).write_text(text, encoding="utf-8")
    return broken


def _broken(which: int, lines: list[str]) -> tuple[str, str]:
    """Return in what way, and the text of a file that is broken so."""
    angles = [line.split()[0] for line in lines]
    ways = {
        "empty": "",
        "two points": HEADER + "\n".join(lines[:2]) + "\n",
        "constant": HEADER + "".join(f"{angle} 100\n" for angle in angles),
        "not monotonic": HEADER + "\n".join(lines[:500] + lines[200:]) + "\n",
        "no numbers": "the beam was down\n" * 50,
    }
    return list(ways.items())[which % len(ways)]


def watched(command: list[str]) -> tuple[int, list[tuple[int, float, float]], str]:
    """Run a command; return its exit code, memory by patterns done, and the last line of its output."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603
    done, seen = [0], []

    def read() -> None:
        for line in process.stderr or ():
            if found := PROGRESS.match(line.strip()):
                done[0] = int(found[1])
                print(line.strip(), file=sys.stderr, flush=True)

    reader = threading.Thread(target=read)
    reader.start()
    while process.poll() is None:
        try:
            process.wait(EVERY_S)
        except subprocess.TimeoutExpired:
            seen.append((done[0], _mib(process.pid), sum(map(_mib, _descendants(process.pid)))))
    reader.join()
    said = (process.stdout.read() if process.stdout else "").strip().splitlines()
    return process.returncode, seen, said[-1] if said else ""


def _mib(pid: int) -> float:
    """Return a process' resident memory; 0 once it has gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024.0 if found else 0.0


def _descendants(pid: int) -> list[int]:
    try:
        children = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except OSError:
        return []
    return [one for child in children for one in (child, *_descendants(child))]


if __name__ == "__main__":
    main()
