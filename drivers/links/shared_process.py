"""The process that owns a shared port: ``python -m drivers.links.shared_process URL``.

It holds one port and makes the exchanges of all its clients, one at a time, with the lock, deadline and distrust of any
other link: what one client distrusts, the others wait for too. It opens the port for its first client and closes it
after its last.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from drivers.clock import RealClock
from drivers.command import Effect
from drivers.errors import DriverError, NotConnected, Rejected
from drivers.links.base import BaseLink
from drivers.links.opening import byte_link
from drivers.links.shared_wire import (
    LONGEST_MESSAGE,
    error_row,
    framing_of,
    packed,
    port_name,
    socket_path,
)
from drivers.links.url import BadURL, ByteAddress, SharedAddress, parse_url

Tasks = dict[int, asyncio.Task[None]]


class SharedPort:
    """One port and its clients.

    Args:
        link: The port.
        name: What tells it apart.
    """

    def __init__(self, link: BaseLink, name: str) -> None:
        self.link = link
        self.name = name
        self.clients = 0
        self.is_idle = asyncio.Event()
        self._users: set[int] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it hangs up; what it asked for and was not begun is not sent."""
        tasks: Tasks = {}
        self.clients += 1
        self._writers.add(writer)
        self.is_idle.clear()
        try:
            while (line := await reader.readline()).endswith(b"\n"):
                self._take(json.loads(line), writer, tasks)
        except (OSError, ValueError, KeyError):
            pass  # whoever talks nonsense is hung up on
        finally:
            await self._left(writer, tasks)

    def hang_up(self) -> None:
        """Hang up on every client."""
        for writer in self._writers:
            writer.close()

    async def _left(self, writer: asyncio.StreamWriter, tasks: Tasks) -> None:
        for task in tasks.values():
            task.cancel()
        self._users.discard(id(writer))
        self._writers.discard(writer)
        writer.close()
        if not self._users:
            await self.link.close()
        self.clients -= 1
        if not self.clients:
            self.is_idle.set()

    def _take(self, message: Mapping[str, Any], writer: asyncio.StreamWriter, tasks: Tasks) -> None:
        match message["op"]:
            case "cancel":
                if (task := tasks.get(message["of"])) is not None:
                    task.cancel()
            case "distrust":
                self.link.distrust(str(message["why"]), effect=Effect(message["effect"]))
            case _:
                number = int(message["id"])
                task = tasks[number] = asyncio.create_task(self._answer(message, writer))
                task.add_done_callback(lambda _: tasks.pop(number, None))

    async def _answer(self, message: Mapping[str, Any], writer: asyncio.StreamWriter) -> None:
        try:
            answer = await self._do(message, writer)
        except DriverError as error:
            answer = {"error": error_row(error)}
        with suppress(OSError):
            writer.write(packed({"id": message["id"], "is_open": self.link.is_open, **answer}))
            await writer.drain()

    async def _do(self, message: Mapping[str, Any], writer: asyncio.StreamWriter) -> dict[str, Any]:
        match message["op"]:
            case "open":
                await self._open(message, writer)
                return {}
            case "exchange":
                data = await self.link.exchange(
                    bytes.fromhex(message["data"]),
                    framing=framing_of(message["framing"]),
                    timeout_s=float(message["timeout_s"]),
                    effect=Effect(message["effect"]),
                    late_max_s=float(message["late_max_s"]),
                    urgent=bool(message["urgent"]),
                )
                return {"data": data.hex()}
        raise Rejected(f"no operation is called {message['op']!r}")

    async def _open(self, message: Mapping[str, Any], writer: asyncio.StreamWriter) -> None:
        asked = _port_of(message["url"])
        if port_name(asked) != self.name:
            raise NotConnected(f"the process of this port has it as {self.name}; write it so everywhere")
        if message["greeting"] is not None:
            self.link.greeting = framing_of(message["greeting"])
        self._users.add(id(writer))
        try:
            await self.link.open()
        except BaseException:
            self._users.discard(id(writer))
            raise


async def serve(listener: socket.socket, address: ByteAddress, *, linger_s: float) -> None:
    """Serve a port until SIGTERM, or until nobody has been there for `linger_s` (0: for ever)."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    port = SharedPort(byte_link(address, RealClock()), port_name(address))
    server = await asyncio.start_unix_server(port.serve, sock=listener, limit=LONGEST_MESSAGE)
    idling = asyncio.create_task(_idle(port, ended, linger_s))
    await ended.wait()
    idling.cancel()
    server.close()
    port.hang_up()
    await port.link.close()


async def _idle(port: SharedPort, ended: asyncio.Event, linger_s: float) -> None:
    while linger_s:
        await asyncio.sleep(linger_s)
        if not port.clients:
            ended.set()
        await port.is_idle.wait()


def main(argv: Sequence[str] | None = None) -> int:
    """Own a port; returns the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m drivers.links.shared_process", description="Own one port.")
    parser.add_argument("url", help="the port, without shared:")
    parser.add_argument("--detach", action="store_true", help="return once it listens, and go on in the background")
    parser.add_argument("--linger", type=float, default=0.0, help="seconds after the last client; 0 stays for ever")
    asked = parser.parse_args(argv)
    try:
        address = _port_of(asked.url)
        path = socket_path(address)
        lock = _only_one(path)
    except (BadURL, DriverError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if lock is None:  # another process has it, or is about to
        return 0
    listener = _listening(path)
    if asked.detach and os.fork():
        os._exit(0)
    asyncio.run(serve(listener, address, linger_s=asked.linger))
    path.unlink(missing_ok=True)
    os.close(lock)
    return 0


def _port_of(url: str) -> ByteAddress:
    address = parse_url(url.removeprefix("shared:"))
    if isinstance(address, SharedAddress) or not isinstance(address, ByteAddress):
        raise BadURL(f"{url!r} is no port whose bytes can be shared")
    return address


def _only_one(path: Path) -> int | None:
    """Return the descriptor that holds the lock of a socket; it lives as long as this process or its child."""
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _listening(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(16)
    return listener


if __name__ == "__main__":
    sys.exit(main())
