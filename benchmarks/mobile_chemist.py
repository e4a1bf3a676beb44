"""The mobile chemist's campaign without the laboratory: batches of 14 recipes and 2 controls, by several planners.

    python benchmarks/mobile_chemist.py [--seeds 20] [--first 0] [--batches 12] [--decay] [--ways ours random ...]
        [--json FILE] [--png FILE]

The chemistry is the closed form of `simulators.materials.photocatalysis`, fitted to the real campaign (Burger et al.,
Nature 583, 237 (2020), doi 10.1038/s41586-020-2442-2), its noise 9.4 % with a floor, 1.6 % of the results missing. The
results of a batch come back in any order. A batch reaches a yield by what the recipes that were tried give without
noise, and "believed" by what that recipe gives which the planner believes to be the best.

With --decay the lamp loses 15 % of its light at once, at a batch that is drawn for each seed from the 5th to the 10th.
An alarm before it, or in a run without decay, is a false one.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from capitalist import Capitalist
from matplotlib.figure import Figure

from planner import Continuous, Objective, Observation, Planner, SearchSpace
from planner.drift import Drift
from planner.policies.mobile_chemist import MobileChemist
from simulators.materials.photocatalysis import CAPACITY_ML, CONTROL, VOLUMES, hydrogen_umol, measure_umol

TARGET = "hydrogen"
GOALS_UMOL = (10.0, 18.0, 20.0)
PROPOSALS, CONTROLS = 14, 2
LEFT = 0.85
"""What the lamp keeps of its light."""
FIRST_DECAY, LAST_DECAY = 5, 10
ROBOT = {
    1: 2.7,
    3: 4.9,
    4: 5.5,
    5: 11.1,
    7: 13.0,
    11: 16.1,
    14: 16.9,
    17: 18.0,
    22: 19.0,
    25: 20.4,
    41: 20.45,
    42: 21.05,
}
"""The robot's best measured value by batch, from its published data."""

Point = Mapping[str, Any]


def robot_space() -> SearchSpace:
    """Return the robot's space: ten amounts on their grids, at most 5 mL of liquids."""
    lows = {"cysteine": 0.25}
    volumes = [Continuous(name, lows.get(name, 0.0), CAPACITY_ML, unit="mL", step=0.25) for name in VOLUMES]
    solid = Continuous("p10", 1.0, 5.0, unit="mg", step=0.2)
    return SearchSpace([solid, *volumes], [f"{' + '.join(VOLUMES)} <= {CAPACITY_ML}"])


class Chooser(Protocol):
    """What chooses batches."""

    def ask(self, n: int) -> Sequence[Point]:
        """Return n recipes."""
        ...

    def tell(self, told: Sequence[Observation]) -> None:
        """Learn from results."""
        ...

    def believed(self) -> Point:
        """Return the measured recipe that is believed to be the best."""
        ...


class Ours:
    """A policy of ours."""

    def __init__(self, space: SearchSpace, seed: int, policy: str, **options: Any) -> None:
        self.planner = Planner(space, [Objective(TARGET, "maximize")], seed=seed, policy=policy, options=options)

    def ask(self, n: int) -> list[Point]:
        """Return n recipes."""
        return [proposal.parameters for proposal in self.planner.ask(n)]

    def tell(self, told: Sequence[Observation]) -> None:
        """Learn from results."""
        self.planner.tell(told)

    def believed(self) -> Point:
        """Return the measured recipe that is believed to be the best; of a policy without a model the best measured."""
        if self.planner.policy_name == "random":
            best = self.planner.best()
            return CONTROL if best is None else best.parameters
        points = [one.parameters for one in self.planner.observations if one.failure is None]
        return points[int(np.argmax(self.planner.predict(points)[TARGET].mean))]

    def drift(self) -> Drift | None:
        """Return what the controls say; None of a policy that does not watch them."""
        policy = self.planner._policy  # its look at the results that the next batch is chosen by
        return policy.drifts(self.planner._data())[TARGET] if isinstance(policy, MobileChemist) else None


WAYS: Mapping[str, Callable[[SearchSpace, int], Chooser]] = {
    "ours": lambda space, seed: Ours(space, seed, "mobile_chemist", controls=[CONTROL], time="batch"),
    "default": lambda space, seed: Ours(space, seed, "auto"),
    "capitalist": lambda space, seed: Capitalist(space, TARGET, seed),
    "random": lambda space, seed: Ours(space, seed, "random"),
    "random sparse": lambda space, seed: Ours(space, seed, "random", sparse=True),
}


def campaign(way: str, seed: int, batches: int, *, decays: bool) -> dict[str, Any]:
    """Run one campaign.

    Returns:
        By batch: the best noiseless yield that was tried and that is believed in, and what the controls say.
    """
    space, chance = robot_space(), np.random.default_rng([4000, seed])
    chooser = WAYS[way](space, seed)
    fades_at = int(np.random.default_rng([4001, seed]).integers(FIRST_DECAY, LAST_DECAY + 1)) if decays else None
    seen: set[bytes] = set()
    run: dict[str, Any] = {"way": way, "seed": seed, "fades_at": fades_at, "tried": [], "believed": [], "factors": []}
    run.update(alarm_at=None, violations=0, duplicates=0, ask_s=0.0)
    for batch in range(1, batches + 1):
        began = time.process_time()
        points = chooser.ask(PROPOSALS)
        run["ask_s"] += (time.process_time() - began) / batches
        keys = space.keys(space.rows(points))
        run["duplicates"] += len(keys) - len(set(keys) - seen)
        seen.update(keys)
        run["violations"] += sum(bool(space.violations(point)) for point in points)
        light = LEFT if fades_at is not None and batch >= fades_at else 1.0
        told = [_measured(point, batch, light, chance) for point in (*points, *[CONTROL] * CONTROLS)]
        told = [told[i] for i in chance.permutation(len(told))]
        chooser.tell(told)
        run["tried"].append(max([*run["tried"][-1:], *(hydrogen_umol(point) for point in points)]))
        run["believed"].append(hydrogen_umol(chooser.believed()))
        if isinstance(chooser, Ours):
            drift = chooser.drift()
            run["factors"].append(None if drift is None else float(np.exp(drift.mean[-1])))
            if run["alarm_at"] is None and drift is not None and drift.alarm is not None:
                run["alarm_at"] = batch
    return run


