"""How many batches of 16 a planner needs on the closed-form photocatalysis oracle, without a laboratory around it.

    python benchmarks/photocatalysis.py --seeds 20 --batches 12 logei
    python benchmarks/photocatalysis.py --seeds 20 --batches 43 sobol random random:sparse=true

A batch is 14 proposals and two controls, which are told like any result; results are noisy, and 1.6 % go missing.
Counted is the batch in which the best noiseless yield so far first reached a threshold. Settings were chosen on seeds
from 100 on. `labpilot simulate examples/photocatalysis/campaign.yaml` runs the same with a robot, a journal and bytes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from planner import Continuous, Objective, Observation, Planner, SearchSpace
from simulators.chance import generator
from simulators.materials.photocatalysis import CAPACITY_ML, CONTROL, VOLUMES, hydrogen_umol, measure_umol

PROPOSED, CONTROLS = 14, 2
THRESHOLDS_UMOL = (10.0, 16.0, 18.0, 20.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One seed of one planner."""

    planner: str
    seed: int
    best_umol: list[float]
    """Best noiseless yield after each batch."""
    ask_s: list[float]
    """CPU seconds of each ask of 14."""
    violations: int

    def batches_to(self, threshold_umol: float) -> float:
        """Return the batch that reached a threshold; infinite where none did."""
        return next((n for n, best in enumerate(self.best_umol, 1) if best >= threshold_umol), float("inf"))


def search_space() -> SearchSpace:
    """Return the ten ingredients on the robot's grid."""
    liquids = [Continuous(name, 0.25 if name == "cysteine" else 0.0, 5.0, unit="mL", step=0.25) for name in VOLUMES]
    return SearchSpace(
        [Continuous("p10", 1.0, 5.0, unit="mg", step=0.2), *liquids], [f"{' + '.join(VOLUMES)} <= {CAPACITY_ML}"]
    )


def policy_of(text: str) -> tuple[str, dict[str, Any]]:
    """Read `name` or `name:option=value,...`; values are JSON."""
    name, _, options = text.partition(":")
    pairs = (item.partition("=") for item in options.split(",") if item)
    return name, {key: json.loads(value) for key, _, value in pairs}


def run(planner_text: str, seed: int, batches: int) -> Run:
    """Run one campaign."""
    name, options = policy_of(planner_text)
    space = search_space()
    planner = Planner(space, [Objective("hydrogen", "maximize", "umol")], seed=seed, policy=name, options=options)
    best, history, seconds, violations = 0.0, [], [], 0
    for batch in range(batches):
        before = time.process_time()
        proposals = planner.ask(PROPOSED)
        seconds.append(time.process_time() - before)
        recipes: list[tuple[dict[str, float], str | None]] = [(dict(CONTROL), None)] * CONTROLS
        recipes += [({name: float(value) for name, value in p.parameters.items()}, p.id) for p in proposals]
        told = []
        for vial, (recipe, proposal_id) in enumerate(recipes):
            violations += not space.contains(recipe)
            best = max(best, hydrogen_umol(recipe))
            value = measure_umol(recipe, generator(seed, "vial", batch, vial))
            told.append(
                Observation(
                    parameters=recipe,
                    values={} if value is None else {"hydrogen": value},
                    failure="result missing" if value is None else None,
                    proposal_id=proposal_id,
                )
            )
        planner.tell(told)
        history.append(best)
    return Run(planner=planner_text, seed=seed, best_umol=history, ask_s=seconds, violations=violations)


def table(runs: Sequence[Run]) -> str:
    """Return a row per planner."""
    lines = ["| planner | seeds | " + " | ".join(f"batches to {t:g} umol" for t in THRESHOLDS_UMOL)]
    lines[0] += " | reached 10 within 8 | best at the end, umol | s per ask of 14 | violations |"
    lines.append("|---" * (lines[0].count("|") - 1) + "|")
    for name in dict.fromkeys(r.planner for r in runs):
        mine = [r for r in runs if r.planner == name]
        cells = [median_iqr([r.batches_to(threshold) for r in mine]) for threshold in THRESHOLDS_UMOL]
        cells.append(f"{sum(r.batches_to(10.0) <= 8 for r in mine)} of {len(mine)}")
        cells.append(f"{np.median([r.best_umol[-1] for r in mine]):.1f}")
        asks = np.concatenate([r.ask_s[1:] for r in mine])
        cells.append(f"{np.median(asks):.2f}, most {asks.max():.2f}")
        cells.append(str(sum(r.violations for r in mine)))
        lines.append(f"| {name} | {len(mine)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def median_iqr(values: Sequence[float]) -> str:
    """Return median and quartiles; what was never reached counts as infinite."""
    low, middle, high = np.quantile(np.array(values), [0.25, 0.5, 0.75], method="nearest")
    return f"{middle:g} [{low:g}, {high:g}]"


def main() -> None:
    """Run what the command line asks for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("planners", nargs="+", help="policies, each with options as name:option=value,...")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--json", type=Path, help="also write every run here")
    told = parser.parse_args()
    runs = []
    for planner in told.planners:
        for seed in range(told.first, told.first + told.seeds):
            runs.append(run(planner, seed, told.batches))
    if told.json is not None:
        told.json.write_text(json.dumps([asdict(r) for r in runs], indent=1))
    print(table(runs))


if __name__ == "__main__":
    main()
