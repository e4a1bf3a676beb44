"""Channels over EPICS channel access.

Every read goes to the server and has its own deadline; nothing is monitored and nothing is kept. A write is delivered
when the server answers a read that was sent behind it (see `drivers.links.libca`); that says nothing of what the
record made of it. A hung server first gives no answer in time, and is not connected after `CONNECTION_S`; channels of
a server that comes back connect by themselves, and whoever used them must look what it remembers.

What a hung server had not taken yet when it hung, it may carry out when it goes on, however late that is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from drivers.clock import Clock
from drivers.errors import NotConnected, Rejected, Unreadable
from drivers.links import libca
from drivers.links.channels import Channels, ChannelValue, WriteLost
from drivers.links.libca import LONGEST_TEXT, NORMAL, NOT_WRITTEN, CaContext, Reply, forget
from drivers.links.tap import Tap
from drivers.links.url import CaAddress

LOOPBACK = ("127.0.0.1",)
"""Who is asked where the address names no server: the default port, on this machine."""
POLL_S = 0.01


class CaChannels(Channels):
    """Channels of an EPICS server. For wall time."""

    def __init__(self, address: CaAddress, clock: Clock, *, tap: Tap | None = None) -> None:
        super().__init__(address.prefix, name=str(address), clock=clock, tap=tap)
        self._servers = address.servers or LOOPBACK
        self._context: CaContext | None = None
        self._used: set[str] = set()

    async def _begin(self) -> None:
        self._context = libca.borrow(self._servers)

    async def _end(self) -> None:
        context, self._context = self._context, None
        if context is not None:
            used, self._used = self._used, set()
            context.submit(context.release, used)
            libca.give_back(self._servers)

    async def _get(self, channel: str, timeout_s: float) -> ChannelValue:
        give_up_s = asyncio.get_running_loop().time() + timeout_s
        context = await self._connected(channel, give_up_s)
        reply = await _reply(context, give_up_s, context.ask, channel)
        if reply is None:
            raise Unreadable(f"no answer for {channel} within {timeout_s:g} s; nothing was changed")
        if reply.value is None:
            raise Unreadable(f"{channel} was not read: {reply.problem}; nothing was changed")
        return reply.value

    async def _put(self, channel: str, value: float | int | str, timeout_s: float) -> None:
        if isinstance(value, str) and len(value) > LONGEST_TEXT:
            raise Rejected(f"{channel}: {value!r} is longer than {LONGEST_TEXT} characters; nothing was written")
        give_up_s = asyncio.get_running_loop().time() + timeout_s
        context = await self._connected(channel, give_up_s)
        if await _done(context, give_up_s, context.may_write, channel) is False:
            raise Rejected(f"the server lets nobody here write {channel}; nothing was written")
        reply = await _reply(context, give_up_s, context.write, channel, value)
        if reply is None:
            raise WriteLost(f"not confirmed within {timeout_s:g} s")
        if reply.status == NOT_WRITTEN:
            raise NotConnected(f"the server of {channel} went away; nothing was written")
        if reply.status != NORMAL:
            raise WriteLost(reply.problem)

    async def _connected(self, channel: str, give_up_s: float) -> CaContext:
        """Wait until a channel is connected."""
        context = self._context
        if context is None:
            raise NotConnected(f"{self.name} is not open; call connect() first")
        if channel not in self._used:
            self._used.add(channel)
            await _done(context, give_up_s, context.use, channel)
        while not await _done(context, give_up_s, context.is_connected, channel):
            if asyncio.get_running_loop().time() >= give_up_s:
                raise NotConnected(f"no server answers for {channel}; asked were {', '.join(self._servers)}")
            await asyncio.sleep(POLL_S)
        return context


async def _reply(context: CaContext, give_up_s: float, ask: Callable[..., int], *arguments: Any) -> Reply | None:
    """Send a request and wait for what comes of it; None if nothing does in time."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[Reply] = loop.create_future()

    def answer(reply: Reply) -> None:  # on a thread of the library
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, reply)

    def settle(reply: Reply) -> None:
        if not answered.done():
            answered.set_result(reply)

    number = await _done(context, give_up_s, ask, *arguments, answer)
    if number is None:
        return None
    try:
        async with asyncio.timeout_at(give_up_s):
            return await answered
    except TimeoutError:
        return None
    finally:
        forget(number)


async def _done(context: CaContext, give_up_s: float, work: Callable[..., Any], *arguments: Any) -> Any:
    """Do something on the context's thread and return what it gives; None if its turn does not come in time."""
    try:
        async with asyncio.timeout_at(give_up_s):
            return await asyncio.wrap_future(context.submit(work, *arguments))
    except TimeoutError:
        return None
