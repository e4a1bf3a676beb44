"""The serial link: pyserial in one worker thread per port, on this machine or behind a terminal server (RFC 2217).

pyserial blocks, times every byte and not the reply, and takes a cut line for a line; so the thread reads in short
slices against one deadline and a framing decides what is a reply. Its errors are all `OSError`, and `is_open` stays
true on a port that has gone.
"""

from __future__ import annotations

import asyncio
import errno
import math
import socket
import termios
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import serial
from filelock import FileLock
from serial import rfc2217

from drivers.clock import Clock
from drivers.errors import NotConnected
from drivers.links.base import BaseLink, ReplyLost, Request, whole_reply
from drivers.links.lease import take_lease
from drivers.links.tap import Direction, Tap
from drivers.links.url import Rfc2217Address, SerialAddress

SLICE_S = 0.02
"""Longest single read: how soon the worker notices a deadline or a close."""
WRITE_TIMEOUT_S = 2.0
BABBLE_S = 1.0
"""A line that does not fall silent for a slice within this is out of order."""

Port = serial.Serial | rfc2217.Serial


class SerialLink(BaseLink):
    """A serial port, held exclusively.

    Args:
        address: Which port, and its settings.
        clock: The time.
        pause_s: Silence that the line needs before a request (Modbus RTU tells frames apart by it).
        tap: What records the bytes.
    """

    def __init__(
        self,
        address: SerialAddress | Rfc2217Address,
        clock: Clock,
        *,
        pause_s: float = 0.0,
        tap: Tap | None = None,
    ) -> None:
        super().__init__(str(address), clock, tap=tap)
        self._address = address
        self._where = _where(address)
        self._pause_s = pause_s
        self._passed_s = -math.inf
        """When bytes passed last."""
        self._port: Port | None = None
        self._held: list[FileLock] = []
        self._worker: ThreadPoolExecutor | None = None
        self._is_closing = threading.Event()
        self._retired: Future[None] | None = None

    async def _take_port(self) -> None:
        if self._retired is not None:  # a worker that opens or closes for a caller who did not wait
            await asyncio.shield(asyncio.wrap_future(self._retired))
        self._is_closing.clear()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=f"link {self._where}")
        try:
            await self._in_worker(self._open_blocking)
        except BaseException:
            self._retire_worker()
            raise

    async def _give_port(self) -> None:
        if self._worker is None:
            return
        self._is_closing.set()
        try:
            await self._in_worker(self._close_blocking)
        finally:
            self._retire_worker()

    def _retire_worker(self) -> None:
        """Let the worker end; what it still opens (for a caller that was cancelled) it closes first."""
        worker, self._worker = self._worker, None
        if worker is not None:
            self._is_closing.set()
            self._retired = worker.submit(self._close_blocking)
            worker.shutdown(wait=False)

    async def _transact(self, asked: Request) -> bytes:
        return await self._in_worker(self._transact_blocking, asked)

    async def _send_unanswered(self, data: bytes) -> None:
        await self._in_worker(self._send_blocking, data)

    async def _drain(self) -> bool:
        return await self._in_worker(self._drain_blocking)

    async def _in_worker(self, work: Any, *arguments: Any) -> Any:
        if self._worker is None:
            raise NotConnected(f"{self.name} is not open; call connect() first")
        return await asyncio.get_running_loop().run_in_executor(self._worker, work, *arguments)

    def _open_blocking(self) -> None:
        try:
            path = _path(self._address) if isinstance(self._address, SerialAddress) else ""
            # the exclusive flag stops only those who set it too, hence a lock file of our own as well
            for name in _names(self._address) if isinstance(self._address, Rfc2217Address) else [path]:
                self._held.append(take_lease(name))
            self._port = _open(self._address, path)
        except (OSError, ValueError, termios.error) as error:  # the last is what refused settings give
            self._release()
            raise NotConnected(f"{self._where} cannot be opened ({error}); {_advice(self._address, error)}") from error
        except NotConnected:
            self._release()
            raise

    def _close_blocking(self) -> None:
        port, self._port = self._port, None
        try:
            if port is not None:
                _close(port)
        finally:
            self._release()

    def _release(self) -> None:
        while self._held:
            self._held.pop().release()

    def _transact_blocking(self, asked: Request) -> bytes:
        port = self._usable_port()
        self._is_closing.wait(self._passed_s + self._pause_s - self._clock.now_s())
        deadline_s = self._clock.now_s() + asked.timeout_s
        received = bytearray()
        try:
            self._record(Direction.SENT, asked.data)
            port.write(asked.data)
            while (reply := whole_reply(asked.framing, received)) is None:
                self._check(deadline_s, asked, received)
                received += self._read(port, Direction.RECEIVED)
        except OSError as error:
            self._is_open = False  # pyserial does not notice by itself
            raise ReplyLost(f"the port was lost ({error})", bytes(received)) from error
        return reply

    def _usable_port(self) -> Port:
        if self._port is None:
            raise NotConnected(f"{self.name} is not open; call connect() first")
        try:
            if _is_dead(self._port):
                raise OSError(errno.ENOTCONN, "the terminal server hung up")
            if self._port.in_waiting:
                self._read(self._port, Direction.DISCARDED)
        except OSError as error:
            raise self._gone(error) from error
        return self._port

    def _gone(self, error: OSError) -> NotConnected:
        self._is_open = False
        what = "plug it in and connect again" if isinstance(self._address, SerialAddress) else "connect again"
        return NotConnected(f"{self._where} is gone ({error}); {what}")

    def _check(self, deadline_s: float, asked: Request, received: bytearray) -> None:
        if self._is_closing.is_set():
            raise ReplyLost("the link was closed", bytes(received))
        if self._clock.now_s() >= deadline_s:
            what = "half a reply" if received else "no reply"
            raise ReplyLost(f"{what} within {asked.timeout_s:g} s", bytes(received))

    def _read(self, port: Port, direction: Direction) -> bytes:
        data = port.read(1)
        if data:
            self._passed_s = self._clock.now_s()
            data += port.read(port.in_waiting)
            self._record(direction, data)
        return data

    def _send_blocking(self, data: bytes) -> None:
        port = self._usable_port()
        self._record(Direction.SENT, data)
        self._passed_s = self._clock.now_s()
        try:
            port.write(data)
        except OSError as error:
            raise self._gone(error) from error

    def _drain_blocking(self) -> bool:
        port = self._usable_port()
        give_up_s = self._clock.now_s() + BABBLE_S
        try:
            while self._read(port, Direction.DISCARDED):
                if self._clock.now_s() > give_up_s or self._is_closing.is_set():
                    return False
        except OSError as error:
            raise self._gone(error) from error
        return True


