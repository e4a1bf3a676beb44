"""Map the phases of a composition spread and find its best property: ``python examples/cameo/spread.py [--seed 3]``.

The spread is simulated (`simulators/materials/ternary_spread.py`). In a laboratory, put in place of `Spread.measure`
what counts a pattern and measures the property at a composition.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from planner import Continuous, Objective, Observation, Planner, SearchSpace, SearchSpaceExhausted
from planner.proposal import Proposal
from simulators.materials.ternary_spread import draw_spread

ELEMENTS = ("a", "b", "c")
OBJECTIVES = (Objective("pattern", "classify"), Objective("resistance", "maximize"))

Say = Callable[[str], object]


class Spread:
    """A simulated film of 231 compositions under a diffractometer and a probe."""

    def __init__(self, seed: int) -> None:
        self.truth = draw_spread(seed)
        self.compositions = [dict(zip(ELEMENTS, row, strict=True)) for row in self.truth.compositions.tolist()]
        self._rng = np.random.default_rng([seed, 7])

    def measure(self, composition: Mapping[str, object]) -> tuple[np.ndarray, float]:
        """Return a diffraction pattern in counts, channels even in log q, and the property."""
        index = self.compositions.index(dict(composition))  # type: ignore[arg-type]
        return self.truth.measure_pattern(index, self._rng), self.truth.measure_property(index, self._rng)


def explore(spread: Spread, points: int, seed: int, *, save: Path | None = None, say: Say = print) -> Planner:
    """Measure what the planner asks for; return the planner."""
    space = SearchSpace([Continuous(name, 0.0, 1.0) for name in ELEMENTS], candidates=spread.compositions)
    planner = Planner(space, OBJECTIVES, seed=seed, policy="cameo")
    for number in range(1, points + 1):
        try:
            proposal = planner.ask()[0]
        except SearchSpaceExhausted:
            break
        pattern, value = spread.measure(proposal.parameters)
        planner.tell(
            [
                Observation(
                    parameters=proposal.parameters,
                    values={"resistance": value},
                    fingerprints={"pattern": pattern},
                    proposal_id=proposal.id,
                )
            ]
        )
        say(line(number, proposal, value))
        if save is not None:
            planner.save(save)
    return planner


def line(number: int, proposal: Proposal, value: float) -> str:
    """Return what one measurement was for, in a line."""
    at = " ".join(f"{name}{float(proposal.parameters[name]):.2f}" for name in ELEMENTS)
    return f"{number:3d}  {at}  {value:5.2f}  {proposal.reason}"


def summary(planner: Planner, compositions: Sequence[Mapping[str, float]]) -> list[str]:
    """Return the regions of the map, the largest first, and the best composition."""
    found = planner.regions(compositions)
    labels = found.probabilities.argmax(axis=1)
    sizes = np.bincount(labels, minlength=len(found.regions))
    lines = [
        f"{sizes[r]:4d} compositions: phase {' + '.join(str(k + 1) for k in found.regions[r])}"
        for r in np.argsort(-sizes, kind="stable")
        if sizes[r]
    ]
    best = planner.best()
    if best is not None:
        lines.append(f"best: {best.values['resistance']:.2f} at {dict(best.parameters)}")
    return lines


def main() -> None:
    """Explore one spread."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=3, help="of the spread and the planner")
    parser.add_argument("--points", type=int, default=30, help="measurements")
    parser.add_argument("--save", type=Path, help="keep the planner in this file after each measurement")
    args = parser.parse_args()
    spread = Spread(args.seed)
    planner = explore(spread, args.points, args.seed, save=args.save)
    print(*summary(planner, spread.compositions), sep="\n")
    best = planner.best()
    if best is not None:
        index = spread.compositions.index(dict(best.parameters))  # type: ignore[arg-type]
        print(f"truly {spread.truth.property_true[index]:.2f} there, and 1.00 at the optimum")


if __name__ == "__main__":
    main()
