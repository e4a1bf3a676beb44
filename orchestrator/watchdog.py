"""The watchdog: tells the service manager that the controller is ready, and that its event loop still turns.

systemd names a datagram socket in NOTIFY_SOCKET and, for a unit with WatchdogSec, how often it wants to hear of the
service in WATCHDOG_USEC (sd_notify(3), sd_watchdog_enabled(3)). The beats come from a task of the loop that drives the
instruments: a loop that hangs falls silent, and systemd starts the controller anew. Elsewhere nothing is sent.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from drivers.clock import Clock

log = logging.getLogger(__name__)

BEATS_PER_LIMIT = 3
"""So many in the time after which systemd gives up: one that is late ends nothing."""
LONGEST_PAUSE_S = 20.0
ONCE_S = 1.0
"""What a word that is said once may take: without it systemd would end the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceManager:
    """Who wants to hear of this process."""

    address: str
    """A path, or a name of Linux's abstract namespace after a zero character."""
    pause_s: float | None
    """Between two beats; None where nobody waits for them."""

    @classmethod
    def of(cls, environ: Mapping[str, str], *, pid: int) -> ServiceManager | None:
        """Return who is named in the environment; None where this process is no service."""
        address = environ.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")):
            if address:
                log.warning("not_notified socket=%s", address)  # of another family: a virtual machine's host, say
            return None
        if address.startswith("@"):
            address = f"\0{address[1:]}"
        return cls(address=address, pause_s=_pause_s(environ, pid))

    def tell(self, word: str, *, within_s: float = 0.0) -> None:
        """Send one word; where it cannot be sent in time, go on without."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(within_s)  # with zero the loop never waits for whoever listens
            try:
                sender.sendto(word.encode("ascii"), self.address)
            except OSError as error:
                log.warning("not_notified word=%s error=%s", word, error)


def _pause_s(environ: Mapping[str, str], pid: int) -> float | None:
    limit = environ.get("WATCHDOG_USEC", "")
    if not limit.isdigit() or int(limit) == 0 or environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return min(int(limit) / 1e6 / BEATS_PER_LIMIT, LONGEST_PAUSE_S)


@asynccontextmanager
async def watched(clock: Clock, environ: Mapping[str, str] = os.environ) -> AsyncIterator[None]:
    """Say that the controller is ready, then that it lives, then that it is about to end; in wall time only."""
    manager = None if clock.is_virtual else ServiceManager.of(environ, pid=os.getpid())
    if manager is None:
        yield
        return
    manager.tell("READY=1", within_s=ONCE_S)
    task = asyncio.get_running_loop().create_task(_beat(manager, clock))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        manager.tell("STOPPING=1", within_s=ONCE_S)


async def _beat(manager: ServiceManager, clock: Clock) -> None:
    while manager.pause_s is not None:
        manager.tell("WATCHDOG=1")
        await clock.sleep(manager.pause_s)
