"""The gas flow controller: one gas of a station with an HTTP and JSON interface.

Every setting is a PUT of a whole resource, which may be sent twice (RFC 9110, 9.2.2). Every answer states its unit.
"""

from __future__ import annotations

import re
from typing import Annotated

from drivers.capabilities import Identity
from drivers.clock import Clock
from drivers.command import Effect, Quantity, command
from drivers.errors import DeviceFault
from drivers.instruments.resource import Fields
from drivers.instruments.wire import agreed
from drivers.links.http import HttpBus
from drivers.manifest import Manifest

LATE_MAX_S = 0.5
UNIT = "mL/min"
SETTLED = 0.02
"""Of the set flow; never less than 1 mL/min."""

Flow = Annotated[float, Quantity("mL/min", 0.0, 500.0, tolerance=1.0)]
FlowReading = Annotated[float, Quantity("mL/min", -50.0, 600.0, tolerance=5.0)]
Pressure = Annotated[float, Quantity("bar", 0.0, 20.0, tolerance=0.1)]


class GasFlowDriver:
    """Driver of one gas of the GF-4. Satisfies `FlowController`, `Switchable` (its shut-off valve) and `Stoppable`.

    Args:
        link: The station.
        clock: The time.
        name: The device, as messages show it.
        gas: Which of the station's gases.

    Raises:
        ValueError: The name of the gas cannot stand in a path.
    """

    manifest = Manifest(
        maker="labpilot",
        model="GF-4",
        wires=("http",),
        manual="RFC 9110 (HTTP) and RFC 8259 (JSON); the resources are our own: docs/instruments/gas_flow.md",
        if_host_dies="Goes on: the flow stays as it was set, until somebody closes the valve.",
        unverified="all resource and field names: a convention of labpilot that no device on the market speaks",
        simulator="gas-flow/flow",
    )

    def __init__(self, link: HttpBus, clock: Clock, *, name: str = "gas", gas: str = "argon") -> None:
        if not re.fullmatch(r"[a-z0-9_-]+", gas):
            raise ValueError(f"{gas!r} is no gas: small letters, digits, - and _")
        self.name = name
        self._link = link
        self._clock = clock
        self._gas = gas

    async def connect(self) -> Identity:
        """Open the link and identify the device."""
        await self._link.open()
        return await self.identify()

    async def close(self) -> None:
        """Close the link; safe to call twice."""
        await self._link.close()

    @command(Effect.READ)
    async def identify(self) -> Identity:
        """Read maker, model, serial number and firmware."""
        read = await agreed(lambda: self._link.get("/identity"), self._distrust)
        found = Fields(read, self._link, Effect.READ)
        words = [found.text(key) for key in ("maker", "model", "serial", "firmware")]
        return Identity(maker=words[0], model=words[1], serial=words[2], firmware=words[3])

    @command(Effect.READ)
    async def read_flow(self) -> FlowReading:
        """Read the flow, in mL/min at standard conditions.

        Raises:
            DeviceFault: The station raises an alarm, for want of supply pressure, say.
        """
        return (await self._sound()).number("flow")

    @command(Effect.READ)
    async def read_setpoint(self) -> Flow:
        """Read the flow that it works towards, in mL/min."""

        async def read() -> float:
            return (await self._read()).number("setpoint")

        return await agreed(read, self._distrust)

    @command(Effect.READ)
    async def read_supply(self) -> Pressure:
        """Read the pressure before the controller, in bar."""
        return (await self._read()).number("supply_bar")

    @command(Effect.READ)
    async def is_settled(self) -> bool:
        """Read whether the flow is the set one, within 2 % or 1 mL/min."""
        found = await self._sound()
        setpoint = found.number("setpoint") if found.text("valve") == "open" else 0.0
        return abs(found.number("flow") - setpoint) <= max(1.0, SETTLED * setpoint)

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S, example={"flow_ml_per_min": 20.0})
    async def set_flow(self, *, flow_ml_per_min: Flow) -> None:
        """Set the flow; does not wait until it is reached, and does not open the valve.

        Raises:
            Rejected: The station refused; the flow is as before.
        """
        await self._set_flow(float(flow_ml_per_min))

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
    async def switch_on(self) -> None:
        """Open the shut-off valve."""
        await self._set_valve("open")

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
    async def switch_off(self) -> None:
        """Close the shut-off valve; the set flow stays."""
        await self._set_valve("closed")

    @command(Effect.READ)
    async def is_on(self) -> bool:
        """Read whether the shut-off valve is open."""
        return (await self._read()).text("valve", "open", "closed") == "open"

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
    async def stop(self) -> None:
        """Close the shut-off valve, and set the flow to 0."""
        await self._set_valve("closed", urgent=True)
        await self._set_flow(0.0)

    async def _set_flow(self, wanted: float) -> None:
        path = f"/gas/{self._gas}/setpoint"
        body = {"flow": wanted, "unit": UNIT}
        found = Fields(
            await self._link.put(path, body, effect=Effect.IDEMPOTENT, late_max_s=LATE_MAX_S),
            self._link,
            Effect.IDEMPOTENT,
        )
        self._require_ours(found)
        found.require_unit(UNIT)
        if (flow := found.number("flow")) != wanted:
            raise self._link.distrust(f"the flow was set to {flow:g} and not to {wanted:g}", effect=Effect.IDEMPOTENT)

    async def _set_valve(self, state: str, *, urgent: bool = False) -> None:
        answer = await self._link.put(
            f"/gas/{self._gas}/valve",
            {"state": state},
            effect=Effect.IDEMPOTENT,
            late_max_s=LATE_MAX_S,
            urgent=urgent,
        )
        found = Fields(answer, self._link, Effect.IDEMPOTENT)
        self._require_ours(found)
        found.text("state", state)

    async def _sound(self) -> Fields:
        found = await self._read()
        found.require_fresh()
        if alarm := found.text("alarm"):
            raise DeviceFault(f"{self._gas}: {alarm}; look at the gas supply", code=alarm, needs_operator=True)
        return found

    async def _read(self) -> Fields:
        found = Fields(await self._link.get(f"/gas/{self._gas}"), self._link, Effect.READ)
        self._require_ours(found)
        found.require_unit(UNIT)
        return found

    def _require_ours(self, found: Fields) -> None:
        found.text("gas", self._gas)

    def _distrust(self, why: str) -> Exception:
        return self._link.distrust(why, effect=Effect.READ)