def _where(address: SerialAddress | Rfc2217Address) -> str:
    if isinstance(address, Rfc2217Address):
        return str(address).removeprefix("rfc2217://").partition("?")[0]
    return address.path or f"usb:{address.usb}"


def _advice(address: SerialAddress | Rfc2217Address, error: Exception) -> str:
    if isinstance(address, Rfc2217Address):
        return "is the terminal server on, is the port right, and does it speak RFC 2217?"
    advice = {
        errno.ENOENT: "check the cable and its path",
        errno.EACCES: "this user may not use it: join its group (often dialout), then log in again",
        errno.EBUSY: "another program has it open: close that one first",
        errno.EWOULDBLOCK: "another program has it open: close that one first",
    }
    return advice.get(getattr(error, "errno", None) or 0, "check the cable and its settings")


def _names(address: Rfc2217Address) -> list[str]:
    """Return what to lease of a terminal server, by the numbers behind its name."""
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    return sorted({f"{sockaddr[0]}:{address.port}" for *_, sockaddr in found})


def _open(address: SerialAddress | Rfc2217Address, path: str) -> Port:
    line = address.line if isinstance(address, Rfc2217Address) else address
    settings: dict[str, Any] = {
        "baudrate": line.baud,
        "bytesize": line.data_bits,
        "parity": line.parity,
        "stopbits": line.stop_bits,
        "timeout": SLICE_S,
    }
    if isinstance(address, Rfc2217Address):
        return rfc2217.Serial(str(address).partition("?")[0], **settings)
    return serial.Serial(path, write_timeout=WRITE_TIMEOUT_S, exclusive=True, **settings)


def _close(port: Port) -> None:
    # pyserial forgets the socket, open, where the other end has hung up already
    held = getattr(port, "_socket", None)
    try:
        port.close()
    finally:
        if held is not None:
            held.close()


def _is_dead(port: Port) -> bool:
    """Say whether the thread that hears a terminal server has ended; a write would seem to succeed."""
    thread = getattr(port, "_thread", None)
    return isinstance(port, rfc2217.Serial) and (thread is None or not thread.is_alive())


def _path(line: SerialAddress) -> str:
    """Return the path of a port, found by its USB adapter where no path is given.

    Raises:
        NotConnected: No such adapter is plugged in, or several are.
    """
    if not line.usb:
        return line.path
    from serial.tools.list_ports import comports

    adapters = [port for port in comports() if port.vid is not None]
    found = [port.device for port in adapters if _is_called(line.usb, port)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(_usb_name(port) for port in adapters) or "none"
    problem = "is not plugged in" if not found else f"is there {len(found)} times ({', '.join(found)})"
    raise NotConnected(f"the USB adapter {line.usb} {problem}; plugged in: {there}")


def _is_called(usb: str, port: Any) -> bool:
    vendor, product, *number = usb.split(":", 2)
    is_kind = (int(vendor, 16), int(product, 16)) == (port.vid, port.pid)
    return is_kind and (not number or number[0] == port.serial_number)


def _usb_name(port: Any) -> str:
    number = f":{port.serial_number}" if port.serial_number else ""
    return f"{port.vid:04x}:{port.pid:04x}{number}"
