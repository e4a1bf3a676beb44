"""Goals other than the most and the least: how many experiments it takes to hit a target, a window, to keep to limits.

    python benchmarks/goals.py --seeds 20 --png reached.png
    python benchmarks/goals.py --seeds 20 --risk

Three planners on the same seeds: ours (objectives told as what they are), the plain trick (the same planner told one
collapsed number to minimise: what is lacking to the aim, or the value plus a penalty for what exceeds the limits), and
random points. A run ends with the first trial that is there by its true value, or with the budget. `--risk` stops runs
by `Planner.prospect` at a stated risk instead, and counts how often something better by the margin was left.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from planner_problems import BRANIN, HARTMANN6, HIDDEN_FAILURE, TERNARY, Problem

from planner import Continuous, Objective, Observation, Planner, SearchSpace
from planner.comparison import quartiles

PLANNERS = ("ours", "collapsed", "random")
_PENALTY = 5.0
"""Of the plain trick, for each unit beyond a limit."""
_N_START = 8

Point = Mapping[str, float | int | str]


@dataclass(frozen=True, kw_only=True)
class Aim:
    """A problem: what is measured at a point, and what is wanted of it."""

    name: str
    space: SearchSpace
    objectives: tuple[Objective, ...]
    evaluate: Callable[[Point], dict[str, float]]
    noise_sd: Mapping[str, float]
    is_there: Callable[[Mapping[str, float]], bool]
    """Whether true values are good enough."""
    trials: int

    def collapsed(self, values: Mapping[str, float]) -> float:
        """Return one number, to be minimised, for values of all objectives."""
        total = 0.0
        for objective in self.objectives:
            value = values[objective.name]
            if objective.limit is None:
                total -= float(objective.merit(np.array([value]))[0])
            else:
                over = value - objective.limit
                total += _PENALTY * max(over if objective.direction == "at_most" else -over, 0.0)
        return total


def _boiling(point: Point) -> dict[str, float]:
    """Return a property with two hills over four settings, as of the furnace problem, without its failures."""
    u = np.array([float(point[f"u{index}"]) for index in range(1, 5)])
    high = np.exp(-np.sum(((u - [0.62, 0.55, 0.65, 0.35]) / [0.22, 0.3, 0.25, 0.35]) ** 2))
    low = 0.5 * np.exp(-np.sum(((u[:3] - [0.2, 0.8, 0.2]) / [0.25, 0.3, 0.3]) ** 2))
    return {"y": float(high + low + 0.3 * u[0])}


def _gramacy(point: Point) -> dict[str, float]:
    """Return the toy problem of Gramacy et al., Technometrics 58, 1 (2016), arXiv 1403.4890, section 4.1."""
    x1, x2 = float(point["x1"]), float(point["x2"])
    wave = 1.5 - x1 - 2.0 * x2 - 0.5 * np.sin(2.0 * np.pi * (x1**2 - 2.0 * x2))
    return {"y": x1 + x2, "wave": float(wave), "ring": x1**2 + x2**2 - 1.5}


_BEST_OF_GRAMACY = 0.5998

TARGET = Aim(
    name="target",
    space=SearchSpace([Continuous(f"u{index}", 0.0, 1.0) for index in range(1, 5)]),
    objectives=(Objective("y", "target", target=0.9, tolerance=0.01),),
    evaluate=_boiling,
    noise_sd={"y": 0.005},
    is_there=lambda true: abs(true["y"] - 0.9) <= 0.01,
    trials=60,
)
WINDOW = Aim(
    name="window",
    space=SearchSpace([Continuous(axis.name, axis.low, axis.high) for axis in HARTMANN6.space.axes]),
    objectives=(Objective("y", "window", low=-2.7, high=-2.5),),
    evaluate=lambda point: {"y": float(HARTMANN6.evaluate([point])[0])},
    noise_sd={"y": 0.02},
    is_there=lambda true: -2.7 <= true["y"] <= -2.5,
    trials=60,
)
LIMITS = Aim(
    name="limits",
    space=SearchSpace([Continuous("x1", 0.0, 1.0), Continuous("x2", 0.0, 1.0)]),
    objectives=(
        Objective("y", "minimize"),
        Objective("wave", "at_most", limit=0.0),
        Objective("ring", "at_most", limit=0.0),
    ),
    evaluate=_gramacy,
    noise_sd={"y": 0.005, "wave": 0.005, "ring": 0.005},
    is_there=lambda true: true["wave"] <= 0.0 and true["ring"] <= 0.0 and true["y"] <= _BEST_OF_GRAMACY + 0.05,
    trials=60,
)
AIMS = (TARGET, WINDOW, LIMITS)


def trials_until_there(aim: Aim, planner_name: str, seed: int) -> float:
    """Return the number of the first trial that is there, infinite where none is within the budget."""
    objectives = [Objective("collapsed", "minimize")] if planner_name == "collapsed" else list(aim.objectives)
    planner = Planner(aim.space, objectives, seed=seed, policy="random" if planner_name == "random" else "auto")
    start = aim.space.points(aim.space.sample_rows(_N_START, np.random.default_rng([seed, 1])))
    noise = np.random.default_rng([seed, 2])
    for number in range(1, aim.trials + 1):
        point = start[number - 1] if number <= _N_START else planner.ask(1)[0].parameters
        true = aim.evaluate(point)
        if aim.is_there(true):
            return float(number)
        values = {name: value + aim.noise_sd[name] * float(noise.standard_normal()) for name, value in true.items()}
        told = {"collapsed": aim.collapsed(values)} if planner_name == "collapsed" else values
        planner.tell([Observation(parameters=point, values=told)])
    return np.inf


@dataclass(frozen=True, kw_only=True)
class Stake:
    """A problem with a margin that is worth going on for."""

    problem: Problem
    margin: float
    best: float

    @property
    def space(self) -> SearchSpace:
        """The problem's space, for our planner."""
        bounds = ["a + b + c == 1", "a + 0.5*b <= 0.6"] if self.problem is TERNARY else []
        return SearchSpace([Continuous(axis.name, axis.low, axis.high) for axis in self.problem.space.axes], bounds)


