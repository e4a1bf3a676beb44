"""The balance under the dosing place: it feels powder as it comes down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from simulators.instruments.balance import BalanceInstrument
from simulators.instruments.base import Now
from simulators.world import WorldFile

FELT_G = 1e-6


class LabBalance(BalanceInstrument):
    """A balance that looks at its pan when it weighs.

    Args:
        on_the_pan_g: What truly is there now.
        state: Its part of the world's file.
        clock: The time.
        seed: Of its noise.
        options: As of the world ``balance``.
    """

    def __init__(
        self, on_the_pan_g: Callable[[], float], *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]
    ) -> None:
        super().__init__(state=state, clock=clock, seed=seed, options=options)
        self._on_the_pan_g = on_the_pan_g

    def _samples_g(self) -> list[float]:
        mass_g = self._on_the_pan_g()
        if abs(mass_g - self.load_g) > FELT_G:
            self.put(mass_g)
        return super()._samples_g()
