"""From theory to the robot: `python benchmarks/theory_to_robot.py --seeds 10`.

Six metals on a simplex in steps of 2 % (3,478,761 compositions), an overpotential to be minimised, as in the campaign
of the catalyst from meteorites (Nat. Synth. 3, 319 (2024), doi:10.1038/s44160-023-00424-1). Theory is a quadratic and
cubic mixture surface from 430 to 700 mV; the truth is 0.7 of it, warped, with three local wells of 15 to 40 mV; theory
is 60 to 120 mV off besides, and measurements have a noise of 8 mV. Counts experiments until one of them lies, in truth,
within 5 mV of the best composition of the grid: without theory (`logei`), with 400 values of it (`transfer`), and with
the same values upside down.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path
from time import process_time

import numpy as np

from planner import Continuous, Objective, Observation, Planner, SearchSpace, parse_constraint

METALS = ("Fe", "Ni", "Mn", "Mg", "Al", "Ca")
STEPS = 50
LOW_MV, HIGH_MV = 430.0, 700.0
NOISE_MV = 8.0
NEAR_MV = 5.0
N_THEORY = 400
N_WELLS = 3
ARMS = ("no theory", "theory", "theory upside down")
RESULTS = Path(__file__).with_name("results") / "transfer" / "theory.jsonl"


@dataclass(frozen=True, slots=True)
class World:
    """What theory says, and what is true."""

    weights: tuple[np.ndarray, np.ndarray, np.ndarray]
    """Of single metals, pairs and triples."""
    low: float
    high: float
    bias_mv: float
    wells: np.ndarray
    """``w x 6`` compositions."""
    depths_mv: np.ndarray
    widths: np.ndarray

    @classmethod
    def of(cls, seed: int) -> World:
        """Draw one."""
        rng = np.random.default_rng([seed, 43])
        weights = tuple(
            scale * rng.standard_normal(len(list(combinations(METALS, order))))
            for order, scale in ((1, 1.0), (2, 4.0), (3, 15.0))
        )
        surface = _surface(weights, _simplex(rng, 20_000))  # type: ignore[arg-type]
        return cls(
            weights,  # type: ignore[arg-type]
            float(surface.min()),
            float(surface.max()),
            float(rng.uniform(60.0, 120.0)),
            _simplex(rng, N_WELLS),
            rng.uniform(15.0, 40.0, N_WELLS),
            rng.uniform(0.1, 0.2, N_WELLS),
        )

    def theory_mv(self, x: np.ndarray) -> np.ndarray:
        """Return what theory says of compositions (``n x 6``)."""
        return LOW_MV + (HIGH_MV - LOW_MV) * self._part(x) + self.bias_mv

    def true_mv(self, x: np.ndarray) -> np.ndarray:
        """Return the overpotential of compositions (``n x 6``)."""
        found = LOW_MV + (HIGH_MV - LOW_MV) * (0.15 + 0.7 * np.maximum(self._part(x), 0.0) ** 1.3)
        for centre, depth, width in zip(self.wells, self.depths_mv, self.widths, strict=True):
            found = found - depth * np.exp(-((x - centre) ** 2).sum(axis=1) / (2.0 * width**2))
        return found

    def _part(self, x: np.ndarray) -> np.ndarray:
        return (_surface(self.weights, x) - self.low) / (self.high - self.low)


def _surface(weights: Sequence[np.ndarray], x: np.ndarray) -> np.ndarray:
    found = np.zeros(len(x))
    for order, own in enumerate(weights, start=1):
        for which, weight in zip(combinations(range(len(METALS)), order), own, strict=True):
            found += weight * x[:, which].prod(axis=1)
    return found


def _simplex(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return ``n`` compositions on the grid."""
    return rng.multinomial(STEPS, rng.dirichlet(np.ones(len(METALS)), n)) / STEPS


@cache
def grid() -> np.ndarray:
    """Return all compositions, ``n x 6``."""
    bars = np.array(list(combinations(range(STEPS + len(METALS) - 1), len(METALS) - 1)), dtype=np.int16)
    ends = np.full((len(bars), 1), STEPS + len(METALS) - 1, dtype=np.int16)
    edges = np.hstack([np.full((len(bars), 1), -1, dtype=np.int16), bars, ends])
    return (np.diff(edges, axis=1) - 1).astype(float) / STEPS


