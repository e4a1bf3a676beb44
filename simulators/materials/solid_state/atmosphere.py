"""The gas around a sample, as partial pressures."""

from __future__ import annotations

from dataclasses import dataclass

LEAST_BAR = 1e-6
"""What even a pure gas holds of every other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Atmosphere:
    """Partial pressures of what takes part in reactions; the rest is inert."""

    o2_bar: float
    co2_bar: float
    h2o_bar: float

    def __post_init__(self) -> None:
        pressures = (self.o2_bar, self.co2_bar, self.h2o_bar)
        if not all(0.0 <= bar <= 10.0 for bar in pressures):
            raise ValueError(f"partial pressures go from 0 to 10 bar, not (O2, CO2, H2O) = {pressures}")

    def bar(self, gas: str) -> float:
        """Return the pressure of O2, CO2 or H2O, never less than the purest gas has of it."""
        return max({"O2": self.o2_bar, "CO2": self.co2_bar, "H2O": self.h2o_bar}[gas], LEAST_BAR)


AIR = Atmosphere(o2_bar=0.21, co2_bar=4.2e-4, h2o_bar=0.01)
OXYGEN = Atmosphere(o2_bar=1.0, co2_bar=0.0, h2o_bar=0.0)
INERT = Atmosphere(o2_bar=0.0, co2_bar=0.0, h2o_bar=0.0)
CARBON_DIOXIDE = Atmosphere(o2_bar=0.0, co2_bar=1.0, h2o_bar=0.0)
ATMOSPHERES = {"air": AIR, "oxygen": OXYGEN, "inert": INERT, "carbon dioxide": CARBON_DIOXIDE}
