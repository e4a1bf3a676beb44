"""Temperature over time, minute by minute, in an atmosphere.

Time goes in whole minutes: a furnace that overshoots, loses power or stops early has another history, which `from_log`
takes as it was recorded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simulators.materials.solid_state.atmosphere import AIR, Atmosphere

AMBIENT_C = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A linear change of temperature, or a hold."""

    start_c: float
    end_c: float
    minutes: int
    atmosphere: Atmosphere = AIR

    def __post_init__(self) -> None:
        if isinstance(self.minutes, bool) or not isinstance(self.minutes, int) or self.minutes < 1:
            raise ValueError(f"a segment lasts whole minutes, at least 1, not {self.minutes!r}")
        if not all(-50.0 <= end <= 2000.0 for end in (self.start_c, self.end_c)):
            raise ValueError(
                f"a segment from {self.start_c:g} to {self.end_c:g} degC; -50 to 2000 degC can be simulated"
            )

    def temperatures_c(self) -> Iterator[float]:
        """Yield the temperature in the middle of each minute."""
        slope = (self.end_c - self.start_c) / self.minutes
        for minute in range(self.minutes):
            yield self.start_c + slope * (minute + 0.5)


def hold(temperature_c: float, minutes: int, atmosphere: Atmosphere = AIR) -> Segment:
    """Return a stay at one temperature."""
    return Segment(start_c=temperature_c, end_c=temperature_c, minutes=minutes, atmosphere=atmosphere)


def ramp(start_c: float, end_c: float, *, rate_c_per_min: float, atmosphere: Atmosphere = AIR) -> Segment:
    """Return a change of temperature in the whole minutes that come closest to a rate.

    Raises:
        ValueError: The rate is not above zero.
    """
    if not rate_c_per_min > 0.0:
        raise ValueError(f"a ramp of {rate_c_per_min!r} degC/min; write a rate above 0, for cooling too")
    minutes = max(1, math.ceil(abs(end_c - start_c) / rate_c_per_min))
    return Segment(start_c=start_c, end_c=end_c, minutes=minutes, atmosphere=atmosphere)


def program(
    target_c: float,
    hold_minutes: int,
    *,
    heating_c_per_min: float = 5.0,
    cooling_c_per_min: float = 5.0,
    atmosphere: Atmosphere = AIR,
) -> tuple[Segment, ...]:
    """Return a firing: up from room temperature, a hold, and down again."""
    return (
        ramp(AMBIENT_C, target_c, rate_c_per_min=heating_c_per_min, atmosphere=atmosphere),
        hold(target_c, hold_minutes, atmosphere),
        ramp(target_c, AMBIENT_C, rate_c_per_min=cooling_c_per_min, atmosphere=atmosphere),
    )


def from_log(temperatures_c: Sequence[float], atmosphere: Atmosphere = AIR) -> tuple[Segment, ...]:
    """Return the history that a thermocouple recorded, one mean temperature for each minute."""
    return tuple(hold(temperature_c, 1, atmosphere) for temperature_c in temperatures_c)
