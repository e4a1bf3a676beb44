"""Spreading a series: seeds as jobs of the compute queue, over processes of this machine or workers of a cluster."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from orchestrator.series.parcels import Parcel
from orchestrator.series.work import FUNCTION, LACKS, RESULT, TROUBLE
from surrogate.compute import ComputeQueue, Job, JobClass, Outcome, Pool, Rules
from surrogate.compute.cluster import NoCluster
from surrogate.compute.errors import ClusterError

LEASE_BYTES = 8 * 2**30
"""What one seed may take of memory; far more than any should."""
_ALL_BYTES = 2**20 * LEASE_BYTES
"""How many run at once is up to the pool."""
_RETRIES = 3
_TIMEOUT_S = 7 * 86400.0
_LOOK_S = 0.5
_AHEAD = 2
"""Jobs that wait in the queue beside those at work, so that no worker does."""
NO_WORKER_S = 300.0
"""After so long without any worker a series ends."""
ALIKE = 3
"""So many first seeds that all fail alike end a series: the others would, too."""


class Spreadable(Pool, Protocol):
    """A pool that tells how many jobs it does at once."""

    @property
    def n_places(self) -> int:
        """Return how many."""
        ...


class Watcher(Protocol):
    """Hears how a series goes on."""

    def result(self, seed: int, result: dict[str, Any]) -> None:
        """Take the result of a seed."""
        ...

    def trouble(self, seed: int, why: str) -> None:
        """Hear why a seed has none."""
        ...

    def again(self, seed: int, why: str) -> None:
        """Hear that a seed was begun more than once."""
        ...

    def standing(self, at_work: int, places: int) -> None:
        """Hear, now and then, how many seeds are at work, and in how many places."""
        ...


class AllAlike(RuntimeError):
    """The first seeds all failed alike."""


@dataclass(slots=True, kw_only=True)
class Series:
    """Seeds that are to be simulated.

    Args:
        parcel: The campaign.
        provenance: What else its journal says.
        pool: Where.
        watcher: Hears of all that happens.
    """

    parcel: Parcel
    provenance: Mapping[str, Any]
    pool: Spreadable
    watcher: Watcher
    _at_work: dict[asyncio.Future[Outcome], int] = field(default_factory=dict)
    _troubles: list[str] = field(default_factory=list)
    _n_results: int = 0

    async def run(self, seeds: Iterable[int]) -> None:
        """Simulate with every seed.

        Raises:
            AllAlike: None of the first ones came to a result, and for the same reason.
            ClusterError: The cluster, or its last worker, has gone.
        """
        try:
            async with ComputeQueue(self.pool, rules=Rules(memory_bytes=_ALL_BYTES)) as queue:
                await self._fed(queue, list(seeds))
        except BaseExceptionGroup as errors:
            found, others = errors.split(ClusterError)
            if found is None or others is not None:
                raise
            raise _first(found) from errors

    async def _fed(self, queue: ComputeQueue, waiting: list[int]) -> None:
        served_s = time.monotonic()
        waiting.reverse()
        while waiting or self._at_work:
            while waiting and len(self._at_work) < self.pool.n_places + _AHEAD:
                self._submit(queue, waiting.pop(), ())
            done, _ = await asyncio.wait(self._at_work, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
            for ended in done:
                self._take(queue, self._at_work.pop(ended), ended.result())
            self.watcher.standing(min(len(self._at_work), self.pool.n_places), self.pool.n_places)
            if self.pool.n_places:
                served_s = time.monotonic()
            elif time.monotonic() - served_s > NO_WORKER_S:
                raise NoCluster(
                    f"there has been no worker for {NO_WORKER_S:g} s; start some, and give the command again"
                )

    def _submit(self, queue: ComputeQueue, seed: int, wanted: Iterable[str]) -> None:
        parcel = self.parcel
        contents = {sha256: np.frombuffer(parcel.contents[sha256], np.uint8) for sha256 in wanted}
        job = Job(
            job_class=JobClass.AUDIT,
            function=FUNCTION,
            arguments={
                "campaign": {**parcel.campaign, "seed": seed},
                "lab": parcel.lab,
                "needs": [need.data() for need in parcel.needs],
                "contents": contents,
                "provenance": self.provenance,
            },
            memory_bytes=LEASE_BYTES,
            retries=_RETRIES,
            timeout_s=_TIMEOUT_S,
            name=f"seed {seed}",
        )
        self._at_work[queue.submit(job).ended] = seed

    def _take(self, queue: ComputeQueue, seed: int, outcome: Outcome) -> None:
        if outcome.attempts > 1:
            self.watcher.again(seed, _reasons(queue, outcome.ticket))
        value = outcome.value if outcome.status == "done" else {TROUBLE: outcome.reason}
        if LACKS in value:
            self._submit(queue, seed, value[LACKS])
        elif RESULT in value:
            self._n_results += 1
            self.watcher.result(seed, json.loads(value[RESULT]))
        else:
            self._failed(seed, value[TROUBLE])

    def _failed(self, seed: int, why: str) -> None:
        self.watcher.trouble(seed, why)
        self._troubles.append(why)
        if not self._n_results and len(self._troubles) >= ALIKE and len(set(self._troubles)) == 1:
            raise AllAlike(f"the first {len(self._troubles)} seeds failed alike, so the others were not tried: {why}")


def _reasons(queue: ComputeQueue, ticket: int) -> str:
    reasons = [one.reason for one in queue.records if one.ticket == ticket and one.what == "failed"]
    return "; ".join(dict.fromkeys(reasons)) or "its worker was lost"


def _first(errors: BaseExceptionGroup[Any]) -> BaseException:
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
