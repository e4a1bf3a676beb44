"""What safety costs: a durable step on an instant device beside a point of Bluesky's RunEngine, in one run.

    python benchmarks/cost_of_safety.py --peers-python PEERS/bin/python [--folder DIR] [--rounds 5] [--profile]

The peers live in an environment of their own:

    python3 -m venv PEERS
    PEERS/bin/pip install bluesky==1.15.1 ophyd==1.11.2 ophyd-async==0.21.3 h5py
    python benchmarks/cost_of_safety.py --peers-python PEERS/bin/python

Kinds take turns in every round, and a ratio is made within its round. Where others use the cores as well, whoever has
slept until its fdatasync was done waits for a core as long as the scheduler likes, which says nothing of either side: a
round is *disturbed* where what never waits got less than 80 % of a core. Rounds go on until enough were undisturbed;
the disturbed ones are printed too. `--folder` must be on a real disk: memory would make commits free, and is refused.
Without `--peers-python` only our side and the disk are measured.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from cost_of_safety_layers import profiled
from cost_of_safety_ours import Body, stepping, timed, two_commits_ms, whole_trials
from virtual_time import Stopwatch, fdatasync_s

from orchestrator.analysis import Analysis
from orchestrator.check import check_campaign
from orchestrator.evidence import Evidence
from orchestrator.execution import Settings, start
from orchestrator.knowledge import Knowledge
from simulators.instruments.base import FramedInstrument

SIMULATED = "step, VERIFIABLE, as simulate makes it (virtual time, no fsync)"
OURS: dict[str, tuple[Body, bool, bool]] = {
    "step, OPERATOR": (stepping("dispense"), False, True),
    "step, VERIFIABLE": (stepping("move"), False, True),
    "step, IDEMPOTENT": (stepping("set_rate"), False, True),
    "move and reading under one claim": (stepping("move", "read"), False, True),
    "whole trial of one act": (whole_trials, False, True),
    "step, VERIFIABLE, outcome rides on the next commit (virtual time)": (stepping("move"), True, True),
    SIMULATED: (stepping("move"), True, False),
}
"""Body, whether it runs in virtual time, and whether commits reach the disk at once."""
STEPS = ("step, OPERATOR", "step, VERIFIABLE", "step, IDEMPOTENT")
TARGETS = {"ophyd.sim": 1.0, "ophyd-async": 2.0}
NEVER_WAITS = (SIMULATED, "ophyd.sim")
LEAST_SHARE = 0.8
"""Of a core, for what never waits: with less, others are computing."""
SYNC, RAW = "append and fdatasync of 300 B", "two SQLite commits alone"
MEMORY = ("tmpfs", "ramfs")
AROUND = {
    "planner": [(Knowledge, "ask"), (Knowledge, "tell"), (Knowledge, "diagnostics")],
    "analysis": [(Analysis, "of_trial")],
    "simulated instruments": [(FramedInstrument, "receive")],
    "files of measurements": [(Evidence, "keep")],
}
"""What a simulated campaign does besides orchestrating."""

Figures = dict[str, list[dict[str, float]]]


def file_system(folder: Path) -> str:
    """Return the type of the file system that a folder is on; nothing where the system does not say."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return ""
    rows = [line.split()[:3] for line in mounts.read_text().splitlines()]
    real = folder.resolve()
    over = [(len(place), kind) for _, place, kind in rows if real.is_relative_to(place)]
    return max(over)[1] if over else ""


def rounds(folder: Path, options: argparse.Namespace) -> tuple[Figures, Figures, dict[str, str]]:
    """Measure until enough rounds were undisturbed; return these, the disturbed ones, and the peers' versions."""
    quiet: Figures = defaultdict(list)
    disturbed: Figures = defaultdict(list)
    versions: dict[str, str] = {}
    for turn in range(options.rounds + options.more):
        figures: Figures = defaultdict(list)
        versions = one_round(turn, folder, options, figures)
        for name, found in figures.items():
            (quiet if is_quiet(figures) else disturbed)[name] += found
        if len(quiet[RAW]) >= options.rounds:
            break
    return quiet, disturbed, versions


