"""The life of one process on a worker of the cluster, as the pool sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

from surrogate.compute.cluster import hand
from surrogate.compute.cluster.places import GPU, Place
from surrogate.compute.events import Broke, Overgrown, Sliced, WorkerDown, WorkerUp
from surrogate.compute.heard import told_event, worn_words
from surrogate.compute.pool import Inbox, Work

if TYPE_CHECKING:
    from distributed import Client

_LARGE = "distributed.admin.large-graph-warning-threshold"


class HandLost(RuntimeError):
    """A process on a worker did not start, or what was asked of it was lost."""


class Life:
    """One process: `open` it, and `serve` until it is gone.

    Args:
        number: By which the policy knows it.
        place: Where it is.
        pool: The pool's name.
        client: Of Dask.
        inbox: Takes events.
        now_s: The queue's clock.
        limits: ``max_jobs`` and ``worn_bytes``, beyond which it is replaced.
    """

    def __init__(
        self,
        number: int,
        place: Place,
        *,
        pool: str,
        client: Client,
        inbox: Inbox,
        now_s: Callable[[], float],
        limits: Mapping[str, int],
    ) -> None:
        self.number, self.place, self.key = number, place, (pool, number)
        self._client, self._inbox, self._now_s, self._limits = client, inbox, now_s, dict(limits)
        self._asks = count(1)
        self.work: asyncio.Queue[Work | None] = asyncio.Queue()
        """Jobs to do; None: there will be no more."""
        self.n_given = 0
        """Counts the jobs that it was given."""
        self.is_up = self.is_retired = False
        self.reason = ""
        """Why it is gone, where that is known here."""
        self.gpu = ""
        """Its GPU's name."""
        self.gpu_bytes: int | None = None
        """What may be leased of its GPU; None: it is on the CPU."""

    async def open(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Start the process; return what it says of itself.

        Raises:
            HandLost: It did not start.
        """
        hello, _ = await self._asked(hand.opened, {**options, "is_gpu": self.place.device == "gpu"})
        if hello["kind"] == hand.GONE:
            raise HandLost(hello["reason"])
        return hello

    async def serve(self) -> None:
        """Do jobs until the process is gone.

        Raises:
            HandLost: It was gone before its first job.
        """
        self.is_up = True
        self._inbox(WorkerUp(at_s=self._now_s(), worker=self.number, device=self.place.device), b"")
        try:
            while (work := await self.work.get()) is not None and await self._done(work):
                pass
        except HandLost as error:
            self.reason = self.reason or str(error)
        finally:
            self.is_up = False
            where = self.place.member.words
            self._inbox(
                WorkerDown(at_s=self._now_s(), worker=self.number, reason=f"{self.reason or 'gone'}, on {where}"), b""
            )
        if not self.is_retired and not self.n_given:
            raise HandLost(self.reason or "it was gone before its first job")

    def give(self, work: Work) -> None:
        """Let it do a job next."""
        self.n_given += 1
        self.work.put_nowait(work)

    def retire(self, reason: str) -> None:
        """Let it do no more jobs; whoever ends the process says why."""
        self.is_retired, self.reason = True, reason
        self.work.put_nowait(None)

    async def _done(self, work: Work) -> bool:
        """Do a job; return whether the process goes on."""
        if self.gpu_bytes is not None and work.lease > self.gpu_bytes:
            self._refuse(work)
            return True
        job = work.job
        told = {"function": job.function, "steps": job.steps, "slice_s": job.slice_s, "split": len(work.arguments)}
        payload = work.arguments + work.checkpoint
        head, payload = await self._asked(hand.begun, self.n_given, told, payload, work.ticket, work.lease)
        while head["kind"] != hand.GONE:
            if head["kind"] == hand.OVERGROWN:
                event = Overgrown(
                    at_s=self._now_s(), worker=self.number, ticket=work.ticket, reason=head["reason"]
                )  # fmt: skip
                self._inbox(event, b"")
            else:
                worn = worn_words(self.n_given, head["rss"], **self._limits)
                event = told_event(head, at_s=self._now_s(), worker=self.number, ticket=work.ticket, worn=worn)
                self._inbox(event, b"" if isinstance(event, Broke) else payload)
                if not isinstance(event, Sliced):
                    return True
            head, payload = await self._asked(hand.words)
        self.reason = head["reason"]
        return False

    def _refuse(self, work: Work) -> None:
        reason = f"the job asks for {work.lease} bytes, and the GPU of {self.place.member.words} lends {self.gpu_bytes}"
        self._inbox(Broke(at_s=self._now_s(), worker=self.number, ticket=work.ticket, why="memory", reason=reason), b"")

    async def _asked(self, function: Callable[..., Any], *arguments: Any) -> hand.Message:
        """Let a Dask task on the worker wait for the next message of the process.

        Raises:
            HandLost: There will be none.
        """
        from distributed.client import FutureCancelledError

        future: Any = None
        try:
            future = self._submitted(function, *arguments)
            return await future
        except FutureCancelledError as error:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            raise HandLost(f"the scheduler has lost it ({error.reason})") from error
        except Exception as error:  # noqa: BLE001 - whatever Dask raises: the supervisor of what runs elsewhere
            raise HandLost(f"{type(error).__name__}: {error}") from error
        finally:
            if future is not None:
                future.release()

    def _submitted(self, function: Callable[..., Any], *arguments: Any) -> Any:
        import dask.config

        # arguments are as large as they are, and go to one worker only
        with dask.config.set({_LARGE: "1TB"}):
            return self._client.submit(
                function, self.key, *arguments,
                key=f"labpilot-{self.key[0]}-{self.number}-{next(self._asks)}", pure=False, retries=0,
                workers=[self.place.member.address], allow_other_workers=False,
                resources={GPU: 1} if self.place.device == "gpu" else None,
            )  # fmt: skip
