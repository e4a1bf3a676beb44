"""The devices of a furnace, as one run of it uses them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from drivers.errors import DriverError
from orchestrator.attention import Attention
from orchestrator.journey import BatchRun, Doubt
from orchestrator.outcomes import TrialLost
from orchestrator.plan import Act, Furnace
from orchestrator.runner import Runner


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """Acts on a furnace's devices and reads them, for one batch."""

    batch: BatchRun
    furnace: Furnace
    runner: Runner
    attention: Attention

    async def act(self, act: Act) -> None:
        """Carry out an act in the batch's name.

        Raises:
            TrialLost, StopRequested, StorageError: As the runner.
        """
        await self.runner.act(next(iter(self.batch.places)), act, batch=self.batch.name)

    async def read(self, device: str, name: str) -> Any:
        """Read something of one of the devices.

        Raises:
            TrialLost: It does not answer.
        """
        try:
            return await self.runner.read(device, name)
        except DriverError as error:
            raise TrialLost(f"{self.furnace.station} does not answer: {error}", device=device) from error

    async def temperature_c(self) -> float:
        """Return the furnace's temperature; infinite where it does not say."""
        try:
            return float(await self.runner.read(self.furnace.heater, "read_temperature"))
        except DriverError:
            return math.inf

    def doubt(self, error: TrialLost) -> Doubt:
        """Take the furnace out of service until somebody has seen to it.

        Raises:
            StorageError: The journal could not be written.
        """
        furnace = self.furnace
        return self.attention.raise_(
            "furnace",
            f"{furnace.station} is out of service until somebody has seen to it: {error}",
            closed=[furnace.heater],
            device=error.device or furnace.heater,
            facts={"station": furnace.station, "heater": furnace.heater, "door": furnace.door},
        )
