"""Make 58 targets within 355 recipes, and claim nothing that is not so: a simulated A-Lab without its hardware.

    python benchmarks/synthesis_targets.py [--seeds 20] [--first 0] [--runs FOLDER] [--png FILE]

After Szymanski et al., Nature 624, 86 (2023), doi 10.1038/s41586-023-06734-w. Each target has a synthetic chemistry of
its own, with energies that are not those of the planner's table (`synthesis_worlds.py`), and a planner with the policy
`reactions`, which is told what `surrogate.xrd` identifies in simulated patterns (level L1 of
`simulators.materials.powder`), or that it cannot tell. A target counts as claimed where diffraction alone says so: the
verdict is `identified`, the target's probability at least 0.95, the lower end of the 90 % interval of its weight
fraction at least 0.5, and no gate fails (Leeman et al., PRX Energy 3, 011002 (2024), doi 10.1103/PRXEnergy.3.011002).
It is made where the powder truly holds 50 % of it by weight. Runs are kept in a folder and taken up again.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import ndtr
from synthesis_worlds import HOLD_H, MADE, TEMPERATURES_C, Target, draw_target
from xrd_cases import PHASES

from planner import Categorical, Continuous, Objective, Observation, Planner, Proposal, SearchSpace
from planner.errors import SearchSpaceExhausted
from simulators.materials.powder.levels import LEVELS
from simulators.materials.powder.library import structures
from simulators.materials.powder.pattern import Scan as DeviceScan
from simulators.materials.powder.pattern import simulate
from simulators.materials.powder.specimen import Mixture, Share
from surrogate.formats.record import Axis, Scan, counted
from surrogate.xrd.atlas import COPPER
from surrogate.xrd.identify import Identifier
from surrogate.xrd.library import embedded_library
from surrogate.xrd.result import Identification

TARGETS, RECIPES = 58, 355
SURE = 0.95
GIVE_UP = 0.01
"""Predicted probability below which a target is given up."""
LEVEL = "L1"
LEAST_WEIGHT = 0.002
GOAL_MADE, GOAL_FALSE = 0.71, 0.02


@dataclass(kw_only=True)
class Bench:
    """One target on the bench: its truth, its planner, its diffraction."""

    target: Target
    planner: Planner
    identifier: Identifier
    fired: int = 0
    claimed: bool = False
    made: bool = False
    """Whether some powder truly held enough of it."""
    false_claim: bool = False
    waiting: Proposal | None = None
    verdicts: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, target: Target, seed: int) -> Bench:
        """Set up the planner and the library: the phases of the target's chemistry, and ten that are not in it."""
        world = target.world
        space = SearchSpace(
            [
                Categorical("precursors", [one.name for one in world.sets]),
                Continuous("temperature", TEMPERATURES_C[0], TEMPERATURES_C[-1], unit="degC", levels=TEMPERATURES_C),
            ]
        )
        options = {"target": world.target, "table": world.rows(), "hold_h": HOLD_H, "wanted": MADE}
        planner = Planner(space, [Objective("yield", "maximize")], seed=seed, policy="reactions", options=options)
        foreign = [name for name in PHASES if name not in target.masks.values() and name != target.stranger][:10]
        return cls(
            target=target, planner=planner, identifier=Identifier(embedded_library([*target.masks.values(), *foreign]))
        )

    def chance(self) -> float:
        """Return the predicted probability that the next recipe makes it; 0 where none is left."""
        if self.waiting is None:
            try:
                self.waiting = self.planner.ask(1)[0]
            except SearchSpaceExhausted:
                return 0.0
        expected = self.waiting.predictions["yield"]
        return float(ndtr((expected.mean - MADE) / expected.sd))

    def fire(self, rng: np.random.Generator) -> None:
        """Try the proposed recipe, look at it, and learn."""
        proposal = self.waiting
        assert proposal is not None
        self.waiting = None
        world = self.target.world
        one = next(one for one in world.sets if one.name == proposal.parameters["precursors"])
        true = self.target.fire(one, float(proposal.parameters["temperature"]), rng)
        is_made = true.get(world.target, 0.0) >= MADE
        found = self.identifier.identify(self._pattern(true, rng), curves=False)
        claims = _claims(found, self.target.masks[world.target])
        self.fired, self.made, self.claimed = self.fired + 1, self.made or is_made, self.claimed or claims
        self.false_claim |= claims and not is_made
        self.verdicts.append(found.verdict)
        self.planner.tell([self._observation(proposal, found)])

    def _pattern(self, true: dict[str, float], rng: np.random.Generator) -> Scan:
        every, level = structures(), LEVELS[LEVEL]
        names = {name: self.target.masks.get(name, self.target.stranger) for name in true}
        seen = {name: w for name, w in sorted(true.items()) if w >= LEAST_WEIGHT}
        total = sum(seen.values())
        shares = tuple(Share(structure=every[names[name]], weight=w / total) for name, w in seen.items())
        mixture = Mixture(shares=shares)
        made = simulate(mixture, scan=DeviceScan(), sample=level.sample, instrument=level.instrument(rng), rng=rng)
        axis = Axis(quantity="two_theta", unit="deg", values=made.two_theta_deg)
        return Scan(kind="diffractogram", axis=axis, radiation=COPPER, **counted(made.counts.astype(float)))

    def _observation(self, proposal: Proposal, found: Identification) -> Observation:
        told: dict[str, Any] = {"parameters": proposal.parameters, "proposal_id": proposal.id}
        if found.verdict in ("unusable", "cannot tell", "amorphous", "no crystalline phase"):
            return Observation(failure=found.verdict, **told)
        names = {mask: name for name, mask in self.target.masks.items()}
        context: dict[str, float | int | str] = {}
        total = 0.0
        for phase in found.phases:
            name = names.get(phase.name, phase.name)
            context |= {f"phase:{name}": phase.weight_fraction, f"probability:{name}": phase.probability}
            total += phase.weight_fraction * (name == self.target.world.target)
        return Observation(values={"yield": total}, context=context, **told)


