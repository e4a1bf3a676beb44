"""What is it worth to say how far what is achieved lies from what is asked for?

    python benchmarks/input_noise.py [--problems branin hidden_failure] [--share 0.03] [--seeds 10] [--first 300]

Problems of `planners.py`, their first points and noise; but what is measured is measured beside the point that was
asked for, by a normal deviation of each parameter, whose standard deviation is a share of its range (clipped to the
bounds; a trial that fails there fails). The planner is told the point that it asked for. Where it is told `input_sd`,
that is the true one. Regret is the noiseless value at the point that is asked for, less the optimum: *found*, the best
of all that was tried; *believed*, of the tried point with the best prediction. Counted are measured values in the 90 %
intervals of forecasts, over all and over the tenth that are the widest, and the log score of `surrogate.registry`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
from planner_peers import TARGET
from planner_peers.ours import searched
from planner_problems import CLOSED_FORMS, Problem
from planner_references import load

from planner import Continuous, Objective, Observation, Planner, SearchSpace
from surrogate.registry.scores import log_score

BUDGET = 40
_NINETY = 1.6449


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", nargs="+", default=["branin", "hidden_failure"])
    parser.add_argument("--share", type=float, default=0.03)
    parser.add_argument("--first", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    problems = {one.name: one for one in CLOSED_FORMS}
    print(f"inputs {options.share:.0%} of their range, seeds {options.first} to {options.first + options.seeds - 1}")
    print("| problem | told | found | believed | in 90 % | the widest tenth | log score | 5 worst scores |")
    print("|---|---|---|---|---|---|---|---|")
    for name in options.problems:
        for is_told in (False, True):
            runs = [
                performed(problems[name], options.first + seed, options.share, is_told) for seed in range(options.seeds)
            ]
            print(row(name, is_told, runs), flush=True)


def performed(problem: Problem, seed: int, share: float, is_told: bool) -> tuple[float, float, np.ndarray]:
    """Return both regrets of one campaign, and error, sd and score of each forecast (`n x 3`)."""
    space = searched(problem.space)
    sds = {one.name: share * (one.high - one.low) for one in space.parameters if isinstance(one, Continuous)}
    told = [replace(one, input_sd=sds[one.name]) if isinstance(one, Continuous) else one for one in space.parameters]
    planner = Planner(
        SearchSpace(told, space.constraints) if is_told else space, [Objective(TARGET, "minimize")], seed=seed
    )
    asked, tried, forecasts = problem.initial(seed), [], list[tuple[float, float, float]]()
    for number in range(BUDGET):
        is_asked = not asked
        point = dict(planner.ask(1)[0].parameters) if is_asked else asked.pop(0)
        expected = planner.forecasts([point]).get("cold", {}).get(TARGET) if is_asked else None
        rng, achieved = problem.rng(seed, 4, number), dict(point)
        for one in space.parameters:
            if isinstance(one, Continuous):
                off = float(point[one.name]) + sds[one.name] * float(rng.standard_normal())
                achieved[one.name] = float(np.clip(off, one.low, one.high))
        value, nominal = problem.truth(achieved), problem.truth(point)
        if value is None:
            planner.tell([Observation(parameters=point, failure="no result")])
            continue
        measured = problem.observed(value, seed, number)
        planner.tell([Observation(parameters=point, values={TARGET: measured})])
        if nominal is not None:
            tried.append((point, nominal))
        if expected is not None:
            mean, sd = float(expected.mean[0]), float(expected.sd[0])
            forecasts.append((measured - mean, sd, log_score(mean, sd, measured)))
    means = planner.predict([point for point, _ in tried])[TARGET].mean
    least = load()[problem.name].optimum
    values = [value - least for _, value in tried]
    return min(values), values[int(np.argmin(means))], np.array(forecasts)


def row(name: str, is_told: bool, runs: list[tuple[float, float, np.ndarray]]) -> str:
    """Return the row of some campaigns."""
    off, sd, score = np.vstack([one for _, _, one in runs]).T
    held, wide = np.abs(off) <= _NINETY * sd, sd >= np.quantile(sd, 0.9)
    regrets = [[found for found, _, _ in runs], [believed for _, believed, _ in runs]]
    cells = [f"{np.mean(each):.3g} ({max(each):.3g})" for each in regrets]
    cells += [
        f"{held.mean():.3f}",
        f"{held[wide].mean():.3f}",
        f"{score.mean():.3f}",
        f"{np.sort(score)[:5].mean():.1f}",
    ]
    return f"| {name} | {'yes' if is_told else 'no'} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
