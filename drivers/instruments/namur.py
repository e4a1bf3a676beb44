r"""NAMUR commands of laboratory devices: lines that end with a blank, CR and LF; only reads are answered.

    OUT_SP_4 300 \r\nIN_SP_4 \r\n   ->  300.0 4\r\n

A write has no acknowledgement, so it is sent together with a read behind it: the reply to the read is the proof that
the write came first. (NAMUR recommendation rev. 1.1, as IKA's manuals give it.)
"""

from __future__ import annotations

import re

from drivers.command import Effect
from drivers.links.base import Link
from drivers.links.framing import Line

REPLY_S = 1.0
LATE_MAX_S = 0.5
REPLY = Line(b"\r\n", longest=200)
"""One reply; some devices put a blank before its end."""

_VALUE = re.compile(r"(-?\d+(?:\.\d+)?) (\d+)")
_ECHO = re.compile(r"(\d+(?:\.\d+)?)")
_STATUS = re.compile(r"S[012]|[123]S|-\d{1,2}")


def lines(*commands: str) -> bytes:
    """Return the bytes of commands that are sent together; the last is a read."""
    return b"".join(b"%b \r\n" % command.encode("ascii") for command in commands)


def value_of(reply: str, channel: int) -> float:
    """Return the value in a reply to ``IN_PV_X`` or ``IN_SP_X``.

    Raises:
        ValueError: It is no value, or one of another channel.
    """
    match = _VALUE.fullmatch(reply)
    if match is None or int(match[2]) != channel:
        raise ValueError(f"{reply!r} is no value of channel {channel}")
    return float(match[1])


def echo_of(reply: str) -> float:
    """Return the value that a command with ``@`` echoes.

    Raises:
        ValueError: It is none.
    """
    match = _ECHO.fullmatch(reply)
    if match is None:
        raise ValueError(f"{reply!r} is no echo")
    return float(match[1])


class NamurPort:
    """A NAMUR device at the end of a link. What it says is read strictly: its lines carry no checksum."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def ask(self, *commands: str, effect: Effect, urgent: bool = False) -> str:
        """Send commands together, and return the reply to the last, a read."""
        reply = await self._link.exchange(
            lines(*commands), framing=REPLY, timeout_s=REPLY_S, effect=effect, late_max_s=LATE_MAX_S, urgent=urgent
        )
        return reply.decode("latin-1").removesuffix(" ")

    async def value(self, *commands: str, channel: int, effect: Effect) -> float:
        """Send commands that end with a read of a channel, and return its value."""
        reply = await self.ask(*commands, effect=effect)
        try:
            return value_of(reply, channel)
        except ValueError as error:
            raise self._link.distrust(str(error), effect=effect) from None

    async def echoed(self, request: str, value: int, *, effect: Effect) -> None:
        """Send a command that echoes its value, and check the echo."""
        reply = await self.ask(request, effect=effect)
        try:
            is_right = echo_of(reply) == value
        except ValueError:
            is_right = False
        if not is_right:
            raise self._link.distrust(f"{reply!r} is no echo of {request}", effect=effect)

    async def status(self, *commands: str, effect: Effect, urgent: bool = False) -> str:
        """Send commands, and return the status after them: ``S0``, ``S1``, ``S2``, or a negative error code."""
        status = await self.ask(*commands, "STATUS", effect=effect, urgent=urgent)
        if not _STATUS.fullmatch(status):
            raise self._link.distrust(f"{status!r} is no status", effect=effect)
        return status
