"""A laboratory that only takes time: stations that run, and the computing work that follows; for `idle_time.py`.

The same code runs in wall time and in virtual time, against `surrogate.compute.ComputeQueue` in both.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from surrogate.compute import ComputeQueue, Job, JobClass, Metrics, Outcome, StalePlan, Ticket, plan_ladder

Policy = Literal["block", "async", "edf", "edf+spec"]
POLICIES: tuple[Policy, ...] = ("block", "async", "edf", "edf+spec")

LONGEST_S = 30 * 86400.0
BRANCHES, HIT = 3, 0.93
"""Outcomes on which there is speculation, and how often one of them comes true (three branches, top five kept)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What a laboratory does, in seconds."""

    name: str
    stations: int
    runs: int
    """Of each station."""
    cycle_s: float
    """Median of a run."""
    spread: float
    """Standard deviation of its logarithm."""
    samples: int
    sample_every_s: float
    tail_s: float
    """From the last sample's data until the station is free."""
    fails: float
    """Part of the runs that bring nothing, after a part of their time and a jam."""
    jam_s: float
    refit_every: int
    retrain_every: int
    jobs: dict[str, Job]
    """analyse, plan, refit, retrain"""

    def run_s(self, seed: int, station: int, number: int) -> tuple[float, bool]:
        """Return how long a run takes and whether it brings data; the same for all policies."""
        rng = np.random.default_rng([seed, station, number])
        seconds = self.cycle_s * math.exp(self.spread * rng.standard_normal())
        at_least_s = self.tail_s + self.samples * self.sample_every_s
        if rng.random() < self.fails:
            return rng.random() * seconds + self.jam_s, False
        return max(seconds, at_least_s + 0.1), True

    def early_s(self) -> float:
        """Return the time that only one of twenty runs that go well stays below."""
        return self.cycle_s * math.exp(-1.645 * self.spread)

    def bound_s(self, seed: int) -> float:
        """Return what no policy can beat: the most that one station has to do."""
        totals = (sum(self.run_s(seed, s, n)[0] for n in range(self.runs)) for s in range(self.stations))
        return max(totals)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What came of a trace."""

    makespan_s: float
    bound_s: float
    metrics: Metrics
    n_stations: int

    @property
    def efficiency(self) -> float:
        """Return the bound over the makespan."""
        return self.bound_s / self.makespan_s

    @property
    def idle(self) -> float:
        """Return the part of the stations' time for which they waited for plans."""
        return sum(self.metrics.idle_s.values()) / (self.n_stations * self.makespan_s)


