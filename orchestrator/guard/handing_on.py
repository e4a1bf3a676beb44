"""Readings of devices that only the controller reaches: it takes them, and hands them on to the guard."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from drivers.clock import Clock
from orchestrator.guard.client import GuardError
from orchestrator.guard.gate import GuardSilent
from orchestrator.guard.keeper import GuardKeeper
from orchestrator.guard.readings import Readings
from orchestrator.guard.watching import Watching

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class HandingOn:
    """Takes the readings of devices of which the settings say ``reach: controller``.

    Args:
        keeper: Whose guard hears of them.
        drivers: The controller's own, by device.
        clock: The time.
    """

    keeper: GuardKeeper
    drivers: Mapping[str, Any]
    clock: Clock
    _readings: Readings = field(init=False)
    _news: dict[str, None] = field(default_factory=dict)
    _is_news: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        rules = self.keeper.rules
        watches = {key: one for key, one in rules.watches.items() if rules.reach(one.device) == "controller"}
        self._readings = Readings(watches)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hand on while this is entered; where nothing is to be handed on, do nothing."""
        if not self._readings.watches:
            yield
            return
        drivers = {watch.device: self.drivers[watch.device] for watch in self._readings.watches.values()}
        watching = Watching(drivers, self._readings, self.clock, reconnect=None, heard=self._heard)
        handing = asyncio.create_task(self._hand_on())
        try:
            async with watching.running(_told_if_broken):
                yield
        finally:
            handing.cancel()
            await asyncio.gather(handing, return_exceptions=True)

    def _heard(self, key: str) -> None:
        self._news[key] = None
        self._is_news.set()

    async def _hand_on(self) -> None:
        while True:
            await self._is_news.wait()
            self._is_news.clear()
            keys, self._news = self._news, {}
            now_s = self.clock.now_s()
            taken = {key: self._readings.newest(key) for key in keys}
            values = {key: (one.value, now_s - one.at_s) for key, one in taken.items() if one is not None}
            if values:
                with suppress(GuardSilent, GuardError):  # a guard that does not hear lets them grow stale
                    await self.keeper.tell_readings(values)


def _told_if_broken(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("handing_on_broke error=%r", task.exception())  # the readings grow stale, which is a no
