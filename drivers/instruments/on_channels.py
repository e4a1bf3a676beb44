"""What drivers on channels share: typed reads that mean what the command means, and proof that a reading is fresh."""

from __future__ import annotations

import math
from dataclasses import dataclass

from drivers.clock import Clock
from drivers.command import Effect
from drivers.errors import DeviceFault, NotConnected, Unreadable
from drivers.links.base import untrusted
from drivers.links.channels import REPLY_S, Channels, ChannelValue

POLL_S = 0.25
FIND_S = 6.0
"""A server is searched for at growing intervals: the first channel of a device may take that long on a busy host."""


async def read_value(link: Channels, channel: str, effect: Effect, *, timeout_s: float = REPLY_S) -> ChannelValue:
    """Read a channel; behind an act (an effect other than READ) what is not answered leaves the act unknown.

    Raises:
        NotConnected: Its server is not there; only with READ.
        Unreadable: No value that can be trusted; only with READ.
        Ambiguous: Either, after an act.
    """
    try:
        return await link.get(channel, timeout_s=timeout_s)
    except (NotConnected, Unreadable) as error:
        if effect is Effect.READ:
            raise
        raise untrusted(error.message, effect=effect) from error


async def read_number(link: Channels, channel: str, effect: Effect = Effect.READ) -> float:
    """Read a finite number; errors as in `read_value`."""
    value = (await read_value(link, channel, effect)).value
    if isinstance(value, str) or not math.isfinite(value):
        raise link.distrust(f"{channel} = {value!r} is no number", effect=effect)
    return float(value)


async def read_whole(link: Channels, channel: str, effect: Effect = Effect.READ) -> int:
    """Read a whole number, also from a channel that carries them as floats; errors as in `read_value`."""
    number = await read_number(link, channel, effect)
    if number != int(number):
        raise link.distrust(f"{channel} = {number!r} is no whole number", effect=effect)
    return int(number)


async def read_text(link: Channels, channel: str, effect: Effect = Effect.READ, *, timeout_s: float = REPLY_S) -> str:
    """Read a text; errors as in `read_value`."""
    value = (await read_value(link, channel, effect, timeout_s=timeout_s)).value
    if not isinstance(value, str):
        raise link.distrust(f"{channel} = {value!r} is no text", effect=effect)
    return value.strip()


async def check_unit(link: Channels, channel: str, unit: str, effect: Effect = Effect.READ) -> None:
    """Hold the unit that a channel names against the one that is expected.

    Ask after the value, not before: what changed before the value was read then shows.

    Raises:
        Unreadable: It is another one; with READ.
        DeviceFault: It is another one, behind an act: nothing can be read back until a person has put it right.
    """
    found = await read_text(link, channel, effect)
    if found == unit:
        return
    problem = f"{channel} says {found!r} and not {unit!r}; somebody changed the unit"
    if effect is Effect.READ:
        raise link.distrust(problem, effect=effect)
    raise DeviceFault(f"{problem} while this was carried out; put it back", code="unit", needs_operator=True)


async def write_next(link: Channels, channel: str, value: float | int | str, effect: Effect) -> None:
    """Write a channel behind other writes of the same command.

    Raises:
        Ambiguous: Not confirmed, or not written although the writes before were.
    """
    try:
        await link.put(channel, value, effect=effect)
    except NotConnected as error:
        raise untrusted(error.message, effect=effect) from error


@dataclass(slots=True, kw_only=True)
class Scanned:
    """A channel that its server updates all the time, so that a reading which stands still is none.

    A server whose device is gone, or a gateway, may go on giving the last value. The clocks of server and reader need
    not agree, only run alike: once the stamp was seen to move, its lag behind the reader's clock is known, and a value
    that lags further by `stale_s` is old.
    """

    channel: str
    stale_s: float
    _lag_s: float | None = None

    async def read(self, link: Channels, clock: Clock) -> float:
        """Read a number that is fresh; waits for the next update if it must.

        Raises:
            NotConnected: Its server is not there.
            Unreadable: The server has not updated it for `stale_s`, or it cannot be trusted.
        """
        value = await link.get(self.channel)
        if value.stamp_s is not None and self._is_old(value.stamp_s, clock.now_s()):
            value = await self._moved(link, clock, value.stamp_s)
        if isinstance(value.value, str) or not math.isfinite(value.value):
            raise link.distrust(f"{self.channel} = {value.value!r} is no number", effect=Effect.READ)
        return float(value.value)

    def _is_old(self, stamp_s: float, now_s: float) -> bool:
        if self._lag_s is None:
            return True
        self._lag_s = min(self._lag_s, now_s - stamp_s)
        return now_s - stamp_s > self._lag_s + self.stale_s

    async def _moved(self, link: Channels, clock: Clock, stamp_s: float) -> ChannelValue:
        self._lag_s = None
        give_up_s = clock.now_s() + self.stale_s
        while clock.now_s() < give_up_s:
            await clock.sleep(POLL_S)
            value = await link.get(self.channel)
            if value.stamp_s is not None and value.stamp_s != stamp_s:
                self._lag_s = clock.now_s() - value.stamp_s
                return value
        problem = f"the server has not updated {self.channel} for {self.stale_s:g} s: its device may be gone"
        raise link.distrust(problem, effect=Effect.READ)
