"""A simulated furnace with a controller in the manner of the Eurotherm 2400 series, on Modbus RTU and TCP.

Temperatures are 16-bit two's complement, scaled by the decimal point (525) unless the comms resolution (12550) is
integer; every register n appears again at 0x8000 + 2 n in 32 bits, temperatures and rates as floats, times in
milliseconds. Set-point 1, rate limit and program live in EEPROM; a restart resets the program and lets the working
set-point start from the temperature. The registers are those of public drivers; see docs/instruments/furnace.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from pymodbus.constants import ExcCodes

from simulators.instruments.base import Now
from simulators.instruments.furnace_core import BROKEN, FIRMWARE, IDENT, MAKER, PROGRAM_BASE, SEGMENTS, FurnaceCore
from simulators.instruments.furnace_heat import COMPLETE, DWELL, LOOP_BREAK_S, RESET, STEP_S, remaining_s
from simulators.instruments.furnace_words import NUMBER, RATE, READ_ONLY, TEMPERATURE, TIME, WIDE, kind_of
from simulators.instruments.modbus import ModbusError, ModbusInstrument
from simulators.solo import Solo
from simulators.world import Instrument, WorldFile


class FurnaceController(FurnaceCore):
    """The controller's registers; see `FurnaceCore`."""

    def read_register(self, address: int) -> int:
        """Return a register of either range."""
        self._catch_up()
        if address >= WIDE:
            kind, value = self._value((address - WIDE) // 2)
            return self._words().wide(kind, value)[address & 1]
        kind, value = self._value(address)
        return BROKEN if address == 1 and self._is_broken() else self._words().word(kind, value)

    def write_register(self, address: int, value: int) -> None:
        """Take a register; of a 32-bit one, the second half completes it."""
        self._catch_up()
        if address >= WIDE and not address & 1:
            self._high_word = value
            return
        register = address if address < WIDE else (address - WIDE) // 2
        kind, _ = self._value(register)
        words = self._words()
        number = words.of_word(kind, value) if address < WIDE else words.of_wide(kind, self._high_word, value)
        if not math.isfinite(number):
            raise ModbusError(ExcCodes.ILLEGAL_VALUE)
        self._take(register, number)

    def read_coil(self, address: int) -> bool:
        """Refuse: what it has as bits is not simulated."""
        raise ModbusError(ExcCodes.ILLEGAL_ADDRESS)

    def write_coil(self, address: int, is_on: bool) -> None:
        """Refuse: what it has as bits is not simulated."""
        raise ModbusError(ExcCodes.ILLEGAL_ADDRESS)

    def _value(self, register: int) -> tuple[str, float]:
        """Return what kind of value a register holds, and the value in degC, K/min, ms or per cent."""
        if PROGRAM_BASE <= register < PROGRAM_BASE + 8 * (SEGMENTS + 1):
            return self._program_value(*divmod(register - PROGRAM_BASE, 8))
        heat, kept, options = self._heat, self._kept, self._options
        values = {
            1: self._reading_c,
            2: lambda: kept["setpoint_c"],
            5: lambda: heat.working_c,
            13: lambda: options["over_temperature_c"],
            24: lambda: kept["setpoint_c"],
            111: lambda: options["setpoint_high_c"],
            112: lambda: options["setpoint_low_c"],
            160: lambda: kept["segments"][min(heat.segment, SEGMENTS - 1)]["target_c"],
            163: lambda: heat.working_c,
            35: lambda: kept["rate_k_min"],
            3: lambda: 100.0 * heat.output,
            4: lambda: 100.0 * heat.output,
            36: lambda: 1000.0 * heat.left_s,
            58: lambda: 1000.0 * remaining_s(heat, self._settings()),
            15: lambda: 0,
            22: lambda: 1,
            23: lambda: heat.status,
            29: lambda: kept["segments"][min(heat.segment, SEGMENTS - 1)]["kind"],
            56: lambda: 0 if heat.status == RESET else heat.segment + 1,
            74: lambda: self._status_word() & 0xFF,
            75: self._status_word,
            78: lambda: kept["is_rate_off"],
            107: lambda: FIRMWARE,
            121: lambda: MAKER,
            122: lambda: IDENT,
            211: lambda: SEGMENTS,
            258: self._is_broken,
            273: lambda: kept["is_manual"],
            274: lambda: 0,
            516: lambda: kept["units"],
            525: lambda: options["decimals"],
            531: lambda: 1,
            629: lambda: options["customer_id"],
            12550: lambda: options["is_integer"],
        }
        if register not in values:
            raise ModbusError(ExcCodes.ILLEGAL_ADDRESS)
        return kind_of(register), float(values[register]())

    def _program_value(self, block: int, offset: int) -> tuple[str, float]:
        if block == 0:
            return NUMBER, self._kept["general"][offset] if offset < 5 else 0
        segment = self._kept["segments"][block - 1]
        match offset, segment["kind"]:
            case 0, kind:
                return NUMBER, kind
            case 1, _:
                return TEMPERATURE, segment["target_c"]
            case 2, kind:
                return (TIME, segment["hold_ms"]) if kind == DWELL else (RATE, segment["rate_k_min"])
        return NUMBER, 0

    def _status_word(self) -> int:
        heat = self._heat
        flags = {
            0: heat.is_over,
            4: self._kept["is_manual"],
            5: self._is_broken(),
            6: heat.idle_steps * STEP_S > LOOP_BREAK_S,
            9: heat.status == COMPLETE,
        }
        return sum(1 << bit for bit, is_set in flags.items() if is_set)

    def _take(self, register: int, value: float) -> None:
        if register in READ_ONLY:
            raise ModbusError(ExcCodes.ILLEGAL_ADDRESS)
        if PROGRAM_BASE <= register < PROGRAM_BASE + 8 * (SEGMENTS + 1):
            self._take_program(*divmod(register - PROGRAM_BASE, 8), value)
            return
        match register:
            case 2 | 24:
                self._limit(value, self._options["setpoint_low_c"], self._options["setpoint_high_c"])
                self._change(setpoint_c=value)
                self._did("setpoint", target_c=value)
            case 35:
                self._limit(value, 0.0, 999.9)
                self._change(rate_k_min=value)
                self._did("rate", rate_k_per_min=value)
            case 78:
                self._change(is_rate_off=bool(value))
            case 273:
                self._change(is_manual=bool(value), manual_percent=100.0 * self._heat.output)
            case 3 if self._kept["is_manual"]:
                self._limit(value, 0.0, 100.0)
                self._change(manual_percent=value)
            case 22 if value == 1:
                pass
            case 23:
                self._take_status(int(value))
            case 274:
                self._acknowledge()
            case _:  # the rest is configuration, which has a mode of its own
                raise ModbusError(ExcCodes.ILLEGAL_VALUE)

    def _take_program(self, block: int, offset: int, value: float) -> None:
        if self._heat.status not in (RESET, COMPLETE):
            raise ModbusError(ExcCodes.ILLEGAL_VALUE)
        if block == 0:
            general = [int(value) if index == offset else kept for index, kept in enumerate(self._kept["general"])]
            self._change(general=general)
            return
        segment = dict(self._kept["segments"][block - 1])
        names = {0: "kind", 1: "target_c", 2: "hold_ms" if segment["kind"] == DWELL else "rate_k_min"}
        if offset in names:
            segment[names[offset]] = int(value) if names[offset] in ("kind", "hold_ms") else value
        self._change(segments=[segment if index == block - 1 else s for index, s in enumerate(self._kept["segments"])])


class Furnace(Solo):
    """A 2.4 kW furnace to 1200 degC."""

    name = "furnace"
    DEFAULTS: ClassVar[Mapping[str, Any]] = {
        "start_c": 22.0,
        "noise_k": 0.1,
        "decimals": 1,
        "is_integer": False,
        "setpoint_low_c": 0.0,
        "setpoint_high_c": 1200.0,
        "over_temperature_c": 1250.0,
        "customer_id": 1207,
        "sensor_break_at_s": 0.0,
        "heater_burnt_out_at_s": 0.0,
        "drift_k_per_day": 0.0,
    }

    def build(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> dict[str, Instrument]:
        """Return the two ports of the one controller."""
        self.controller = FurnaceController(state=state, clock=clock, seed=seed, options=options)
        return {
            "rtu": ModbusInstrument(self.controller, wire="modbus+rtu", state=state, clock=clock),
            "tcp": ModbusInstrument(self.controller, wire="modbus+tcp", state=state, clock=clock),
        }