def is_quiet(figures: Figures) -> bool:
    """Say whether what never waits had a core for itself."""
    return all(
        figure["cpu_ms"] >= LEAST_SHARE * figure["wall_ms"] for name in NEVER_WAITS for figure in figures.get(name, ())
    )


def one_round(turn: int, folder: Path, options: argparse.Namespace, figures: Figures) -> dict[str, str]:
    """Measure every kind once, in an order that turns; return the peers' versions."""
    names = list(OURS)
    first = turn % len(names)
    for name in names[first:] + names[:first]:
        body, is_virtual, fsync = OURS[name]
        place = folder / f"{turn}-{names.index(name)}"
        figures[name].append(timed(place, body, options.steps, is_virtual=is_virtual, fsync=fsync))
    figures[RAW].append(two_commits_ms(_made(folder / f"raw-{turn}"), options.steps))
    figures[SYNC].append({"wall_ms": 1e3 * fdatasync_s(str(folder))})
    if options.peers_python is None:
        return {}
    command = [options.peers_python, str(Path(__file__).with_name("cost_of_safety_peers.py"))]
    command += ["--points", str(options.points), "--turn", str(turn)]
    command += ["--folder", str(_made(folder / f"peers-{turn}"))]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout)
    for name, figure in answer["kinds"].items():
        figures[name].append(figure)
    return answer["versions"]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def spread(values: Sequence[float], form: str = "{:.2f}") -> str:
    """Return a median with its range."""
    median, low, high = (form.format(value) for value in (np.median(values), min(values), max(values)))
    return f"{median} [{low}, {high}]"


def column(figures: Figures, name: str, what: str) -> list[float]:
    """Return one figure of every round."""
    return [figure[what] for figure in figures[name]]


def print_figures(figures: Figures) -> None:
    """Print what each kind costs."""
    print("| one step or point | wall, ms | CPU, ms | commits | entries |")
    print("|---|---|---|---|---|")
    for name in dict.fromkeys([*OURS, RAW, SYNC, *sorted(figures)]):
        found = figures[name]
        cells = [spread(column(figures, name, what)) if what in found[0] else "-" for what in ("wall_ms", "cpu_ms")]
        cells += [f"{found[0][what]:.0f}" if what in found[0] else "-" for what in ("commits", "entries")]
        print(f"| {name} | {' | '.join(cells)} |")


def print_ratios(figures: Figures) -> None:
    """Print our steps over the peers' points."""
    peers = [name for name in TARGETS if name in figures]
    peers += [name for name in figures if name.startswith("ophyd.sim,")]
    if not peers:
        return
    heads = [f"/ {name}" + (f" (at most {TARGETS[name]:g})" if name in TARGETS else "") for name in peers]
    print(f"\n| wall-time ratio, by round | {' | '.join(heads)} |\n|---|{'---|' * len(peers)}")
    for ours in OURS:
        print(f"| {ours} | {' | '.join(spread(ratios(figures, ours, peer, 'wall_ms')) for peer in peers)} |")
    print(f"\n| CPU-time ratio, by round | {' | '.join(f'/ {name}' for name in peers)} |\n|---|{'---|' * len(peers)}")
    for ours in OURS:
        print(f"| {ours} | {' | '.join(spread(ratios(figures, ours, peer, 'cpu_ms')) for peer in peers)} |")
    print()
    for peer, most in TARGETS.items():
        worst = max(float(np.median(ratios(figures, ours, peer, "wall_ms"))) for ours in STEPS)
        print(f"target: at most {most:g} x a point of {peer}: {'held' if worst <= most else 'MISSED'}, {worst:.2f} x")


