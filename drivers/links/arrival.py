"""Links whose bytes arrive by a callback on the event loop: in memory, and over TCP."""

from __future__ import annotations

import asyncio

from drivers.clock import Clock
from drivers.links.base import BaseLink, ReplyLost, Request, whole_reply
from drivers.links.framing import Framing
from drivers.links.tap import Direction, Tap


class ArrivalLink(BaseLink):
    """Keeps what arrives while somebody waits for it, and throws the rest away; a subclass sends."""

    def __init__(self, name: str, clock: Clock, *, tap: Tap | None = None) -> None:
        super().__init__(name, clock, tap=tap)
        self._buffer = bytearray()
        self._arrival = asyncio.Event()
        self._is_listening = False
        self._is_lost = False

    async def _wait(self, asked: Request) -> bytes:
        times_closed = self._times_closed
        try:
            async with asyncio.timeout(asked.timeout_s):
                while (reply := self._whole_reply(asked.framing)) is None:
                    if times_closed != self._times_closed:
                        raise ReplyLost("the link was closed", bytes(self._buffer))
                    if self._is_lost:
                        raise ReplyLost("the connection was lost", bytes(self._buffer))
                    await self._arrived()
                return reply
        except TimeoutError:
            what = "half a reply" if self._buffer else "no reply"
            raise ReplyLost(f"{what} within {asked.timeout_s:g} s", bytes(self._buffer)) from None
        finally:
            self._is_listening = False

    def _listen(self) -> None:
        """Keep what arrives from now on: it may be the reply."""
        self._buffer.clear()
        self._is_listening = True

    def _whole_reply(self, framing: Framing) -> bytes | None:
        reply = whole_reply(framing, self._buffer)
        if reply is not None:
            self._is_listening = False
        return reply

    async def _arrived(self) -> None:
        self._arrival.clear()
        await self._arrival.wait()

    def _hear(self, data: bytes) -> None:
        if not self._is_listening:
            self._record(Direction.DISCARDED, data)
            return
        self._record(Direction.RECEIVED, data)
        self._buffer += data
        self._arrival.set()

    def _hung_up(self) -> None:
        """Note that the other end has gone: what is in flight fails, and the port must be taken anew."""
        self._is_open = False
        self._is_in_step = False
        self._lost()

    def _lost(self) -> None:
        self._is_lost = True
        self._arrival.set()

    async def _drain(self) -> bool:
        return True  # nothing is kept that nobody waits for
