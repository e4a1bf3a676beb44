"""A cryostat with a Lake Shore 336 or 350 behind its public EPICS support: output 1 controlled by input A.

Whoever asks that IOC to confirm a set-point hears of it when the temperature is there, hours later; so set-points are
written without, and what became of them is read back from the controller's own records.
"""

from __future__ import annotations

from typing import Annotated

from drivers.capabilities import Identity
from drivers.clock import Clock
from drivers.command import Effect, Quantity, command
from drivers.errors import DeviceFault, OutOfLimits
from drivers.instruments.on_channels import FIND_S, Scanned, check_unit, read_number, read_text, read_whole, write_next
from drivers.links.channels import Channels
from drivers.manifest import Manifest

UNIT = "K"
ZERO_C_K = 273.15
LATE_MAX_S = 1.5
STALE_S = 5.0
"""The IOC reads the controller every second or so; a temperature that it has not updated for longer is none."""
SETTLE_S = 7.0
"""After a write the IOC has read the controller back within this."""
RAMP_SEEN_S = 2.5
"""Between two looks at a set-point that may be on its way: two scans, or 4 mK at the slowest ramp."""
POLL_S = 0.5
SAME_K = 0.011
SAME_K_MIN = 0.051
HEATING = 3
"""The highest range: the one that warms through the whole span."""
OFF = 0

_SENSOR = {1: "invalid", 2: "under range", 3: "over range", 4: "sensor units zero", 5: "sensor units over range"}
_HEATER = {1: "open load", 2: "short"}

Target = Annotated[float, Quantity("Cel", -269.0, 75.0, tolerance=SAME_K)]
Rate = Annotated[float, Quantity("K/min", 0.1, 100.0, tolerance=SAME_K_MIN)]


