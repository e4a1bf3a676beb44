"""How much instruments wait for plans: `python benchmarks/idle_time.py virtual`, and `... soak --minutes 10`.

*virtual*: two traces in virtual time under four policies, charged by a cost model whose hash is printed. a: one
instrument, 300 runs of 30 s, analysis 2 s, plan 3 s, refit 12 s every 5 results, retraining 120 s every 60. b: four
furnaces, ten cycles of 8 h with 8 samples each, analysis 60 s a sample, plan 10 min, refit 20 min every result,
retraining 1 h every 8. *soak*: real jobs in a real process, and the same again in virtual time, charged by the
durations that were recorded meanwhile. Rows are kept in benchmarks/results/idle_time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path

import idle_jobs
import numpy as np
from idle_lab import POLICIES, Lab, Life, Policy, Trace

from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from surrogate.compute import ComputeQueue, CostModel, Job, JobClass, ProcessPool, Rules, SimulatedPool

RESULTS = Path(__file__).parent / "results" / "idle_time"
SPREAD = 0.15
"""Of the logarithm of a job's duration, where no recorded ones are used."""
TARGETS = {"idle": 0.01, "hidden": 0.95, "efficiency": 0.98}
AGREE = 0.05
SOAKS: tuple[tuple[Policy, float, float, float], ...] = (
    ("edf", 6.0, 6.0, 0.5),
    ("block", 6.0, 8.2, 0.25),
    ("edf", 1.0, 1.7, 0.25),
)
"""Policy, median of a run, what it takes with its compute, and part of the time: compute is short in the last."""


def _jobs(analyse_s: float, plan_s: float, refit_s: float, retrain_s: float, slice_s: float) -> dict[str, Job]:
    plain, steps = "idle_jobs:plan", "idle_jobs:fit"
    more = {"slice_s": slice_s, "silence_s": 1000 * slice_s, "steps": True, "timeout_s": 1e6}
    return {
        "analyse": Job(job_class=JobClass.ANALYSE, function="idle_jobs:analyse", expected_s=analyse_s),
        "plan": Job(job_class=JobClass.PLAN, function=plain, expected_s=plan_s),
        "refit": Job(job_class=JobClass.REFIT, function=steps, expected_s=refit_s, **more),
        "retrain": Job(job_class=JobClass.RETRAIN, function=steps, expected_s=retrain_s, **more),
    }


TRACES = {
    "a": Trace(
        name="a", stations=1, runs=300, cycle_s=30.0, spread=0.1, samples=1, sample_every_s=0.0, tail_s=3.0, fails=0.03,
        jam_s=10.0, refit_every=5, retrain_every=60, jobs=_jobs(2.0, 3.0, 12.0, 120.0, 1.0),
    ),
    "b": Trace(
        name="b", stations=4, runs=10, cycle_s=28800.0, spread=0.1, samples=8, sample_every_s=900.0, tail_s=900.0,
        fails=0.03, jam_s=3600.0, refit_every=1, retrain_every=8, jobs=_jobs(60.0, 600.0, 1200.0, 3600.0, 5.0),
    ),
}  # fmt: skip


def assumed_costs(trace: Trace) -> CostModel:
    """Return a cost model of log-normal durations about what the jobs expect."""
    rng, costs = np.random.default_rng(0), CostModel()
    of_plan = trace.jobs["plan"]
    guess = Job(job_class=JobClass.SPECULATE, function=of_plan.function, expected_s=of_plan.expected_s)
    for job in (*trace.jobs.values(), guess):
        for _ in range(200):
            costs = costs.learned(job, "cpu", (job.expected_s or 0.0) * float(np.exp(SPREAD * rng.standard_normal())))
    return costs


def rules_of(trace: Trace, policy: Policy) -> Rules:
    """Return first come, first served for the policies that know no better."""
    is_edf = policy.startswith("edf")
    return Rules(
        discipline="edf" if is_edf else "fifo", s_max=max(1, trace.stations - 1) if is_edf else None,
        load_window_s=20 * trace.cycle_s / trace.stations,
    )  # fmt: skip


def virtual(trace: Trace, policy: Policy, seed: int, costs: CostModel) -> Life:
    """Live through a trace in virtual time."""
    loop = VirtualLoop()
    clock = VirtualClock(loop)

    async def life() -> Life:
        pool = SimulatedPool(workers=1, costs=costs, seed=seed, is_dry=True)
        async with ComputeQueue(pool, rules=rules_of(trace, policy), costs=costs, clock=clock) as queue:
            return await Lab(trace, policy, seed, queue, clock.now_s).run()

    return run_virtual(life(), loop=loop)


def row_of(trace: Trace, policy: Policy, seed: int, life: Life, costs: CostModel) -> dict:
    """Return what is kept of a life."""
    return {
        "trace": trace.name, "policy": policy, "seed": seed, "makespan_s": life.makespan_s, "bound_s": life.bound_s,
        "efficiency": life.efficiency, "idle": life.idle, "costs": costs.sha256, **life.metrics.as_json(),
    }  # fmt: skip


