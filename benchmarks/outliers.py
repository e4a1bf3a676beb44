"""What do results that cannot be cost, and what does option `robust` give back?

    python benchmarks/outliers.py --data FOLDER [--problems ...] [--rates 0 0.1] [--kind gross] [--json FILE]

The problems of `planners.py` on which settings may be chosen, with their first points and noise. Of the measured values
a share is wrong: by 4 to 10 standard deviations of the function, up or down (`gross`), or the value of another place in
the space, drawn at random (`swapped`, a wrong label). Which trials are wrong, and by how much, is keyed by (problem,
seed, number of the trial), so that it is the same with the option and without. Regret is the true value less the
optimum: *found*, of the best that was tried, whoever may know it; *named*, of the one that the planner calls the best
(`Planner.best`), which without the option is that of the least measured value.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from planner_peers import TARGET
from planner_peers.ours import searched
from planner_problems import Problem
from planner_references import load
from planner_tables import all_problems

from planner import Objective, Observation, Planner

BUDGET = 40
_FROM, _TO = 4.0, 10.0
"""Standard deviations of the function."""
_N_SAMPLE = 500


@dataclass(frozen=True, kw_only=True)
class Run:
    """One campaign."""

    problem: str
    seed: int
    rate: float
    robust: bool
    found: float
    named: float
    """Regrets after the last trial."""
    wrong: int
    """Results that were wrong."""
    doubted: int
    """Results that were not believed at the end."""
    rightly: int
    """Those of them that were wrong."""
    cpu_s: float
    """Of all asks together."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="where the measured tables are")
    parser.add_argument("--problems", nargs="+")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.0, 0.1])
    parser.add_argument("--kind", choices=["gross", "swapped"], default="gross")
    parser.add_argument("--first", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    problems = {name: one for name, one in all_problems(options.data).items() if one.half == "tune"}
    seeds = range(options.first, options.first + options.seeds)
    print(f"{options.kind}, seeds {seeds[0]} to {seeds[-1]}, regret after {BUDGET} trials, mean (worst)")
    print("| problem | wrong | robust | found | named | not believed, wrongly | missed | CPU s |")
    print("|---|---|---|---|---|---|---|---|")
    runs: list[Run] = []
    for name in options.problems or problems:
        least = load()[name].optimum
        for rate in options.rates:
            for robust in (False, True):
                few = [performed(problems[name], seed, rate, options.kind, robust, least) for seed in seeds]
                runs += few
                print(row(few), flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(one) for one in runs], indent=1) + "\n")


def performed(problem: Problem, seed: int, rate: float, kind: str, robust: bool, least: float) -> Run:
    """Return one campaign."""
    options = {"robust": True} if robust else {}
    planner = Planner(searched(problem.space), [Objective(TARGET, "minimize")], seed=seed, options=options)
    others = problem.evaluate(problem.space.sample(_N_SAMPLE, problem.rng(seed, 2)))
    others = others[np.isfinite(others)]
    asked, true, wrong, cpu_s = problem.initial(seed), list[float](), set[int](), 0.0
    for number in range(BUDGET):
        began = time.process_time()
        point = asked.pop(0) if asked else dict(planner.ask(1)[0].parameters)
        cpu_s += time.process_time() - began
        value = problem.truth(point)
        true.append(np.inf if value is None else value)
        if value is None:
            planner.tell([Observation(parameters=point, failure="no result")])
            continue
        rng = problem.rng(seed, 3, number)
        measured = problem.observed(value, seed, number)
        if rng.random() < rate:
            wrong.add(number)
            size = rng.choice([-1.0, 1.0]) * rng.uniform(_FROM, _TO) * float(np.std(others))
            measured = measured + size if kind == "gross" else float(rng.choice(others))
        planner.tell([Observation(parameters=point, values={TARGET: measured})])
    doubted = {one.number for one in planner.doubted()}
    best = planner.best()
    named = np.inf if best is None else true[planner.observations.index(best)]
    return Run(
        problem=problem.name,
        seed=seed,
        rate=rate,
        robust=robust,
        found=float(min(true) - least),
        named=float(named - least),
        wrong=len(wrong),
        doubted=len(doubted),
        rightly=len(doubted & wrong),
        cpu_s=round(cpu_s, 2),
    )


def row(runs: Sequence[Run]) -> str:
    """Return the row of some runs of a problem."""
    one = runs[0]
    wrongly = sum(each.doubted - each.rightly for each in runs) / len(runs)
    missed = f"{sum(each.wrong - each.rightly for each in runs)} of {sum(each.wrong for each in runs)}"
    cells = [_mean([each.found for each in runs]), _mean([each.named for each in runs])]
    cells += [f"{wrongly:.1f}" if one.robust else "–", missed if one.robust else "–"]
    cpu_s = np.mean([each.cpu_s for each in runs])
    told = ["yes" if one.robust else "no", *cells, f"{cpu_s:.1f}"]
    return f"| {one.problem} | {one.rate:.0%} | {' | '.join(told)} |"


def _mean(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3g} ({max(values):.3g})"


if __name__ == "__main__":
    main()