STAKES = (
    Stake(problem=BRANIN, margin=2.0, best=0.397887),
    Stake(problem=TERNARY, margin=0.1, best=-1.00427),
    Stake(problem=HARTMANN6, margin=0.3, best=-3.32237),
    Stake(problem=HIDDEN_FAILURE, margin=0.1, best=-1.18852),
)
_RISK = 0.05
_MOST = 80


def stopped(stake: Stake, seed: int) -> tuple[float, bool]:
    """Return after how many trials a run was stopped (infinite: never), and whether more than the margin was left."""
    problem, planner = stake.problem, Planner(stake.space, [Objective("y", "minimize")], seed=seed)
    points: Sequence[Mapping] = problem.initial(seed)
    for number in range(_MOST):
        point = points[number] if number < len(points) else planner.ask(1)[0].parameters
        true = problem.truth(point)
        told: dict = (
            {"failure": "no result"} if true is None else {"values": {"y": problem.observed(true, seed, number)}}
        )
        planner.tell([Observation(parameters=point, **told)])
        if number >= len(points) and planner.prospect(by=stake.margin).probability <= _RISK:
            best = planner.best()
            left = np.inf if best is None else (problem.truth(best.parameters) or 0.0) - stake.best
            return float(number + 1), bool(left > stake.margin)
    return np.inf, False


def _reach(seeds: Sequence[int], png: Path | None) -> None:
    found: dict[tuple[str, str], list[float]] = {}
    print(f"{'problem':10}{'planner':12}{'trials until there, median [quartiles]':42}{'there within budget':20}")
    for aim in AIMS:
        for name in PLANNERS:
            counts = found[aim.name, name] = [trials_until_there(aim, name, seed) for seed in seeds]
            middle, low, high = quartiles(counts)
            there = sum(np.isfinite(counts))
            said = f"{middle:.1f} [{low:.1f}, {high:.1f}]"
            print(f"{aim.name:10}{name:12}{said:42}{there} of {len(seeds)}", flush=True)
    if png is not None:
        _draw(found, png)


def _draw(found: Mapping[tuple[str, str], Sequence[float]], png: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(AIMS), figsize=(11, 3.4), sharey=True, layout="constrained")
    for aim, panel in zip(AIMS, panels, strict=True):
        for name, color in zip(PLANNERS, ("#0072b2", "#d55e00", "#777777"), strict=True):
            counts = np.sort(found[aim.name, name])
            steps = np.arange(0, aim.trials + 1)
            panel.step(steps, [np.mean(counts <= step) for step in steps], where="post", color=color, label=name)
        panel.set(title=aim.name, xlabel="trials", xlim=(0, aim.trials), ylim=(0, 1.02))
    panels[0].set_ylabel("share of seeds that are there")
    panels[0].legend(frameon=False)
    png.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(png, dpi=150)
    print(f"drawn: {png}")


def _risk(seeds: Sequence[int], names: Sequence[str]) -> None:
    print(f"stopped at a risk of {_RISK:.0%}, {_MOST} trials at most")
    print(f"{'problem':16}{'margin':8}{'trials, median [quartiles]':32}{'stopped':12}{'more was left':16}")
    for stake in (one for one in STAKES if one.problem.name in names):
        runs = [stopped(stake, seed) for seed in seeds]
        middle, low, high = quartiles([count for count, _ in runs])
        ended = [wrong for count, wrong in runs if np.isfinite(count)]
        said = f"{middle:.1f} [{low:.1f}, {high:.1f}]"
        print(
            f"{stake.problem.name:16}{stake.margin:<8g}{said:32}{len(ended):<12}{sum(ended)} of {len(ended)}",
            flush=True,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--png", type=Path, help="where to draw the shares of seeds that are there, by trials")
    parser.add_argument("--risk", action="store_true", help="stop by the stated risk instead, and count regrets")
    names = [stake.problem.name for stake in STAKES]
    parser.add_argument("--problems", nargs="+", choices=names, default=names, help="which, of those with --risk")
    given = parser.parse_args(arguments)
    seeds = range(given.first, given.first + given.seeds)
    if given.risk:
        _risk(seeds, given.problems)
    else:
        _reach(seeds, given.png)
    return 0


if __name__ == "__main__":
    sys.exit(main())
