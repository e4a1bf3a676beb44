"""The serial link: pyserial in one worker thread per port.

pyserial blocks, times every byte and not the reply, and takes a cut line for a line; so the thread reads in short
slices against one deadline and a framing decides what is a reply. Its errors are all `OSError`, and `is_open` stays
true on a port that has gone.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import serial
from filelock import FileLock, Timeout

from drivers.clock import Clock
from drivers.errors import NotConnected
from drivers.links.base import BaseLink, ReplyLost, Request, whole_reply
from drivers.links.tap import Direction, Tap
from drivers.links.url import SerialAddress

SLICE_S = 0.02
"""Longest single read: how soon the worker notices a deadline or a close."""
WRITE_TIMEOUT_S = 2.0
BABBLE_S = 1.0
"""A line that does not fall silent for a slice within this is out of order."""


class SerialLink(BaseLink):
    """A serial port, held exclusively."""

    def __init__(self, address: SerialAddress, clock: Clock, *, tap: Tap | None = None) -> None:
        super().__init__(str(address), clock, tap=tap)
        self._address = address
        self._port: serial.Serial | None = None
        self._held: FileLock | None = None
        self._worker: ThreadPoolExecutor | None = None
        self._is_closing = threading.Event()

    async def _take_port(self) -> None:
        self._is_closing.clear()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=f"link {self._address.path}")
        try:
            await self._in_worker(self._open_blocking)
        except NotConnected:
            self._retire_worker()
            raise

    async def _give_port(self) -> None:
        if self._worker is not None:
            self._is_closing.set()
            await self._in_worker(self._close_blocking)
            self._retire_worker()

    def _retire_worker(self) -> None:
        if self._worker is not None:
            self._worker.shutdown(wait=False)
            self._worker = None

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
        # the exclusive flag stops only those who set it too, hence a lock file of our own as well
        held = FileLock(lock_path(self._address.path), thread_local=False)
        try:
            held.acquire(timeout=0)
        except (Timeout, OSError) as error:
            raise NotConnected(f"{self._address.path} is in use by another controller; stop that one first") from error
        try:
            self._port = _open(self._address)
        except OSError as error:
            held.release()
            raise NotConnected(
                f"{self._address.path} cannot be opened ({error}); check the cable and its path"
            ) from error
        self._held = held

    def _close_blocking(self) -> None:
        port, self._port = self._port, None
        held, self._held = self._held, None
        if port is not None:
            port.close()
        if held is not None:
            held.release()

    def _transact_blocking(self, asked: Request) -> bytes:
        port = self._usable_port()
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

    def _usable_port(self) -> serial.Serial:
        if self._port is None:
            raise NotConnected(f"{self.name} is not open; call connect() first")
        try:
            if self._port.in_waiting:
                self._read(self._port, Direction.DISCARDED)
        except OSError as error:
            self._is_open = False
            raise NotConnected(f"{self._address.path} is gone ({error}); plug it in and connect again") from error
        return self._port

    def _check(self, deadline_s: float, asked: Request, received: bytearray) -> None:
        if self._is_closing.is_set():
            raise ReplyLost("the link was closed", bytes(received))
        if self._clock.now_s() >= deadline_s:
            what = "half a reply" if received else "no reply"
            raise ReplyLost(f"{what} within {asked.timeout_s:g} s", bytes(received))

    def _read(self, port: serial.Serial, direction: Direction) -> bytes:
        data = port.read(1)
        if data:
            data += port.read(port.in_waiting)
            self._record(direction, data)
        return data

    def _send_blocking(self, data: bytes) -> None:
        port = self._usable_port()
        self._record(Direction.SENT, data)
        try:
            port.write(data)
        except OSError as error:
            self._is_open = False
            raise NotConnected(f"{self._address.path} is gone ({error}); plug it in and connect again") from error

    def _drain_blocking(self) -> bool:
        port = self._usable_port()
        give_up_s = self._clock.now_s() + BABBLE_S
        try:
            while self._read(port, Direction.DISCARDED):
                if self._clock.now_s() > give_up_s or self._is_closing.is_set():
                    return False
        except OSError as error:
            self._is_open = False
            raise NotConnected(f"{self._address.path} is gone ({error}); plug it in and connect again") from error
        return True


def lock_path(port: str) -> Path:
    """Return the lock file of a port, the same for every name of it (udev makes several)."""
    return Path(tempfile.gettempdir()) / f"labpilot{os.path.realpath(port).replace('/', '-')}.lock"


def _open(address: SerialAddress) -> serial.Serial:
    return serial.Serial(
        address.path,
        baudrate=address.baud,
        bytesize=address.data_bits,
        parity=address.parity,
        stopbits=address.stop_bits,
        timeout=SLICE_S,
        write_timeout=WRITE_TIMEOUT_S,
        exclusive=True,
    )
