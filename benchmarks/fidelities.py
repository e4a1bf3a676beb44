"""What cheaper fidelities save: `python benchmarks/fidelities.py run --seeds 20`, then `report`, `plot`.

Each problem is optimised twice by the default policy with the same seeds: at the target alone, where each trial costs
1, and with a `Fidelity`. What counts is the cost until a trial at the target is in the top 1 % by its true value (of
uniform admissible points), 80 at most. Cheaper levels have no noise where they are simulations.

- branin, biased: Branin's function; cheap is that of Kandasamy et al. (ICML 2017, arXiv 1703.06240), b - 0.01,
  c - 0.1, t + 0.05, and besides another amplitude and an offset, 3 f - 40.
- branin, shifted: cheap is the middle level of Perdikaris et al. (Proc. R. Soc. A 473, 20160751 (2017), doi
  10.1098/rspa.2016.0751), 10 sqrt(f(x - 2)) + 2 (x1 - 0.5) - 3 (3 x2 - 1) - 1, which has its minima elsewhere.
- branin, opposite: cheap is 7 - 3 f + 5 x1, anti-correlated.
- branin, two levels: a simulation with b - 0.1 (0.05), as AugmentedBranin of BoTorch has it, and a scan with b - 0.01
  and an offset (0.3).
- hartmann, biased: Hartmann's function in six dimensions; cheap has alpha - 0.1 (Kandasamy et al.), times 2, plus 5.
- hartmann, coarse: cheap has alpha = (0.5, 0.5, 2, 4), times 2, plus 5.
- photocatalysis: the closed form fitted to the real campaign of Burger et al. (`simulators.materials.photocatalysis`),
  five ingredients; cheap (0.15) is ten minutes of light, in which silicate has no effect yet, at an offset.
- branin, useless and hartmann, useless: cheap is another function altogether, of waves; once at 0.05 and, as a scan, at
  0.3.

Settings were chosen on seeds 100 to 123; seeds 0 to 19 are reported. Rows are kept in benchmarks/results/fidelities.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from time import process_time

import numpy as np

from planner import Continuous, Fidelity, Objective, Observation, Planner, SearchSpace
from simulators.materials.photocatalysis import INGREDIENTS, hydrogen_umol, noise_sd_umol

RESULTS = Path(__file__).parent / "results" / "fidelities"
MOST = 80.0
N_TOP = 20_000
Function = Callable[[np.ndarray], float]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A function to minimise, and cheaper ones that may resemble it."""

    name: str
    axes: Sequence[tuple[str, float, float]]
    function: Function
    noise_sd: Callable[[float], float]
    cheap: Mapping[str, tuple[float, Function]]
    """Cost and function by level."""
    constraints: Sequence[str] = ()

    @cache  # noqa: B019  problems live as long as the program
    def top(self) -> float:
        """Return the value below which a point is in the top 1 %."""
        space = SearchSpace([Continuous(*axis) for axis in self.axes], self.constraints)
        rows = space.sample_rows(N_TOP, np.random.default_rng(7))
        return float(np.quantile([self.function(row) for row in rows], 0.01))

    def __hash__(self) -> int:
        return hash(self.name)


def branin(x: np.ndarray, b: float = 0.0, c: float = 0.0, t: float = 0.0) -> float:
    """Return Branin's function, with changes of its constants."""
    ridge = x[1] - (5.1 / (4 * np.pi**2) + b) * x[0] ** 2 + (5 / np.pi + c) * x[0] - 6
    return float(ridge**2 + 10 * (1 - 1 / (8 * np.pi) - t) * np.cos(x[0]) + 10)


_ALPHA = np.array([1.0, 1.2, 3.0, 3.2])
_A = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann(x: np.ndarray, alpha: np.ndarray = _ALPHA) -> float:
    """Return Hartmann's function of six numbers, with other weights where they are given."""
    return float(-np.exp(-np.sum(_A * (x - _P) ** 2, axis=1)) @ alpha)


def _shifted(x: np.ndarray) -> float:
    return 10 * np.sqrt(branin(x - 2)) + 2 * (x[0] - 0.5) - 3 * (3 * x[1] - 1) - 1


