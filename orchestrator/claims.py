"""Claims: devices granted all at once or not at all, in order of asking.

No holder ever waits for a second claim, so no two holders can wait for each other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager


class ClaimBoard:
    """Who may use which device; a device with capacity n serves n holders."""

    def __init__(self, capacities: Mapping[str, int]) -> None:
        self._free = dict(capacities)
        self._waiting: deque[tuple[frozenset[str], asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def claim(self, devices: Collection[str]) -> AsyncIterator[None]:
        """Hold one place on each of the devices; wait for all of them together.

        Raises:
            KeyError: A device is unknown.
        """
        wanted = frozenset(devices)
        unknown = wanted - self._free.keys()
        if unknown:
            raise KeyError(f"no such device: {', '.join(sorted(unknown))}")
        await self._granted(wanted)
        try:
            yield
        finally:
            for device in wanted:
                self._free[device] += 1
            self._grant()

    async def _granted(self, wanted: frozenset[str]) -> None:
        future = asyncio.get_running_loop().create_future()
        place = (wanted, future)
        self._waiting.append(place)
        self._grant()
        try:
            await future
        except asyncio.CancelledError:
            if place in self._waiting:
                self._waiting.remove(place)
            elif future.done() and not future.cancelled():
                for device in wanted:
                    self._free[device] += 1
            self._grant()
            raise

    def _grant(self) -> None:
        # an older claim reserves what it waits for, so a wide one cannot starve behind narrow ones
        reserved: set[str] = set()
        for place in list(self._waiting):
            wanted, future = place
            if future.cancelled():
                self._waiting.remove(place)
            elif not (wanted & reserved) and all(self._free[device] > 0 for device in wanted):
                for device in wanted:
                    self._free[device] -= 1
                self._waiting.remove(place)
                future.set_result(None)
            else:
                reserved |= wanted
