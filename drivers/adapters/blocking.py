"""Run blocking code of others in step with the event loop.

The code runs in a thread of its own, and whenever it wants to ask the device it waits until the event loop has asked
for it. So at any time only one of the two goes on with this device, in virtual time too: there the loop stands still
while the thread thinks, which makes the thread as deterministic as a coroutine. In wall time the loop never waits for
the thread; code that sleeps or computes for long holds up nobody but its caller.

The other way, calling the code again and again with the replies known so far, needs no thread. It was left out because
it runs the code of others several times for each command: a counter in it, or a random tag, would count or roll again.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from drivers.clock import Clock
from drivers.errors import DriverError
from drivers.links.framing import Framing

STUCK_S = 60.0
"""How long, in wall time, code may keep a simulated campaign waiting."""
THREAD = "labpilot-blocking"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the code wants to be exchanged."""

    data: bytes
    framing: Framing


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How the code ended."""

    value: Any = None
    error: Exception | None = None


class Overdue(Exception):
    """The code asked nothing and did not end in time."""


class Abandoned(BaseException):
    """Raised inside the code when nobody waits for it any more; an ``except Exception`` in it does not catch this."""


Serve = Callable[[Question], Awaitable[bytes]]


class BlockingCall:
    """One call of blocking code. `pending` holds the bytes that it has written and that no reply has confirmed yet.

    Args:
        work: The code; it gets this call, by which it asks.
        clock: The time of the deadline.
        deadline_s: When the code should have ended.
    """

    def __init__(self, work: Callable[[BlockingCall], Any], clock: Clock, *, deadline_s: float) -> None:
        self.pending = b""
        self.failure: DriverError | None = None
        """What went wrong at the wire first, whatever the code made of it; nothing is sent after it."""
        self._work = work
        self._clock = clock
        self._deadline_s = deadline_s
        self._is_abandoned = False
        self._said: queue.SimpleQueue[Question | Ended] = queue.SimpleQueue()
        self._replies: queue.SimpleQueue[bytes | BaseException] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._has_said = asyncio.Event()

    def ask(self, framing: Framing) -> bytes:
        """Send what is pending and return the reply. For the code's own thread.

        Raises:
            DriverError: What went wrong at the wire.
            ValueError: Nothing is pending: a link hears nothing that it did not ask for.
            Abandoned: Nobody waits for the code any more.
        """
        if self._is_abandoned:
            raise Abandoned
        if self.failure is not None:
            raise self.failure
        if not self.pending:
            raise ValueError("it reads without having written; only questions with one reply can be exchanged")
        data, self.pending = self.pending, b""
        self._say(Question(data=data, framing=framing))
        reply = self._replies.get()
        if isinstance(reply, BaseException):
            raise reply
        return reply

    async def carry_out(self, serve: Serve) -> Ended:
        """Run the code to its end, and exchange for it what it asks.

        Raises:
            Overdue: It takes too long; its thread ends when it asks again.
        """
        self._loop = asyncio.get_running_loop()
        thread = threading.Thread(target=self._run, name=THREAD, daemon=True)
        thread.start()
        try:
            while not isinstance(said := await self._heard(), Ended):
                self._replies.put(await self._served(serve, said))
            thread.join()
            return said
        finally:
            self._is_abandoned = True
            self._replies.put(Abandoned())

    async def _served(self, serve: Serve, question: Question) -> bytes | DriverError:
        if self._clock.now_s() > self._deadline_s:
            raise Overdue
        try:
            return await serve(question)
        except DriverError as error:
            self.failure = error
            return error

    async def _heard(self) -> Question | Ended:
        try:
            if self._clock.is_virtual:
                return self._said.get(timeout=STUCK_S)
            async with asyncio.timeout(max(0.0, self._deadline_s - self._clock.now_s())):
                await self._has_said.wait()
        except (queue.Empty, TimeoutError):
            raise Overdue from None
        self._has_said.clear()
        return self._said.get_nowait()

    def _run(self) -> None:
        try:
            self._say(Ended(value=self._work(self)))
        except Abandoned:
            pass
        except Exception as error:  # the supervisor of the code: whatever it raises is for `carry_out` to return
            self._say(Ended(error=error))

    def _say(self, message: Question | Ended) -> None:
        self._said.put(message)
        if not self._clock.is_virtual and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens
                self._loop.call_soon_threadsafe(self._has_said.set)
