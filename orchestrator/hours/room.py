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

    within: Within
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """Room for trials side by side, before a deadline."""

    free_s: tuple[float, ...]
    """When each lane is free, in rising order."""
    begin_s: float
    """The earliest at which something can be begun."""
    deadline_s: float

    @property
    def n_idle(self) -> int:
        """How many are free at once."""
        return sum(at_s <= self.begin_s for at_s in self.free_s)

    def longest_of(self, n: int) -> float:
        """Return how long each of n trials may take so that all end before the deadline; 0: they do not fit."""
        lefts = [self.deadline_s - at_s for at_s in self.free_s if at_s < self.deadline_s]
        fits = (
            left_s / k
            for left_s in lefts
            for k in range(1, n + 1)
            if sum(math.floor(other_s * k / left_s + _SLACK) for other_s in lefts) >= n
        )
        return max(fits, default=0.0)


def shared_out(n: int, lanes: Lanes, expected: Callable[[int], tuple[float, float] | None]) -> tuple[int, float | None]:
    """Return how many of n trials to begin with, and what each may take; None: anything.

    As many as fit whatever they take; where not one surely does, as many as can be begun at once, of those that fit: no
    recipe is passed over only so that more of the others fit.

    Args:
        n: How many are wanted.
        lanes: Where there is room.
        expected: The shortest and the longest duration, of so many trials; None: so many would be too many for those
            that are under way.
    """
    for count in range(n, 0, -1):
        durations_s = expected(count)
        if durations_s is not None and lanes.longest_of(count) >= durations_s[1]:
            return count, None
    for count in range(min(n, max(1, lanes.n_idle)), 0, -1):
        durations_s, most_s = expected(count), lanes.longest_of(count)
        if durations_s is not None and most_s >= durations_s[0]:
            return count, most_s
    return 0, None
