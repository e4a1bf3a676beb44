"""Motion of a six-joint arm between taught positions: all joints start and arrive together, with trapezoidal speed.

The leading joint, the one with the longest way, keeps the speed and acceleration that ``movej`` has by default
(Universal Robots, The URScript Programming Language: 1.05 rad/s and 1.4 rad/s2). The speed slider stretches the time of
the whole way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SPEED_DEG_S = math.degrees(1.05)
ACCELERATION_DEG_S2 = math.degrees(1.4)
LIFT_DEG = 12.0
"""How far the shoulder is raised above a place."""
ABOVE = "above:"

POSITIONS: Mapping[str, tuple[float, ...]] = {
    "home": (0.0, -90.0, 90.0, -90.0, -90.0, 0.0),
    "A1": (35.0, -62.0, 104.0, -132.0, -90.0, 35.0),
    "A2": (42.0, -60.0, 101.0, -131.0, -90.0, 42.0),
    "B1": (70.0, -55.0, 92.0, -127.0, -90.0, 70.0),
    "balance": (-40.0, -66.0, 108.0, -132.0, -90.0, -40.0),
    "furnace": (-95.0, -48.0, 80.0, -122.0, -90.0, -95.0),
    "xrd": (120.0, -58.0, 97.0, -129.0, -90.0, 120.0),
}
"""Joint angles of the taught positions, degrees, base to wrist 3."""

PLACES = tuple(name for name in POSITIONS if name != "home")
"""Positions where a sample can lie."""


@dataclass(frozen=True, kw_only=True)
class Taught:
    """What an arm was taught: its positions, and between which of them there are programs."""

    positions: Mapping[str, tuple[float, ...]]
    """Joint angles in degrees, base to wrist 3; ``home`` among them."""
    only_from: frozenset[str] = frozenset()
    """Places that nothing is put down at."""
    only_to: frozenset[str] = frozenset()
    """Places that nothing is picked up from."""

    def can_transfer(self, source: str, destination: str) -> bool:
        """Say whether there is a program from one place to another."""
        are_places = all(name in self.positions and name != "home" for name in (source, destination))
        return are_places and source != destination and source not in self.only_to and destination not in self.only_from

    def joints_of(self, name: str) -> tuple[float, ...]:
        """Return the joint angles of a position, or of the point above it (``above:A1``)."""
        base, shoulder, *rest = self.positions[name.removeprefix(ABOVE)]
        lift = LIFT_DEG if name.startswith(ABOVE) else 0.0
        return (base, shoulder - lift, *rest)


DESK = Taught(positions=POSITIONS)
"""What the arm of ``sim:robot-arm`` was taught."""


def joints_of(name: str) -> tuple[float, ...]:
    """Return the joint angles of a position of the arm of ``sim:robot-arm``, or of the point above it."""
    return DESK.joints_of(name)


def travel_s(start: Sequence[float], target: Sequence[float], speed: float) -> float:
    """Return how long a way takes; `speed` is the slider's fraction."""
    rise_s, cruise_s = _phases(_longest(start, target))
    return (2.0 * rise_s + cruise_s) / speed


def on_the_way(start: Sequence[float], target: Sequence[float], speed: float, elapsed_s: float) -> tuple[float, ...]:
    """Return the joint angles after some of the time of a way."""
    way = _longest(start, target)
    share = min(_travelled(way, elapsed_s * speed) / way, 1.0) if way else 1.0
    return tuple(a + share * (b - a) for a, b in zip(start, target, strict=True))


def _longest(start: Sequence[float], target: Sequence[float]) -> float:
    return max(abs(b - a) for a, b in zip(start, target, strict=True))


def _phases(way: float) -> tuple[float, float]:
    """Return the seconds of speeding up (braking takes as long) and of cruising."""
    top = min(SPEED_DEG_S, math.sqrt(ACCELERATION_DEG_S2 * way))
    return top / ACCELERATION_DEG_S2, (max(0.0, way - top**2 / ACCELERATION_DEG_S2) / top if top else 0.0)


def _travelled(way: float, elapsed_s: float) -> float:
    rise_s, cruise_s = _phases(way)
    elapsed_s = min(max(elapsed_s, 0.0), 2.0 * rise_s + cruise_s)
    if elapsed_s <= rise_s:
        return 0.5 * ACCELERATION_DEG_S2 * elapsed_s**2
    left_s = 2.0 * rise_s + cruise_s - elapsed_s
    if left_s <= rise_s:
        return way - 0.5 * ACCELERATION_DEG_S2 * left_s**2
    return ACCELERATION_DEG_S2 * rise_s * (elapsed_s - 0.5 * rise_s)
