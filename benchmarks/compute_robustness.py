"""What accidents do to results of the compute queue: `python benchmarks/compute_robustness.py --points 50`.

A job of steps (Gaussian process hyperparameters by gradient, 60 steps) runs in a real process, beside jobs that take
lists and give sums. Each accident happens at a random instant of that job's life: its process is killed or stopped, or
the job itself takes all its memory, raises, exits, or sleeps for ever at a random step. Every result must be that of
the same job without accident, to the last digit, and no job may be lost. Rows are kept in
benchmarks/results/compute_robustness.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import tempfile
import time
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import idle_jobs
import numpy as np

from surrogate.compute import ComputeQueue, Job, JobClass, Outcome, ProcessPool

RESULTS = Path(__file__).parent / "results" / "compute_robustness.json"
STEPS, STEP_S = 60, 0.01
KINDS = ("kill", "stop", "memory", "raise", "exit", "hang")
FROM_OUTSIDE = ("kill", "stop")
SIDE_JOBS = 5
WITHIN_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Accident:
    """What happened at one point."""

    kind: str
    at: float
    """Part of the job's steps."""
    is_right: bool
    is_side_right: bool
    attempts: int
    seconds: float


def fragile(kind: str, at_step: int, mark: str, checkpoint: dict | None = None) -> Generator[dict, None, dict]:
    """Do what `idle_jobs.fit` does, and suffer an accident once, at a step."""
    for state in (steps := _Returning(idle_jobs.fit(STEPS, checkpoint))):
        time.sleep(STEP_S)
        if state["i"] == at_step and _is_first(mark):
            _suffer(kind)
        yield state
    return steps.value


class _Returning:
    """Iterates over a generator and keeps what it returns."""

    def __init__(self, steps: Generator[dict, None, dict]) -> None:
        self._steps = steps
        self.value: dict = {}

    def __iter__(self) -> Generator[dict, None, None]:
        self.value = yield from self._steps


def _is_first(mark: str) -> bool:
    with suppress(FileExistsError):
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
        return True
    return False


def _suffer(kind: str) -> None:
    if kind == "memory":
        hoard = []
        while True:
            hoard.append(np.ones(2**24))
    if kind == "raise":
        raise ArithmeticError("an accident")
    if kind == "exit":
        os._exit(7)
    if kind == "hang":
        time.sleep(1e6)


def add(values: np.ndarray) -> float:
    """Return a sum."""
    return float(values.sum())


def _sum_of(values: np.ndarray) -> Job:
    return Job(job_class=JobClass.UPDATE, function="compute_robustness:add", arguments={"values": values})


async def at_point(
    kind: str, rng: np.random.Generator, expected: dict, queue: ComputeQueue, pool: ProcessPool
) -> Accident:
    """Let one accident happen, and look at what comes back."""
    at = float(rng.random())
    step = STEPS + 9 if kind in FROM_OUTSIDE else 1 + int(at * (STEPS - 1))
    with tempfile.TemporaryDirectory() as directory:
        job = Job(
            job_class=JobClass.RETRAIN, function="compute_robustness:fragile", steps=True, slice_s=0.1, silence_s=2.0,
            arguments={"kind": kind, "at_step": step, "mark": f"{directory}/mark"}, memory_bytes=2**28,
        )  # fmt: skip
        began_s = time.monotonic()
        ticket = queue.submit(job)
        values = [rng.random(100) for _ in range(SIDE_JOBS)]
        beside = [queue.submit(_sum_of(one)) for one in values]
        if kind in FROM_OUTSIDE:
            await _struck(kind, at, ticket.number, queue, pool)
        outcome = await ticket.outcome(within_s=WITHIN_S)
        sums = [await one.value(within_s=WITHIN_S) for one in beside]
    return Accident(
        kind=kind, at=at, is_right=_is_right(outcome, expected), attempts=outcome.attempts,
        is_side_right=sums == [float(one.sum()) for one in values], seconds=time.monotonic() - began_s,
    )  # fmt: skip


async def _struck(kind: str, at: float, ticket: int, queue: ComputeQueue, pool: ProcessPool) -> None:
    """Strike the process that has the job, some time after it began."""
    async with asyncio.timeout(WITHIN_S):
        while (worker := queue.state.entries[ticket].worker) is None:
            await asyncio.sleep(0.001)
    await asyncio.sleep(at * STEPS * STEP_S * 1.2)
    entry = queue.state.entries.get(ticket)
    worker = worker if entry is None or entry.worker is None else entry.worker
    with suppress(ProcessLookupError, KeyError):  # it has just been replaced
        os.kill(pool.pids[worker], signal.SIGKILL if kind == "kill" else signal.SIGSTOP)


def _is_right(outcome: Outcome, expected: dict) -> bool:
    if outcome.status != "done":
        return False
    return bool((outcome.value["theta"] == expected["theta"]).all() and outcome.value["value"] == expected["value"])


async def run(points: int, kinds: tuple[str, ...] = KINDS, seed: int = 0) -> list[Accident]:
    """Let all accidents happen, one after another, to one queue."""
    rng, found = np.random.default_rng(seed), []
    whole = _Returning(idle_jobs.fit(STEPS))
    list(whole)
    pool = ProcessPool(workers=1, preload=("compute_robustness",), gpu=False, slack_bytes=2**27)
    async with ComputeQueue(pool) as queue:
        for kind in kinds:
            found.extend([await at_point(kind, rng, whole.value, queue, pool) for _ in range(points)])
    return found


def table(found: list[Accident]) -> str:
    """Return a row per kind of accident."""
    lines = ["| accident | points | right results | right beside | attempts, mean | seconds, median and most |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for kind in dict.fromkeys(one.kind for one in found):
        of = [one for one in found if one.kind == kind]
        seconds = [one.seconds for one in of]
        lines.append(
            f"| {kind} | {len(of)} | {sum(one.is_right for one in of)} | {sum(one.is_side_right for one in of)} |"
            f" {np.mean([one.attempts for one in of]):.2f} | {np.median(seconds):.2f}, {max(seconds):.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run, and say whether every result is right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=50)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    arguments = parser.parse_args()
    found = asyncio.run(run(arguments.points, tuple(arguments.kinds)))
    print(table(found))
    RESULTS.write_text(
        json.dumps([{name: getattr(one, name) for name in Accident.__slots__} for one in found], indent=0) + "\n"
    )
    raise SystemExit(not all(one.is_right and one.is_side_right for one in found))


if __name__ == "__main__":
    main()
