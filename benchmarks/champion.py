"""Who should plan: `python benchmarks/champion.py --seeds 3`.

The families and scenarios of `transfer.py`, sources of 50 random points with 5 % noise, 20 trials chosen by the planner
itself. *weights* is the policy `transfer` as it is by default: sources are left alone where the weight of taking
nothing is 0.9. *follows* leaves them alone, besides, while the registry's rule has the cold model for its champion.
*champion* goes by that rule alone. Regret is in units of the candidates' maximum less their median, as there.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from transfer import N_CANDIDATES, N_SOURCE, NOISE
from transfer_families import FAMILIES, SCENARIOS, tasks

from planner import Continuous, Objective, Observation, Planner, SearchSpace
from surrogate.registry.ledger import Forecast, Ledger, Result
from surrogate.registry.rule import COLD, Standing, after

ARMS = ("weights", "follows", "champion")
N_TRIALS = 20
RESULTS = Path(__file__).with_name("results") / "transfer" / "champion.jsonl"

Job = tuple[str, str, str, int]


def main() -> None:
    """Run what was not run, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--arms", nargs="+", default=list(ARMS))
    arguments = parser.parse_args()
    text = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    rows = [json.loads(line) for line in text.splitlines()]
    done = {(row["arm"], row["family"], row["scenario"], row["seed"]) for row in rows}
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    jobs = [
        (arm, family.name, scenario, seed)
        for seed in seeds
        for family in FAMILIES
        for scenario in SCENARIOS
        for arm in arguments.arms
    ]
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
        for arm in ARMS:  # *weights* first: where nobody took over, *follows* is the same campaign
            waiting = [job for job in jobs if job[0] == arm and job not in done]
            same = [row for job in waiting if arm == "follows" and (row := _unchanged(job, rows))]
            for row in same:
                _keep(row | {"arm": arm}, rows)
            kept = {(arm, row["family"], row["scenario"], row["seed"]) for row in same}
            for row in pool.map(run, [job for job in waiting if job not in kept]):
                _keep(row, rows)
    report([row for row in rows if row["seed"] in seeds])


def _keep(row: dict, rows: list[dict]) -> None:
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    rows.append(row)


def _unchanged(job: Job, rows: list[dict]) -> dict | None:
    """Return the campaign by weights, where the cold model never led in it."""
    for row in rows:
        if (row["arm"], row["family"], row["scenario"], row["seed"]) == ("weights", *job[1:]):
            return None if any(model == COLD for _, model in row["changes"]) else row
    return None


def run(job: Job) -> dict:
    """Run one campaign."""
    arm, name, scenario, seed = job
    family = next(one for one in FAMILIES if one.name == name)
    target, sources = tasks(family, scenario, seed)
    rng = np.random.default_rng([seed, 7])
    names = [f"x{number}" for number in range(family.d)]
    tables = []
    for number, source in enumerate(sources):
        X = rng.random((N_SOURCE, family.d))
        values = source(X)
        values = values + NOISE * values.std() * rng.standard_normal(len(X))
        points = [dict(zip(names, row, strict=True)) for row in X.tolist()]
        tables.append({"name": f"s{number}", "points": points, "values": values.tolist(), "unit": "1"})
    truth = target(rng.random((N_CANDIDATES, family.d)))
    noise = NOISE * float(truth.std())
    space = SearchSpace([Continuous(one, 0.0, 1.0) for one in names])
    planner = Planner(
        space, [Objective("y", "maximize", unit="1")], seed=seed, policy="transfer", options={"sources": tables}
    )
    ledger, standing, best, regret = Ledger(), Standing(champion="transfer"), -np.inf, list[float]()
    for trial in range(1, N_TRIALS + 1):
        if arm == "champion" or (arm == "follows" and standing.champion == COLD):
            planner.plan_with(standing.champion)
        elif arm == "follows":
            planner.plan_with(None)
        proposal = planner.ask()[0]
        for model, told in planner.forecasts([proposal.parameters]).items():
            mean, sd = float(told["y"].mean[0]), float(told["y"].sd[0])
            ledger.add(Forecast(trial=trial, target="y", model=model, version=f"{model}-1", mean=mean, sd=sd))
        true = float(target(np.array([[proposal.parameters[one] for one in names]], dtype=float))[0])
        value = true + noise * float(rng.standard_normal())
        planner.tell([Observation(parameters=proposal.parameters, proposal_id=proposal.id, values={"y": value})])
        scored = ledger.add(Result(trial=trial, target="y", value=value))
        standing = standing if scored is None else after(standing, scored)
        best = max(best, true)
        regret.append(float((truth.max() - best) / (truth.max() - np.median(truth))))
    return {
        "arm": arm,
        "family": name,
        "scenario": scenario,
        "seed": seed,
        "regret": regret,
        "changes": [[one.after, one.model] for one in standing.changes],
    }


def report(rows: list[dict]) -> None:
    """Print mean regret over all trials, and after the last, by scenario."""
    print(
        "| scenario | rule | mean regret over 20 trials | after 10 | after 20 | campaigns in which another took over |"
    )
    print("|---|---|---|---|---|---|")
    for scenario in SCENARIOS:
        for arm in ARMS:
            mine = [row for row in rows if row["arm"] == arm and row["scenario"] == scenario]
            if mine:
                found = np.array([row["regret"] for row in mine])
                changed = sum(bool(row["changes"]) for row in mine)
                print(
                    f"| {scenario} | {arm} | {found.mean():.3f} | {found[:, 9].mean():.3f} | {found[:, -1].mean():.3f} "
                    f"| {changed} of {len(mine)} |"
                )


if __name__ == "__main__":
    main()
