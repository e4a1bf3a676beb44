"""How often predictions hold: `python benchmarks/planner_calibration.py --data FOLDER`.

Every proposal of the default policy predicts its result's noiseless value, with a standard deviation, before it is
tried. Counted is how often the true value lies within 1.645 of these around the mean, on the problems, first points,
noise and budget of `planners.py`; failed trials have no value and are left out. The factor that widens predictions
(`planner.models`) was chosen on the tuning problems with seeds 100 to 103.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from planner_peers import TARGET
from planner_peers.ours import searched
from planner_problems import Problem
from planner_tables import all_problems

from planner import Objective, Observation, Planner, Prediction, Value

NINETY = 1.6449
"""Standard deviations either side of a normal mean that hold 90 %."""
BUDGET = 60
FEW = 25
"""Values up to which a run counts as early."""


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="where the measured tables are")
    parser.add_argument("--problems", nargs="+", help="all of them by default")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    problems = all_problems(options.data)
    print(f"seeds {options.first} to {options.first + options.seeds - 1}, {BUDGET} trials")
    print("| problem | half | predictions | in 90 % intervals | before trial 25 | after |")
    print("|---|---|---|---|---|---|")
    everything = []
    for name in options.problems or problems:
        found = np.vstack([errors(problems[name], options.first + seed) for seed in range(options.seeds)])
        everything.append(found)
        print(f"| {name} | {problems[name].half} | {row(found)} |", flush=True)
    print(f"| all | | {row(np.vstack(everything))} |")


def errors(problem: Problem, seed: int) -> np.ndarray:
    """Return, for each proposal that had a value, the trial's number and the error in predicted sds (`n x 2`)."""
    planner = Planner(searched(problem.space), [Objective(TARGET, "minimize")], seed=seed)
    found: list[tuple[int, float]] = []
    asked: list[tuple[dict[str, Value], Prediction | None]] = [(point, None) for point in problem.initial(seed)]
    for number in range(BUDGET):
        point, prediction = asked.pop(0) if asked else _next(planner)
        true = problem.truth(point)
        if true is None:
            planner.tell([Observation(parameters=point, failure="no result")])
            continue
        planner.tell([Observation(parameters=point, values={TARGET: problem.observed(true, seed, number)})])
        if prediction is not None:
            found.append((number, (true - prediction.mean) / prediction.sd))
    return np.array(found).reshape(-1, 2)


def _next(planner: Planner) -> tuple[dict[str, Value], Prediction | None]:
    proposal = planner.ask(1)[0]
    return dict(proposal.parameters), proposal.predictions.get(TARGET)


def row(found: np.ndarray) -> str:
    """Return the cells of one row."""
    holds = np.abs(found[:, 1]) <= NINETY
    early = found[:, 0] < FEW
    return " | ".join([str(len(found)), *(share(one) for one in (holds, holds[early], holds[~early]))])


def share(holds: Sequence[bool] | np.ndarray) -> str:
    """Return a mean, as text."""
    return f"{np.mean(holds):.3f}" if len(holds) else "-"


if __name__ == "__main__":
    main()