def print_rounds(figures: Figures, which: str) -> None:
    """Print what some rounds found."""
    print(f"\n{len(figures[RAW])} {which} rounds\n")
    print_figures(figures)
    print_ratios(figures)
    print_pace(figures)


def print_pace(figures: Figures) -> None:
    """Print how many journal entries a simulation writes where nothing but the orchestrator takes time."""
    pace = [1e3 * figure["entries"] / figure["wall_ms"] for figure in figures[SIMULATED]]
    print(f"\nsimulated steps on an instant device: {spread(pace, '{:.0f}')} journal entries a second (target: 2000)")


def ratios(figures: Figures, ours: str, peer: str, what: str) -> list[float]:
    """Return our figure over the peer's, round by round."""
    pairs = zip(column(figures, ours, what), column(figures, peer, what), strict=True)
    return [mine / theirs for mine, theirs in pairs]


def simulated(file: Path, trials: int, out: Path) -> None:
    """Run a campaign in virtual time and print how many journal entries it writes in a second."""
    ready = check_campaign(file, None, [f"budget.trials={trials}"]).require()
    watch = Stopwatch()
    for layer, methods in AROUND.items():
        for owner, name in methods:
            watch.wrap(owner, name, layer)
    began, cpu = time.perf_counter(), time.process_time()
    start(ready, out, Settings(is_virtual=True, fsync=False))
    watch.end()
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    entries = _entries(out / "journal.sqlite")
    around_s = sum(watch.spent[layer] for layer in AROUND)
    shares = ", ".join(f"{layer} {100 * watch.spent[layer] / wall_s:.0f} %" for layer in AROUND)
    print(
        f"\nsimulated campaign {file.stem}, {trials} trials: {entries} journal entries in {wall_s:.1f} s wall "
        f"({cpu_s:.1f} s CPU): {entries / wall_s:.0f} a second (target: 2000), {entries / cpu_s:.0f} a CPU second\n"
        f"of that {shares}; without these {entries / (wall_s - around_s):.0f} a second"
    )


def _entries(journal: Path) -> int:
    with sqlite3.connect(journal) as connection:
        return connection.execute("SELECT count(*) FROM journal").fetchone()[0]


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers-python", help="the interpreter of the peers' environment")
    parser.add_argument("--folder", type=Path, default=Path(os.environ.get("LABPILOT_BENCH_DIR", ".")))
    parser.add_argument("--rounds", type=int, default=5, help="undisturbed rounds that are wanted")
    parser.add_argument("--more", type=int, default=15, help="rounds more, at most, where some are disturbed")
    parser.add_argument("--steps", type=int, default=500, help="our steps in a round")
    parser.add_argument("--points", type=int, default=500, help="the peers' points in a round")
    parser.add_argument("--trials", type=int, default=100, help="of the simulated campaign; 0 leaves it out")
    parser.add_argument("--campaign", type=Path, default=Path(__file__).with_name("thirty_days.yaml"))
    parser.add_argument("--profile", action="store_true", help="show where the time of a step goes")
    options = parser.parse_args()
    if file_system(options.folder) in MEMORY:
        parser.error(f"{options.folder} is in memory, where a commit costs nothing: name a folder on a disk (--folder)")
    return options


def main() -> None:
    """Run and print."""
    options = parsed()
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="cost-of-safety-") as name:
        folder = Path(name)
        timed(folder / "warm", OURS[STEPS[1]][0], 50)
        quiet, disturbed, versions = rounds(folder, options)
        print(f"{options.steps} steps and {options.points} points a round; medians [range] over rounds")
        if versions:
            print("; ".join(f"{name} {number}" for name, number in versions.items()))
        for figures, which in ((quiet, "undisturbed"), (disturbed, "disturbed")):
            if figures[RAW]:
                print_rounds(figures, which)
        if options.profile:
            profiled(folder / "profile", stepping("move"), options.steps)
        if options.trials:
            simulated(options.campaign, options.trials, folder / "campaign")


if __name__ == "__main__":
    main()
