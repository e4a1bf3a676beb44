"""Compare our planner with its peers on the same problems, first points, noise and budgets.

    python benchmarks/planners.py prepare --envs DIR [--peers ax,baybe]        environments of the peers
    python benchmarks/planners.py run --data DATA --envs DIR [--seeds 0-9]      measure what is missing
    python benchmarks/planners.py report [--split tune]                        tables and the plot
    python benchmarks/planners.py references --data DATA                       optima and thresholds, anew

`run` can be stopped and started again: runs of the same planner's version are kept (benchmarks/results/planners). It
goes through seeds in blocks of five, within them through problems, within them through planners; one process works at a
time. Problems, regret and the top 1 % are defined in `planner_problems.py`. A planner's settings may be chosen with
`--split tune` (five problems, seeds 100 to 109) and on nothing else.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from planner_environments import prepare
from planner_peers import ENTRIES
from planner_problems import Problem
from planner_report import report
from planner_runs import Environments, perform
from planner_store import RESULTS, Store

BUDGET = 60
LIMIT_S = 300
BLOCK = 5
SEEDS = {"report": range(10), "tune": range(100, 110)}


def numbers(text: str) -> list[int]:
    """Read seeds such as ``0-4,7``."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def names(text: str) -> list[str]:
    """Read names divided by commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def plan(
    problems: Sequence[Problem], planners: Sequence[str], seeds: Sequence[int]
) -> Iterator[tuple[str, Problem, int]]:
    """Go through all runs: blocks of seeds, problems, planners, seeds."""
    for start in range(0, len(seeds), BLOCK):
        for problem in problems:
            for planner in planners:
                if ENTRIES[planner].variant_of is None or problem.can_fail:
                    for seed in seeds[start : start + BLOCK]:
                        yield planner, problem, seed


def run(options: argparse.Namespace) -> None:
    """Measure what is missing."""
    from planner_tables import all_problems  # the simulators take a while to import

    problems = _chosen(all_problems(options.data), options)
    store, environments = Store(options.results), Environments(options.envs)
    for planner, problem, seed in plan(problems, options.planners, options.seeds):
        entry = ENTRIES[planner]
        python, version = environments.python(entry), environments.version(entry)
        if python is None or version is None:
            continue
        if store.has((planner, problem.name, seed), version, problem.revision):
            continue
        began = time.perf_counter()
        done = perform(planner, problem, seed, options.budget, python, options.limit)
        store.put(done)
        told = done.stopped or f"best {min((v for v in done.true if v is not None), default=float('nan')):.4g}"
        print(
            f"{time.strftime('%H:%M:%S')} {planner} {problem.name} {seed}: {len(done.true)} trials, "
            f"{sum(done.cpu_s):.1f} CPU s, {time.perf_counter() - began:.0f} s, {told}",
            flush=True,
        )


def _chosen(problems: dict[str, Problem], options: argparse.Namespace) -> list[Problem]:
    wanted = options.problems or list(problems)
    return [problems[name] for name in wanted if options.split == "report" or problems[name].half == "tune"]


def references(options: argparse.Namespace) -> None:
    """Search every problem's optimum and threshold, and keep them."""
    from planner_references import find, save
    from planner_tables import all_problems

    problems = all_problems(options.data)
    save({name: find(problem) for name, problem in problems.items()})


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["prepare", "run", "report", "references"])
    parser.add_argument("--peers", type=names, default=[], help="environments to prepare; all of them by default")
    parser.add_argument("--envs", type=Path, help="where the peers' environments are")
    parser.add_argument("--data", type=Path, help="where the measured tables are")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--planners", type=names, default=list(ENTRIES))
    parser.add_argument("--problems", type=names, default=[], help="all of them by default")
    parser.add_argument("--seeds", type=numbers, help="such as 0-4,7; those of the split by default")
    parser.add_argument("--split", choices=list(SEEDS), default="report")
    parser.add_argument("--budget", type=int, default=BUDGET, help="trials of a run, the first points included")
    parser.add_argument("--limit", type=int, default=LIMIT_S, help="CPU seconds of a planner in one run")
    options = parser.parse_args(arguments)
    options.seeds = options.seeds or list(SEEDS[options.split])
    needed = {"prepare": "envs", "run": "data", "references": "data"}.get(options.command)
    if needed and getattr(options, needed) is None:
        parser.error(f"{options.command} needs --{needed}")
    return options


def main() -> None:
    """Do what the command line says."""
    options = parsed()
    if options.command == "prepare":
        prepare(options.envs, options.peers)
    else:
        {"run": run, "report": report, "references": references}[options.command](options)


if __name__ == "__main__":
    main()
