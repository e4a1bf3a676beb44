"""The TCP link: a socket on the event loop.

A socket remembers: a reply that comes late would be taken for the answer to the next question. So a distrusted
connection is listened to for as long as a late reply may take (a terminal server hands it to whoever is connected), and
then replaced, so that what comes later still dies with it. Devices that serve one request per connection (HTTP) get a
fresh one each time.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
from typing import cast

from filelock import FileLock

from drivers.clock import Clock
from drivers.errors import NotConnected
from drivers.links.arrival import ArrivalLink
from drivers.links.base import ReplyLost, Request
from drivers.links.lease import take_lease
from drivers.links.tap import Direction, Tap
from drivers.links.url import HttpAddress, TcpAddress

CONNECT_S = 5.0
"""A device that does not take a connection, or say hello on it, within this is absent."""


class TcpLink(ArrivalLink):
    """A connection to one device.

    Args:
        address: Where it listens.
        clock: The time.
        fresh: Connect anew for every exchange.
        part: What of the port is held, where several share it by design: a Modbus unit behind a gateway, say.
        tap: What records the bytes.
    """

    starts_in_step = True

    def __init__(
        self,
        address: TcpAddress | HttpAddress,
        clock: Clock,
        *,
        fresh: bool = False,
        part: str = "",
        tap: Tap | None = None,
    ) -> None:
        super().__init__(str(address), clock, tap=tap)
        self._address = address
        self._part = part
        self._is_fresh = fresh
        self._ear: _Ear | None = None
        self._leases: list[FileLock] = []

    async def _take_port(self) -> None:
        try:
            for host in await self._hosts():
                self._leases.append(take_lease(f"{host}:{self._address.port}{self._part}"))
            await self._connect()
            if self._is_fresh:
                await self._hang_up()
        except BaseException:
            await self._give_port()
            raise

    async def _give_port(self) -> None:
        self._arrival.set()
        await self._hang_up()
        while self._leases:
            self._leases.pop().release()

    async def _transact(self, asked: Request) -> bytes:
        if self._is_fresh:
            await self._connect()
        try:
            self._listen()
            self._write(asked.data)
            return await self._wait(asked)
        finally:
            if self._is_fresh:
                await self._hang_up()

    async def _send_unanswered(self, data: bytes) -> None:
        if not self._is_fresh:  # a fresh connection is in step by itself, and the request follows at once
            self._write(data)

    async def _resynchronise(self) -> None:
        if self._is_fresh:
            return
        await super()._resynchronise()
        try:
            await self._connect()
        except NotConnected:
            self._hung_up()
            raise

    async def _hosts(self) -> list[str]:
        """Return the numbers behind a name: a lease under one name must hold under all others."""
        host = self._address.host
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            pass
        try:
            async with asyncio.timeout(CONNECT_S):
                found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except TimeoutError:
            raise self._unreachable(f"no answer about its name within {CONNECT_S:g} s") from None
        except (OSError, UnicodeError) as error:
            raise self._unreachable(_problem(error)) from error
        return sorted({str(sockaddr[0]) for *_, sockaddr in found})

    async def _connect(self) -> None:
        await self._hang_up()
        self._is_lost = False
        ear = self._ear = _Ear(self)
        try:
            async with asyncio.timeout(CONNECT_S):
                await asyncio.get_running_loop().create_connection(
                    lambda: ear, host=self._address.host, port=self._address.port
                )
                await self._greeted(ear)
            if ear is not self._ear:
                raise ReplyLost("it hung up" if self._is_lost else "the link was closed")
        except BaseException as error:
            await self._hang_up()
            await ear.hang_up()
            if isinstance(error, OSError | UnicodeError | ReplyLost):
                raise self._why_not_connected(error, ear) from error
            raise

    def _why_not_connected(self, error: Exception, ear: _Ear) -> NotConnected:
        if isinstance(error, ReplyLost):
            return NotConnected(f"{self.name} does not begin as it should: {error}; is this the right device?")
        if isinstance(error, TimeoutError):
            what = "says no hello" if ear.is_connected else "does not take a connection"
            return NotConnected(f"{self.name} {what} within {CONNECT_S:g} s; is this the right device?")
        return self._unreachable(_problem(error))

    def _unreachable(self, problem: str) -> NotConnected:
        return NotConnected(f"{self.name} cannot be reached ({problem}); is it on, and is the port right?")

    async def _greeted(self, ear: _Ear) -> None:
        while self.greeting is not None and ear is self._ear and self._whole_reply(self.greeting) is None:
            await self._arrived()

    def _write(self, data: bytes) -> None:
        if self._ear is None or not self._ear.write(data):
            self._hung_up()
            raise NotConnected(f"{self.name} hung up; connect again")
        self._record(Direction.SENT, data)

    async def _hang_up(self) -> None:
        """Let the connection go, and wait until its socket is closed: many devices take one at a time."""
        ear, self._ear = self._ear, None
        self._is_listening = False
        if ear is not None:
            await ear.hang_up()

    def made(self, ear: _Ear) -> bool:
        """Say whether a new connection is wanted still, and listen to it for a greeting."""
        if ear is not self._ear:
            return False
        if self.greeting is not None:
            self._listen()
        return True

    def heard(self, ear: _Ear, data: bytes) -> None:
        """Take bytes of the connection in use; those of one that was given up are thrown away."""
        if ear is self._ear:
            self._hear(data)
        else:
            self._record(Direction.DISCARDED, data)

    def lost(self, ear: _Ear) -> None:
        """Note that a connection ended."""
        if ear is not self._ear:
            return
        self._ear = None
        if self._is_fresh:
            self._lost()
        else:
            self._hung_up()


def _problem(error: Exception) -> str:
    # asyncio says of a connection only that it failed; the number says why
    number = getattr(error, "errno", None) or 0
    return os.strerror(number) if number > 0 else getattr(error, "strerror", None) or str(error)


class _Ear(asyncio.Protocol):
    """One connection."""

    def __init__(self, link: TcpLink) -> None:
        self.is_connected = False
        self._link = link
        self._transport: asyncio.Transport | None = None
        self._is_gone = asyncio.Event()

    def write(self, data: bytes) -> bool:
        """Send; False if the other end is known to have hung up."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._transport.write(data)
        return True

    async def hang_up(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.abort()
            await self._is_gone.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.is_connected = True
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if not self._link.made(self):
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._link.heard(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_gone.set()
        self._link.lost(self)
