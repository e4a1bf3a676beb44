"""What is a person's hint worth, and what does a wrong one cost?

    python benchmarks/hints.py [--seeds 20] [--first 0] [--ways "no hint" ...] [--json FILE] [--png FILE]

Two problems with noise, minimised: Hartmann's function of six variables, and the furnace of four of which half gives no
result (hidden_failure of `planner_problems`). A right hint is a box that holds the optimum, somewhere within it, 30 %
of each range wide; a wrong one is a box of that size which does not. Both are said with a confidence of 0.8 before the
first trial. Regret is the true value of the trial with the best measured value, less the optimum.
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
from planner_problems import HARTMANN6, HIDDEN_FAILURE
from planner_problems import Problem as Function

from planner import Continuous, Objective, Observation, Planner, SearchSpace

SHOWN = (10, 15, 20, 30, 40, 50)
CONFIDENCE = 0.8


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A function, and where its optimum is."""

    function: Function
    optimum: Sequence[float]
    least: float

    @property
    def space(self) -> SearchSpace:
        """Return the box."""
        return SearchSpace([Continuous(a.name, float(a.low), float(a.high)) for a in self.function.space.axes])


PROBLEMS: Mapping[str, Problem] = {
    "hartmann6": Problem(
        function=HARTMANN6,
        optimum=(0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573),
        least=-3.32237,
    ),
    "hidden_failure": Problem(function=HIDDEN_FAILURE, optimum=(676.061, 13.4334, 1.47432, 0.350011), least=-1.18852),
}
WIDTH = 0.3
"""Of a hint's box, as a share of each range."""
WAYS = ("right hint", "wrong hint", "no hint", "random")


def box(problem: Problem, seed: int, *, right: bool) -> dict[str, Any]:
    """Return a box that holds the optimum, or one that does not."""
    rng = np.random.default_rng([8200, seed, right])
    region = problem.space.region
    unit = (np.array(problem.optimum) - region.low) / region.span
    # an optimum near a wall lies in few of the boxes that are drawn at random
    while True:
        low = rng.random(region.width) * (1.0 - WIDTH)
        if right == bool(np.all((unit >= low) & (unit <= low + WIDTH))):
            break
    ends = zip(problem.space.names, region.low + low * region.span, strict=True)
    sizes = dict(zip(problem.space.names, WIDTH * region.span, strict=True))
    return {"box": {name: [float(start), float(start + sizes[name])] for name, start in ends}}


def run(name: str, way: str, seed: int) -> list[float]:
    """Return the regret after each number of trials in `SHOWN`."""
    problem = PROBLEMS[name]
    policy = "random" if way == "random" else "auto"
    planner = Planner(problem.space, [Objective("f", "minimize")], seed=seed, policy=policy)
    if way.endswith(" hint") and way != "no hint":
        planner.hint("here", box(problem, seed, right=way == "right hint"), confidence=CONFIDENCE)
    measured, true, regret = [], [], []
    for number in range(SHOWN[-1]):
        proposal = planner.ask(1)[0]
        value = problem.function.truth(proposal.parameters)
        if value is None:
            told: dict[str, Any] = {"failure": "no result"}
        else:
            true.append(value)
            measured.append(problem.function.observed(value, seed, number))
            told = {"values": {"f": measured[-1]}}
        planner.tell([Observation(parameters=proposal.parameters, proposal_id=proposal.id, **told)])
        if number + 1 in SHOWN:
            regret.append(true[int(np.argmin(measured))] - problem.least if true else np.inf)
    return regret


def table(found: Mapping[str, Mapping[str, Sequence[Sequence[float]]]]) -> str:
    """Return medians and quartiles, by problem and way."""
    lines: list[str] = []
    for name, ways in found.items():
        lines += ["", f"| {name}: regret after | " + " | ".join(map(str, SHOWN)) + " |"]
        lines += ["|---" * (len(SHOWN) + 1) + "|"]
        for way, runs in ways.items():
            low, middle, high = np.percentile(np.array(runs), [25, 50, 75], axis=0)
            cells = [f"{m:.2g} [{a:.2g}, {b:.2g}]" for a, m, b in zip(low, middle, high, strict=True)]
            lines.append(f"| {way} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def plot(found: Mapping[str, Mapping[str, Sequence[Sequence[float]]]], path: Path) -> None:
    """Draw medians and quartiles against the number of trials."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, (name, ways) in zip(figure.subplots(1, len(found), squeeze=False)[0], found.items(), strict=True):
        for way, runs in ways.items():
            low, middle, high = np.percentile(np.array(runs), [25, 50, 75], axis=0)
            (line,) = axes.plot(SHOWN, middle, marker="o", label=way)
            axes.fill_between(SHOWN, low, high, color=line.get_color(), alpha=0.12, linewidth=0)
        axes.set(title=name, xlabel="trials", ylabel="regret", yscale="log")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)


def mapped(ways: Sequence[str], seeds: range, one: Callable[[str, str, int], list[float]]) -> dict[str, Any]:
    """Return what every run gives, by problem and way."""
    return {name: {way: [one(name, way, seed) for seed in seeds] for way in ways} for name in PROBLEMS}


def main() -> None:
    """Run every way on every problem, and say how they did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="what a person says")
    parser.add_argument("--json", type=Path, help="where the regrets go")
    parser.add_argument("--png", type=Path, help="where the plot goes")
    given = parser.parse_args()
    found = mapped(given.ways, range(given.first, given.first + given.seeds), run)
    print(table(found))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))
    if given.png:
        plot(found, given.png)


if __name__ == "__main__":
    main()
