"""CPU time of one cycle: `python benchmarks/planner_latency.py --envs DIR`.

A cycle tells the last results and asks for the next points, on one thread; what the first cycle loads is not counted.
Our planner and its peers take turns at each setting, each in a process of its own (`planner_worker.py`); environments
are those of `planners.py prepare`. Results are the problems' own, of random points at first. Also of ours alone: what
the import costs, 2,000 results, a pool of a million rows (`--alone` measures only these).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from planner_peers import ENTRIES
from planner_problems import ACKLEY5_MIXED, HARTMANN6, TERNARY, Problem
from planner_runs import Environments, Trials, Worker, WorkerEnded

PROBLEMS: tuple[Problem, ...] = (HARTMANN6, TERNARY, ACKLEY5_MIXED)
SETTINGS = ((12, 1), (60, 1), (200, 4))
"""Results that are known, and points asked for at once."""
TARGETS_MS = {(60, 1): 30, (200, 4): 200}
PLANNERS = ("ours", "ax", "baybe", "botorch")
LIMIT_S = 900
SEED = 5

ALONE = """
import resource, sys, time
began = time.process_time()
import planner
print(f"import: {time.process_time() - began:.2f} CPU s, "
      f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, "
      f"torch is {'' if 'torch' in sys.modules else 'not '}loaded")
"""

POOL = """
import resource, time
import numpy as np
from planner import Categorical, Continuous, Objective, Observation, Planner, SearchSpace
rng, names = np.random.default_rng(0), [f"x{i}" for i in range(5)]
columns = {name: rng.random(1_000_000).round(4) for name in names} | {"c": rng.choice(list("uvwxy"), 1_000_000)}
began = time.process_time()
space = SearchSpace([*(Continuous(name, 0, 1) for name in names), Categorical("c", list("uvwxy"))], candidates=columns)
print(f"pool of a million rows: {time.process_time() - began:.2f} CPU s to read")
planner = Planner(space, [Objective("y", "minimize")], seed=0)
def value(point):
    return sum((point[name] - 0.3) ** 2 for name in names) + 0.2 * (point["c"] != "v")
for n in (60, 200):
    points = space.sample(n - len(planner.observations), rng)
    planner.tell([Observation(parameters=p, values={"y": value(p) + 0.01 * rng.standard_normal()}) for p in points])
    for q in (1, 4):
        began = time.process_time()
        planner.ask(q)
        print(f"{n} results, {q} of the pool: {time.process_time() - began:.2f} CPU s, "
              f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
"""


@dataclass(frozen=True, kw_only=True)
class Timed:
    """Cycles of one planner at one setting."""

    planner: str
    cpu_s: Sequence[float]
    stopped: str = ""

    @property
    def median_s(self) -> float:
        """The median of its cycles."""
        return statistics.median(self.cpu_s)


def cycles(planner: str, python: Path, problem: Problem, n_known: int, q: int, n: int) -> Timed:
    """Time n cycles after a first one."""
    trials = Trials(problem, SEED)
    points = problem.space.sample(n_known, problem.rng(SEED, 9))
    fresh = [(point, trials.measure(point)) for point in points]
    taken: list[float] = []
    with Worker(planner, python, LIMIT_S) as worker:
        try:
            worker.call({"space": problem.space.to_json(), "seed": SEED})
            for _ in range(n + 1):
                answer = worker.call({"tell": fresh, "n": q})
                taken.append(answer["cpu_s"])
                fresh = [(point, trials.measure(point)) for point in answer["points"]]
        except WorkerEnded as reason:
            return Timed(planner=planner, cpu_s=taken[1:], stopped=str(reason))
    return Timed(planner=planner, cpu_s=taken[1:])


def table(environments: Environments, planners: Sequence[str], n: int) -> Iterator[str]:
    """Yield the rows of the table as they are measured."""
    pythons = {name: environments.python(ENTRIES[name]) for name in planners}
    there = {name: python for name, python in pythons.items() if python is not None}
    yield "| problem | results | points | " + " | ".join(f"{name}, s" for name in there) + " | target, s |"
    yield "|---" * (len(there) + 4) + "|"
    for problem in PROBLEMS:
        for n_known, q in SETTINGS:
            found = {name: cycles(name, python, problem, n_known, q, n) for name, python in there.items()}
            target = TARGETS_MS.get((n_known, q))
            cells = [_cell(one, found.get("ours")) for one in found.values()]
            told = "" if target is None else f"{target / 1000:g}"
            yield f"| {problem.name} | {n_known} | {q} | {' | '.join(cells)} | {told} |"


def _cell(one: Timed, ours: Timed | None) -> str:
    if not one.cpu_s:
        return one.stopped or "-"
    told = f"{one.median_s:.3f} [{min(one.cpu_s):.3f}, {max(one.cpu_s):.3f}]"
    if ours is not None and ours.cpu_s and one.planner != "ours":
        told += f", {one.median_s / ours.median_s:.0f} x"
    return told + (f" ({one.stopped})" if one.stopped else "")


def alone() -> Iterator[str]:
    """Yield what is measured of our planner only."""
    python = sys.executable
    for script in (ALONE, POOL):
        yield subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    for problem in PROBLEMS:
        for q in (1, 4):
            found = cycles("ours", Path(python), problem, 2000, q, 2)
            yield f"2,000 results, {problem.name}, {q} at once: {_cell(found, None)} CPU s"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--envs", type=Path, help="where the peers' environments are; without it ours only")
    parser.add_argument("--planners", nargs="+", choices=list(ENTRIES), default=list(PLANNERS))
    parser.add_argument("--cycles", type=int, default=5)
    parser.add_argument("--alone", action="store_true")
    options = parser.parse_args()
    environments = Environments(options.envs)
    if not options.alone:
        for line in table(environments, options.planners, options.cycles):
            print(line, flush=True)
    for line in alone():
        print(line, flush=True)


if __name__ == "__main__":
    main()
