"""Repeat or new: what option `replicates` of the default policy gains where noise is large.

    python benchmarks/replicates.py --seeds 20 --first 200

Branin's function and the ternary mixture with five times their noise (2.5 and 0.1), and *pool*: 60 random points of
Hartmann's function in six dimensions, noise 0.3, where no neighbour can stand for a point. 40 trials; both ways share
first points and noise. The regret is the true value, less the optimum, of the recipe that `Planner.recommended` names,
and of the one with the best measured value.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from goals import STAKES
from planner_problems import BRANIN, HARTMANN6, TERNARY, Problem

from planner import Continuous, Objective, Observation, Planner, SearchSpace

_TRIALS = 40
_MOST = 5
_IN_POOL = 60
NOISE = {"branin": 2.5, "ternary": 0.1, "pool": 0.3}

Point = Mapping[str, float | int | str]


@dataclass(frozen=True, kw_only=True)
class World:
    """A problem for one seed."""

    space: SearchSpace
    start: Sequence[Point]
    best: float
    problem: Problem


def _open(problem: Problem) -> Callable[[int], World]:
    stake = next(one for one in STAKES if one.problem is problem)
    return lambda seed: World(space=stake.space, start=problem.initial(seed), best=stake.best, problem=problem)


def _pool(seed: int) -> World:
    axes = [Continuous(axis.name, axis.low, axis.high) for axis in HARTMANN6.space.axes]
    box = SearchSpace(axes)
    points = box.points(box.sample_rows(_IN_POOL, np.random.default_rng([seed, 5])))
    best = float(HARTMANN6.evaluate(points).min())
    return World(space=SearchSpace(axes, candidates=points), start=(), best=best, problem=HARTMANN6)


WORLDS = {"branin": _open(BRANIN), "ternary": _open(TERNARY), "pool": _pool}


def run(name: str, seed: int, most: int) -> tuple[float, float, int]:
    """Return the regrets of the recommended recipe and of the best measured one, and how many repeats there were."""
    world, repeats = WORLDS[name](seed), 0
    options = {"replicates": most} if most > 1 else {}
    planner = Planner(world.space, [Objective("y", "minimize")], seed=seed, options=options)

    def true(point: Point) -> float:
        return float(world.problem.evaluate([point])[0])

    for number in range(_TRIALS):
        proposal = None if number < len(world.start) else planner.ask(1)[0]
        repeats += proposal is not None and proposal.is_repeat
        point = world.start[number] if proposal is None else proposal.parameters
        y = true(point) + NOISE[name] * float(world.problem.rng(seed, 1, number).standard_normal())
        known_as = None if proposal is None else proposal.id
        planner.tell([Observation(parameters=point, values={"y": y}, proposal_id=known_as)])
    recommended, best = planner.recommended(), planner.best()
    if recommended is None or best is None:
        raise ValueError(f"nothing was measured on {name} with seed {seed}")
    return true(recommended.parameters) - world.best, true(best.parameters) - world.best, repeats


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds")
    parser.add_argument("--first", type=int, default=200, help="the first seed")
    parser.add_argument("--worlds", nargs="+", choices=list(WORLDS), default=list(WORLDS), help="which problems")
    given = parser.parse_args(arguments)
    seeds = range(given.first, given.first + given.seeds)
    print(f"{'problem':10}{'replicates':12}{'repeats':9}{'recommended: mean, median':28}{'best measured':20}")
    for name in given.worlds:
        found = {most: np.array([run(name, seed, most) for seed in seeds]) for most in (1, _MOST)}
        for most, runs in found.items():
            mean, middle = runs.mean(axis=0), np.median(runs, axis=0)
            said = f"{mean[0]:.3f}, {middle[0]:.3f}"
            print(f"{name:10}{most:<12}{mean[2]:<9.1f}{said:28}{mean[1]:.3f}, {middle[1]:.3f}", flush=True)
        gain = found[1][:, 0] - found[_MOST][:, 0]
        draws = np.random.default_rng(0).choice(gain, (4000, len(gain))).mean(axis=1)
        low, high = np.quantile(draws, [0.05, 0.95])
        print(
            f"{'':10}repeats gain {gain.mean():.3f} [{low:.3f}, {high:.3f}] of the recommended recipe, 90 % bootstrap"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
