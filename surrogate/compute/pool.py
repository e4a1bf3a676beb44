"""Pools run the jobs: `ProcessPool` in processes, `surrogate.compute.simulated` likewise in virtual time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

from surrogate.compute.events import Broke, Event, GpuFound, Overgrown, Sliced, WorkerDown, WorkerUp
from surrogate.compute.heard import overgrown_words, told_event, worn_words
from surrogate.compute.jobs import MIB, Device, Job
from surrogate.compute.process import WorkerLost, WorkerProcess

log = logging.getLogger(__name__)

Inbox = Callable[[Event, bytes], None]
"""Takes an event and what comes with it: a result, or a checkpoint."""

WATCH_S = 0.2
"""How often is looked at what processes hold."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 30.0
"""Between starts of processes that fail."""
_GPU_STARTS = 3
"""After so many starts of the GPU's owner that failed in a row, jobs for it run on the CPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A job on its way to a worker."""

    ticket: int
    attempt: int
    job: Job
    lease: int
    arguments: bytes
    """Packed, as is the checkpoint."""
    checkpoint: bytes


class Pool(Protocol):
    """What runs the jobs."""

    async def run(self, inbox: Inbox, now_s: Callable[[], float]) -> None:
        """Keep workers going until cancelled, and end them then."""
        ...

    def want_gpu(self) -> None:
        """Look for a GPU, and tell by `GpuFound`; asking again does nothing."""
        ...

    def start(self, worker: int, work: Work) -> None:
        """Give a worker its job."""
        ...

    def ask_yield(self, worker: int) -> None:
        """Tell the job of a worker to leave."""
        ...

    def kill(self, worker: int, reason: str) -> None:
        """End a worker; another one takes its place."""
        ...


