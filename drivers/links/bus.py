"""What buses share: a language of requests and answers on a byte link, which keeps the port, the lock and the tap."""

from __future__ import annotations

from drivers.command import Effect
from drivers.errors import DriverError
from drivers.links.base import Link
from drivers.links.tap import Tap


class Bus:
    """A language on a byte link; a subclass speaks it.

    Args:
        link: What carries the bytes.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    @property
    def name(self) -> str:
        """The address, as messages show it."""
        return self._link.name

    @property
    def is_open(self) -> bool:
        """Whether the port is held."""
        return self._link.is_open

    @property
    def n_acts_sent(self) -> int:
        """How many requests that act have left so far."""
        return self._link.n_acts_sent

    @property
    def tap(self) -> Tap | None:
        """What records the bytes."""
        return self._link.tap

    @tap.setter
    def tap(self, tap: Tap | None) -> None:
        self._link.tap = tap

    async def open(self) -> None:
        """Take the port; see `Link.open`."""
        await self._link.open()

    async def close(self) -> None:
        """Give the port back; see `Link.close`."""
        await self._link.close()

    def distrust(self, why: str, *, effect: Effect) -> DriverError:
        """Note that the last reply cannot be trusted; see `Link.distrust`."""
        return self._link.distrust(why, effect=effect)