def _waves(x: np.ndarray) -> float:
    return 50 * np.sin(7 * (x[0] + 5) / 15) * np.cos(5 * x[1] / 15)


def _other(x: np.ndarray) -> float:
    return np.sin(5 * x[0]) * np.cos(4 * x[1]) + x[2] * x[3]


_MIXED = ("p10", "cysteine", "naoh", "silicate", "pvp")


def _hydrogen(x: np.ndarray) -> float:
    return -hydrogen_umol({**dict.fromkeys(INGREDIENTS, 0.0), **dict(zip(_MIXED, x.tolist(), strict=True))})


def _ten_minutes(x: np.ndarray) -> float:
    without = x.copy()
    without[3] = 0.0
    return 0.2 * _hydrogen(without) - 0.8


_BOX = (("x", -5.0, 10.0), ("y", 0.0, 15.0))
_SIX = tuple((f"x{i}", 0.0, 1.0) for i in range(1, 7))


def _branin(name: str, **cheap: tuple[float, Function]) -> Problem:
    return Problem(name=f"branin, {name}", axes=_BOX, function=branin, noise_sd=lambda _: 0.5, cheap=cheap)


def _hartmann(name: str, **cheap: tuple[float, Function]) -> Problem:
    return Problem(name=f"hartmann, {name}", axes=_SIX, function=hartmann, noise_sd=lambda _: 0.02, cheap=cheap)


PROBLEMS = (
    _branin("biased", simulation=(0.05, lambda x: 3 * branin(x, -0.01, -0.1, 0.05) - 40)),
    _branin("shifted", simulation=(0.05, _shifted)),
    _branin("opposite", simulation=(0.05, lambda x: 7 - 3 * branin(x) + 5 * x[0])),
    _branin(
        "two levels",
        simulation=(0.05, lambda x: branin(x, -0.1)),
        scan=(0.3, lambda x: branin(x, -0.01) + 5),
    ),
    _hartmann("biased", simulation=(0.05, lambda x: 5 + 2 * hartmann(x, _ALPHA - 0.1))),
    _hartmann("coarse", simulation=(0.05, lambda x: 5 + 2 * hartmann(x, np.array([0.5, 0.5, 2.0, 4.0])))),
    Problem(
        name="photocatalysis",
        axes=[("p10", 0.0, 5.0), *((name, 0.0, 5.0) for name in _MIXED[1:])],
        function=_hydrogen,
        noise_sd=lambda value: noise_sd_umol(-value),
        cheap={"ten minutes": (0.15, _ten_minutes)},
        constraints=[f"{' + '.join(_MIXED[1:])} <= 5"],
    ),
    _branin("useless", simulation=(0.05, _waves)),
    _branin("useless scan", scan=(0.3, _waves)),
    _hartmann("useless", simulation=(0.05, _other)),
)


def run_one(problem: Problem, seed: int, *, is_helped: bool) -> dict:
    """Return what one run cost until the top 1 % was reached."""
    costs = {**{level: cost for level, (cost, _) in problem.cheap.items()}, "full": 1.0}
    parameters = [Continuous(*axis) for axis in problem.axes]
    fidelity = [Fidelity("source", costs, "full")] if is_helped else []
    planner = Planner(SearchSpace([*parameters, *fidelity], problem.constraints), [Objective("f", "minimize")], seed)
    rng, spent, began = np.random.default_rng([seed, 1]), 0.0, process_time()
    counts = dict.fromkeys(costs, 0)
    while spent < MOST:
        point = planner.ask(1)[0]
        x = np.array([float(point.parameters[name]) for name, *_ in problem.axes])
        level = str(point.parameters.get("source", "full"))
        value = problem.function(x) if level == "full" else problem.cheap[level][1](x)
        spent, counts[level] = spent + costs[level], counts[level] + 1
        if level == "full" and value < problem.top():
            break
        seen = value + (problem.noise_sd(value) * rng.standard_normal() if level == "full" else 0.0)
        planner.tell(
            [Observation(parameters=point.parameters, values={"f": seen}, proposal_id=point.id)],
        )
    return {
        "problem": problem.name,
        "seed": seed,
        "helped": is_helped,
        "cost": round(spent, 4),
        "trials": counts,
        "cpu_s_per_ask": (process_time() - began) / sum(counts.values()),
    }


