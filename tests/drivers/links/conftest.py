"""A scripted device behind every kind of link: in memory, on a pseudo-terminal, behind a socket."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import serial
from serial import rfc2217

from drivers.clock import Clock, RealClock, VirtualClock, VirtualLoop, run_virtual
from drivers.links.base import BaseLink
from drivers.links.memory import MemoryLink
from drivers.links.serial import SerialLink
from drivers.links.tap import Tap
from drivers.links.tcp import TcpLink
from drivers.links.url import SerialAddress, TcpAddress
from simulators.ports import PtyPort, TcpPort

Use = Callable[[BaseLink, Clock], Awaitable[None]]

STALL_S = 0.05
"""The longest that an event loop may stand still for a link."""


def in_memory(device: Any, use: Use) -> None:
    """Use a device over the in-memory link, in virtual time."""
    loop = VirtualLoop()
    clock = VirtualClock(loop)

    async def main() -> None:
        await _used(MemoryLink(device, clock, name="sim:test/device", tap=Tap(clock)), clock, use)

    run_virtual(main(), loop=loop)


def on_pty(device: Any, use: Use) -> None:
    """Use a device over pyserial on a real pseudo-terminal, in wall time."""
    clock = RealClock()

    async def main() -> None:
        port = PtyPort(device, asyncio.get_running_loop())
        try:
            await _used(SerialLink(SerialAddress(path=port.path), clock, tap=Tap(clock)), clock, use)
        finally:
            port.close()

    asyncio.run(main())


def on_tcp(device: Any, use: Use) -> None:
    """Use a device over a real socket, in wall time."""
    clock = RealClock()

    async def main() -> None:
        port = await TcpPort.open(device)
        try:
            await _used(TcpLink(TcpAddress(host=port.host, port=port.port), clock, tap=Tap(clock)), clock, use)
        finally:
            await port.close()

    asyncio.run(main())


async def _used(link: BaseLink, clock: Clock, use: Use) -> None:
    try:
        await link.open()
        await use(link, clock)
    finally:
        await link.close()


@pytest.fixture(params=[in_memory, on_pty, on_tcp], ids=["memory", "pty", "tcp"])
def using(request: pytest.FixtureRequest) -> Callable[[Any, Use], None]:
    return request.param


class Stalls:
    """How long the event loop stood still, watched while this runs."""

    def __init__(self) -> None:
        self.worst_s = 0.0

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        task = asyncio.ensure_future(self._watch())
        try:
            yield
        finally:
            task.cancel()

    async def _watch(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0)
            self.worst_s = max(self.worst_s, time.monotonic() - before)
            await asyncio.sleep(0.002)


@pytest.fixture
def stalls() -> Stalls:
    return Stalls()


class ModemlessSerial(serial.Serial):
    """A pseudo-terminal has neither modem lines nor line settings, and using them fails."""

    cts = dsr = ri = cd = property(lambda self: False)  # type: ignore[assignment]

    def _update_dtr_state(self) -> None: ...

    def _update_rts_state(self) -> None: ...

    def _reconfigure_port(self, force_update: bool = False) -> None:
        if not self.is_open:
            super()._reconfigure_port(force_update)


class TerminalServer:
    """A serial port served over RFC 2217 by pyserial's own server part, in threads; one client at a time."""

    def __init__(self, path: str) -> None:
        self._serial = ModemlessSerial(path, timeout=0.01)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._client: socket.socket | None = None
        self._is_over = threading.Event()
        self.settings: list[tuple[int, int, str, float]] = []
        """The line settings at each request."""
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._accept, self._pass_back)]
        for thread in self._threads:
            thread.start()

    def drop(self) -> None:
        """Hang up."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(OSError):  # it may have hung up first
                client.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """Hang up and listen no more."""
        self._is_over.set()
        self.drop()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()
        self._serial.close()

    def write(self, data: bytes) -> None:
        """Send; called by the port manager."""
        if self._client is not None:
            self._client.sendall(data)

    def _accept(self) -> None:
        while not self._is_over.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._client = client
            self._manager = rfc2217.PortManager(self._serial, self)
            with client:
                self._pass_on(client)

    def _pass_on(self, client: socket.socket) -> None:
        while True:
            try:
                data = client.recv(1024)
            except OSError:
                return
            if not data:
                return
            payload = b"".join(self._manager.filter(data))
            if payload:
                line = self._serial
                self.settings.append((line.baudrate, line.bytesize, line.parity, line.stopbits))
                line.write(payload)

    def _pass_back(self) -> None:
        while not self._is_over.is_set():
            try:
                data = self._serial.read(self._serial.in_waiting or 1)
                if data and self._client is not None:
                    self._client.sendall(b"".join(self._manager.escape(data)))
            except OSError:
                if self._is_over.wait(0.01):
                    return


@pytest.fixture(scope="session")
def terminal_server_kind() -> type[TerminalServer]:
    return TerminalServer


@pytest.fixture
def nothing_left():
    """See that no socket and no thread outlives a test."""
    before = set(threading.enumerate())
    yield
    gc.collect()  # unclosed sockets warn here, and warnings are errors
    left = set(threading.enumerate()) - before
    for thread in left:
        thread.join(5.0)
    assert not [thread.name for thread in left if thread.is_alive()]
