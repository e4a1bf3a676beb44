"""Repeats `labpilot simulate` over seeds and planners, and keeps the results as JSON for the tables.

    python benchmarks/campaigns.py sara --seeds 20 --out results/
    python benchmarks/campaigns.py photocatalysis --seeds 20 --out results/

Runs two processes at a time. Prints the tables of benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
THRESHOLD = 0.7
EVERY = 2
"""Stripes between two scores of the map."""
SCORED = f"lab.simulation.film-station.score_every={EVERY}"
SAME_MAP = "planner.options={map_model: gradient}"
"""The map that SARA fits, so that planners are compared by what they choose and not by how they draw."""
CAMPAIGNS: dict[str, tuple[str, dict[str, list[str]]]] = {
    "sara": ("examples/sara/campaign.yaml", {"sara": [SCORED], "random": [SCORED, SAME_MAP]}),
    "photocatalysis": ("examples/photocatalysis/campaign.yaml", {"logei": [], "sobol": [], "random": []}),
}


def simulate(name: str, planner: str, seed: int, out: Path) -> dict[str, Any]:
    """Run one seed, or read what an earlier call left."""
    file, planners = CAMPAIGNS[name]
    result = out / f"{name}-{planner}-{seed:03d}.json"
    if not result.exists():
        command = [sys.executable, "-m", "orchestrator.cli.main", "simulate", str(ROOT / file), "--planner", planner]
        command += ["--seed", str(seed), "--json", str(result)]
        for override in planners[planner]:
            command += ["--set", override]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return json.loads(result.read_text())


def median_iqr(values: Sequence[float]) -> str:
    """Return the median with quartiles; unreached counts as infinite."""
    low, middle, high = np.quantile(np.array(values, dtype=float), [0.25, 0.5, 0.75], method="nearest")
    return f"{middle:.4g} [{low:.4g}, {high:.4g}]"


def stripes_to(result: dict[str, Any], weight: str, threshold: float) -> float:
    """Return the number of stripes at which R2 first reached a threshold; infinite if it never did."""
    metrics = result["metrics"]
    pairs = zip(metrics["stripes"], metrics["r2_map"][weight], strict=True)
    return next((float(n) for n, r2 in pairs if r2 is not None and r2 >= threshold), float("inf"))


def at_stripe(result: dict[str, Any], values: Sequence[Any], n: int) -> float:
    """Return a metric after n stripes, or after the last scored stripe before."""
    chosen = [value for stripe, value in zip(result["metrics"]["stripes"], values, strict=True) if stripe <= n]
    return float("nan") if not chosen or chosen[-1] is None else float(chosen[-1])


def print_sara(results: dict[str, list[dict[str, Any]]]) -> None:
    """Print the tables of the film station."""
    heads = ("planner", "stripes to R2(1/s^2) 0.7", "R2 at 8", "at 16", "at 32", "at 48")
    heads += ("coverage at 16", "at 48", "boundary error, degC")
    print("| " + " | ".join(heads) + " |")
    print("|---|---|---|---|---|---|---|---|---|")
    medians = {}
    for planner, runs in results.items():
        reached = [stripes_to(run, "1/s^2", THRESHOLD) for run in runs]
        medians[planner] = float(np.quantile(reached, 0.5, method="nearest"))
        r2 = [
            np.nanmedian([at_stripe(run, run["metrics"]["r2_map"]["1/s^2"], n) for run in runs])
            for n in (8, 16, 32, 48)
        ]
        cover = [np.nanmedian([at_stripe(run, run["metrics"]["coverage_90"], n) for run in runs]) for n in (16, 48)]
        errors = [run["metrics"]["boundary_error_c"] for run in runs]
        error = median_iqr([float("inf") if value is None else value for value in errors])
        row = [planner, median_iqr(reached), *(f"{value:.2f}" for value in (*r2, *cover)), error]
        print("| " + " | ".join(row) + " |")
    if {"sara", "random"} <= medians.keys():
        print(f"\nratio sara / random: {medians['sara'] / medians['random']:.2f} (target: at most 0.65)")
    for weight in ("none", "1/s^4"):
        reached = {
            planner: median_iqr([stripes_to(run, weight, THRESHOLD) for run in runs])
            for planner, runs in results.items()
        }
        print(f"stripes to 0.7 with weight {weight}: {reached}")
    spectra = {
        planner: float(np.median([run["metrics"]["spectra_taken"] for run in runs]))
        for planner, runs in results.items()
    }
    print(f"spectra taken (median): {spectra}; exhaustive: {625 * 201}")


def print_photocatalysis(results: dict[str, list[dict[str, Any]]]) -> None:
    """Print the table of the photocatalysis robot."""
    print(
        "| planner | batches to 10 umol | to 16 | to 18 | reached 10 within 8 | best noiseless after 8 | violations |"
    )
    print("|---|---|---|---|---|---|---|")
    for planner, runs in results.items():
        reached = {
            goal: [
                float("inf")
                if run["metrics"][f"batches_to_{goal}_umol"] is None
                else run["metrics"][f"batches_to_{goal}_umol"]
                for run in runs
            ]
            for goal in (10, 16, 18)
        }
        within = sum(value <= 8 for value in reached[10])
        best = median_iqr([run["metrics"]["best_noiseless_umol"][7] for run in runs])
        violations = sum(run["metrics"]["constraint_violations"] for run in runs)
        cells = [
            planner,
            *(median_iqr(reached[goal]) for goal in (10, 16, 18)),
            f"{within} of {len(runs)}",
            best,
            str(violations),
        ]
        print("| " + " | ".join(cells) + " |")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("campaign", choices=CAMPAIGNS)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    planners = CAMPAIGNS[options.campaign][1]
    seeds = range(options.first, options.first + options.seeds)
    with ThreadPoolExecutor(options.jobs) as pool:
        waiting = {p: [pool.submit(simulate, options.campaign, p, s, options.out) for s in seeds] for p in planners}
        results = {planner: [future.result() for future in futures] for planner, futures in waiting.items()}
    {"sara": print_sara, "photocatalysis": print_photocatalysis}[options.campaign](results)


if __name__ == "__main__":
    main()
