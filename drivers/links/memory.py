"""The in-memory link: the same bytes as on a wire, without the wire. For virtual time.

An instrument that answers at once does so while its bytes are handed over; that exchange costs no task and no timer.
Anything else (late, cut, silent) takes the same way as on a real port.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from drivers.clock import Clock
from drivers.command import Effect
from drivers.errors import NotConnected
from drivers.links.arrival import ArrivalLink
from drivers.links.base import LATE_MAX_S, ReplyLost, Request
from drivers.links.framing import Framing
from drivers.links.tap import Direction, Tap


class Peer(Protocol):
    """What sits at the other end of the pipe."""

    send: Callable[[bytes], None] | None
    """Where its bytes go; None: nobody has its port."""
    hang_up: Callable[[], None] | None
    """What it calls when it drops the connection."""

    def receive(self, data: bytes) -> None:
        """Take bytes."""
        ...


class MemoryLink(ArrivalLink):
    """A pipe to an instrument in this process; one link at a time holds an instrument."""

    def __init__(self, peer: Peer, clock: Clock, *, name: str, tap: Tap | None = None) -> None:
        super().__init__(name, clock, tap=tap)
        self._peer = peer

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
        if not self._is_in_step or not self._is_open or self._turns.locked():
            return await super().exchange(
                request, framing=framing, timeout_s=timeout_s, effect=effect, late_max_s=late_max_s, urgent=urgent
            )
        self._sent = request
        self._late_max_s = late_max_s
        self._listen()
        self._count(effect)
        self._write(request)
        try:
            reply = self._whole_reply(framing)
        except ReplyLost as lost:
            self._is_listening = False
            raise self._failed(_request(request, framing, timeout_s, effect, late_max_s), lost) from lost
        if reply is not None:
            self._is_in_step = True
            return reply
        await self._turns.acquire()  # free, so no other task runs in between
        return await asyncio.shield(
            self._start(self._wait_and_release(_request(request, framing, timeout_s, effect, late_max_s)))
        )

    async def _wait_and_release(self, asked: Request) -> bytes:
        times_distrusted = self._times_distrusted
        try:
            self._about_to_send(asked)
            reply = await self._wait(asked)
            self._require_trust(times_distrusted, reply)
            self._answered()
            return reply
        except ReplyLost as lost:
            raise self._failed(asked, lost) from lost
        finally:
            self._turns.release()

    async def _transact(self, asked: Request) -> bytes:
        self._listen()
        self._write(asked.data)
        return await self._wait(asked)

    def _write(self, data: bytes) -> None:
        self._is_in_step = False
        if self.tap is not None:
            self.tap.record(Direction.SENT, data)
        self._peer.receive(data)

    async def _take_port(self) -> None:
        if self._peer.send is not None:
            raise NotConnected(f"{self.name} is in use by another link; close that one first")
        self._peer.send = self._hear
        self._peer.hang_up = self._hung_up
        self._is_lost = False

    async def _give_port(self) -> None:
        if self._peer.send == self._hear:
            self._peer.send = self._peer.hang_up = None
        self._arrival.set()

    async def _send_unanswered(self, data: bytes) -> None:
        self._write(data)


def _request(data: bytes, framing: Framing, timeout_s: float, effect: Effect, late_max_s: float) -> Request:
    return Request(data=data, framing=framing, timeout_s=timeout_s, effect=effect, late_max_s=late_max_s, urgent=False)
