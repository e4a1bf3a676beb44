"""Clocks: everything that waits or reads the time takes one.

`RealClock` is the wall. `VirtualClock` belongs to a `VirtualLoop`, an asyncio event loop whose own time jumps to
the next timer when nothing is runnable, so `asyncio.sleep`, `asyncio.timeout` and `call_later` are all honest and
thirty days pass in seconds. Threads, sockets and subprocesses are refused on that loop: they live in wall time.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import time
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, Protocol, TypeVar

VIRTUAL_START = datetime(2026, 1, 1, tzinfo=UTC)
"""The UTC instant that a virtual clock calls zero, fixed so that equal seeds give equal journals."""

T = TypeVar("T")


class Clock(Protocol):
    """The time, and a way to wait."""

    is_virtual: bool

    def now_s(self) -> float:
        """Return monotonic seconds since the clock's zero."""
        ...

    def utc(self) -> datetime:
        """Return the aware UTC time."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; a negative or zero duration only yields to other tasks."""
        ...

    async def sleep_until(self, when_s: float) -> None:
        """Wait until `now_s` reads `when_s`; an instant in the past only yields to other tasks."""
        ...


class RealClock:
    """The wall clock: monotonic seconds from an arbitrary zero, and UTC.

    With a zero (a campaign's creation), seconds count from that instant, also after a restart: the wall time that had
    passed by then is read once, and monotonic time is added to it, so that a later step of the wall clock does no harm.

    Args:
        zero: The instant from which seconds count.
        at_least_s: What the clock has shown before (in an earlier process, say); it never runs back behind that.
    """

    is_virtual = False

    def __init__(self, zero: datetime | None = None, *, at_least_s: float = 0.0) -> None:
        passed_s = 0.0 if zero is None else max(at_least_s, (datetime.now(UTC) - zero).total_seconds())
        self._offset_s = 0.0 if zero is None else passed_s - time.monotonic()

    def now_s(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic() + self._offset_s

    def utc(self) -> datetime:
        """Return the aware UTC time."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait in wall time."""
        await asyncio.sleep(max(0.0, seconds))

    async def sleep_until(self, when_s: float) -> None:
        """Wait in wall time."""
        await self.sleep(when_s - self.now_s())


class VirtualTimeError(RuntimeError):
    """Something that only exists in wall time (a thread, a socket, an endless wait) was tried in virtual time."""


class _JumpingSelector(selectors.BaseSelector):
    """A selector that watches no file: where a real one would block, it moves the loop's time forward."""

    def __init__(self) -> None:
        self.loop: VirtualLoop | None = None
        self._key: selectors.SelectorKey | None = None

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Accept the loop's own wake-up pipe and nothing else."""
        if self._key is not None:
            raise VirtualTimeError("sockets and pipes are refused in virtual time; use an in-memory link")
        self._key = selectors.SelectorKey(fileobj, 0, events, data)
        return self._key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Forget the wake-up pipe."""
        key, self._key = self._key, None
        if key is None:
            raise KeyError(fileobj)
        return key

    def get_map(self) -> Any:
        """Return what is registered."""
        return {} if self._key is None else {self._key.fileobj: self._key}

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        """Return the registered key; the loop asks before it registers."""
        if self._key is None or self._key.fileobj is not fileobj:
            raise KeyError(fileobj)
        return self._key

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Jump by the time that a real selector would have blocked."""
        if timeout is None:
            raise VirtualTimeError(
                "every task waits for something that no timer will bring: a deadlock, or a wait without a deadline"
            )
        if timeout > 0 and self.loop is not None:
            self.loop.jump(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time. Equal inputs give an equal order of events."""

    def __init__(self, start_s: float = 0.0) -> None:
        selector = _JumpingSelector()
        super().__init__(selector)
        selector.loop = self
        self._show(start_s)

    def _show(self, seconds: float) -> None:
        self._virtual_s = seconds
        # asyncio fires a timer when it is due within the clock's resolution; a fixed nanosecond is lost in the rounding
        # of a clock that has shown half a year, and the timer to which it jumped would never be due
        self._clock_resolution = max(1e-9, 2 * math.ulp(seconds))

    def time(self) -> float:
        """Return virtual seconds."""
        return self._virtual_s

    def jump(self, seconds: float) -> None:
        """Let virtual time pass without running anything in between."""
        scheduled = self._scheduled  # type: ignore[attr-defined]
        # landing on the timer itself, not on now + (when - now), keeps times free of rounding
        when = scheduled[0].when() if scheduled else self._virtual_s + seconds
        self._show(max(self._virtual_s, min(when, self._virtual_s + seconds * (1 + 1e-9) + 1e-12)))

    def charge(self, seconds: float) -> None:
        """Charge work that took wall time (a fit, say) to the virtual clock."""
        if seconds < 0:
            raise ValueError(f"cannot charge {seconds} s: time does not run backwards")
        self._show(self._virtual_s + seconds)

    def run_in_executor(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse: a thread would run in wall time."""
        raise VirtualTimeError("threads are refused in virtual time; do the work inline and charge it to the clock")

    async def subprocess_exec(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse: a process would run in wall time."""
        raise VirtualTimeError("subprocesses are refused in virtual time")

    subprocess_shell = subprocess_exec


class VirtualClock:
    """The clock of a `VirtualLoop`."""

    is_virtual = True

    def __init__(self, loop: VirtualLoop, start_utc: datetime = VIRTUAL_START) -> None:
        self._loop = loop
        self._start_utc = start_utc

    def now_s(self) -> float:
        """Return virtual seconds since zero."""
        return self._loop.time()

    def utc(self) -> datetime:
        """Return the virtual UTC time."""
        return self._start_utc + timedelta(seconds=self._loop.time())

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        await asyncio.sleep(max(0.0, seconds))

    async def sleep_until(self, when_s: float) -> None:
        """Wait and wake at exactly that instant, free of the rounding of ``now + (when - now)``."""
        if when_s <= self._loop.time():
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = self._loop.create_future()
        timer = self._loop.call_at(when_s, _wake, woken)
        try:
            await woken
        finally:
            timer.cancel()

    def charge(self, seconds: float) -> None:
        """Charge wall-time work to the virtual clock."""
        self._loop.charge(seconds)


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)


def run_virtual(main: Coroutine[Any, Any, T], *, loop: VirtualLoop) -> T:
    """Run a coroutine to its end in virtual time and close the loop."""
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main)
