"""Where does a function pass a level? Share of the space that is told wrongly, after so many measurements.

    python benchmarks/level_set.py [--seeds 20] [--first 0] [--ways level_set straddle ...]
        [--json FILE] [--png FILE]

Two problems: Branin's function at 40 (47 % of the box lies above it), and Hartmann's function of three
variables at -1 (67 %), with noise of 2 % of their standard deviation. Every way has the same surrogate; they differ in
where they measure. A point is told wrongly where the predicted mean lies on the other side than the true value, among
4,096 points.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from planner import Continuous, Objective, Observation, Planner, SearchSpace

N_JUDGED = 4096
SHOWN = (10, 20, 30, 40)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A function, and the level that is looked for."""

    space: SearchSpace
    truth: Callable[[np.ndarray], np.ndarray]
    """From rows (`n x p`) to values, `n`."""
    level: float
    noise_sd: float


def branin(rows: np.ndarray) -> np.ndarray:
    """Return Branin's function."""
    x, y = rows.T
    ridge = y - 5.1 / (4 * np.pi**2) * x**2 + 5 / np.pi * x - 6
    return ridge**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(x) + 10


_A = np.array([[3.0, 10, 30], [0.1, 10, 35], [3.0, 10, 30], [0.1, 10, 35]])
_P = 1e-4 * np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]])


def hartmann3(rows: np.ndarray) -> np.ndarray:
    """Return Hartmann's function of three variables."""
    return -np.exp(-np.sum(_A * (rows[:, None, :] - _P) ** 2, axis=2)) @ np.array([1.0, 1.2, 3.0, 3.2])


PROBLEMS: Mapping[str, Problem] = {
    "branin": Problem(
        space=SearchSpace([Continuous("x", -5.0, 10.0), Continuous("y", 0.0, 15.0)]),
        truth=branin,
        level=40.0,
        noise_sd=1.0,
    ),
    "hartmann3": Problem(
        space=SearchSpace([Continuous(name, 0.0, 1.0) for name in ("a", "b", "c")]),
        truth=hartmann3,
        level=-1.0,
        noise_sd=0.02,
    ),
}
WAYS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "level_set": ("level_set", {}),
    "straddle": ("level_set", {"worth": "straddle"}),
    "integrated_variance": ("integrated_variance", {}),
    "random": ("random", {}),
}


def run(name: str, way: str, seed: int) -> list[float]:
    """Return the share that is told wrongly after each number of measurements in `SHOWN`."""
    problem, (policy, options) = PROBLEMS[name], WAYS[way]
    options = {**options, "level": problem.level} if policy == "level_set" else options
    planner = Planner(problem.space, [Objective("f", "learn")], seed=seed, policy=policy, options=options)
    chance = np.random.default_rng([8100, seed])
    judged = problem.space.sample_rows(N_JUDGED, np.random.default_rng([8101, seed]))
    points, is_above = problem.space.points(judged), problem.truth(judged) > problem.level
    wrong = []
    for number in range(1, SHOWN[-1] + 1):
        proposal = planner.ask(1)[0]
        value = problem.truth(problem.space.rows([proposal.parameters]))[0]
        value += problem.noise_sd * chance.standard_normal()
        told = {"f": float(value)}
        planner.tell([Observation(parameters=proposal.parameters, values=told, proposal_id=proposal.id)])
        if number in SHOWN:
            wrong.append(float(np.mean((planner.predict(points)["f"].mean > problem.level) != is_above)))
    return wrong


def table(found: Mapping[str, Mapping[str, Sequence[Sequence[float]]]]) -> str:
    """Return medians and quartiles in percent, by problem and way."""
    lines = []
    for name, ways in found.items():
        lines += ["", f"{name}: wrongly told, %", "| way | " + " | ".join(f"after {n}" for n in SHOWN) + " |"]
        lines += ["|---" * (len(SHOWN) + 1) + "|"]
        for way, runs in ways.items():
            low, middle, high = 100 * np.percentile(np.array(runs), [25, 50, 75], axis=0)
            cells = [f"{m:.1f} [{a:.1f}, {b:.1f}]" for a, m, b in zip(low, middle, high, strict=True)]
            lines.append(f"| {way} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def plot(found: Mapping[str, Mapping[str, Sequence[Sequence[float]]]], path: Path) -> None:
    """Draw medians and quartiles against the number of measurements."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, (name, ways) in zip(figure.subplots(1, len(found), squeeze=False)[0], found.items(), strict=True):
        for way, runs in ways.items():
            shown = SHOWN[: len(runs[0])]
            low, middle, high = 100 * np.percentile(np.array(runs), [25, 50, 75], axis=0)
            (line,) = axes.plot(shown, middle, marker="o", label=way)
            axes.fill_between(shown, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
        axes.set(title=name, xlabel="measurements", ylabel="told wrongly / % of the space", yscale="log")
        axes.set_xticks(SHOWN)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)


def main() -> None:
    """Run every way on every problem, and say how they did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="where to measure")
    parser.add_argument("--json", type=Path, help="where the shares go")
    parser.add_argument("--png", type=Path, help="where the plot goes")
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.seeds)
    found = {name: {way: [run(name, way, seed) for seed in seeds] for way in given.ways} for name in PROBLEMS}
    print(table(found))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))
    if given.png:
        plot(found, given.png)


if __name__ == "__main__":
    main()