class Lab:
    """Stations under a policy."""

    def __init__(
        self, trace: Trace, policy: Policy, seed: int, queue: ComputeQueue, now_s: Callable[[], float]
    ) -> None:
        self._trace, self._policy, self._seed, self._queue, self._now_s = trace, policy, seed, queue, now_s
        self._fresh: dict[int, int] = {}
        """Station -> what the plan knows that a speculation has ready."""
        self._spare: dict[int, int] = {}
        """Station -> what the plan knows that was made as its run began."""
        self._chance = np.random.default_rng([seed, 99])

    async def run(self) -> Life:
        """Let all stations do all their runs."""
        began_s = self._now_s()
        async with asyncio.TaskGroup() as group:
            self._group = group
            stations = [group.create_task(self._station(number)) for number in range(self._trace.stations)]
            await asyncio.wait(stations, timeout=LONGEST_S)
            makespan_s = self._now_s() - began_s
        return Life(
            makespan_s=makespan_s, bound_s=self._trace.bound_s(self._seed), metrics=self._queue.metrics,
            n_stations=self._trace.stations,
        )  # fmt: skip

    async def _station(self, number: int) -> None:
        trace, name = self._trace, f"station {number}"
        plan: asyncio.Task[int] | None = None
        for run in range(trace.runs):
            self._queue.instrument_free(name)
            await self._planned(plan)
            self._queue.instrument_taken(name)
            run_s, has_data = trace.run_s(self._seed, number, run)
            is_last = run == trace.runs - 1
            guesses = self._speculate() if self._policy == "edf+spec" and not is_last else []
            if self._policy != "block" and not is_last:
                plan = self._group.create_task(self._ahead(number))
            await self._through(number, run_s, has_data, guesses)
            if self._policy == "block" and not is_last:
                self._queue.instrument_free(name)
                await self._background(is_waited_for=True)
                plan = self._group.create_task(self._fresh_plan(math.inf, spare=None))
            elif plan is not None:
                plan = self._best_of(plan, number)

    def _best_of(self, plan: asyncio.Task[int], number: int) -> asyncio.Task[int]:
        """Return what a speculation has ready, else the plan; the spare one where the run has ended before that."""
        ready, spare = self._fresh.pop(number, None), self._spare.pop(number, None)
        s_max = self._queue.state.rules.s_max
        if ready is None and spare is not None and not plan.done():
            is_fresh = s_max is None or self._queue.n_results - spare <= s_max
            ready = spare if is_fresh else None
        if ready is None:
            return plan
        plan.cancel()
        return self._group.create_task(_known(ready))

    async def _planned(self, plan: asyncio.Task[int] | None) -> None:
        """Wait for a plan and use it; the first one needs no data, and one that is too old is made anew."""
        if plan is None:
            return
        try:
            self._queue.use_plan(await plan)
        except StalePlan:
            self._queue.use_plan(await self._fresh_plan(math.inf, spare=None))

    async def _through(self, number: int, run_s: float, has_data: bool, guesses: list[Ticket]) -> None:
        """Let a run pass; its samples are analysed as they come, all of them after it where the policy blocks."""
        trace = self._trace
        if not has_data:
            await asyncio.sleep(run_s)
            self._forget(guesses)
            return
        measuring_s = trace.tail_s + (trace.samples - 1) * trace.sample_every_s
        await asyncio.sleep(run_s - measuring_s)
        if self._policy == "block":
            await asyncio.sleep(measuring_s)
            self._queue.instrument_free(f"station {number}")
            for _ in range(trace.samples):
                await self._done("analyse")
            self._queue.result_came()
            return
        self._group.create_task(self._analysed(number, guesses))
        await asyncio.sleep(measuring_s)

    async def _analysed(self, number: int, guesses: list[Ticket]) -> None:
        for sample in range(self._trace.samples):
            await asyncio.sleep(self._trace.sample_every_s if sample else 0.0)
            await self._done("analyse", deadline_s=self._now_s() + self._trace.tail_s)
        self._queue.result_came()
        if guesses:
            are_ready = any(one.ended.done() and one.ended.result().status == "done" for one in guesses)
            is_hit = self._chance.random() < HIT and are_ready
            self._queue.speculation(is_hit=is_hit)
            if is_hit:
                self._fresh[number] = self._queue.n_results
            self._forget(guesses)
        await self._background(is_waited_for=False)

    async def _background(self, *, is_waited_for: bool) -> None:
        for kind, every in (("refit", self._trace.refit_every), ("retrain", self._trace.retrain_every)):
            if self._queue.n_results and self._queue.n_results % every == 0:
                ticket = self._queue.submit(self._job(kind))
                if is_waited_for:
                    await ticket.outcome(within_s=LONGEST_S)

    async def _ahead(self, number: int) -> int:
        """Plan the next run during this one, anew as soon as that would be too old, and shortly before its end."""
        due_s = self._now_s() + self._trace.early_s()
        seen = await self._fresh_plan(due_s, spare=None)
        if self._policy == "async":
            return seen
        takes_s = self._queue.costs.estimate(self._job("plan"), "cpu", 0.95)
        s_max = self._queue.state.rules.s_max or 0
        while (left_s := due_s - 3.0 * takes_s - self._now_s()) > 0:
            self._spare[number] = seen
            await asyncio.sleep(min(takes_s, left_s))
            if self._queue.n_results - seen >= s_max > 0:
                seen = await self._fresh_plan(due_s, spare=seen)
        self._spare[number] = seen
        return seen if seen == self._queue.n_results else await self._fresh_plan(due_s, spare=seen)

    async def _fresh_plan(self, due_s: float, spare: int | None) -> int:
        """Return how many results the plan knows."""
        seen = self._queue.n_results
        job = replace(self._job("plan"), deadline_s=due_s)
        if self._policy.startswith("edf"):
            stale = None if spare is None else (spare, spare)
            job = plan_ladder(replace(job, seen=seen), rescore=None, stale=stale, space_filling=None)
        outcome = await self._outcome(job)
        # a point that fills space knows nothing and cannot be stale
        return {job.label: seen, "stale plan": outcome.value}.get(outcome.rung, self._queue.n_results)

    def _speculate(self) -> list[Ticket]:
        return [self._queue.submit(self._job("speculate")) for _ in range(BRANCHES)]

    def _forget(self, guesses: list[Ticket]) -> None:
        for one in guesses:
            one.cancel()

    def _job(self, kind: str) -> Job:
        if kind == "speculate":
            return replace(self._trace.jobs["plan"], job_class=JobClass.SPECULATE, killable=True, seen=None)
        job = self._trace.jobs[kind]
        is_stepped = self._policy.startswith("edf") or not job.steps
        return job if is_stepped else replace(job, slice_s=job.silence_s / 2)

    async def _done(self, kind: str, **changes: Any) -> None:
        await self._outcome(replace(self._job(kind), **changes))

    async def _outcome(self, job: Job) -> Outcome:
        ticket = self._queue.submit(job)
        try:
            return await ticket.outcome(within_s=LONGEST_S)
        except asyncio.CancelledError:
            ticket.cancel()
            raise


async def _known(seen: int) -> int:
    return seen
