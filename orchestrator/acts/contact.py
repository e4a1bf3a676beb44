"""Contact with devices: commands sent to them, and what is read from them without leaving a step.

What only reads is repeated after pauses, and a port that was lost is opened again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from drivers.command import Effect
from drivers.errors import DeviceFault, DriverError, NotConnected
from orchestrator.acts.step import Step
from orchestrator.acts.step_journal import StepJournal
from orchestrator.calls import PATIENCE_S, call
from orchestrator.laboratory import Laboratory

log = logging.getLogger(__name__)

RETRY_AFTER_S = (1.0, 5.0, 30.0)
"""Pauses before a command that did not reach its device, or could not be read, is sent again."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Calls drivers."""

    laboratory: Laboratory
    journal: StepJournal

    async def send(self, step: Step) -> Any:
        """Have a device do what a step says, once.

        Raises:
            DriverError: As the driver says.
        """
        spec, device = step.spec, step.device
        return await call(
            getattr(self.laboratory.stations[device].driver, spec.name),
            step.arguments,
            effect=spec.effect,
            deadline_s=spec.timeout_s + spec.late_max_s + PATIENCE_S,
            device=device,
            command=spec.name,
        )

    def acts_sent(self, step: Step) -> int | None:
        """Return how many acting requests a device's link has put on the wire; None where it does not count them."""
        driver = self.laboratory.stations[step.device].driver
        return getattr(getattr(driver, "_link", None), "n_acts_sent", None)

    async def read(self, device: str, name: str, **arguments: Any) -> Any:
        """Read something that no trial is concluded from; it leaves no step.

        Raises:
            DriverError: The device does not answer, after as many tries as an act gets.
        """
        station = self.laboratory.stations[device]
        timeout_s = station.specs[name].timeout_s + PATIENCE_S
        method = getattr(station.driver, name)
        pauses_s = iter(RETRY_AFTER_S)
        while True:
            try:
                return await call(
                    method, arguments, effect=Effect.READ, deadline_s=timeout_s, device=device, command=name
                )
            except DriverError as error:
                pause_s = next(pauses_s, None)
                if pause_s is None:
                    raise
                await self.laboratory.clock.sleep(pause_s)
                if isinstance(error, NotConnected):
                    await self._reopened(device)

    async def _reopened(self, device: str) -> None:
        try:
            await self.laboratory.reconnect(device)
        except DriverError as error:
            log.warning("reconnecting_failed device=%s error=%s", device, error)

    async def landed(self, step: Step) -> bool:
        """Ask the device whether a VERIFIABLE command landed.

        Raises:
            DriverError: It does not answer.
        """
        device, name = step.device, str(step.spec.verify)
        station = self.laboratory.stations[device]
        timeout_s = station.specs.get(name, step.spec).timeout_s
        pauses_s = iter(RETRY_AFTER_S)
        while True:
            try:
                answer = await call(
                    getattr(station.driver, name),
                    step.arguments,
                    effect=Effect.READ,
                    deadline_s=timeout_s + PATIENCE_S,
                    device=device,
                    command=name,
                )
                return bool(answer)
            except DriverError as error:
                pause_s = next(pauses_s, None)
                if pause_s is None:
                    raise
                self.journal.incident(step, "fault", f"read-back failed: {error}; trying again in {pause_s:g} s")
                await self.laboratory.clock.sleep(pause_s)
                await self.reconnect(step, error)

    async def reconnect(self, step: Step, trouble: DriverError | None) -> None:
        """Open a lost port again; where that does not help, the next attempt says so.

        Raises:
            DeviceFault: Another device answers there.
        """
        if not isinstance(trouble, NotConnected):
            return
        try:
            await self.laboratory.reconnect(step.device)
        except DeviceFault:
            raise
        except DriverError as error:
            self.journal.incident(step, "fault", f"reconnecting failed: {error}")