class CryostatDriver:
    """Driver of a Lake Shore 336 on EPICS. Satisfies `Heater`. Works in degrees Celsius; the IOC in kelvin."""

    manifest = Manifest(
        maker="Lake Shore",
        model="336",
        wires=("ca",),
        manual="EPICS support for Lake Shore 336/350 (github.com/mp49/lakeshore), database and protocol files",
        if_host_dies="The controller finishes its ramp and holds its set-point, heater on.",
        unverified=(
            "No Lake Shore was at hand. From memory: that SETP? answers with the set-point on its way during a ramp, "
            "that an output with an open heater switches itself off, and the numbers of HTRST."
        ),
        simulator="cryostat",
    )

    def __init__(self, link: Channels, clock: Clock, *, name: str = "cryostat") -> None:
        self.name = name
        self._link = link
        self._clock = clock
        self._temperature = Scanned(channel="KRDG0", stale_s=STALE_S)

    async def connect(self) -> Identity:
        """Open the channels and identify the controller."""
        await self._link.open()
        return await self.identify()

    async def close(self) -> None:
        """Close the channels; safe to call twice."""
        await self._link.close()

    @command(Effect.READ, timeout_s=10.0)
    async def identify(self) -> Identity:
        """Read model, serial number and firmware."""
        words = (await read_text(self._link, "ID", timeout_s=FIND_S)).split(",")
        if len(words) != 3:
            raise self._link.distrust(f"{words} is no identity of a Lake Shore controller", effect=Effect.READ)
        return Identity(maker="LSCI", model=words[0], serial=words[1], firmware=words[2])

    @command(Effect.READ, timeout_s=2 * STALE_S)
    async def read_temperature(self) -> Annotated[float, Quantity("Cel", -273.15, 130.0, tolerance=0.1)]:
        """Read the temperature of input A.

        Raises:
            DeviceFault: The sensor is broken or out of its range.
        """
        status = await read_whole(self._link, "RDGST0")
        if status:
            problem = _SENSOR.get(status, str(status))
            raise DeviceFault(f"the sensor's status is {problem!r}; look at it", code=problem, needs_operator=True)
        kelvin = await self._temperature.read(self._link, self._clock)
        await check_unit(self._link, "KRDG0.EGU", UNIT)
        return kelvin - ZERO_C_K

    @command(Effect.READ, timeout_s=10.0)
    async def read_setpoint(self) -> Annotated[float, Quantity("Cel", -273.15, 130.0, tolerance=SAME_K)]:
        """Read the set-point that the IOC was last given; after a restart of the IOC, what the controller had then."""
        return await self._kelvin("SETP_S1", Effect.READ) - ZERO_C_K

    @command(Effect.READ, timeout_s=10.0)
    async def read_power(self) -> Annotated[float, Quantity("%", 0.0, 100.0, tolerance=5.0)]:
        """Read the heater's output, in percent of its range.

        Raises:
            DeviceFault: The heater is broken.
        """
        await self._refuse_broken_heater(Effect.READ)
        return await read_number(self._link, "HTR1")

    @command(
        Effect.VERIFIABLE,
        verify="is_set",
        timeout_s=40.0,
        late_max_s=LATE_MAX_S,
        example={"target_c": -250.0, "rate_k_per_min": 2.0},
    )
    async def set_temperature(self, *, target_c: Target, rate_k_per_min: Rate) -> None:
        """Ramp to a target, heater on; does not wait until it is reached.

        Raises:
            OutOfLimits: Outside the limits that the IOC has; nothing was written.
            DeviceFault: The IOC or the controller made another value of it, or the heater is broken.
        """
        target_k = await self._allowed(target_c)
        rate = round(float(rate_k_per_min), 1)
        await self._link.put("RAMP_S1", rate, effect=Effect.VERIFIABLE, late_max_s=LATE_MAX_S)
        await write_next(self._link, "RAMPST_S1", 1, Effect.VERIFIABLE)
        await write_next(self._link, "SETP_S1", target_k, Effect.VERIFIABLE)
        found_k = await self._kelvin("SETP_S1", Effect.VERIFIABLE)
        if abs(found_k - target_k) > SAME_K:
            problem = f"the IOC made {found_k:g} K of {target_k:g} K; that is the set-point now, or stop"
            raise DeviceFault(problem, code="clamped", needs_operator=True)
        await write_next(self._link, "RANGE_S1", HEATING, Effect.VERIFIABLE)
        await self._agreed(target_k, rate)

    @command(Effect.READ, timeout_s=30.0, example={"target_c": -250.0, "rate_k_per_min": 2.0})
    async def is_set(self, *, target_c: Target, rate_k_per_min: Rate) -> bool:
        """Say whether the controller works towards a target at a rate, heater on."""
        target_k, rate = target_c + ZERO_C_K, round(float(rate_k_per_min), 1)
        return await self._has(target_k, rate, Effect.READ) and await self._leads_to(target_k, Effect.READ)

    @command(Effect.IDEMPOTENT, timeout_s=20.0, late_max_s=LATE_MAX_S)
    async def stop(self) -> None:
        """Switch the heater off; the cryostat cools to its base temperature."""
        await self._link.put("RANGE_S1", OFF, effect=Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
        give_up_s = self._clock.now_s() + SETTLE_S
        while await read_whole(self._link, "RANGE1", Effect.IDEMPOTENT) != OFF:
            if self._clock.now_s() > give_up_s:
                raise self._link.distrust("the heater is still on after it was switched off", effect=Effect.IDEMPOTENT)
            await self._clock.sleep(POLL_S)

    async def _allowed(self, target_c: float) -> float:
        low, high = await read_number(self._link, "SETP_S1.DRVL"), await read_number(self._link, "SETP_S1.DRVH")
        await check_unit(self._link, "SETP_S1.EGU", UNIT)
        await self._refuse_broken_heater(Effect.READ)
        target_k = round(target_c + ZERO_C_K, 3)
        if low < high and not low <= target_k <= high:
            problem = f"{target_k:g} K is outside the IOC's limits [{low:g}, {high:g}] K; nothing was sent"
            raise OutOfLimits(problem, value=target_c, low=low - ZERO_C_K, high=high - ZERO_C_K, unit="Cel")
        return target_k

    async def _agreed(self, target_k: float, rate: float) -> None:
        """Wait until the controller's own records show what was written."""
        give_up_s = self._clock.now_s() + SETTLE_S
        while not await self._has(target_k, rate, Effect.VERIFIABLE):
            await self._refuse_broken_heater(Effect.VERIFIABLE)
            if self._clock.now_s() > give_up_s:
                raise self._link.distrust("the controller has not taken what was written", effect=Effect.VERIFIABLE)
            await self._clock.sleep(POLL_S)
        if not await self._leads_to(target_k, Effect.VERIFIABLE):
            problem = f"the controller's set-point does not go to {target_k:g} K"
            raise self._link.distrust(problem, effect=Effect.VERIFIABLE)

    async def _has(self, target_k: float, rate: float, effect: Effect) -> bool:
        return (
            abs(await self._kelvin("SETP_S1", effect) - target_k) <= SAME_K
            and abs(await read_number(self._link, "RAMP1", effect) - rate) <= SAME_K_MIN
            and await read_whole(self._link, "RAMPST1", effect) == 1
            and await read_whole(self._link, "RANGE1", effect) != OFF
        )

    async def _leads_to(self, target_k: float, effect: Effect) -> bool:
        """Say whether the controller's set-point is at a target or moves towards it.

        The IOC's record only says what this IOC was told; somebody at the controller may have typed another.
        """
        first_k = await self._kelvin("SETP1", effect)
        # also where it is there already: it may have just begun to leave
        await self._clock.sleep(RAMP_SEEN_S)
        second_k = await self._kelvin("SETP1", effect)
        return abs(second_k - target_k) <= SAME_K or (second_k - first_k) * (target_k - first_k) > 0.0

    async def _refuse_broken_heater(self, effect: Effect) -> None:
        status = await read_whole(self._link, "HTRST1", effect)
        if status:
            problem = _HEATER.get(status, str(status))
            raise DeviceFault(f"the heater reports {problem!r}; look at it", code=problem, needs_operator=True)

    async def _kelvin(self, channel: str, effect: Effect) -> float:
        kelvin = await read_number(self._link, channel, effect)
        await check_unit(self._link, f"{channel}.EGU", UNIT, effect)
        return kelvin
