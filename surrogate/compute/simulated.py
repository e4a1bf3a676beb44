"""A pool in virtual time: jobs are done at once, and charged to the clock by a recorded cost model.

The queue and its policy are those of real processes. Each job's duration is drawn by its ticket and the seed alone, so
that two policies are compared on the same durations. A job whose kind the model has not seen is charged what it
expects, or else what it took here, which no other run repeats.
"""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np

from surrogate.compute.costs import CostModel
from surrogate.compute.events import Broke, Done, GpuFound, Sliced, WorkerDown, WorkerUp, Yielded
from surrogate.compute.jobs import Device
from surrogate.compute.plain import Plain, packed, unpacked
from surrogate.compute.pool import Inbox, Work


@dataclass(slots=True, kw_only=True)
class _Run:
    """What was computed for a job, and how much of its time is charged."""

    result: bytes
    error: str
    total_s: float
    charged_s: float = 0.0
    kept_s: float = 0.0


_Key = tuple[int, str, int, Device]
"""Ticket, function, arguments (an alternative may have the same function) and device."""


def _key(work: Work, device: Device) -> _Key:
    return work.ticket, work.job.function, hash(work.arguments), device


@dataclass(slots=True, kw_only=True)
class _Place:
    device: Device
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class SimulatedPool:
    """Workers in virtual time.

    Args:
        workers: On the CPU.
        costs: What jobs are charged by.
        seed: Of the durations.
        gpu_bytes: Memory of the GPU; 0: there is none.
        restart_s: What a new worker takes in the place of one that was killed.
        is_dry: Whether jobs are only charged, not done; their results are then None.
        step_s: How long a job of steps takes from one checkpoint to the next; it leaves at such an instant.
    """

    def __init__(
        self,
        *,
        workers: int,
        costs: CostModel,
        seed: int,
        gpu_bytes: int = 0,
        restart_s: float = 0.5,
        is_dry: bool = False,
        step_s: float = 0.1,
    ) -> None:
        self._n, self._costs, self._seed = workers, costs, seed
        self._gpu_bytes, self._restart_s, self._step_s = gpu_bytes, restart_s, step_s
        self._is_dry = is_dry
        self._numbers = count(1)
        self._places: dict[int, _Place] = {}
        self._runs: dict[_Key, _Run] = {}
        """What is under way, by the job on its device."""

    async def run(self, inbox: Inbox, now_s: Callable[[], float]) -> None:
        """Be there until cancelled."""
        self._inbox, self._now_s = inbox, now_s
        async with asyncio.TaskGroup() as group:
            self._group = group
            for _ in range(self._n):
                self._up("cpu")
            await asyncio.get_running_loop().create_future()

    def want_gpu(self) -> None:
        """Tell of the GPU, or that there is none."""
        if not any(place.device == "gpu" for place in self._places.values()):
            self._group.create_task(self._found_gpu())

    async def _found_gpu(self) -> None:
        reason = "simulated" if self._gpu_bytes else "none is simulated"
        self._inbox(GpuFound(at_s=self._now_s(), memory_bytes=self._gpu_bytes, reason=reason), b"")
        if self._gpu_bytes:
            self._up("gpu")

    def _up(self, device: Device) -> None:
        number = next(self._numbers)
        self._places[number] = _Place(device=device)
        self._inbox(WorkerUp(at_s=self._now_s(), worker=number, device=device), b"")

    def start(self, worker: int, work: Work) -> None:
        """Compute the result now and give it when its time is over."""
        place = self._places[worker]
        place.asked.clear()
        place.task = self._group.create_task(self._charged(worker, place, work))

    def ask_yield(self, worker: int) -> None:
        """Let the job of a worker leave at the end of its step."""
        self._places[worker].asked.set()

    def kill(self, worker: int, reason: str) -> None:
        """End a worker; a new one follows."""
        place = self._places.pop(worker)
        if place.task is not None:
            place.task.cancel()
        self._group.create_task(self._replaced(worker, place.device, reason))

    async def _replaced(self, worker: int, device: Device, reason: str) -> None:
        self._inbox(WorkerDown(at_s=self._now_s(), worker=worker, reason=reason), b"")
        await asyncio.sleep(self._restart_s)
        self._up(device)

    async def _charged(self, worker: int, place: _Place, work: Work) -> None:
        run = self._computed(work, place.device)
        run.charged_s = run.kept_s
        told: dict[str, Any] = {"worker": worker, "ticket": work.ticket}
        slice_s = work.job.slice_s if work.job.steps else run.total_s
        while (left_s := run.total_s - run.charged_s) > 0:
            took_s = await self._passed(place, min(slice_s, left_s), is_asked_for=work.job.steps)
            run.charged_s += took_s
            if took_s >= left_s:
                break
            run.kept_s = run.charged_s
            if place.asked.is_set():
                self._inbox(Yielded(at_s=self._now_s(), **told, slice_s=took_s), b"\0")
                return
            self._inbox(Sliced(at_s=self._now_s(), **told, slice_s=took_s), b"\0")
        if run.error:
            self._inbox(Broke(at_s=self._now_s(), **told, why="raised", reason=run.error), b"")
        else:
            del self._runs[_key(work, place.device)]
            self._inbox(Done(at_s=self._now_s(), **told), run.result)

    async def _passed(self, place: _Place, seconds: float, *, is_asked_for: bool) -> float:
        """Let time pass, less of it where the job is asked to leave; return how much did."""
        began_s = self._now_s()
        try:
            async with asyncio.timeout(seconds):
                await (place.asked.wait() if is_asked_for else asyncio.sleep(seconds))
        except TimeoutError:
            return seconds
        passed_s = self._now_s() - began_s
        to_step_s = min(self._step_s - passed_s % self._step_s, seconds - passed_s)
        await asyncio.sleep(to_step_s)
        return passed_s + to_step_s

    def _computed(self, work: Work, device: Device) -> _Run:
        """Return what a job comes to; computed once, since a checkpoint leads to the same."""
        key = _key(work, device)
        if key not in self._runs:
            began_s = time.perf_counter()
            result, error = (packed(None), "") if self._is_dry else _result_of(work)
            measured_s = time.perf_counter() - began_s
            rng = np.random.default_rng([self._seed, work.ticket])
            drawn_s = self._costs.draw(work.job, device, rng)
            expected_s = measured_s if work.job.expected_s is None else work.job.expected_s
            self._runs[key] = _Run(result=result, error=error, total_s=expected_s if drawn_s is None else drawn_s)
        return self._runs[key]


def _result_of(work: Work) -> tuple[bytes, str]:
    given = unpacked(work.arguments)
    module, name = work.job.function.split(":")
    try:
        function = getattr(importlib.import_module(module), name)
        if not work.job.steps:
            return packed(function(**given)), ""
        return packed(_to_the_end(function(**given, checkpoint=unpacked(work.checkpoint)))), ""
    except Exception as error:  # noqa: BLE001 - the supervisor of jobs, which may raise anything
        return b"", f"{type(error).__name__}: {error}"


def _to_the_end(steps: Any) -> Plain:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
