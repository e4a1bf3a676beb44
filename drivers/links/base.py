"""What every link does: one exchange at a time, in step, with one deadline and errors by effect.

A link is distrusted before the first byte of a request leaves, and trusted again only when a whole reply has come
back. Before a distrusted link is used again it waits until nothing late can arrive any more and throws away what did;
flushing alone would take a late reply for the answer to the next question.
"""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from drivers.clock import Clock
from drivers.command import Effect
from drivers.errors import Ambiguous, DriverError, NotConnected, NotSent, Unreadable
from drivers.links.framing import BadFrame, Framing
from drivers.links.tap import Direction, Tap, shown
from drivers.links.turns import Turns

LATE_MAX_S = 0.25
"""How late a reply may still arrive after its deadline, unless the driver knows better."""


class Link(Protocol):
    """The byte pipe to one device."""

    tap: Tap | None
    greeting: Framing | None
    """How a device that speaks first says hello on a new TCP connection; a driver whose device does sets it."""
    n_acts_sent: int
    """How many requests that act have left so far: whoever compares it knows whether a command did anything yet."""

    @property
    def name(self) -> str:
        """The address, as messages show it."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether the port is held."""
        ...

    async def open(self) -> None:
        """Take the port; nothing happens if it is open.

        Raises:
            NotConnected: The port is absent, or somebody else has it.
        """
        ...

    async def close(self) -> None:
        """Give the port back; safe to call twice. A request in flight fails."""
        ...

    async def exchange(
        self,
        request: bytes,
        *,
        framing: Framing,
        timeout_s: float,
        effect: Effect,
        late_max_s: float = LATE_MAX_S,
        urgent: bool = False,
    ) -> bytes:
        """Send a request and return its whole reply, unwrapped.

        A caller that is cancelled leaves the exchange to end by itself, so that the bus stays in step.

        Args:
            request: The bytes to send, wrapped already.
            framing: How the reply is wrapped.
            timeout_s: Deadline for the whole reply, counted from the request.
            effect: What the request does; decides what a lost reply means.
            late_max_s: How late after the deadline a reply may still come.
            urgent: A stop: it goes before all that wait for their turn, and while a distrusted link waits until it is
                in step, for whomever, it is also sent at once.

        Raises:
            NotConnected: The port is closed or was lost before the request.
            NotSent: The link could not get in step; nothing was sent.
            Unreadable: A READ had no reply that can be trusted.
            Ambiguous: Any other request had no reply that can be trusted; it may have been carried out.
        """
        ...

    def distrust(self, why: str, *, effect: Effect) -> DriverError:
        """Note that the last reply cannot be trusted, and return the error to raise for it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One exchange to make."""

    data: bytes
    framing: Framing
    timeout_s: float
    effect: Effect
    late_max_s: float
    urgent: bool


class ReplyLost(Exception):
    """The request left (perhaps) and no whole reply came."""

    def __init__(self, why: str, received: bytes = b"") -> None:
        super().__init__(why)
        self.received = received