def table(rows: list[dict]) -> str:
    """Return rows by trace and policy, as means over seeds."""
    lines = [
        "| trace | policy | makespan, s | bound, s | efficiency | idle for plans | hidden | unseen | fallen back |"
        " compute, s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for key in dict.fromkeys((row["trace"], row["policy"]) for row in rows):
        of = [row for row in rows if (row["trace"], row["policy"]) == key]
        mean = {name: float(np.mean([row[name] for row in of])) for name in of[0] if isinstance(of[0][name], float)}
        lines.append(
            f"| {key[0]} | {key[1]} | {mean['makespan_s']:.0f} | {mean['bound_s']:.0f} | {mean['efficiency']:.4f} |"
            f" {100 * mean['idle']:.2f} % | {100 * mean['hidden']:.1f} % | {mean['mean_staleness']:.2f} |"
            f" {_sum(of, 'fallbacks')} of {_sum(of, 'staleness')} |"
            f" {mean['busy_s']:.0f} |"
        )
    return "\n".join(lines)


def _sum(rows: list[dict], counts: str) -> int:
    return sum(sum(row[counts].values()) for row in rows)


def missed(rows: list[dict]) -> list[str]:
    """Return which targets the policies with deadlines miss, as means over seeds."""
    found = []
    for trace, policy in dict.fromkeys((row["trace"], row["policy"]) for row in rows):
        of = [row for row in rows if (row["trace"], row["policy"]) == (trace, policy)]
        if not policy.startswith("edf"):
            continue
        for name, target in TARGETS.items():
            mean = float(np.mean([row[name] for row in of]))
            if (mean > target) if name == "idle" else (mean < target):
                found.append(f"{trace} {policy}: {name} {mean:.4f}, target {target}")
    return found


def soak_trace(runs: int, cycle_s: float, each: dict[str, float]) -> Trace:
    """Return a trace of real jobs that hold seconds on this machine."""
    lengths = {"analyse": 0.4, "plan": 0.6, "refit": 2.0, "retrain": 12.0}
    jobs = _jobs(**{f"{name}_s": seconds for name, seconds in lengths.items()}, slice_s=0.2)
    counts = {
        "analyse": {"n_fits": max(1, round(lengths["analyse"] / each["analyse"]))},
        "plan": {"n_rounds": max(1, round(lengths["plan"] / each["plan"]))},
        "refit": {"n_evaluations": max(1, round(lengths["refit"] / each["fit"]))},
        "retrain": {"n_evaluations": max(1, round(lengths["retrain"] / each["fit"]))},
    }
    given = {name: replace(job, arguments=counts[name]) for name, job in jobs.items()}
    return Trace(
        name=f"{cycle_s:g} s", stations=1, runs=runs, cycle_s=cycle_s, spread=0.1, samples=1, sample_every_s=0.0,
        tail_s=0.13 * cycle_s, fails=0.03, jam_s=2.0, refit_every=5, retrain_every=25, jobs=given,
    )  # fmt: skip


async def wall(trace: Trace, policy: Policy, seed: int, costs: CostModel) -> tuple[Life, CostModel]:
    """Live through a trace in wall time, with a real process."""
    pool = ProcessPool(workers=1, preload=("idle_jobs",), gpu=False)
    async with ComputeQueue(pool, rules=rules_of(trace, policy), costs=costs) as queue:
        await queue.submit(Job(job_class=JobClass.UPDATE, function="idle_jobs:data", arguments={"n": 2})).outcome(
            within_s=120.0
        )
        return await Lab(trace, policy, seed, queue, time.monotonic).run(), queue.costs


def soak(minutes: float, seed: int = 0) -> list[dict]:
    """Live in wall time, then in virtual time by the durations that were recorded; return rows of both."""
    each = idle_jobs.seconds_each()
    costs, walls = CostModel(), []
    for policy, cycle_s, takes_s, share in SOAKS:
        trace = soak_trace(max(3, round(share * minutes * 60 / takes_s)), cycle_s, each)
        life, costs = asyncio.run(wall(trace, policy, seed, costs))
        walls.append((trace, policy, life))
    rows = []
    for trace, policy, life in walls:
        virtual_s = virtual(trace, policy, seed, costs).makespan_s
        row = row_of(trace, policy, seed, life, costs)
        rows.append(row | {"virtual_s": virtual_s, "off": virtual_s / life.makespan_s - 1.0})
    RESULTS.mkdir(parents=True, exist_ok=True)
    costs.save(RESULTS / "soak_costs.json")
    return rows


def main() -> None:
    """Run in virtual time, or soak."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("virtual", "soak"))
    parser.add_argument("--traces", nargs="+", default=list(TRACES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=10.0)
    arguments = parser.parse_args()
    if arguments.action == "soak":
        rows = soak(arguments.minutes)
        for row in rows:
            print(
                f"{row['policy']}, runs of {row['trace']}: wall {row['makespan_s']:.2f} s,"
                f" virtual {row['virtual_s']:.2f} s, off by {100 * row['off']:+.2f} % (at most {100 * AGREE:g} %);"
                f" idle {100 * row['idle']:.2f} %, hidden {100 * row['hidden']:.1f} %,"
                f" efficiency {row['efficiency']:.4f}, costs {row['costs'][:12]};"
                f" fallbacks: {row['fallbacks'] or 'none'}"
            )
        problems = [f"{row['policy']}, {row['trace']}" for row in rows if abs(row["off"]) > AGREE]
    else:
        rows = []
        for name in arguments.traces:
            costs = assumed_costs(TRACES[name])
            print(f"trace {name}: costs {costs.sha256[:12]}")
            for policy in POLICIES:
                lives = ((seed, virtual(TRACES[name], policy, seed, costs)) for seed in range(arguments.seeds))
                rows.extend(row_of(TRACES[name], policy, seed, life, costs) for seed, life in lives)
        print(table(rows))
        problems = missed(rows)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{arguments.action}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    print("targets: " + ("all met" if not problems else "missed: " + "; ".join(problems)))
    raise SystemExit(bool(problems))


if __name__ == "__main__":
    main()