def main() -> None:
    """Measure what is missing, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--most", type=int, default=120, help="experiments after which a run ends")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    text = arguments.results.read_text(encoding="utf-8") if arguments.results.exists() else ""
    rows = [json.loads(line) for line in text.splitlines()]
    done = {(row["arm"], row["seed"], row["most"]) for row in rows}
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    jobs = [(arm, seed, arguments.most) for seed in seeds for arm in ARMS]
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
        for row in pool.map(run, [job for job in jobs if job not in done]):
            with arguments.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(row, flush=True)
            rows.append(row)
    report([row for row in rows if row["seed"] in seeds and row["most"] == arguments.most])


def run(job: tuple[str, int, int], best_mv: float | None = None) -> dict:
    """Run one campaign.

    Args:
        job: An arm, a seed, and the most experiments.
        best_mv: Of the truth; looked for on the whole grid where left out.
    """
    arm, seed, most = job
    world, rng = World.of(seed), np.random.default_rng([seed, 7])
    best = float(world.true_mv(grid()).min()) if best_mv is None else best_mv
    planner = Planner(
        SearchSpace(
            [Continuous(name, 0.0, 1.0, step=1.0 / STEPS) for name in METALS],
            parse_constraint(" + ".join(METALS) + " == 1", METALS),
        ),
        [Objective("overpotential", "minimize", unit="mV")],
        seed=seed,
        policy="logei" if arm == ARMS[0] else "transfer",
        options={} if arm == ARMS[0] else {"sources": [_source(world, seed, -1.0 if arm == ARMS[2] else 1.0)]},
    )
    began, n, left = process_time(), 0, np.inf
    while n < most and left > NEAR_MV:
        proposal, n = planner.ask()[0], n + 1
        true = float(world.true_mv(np.array([[float(proposal.parameters[name]) for name in METALS]]))[0])
        left = min(left, true - best)
        value = true + NOISE_MV * float(rng.standard_normal())
        planner.tell(
            [Observation(parameters=proposal.parameters, proposal_id=proposal.id, values={"overpotential": value})]
        )
    seconds = (process_time() - began) / n
    return {"arm": arm, "seed": seed, "most": most, "n": n, "left_mv": round(left, 2), "cpu_s": round(seconds, 3)}


def _source(world: World, seed: int, sign: float) -> dict:
    x = _simplex(np.random.default_rng([seed, 11]), N_THEORY)
    said = world.theory_mv(x)
    values = said if sign > 0 else 2.0 * said.mean() - said
    points = [dict(zip(METALS, row, strict=True)) for row in x.tolist()]
    return {"name": "theory", "points": points, "values": values.tolist(), "unit": "mV"}


def report(rows: Sequence[dict]) -> None:
    """Print the table."""
    cold = {row["seed"]: row["n"] for row in rows if row["arm"] == ARMS[0]}
    print(
        f"\n| | experiments to within {NEAR_MV:g} mV | reached | without theory, over these: medians | of pairs, "
        "geometric mean | CPU s an ask |\n|---|---|---|---|---|---|"
    )
    for arm in ARMS:
        mine = [row for row in rows if row["arm"] == arm and row["seed"] in cold]
        if not mine:
            continue
        n = np.array([row["n"] for row in mine], dtype=float)
        pairs = np.array([cold[row["seed"]] for row in mine]) / n
        reached = sum(row["left_mv"] <= NEAR_MV for row in mine)
        print(
            f"| {arm} | {np.median(n):g} [{np.quantile(n, 0.25):g}, {np.quantile(n, 0.75):g}] "
            f"| {reached} of {len(mine)} "
            f"| {np.median(list(cold.values())) / np.median(n):.2f} | {np.exp(np.log(pairs).mean()):.2f} "
            f"| {np.median([row['cpu_s'] for row in mine]):.2f} |"
        )


if __name__ == "__main__":
    main()
