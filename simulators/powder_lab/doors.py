"""The doors of the laboratory: one before each furnace, and that of the enclosure around the arms."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simulators.instruments.base import RESOLUTION_S, Now
from simulators.instruments.door import IDENTITY, TRAVEL_S, Door, DoorStation
from simulators.powder_lab.box import BoxFurnace
from simulators.world import WorldFile

SWITCH = 1e-3
"""How far a door is open, at least, that does not press its switch."""


class LabDoor(Door):
    """A door that others watch."""

    @property
    def changes_s(self) -> tuple[float, float]:
        """When its last way began, and when it ended or will."""
        return self._door["begin_s"], self._halt_s()

    def gap(self, time_s: float) -> float:
        """Return how far it is open at a time, as its switch has it: one that begins to open is not closed any more."""
        return max(self.position(time_s), SWITCH if self._door["aim"] > 0.0 else 0.0)

    def is_wide_open(self, time_s: float) -> bool:
        """Say whether it is open at a time."""
        return self.position(time_s) >= 1.0 - RESOLUTION_S

    def is_jammed(self) -> bool:
        """Say whether it is jammed."""
        self._settle_door()
        return self._door["is_jammed"]

    def free(self) -> None:
        """Have a person free it."""
        self._settle_door()
        self._write(is_jammed=False)


class BoxDoor(LabDoor):
    """The door before a furnace.

    Args:
        state: Its part of the world's file.
        clock: The time.
        seed: Of when and where it jams.
        name: Its name, for its serial number.
        furnace: What is behind it.
        opens_below_c: The hot limit.
        jam_probability: Of each travel.
        closes: Told that it is about to close.
    """

    def __init__(
        self,
        *,
        state: WorldFile,
        clock: Now,
        seed: int,
        name: str,
        furnace: BoxFurnace,
        opens_below_c: float,
        jam_probability: float,
        closes: Callable[[], None],
    ) -> None:
        options = {**DoorStation.DEFAULTS, "jam_probability": jam_probability}
        super().__init__(state=state, clock=clock, seed=seed, options=options)
        self.identity = {**IDENTITY, "serial": f"D-{name}"}
        self._furnace = furnace
        self._opens_below_c = opens_below_c
        self._closes = closes

    def _settle_door(self) -> None:
        self._furnace.catch_up()  # it has felt the door as it was until now
        super()._settle_door()

    def _write(self, **changes: Any) -> None:
        self._furnace.keep()
        super()._write(**changes)

    def _go(self, target: str, *, full_s: float) -> None:
        if target != "open":
            self._closes()
        super()._go(target, full_s=full_s)

    def _interlocks(self) -> list[dict[str, Any]]:
        cold = self._furnace_cold(round(self._furnace.measured_c, 1), self._opens_below_c)
        return [cold, self._nobody_in_the_way()]


class EnclosureDoor(LabDoor):
    """The door of the enclosure: people open it, arms then stand still.

    Args:
        state: Its part of the world's file.
        clock: The time.
        openings: When people open it, and for how long, in seconds of the world's life.
        are_still: Whether no arm moves.
        opened: Told that it is no longer closed.
    """

    forbidden_by: Mapping[str, tuple[str, ...]] = {
        "open": ("arms_still",),
        "closed": ("nobody_in_the_way",),
        "home": ("nobody_in_the_way",),
    }

    def __init__(
        self,
        *,
        state: WorldFile,
        clock: Now,
        openings: Sequence[tuple[float, float]],
        are_still: Callable[[], bool],
        opened: Callable[[], None],
    ) -> None:
        super().__init__(state=state, clock=clock, seed=0, options=DoorStation.DEFAULTS)
        self.identity = {**IDENTITY, "serial": "D-enclosure"}
        self._are_still = are_still
        self._opened = opened
        moments = [(at_s, at_s + for_s) for at_s, for_s in openings]
        self._schedule = [(s, target) for pair in moments for s, target in zip(pair, ("open", "closed"), strict=True)]
        self._next: int = state.get("next", 0)
        self._by = ""

    @property
    def due_s(self) -> float:
        """When somebody opens or closes it next; never, where nobody will."""
        if self._next >= len(self._schedule):
            return math.inf
        return self._began_s + self._schedule[self._next][0]

    def advance(self) -> None:
        """Carry out what has become due."""
        target = self._schedule[self._next][1]
        self._next += 1
        self._state.update({"next": self._next})
        self.by_hand(target)

    def by_hand(self, target: str) -> None:
        """Have a person open or close it, whatever its interlocks say."""
        self._settle_door()
        self._by = "person"
        try:
            self._go(target, full_s=TRAVEL_S)
        finally:
            self._by = ""

    def _go(self, target: str, *, full_s: float) -> None:
        super()._go(target, full_s=full_s)
        if target == "open":
            self._opened()

    def _interlocks(self) -> list[dict[str, Any]]:
        is_shut, are_still = self.gap(self._clock.now_s()) == 0.0, self._are_still()
        return [
            self._lock("enclosure_closed", is_shut, "the enclosure is closed" if is_shut else "the enclosure is open"),
            self._lock("arms_still", are_still, "no arm moves" if are_still else "an arm moves"),
            self._nobody_in_the_way(),
        ]

    def _did(self, what: str, *, once: bool = False, **facts: Any) -> None:
        super()._did(what, once=once, **facts, **({"by": self._by} if self._by else {}))
