"""A furnace controller in the manner of the Eurotherm 2400 series: Modbus registers, scaled integers and IEEE words.

Temperatures travel as 16-bit two's complement, scaled by the controller's own decimal point (registers 525 and 12550);
rates and times travel in the 32-bit range, where they have one meaning only. The unit is read after each temperature:
what was read before somebody changed it is no reading.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from drivers.capabilities import Identity, Segment
from drivers.clock import Clock
from drivers.command import Effect, Quantity, command
from drivers.errors import DeviceFault, OutOfLimits, Rejected
from drivers.instruments import furnace_registers as reg
from drivers.instruments.furnace_program import (
    LATE_MAX_S,
    LONGEST_MS,
    MINUTES,
    PROGRAM,
    RAMP_RATE,
    Part,
    ProgramMemory,
    checked_segments,
    float_of,
    long_of,
    mark_of,
    parts_of,
    signed,
    wide,
    words_of_float,
)
from drivers.instruments.wire import checked_tag
from drivers.links.base import untrusted
from drivers.links.modbus import ModbusBus
from drivers.manifest import Manifest

SAFE = {0: 20.0, 1: 68.0, 2: 293.15}
"""Where `stop` sends the set-point, 20 degC, in whichever unit the controller shows."""

TARGET = Quantity("Cel", 0.0, 1200.0, 0.5)
RATE = Quantity("K/min", 0.1, 50.0, 0.05)
HOLD = Quantity("s", 0.0, LONGEST_MS / 1000)
Target = Annotated[float, TARGET]
Rate = Annotated[float, RATE]
Temperature = Annotated[float, Quantity("Cel", -50.0, 1800.0, 1.0)]

SET_EXAMPLE = {"target_c": 60.0, "rate_k_per_min": 5.0}
RUN_EXAMPLE = {"segments": [{"target_c": 60.0, "rate_k_per_min": 5.0, "hold_s": 60.0}], "tag": "example"}

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class FurnaceAlarms:
    """What the controller complains of."""

    over_temperature: bool
    """Any of its four alarms, of which the furnace maker configures one for over-temperature."""
    sensor_break: bool
    loop_break: bool
    """Heating does not warm, or the loop is open."""
    heater_fail: bool


class FurnaceDriver:
    """Driver of a 2400 series furnace. Satisfies `Heater` and `ProfileHeater`.

    Temperatures are rounded to the controller's resolution, 1 or 0.1 degC. After the last segment of a profile the
    furnace holds its last target until `stop`.
    """

    manifest = Manifest(
        maker="Eurotherm",
        model="2400 series",
        wires=("modbus+rtu", "modbus+tcp"),
        manual="2000 Series Communications Handbook HA026230, as public drivers cite it (docs/instruments/furnace.md)",
        if_host_dies="Goes on: holds its set-point, or runs its program to the end and holds the last target.",
        unverified=(
            "The handbook itself was not at hand: registers and bits come from public drivers that cite it. From "
            "memory: that a set-point outside registers 111 and 112, and a program loaded while one runs, are refused "
            "with exception 3; that the holdback value is kept while the holdback type is none (it carries the mark of "
            "the tag); that function 6 is answered; that register 3 has one decimal; what register 1 shows on sensor "
            "break."
        ),
        simulator="furnace",
    )

    def __init__(self, link: ModbusBus, clock: Clock, *, name: str = "furnace") -> None:
        self.name = name
        self._link = link
        self._clock = clock
        self._memory = ProgramMemory(link)
        self._stops = 0

    async def connect(self) -> Identity:
        """Open the link and identify the device."""
        await self._link.open()
        return await self.identify()

    async def close(self) -> None:
        """Close the link; safe to call twice."""
        await self._link.close()

    @command(Effect.READ)
    async def identify(self) -> Identity:
        """Read type and firmware. There is no serial number: the customer's identification number stands for it.

        Raises:
            DeviceFault: Something else than a 2400 series controller answers.
        """
        ident = await self._word(reg.IDENT)
        if ident >> 8 != 0x24:
            problem = f"a device of type {ident:04X} answers, which is no 2400 series controller; check the unit number"
            raise DeviceFault(problem, code="identity", needs_operator=True)
        version, number = await self._word(reg.FIRMWARE), await self._word(reg.CUSTOMER_ID)
        model = reg.MODELS.get(ident >> 4 & 0xF, f"2400 ({ident:04X})")
        serial = f"customer-id-{number}" if number else f"none ({model} at {self._link.name})"
        return Identity(
            maker="Eurotherm", model=model, serial=serial, firmware=f"{version >> 8:x}.{version & 0xFF:02x}"
        )

    @command(Effect.READ)
    async def read_temperature(self) -> Temperature:
        """Read the temperature.

        Raises:
            DeviceFault: The sensor is broken or out of range: there is no reading.
        """
        raw = await self._word(reg.PROCESS_VALUE)
        status = await self._word(reg.STATUS_WORD)
        scale = await self._scale()
        if status & reg.SENSOR_BREAK_BIT or raw in reg.NO_READING:
            raise DeviceFault("the thermocouple is broken: no reading", code="sensor-break", needs_operator=True)
        if status & reg.RANGE_BIT:
            raise DeviceFault("the sensor is out of range; there is no reading", code="range", needs_operator=True)
        return signed(raw) / scale

    @command(Effect.READ)
    async def read_setpoint(self) -> Temperature:
        """Read the working set-point: the target as far as the rate limit or the program has got."""
        return signed(await self._word(reg.WORKING_SETPOINT)) / await self._scale()

    @command(Effect.READ)
    async def read_output(self) -> Annotated[float, Quantity("%", -100.0, 100.0, 5.0)]:
        """Read the output power, in per cent."""
        raw = await self._word(reg.OUTPUT)
        return signed(raw) / (1 if await self._word(reg.RESOLUTION) else 10)

    @command(
        Effect.VERIFIABLE,
        verify="is_set_to",
        timeout_s=30.0,
        late_max_s=LATE_MAX_S,
        example=SET_EXAMPLE,
    )
    async def set_temperature(self, *, target_c: Target, rate_k_per_min: Rate) -> None:
        """Set target and rate; does not wait until the target is reached.

        Raises:
            OutOfLimits: The target is outside the controller's own limits.
            Rejected: A program runs, the controller is in manual, or another set-point is selected.
        """
        stops = self._stops
        scale = await self._scale()
        await self._check_target(target_c, scale)
        await self._check_ready(reg.RATE_LIMIT)
        self._check_not_stopped(stops)
        await self._write_wide(reg.RATE_LIMIT, words_of_float(rate_k_per_min), Effect.VERIFIABLE)
        self._check_not_stopped(stops)
        # from here on a refusal leaves the rate changed: that is no "nothing changed"
        await _unless_refused(self._write(reg.RATE_DISABLE, 0, Effect.VERIFIABLE), Effect.VERIFIABLE)
        await _unless_refused(
            self._write(reg.SETPOINT_1, round(target_c * scale) & 0xFFFF, Effect.VERIFIABLE), Effect.VERIFIABLE
        )
        if not await _unless_refused(self._is_set_to(target_c, rate_k_per_min, Effect.VERIFIABLE), Effect.VERIFIABLE):
            raise self._link.distrust("the controller reads back another target or rate", effect=Effect.VERIFIABLE)

    @command(Effect.READ, timeout_s=10.0, example=SET_EXAMPLE)
    async def is_set_to(self, *, target_c: Target, rate_k_per_min: Rate) -> bool:
        """Say whether set-point 1 and the rate limit read back as these; in another unit than degC they do not."""
        return await self._is_set_to(target_c, rate_k_per_min, Effect.READ)

    @command(
        Effect.VERIFIABLE,
        verify="has_started",
        timeout_s=120.0,
        late_max_s=LATE_MAX_S,
        example=RUN_EXAMPLE,
    )
    async def run_profile(self, *, segments: Sequence[Segment | Mapping[str, Any]], tag: str) -> None:
        """Load program 1, read it back and start it; a profile that was started with this tag is not started again.

        Raises:
            OutOfLimits: A target, rate or hold is outside the driver's or the controller's limits.
            Rejected: Another program runs, or the controller is not ready for one; none was started.
            DeviceFault: The sensor is broken.
        """
        wanted, mark = _checked(segments, tag)
        stops = self._stops
        scale = await self._scale()
        if await self._has_started(wanted, mark, scale, Effect.READ):
            return
        await self._check_ready(reg.PROGRAM_STATUS)
        for part in wanted:
            if part.kind == RAMP_RATE:
                await self._check_target(part.target_c, scale)
        if await self._word(reg.PROGRAM_STATUS) != reg.RESET:
            await self._write(reg.PROGRAM_STATUS, reg.RESET, Effect.VERIFIABLE)
        await self._memory.load(wanted, mark, scale)
        if not await self._memory.holds(wanted, mark, scale, Effect.VERIFIABLE):
            raise self._link.distrust("the program reads back as another one", effect=Effect.VERIFIABLE)
        await self._write(reg.PROGRAM_NUMBER, PROGRAM, Effect.VERIFIABLE)
        self._check_not_stopped(stops)
        await self._write(reg.PROGRAM_STATUS, reg.RUN, Effect.VERIFIABLE)
        status = await _unless_refused(self._word(reg.PROGRAM_STATUS, Effect.VERIFIABLE), Effect.VERIFIABLE)
        if status == reg.RESET:
            raise untrusted("the controller took the start and is in reset", effect=Effect.VERIFIABLE)

    @command(Effect.READ, timeout_s=60.0, example=RUN_EXAMPLE)
    async def has_started(self, *, segments: Sequence[Segment | Mapping[str, Any]], tag: str) -> bool:
        """Say whether the program loaded is this one, with this tag, and runs, waits or is complete."""
        wanted, mark = _checked(segments, tag)
        if await self._word(reg.UNITS):  # the command itself, given again, refuses then
            return False
        return await self._has_started(wanted, mark, await self._scale(), Effect.READ)

    @command(Effect.READ)
    async def remaining_s(self) -> Annotated[float, Quantity("s", 0.0, 1e7, 2.0)]:
        """Read how long the program still takes; 0 when none runs."""
        if await self._word(reg.PROGRAM_STATUS) in (reg.RESET, 16):
            return 0.0
        return long_of(await self._link.read_holding(wide(reg.PROGRAM_REMAINING), 2)) / 1000

    @command(Effect.READ)
    async def program_state(self) -> str:
        """Read ``reset``, ``run``, ``hold``, ``holdback`` or ``complete``."""
        status = await self._word(reg.PROGRAM_STATUS)
        if status not in reg.STATES:
            raise self._link.distrust(f"{status} is no program status", effect=Effect.READ)
        return reg.STATES[status]

    @command(Effect.READ)
    async def read_alarms(self) -> FurnaceAlarms:
        """Read what the controller complains of."""
        status, is_broken = await self._word(reg.STATUS_WORD), await self._word(reg.SENSOR_BREAK_STATUS)
        return FurnaceAlarms(
            over_temperature=bool(status & reg.ALARM_BITS),
            sensor_break=bool(status & reg.SENSOR_BREAK_BIT or is_broken),
            loop_break=bool(status & reg.LOOP_BREAK_BIT),
            heater_fail=bool(status & reg.HEATER_BIT),
        )

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
    async def acknowledge_alarm(self) -> None:
        """Acknowledge all alarms; one whose cause is still there stays."""
        await self._write(reg.ACKNOWLEDGE, 1, Effect.IDEMPOTENT)

    @command(Effect.IDEMPOTENT, timeout_s=10.0, late_max_s=LATE_MAX_S)
    async def stop(self) -> None:
        """Reset the program, lift the rate limit, set 20 degC and go to auto: the output falls to zero at once.

        It cannot cool: the furnace loses its heat by itself. Where the controller's low limit is above 20 degC, that
        limit is set.
        """
        self._stops += 1
        effect = Effect.IDEMPOTENT
        await self._link.write_register(
            reg.PROGRAM_STATUS, reg.RESET, effect=effect, late_max_s=LATE_MAX_S, urgent=True
        )
        await _unless_refused(self._make_safe(effect), effect)

    async def _make_safe(self, effect: Effect) -> None:
        await self._write_wide(reg.RATE_LIMIT, words_of_float(0.0), effect)
        unit = await self._word(reg.UNITS, effect)
        low = float_of(await self._link.read_holding(wide(reg.LOW_LIMIT), 2, effect=effect))
        await self._write_wide(reg.SETPOINT_1, words_of_float(max(SAFE.get(unit, SAFE[0]), low)), effect)
        await self._write(reg.AUTO_MANUAL, 0, effect)
        if await self._word(reg.UNITS, effect) != unit:
            raise self._link.distrust("somebody changed the unit while it was stopped", effect=effect)

    async def _word(self, register: int, effect: Effect = Effect.READ) -> int:
        return (await self._link.read_holding(register, effect=effect))[0]

    async def _write(self, register: int, value: int, effect: Effect) -> None:
        await self._link.write_register(register, value, effect=effect, late_max_s=LATE_MAX_S)

    async def _write_wide(self, register: int, words: list[int], effect: Effect) -> None:
        await self._link.write_registers(wide(register), words, effect=effect, late_max_s=LATE_MAX_S)

    async def _scale(self, effect: Effect = Effect.READ) -> int:
        """Return how many counts are one degree.

        Raises:
            DriverError: The controller shows another unit than degC: nothing it says in counts can be trusted.
            DeviceFault: It is configured for two decimals, with which a register ends at 327.67 degC.
        """
        unit = await self._word(reg.UNITS, effect)
        if unit != 0:
            raise self._link.distrust(
                f"the controller shows {reg.UNIT_NAMES.get(unit, unit)} and not degC", effect=effect
            )
        if await self._word(reg.RESOLUTION, effect):
            return 1
        decimals = await self._word(reg.DECIMALS, effect)
        if decimals not in (0, 1):
            problem = f"the controller shows {decimals} decimals; configure 0 or 1"
            raise DeviceFault(problem, code="resolution", needs_operator=True)
        return 10**decimals

    async def _check_target(self, target_c: float, scale: int) -> None:
        high_c, low_c = (signed(word) / scale for word in await self._link.read_holding(reg.HIGH_LIMIT, 2))
        if not low_c <= target_c <= high_c:
            problem = f"{target_c:g} degC is outside the controller's own limits, {low_c:g} to {high_c:g} degC"
            raise OutOfLimits(f"{problem}; nothing was set", value=target_c, low=low_c, high=high_c, unit="Cel")

    async def _check_ready(self, purpose: int) -> None:
        status, program = await self._word(reg.STATUS_WORD), await self._word(reg.PROGRAM_STATUS)
        if program not in (reg.RESET, 16) or (program == 16 and purpose == reg.RATE_LIMIT):
            raise Rejected(f"a program is loaded and in state {reg.STATES.get(program, program)}; stop it first")
        if status & reg.SENSOR_BREAK_BIT:
            raise DeviceFault("the thermocouple is broken; nothing was set", code="sensor-break", needs_operator=True)
        if status & reg.MANUAL_BIT:
            raise Rejected("the controller is in manual; switch it to auto at its panel")
        if purpose == reg.RATE_LIMIT:
            if (units := await self._word(reg.RATE_UNITS)) != MINUTES:
                raise self._link.distrust(f"its rates are not per minute (unit {units})", effect=Effect.READ)
            if await self._word(reg.SELECTED_SETPOINT):
                raise Rejected("another set-point than number 1 is selected at the controller")

    def _check_not_stopped(self, stops: int) -> None:
        if self._stops != stops:
            raise Rejected("it was stopped before it began; nothing was started")

    async def _is_set_to(self, target_c: float, rate_k_per_min: float, effect: Effect) -> bool:
        raw = await self._word(reg.SETPOINT_1, effect)
        rate = float_of(await self._link.read_holding(wide(reg.RATE_LIMIT), 2, effect=effect))
        is_limited = not await self._word(reg.RATE_DISABLE, effect)
        if await self._word(reg.UNITS, effect):  # the command itself, given again, refuses then
            return False
        scale = await self._scale(effect)
        return raw == round(target_c * scale) & 0xFFFF and is_limited and abs(rate - rate_k_per_min) <= RATE.tolerance

    async def _has_started(self, parts: Sequence[Part], mark: int, scale: int, effect: Effect) -> bool:
        # the status is read last: a program that is loaded and running now is this one
        if not await self._memory.holds(parts, mark, scale, effect):
            return False
        number, status = await self._link.read_holding(reg.PROGRAM_NUMBER, 2, effect=effect)
        return number == PROGRAM and status != reg.RESET


async def _unless_refused(work: Awaitable[T], effect: Effect) -> T:
    """Await an exchange that follows an act: a refusal of it does not mean that nothing changed."""
    try:
        return await work
    except Rejected as error:
        raise untrusted(error.message, effect=effect) from error


def _checked(segments: Sequence[Segment | Mapping[str, Any]], tag: str) -> tuple[list[Part], int]:
    """Return the controller's segments and the mark of a tag, held against the driver's limits."""
    checked_tag(tag)
    found = checked_segments(segments)
    for number, segment in enumerate(found, 1):
        for what, value, limit in (
            ("target_c", segment.target_c, TARGET),
            ("rate_k_per_min", segment.rate_k_per_min, RATE),
            ("hold_s", segment.hold_s, HOLD),
        ):
            if not limit.admits(value):
                problem = f"{what} = {value} of segment {number} is outside {limit}; nothing was sent"
                raise OutOfLimits(problem, value=value, low=limit.low, high=limit.high, unit=limit.unit)
    return parts_of(found), mark_of(tag)
