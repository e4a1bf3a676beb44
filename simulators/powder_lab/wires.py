"""Wires of the powder laboratory on which some exchanges go wrong, by chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zlib import crc32

import numpy as np

from simulators.chance import generator
from simulators.faults import Fault, FaultyWire, Strike
from simulators.instruments.base import Now

ON_ANY_WIRE = (
    Fault.DROP_REQUEST,
    Fault.DROP_REPLY,
    Fault.CUT,
    Fault.SPLIT,
    Fault.LATE,
    Fault.TOO_LATE,
    Fault.DUPLICATE,
    Fault.DISCONNECT_BEFORE,
    Fault.DISCONNECT_AFTER,
)
ON_SERIAL_WIRES = (*ON_ANY_WIRE, Fault.GARBLE, Fault.BAD_CHECKSUM)
"""TCP's own checksum keeps damaged bytes out."""
LATE_S = {Fault.LATE: 0.1, Fault.TOO_LATE: 8.0}


class FlakyWire(FaultyWire):
    """An instrument whose exchanges go wrong at a rate.

    Args:
        instrument: What answers.
        name: Its name in the world.
        rate: Chance of each exchange, whatever goes wrong.
        rates: Chances by fault instead; together at most 1.
        seed: Of what chance decides.
        clock: The time; chance follows from it, so that it is the same whenever a controller was killed.
    """

    def __init__(
        self,
        instrument: Any,
        *,
        name: str,
        rate: float,
        seed: int,
        clock: Now,
        rates: Mapping[Fault, float] | None = None,
    ) -> None:
        super().__init__(instrument, seed=seed)
        self._menu = menu_of(self.wire) if rates is None else tuple(rates)
        self._weights = None if rates is None else list(rates.values())
        self._name, self._chance_seed, self._clock = name, seed, clock
        self._rate = rate if self._weights is None else sum(self._weights)
        self._at_us, self._of_this_us = -1, 0

    def receive(self, data: bytes) -> None:
        """Pass a request on, unless chance is against it."""
        at_us = round(1e6 * self._clock.now_s())
        self._of_this_us = self._of_this_us + 1 if at_us == self._at_us else 0
        self._at_us = at_us
        event = f"{self._chance_seed} {self._name} {at_us} {self._of_this_us}"
        if (
            crc32(event.encode()) < self._rate * 2**32
        ):  # a generator for each exchange would cost more than the exchange
            rng = generator(self._chance_seed, "wire", self._name, at_us, self._of_this_us)
            fault = self._menu[self._drawn(rng)]
            self.arm([Strike(fault=fault, late_s=LATE_S.get(fault, 0.1))])
        super().receive(data)

    def _drawn(self, rng: np.random.Generator) -> int:
        if self._weights is None:
            return int(rng.integers(len(self._menu)))
        return int(rng.choice(len(self._menu), p=np.array(self._weights) / self._rate))


def menu_of(wire: str) -> tuple[Fault, ...]:
    """Return what can go wrong by chance on a wire of a kind."""
    return ON_SERIAL_WIRES if wire in ("serial", "modbus+rtu") else ON_ANY_WIRE
