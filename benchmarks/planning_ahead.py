"""Planning in the time that instruments need: idle time and regret with and without, at equal seeds.

    python benchmarks/planning_ahead.py [--seeds 10] [--trials 30] [--ask 20] [--choice 1] [--trial 30]

Two laboratories that play tables with noise (Branin on 41 x 41 points, Hartmann-3 on 15 x 15 x 15), each trial 30 s,
each plan 20 s, each choice from short lists 1 s of virtual time. *waiting*: every plan is made when the last result is
known. *two in flight*: the next plan is made while a trial runs, and knows nothing of its result. *ahead*: short lists
for three results that may come, the best of them by the model that knows the result; by one worker, which has time for
one list in a trial, and by three. Regret is that of the best point tried, without noise, as a part of the distance from
the median point to the best one.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.check import check_campaign
from orchestrator.execution import Settings
from orchestrator.simulate import simulate

LAB = 'labpilot: 1\nname: table\ndevices:\n  robot: {driver: bench, url: "sim:replay/robot"}\n'
CAMPAIGN = """
labpilot: 1
name: NAME
lab: lab.yaml
parameters: [PARAMETERS]
objectives: [{name: y, direction: minimize, unit: "1"}]
recipe: [{perform: {device: robot}}]
analysis: {kind: reading}
planner: {policy: logei, charge: 20 s}
budget: {trials: 30}
replay: {table: table.csv, mode: pool, duration: 30 s}
"""
WAYS: Mapping[str, Sequence[str]] = {
    "waiting": (),
    "two in flight": ("in_flight=2",),
    "ahead, 1 worker": ("planning.ahead=true",),
    "ahead, 3 workers": ("planning.ahead=true", "planning.workers=3"),
}
_A = np.array([[3.0, 10.0, 30.0], [0.1, 10.0, 35.0], [3.0, 10.0, 30.0], [0.1, 10.0, 35.0]])
_P = np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]]) * 1e-4
_ALPHA = np.array([1.0, 1.2, 3.0, 3.2])


def branin(x: np.ndarray) -> np.ndarray:
    """Return Branin's function of points in the unit square, `n x 2`."""
    u, v = 15.0 * x[:, 0] - 5.0, 15.0 * x[:, 1]
    bend = v - 5.1 / (4.0 * np.pi**2) * u**2 + 5.0 / np.pi * u - 6.0
    return bend**2 + 10.0 * (1.0 - 1.0 / (8.0 * np.pi)) * np.cos(u) + 10.0


def hartmann3(x: np.ndarray) -> np.ndarray:
    """Return Hartmann's function of points in the unit cube, `n x 3`."""
    return -np.exp(-np.einsum("ij,nij->ni", _A, (x[:, None, :] - _P) ** 2)) @ _ALPHA


PROBLEMS = {"branin": (branin, 2, 41, 1.0), "hartmann3": (hartmann3, 3, 15, 0.05)}
"""Function, parameters, levels of each, standard deviation of the noise."""


def write(folder: Path, name: str) -> np.ndarray:
    """Write the files of a problem; return its true values, an axis for each parameter."""
    function, d, n, noise = PROBLEMS[name]
    levels = np.linspace(0.0, 1.0, n).round(6)
    points = np.stack(np.meshgrid(*[levels] * d, indexing="ij"), axis=-1).reshape(-1, d)
    truth = function(points)
    seen = truth + noise * np.random.default_rng(0).standard_normal(len(truth))
    names = [f"x{column}" for column in range(d)]
    rows = [
        ",".join([*(f"{value:g}" for value in point), f"{y!r}"]) for point, y in zip(points, seen.tolist(), strict=True)
    ]
    (folder / "table.csv").write_text("\n".join([",".join([*names, "y"]), *rows]) + "\n")
    (folder / "lab.yaml").write_text(LAB)
    axes = ", ".join(f"{{name: {one}, kind: continuous, unit: mm, low: 0, high: 1, count: {n}}}" for one in names)
    (folder / "campaign.yaml").write_text(CAMPAIGN.replace("NAME", name).replace("PARAMETERS", axes))
    return truth.reshape([n] * d)


def run(folder: Path, truth: np.ndarray, overrides: Sequence[str]) -> dict[str, Any]:
    """Simulate one campaign; return what is compared."""
    with tempfile.TemporaryDirectory() as out:
        ready = check_campaign(folder / "campaign.yaml", None, list(overrides)).require()
        result = simulate(ready, Path(out) / "c", Settings(is_virtual=True, fsync=False), score=False)
    n, scale = truth.shape[0] - 1, float(np.median(truth) - truth.min())
    places = [tuple(round(value * n) for value in trial["parameters"].values()) for trial in result["trials"]]
    best = np.minimum.accumulate([float(truth[place]) for place in places])
    ended_s = [trial["finished_s"] for trial in result["trials"]]
    return {
        "regret": ((best - truth.min()) / scale).tolist(),
        "ended_s": ended_s,
        "virtual_s": result["virtual_s"],
        "compute": result["compute"],
    }


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return float(np.median(values))


def told(found: Sequence[Mapping[str, Any]], trials: int, until_s: float) -> str:
    """Return a row of the table."""
    compute = [one["compute"] for one in found]
    after = [[one["regret"][n - 1] for one in found] for n in (trials // 2, trials)]
    # trials end in another order than they were asked for where several are under way
    at = [min((r for r, at_s in zip(one["regret"], one["ended_s"], strict=True) if at_s <= until_s), default=1.0)
          for one in found]  # fmt: skip
    hits, speculated = sum(one["hits"] for one in compute), sum(one["speculated"] for one in compute)
    return (
        f"{median([one['virtual_s'] for one in found]):.0f} | "
        f"{100 * median([one['idle_share'] for one in compute]):.1f} % | "
        f"{median([one['hidden'] for one in compute]):.0%} | {median([one['mean_unseen'] for one in compute]):.2f} | "
        f"{f'{hits} of {speculated}' if speculated else '–'} | "
        + " | ".join(f"{median(one):.4f} ({np.mean(one):.4f})" for one in (*after, at))
    )


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser()
    for name, value in (("seeds", 10), ("trials", 30), ("ask", 20), ("choice", 1), ("trial", 30)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--problems", nargs="+", default=list(PROBLEMS), choices=list(PROBLEMS))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    common = [f"budget.trials={given.trials}", f"planner.charge={given.ask} s", f"replay.duration={given.trial} s"]
    stored: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for name in given.problems:
        with tempfile.TemporaryDirectory() as folder:
            truth = write(Path(folder), name)
            began_s, ways = time.perf_counter(), dict[str, list[dict[str, Any]]]()
            for way, own in WAYS.items():
                charge = [f"planning.charge={given.choice} s"] if "planning.ahead=true" in own else []
                ways[way] = [
                    run(Path(folder), truth, [*common, *own, *charge, f"seed={seed}"]) for seed in range(given.seeds)
                ]
        half_s = 0.5 * given.trials * given.trial
        print(f"\n{name}: {given.seeds} seeds, {given.trials} trials, {time.perf_counter() - began_s:.0f} s\n")
        head = f"regret after {given.trials // 2} trials, median (mean) | after {given.trials} | after {half_s:.0f} s"
        print(f"| way | time, s | idle | hidden | unseen | from lists | {head} |\n|" + "---|" * 9)
        for way, found in ways.items():
            print(f"| {way} | {told(found, given.trials, half_s)} |", flush=True)
        stored[name] = ways
    if given.json is not None:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps({"arguments": vars(given) | {"json": None}, "runs": stored}))


if __name__ == "__main__":
    main()
