"""Channels: named values of a control system (EPICS), read and written one at a time.

Channel access has traps that no return code shows: a write that times out may land later, a write that "succeeds" may
be clamped or forgotten, and a channel of a hung server stays connected and goes on giving its old value. So every read
goes to the server, carries the server's time, and is no reading when the server calls it invalid; and a write says only
that it was delivered: what became of it is for the driver to read back.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from drivers.clock import Clock
from drivers.command import Effect
from drivers.errors import DriverError, NotConnected, Unreadable
from drivers.links.base import LATE_MAX_S, untrusted
from drivers.links.tap import Direction, Tap

REPLY_S = 2.0

NO_ALARM, MINOR, MAJOR, INVALID = range(4)
"""Alarm severities."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelValue:
    """What a server says of a channel."""

    value: float | int | str
    severity: int = NO_ALARM
    stamp_s: float | None = None
    """When the server last processed it, in seconds since 1970; None where it does not say."""


class WriteLost(Exception):
    """A write left and was not confirmed."""


class Channels(ABC):
    """The channels of one device; a subclass moves the values.

    Args:
        prefix: What all names start with.
        name: The address, as messages show it.
        clock: The time.
        tap: What records reads and writes, as text.
    """

    def __init__(self, prefix: str, *, name: str, clock: Clock, tap: Tap | None = None) -> None:
        self.name = name
        self.tap = tap
        self.n_acts_sent = 0
        self._prefix = prefix
        self._clock = clock
        self._lock = asyncio.Lock()
        self._is_open = False
        self._running: set[asyncio.Task[Any]] = set()

    @property
    def is_open(self) -> bool:
        """Whether the channels may be asked."""
        return self._is_open

    async def open(self) -> None:
        """Let the channels be asked; the first that is shows whether its server is there."""
        if not self._is_open:
            await self._begin()
            self._is_open = True

    async def close(self) -> None:
        """Ask no more; safe to call twice."""
        if self._is_open:
            self._is_open = False
            await self._end()

    async def get(self, channel: str, *, timeout_s: float = REPLY_S) -> ChannelValue:
        """Read a channel from its server, never from a cache.

        Raises:
            NotConnected: Its server is not there.
            Unreadable: No answer in time, or the server calls the value invalid.
        """
        value = await self._alone(self._get(self._prefix + channel, timeout_s))
        self._record(Direction.RECEIVED, f"{channel} {value.value!r} {value.severity} {value.stamp_s}")
        if value.severity >= INVALID:
            raise Unreadable(f"the server calls {channel} = {value.value!r} invalid; see what its device says")
        return value

    async def put(
        self,
        channel: str,
        value: float | int | str,
        *,
        effect: Effect,
        timeout_s: float = REPLY_S,
        late_max_s: float = LATE_MAX_S,
    ) -> None:
        """Write a channel and wait until the server has processed it.

        Raises:
            NotConnected: Its server is not there; nothing was written.
            Ambiguous: Written, and not confirmed in time; it may land later.
        """
        self._record(Direction.SENT, f"{channel} {value!r}")
        if effect is not Effect.READ:
            self.n_acts_sent += 1
        try:
            await self._alone(self._put(self._prefix + channel, value, timeout_s))
        except WriteLost as error:
            raise untrusted(f"{channel} = {value!r}: {error}", effect=effect) from error

    def distrust(self, why: str, *, effect: Effect) -> DriverError:
        """Return the error for a value that cannot be; reads are never out of step here."""
        return untrusted(why, effect=effect)

    async def _alone(self, work: Coroutine[Any, Any, T]) -> T:
        """Do one thing at a time, to its end even if the caller is cancelled."""
        if not self._is_open:
            work.close()
            raise NotConnected(f"{self.name} is not open; call connect() first")
        task: asyncio.Task[T] = asyncio.ensure_future(self._locked(work))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def _locked(self, work: Coroutine[Any, Any, T]) -> T:
        async with self._lock:
            return await work

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # seen: the caller may have been cancelled and will not look

    def _record(self, direction: Direction, text: str) -> None:
        if self.tap is not None:
            self.tap.record(direction, text.encode())

    @abstractmethod
    async def _begin(self) -> None:
        """Get ready."""

    @abstractmethod
    async def _end(self) -> None:
        """Let go."""

    @abstractmethod
    async def _get(self, channel: str, timeout_s: float) -> ChannelValue:
        """Read, or raise NotConnected or Unreadable."""

    @abstractmethod
    async def _put(self, channel: str, value: float | int | str, timeout_s: float) -> None:
        """Write, or raise NotConnected or WriteLost."""


class ChannelServer(Protocol):
    """What sits behind channels in memory: a simulated IOC."""

    def get(self, channel: str, answer: Callable[[ChannelValue], None]) -> None:
        """Answer with the value of a channel, now, later or never.

        Raises:
            KeyError: There is no such channel.
            ConnectionError: The server is down.
        """
        ...

    def put(self, channel: str, value: float | int | str, done: Callable[[], None]) -> None:
        """Take a value, and call `done` when it has been processed.

        Raises:
            KeyError: There is no such channel.
            ConnectionError: The server is down.
        """
        ...


class MemoryChannels(Channels):
    """Channels of a simulated IOC in this process. For virtual time."""

    def __init__(self, server: ChannelServer, clock: Clock, *, name: str, tap: Tap | None = None) -> None:
        super().__init__("", name=name, clock=clock, tap=tap)
        self._server = server

    async def _begin(self) -> None:
        pass

    async def _end(self) -> None:
        pass

    async def _get(self, channel: str, timeout_s: float) -> ChannelValue:
        answered: asyncio.Future[ChannelValue] = asyncio.get_running_loop().create_future()
        self._reach(lambda: self._server.get(channel, lambda value: _settle(answered, value)), channel)
        try:
            async with asyncio.timeout(timeout_s):
                return await answered
        except TimeoutError:
            raise Unreadable(f"no answer for {channel} within {timeout_s:g} s; nothing was changed") from None

    async def _put(self, channel: str, value: float | int | str, timeout_s: float) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reach(lambda: self._server.put(channel, value, lambda: _settle(done, None)), channel)
        try:
            async with asyncio.timeout(timeout_s):
                await done
        except TimeoutError:
            raise WriteLost(f"not confirmed within {timeout_s:g} s") from None

    def _reach(self, ask: Callable[[], None], channel: str) -> None:
        try:
            ask()
        except KeyError:
            raise NotConnected(f"{self.name} has no channel {channel!r}; check the prefix") from None
        except ConnectionError as error:
            raise NotConnected(f"the server of {channel!r} is not there ({error})") from None


def _settle(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)
