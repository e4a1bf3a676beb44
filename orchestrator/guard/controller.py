"""What the guard knows of the controller: whether it lives, which one it is, and what it is asked to stop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from drivers.clock import Clock

GONE = "only the controller reaches it, and the controller is gone"


@dataclass(slots=True)
class ControllerWatch:
    """The watchdog of the controller.

    Args:
        clock: The time.
        silent_s: After this it is lost.
    """

    clock: Clock
    silent_s: float
    epoch: int = 0
    """The latest that was heard."""
    is_lost: bool = False
    _beat_s: float | None = None
    """When it was heard last; None while nobody is expected to be heard."""
    _wanted: dict[str, asyncio.Future[str]] = field(default_factory=dict)

    def is_fenced(self, epoch: int) -> bool:
        """Say whether a later controller was heard."""
        return epoch < self.epoch

    def beat(self, epoch: int) -> bool:
        """Note that it lives; returns whether it had been lost."""
        was_lost, self.is_lost = self.is_lost, False
        self.epoch, self._beat_s = epoch, self.clock.now_s()
        return was_lost

    def expect(self) -> None:
        """Expect to hear it from now on: the guard before this one did."""
        self._beat_s = self.clock.now_s()

    def forgive(self, seconds: float) -> None:
        """Leave out a time in which the guard itself could not hear."""
        if self._beat_s is not None:
            self._beat_s += seconds

    def goodbye(self) -> None:
        """Note that it ends on purpose: its silence from now on is no loss."""
        self._beat_s = None

    def heard_s(self) -> float | None:
        """Return how long it has been silent; None where nobody is expected to be heard."""
        return None if self._beat_s is None else self.clock.now_s() - self._beat_s

    def is_heard(self) -> bool:
        """Say whether it was heard of late."""
        silent_s = self.heard_s()
        return silent_s is not None and silent_s <= self.silent_s

    def has_just_been_lost(self) -> bool:
        """Say whether it is lost, once for each loss."""
        silent_s = self.heard_s()
        if self.is_lost or silent_s is None or silent_s <= self.silent_s:
            return False
        self.is_lost = True
        return True

    async def stop(self, device: str) -> str:
        """Ask it to stop a device that only it reaches; returns why that failed, or nothing."""
        if self._beat_s is None or self.is_lost:
            return GONE
        answer = self._wanted[device] = asyncio.get_running_loop().create_future()
        return await answer

    def stopped(self, device: str, error: str) -> None:
        """Take its answer; an empty error is success."""
        answer = self._wanted.get(device)
        if answer is not None and not answer.done():
            answer.set_result(error)

    @property
    def wanted(self) -> list[str]:
        """Devices that it is asked to stop."""
        return [name for name, answer in self._wanted.items() if not answer.done()]
