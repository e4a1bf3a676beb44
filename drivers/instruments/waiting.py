"""Waiting for a device that says how long it needs.

Polls fall on a fixed grid of the clock, so that whoever joins a move half-way (after a crash, say) sees its end at the
same instant as whoever started it.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

from drivers.clock import Clock

POLLS_PER_S = 20
TOLERANCE_S = 5e-6
"""Devices report what remains to a microsecond."""


def next_poll_s(now_s: float, remaining_s: float) -> float:
    """Return the first grid instant after now at which the device should be done."""
    due = math.ceil((now_s + remaining_s - TOLERANCE_S) * POLLS_PER_S)
    # the instant that is now, give or take a rounding, has passed
    return max(due, math.floor((now_s + TOLERANCE_S) * POLLS_PER_S) + 1) / POLLS_PER_S


async def seen_as_done(clock: Clock) -> None:
    """Let whoever finds a device done see it at the instant at which whoever started it would have.

    Only a simulated campaign needs that; in wall time nobody waits for a device that is done.
    """
    if clock.is_virtual:
        now_s = clock.now_s()
        await clock.sleep_until(math.ceil((now_s - TOLERANCE_S) * POLLS_PER_S) / POLLS_PER_S)


async def wait_until_done(
    clock: Clock, remaining_s: float, poll: Callable[[], Awaitable[float]], *, at_most_s: float
) -> bool:
    """Sleep for what remains, then poll until nothing does.

    Args:
        clock: The clock.
        remaining_s: What the device said that it needs.
        poll: Asks the device for the seconds that remain; 0 when it is done.
        at_most_s: Patience.

    Returns:
        False if the device was still busy when patience ran out.
    """
    give_up_s = clock.now_s() + at_most_s
    if remaining_s <= 0.0:
        await seen_as_done(clock)
    while remaining_s > 0.0:
        now_s = clock.now_s()
        if now_s >= give_up_s:
            return False
        await clock.sleep_until(next_poll_s(now_s, min(remaining_s, give_up_s - now_s)))
        remaining_s = await poll()
    return True
