"""Ports: an instrument on a pseudo-terminal or a loopback socket, in wall time."""

from __future__ import annotations

import asyncio
import os
import tty
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

from simulators.world import Instrument

PIECE = 65_536
LOOPBACK = "127.0.0.1"


class PtyPort:
    """One instrument on a pseudo-terminal; use it on a running event loop.

    The port keeps its own end of the terminal open, so that clients may come and go.
    """

    def __init__(self, instrument: Instrument, loop: asyncio.AbstractEventLoop) -> None:
        self._instrument = instrument
        self._loop = loop
        self._master, self._slave = os.openpty()
        # before anybody opens it: a terminal that echoes would answer the instrument with its own replies
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._waiting: deque[bytes] = deque()
        self.path = os.ttyname(self._slave)
        """The device that a client opens."""
        instrument.send = self._send
        instrument.hang_up = self._drop
        loop.add_reader(self._master, self._readable)

    def close(self) -> None:
        """Take the port away; safe to call twice."""
        if self._master < 0:
            return
        self._instrument.send = self._instrument.hang_up = None
        self._loop.remove_reader(self._master)
        self._loop.remove_writer(self._master)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1

    def _readable(self) -> None:
        self._instrument.receive(os.read(self._master, PIECE))

    def _drop(self) -> None:
        """Do nothing: a serial line has no connection that an instrument could drop."""

    def _send(self, data: bytes) -> None:
        self._waiting.append(data)
        self._writable()

    def _writable(self) -> None:
        # a terminal holds about 4 kB; a client that died with more than that on the way must not stop us
        while self._waiting:
            try:
                written = os.write(self._master, self._waiting[0])
            except BlockingIOError:
                break
            rest = self._waiting.popleft()[written:]
            if rest:
                self._waiting.appendleft(rest)
        if self._waiting:
            self._loop.add_writer(self._master, self._writable)
        else:
            self._loop.remove_writer(self._master)


class TcpPort:
    """One instrument behind a socket, for several connections: what it has to say goes to whoever spoke last.

    A request must come in one piece where others are connected. Build it by `open`.
    """

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._server: asyncio.Server | None = None
        self._transports: list[asyncio.Transport] = []
        self.host = LOOPBACK
        self.port = 0

    @classmethod
    async def open(cls, instrument: Instrument, *, host: str = LOOPBACK, port: int = 0) -> TcpPort:
        """Listen; port 0 takes any that is free.

        Raises:
            OSError: The port is taken, or is not this user's to use.
        """
        self = cls(instrument)
        self._server = await asyncio.get_running_loop().create_server(lambda: _Session(self), host, port)
        self.host, self.port = self._server.sockets[0].getsockname()[:2]
        return self

    async def close(self) -> None:
        """Stop listening and drop who is connected; safe to call twice."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            self._drop()
            await server.wait_closed()

    def connected(self, transport: asyncio.Transport) -> None:
        """Take a new connection."""
        self._transports.append(transport)
        self._instrument.send = transport.write
        self._instrument.hang_up = self._drop
        greet = getattr(self._instrument, "greet", None)
        if greet is not None:
            greet()

    def heard(self, transport: asyncio.Transport, data: bytes) -> None:
        """Hand over what a connection says."""
        self._instrument.send = transport.write
        self._instrument.receive(data)

    def lost(self, transport: asyncio.Transport) -> None:
        """Note that a connection ended."""
        self._transports.remove(transport)
        if self._transports:
            self._instrument.send = self._transports[-1].write
        else:
            self._instrument.send = self._instrument.hang_up = None

    def _drop(self) -> None:
        for transport in self._transports:
            transport.abort()


class _Session(asyncio.Protocol):
    """One connection to a port."""

    def __init__(self, port: TcpPort) -> None:
        self._port = port
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._port.connected(self._transport)

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            self._port.heard(self._transport, data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._port.lost(self._transport)


@asynccontextmanager
async def opened(
    instruments: Mapping[str, Instrument], *, host: str = LOOPBACK, port: int = 0
) -> AsyncIterator[dict[str, str]]:
    """Serve instruments on real ports, and give the URL of each.

    Args:
        instruments: By name.
        host: Where sockets listen.
        port: The port of the first instrument that has a socket; the next ones follow. 0 takes any that are free.
    """
    async with AsyncExitStack() as ports:
        urls = {}
        for name, instrument in instruments.items():
            urls[name], used = await _open(instrument, ports, host, port)
            port += 1 if port and used else 0
        yield urls


async def _open(instrument: Any, ports: AsyncExitStack, host: str, port: int) -> tuple[str, bool]:
    """Return an instrument's URL, and whether it took a socket."""
    unit = getattr(instrument, "unit", 1)
    match instrument.wire:
        case "serial" | "modbus+rtu":
            pty = PtyPort(instrument, asyncio.get_running_loop())
            ports.callback(pty.close)
            unit_option = f"&unit={unit}" if instrument.wire == "modbus+rtu" else ""
            return f"{instrument.wire}://{pty.path}?baud=115200{unit_option}", False
        case "ca":
            from simulators.ioc import IocPort

            ioc = await IocPort.open(instrument, host=host, port=port)
            ports.push_async_callback(ioc.close)
            return ioc.url, True
    tcp = await TcpPort.open(instrument, host=host, port=port)
    ports.push_async_callback(tcp.close)
    rest = f"/{unit}" if instrument.wire == "modbus+tcp" else ""
    return f"{instrument.wire}://{tcp.host}:{tcp.port}{rest}", True