class BaseLink(ABC):
    """The part that all transports share; a subclass moves the bytes."""

    starts_in_step = False
    """Whether nothing that a previous owner of the port asked for can come after `open`."""

    def __init__(self, name: str, clock: Clock, *, tap: Tap | None = None) -> None:
        self.name = name
        self.tap = tap
        self.greeting: Framing | None = None
        self.n_acts_sent = 0
        self._clock = clock
        self._turns = Turns()
        self._is_open = False
        self._is_in_step = False
        self._is_idling = False
        """Whether somebody who has the turn waits until nothing late can arrive."""
        self._quiet_at_s = -math.inf
        """From when on nothing late can arrive."""
        self._late_max_s = LATE_MAX_S
        self._sent = b""
        self._times_closed = 0
        self._times_distrusted = 0
        self._running: set[asyncio.Task[bytes]] = set()

    @property
    def is_open(self) -> bool:
        """Whether the port is held."""
        return self._is_open

    async def open(self) -> None:
        """Take the port; see `Link.open`."""
        await self._turns.acquire()
        try:
            if not self._is_open:
                await self._open()
        finally:
            self._turns.release()

    async def _open(self) -> None:
        times_closed = self._times_closed
        await self._give_port()  # a lost port is still held
        await self._take_port()
        if times_closed != self._times_closed:
            await self._give_port()
            raise NotConnected(f"{self.name} was closed while it opened")
        self._is_open = True
        # what a previous owner left in the line is not ours, and what we asked before may still be answered
        self._is_in_step = self.starts_in_step and self._quiet_at_s <= self._clock.now_s()

    async def close(self) -> None:
        """Give the port back; see `Link.close`."""
        self._is_open = False
        self._times_closed += 1
        await self._give_port()

    async def exchange(
        self,
        request: bytes,
        *,
        framing: Framing,
        timeout_s: float,
        effect: Effect,
        late_max_s: float = LATE_MAX_S,
        urgent: bool = False,
    ) -> bytes:
        """Send a request and return its whole reply; see `Link.exchange`."""
        asked = Request(
            data=request, framing=framing, timeout_s=timeout_s, effect=effect, late_max_s=late_max_s, urgent=urgent
        )
        is_handed_over = False
        if urgent and self._is_idling:
            await self._send_ahead(asked)
        await self._turns.acquire(urgent=urgent)
        try:
            await self._get_in_step(asked)
            task = self._start(self._transact_and_release(asked))
            is_handed_over = True
        finally:
            if not is_handed_over:
                self._turns.release()
        return await asyncio.shield(task)

    def distrust(self, why: str, *, effect: Effect) -> DriverError:
        """Note that the last reply cannot be trusted; see `Link.distrust`."""
        self._is_in_step = False
        self._times_distrusted += 1
        self._quiet_at_s = self._clock.now_s() + self._late_max_s
        return untrusted(why, effect=effect, wire=self._transcript(b""))

    async def _get_in_step(self, asked: Request) -> None:
        self._require_open()
        if self._is_in_step:
            return
        times_closed = self._times_closed
        if asked.urgent:
            await self._send_ahead(asked)
        await self._resynchronise()
        if times_closed != self._times_closed:
            raise NotConnected(f"{self.name} was closed; nothing was sent")

    async def _send_ahead(self, asked: Request) -> None:
        self._quiet_at_s = max(self._quiet_at_s, self._clock.now_s() + asked.late_max_s)
        self._count(asked.effect)
        await self._send_unanswered(asked.data)

    def _require_open(self) -> None:
        if not self._is_open:
            raise NotConnected(f"{self.name} is not open, or the other end hung up; call connect() first")

    async def _resynchronise(self) -> None:
        """Wait until nothing late can arrive any more, and throw away what did.

        Raises:
            NotSent: The line does not fall silent, or the port is gone.
        """
        await self._idle()
        self._require_open()
        if not await self._drain():
            raise NotSent(f"{self.name} talks without being asked; nothing was sent. Check baud rate and wiring")

    async def _idle(self) -> None:
        self._is_idling = True
        try:
            quiet_at_s = math.nan
            while quiet_at_s != self._quiet_at_s:  # a stop may have been sent meanwhile
                quiet_at_s = self._quiet_at_s
                await self._clock.sleep_until(quiet_at_s)
        finally:
            self._is_idling = False

    def _start(self, work: Coroutine[Any, Any, bytes]) -> asyncio.Task[bytes]:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[bytes]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # seen: the caller may have been cancelled and will not look

    async def _transact_and_release(self, asked: Request) -> bytes:
        quiet_at_s, times_distrusted = self._quiet_at_s, self._times_distrusted
        is_counted = False
        try:
            self._require_open()
            self._about_to_send(asked)
            is_counted = True
            reply = await self._transact(asked)
            self._require_trust(times_distrusted, reply)
            self._answered()
            return reply
        except NotConnected:
            self._quiet_at_s = quiet_at_s  # nothing was sent
            self._count(asked.effect, -1 if is_counted else 0)
            raise
        except ReplyLost as lost:
            raise self._failed(asked, lost) from lost
        finally:
            self._turns.release()

    def _require_trust(self, times_distrusted: int, reply: bytes) -> None:
        # who came before looks at his reply only when this request has left already
        if times_distrusted != self._times_distrusted:
            raise ReplyLost("the reply before this one was not the right one, so this one may not be either", reply)

    def _about_to_send(self, asked: Request) -> None:
        self._is_in_step = False
        self._late_max_s = asked.late_max_s
        # if this exchange never ends (its task is torn down with the loop), nothing later than this can come
        self._quiet_at_s = self._clock.now_s() + asked.timeout_s + asked.late_max_s
        self._sent = asked.data
        self._count(asked.effect)

    def _count(self, effect: Effect, n: int = 1) -> None:
        if effect is not Effect.READ:
            self.n_acts_sent += n

    def _answered(self) -> None:
        self._is_in_step = True
        self._quiet_at_s = -math.inf

    def _failed(self, asked: Request, lost: ReplyLost) -> DriverError:
        self._is_in_step = False
        self._quiet_at_s = self._clock.now_s() + asked.late_max_s
        return untrusted(str(lost), effect=asked.effect, wire=self._transcript(lost.received))

    def _transcript(self, received: bytes) -> str:
        return f"{Direction.SENT} {shown(self._sent)} {Direction.RECEIVED} {shown(received)}"

    def _record(self, direction: Direction, data: bytes) -> None:
        if self.tap is not None:
            self.tap.record(direction, data)

    @abstractmethod
    async def _take_port(self) -> None:
        """Open the port, or raise NotConnected."""

    @abstractmethod
    async def _give_port(self) -> None:
        """Close the port if it is held; end a transaction in flight."""

    @abstractmethod
    async def _transact(self, asked: Request) -> bytes:
        """Send and return the reply; raise NotConnected before, ReplyLost after the first byte left."""

    @abstractmethod
    async def _send_unanswered(self, data: bytes) -> None:
        """Send, whatever state the line is in; the reply will be thrown away."""

    @abstractmethod
    async def _drain(self) -> bool:
        """Throw away what has arrived; False if it does not stop coming."""


def whole_reply(framing: Framing, received: bytearray) -> bytes | None:
    """Return the reply if it has come whole and nothing else has, None while there is more to come.

    Raises:
        ReplyLost: What came is no reply, or more than one.
    """
    if not received:
        return None
    try:
        taken = framing.take(received)
    except BadFrame as error:
        raise ReplyLost(str(error), bytes(received)) from error
    if taken is None:
        return None
    if taken[1] != len(received):
        raise ReplyLost(f"{len(received) - taken[1]} bytes more than one reply", bytes(received))
    return taken[0]


def untrusted(why: str, *, effect: Effect, wire: str = "") -> DriverError:
    """Return what a missing or damaged reply means for a request of this effect."""
    if effect is Effect.READ:
        return Unreadable(f"{why}; nothing was changed", wire=wire)
    return Ambiguous(f"{why}; the request may have been carried out", wire=wire)