def _measured(point: Point, batch: int, light: float, chance: np.random.Generator) -> Observation:
    value = measure_umol(point, chance)
    if value is None:
        return Observation(parameters=point, failure="missing", context={"batch": batch})
    return Observation(parameters=point, values={TARGET: light * value}, context={"batch": batch})


def batches_to(values: Sequence[float], goal: float) -> float:
    """Return the batch, from 1, that first reached a goal; infinite if none did."""
    return next((float(batch) for batch, value in enumerate(values, 1) if value >= goal), np.inf)


def quartiles(values: Sequence[float], digits: int = 3) -> str:
    """Return the median with quartiles; what was not reached counts as infinite."""
    low, middle, high = np.quantile(np.array(values, dtype=float), [0.25, 0.5, 0.75], method="nearest")
    return f"{middle:.{digits}g} [{low:.{digits}g}, {high:.{digits}g}]"


def row(way: str, runs: Sequence[Mapping[str, Any]]) -> str:
    """Return one row of the table."""
    cells = [way, *(quartiles([batches_to(run["tried"], goal) for run in runs]) for goal in GOALS_UMOL)]
    cells.append(quartiles([batches_to(run["believed"], GOALS_UMOL[-1]) for run in runs]))
    cells.append(quartiles([run["believed"][-1] for run in runs], 4))
    cells += [str(sum(run[key] for run in runs)) for key in ("violations", "duplicates")]
    cells.append(f"{np.mean([run['ask_s'] for run in runs]):.2f}")
    return "| " + " | ".join(cells) + " |"


def alarms(runs: Sequence[Mapping[str, Any]]) -> str:
    """Say how the alarms did."""
    false = [run for run in runs if run["alarm_at"] and run["alarm_at"] < (run["fades_at"] or np.inf)]
    said = f"false alarms: {len(false)} of {len(runs)} runs"
    if runs[0]["fades_at"] is None:
        return said
    after = [1.0 + (run["alarm_at"] or np.inf) - run["fades_at"] for run in runs if run not in false]
    last = [run["factors"][-1] for run in runs if run["factors"][-1]]
    return (
        f"{said}; batches to the alarm, that of the decay counted: {quartiles(after)}, "
        f"within 3 in {sum(value <= 3 for value in after)} of {len(after)}; the light at the end, {LEFT:g} of the "
        f"first: {quartiles(last)}"
    )


def draw(runs: Sequence[Mapping[str, Any]], batches: int) -> Figure:
    """Return the plot: best noiseless yield against batches, medians and quartiles."""
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    panel = figure.subplots()
    counts = np.arange(1, batches + 1)
    for color, way in enumerate(dict.fromkeys(run["way"] for run in runs)):
        curves = np.array([run["tried"] for run in runs if run["way"] == way])
        low, middle, high = np.quantile(curves, [0.25, 0.5, 0.75], axis=0)
        panel.plot(counts, middle, color=f"C{color}", label=way, lw=2.2 if way == "ours" else 1.2)
        panel.fill_between(counts, low, high, color=f"C{color}", alpha=0.15, lw=0)
    shown = [batch for batch in ROBOT if batch <= batches]
    robot = [ROBOT[batch] for batch in shown]
    panel.step([*shown, batches], [*robot, robot[-1]], "k--", where="post", lw=1, label="the robot, measured")
    panel.axhline(GOALS_UMOL[-1], color="0.6", lw=0.8)
    panel.set_xlabel("batches of 16")
    panel.set_ylabel("best recipe tried, noiseless, umol")
    panel.set_ylim(0, None)
    panel.legend(fontsize=8, loc=(0.64, 0.14))
    return figure


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--decay", action="store_true", help="the lamp loses 15 %% of its light")
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--json", type=Path, help="keep all runs, and take up those that it holds")
    parser.add_argument("--png", type=Path, help="draw the best recipes against batches")
    given = parser.parse_args()
    heads = [f"to {goal:g} umol" for goal in GOALS_UMOL]
    print(
        f"| planner | batches {' | '.join(heads)} | to {GOALS_UMOL[-1]:g} believed | believed at the end, umol |",
        end="",
    )
    print(" violations | duplicates | ask, CPU s |\n" + "|---" * 9 + "|")
    told = json.loads(given.json.read_text()) if given.json is not None and given.json.exists() else []
    found = {(run["way"], run["seed"]): run for run in told}
    kept: list[dict[str, Any]] = []
    for way in given.ways:
        seeds = range(given.first, given.first + given.seeds)
        runs = []
        for seed in seeds:
            runs.append(found.get((way, seed)) or campaign(way, seed, given.batches, decays=given.decay))
            found[way, seed] = runs[-1]
            if given.json is not None:
                given.json.write_text(json.dumps(list(found.values()), default=bool))
        print(row(way, runs), flush=True)
        kept += runs
    ours = [run for run in kept if run["way"] == "ours"]
    if ours:
        print(f"\n{alarms(ours)}")
    if given.png is not None:
        draw(kept, given.batches).savefig(given.png, dpi=120)


if __name__ == "__main__":
    main()
