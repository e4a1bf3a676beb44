"""How often predictions hold: `python benchmarks/planner_calibration.py --data FOLDER`.

Every proposal of the default policy predicts its result's noiseless value, with a standard deviation, before it is
tried. Counted is how often the true value lies within 1.645 of these around the mean, on the problems, first points,
noise and budget of `planners.py`; failed trials have no value and are left out. The factor that widens predictions
(`planner.models`) was chosen on the tuning problems with seeds 100 to 103.

With `--told`, measured values are counted in the intervals of forecasts (noise included), from the ninth on that was
foretold: as the model says, and as people are told after those before it (`surrogate.registry.recalibration`).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from planner_peers import TARGET
from planner_peers.ours import searched
from planner_problems import Problem
from planner_tables import all_problems

from planner import Objective, Observation, Planner, Prediction, Value
from surrogate.registry.calibration import FEWEST
from surrogate.registry.recalibration import correction
from surrogate.registry.scores import log_scores, pit

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
    parser.add_argument("--told", action="store_true", help="count forecasts, and what people are told of them")
    options = parser.parse_args()
    problems = all_problems(options.data)
    if options.told:
        count_told({name: problems[name] for name in options.problems or problems}, options.first, options.seeds)
        return
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


def count_told(problems: Mapping[str, Problem], first: int, seeds: int) -> None:
    """Count measured values in the intervals of forecasts, as the model says and as people are told."""
    print(f"seeds {first} to {first + seeds - 1}, {BUDGET} trials")
    print("| problem | forecasts | as the model says | as told | score | as told |")
    print("|---|---|---|---|---|---|")
    everything = []
    for name, problem in problems.items():
        found = np.vstack([forecasts(problem, first + seed) for seed in range(seeds)])
        everything.append(found)
        print(f"| {name} | {told_row(found)} |", flush=True)
    print(f"| all | {told_row(np.vstack(everything))} |")


def forecasts(problem: Problem, seed: int) -> np.ndarray:
    """Return, from the ninth forecast on, the error in foretold sds, and what people are told these times (`n x 2`)."""
    planner = Planner(searched(problem.space), [Objective(TARGET, "minimize")], seed=seed)
    found, pits = list[tuple[float, float]](), list[float]()
    asked: list[dict[str, Value]] = problem.initial(seed)
    for number in range(BUDGET):
        is_asked = not asked
        point = dict(planner.ask(1)[0].parameters) if is_asked else asked.pop(0)
        told = planner.forecasts([point]).get("cold", {}) if is_asked else {}
        true = problem.truth(point)
        if true is None:
            planner.tell([Observation(parameters=point, failure="no result")])
            continue
        value = problem.observed(true, seed, number)
        planner.tell([Observation(parameters=point, values={TARGET: value})])
        if TARGET in told:
            mean, sd = float(told[TARGET].mean[0]), float(told[TARGET].sd[0])
            found.append(((value - mean) / sd, correction(pits)))
            pits.append(pit(mean, sd, value))
    return np.array(found[FEWEST:]).reshape(-1, 2)


def told_row(found: np.ndarray) -> str:
    """Return the cells of one row."""
    z, times = found.T
    holds = [share(np.abs(z) <= NINETY * one) for one in (1.0, times)]
    scores = [f"{np.mean(log_scores(z, one)):.3f}" for one in (np.ones(len(z)), times)]
    return " | ".join([str(len(z)), *holds, *scores])


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
