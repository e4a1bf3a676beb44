"""The guard as a process of its own: ``python -m orchestrator.guard LAB_FILE --socket PATH``."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from drivers.clock import RealClock
from orchestrator.errors import InputError, InUse, LabpilotError
from orchestrator.guard.core import Guard
from orchestrator.guard.guard_log import GuardLog, read_standing
from orchestrator.guard.loading import Loaded, load, read_urls
from orchestrator.guard.server import GuardServer

LOG_S = 2.0
"""How long the end waits for the disk."""
LOCK_S = 3.0
"""How long a guard that ends is waited for."""
NOTIFY_S = 1.0
"""How often systemd hears that the event loop turns."""


def main(argv: Sequence[str] | None = None) -> int:
    """Guard a laboratory until SIGTERM or Ctrl-C; returns the process's exit code."""
    asked = _parser().parse_args(argv)
    try:
        lock = _lock(asked.socket)
        with lock:
            loaded = load(asked.lab_file, read_urls(asked.urls))
            log_file = asked.log or asked.socket.with_suffix(".log")
            asyncio.run(guard(loaded, asked.socket, log_file, _Until(asked.until_goodbye, asked.ends_with)))
    except LabpilotError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"the guard cannot use {error.filename or asked.socket}: {error.strerror or error}\n")
        return InputError.exit_code
    return 0


@dataclass(frozen=True, slots=True)
class _Until:
    """When a guard ends by itself."""

    goodbye: bool
    """Once the controller has said goodbye and all is safe."""
    parent: int | None
    """Once the process that started it, and that serves what it guards, is no more."""

    def is_over(self, watcher: Guard, left: asyncio.Event) -> bool:
        """Say whether it should end."""
        if self.parent is not None and os.getppid() != self.parent:
            return True
        return self.goodbye and left.is_set() and not watcher.unsafe


async def guard(loaded: Loaded, path: Path, log_file: Path, until: _Until) -> None:
    """Guard a laboratory until SIGTERM or SIGINT, or until it should end by itself.

    Ending on purpose stops no device: who ends the guard knows why. The controller acts no more from then on.

    Raises:
        InputError: A device cannot be reached as the settings say.
        OSError: The socket cannot be made.
    """
    clock = RealClock()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    standing, record = read_standing(log_file), GuardLog(log_file)
    drivers = loaded.drivers(clock)
    watcher = Guard(
        loaded.rules,
        drivers,
        clock,
        reconnect=lambda device: drivers[device].connect(),
        latched=standing.latched,
        expects_controller=standing.expects_controller,
        on_event=record.write,
    )
    left = asyncio.Event()
    server = GuardServer(watcher, path, record, loaded.digest, ended, left)
    async with watcher.running(), server.serving():
        _notify("READY=1")
        while not ended.is_set() and watcher.failure is None:
            if until.is_over(watcher, left):
                break
            if watcher.is_judging():
                _notify("WATCHDOG=1")
            await _wait(ended, NOTIFY_S)
        _notify("STOPPING=1")
    await asyncio.gather(*(driver.close() for driver in drivers.values()), return_exceptions=True)
    record.close(within_s=LOG_S)
    if watcher.failure is not None:  # whoever started it starts it anew
        raise watcher.failure


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m orchestrator.guard", description="Guard a laboratory.")
    parser.add_argument("lab_file", type=Path, help="the lab file, with its guard: section")
    parser.add_argument("--socket", type=Path, required=True, help="where controllers and people ask it")
    parser.add_argument("--log", type=Path, help="its own file; by default beside the socket")
    parser.add_argument("--urls", type=Path, help="JSON: where devices really are, for simulated ones")
    parser.add_argument("--ends-with", type=int, metavar="PID", help="end when the process that started this is gone")
    parser.add_argument("--until-goodbye", action="store_true", help="end when the controller ends on purpose")
    return parser


def _lock(path: Path) -> FileLock:
    lock = FileLock(f"{path}.lock", thread_local=False)
    try:
        lock.acquire(timeout=LOCK_S)  # the guard before this one may be ending just now
    except Timeout:
        raise InUse(f"another guard serves {path}; one guard for one laboratory") from None
    return lock


def _notify(text: str) -> None:
    """Tell systemd, where it started this process (sd_notify(3))."""
    where = os.environ.get("NOTIFY_SOCKET", "")
    if where:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect("\0" + where[1:] if where.startswith("@") else where)
            sender.sendall(text.encode())
