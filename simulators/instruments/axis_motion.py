"""Motion of one axis: moves from rest to rest with a trapezoidal speed, and braking; several in a row make a way.

What stands in the way (a limit switch, an obstacle) cuts a way off where it is met.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One straight part, in millimetres and seconds; it ends at rest."""

    start_mm: float
    target_mm: float
    began_s: float
    top_mm_s: float
    acceleration_mm_s2: float
    entry_mm_s: float = 0.0
    """The speed at its start: not zero for an axis that brakes, which then does nothing else."""

    @property
    def end_s(self) -> float:
        """When the axis is at the target."""
        if self.entry_mm_s:
            return self.began_s + self.entry_mm_s / self.acceleration_mm_s2
        return self.began_s + 2 * self._rise_s + self._cruise_s

    def at(self, time_s: float) -> float:
        """Return the position at a time."""
        if time_s >= self.end_s:
            return self.target_mm
        elapsed = max(0.0, time_s - self.began_s)
        if self.entry_mm_s:
            way = self.entry_mm_s * elapsed - 0.5 * self.acceleration_mm_s2 * elapsed**2
        else:
            rise = min(elapsed, self._rise_s)
            fall = max(0.0, elapsed - self._rise_s - self._cruise_s)
            top = self.acceleration_mm_s2 * self._rise_s
            way = 0.5 * self.acceleration_mm_s2 * (rise**2 - fall**2) + top * (elapsed - rise)
        return self.start_mm + math.copysign(way, self.target_mm - self.start_mm)

    def speed_at(self, time_s: float) -> float:
        """Return the speed at a time, without sign."""
        if not self.began_s <= time_s < self.end_s:
            return 0.0
        elapsed = time_s - self.began_s
        if self.entry_mm_s:
            return self.entry_mm_s - self.acceleration_mm_s2 * elapsed
        fall = max(0.0, elapsed - self._rise_s - self._cruise_s)
        return self.acceleration_mm_s2 * (min(elapsed, self._rise_s) - fall)

    @property
    def _length(self) -> float:
        return abs(self.target_mm - self.start_mm)

    @property
    def _rise_s(self) -> float:
        return min(self.top_mm_s / self.acceleration_mm_s2, math.sqrt(self._length / self.acceleration_mm_s2))

    @property
    def _cruise_s(self) -> float:
        return max(0.0, self._length / self.top_mm_s - self.top_mm_s / self.acceleration_mm_s2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Legs one after the other; without any, the axis stands at `rest_mm`."""

    rest_mm: float = 0.0
    legs: tuple[Leg, ...] = ()
    cut_s: float | None = None
    """When something in the way ended it."""

    @property
    def end_s(self) -> float:
        """When the axis is at rest; 0 if it never moved."""
        return self.cut_s if self.cut_s is not None else (self.legs[-1].end_s if self.legs else 0.0)

    def at(self, time_s: float) -> float:
        """Return the position at a time."""
        time_s = min(time_s, self.end_s)
        found = self.rest_mm
        for leg in self.legs:
            if leg.began_s <= time_s:
                found = leg.at(time_s)
        return found

    def speed_at(self, time_s: float) -> float:
        """Return the speed at a time, without sign."""
        return 0.0 if time_s >= self.end_s else max((leg.speed_at(time_s) for leg in self.legs), default=0.0)

    def direction(self, time_s: float) -> int:
        """Return 1 or -1: the way the axis moves, or moved last."""
        begun = [leg for leg in self.legs if leg.began_s <= time_s] or list(self.legs[:1])
        return -1 if begun and begun[-1].target_mm < begun[-1].start_mm else 1

    def blocked(self, low_mm: float, high_mm: float) -> Way:
        """Return the way as it is with obstacles at two places; an axis that stands on one may leave it."""
        for leg in self.legs:
            for place in (low_mm, high_mm):
                outward = (leg.target_mm - place) * (1 if place == high_mm else -1)
                inward = (leg.start_mm - place) * (1 if place == high_mm else -1)
                if outward > 0.0 >= inward:
                    return replace(self, cut_s=_met_s(leg, place))
        return self

    def packed(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def unpacked(cls, packed: dict[str, Any]) -> Way:
        """Return what `packed` gave."""
        return cls(**{**packed, "legs": tuple(Leg(**leg) for leg in packed["legs"])})


def way_through(
    start_mm: float, targets: Sequence[tuple[float, float]], *, began_s: float, acceleration_mm_s2: float
) -> tuple[Leg, ...]:
    """Return the legs that lead from rest through targets, each with its top speed."""
    legs: list[Leg] = []
    for target_mm, top_mm_s in targets:
        if target_mm == start_mm:
            continue
        leg = Leg(
            start_mm=start_mm,
            target_mm=target_mm,
            began_s=began_s,
            top_mm_s=top_mm_s,
            acceleration_mm_s2=acceleration_mm_s2,
        )
        legs.append(leg)
        start_mm, began_s = target_mm, leg.end_s
    return tuple(legs)


def braking(way: Way, now_s: float, acceleration_mm_s2: float) -> tuple[Leg, ...]:
    """Return the leg on which a moving axis comes to rest; none where it is at rest."""
    speed = way.speed_at(now_s)
    if not speed:
        return ()
    here = way.at(now_s)
    target = here + way.direction(now_s) * 0.5 * speed**2 / acceleration_mm_s2
    return (
        Leg(
            start_mm=here,
            target_mm=target,
            began_s=now_s,
            top_mm_s=speed,
            acceleration_mm_s2=acceleration_mm_s2,
            entry_mm_s=speed,
        ),
    )


def _met_s(leg: Leg, place_mm: float) -> float:
    """Return when a leg comes to a place, to a nanosecond."""
    low, high = leg.began_s, leg.end_s
    while high - low > 1e-9:
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if abs(leg.at(middle) - leg.start_mm) < abs(place_mm - leg.start_mm):
            low = middle
        else:
            high = middle
    return high
