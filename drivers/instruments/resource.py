"""Reading JSON objects that devices with an HTTP interface answer with: nothing is guessed, nothing is converted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drivers.command import Effect
from drivers.links.http import HttpBus

STALE_S = 2.0
"""A reading that is older is no reading."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one answer; what is missing or of another kind makes the answer untrustworthy."""

    found: Mapping[str, Any]
    bus: HttpBus
    effect: Effect

    def number(self, key: str) -> float:
        """Return a finite number.

        Raises:
            Unreadable, Ambiguous: It is none, by effect.
        """
        value = self.found.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.bus.distrust(f"{key} is {value!r} and no number", effect=self.effect)
        return float(value)

    def text(self, key: str, *among: str) -> str:
        """Return a text, one of those that are given if any are; errors as `number`."""
        value = self.found.get(key)
        if not isinstance(value, str) or (among and value not in among):
            wanted = f"one of {', '.join(among)}" if among else "a text"
            raise self.bus.distrust(f"{key} is {value!r} and not {wanted}", effect=self.effect)
        return value

    def flag(self, key: str) -> bool:
        """Return true or false; errors as `number`."""
        value = self.found.get(key)
        if not isinstance(value, bool):
            raise self.bus.distrust(f"{key} is {value!r}, neither true nor false", effect=self.effect)
        return value

    def rows(self, key: str) -> list[Fields]:
        """Return a list of objects; errors as `number`."""
        value = self.found.get(key)
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise self.bus.distrust(f"{key} is {value!r} and no list of objects", effect=self.effect)
        return [Fields(row, self.bus, self.effect) for row in value]

    def require_unit(self, unit: str) -> None:
        """Require the field ``unit``; errors as `number`."""
        if (shown := self.found.get("unit")) != unit:
            raise self.bus.distrust(f"the unit is {shown!r} and not {unit}; switch it back", effect=self.effect)

    def require_fresh(self) -> None:
        """Require that the reading is no older than `STALE_S`.

        Raises:
            Unreadable, Ambiguous: It is older, by effect.
        """
        age_s = self.number("age_s")
        if not 0.0 <= age_s <= STALE_S:
            raise self.bus.distrust(f"the reading is {age_s:g} s old: the sensor is dead", effect=self.effect)
