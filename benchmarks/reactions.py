"""How many recipes it takes to find every pure route on a grid of 47 precursor sets and 4 temperatures.

    python benchmarks/reactions.py [--seeds 20] [--first 0] [--ways reactions logei genetic random] [--json F] [--png F]

After the Y-Ba-Cu-O study of ARROWS3 (Szymanski et al., Nat. Commun. 14, 6956 (2023), doi 10.1038/s41467-023-42329-9):
188 recipes, about 10 of them pure. Each seed is another synthetic chemistry (`reaction_world.py`) whose energies are
not those of the planner's table. `reactions` is told the phases that a simulated diffractometer saw; `logei` (Gaussian
process, expected improvement; one-hot precursors and temperature), `genetic` and `random` are told the yield.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from reaction_world import HOLD_H, N_SETS, PURE, TARGET, TEMPERATURES_C, World

from planner import Categorical, Continuous, Integer, Objective, Observation, Planner, SearchSpace
from surrogate.reactions.precursors import PrecursorSet

GOAL_RATIO = 0.55
POPULATION = 12
MUTATES = 0.25
Recipe = tuple[PrecursorSet, float]
YIELD = [Objective("yield", "maximize")]


class Hunt:
    """A grid that is searched, and the count of it."""

    def __init__(self, world: World) -> None:
        self.world, self.pure = world, world.pure()
        self.found_at: list[int] = []
        self.n = 0

    @property
    def is_over(self) -> bool:
        """Whether every pure route was tried."""
        return len(self.found_at) == len(self.pure)

    def fire(self, recipe: Recipe) -> tuple[float, dict[str, float]]:
        """Try a recipe; return the yield that diffraction finds, and what it says of the phases."""
        self.n += 1
        if (recipe[0].name, recipe[1]) in self.pure:
            self.found_at.append(self.n)
        seen = self.world.measure(*recipe)
        told = {f"phase:{name}": weight for name, weight in seen.weights.items()}
        told.update({f"probability:{name}": chance for name, chance in seen.probabilities.items()})
        return seen.weights.get(TARGET, 0.0), told


def learnt(hunt: Hunt, seed: int) -> None:
    """Search with the policy of reactions."""
    world = hunt.world
    sets = {one.name: one for one in world.sets}
    space = SearchSpace(
        [
            Categorical("precursors", list(sets)),
            Continuous("temperature", min(TEMPERATURES_C), max(TEMPERATURES_C), unit="degC", levels=TEMPERATURES_C),
        ]
    )
    options = {"target": TARGET, "table": world.rows(), "hold_h": HOLD_H, "wanted": PURE, "goal": "routes"}
    planner = Planner(space, YIELD, seed=seed, policy="reactions", options=options)
    _ask_and_tell(hunt, planner, lambda point: (sets[str(point["precursors"])], float(point["temperature"])))


def optimised(hunt: Hunt, seed: int) -> None:
    """Search with expected improvement."""
    names = sorted({name for one in hunt.world.sets for name in one.moles})
    sets = {tuple(name in one.moles for name in names): one for one in hunt.world.sets}
    pool = [{**{n: int(n in one.moles) for n in names}, "temperature": t} for one, t in hunt.world.recipes()]
    parameters = [*(Integer(name, 0, 1) for name in names), Continuous("temperature", 600.0, 900.0, unit="degC")]
    planner = Planner(SearchSpace(parameters, candidates=pool), YIELD, seed=seed, policy="logei")
    _ask_and_tell(
        hunt, planner, lambda point: (sets[tuple(bool(point[n]) for n in names)], float(point["temperature"]))
    )


def _ask_and_tell(hunt: Hunt, planner: Planner, recipe: Callable[[Mapping[str, Any]], Recipe]) -> None:
    while not hunt.is_over:
        proposal = planner.ask(1)[0]
        found, told = hunt.fire(recipe(proposal.parameters))
        told = told if planner.policy_name == "reactions" else {}
        planner.tell(
            [
                Observation(
                    parameters=proposal.parameters, values={"yield": found}, context=told, proposal_id=proposal.id
                )
            ]
        )


def evolved(hunt: Hunt, seed: int) -> None:
    """Search with a genetic algorithm: tournaments of three, uniform crossover, mutation, no recipe twice."""
    rng, recipes = np.random.default_rng([seed, 99]), hunt.world.recipes()
    names = sorted({name for one in hunt.world.sets for name in one.moles})
    at = {(frozenset(one.moles), t): i for i, (one, t) in enumerate(recipes)}
    fitness: dict[int, float] = {}
    brood = [int(i) for i in rng.permutation(len(recipes))[:POPULATION]]
    while not hunt.is_over:
        for i in brood:
            if not hunt.is_over:
                fitness[i] = hunt.fire(recipes[i])[0]
        brood = _brood(rng, recipes, names, at, fitness)


def _brood(rng: np.random.Generator, recipes: list[Recipe], names: list[str], at: dict, fitness: dict) -> list[int]:
    brood: list[int] = []
    for _ in range(400):
        child = at.get(_child(rng, recipes, names, fitness))
        if child is not None and child not in fitness and child not in brood:
            brood.append(child)
        if len(brood) == POPULATION:
            break
    left = [i for i in range(len(recipes)) if i not in fitness]
    return brood or [int(i) for i in rng.permutation(left)[:1]]


def _child(
    rng: np.random.Generator, recipes: list[Recipe], names: list[str], fitness: dict[int, float]
) -> tuple[frozenset[str], float]:
    tried = list(fitness)
    parents = [recipes[max((int(i) for i in rng.choice(tried, 3)), key=lambda i: fitness[i])] for _ in range(2)]
    genes = [name in parents[int(rng.random() < 0.5)][0].moles for name in names]
    flips = rng.random(len(names)) < 3.0 * MUTATES / len(names)
    temperature = parents[int(rng.random() < 0.5)][1]
    if rng.random() < MUTATES:
        temperature = float(rng.choice(TEMPERATURES_C))
    return frozenset(n for n, gene, flip in zip(names, genes, flips, strict=True) if gene != flip), temperature


def drawn(hunt: Hunt, seed: int) -> None:
    """Search at random."""
    recipes = hunt.world.recipes()
    for i in np.random.default_rng([seed, 98]).permutation(len(recipes)):
        if not hunt.is_over:
            hunt.fire(recipes[int(i)])


WAYS: dict[str, Callable[[Hunt, int], None]] = {
    "reactions": learnt,
    "logei": optimised,
    "genetic": evolved,
    "random": drawn,
}


def search(way: str, seed: int, world: World) -> dict[str, Any]:
    """Run one search and return when each pure route was found."""
    began_s, hunt = time.process_time(), Hunt(world)
    WAYS[way](hunt, seed)
    spent_s = (time.process_time() - began_s) / hunt.n
    return {"way": way, "seed": seed, "found_at": hunt.found_at, "cpu_s_per_recipe": spent_s}


def report(runs: list[dict[str, Any]], ways: list[str]) -> None:
    """Print a table, and the ratios to the target."""
    print("| way of choosing | recipes to every pure route | to half of them | to the first | CPU per recipe, ms |")
    print("|---|---|---|---|---|")
    by_way = {way: [run for run in runs if run["way"] == way] for way in ways}
    for way, some in by_way.items():
        last, half, first = (
            [run["found_at"][k(len(run["found_at"]))] for run in some]
            for k in (lambda n: n - 1, lambda n: (n - 1) // 2, lambda n: 0)
        )
        cells = [_cell(numbers) for numbers in (last, half, first)]
        print(f"| {way} | {' | '.join(cells)} | {1e3 * np.mean([run['cpu_s_per_recipe'] for run in some]):.0f} |")
    for way in ways:
        if way != "reactions" and "reactions" in by_way:
            _ratio(by_way["reactions"], by_way[way], way)


def _cell(numbers: list[int]) -> str:
    low, middle, high = np.quantile(numbers, [0.25, 0.5, 0.75])
    return f"{middle:g} [{low:g}, {high:g}]"


def _ratio(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], way: str) -> None:
    ends = np.array([[a["found_at"][-1], b["found_at"][-1]] for a, b in zip(ours, theirs, strict=True)], dtype=float)
    medians = np.median(ends[:, 0]) / np.median(ends[:, 1])
    logs = np.log(ends[:, 0] / ends[:, 1])
    draws = np.random.default_rng(0).integers(0, len(logs), (4000, len(logs)))
    low, high = np.quantile(np.exp(logs[draws].mean(axis=1)), [0.05, 0.95])
    print(
        f"ratio reactions / {way}: {medians:.2f} of medians, {np.exp(logs.mean()):.2f} [{low:.2f}, {high:.2f}] "
        f"geometric mean of pairs with 90 % interval (target: at most {GOAL_RATIO})"
    )


def draw(runs: list[dict[str, Any]], ways: list[str], path: Path) -> None:
    """Plot the share of pure routes found against recipes: median and quartiles over seeds."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    axis = np.arange(1, N_SETS * len(TEMPERATURES_C) + 1)
    figure, axes = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    for way in ways:
        shares = np.array([[np.mean(np.array(r["found_at"]) <= n) for n in axis] for r in runs if r["way"] == way])
        low, middle, high = np.quantile(shares, [0.25, 0.5, 0.75], axis=0)
        (line,) = axes.plot(axis, middle, label=way)
        axes.fill_between(axis, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
    axes.set(xlabel="recipes", ylabel="share of pure routes found", xlim=(0, axis[-1]), ylim=(0, 1.02))
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=150)


def main() -> None:
    """Run, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--json", type=Path, help="keep when each route was found")
    parser.add_argument("--png", type=Path, help="draw the share found against recipes")
    given = parser.parse_args()
    runs = []
    for seed in range(given.first, given.first + given.seeds):
        world = World.draw(seed)
        runs += [search(way, seed, world) for way in given.ways]
        print(
            f"seed {seed}: {len(world.pure())} pure;",
            *(f"{r['way']} {r['found_at'][-1]}" for r in runs[-len(given.ways) :]),
            flush=True,
        )
    report(runs, given.ways)
    if given.json:
        given.json.write_text(json.dumps(runs))
    if given.png:
        draw(runs, given.ways, given.png)


if __name__ == "__main__":
    main()
