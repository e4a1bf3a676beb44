"""What the instruments, energy and materials of a laboratory cost, as the lab file says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from orchestrator.fields import In, Number, StrictModel

Price = Annotated[Number, Field(ge=0, allow_inf_nan=False)]


class DevicePrices(StrictModel):
    """What one device takes while it works."""

    power_w: Annotated[float, In("W", least=0)] | None = Field(
        default=None, alias="power", description="Mean electrical power while it works, '3 kW'"
    )
    per_hour: Price = Field(default=0.0, description="Price of an hour in which it works: wear, licence, share")


class Prices(StrictModel):
    """Prices, all in one currency."""

    currency: str = Field(min_length=1, max_length=12, description="What prices are in, 'EUR'")
    devices: dict[str, DevicePrices] = Field(default_factory=dict, description="By device")
    per_kwh: Price = Field(default=0.0, description="Price of a kilowatt hour")
    per_g: dict[str, Price] = Field(default_factory=dict, description="Price of a gram, by material")
    per_ml: dict[str, Price] = Field(default_factory=dict, description="Price of a millilitre, by material")
    per_sample: Price = Field(default=0.0, description="Price of each trial begun: container, substrate, disposal")

    def of(self, unit: str) -> Mapping[str, float]:
        """Return the prices by material of the thousandth of a gram (``mg``) or of a millilitre (``mL``)."""
        if unit == "mg":
            return {name: price / 1000 for name, price in self.per_g.items()}
        return self.per_ml if unit == "mL" else {}