def _claims(found: Identification, mask: str) -> bool:
    claim = next((phase for phase in found.phases if phase.name == mask), None)
    return (
        claim is not None
        and found.verdict == "identified"
        and claim.probability >= SURE
        and claim.weight_interval[0] >= MADE
        and all(gate.passed is not False for gate in found.gates)
    )


def laboratory(seed: int) -> dict[str, Any]:
    """Run one laboratory and return what it made, claimed and spent."""
    began_s, rng = time.process_time(), np.random.default_rng([seed, 58])
    benches = [Bench.of(draw_target(seed, number), seed) for number in range(TARGETS)]
    spent, made_at = 0, list[int]()
    while spent < RECIPES:
        ready = [(bench.chance(), -i) for i, bench in enumerate(benches) if not bench.claimed]
        going = sorted([item for item in ready if item[0] > GIVE_UP], reverse=True)[: RECIPES - spent]
        if not going:
            break
        for _, place in going:
            benches[-place].fire(rng)
            spent += 1
            if benches[-place].claimed:
                made_at.append(spent)
    verdicts = [verdict for bench in benches for verdict in bench.verdicts]
    return {
        "seed": seed,
        "recipes": spent,
        "possible": sum(bench.target.is_possible for bench in benches),
        "made": sum(bench.made and bench.claimed and not bench.false_claim for bench in benches),
        "truly_made": sum(bench.made for bench in benches),
        "claimed": sum(bench.claimed for bench in benches),
        "false": sum(bench.false_claim for bench in benches),
        "claimed_at": made_at,
        "verdicts": {name: verdicts.count(name) for name in sorted(set(verdicts))},
        "by_chance_at": by_chance([bench.target for bench in benches], seed),
        "cpu_s": time.process_time() - began_s,
    }


def by_chance(targets: list[Target], seed: int) -> list[int]:
    """Return after how many random recipes each target is made that is, told the truth about each powder at no cost."""
    rng, left = np.random.default_rng([seed, 59]), list(range(len(targets)))
    orders = [list(rng.permutation(len(target.world.recipes()))) for target in targets]
    made, spent = list[int](), 0
    while left and spent < RECIPES:
        for place in list(left):
            if spent == RECIPES:
                break
            if not orders[place]:
                left.remove(place)
                continue
            world = targets[place].world
            recipe = world.recipes()[int(orders[place].pop())]
            spent += 1
            if targets[place].fire(*recipe, rng).get(world.target, 0.0) >= MADE:
                made.append(spent)
                left.remove(place)
    return made


def report(runs: list[dict[str, Any]]) -> None:
    """Print a row for each laboratory, and all together."""
    print(
        "| seed | made | some recipe makes | claims | false | recipes | to 42 claims | random: made | to 42 made |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    for run in runs:
        told = [run[key] for key in ("seed", "made", "possible", "claimed", "false", "recipes")]
        told += [_needed(run["claimed_at"]), len(run["by_chance_at"]), _needed(run["by_chance_at"])]
        print("| " + " | ".join(str(one) for one in told) + " |")
    low, middle, high = np.quantile([run["made"] / TARGETS for run in runs], [0.25, 0.5, 0.75])
    claimed, wrong = (sum(run[key] for run in runs) for key in ("claimed", "false"))
    possible = np.median([run["made"] / run["possible"] for run in runs])
    print(f"\nmade: {middle:.2f} [{low:.2f}, {high:.2f}] of 58 targets (target: at least {GOAL_MADE}); ", end="")
    print(f"{possible:.2f} of those that some recipe makes")
    print(f"false claims: {wrong} of {claimed}, {wrong / max(claimed, 1):.3f} (target: at most {GOAL_FALSE})")


def _needed(made_at: list[int]) -> int | str:
    """Return after how many recipes the goal was reached."""
    needed = math.ceil(GOAL_MADE * TARGETS)
    return made_at[needed - 1] if len(made_at) >= needed else "never"


def draw(runs: list[dict[str, Any]], path: Path) -> None:
    """Plot claimed targets against recipes, each laboratory a line."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    for run in runs:
        axes.step(
            [0, *run["claimed_at"], RECIPES], [*range(run["claimed"] + 1), run["claimed"]], where="post", alpha=0.5
        )
    axes.axhline(GOAL_MADE * TARGETS, color="black", linestyle=":", label="71 % of the targets")
    axes.set(xlabel="recipes", ylabel="targets made and claimed", xlim=(0, RECIPES), ylim=(0, TARGETS))
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=150)


def main() -> None:
    """Run, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--runs", type=Path, help="folder in which runs are kept")
    parser.add_argument("--png", type=Path, help="draw claims against recipes")
    given = parser.parse_args()
    torch.set_num_threads(1)
    runs = []
    for seed in range(given.first, given.first + given.seeds):
        kept = given.runs / f"{seed}.json" if given.runs else None
        if kept is not None and kept.exists():
            runs.append(json.loads(kept.read_text()))
            continue
        runs.append(laboratory(seed))
        print(runs[-1], flush=True)
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(runs[-1]))
    report(runs)
    if given.png:
        draw(runs, given.png)


if __name__ == "__main__":
    main()
