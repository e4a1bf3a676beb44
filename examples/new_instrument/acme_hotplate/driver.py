"""The driver of a laboratory hot plate on Modbus RTU, written from the scaffold."""

from __future__ import annotations

from typing import Annotated

from drivers.capabilities import Identity
from drivers.clock import Clock
from drivers.command import Effect, Quantity, command
from drivers.links.modbus import ModbusBus
from drivers.manifest import Manifest

SERIAL, PLATE, TARGET, RATE, SAFE = 0, 2, 3, 4, 5
LATE_MAX_S = 0.25
Target = Annotated[float, Quantity("Cel", 20.0, 340.0)]
Rate = Annotated[float, Quantity("K/min", 0.5, 30.0)]
Plate = Annotated[float, Quantity("Cel", -20.0, 400.0, tolerance=1.0)]
EXAMPLE = {"target_c": 60.0, "rate_k_per_min": 5.0}


class AcmeHotplate:
    """Drives the hot plate. Satisfies `Heater`. Registers hold tenths."""

    manifest = Manifest(
        maker="acme",
        model="HP-340",
        wires=("modbus+rtu", "modbus+tcp"),
        manual="an example: the registers are those of simulator.py",
        if_host_dies="Holds its target; its own over-temperature switch opens at 360 degrees.",
        simulator="acme-hotplate",
    )

    def __init__(self, link: ModbusBus, clock: Clock, *, name: str = "hotplate") -> None:
        self.name, self._link, self._clock = name, link, clock

    async def connect(self) -> Identity:
        await self._link.open()
        return await self.identify()

    async def close(self) -> None:
        await self._link.close()

    @command(Effect.READ)
    async def identify(self) -> Identity:
        """Read serial number and firmware."""
        serial, firmware = await self._link.read_holding(SERIAL, 2)
        return Identity(maker="acme", model="HP-340", serial=str(serial), firmware=str(firmware))

    @command(Effect.READ)
    async def read_temperature(self) -> Plate:
        """Read the temperature of the plate."""
        return (await self._link.read_holding(PLATE))[0] / 10

    @command(Effect.READ)
    async def read_setpoint(self) -> Plate:
        """Read the target."""
        return (await self._link.read_holding(TARGET))[0] / 10

    @command(Effect.VERIFIABLE, verify="is_set", late_max_s=LATE_MAX_S, example=EXAMPLE)
    async def set_temperature(self, *, target_c: Target, rate_k_per_min: Rate) -> None:
        """Set target and rate in one message; does not wait until the target is reached."""
        values = [round(10 * target_c), round(10 * rate_k_per_min)]
        await self._link.write_registers(TARGET, values, effect=Effect.VERIFIABLE, late_max_s=LATE_MAX_S)

    @command(Effect.READ, example=EXAMPLE)
    async def is_set(self, *, target_c: Target, rate_k_per_min: Rate) -> bool:
        """Say whether target and rate are these."""
        return await self._link.read_holding(TARGET, 2) == [round(10 * target_c), round(10 * rate_k_per_min)]

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
    async def stop(self) -> None:
        """Stop heating."""
        await self._link.write_register(SAFE, 1, effect=Effect.IDEMPOTENT, late_max_s=LATE_MAX_S, urgent=True)