class ProcessPool:
    """Warm processes with pinned threads, one owner of the GPU among them where there is one.

    Args:
        workers: CPU processes.
        threads: What numerical libraries in each may use; workers x threads should not exceed the cores.
        preload: Modules that workers import before their first job.
        gpu: Whether to look for a GPU when the first job asks for one.
        gpu_part: How much of its memory may be leased.
        max_jobs: After so many jobs a process is replaced, as libraries leak.
        worn_bytes: With so much memory left behind by jobs it is replaced, too.
        slack_bytes: What a job may take beyond its lease, imports for instance.
        starts_s: What a process may take until it is ready.
    """

    def __init__(
        self,
        *,
        workers: int = 1,
        threads: int = 1,
        preload: Sequence[str] = (),
        gpu: bool = True,
        gpu_part: float = 0.9,
        max_jobs: int = 1000,
        worn_bytes: int = 1024 * MIB,
        slack_bytes: int = 256 * MIB,
        starts_s: float = 120.0,
    ) -> None:
        self._n, self._threads, self._preload = workers, threads, tuple(preload)
        self._gpu, self._gpu_part, self._starts_s = gpu, gpu_part, starts_s
        self._max_jobs, self._worn_bytes, self._slack_bytes = max_jobs, worn_bytes, slack_bytes
        self._numbers = count(1)
        self._processes: dict[int, WorkerProcess] = {}
        self._gpu_wanted = asyncio.Event()

    @property
    def pids(self) -> dict[int, int]:
        """Return the process id of each worker that is up."""
        return {number: process.pid for number, process in self._processes.items()}

    @property
    def n_places(self) -> int:
        """Return how many jobs can be at work on the CPU now."""
        return sum(not process.is_gpu for process in self._processes.values())

    async def run(self, inbox: Inbox, now_s: Callable[[], float]) -> None:
        """Keep the processes going until cancelled."""
        self._inbox, self._now_s = inbox, now_s
        async with asyncio.TaskGroup() as group:
            for number in range(self._n):
                group.create_task(self._kept("cpu"), name=f"compute slot {number}")
            group.create_task(self._kept_gpu(), name="compute slot gpu")
            group.create_task(self._watched(), name="compute memory watch")

    def want_gpu(self) -> None:
        """Start the GPU's owner."""
        self._gpu_wanted.set()

    def start(self, worker: int, work: Work) -> None:
        """Send a job to its process."""
        process, job = self._processes[worker], work.job
        process.note_resident()
        told = {"function": job.function, "steps": job.steps, "slice_s": job.slice_s, "split": len(work.arguments)}
        process.send(told, work.arguments + work.checkpoint, ticket=work.ticket, lease=work.lease)

    def ask_yield(self, worker: int) -> None:
        """Tell the job of a process to leave."""
        if worker in self._processes:  # as long as the pool runs; a queue that is left because it broke cancels jobs
            self._processes[worker].ask_leave()

    def kill(self, worker: int, reason: str) -> None:
        """End a process."""
        if worker in self._processes:  # as above
            self._processes[worker].kill(reason)

    async def _kept_gpu(self) -> None:
        await self._gpu_wanted.wait()
        reason = "the pool was made without a GPU" if not self._gpu else await self._kept("gpu")
        log.info("no_gpu reason=%r", reason)
        self._inbox(GpuFound(at_s=self._now_s(), memory_bytes=0, reason=reason), b"")

    async def _kept(self, device: Device) -> str:
        """Keep one process going; return only if it is the GPU's and cannot be had, with the reason."""
        pause_s, failures = FIRST_PAUSE_S, 0
        while True:
            try:
                reason = await self._one_life(device)
                if reason:
                    return reason
                pause_s, failures = FIRST_PAUSE_S, 0
            except WorkerLost as error:
                failures += 1
                log.warning("worker_not_started device=%s reason=%r", device, str(error))
                if device == "gpu" and failures == _GPU_STARTS:
                    return f"its owner does not start: {error}"
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _one_life(self, device: Device) -> str:
        """Start a process and hear it to its end; return why there is no GPU, or nothing."""
        process = WorkerProcess(
            next(self._numbers), threads=self._threads, preload=self._preload, is_gpu=device == "gpu",
            slack_bytes=self._slack_bytes,
        )  # fmt: skip
        try:
            async with asyncio.TaskGroup() as group:
                await process.spawn(group)
                try:
                    return await self._served(process, device)
                finally:
                    self._processes.pop(process.number, None)
                    await process.closed()
        except BaseExceptionGroup as errors:
            lost, others = errors.split(WorkerLost)
            if lost is None or others is not None:
                raise
            raise WorkerLost(str(lost.exceptions[0])) from lost

    async def _served(self, process: WorkerProcess, device: Device) -> str:
        hello = await process.ready(within_s=self._starts_s)
        if device == "gpu":
            if not hello["gpu_bytes"]:
                process.kill("there is no GPU")
                return hello["why"]
            bound = int(self._gpu_part * hello["gpu_bytes"])
            self._inbox(GpuFound(at_s=self._now_s(), memory_bytes=bound, reason=hello["gpu"]), b"")
        self._processes[process.number] = process
        self._inbox(WorkerUp(at_s=self._now_s(), worker=process.number, device=device), b"")
        reason = await process.listen(lambda head, payload: self._heard(process, head, payload))
        del self._processes[process.number]
        log.info("worker_ended number=%d reason=%r", process.number, reason)
        self._inbox(WorkerDown(at_s=self._now_s(), worker=process.number, reason=reason), b"")
        if not process.run:
            raise WorkerLost(f"it ended before its first job: {reason}")
        return ""

    def _heard(self, process: WorkerProcess, head: dict[str, Any], payload: bytes) -> None:
        if head["run"] != process.run or process.ticket is None:
            return
        worn = worn_words(process.run, head["rss"], max_jobs=self._max_jobs, worn_bytes=self._worn_bytes)
        event = told_event(head, at_s=self._now_s(), worker=process.number, ticket=process.ticket, worn=worn)
        if not isinstance(event, Sliced):
            process.ticket = None
        self._inbox(event, b"" if isinstance(event, Broke) else payload)

    async def _watched(self) -> None:
        """Look at what processes hold, as not all memory is asked for where a limit is heard."""
        while True:
            await asyncio.sleep(WATCH_S)
            for process in list(self._processes.values()):
                reason = overgrown_words(process)
                if reason and process.ticket is not None:
                    self._inbox(
                        Overgrown(at_s=self._now_s(), worker=process.number, ticket=process.ticket, reason=reason), b""
                    )
