"""Hands: what runs in a Dask worker, beside its own work, and keeps a process for our jobs there.

A job runs in a process of its own, as on one machine: so it can be killed, its memory limited, and its checkpoints
heard, of which Dask can do none. A Dask task waits for one message of that process (`begun`, `words`); what must not
wait for a free thread (`leave`, `ended`, `touched`) is run by Dask beside tasks. All of it is on the worker's loop.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from surrogate.compute.heard import overgrown_words
from surrogate.compute.pool import WATCH_S
from surrogate.compute.process import WorkerLost, WorkerProcess

if TYPE_CHECKING:
    from distributed import Worker

log = logging.getLogger(__name__)

Key = tuple[str, int]
"""The pool, and the number of the process in it."""
Message = tuple[dict[str, Any], bytes]

GONE, OVERGROWN = "gone", "overgrown"
"""Kinds of messages beside those of `surrogate.compute.worker`."""

_HANDS: dict[Key, Hand] = {}
_RUNNING: set[asyncio.Task[None]] = set()


class NoHand(RuntimeError):
    """There is no such process here: Dask has run a task again on a worker that was started anew."""


class Hand:
    """One process and what it says.

    Args:
        key: Who it is of.
        options: Of `WorkerProcess`, ``starts_s``, and after how long without a word of its pool it is ended:
            ``forgotten_s``. The controller has died then, or the network between.
        folder: Where its temporary files go.
    """

    def __init__(self, key: Key, options: Mapping[str, Any], folder: str) -> None:
        made = {name: options[name] for name in ("threads", "is_gpu", "slack_bytes")}
        self.process = WorkerProcess(key[1], preload=tuple(options["preload"]), folder=folder, **made)
        self._key = key
        self._starts_s, self._forgotten_s = float(options["starts_s"]), float(options["forgotten_s"])
        self._told: asyncio.Queue[Message] = asyncio.Queue()
        self._token = self._leaves = 0
        """The job at hand as the pool counts them, and the latest that is to leave, which may not have begun."""
        self.touched_s = time.monotonic()

    async def live(self) -> None:
        """Keep the process until its end, and say why that came."""
        reason = ""
        try:
            async with asyncio.TaskGroup() as group:
                await self.process.spawn(group)
                watch: asyncio.Task[None] | None = None
                try:
                    self._told.put_nowait((await self.process.ready(within_s=self._starts_s), b""))
                    watch = group.create_task(self._watched())
                    reason = await self.process.listen(lambda head, payload: self._told.put_nowait((head, payload)))
                finally:
                    if watch is not None:
                        watch.cancel()
                    await self.process.closed()
        except BaseExceptionGroup as errors:
            lost, others = errors.split(WorkerLost)
            reason = "; ".join(str(error) for error in (lost or errors).exceptions)
            if others is not None:
                raise
        finally:
            self._told.put_nowait(({"kind": GONE, "reason": reason}, b""))
            # whoever asks once more is to hear why; nobody may
            asyncio.get_running_loop().call_later(self._forgotten_s, _HANDS.pop, self._key, None)

    async def _watched(self) -> None:
        run_told = 0
        while True:
            await asyncio.sleep(WATCH_S)
            if time.monotonic() - self.touched_s > self._forgotten_s:
                self.process.kill(f"nobody has asked for it in {self._forgotten_s:g} s")
            reason = overgrown_words(self.process)
            if reason and run_told != self.process.run:
                run_told = self.process.run
                self._told.put_nowait(({"kind": OVERGROWN, "run": run_told, "rss": 0, "reason": reason}, b""))

    def begin(self, token: int, head: Mapping[str, Any], payload: bytes, *, ticket: int, lease: int) -> None:
        """Give the process its next job."""
        self._token = token
        self.process.note_resident()
        self.process.send(dict(head), payload, ticket=ticket, lease=lease)
        if self._leaves == token:
            self.process.ask_leave()

    def leave(self, token: int) -> None:
        """Ask a job to leave, also one that has not begun."""
        self._leaves = token
        if self._token == token:
            self.process.ask_leave()

    async def next(self) -> Message:
        """Wait for the next message that is of the job at hand, or of none."""
        while True:
            message = await self._told.get()
            if message[0].get("run", self.process.run) == self.process.run:
                break
        if message[0]["kind"] not in ("slice", OVERGROWN):
            self.process.ticket = None
        return message


async def opened(key: Key, options: Mapping[str, Any]) -> Message:
    """Start a process; return what it says of itself, or why it is gone."""
    from distributed import get_worker

    worker: Worker = get_worker()
    hand = _HANDS[key] = Hand(key, options, worker.local_directory)
    task = asyncio.create_task(hand.live(), name=f"labpilot process {key[1]}")
    _RUNNING.add(task)
    task.add_done_callback(_RUNNING.discard)
    return await hand.next()


async def begun(key: Key, token: int, head: Mapping[str, Any], payload: bytes, ticket: int, lease: int) -> Message:
    """Begin a job; return the first message of it."""
    hand = _hand(key)
    hand.begin(token, head, payload, ticket=ticket, lease=lease)
    return await hand.next()


async def words(key: Key) -> Message:
    """Return the next message."""
    return await _hand(key).next()


def leave(key: Key, token: int) -> None:
    """Ask a job to leave at its next step."""
    if key in _HANDS:
        _HANDS[key].leave(token)


def ended(key: Key, reason: str) -> None:
    """End a process; safe to call twice."""
    if key in _HANDS:
        with suppress(WorkerLost):  # it has not begun to be, and hears of this when it is touched no more
            _HANDS[key].process.kill(reason)


def touched(pool: str, numbers: Collection[int], newest: int) -> None:
    """Say which processes of a pool are wanted; its others are ended, up to the newest that it knew when it said so.

    Later ones may have been begun while these words were on their way.
    """
    for key, hand in list(_HANDS.items()):
        if key[0] == pool and (key[1] in numbers or key[1] > newest):
            hand.touched_s = time.monotonic()
        elif key[0] == pool:
            ended(key, "its pool knows nothing of it")


def closed(pool: str) -> None:
    """End all processes of a pool."""
    for key in [key for key in _HANDS if key[0] == pool]:
        ended(key, "its pool is closed")


def _hand(key: Key) -> Hand:
    if key not in _HANDS:
        raise NoHand(f"this worker has no process {key[1]} of that pool")
    return _HANDS[key]
