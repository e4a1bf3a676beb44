"""Takes readings, one task for each device, so that one that hangs keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from drivers.clock import Clock
from drivers.command import Effect
from drivers.errors import DriverError, NotConnected
from orchestrator.calls import call
from orchestrator.guard.making_safe import Reconnect
from orchestrator.guard.readings import Readings
from orchestrator.guard.rules import Watch

log = logging.getLogger(__name__)

CONNECT_S = 10.0
RECONNECT_AFTER_S = 2.0
"""A device that does not connect is tried again after this."""


@dataclass(slots=True)
class Watching:
    """The readings of all devices that the guard reaches by itself.

    Args:
        drivers: By device.
        readings: Where readings go.
        clock: The time.
        reconnect: Opens the link of a device after it was lost, and at first; None where somebody else does.
        heard: Called after each reading or failure, with its key.
    """

    drivers: dict[str, Any]
    readings: Readings
    clock: Clock
    reconnect: Reconnect | None
    heard: Callable[[str], None]
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)
    _tried_s: dict[str, float] = field(default_factory=dict)

    @asynccontextmanager
    async def running(self, has_ended: Callable[[asyncio.Task[None]], None]) -> AsyncIterator[None]:
        """Watch while this is entered; `has_ended` hears of each task that ends."""
        devices = dict.fromkeys(watch.device for watch in self.readings.watches.values())
        running = [asyncio.create_task(self._watch(name)) for name in devices if name in self.drivers]
        for task in running:
            task.add_done_callback(has_ended)
        try:
            yield
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def read(self, watch: Watch, *, fresh_s: float) -> None:
        """Read now, unless what is there is fresh enough once one's turn has come."""
        async with self._locks.setdefault(watch.device, asyncio.Lock()):
            if watch.device in self.drivers and self.readings.age_s(watch.key, self.clock.now_s()) > fresh_s:
                await self._read(watch)

    async def _watch(self, device: str) -> None:
        watches = [watch for watch in self.readings.watches.values() if watch.device == device]
        due_s = {watch.key: self.clock.now_s() for watch in watches}
        while True:
            for watch in watches:
                if self.clock.now_s() >= due_s[watch.key]:
                    due_s[watch.key] = self.clock.now_s() + watch.every_s
                    async with self._locks.setdefault(device, asyncio.Lock()):
                        await self._read(watch)
            await self.clock.sleep_until(min(due_s.values()))

    async def _read(self, watch: Watch) -> None:
        """Take one reading: the supervisor of readings, after which the guard goes on whatever happened."""
        at_s = self.clock.now_s()
        try:
            value = await self._value(watch)
            self.readings.put(watch.key, value, at_s)
        except DriverError as error:
            self.readings.fail(watch.key, str(error))
        except Exception as error:  # the supervisor of readings: nothing of a driver's may end the guard
            log.exception("reading_broke key=%s", watch.key)
            self.readings.fail(watch.key, f"{type(error).__name__}: {error}")
        self.heard(watch.key)

    async def _value(self, watch: Watch) -> Any:
        try:
            return await self._asked(watch)
        except NotConnected:
            if self.reconnect is None or not self._may_connect(watch.device):
                raise
        about = {"device": watch.device}
        await call(self.reconnect, about, effect=Effect.READ, deadline_s=CONNECT_S, command="connect", **about)
        return await self._asked(watch)

    async def _asked(self, watch: Watch) -> Any:
        method = getattr(self.drivers[watch.device], watch.command)
        return await call(
            method, {}, effect=Effect.READ, deadline_s=watch.deadline_s, device=watch.device, command=watch.command
        )

    def _may_connect(self, device: str) -> bool:
        now_s = self.clock.now_s()
        if now_s - self._tried_s.get(device, -math.inf) < RECONNECT_AFTER_S:
            return False
        self._tried_s[device] = now_s
        return True
