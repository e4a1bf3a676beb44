"""Closed-loop screening of a pool of compositions for superconductors, in a seeded synthetic world.

    python benchmarks/screening.py [--seeds 20] [--first 0] [--ways screening random ...] [--png FILE] [--json FILE]

Each seed is a world (`simulators.materials.superconductors`): 20,000 candidates of which 2 % are hits (10 K and above),
600 known compositions, half of them of one family and most of them superconductors, and syntheses of which 30 % fail.
A campaign has 4 cycles of 32 experiments; after each the planner is told what came of it. Counted are hits that were
made and measured. The ways of choosing:

- `screening`: the policy as it ships;
- `no negatives`: the same, but of its own trials it is told the hits only (and never given the others again);
- `gp`: the greatest mean of the planner's default Gaussian process on the same descriptors, failures left aside;
- `random`: uniform over the pool.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from planner import Categorical, Objective, Observation, Planner, Proposal, SearchSpace
from planner.models import fit_target, target_data
from simulators.materials.superconductors import HIT_K, Superconductors

TARGET = "tc"
OBJECTIVES = [Objective(TARGET, "maximize", unit="K")]
WAYS = ("screening", "no negatives", "gp", "random")
_WORD = "composition"


class Campaign:
    """One world, and what was made in it.

    Args:
        seed: Of the world and the planner.
        n_pool: Candidates.
        n_known: Compositions of the literature.
    """

    def __init__(self, seed: int, *, n_pool: int = 20_000, n_known: int = 600) -> None:
        self._seed = seed
        self.world = Superconductors(seed, n_pool=n_pool, n_known=n_known)
        words = [*(known.formula for known in self.world.known), *self.world.pool]
        self.axis = Categorical(_WORD, words, descriptors="composition")
        self.literature = [_told(known.formula, known.tc_k) for known in self.world.known]
        self.made: dict[str, float | None] = {}

    def free(self) -> list[str]:
        """Return the candidates that were not made yet."""
        return [formula for formula in self.world.pool if formula not in self.made]

    def space(self) -> SearchSpace:
        """Return the space of what may still be made."""
        return SearchSpace([self.axis], candidates={_WORD: self.free()})

    def make(self, formulas: Sequence[str]) -> list[float | None]:
        """Make and measure; None where the synthesis failed."""
        found = [self.world.made(formula) for formula in formulas]
        self.made.update(zip(formulas, found, strict=True))
        return found

    def planner(self, policy: str, options: Mapping[str, Any] | None = None) -> Planner:
        """Return a planner that knows the literature."""
        planner = Planner(self.space(), OBJECTIVES, seed=self._seed, policy=policy, options=options)
        planner.tell(self.literature)
        return planner


def _told(formula: str, tc_k: float | None, proposal: Proposal | None = None) -> Observation:
    values = {} if tc_k is None else {TARGET: tc_k}
    return Observation(
        parameters={_WORD: formula},
        values=values,
        failure="no single phase" if tc_k is None else None,
        proposal_id=None if proposal is None else proposal.id,
    )


def is_hit(tc_k: float | None) -> bool:
    """Say whether a measurement is a hit."""
    return tc_k is not None and tc_k >= HIT_K


def _words(proposals: Sequence[Proposal]) -> list[str]:
    return [str(proposal.parameters[_WORD]) for proposal in proposals]


def by_planner(campaign: Campaign, planner: Planner, n: int) -> list[float | None]:
    """Run one cycle of a planner that is told everything."""
    batch = planner.ask(n)
    found = campaign.make(_words(batch))
    planner.tell([_told(*each) for each in zip(_words(batch), found, batch, strict=True)])
    return found


def without_negatives(campaign: Campaign, n: int, options: Mapping[str, Any]) -> list[float | None]:
    """Run one cycle of a planner that knows the literature and the hits only."""
    planner = campaign.planner("screening", options)
    planner.tell([_told(formula, tc_k) for formula, tc_k in campaign.made.items() if is_hit(tc_k)])
    return campaign.make(_words(planner.ask(n)))


def by_gp(campaign: Campaign, n: int) -> list[float | None]:
    """Run one cycle that takes the greatest means of a Gaussian process."""
    space = campaign.space()
    told = campaign.literature + [_told(formula, tc_k) for formula, tc_k in campaign.made.items()]
    points = list(space.enumerate())
    mean, _ = fit_target(target_data(space, told, TARGET), TARGET).predict(space.encode(points))
    return campaign.make([str(points[place][_WORD]) for place in np.argsort(-mean, kind="stable")[:n]])


def run(way: str, seed: int, cycles: int, n: int, **sizes: int) -> dict[str, Any]:
    """Run one campaign and return the hits and failures of each cycle; sizes are those of `Campaign`."""
    began = time.perf_counter()
    campaign = Campaign(seed, **sizes)
    options = {"threshold": HIT_K}
    planner = campaign.planner("random" if way == "random" else "screening", None if way == "random" else options)
    hits, failures = [], []
    for _ in range(cycles):
        if way == "gp":
            found = by_gp(campaign, n)
        elif way == "no negatives":
            found = without_negatives(campaign, n, options)
        else:
            found = by_planner(campaign, planner, n)
        hits.append(sum(map(is_hit, found)))
        failures.append(sum(tc_k is None for tc_k in found))
    return {"way": way, "seed": seed, "hits": hits, "failures": failures, "wall_s": time.perf_counter() - began}


def report(results: Sequence[Mapping[str, Any]], ways: Sequence[str], n: int) -> None:
    """Print a row for each way, and what the target says."""
    print(
        "| way of choosing | hits | hit rate | " + " | ".join(f"cycle {i + 1}" for i in range(_cycles(results))), end=""
    )
    print(" | failed | wall, s |\n|---|---|---|" + "---|" * (_cycles(results) + 2))
    rates = {}
    for way in ways:
        own = [result for result in results if result["way"] == way]
        hits = np.array([result["hits"] for result in own])
        low, middle, high = np.quantile(hits.sum(axis=1), [0.25, 0.5, 0.75])
        rates[way] = hits.mean() / n
        cells = [way, f"{middle:g} [{low:g}, {high:g}]", f"{100 * rates[way]:.1f} %"]
        cells += [f"{100 * hit:.1f} %" for hit in hits.mean(axis=0) / n]
        cells += [f"{100 * np.mean([result['failures'] for result in own]) / n:.0f} %"]
        cells += [f"{np.median([result['wall_s'] for result in own]):.0f}"]
        print("| " + " | ".join(cells) + " |")
    if {"screening", "random"} <= set(rates):
        print(f"\nhit rate screening / random: {rates['screening'] / rates['random']:.1f} (target: at least 2)")
    for other in sorted({"gp", "no negatives"} & set(rates)):
        mine, its = (_totals(results, way) for way in ("screening", other))
        both = sorted(set(mine) & set(its))
        wins, ties = (sum(compare(mine[s], its[s]) for s in both) for compare in (int.__gt__, int.__eq__))
        print(
            f"screening / {other}: {rates['screening'] / rates[other]:.2f}; more hits on {wins} of {len(both)} seeds, "
            f"as many on {ties}"
        )


def _totals(results: Sequence[Mapping[str, Any]], way: str) -> dict[int, int]:
    return {result["seed"]: int(sum(result["hits"])) for result in results if result["way"] == way}


def _cycles(results: Sequence[Mapping[str, Any]]) -> int:
    return len(results[0]["hits"])


def draw(results: Sequence[Mapping[str, Any]], ways: Sequence[str], n: int, path: Path) -> None:
    """Write the plot: hits against experiments, medians and quartiles."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    panel = figure.subplots()
    for way in ways:
        hits = np.array([result["hits"] for result in results if result["way"] == way])
        total = np.hstack([np.zeros((len(hits), 1)), np.cumsum(hits, axis=1)])
        made = n * np.arange(total.shape[1])
        low, middle, high = np.quantile(total, [0.25, 0.5, 0.75], axis=0)
        [line] = panel.plot(made, middle, marker="o", label=way)
        panel.fill_between(made, low, high, color=line.get_color(), alpha=0.2, lw=0)
    panel.set_xlabel("experiments")
    panel.set_ylabel("superconductors of at least 10 K found")
    panel.set_title(f"median and quartiles of {len({result['seed'] for result in results})} worlds", fontsize=10)
    panel.legend(loc="upper left")
    figure.savefig(path, dpi=150)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--cycles", type=int, default=4)
    parser.add_argument("--experiments", type=int, default=32, help="of one cycle")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--json", type=Path, help="keep all counts")
    parser.add_argument("--png", type=Path, help="write the plot")
    given = parser.parse_args()
    jobs = [(way, seed) for seed in range(given.first, given.first + given.seeds) for way in given.ways]
    results: list[dict[str, Any]] = []
    with ProcessPoolExecutor(given.processes) as pool:
        ways, seeds = zip(*jobs, strict=True)
        for result in pool.map(run, ways, seeds, [given.cycles] * len(jobs), [given.experiments] * len(jobs)):
            results.append(result)
            if given.json is not None:
                given.json.write_text(json.dumps(results))
    report(results, given.ways, given.experiments)
    if given.png is not None:
        draw(results, given.ways, given.experiments, given.png)


if __name__ == "__main__":
    main()
