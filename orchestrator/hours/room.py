"""What still fits: how many trials may be begun before a deadline, and how long each may take."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planner.within import Within

_SLACK = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What may be asked for now."""

    n: int
    """How many trials."""
    most_s: float | None = None
    """What each may take at most; None: whatever it takes, it fits."""
    until: str = ""
    """Before what, in words."""
    left_s: float | None = None
    """How long it is until then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Nothing may be asked for now."""

    until_s: float | None
    """When to look again, by the campaign's clock; None: when a trial that is under way has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """Nothing will ever fit again."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a trial may take that is asked for now."""

    within: Within | None
    """As the planner is told."""
    fits: Callable[[Mapping[str, Any]], bool]
    """Whether a recipe fits by its own plan."""


def free_from(lanes: int, begin_s: float, ends_s: Sequence[float], waiting_s: Sequence[float]) -> list[float]:
    """Return when each lane is free, in rising order.

    Args:
        lanes: How many trials can be under way side by side.
        begin_s: The earliest.
        ends_s: When the trials that are under way are expected to end.
        waiting_s: How long those take that are accepted and not begun.
    """
    free = [begin_s] * max(0, lanes - len(ends_s)) + [max(begin_s, end_s) for end_s in ends_s]
    free = sorted(free)[-lanes:]
    heapq.heapify(free)
    for lasts_s in waiting_s:
        heapq.heapreplace(free, free[0] + lasts_s)
    return sorted(free)


def longest_of(n: int, free_s: Sequence[float], deadline_s: float) -> float:
    """Return how long each of n trials may take that share lanes, so that all end before a deadline; 0: none fits."""
    lefts = [deadline_s - at_s for at_s in free_s if at_s < deadline_s]
    fits = (
        left_s / k
        for left_s in lefts
        for k in range(1, n + 1)
        if sum(math.floor(other_s * k / left_s + _SLACK) for other_s in lefts) >= n
    )
    return max(fits, default=0.0)


def shared_out(
    n: int, free_s: Sequence[float], begin_s: float, deadline_s: float, *, shortest_s: float, longest_s: float
) -> tuple[int, float | None]:
    """Return how many of n trials to begin with before a deadline, and what each may take; None: anything.

    As many as fit whatever they take; where not one surely does, as many as can be begun at once, of those that fit: no
    recipe is passed over only so that more of the others fit.
    """
    for count in range(n, 0, -1):
        if longest_of(count, free_s, deadline_s) >= longest_s:
            return count, None
    idle = sum(at_s <= begin_s for at_s in free_s)
    for count in range(min(n, max(1, idle)), 0, -1):
        most_s = longest_of(count, free_s, deadline_s)
        if most_s >= shortest_s:
            return count, most_s
    return 0, None