def _done(job: tuple[int, int, bool]) -> dict:
    index, seed, is_helped = job
    return run_one(PROBLEMS[index], seed, is_helped=is_helped)


def rows() -> list[dict]:
    """Return what was run."""
    path = RESULTS / "runs.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def run(seeds: range, workers: int) -> None:
    """Run what was not run yet."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    done = {(one["problem"], one["seed"], one["helped"]) for one in rows()}
    jobs = [
        (index, seed, is_helped)
        for index, problem in enumerate(PROBLEMS)
        for seed in seeds
        for is_helped in (False, True)
        if (problem.name, seed, is_helped) not in done
    ]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for row in pool.map(_done, jobs):
            with (RESULTS / "runs.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")


def ratios(problem: Problem, seeds: range) -> tuple[np.ndarray, np.ndarray]:
    """Return the costs without and with cheaper levels, one for each seed that was run."""
    found = {(one["seed"], one["helped"]): one["cost"] for one in rows() if one["problem"] == problem.name}
    both = [seed for seed in seeds if (seed, False) in found and (seed, True) in found]
    return np.array([found[seed, False] for seed in both]), np.array([found[seed, True] for seed in both])


def interval(alone: np.ndarray, helped: np.ndarray) -> tuple[float, float]:
    """Return the 90 % bootstrap interval of the ratio of mean costs, over seeds."""
    picks = np.random.default_rng(0).integers(len(alone), size=(4000, len(alone)))
    low, high = np.quantile(helped[picks].mean(axis=1) / alone[picks].mean(axis=1), (0.05, 0.95))
    return float(low), float(high)


def report(seeds: range) -> None:
    """Print the table."""
    print(
        "| problem | seeds | target only, mean (median) | with fidelities | ratio of means [90 %] | trials by level |"
    )
    print("|---|---|---|---|---|---|")
    for problem in PROBLEMS:
        alone, helped = ratios(problem, seeds)
        if not len(alone):
            continue
        low, high = interval(alone, helped)
        mine = [one for one in rows() if one["problem"] == problem.name and one["helped"] and one["seed"] in seeds]
        trials = ", ".join(f"{np.mean([one['trials'][k] for one in mine]):.1f} {k}" for k in mine[0]["trials"])
        print(
            f"| {problem.name} | {len(alone)} | {alone.mean():.1f} ({np.median(alone):.1f}) | {helped.mean():.1f} "
            f"({np.median(helped):.1f}) | {helped.mean() / alone.mean():.2f} [{low:.2f}, {high:.2f}] | {trials} |"
        )


def plot(seeds: range, path: Path) -> None:
    """Draw the ratios with their intervals."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    named = [(problem.name, *ratios(problem, seeds)) for problem in PROBLEMS]
    named = [one for one in named if len(one[1])][::-1]
    figure, axes = pyplot.subplots(figsize=(7.0, 0.42 * len(named) + 1.2), layout="constrained")
    for place, (_, alone, helped) in enumerate(named):
        ratio, (low, high) = helped.mean() / alone.mean(), interval(alone, helped)
        axes.errorbar(ratio, place, xerr=[[ratio - low], [high - ratio]], fmt="o", color="#1f6f8b", capsize=3)
    axes.axvline(1.0, color="0.4", linewidth=1)
    axes.set_yticks(range(len(named)), [one[0] for one in named])
    axes.set_xlabel("cost to reach the top 1 %, with fidelities over target only (90 % interval)")
    axes.set_xlim(0.0, None)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Run, report, or plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("run", "report", "plot"))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--png", type=Path, default=RESULTS / "fidelities.png")
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    if arguments.action == "run":
        run(seeds, arguments.workers)
    elif arguments.action == "report":
        report(seeds)
    else:
        plot(seeds, arguments.png)


if __name__ == "__main__":
    main()
