"""A pool on the workers of a Dask scheduler: a process of ours in each of their threads."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any

from surrogate.compute.cluster import hand
from surrogate.compute.cluster.life import HandLost, Life
from surrogate.compute.cluster.likeness import unlike_workers
from surrogate.compute.cluster.places import GPU, Member, Place, identity_of, members_of, places_of, refuse_exposed
from surrogate.compute.errors import NoCluster
from surrogate.compute.events import GpuFound
from surrogate.compute.jobs import MIB
from surrogate.compute.pool import FIRST_PAUSE_S, LONGEST_PAUSE_S, Inbox, Work

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

_LOOK_S = 0.5
_GPU_LOOK_S = 0.1
_TOUCHES = 6
"""How many words of the pool may be lost until its processes are ended."""
_ANSWERS_S = 5.0
_GPU_STARTS = 3
"""After so many starts of a GPU's owner that failed in a row, its place is given up."""

_MemberId = tuple[str, str]


class ClusterPool:
    """Processes in the threads of Dask workers; `surrogate.compute.cluster.connected` makes one.

    A worker that declares ``GPU=n`` has n owners of a GPU, and the rest of its threads are for the CPU. Jobs for the
    GPU go to those alone.

    Args:
        client: Of Dask, connected, on the loop of the queue.
        threads: What numerical libraries in each process may use.
        preload: Modules that processes import before their first job.
        gpu_part: How much of a GPU's memory may be leased.
        gpu_patience_s: How long jobs for the GPU wait where no worker has one; then they run on the CPU.
        max_jobs: After so many jobs a process is replaced, as libraries leak.
        worn_bytes: With so much memory left behind by jobs it is replaced, too.
        slack_bytes: What a job may take beyond its lease, imports for instance.
        starts_s: What a process may take until it is ready.
        silent_s: After so long without an answer of the scheduler the cluster is given up.
        forgotten_s: After so long without this pool processes on workers end.
    """

    def __init__(
        self,
        client: Client,
        *,
        threads: int = 1,
        preload: Sequence[str] = (),
        gpu_part: float = 0.9,
        gpu_patience_s: float = 10.0,
        max_jobs: int = 1000,
        worn_bytes: int = 1024 * MIB,
        slack_bytes: int = 256 * MIB,
        starts_s: float = 120.0,
        silent_s: float = 30.0,
        forgotten_s: float = 60.0,
    ) -> None:
        self.name = uuid.uuid4().hex[:12]
        self._client = client
        self._options = {
            "threads": threads, "preload": list(preload), "slack_bytes": slack_bytes, "starts_s": starts_s,
            "forgotten_s": forgotten_s,
        }  # fmt: skip
        self._limits = {"max_jobs": max_jobs, "worn_bytes": worn_bytes}
        self._gpu_part, self._gpu_patience_s = gpu_part, gpu_patience_s
        self._silent_s, self._touch_s = silent_s, forgotten_s / _TOUCHES
        self._numbers, self._newest = count(1), 0
        self._lives: dict[int, Life] = {}
        self._members: dict[_MemberId, Member] = {}
        self._tasks: dict[_MemberId, list[asyncio.Task[None]]] = {}
        self._greeted: set[_MemberId] = set()
        self._unlike: dict[_MemberId, list[str]] = {}
        self._gpu_wanted = False
        self._no_gpu = f"no worker declares the resource {GPU}"

    @property
    def members(self) -> tuple[Member, ...]:
        """Return the workers that are there and can be used."""
        return tuple(self._members.values())

    @property
    def unlike(self) -> dict[str, list[str]]:
        """Return the workers that are not used, by address, with what differs."""
        return {address: list(words) for (address, _), words in self._unlike.items()}

    def place_of(self, worker: int) -> Place:
        """Return where a worker of the queue is."""
        return self._lives[worker].place

    @property
    def n_places(self) -> int:
        """Return how many jobs can be at work on the CPU now."""
        return sum(life.is_up and life.place.device == "cpu" for life in self._lives.values())

    async def run(self, inbox: Inbox, now_s: Callable[[], float]) -> None:
        """Follow workers as they come and go, until cancelled.

        Raises:
            NoCluster: The scheduler has gone.
            UnsafeCluster: A worker has come that others reach without TLS.
        """
        self._inbox, self._now_s = inbox, now_s
        try:
            async with asyncio.TaskGroup() as self._group:
                self._group.create_task(self._touching(), name="cluster touch")
                await self._looking()
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(_ANSWERS_S):
                    await self._run_there(None, hand.closed, self.name)

    def want_gpu(self) -> None:
        """Start the owners of the GPUs that workers declare."""
        if self._gpu_wanted:
            return
        self._gpu_wanted = True
        self._group.create_task(self._watching_gpus(), name="cluster gpus")
        for which, member in self._members.items():
            self._settle(which, [place for place in places_of(member, with_gpu=True) if place.device == "gpu"])

    def start(self, worker: int, work: Work) -> None:
        """Send a job to its process."""
        self._lives[worker].give(work)

    def ask_yield(self, worker: int) -> None:
        """Tell the job of a process to leave."""
        life = self._lives[worker]
        self._tell(life, hand.leave, life.key, life.n_given)

    def kill(self, worker: int, reason: str) -> None:
        """End a process."""
        life = self._lives[worker]
        life.retire(reason)
        self._tell(life, hand.ended, life.key, reason)

    def _tell(self, life: Life, function: Callable[..., None], *arguments: Any) -> None:
        """Run something on a life's worker without waiting for it."""
        telling = self._run_there([life.place.member.address], function, *arguments)
        try:
            self._group.create_task(telling, name=f"tell {life.number}")
        except RuntimeError:  # the pool is being closed, and with it all that runs
            telling.close()

    async def _run_there(self, workers: list[str] | None, function: Callable[..., None], *arguments: Any) -> None:
        """Run something on workers (None: all) beside their tasks; one that is not there any more need not know."""
        with suppress(OSError):
            if self._client.status != "closed":
                await self._client.run(function, *arguments, workers=workers, on_error="ignore")

    async def _looking(self) -> None:
        answered_s = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(_ANSWERS_S):
                    identity = await identity_of(self._client)
                self._follow(identity)
                answered_s = time.monotonic()
            except (OSError, TimeoutError) as error:
                silent_s = time.monotonic() - answered_s
                if silent_s > self._silent_s or self._client.status == "closed":
                    raise NoCluster(f"the scheduler has not answered for {silent_s:.0f} s") from error
            await asyncio.sleep(_LOOK_S)

    def _follow(self, identity: Mapping[str, Any]) -> None:
        """Leave workers that are gone, and greet those that came."""
        found = members_of(identity)
        for which in [one for one in self._members if one not in found]:
            self._leave(which)
        for which in found.keys() - self._members.keys() - self._unlike.keys() - self._greeted:
            self._greeted.add(which)
            self._group.create_task(self._greet(which, found[which], identity), name=f"greet {which[0]}")

    async def _greet(self, which: _MemberId, member: Member, identity: Mapping[str, Any]) -> None:
        """Ask a worker what it is, however long it takes to answer, and settle there if it is like this process.

        Raises:
            UnsafeCluster: Others reach it without TLS.
        """
        try:
            await refuse_exposed(self._client, identity, [member.address])
            unlike = await unlike_workers(self._client, [member.address])
        except OSError:  # it has gone, or is asked again
            return
        finally:
            self._greeted.discard(which)
        if member.address in unlike:
            self._unlike[which] = unlike[member.address]
            log.warning("worker_unlike worker=%s differences=%r", member.words, unlike[member.address])
            return
        self._members[which] = member
        self._settle(which, places_of(member, with_gpu=self._gpu_wanted))

    def _leave(self, which: _MemberId) -> None:
        member = self._members.pop(which)
        for life in self._lives.values():
            if life.place.member == member:
                life.reason = "the worker has left the cluster"
        for task in self._tasks.pop(which, []):
            task.cancel()

    def _settle(self, which: _MemberId, places: Iterable[Place]) -> None:
        self._tasks.setdefault(which, []).extend(
            self._group.create_task(self._kept(place), name=f"place {place}") for place in places
        )

    async def _kept(self, place: Place) -> None:
        """Keep a process going at a place, until cancelled or, for a GPU, until there is none."""
        pause_s, failures = FIRST_PAUSE_S, 0
        while True:
            life = Life(
                next(self._numbers), place, pool=self.name, client=self._client, inbox=self._inbox, now_s=self._now_s,
                limits=self._limits,
            )  # fmt: skip
            self._lives[life.number], self._newest = life, life.number
            try:
                if not await self._lived(life):
                    return
                pause_s, failures = FIRST_PAUSE_S, 0
            except HandLost as error:
                failures += 1
                # without its scheduler nothing starts, and that is told by `_looking`
                level = logging.WARNING if self._client.status == "running" else logging.DEBUG
                log.log(level, "worker_not_started device=%s worker=%r reason=%r", *place.words, str(error))
                if place.device == "gpu" and failures == _GPU_STARTS:
                    self._no_gpu = f"the GPU's owner on {place.member.words} does not start: {error}"
                    return
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            finally:
                del self._lives[life.number]

    async def _lived(self, life: Life) -> bool:
        """Let a process live; return whether another may follow."""
        hello = await life.open(self._options)
        if life.place.device == "gpu":
            if not hello["gpu_bytes"]:
                self._no_gpu = f"{life.place.member.words} declares a GPU, but {hello['why']}"
                self._tell(life, hand.ended, life.key, self._no_gpu)
                return False
            life.gpu, life.gpu_bytes = hello["gpu"], int(self._gpu_part * hello["gpu_bytes"])
        await life.serve()
        return True

    async def _watching_gpus(self) -> None:
        """Tell how much of all GPUs together may be leased, as that changes; that there is none, after a while."""
        told, seen_s = -1, time.monotonic()
        while True:
            owners = [life for life in self._lives.values() if life.place.device == "gpu"]
            total = sum(life.gpu_bytes or 0 for life in owners)
            if owners:
                seen_s = time.monotonic()
            if total not in (0, told) or (total != told and time.monotonic() - seen_s > self._gpu_patience_s):
                told, reason = total, ", ".join(life.gpu for life in owners) or self._no_gpu
                log.info("gpus bytes=%d reason=%r", total, reason)
                self._inbox(GpuFound(at_s=self._now_s(), memory_bytes=total, reason=reason), b"")
            await asyncio.sleep(_GPU_LOOK_S)

    async def _touching(self) -> None:
        """Let workers know which processes are still wanted."""
        while True:
            await asyncio.sleep(self._touch_s)
            addresses = [member.address for member in self._members.values()]
            wanted = [number for number, life in self._lives.items() if not life.is_retired]
            await self._run_there(addresses, hand.touched, self.name, wanted, self._newest)
