"""What a simulated 2400 series controller keeps and does, apart from its registers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pymodbus.constants import ExcCodes

from simulators.chance import generator
from simulators.instruments.base import Now
from simulators.instruments.furnace_heat import (
    END,
    HOLD,
    NEVER,
    RAMP_RATE,
    RESET,
    RUN,
    STEP_S,
    Heat,
    Leg,
    Settings,
    advance,
    as_row,
    begin,
    measured_c,
)
from simulators.instruments.furnace_words import Words
from simulators.instruments.modbus import ModbusError
from simulators.world import WorldFile

IDENT, MAKER, FIRMWARE = 0x2480, 500, 0x0461
"""A 2408; the identifier and the maker's number as a real 2416 gives them."""
PROGRAM_BASE, SEGMENTS = 8328, 16
BROKEN = 0x7FFF
KEEP_STEPS = 600
"""So many steps may have to be calculated again by a world that is restored."""
HYSTERESIS_K = 1.0
PANEL_K = 5.0

CELSIUS, FAHRENHEIT = 0, 1


class FurnaceCore:
    """The controller and the furnace around it; its keys in the world's file are ``furnace`` and ``furnace/heat``.

    Args:
        state: The world's file.
        clock: The time.
        seed: Of the sensor's noise.
        options: See `Furnace.DEFAULTS`.
    """

    has_front_panel = True
    has_units = True

    def __init__(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> None:
        self._state = state
        self._clock = clock
        self._seed = seed
        self._options = options
        self._began_s = float(state.get("world")["began_s"])
        start_c = float(options["start_c"])
        new = {
            "setpoint_c": 20.0,
            "rate_k_min": 0.0,
            "is_rate_off": False,
            "is_manual": False,
            "manual_percent": 0.0,
            "units": CELSIUS,
            "general": [0, 0, 1, 1, 1],
            "segments": [{"kind": END, "target_c": 0.0, "rate_k_min": 0.0, "hold_ms": 0} for _ in range(SEGMENTS)],
        }
        self._kept: dict[str, Any] = state.get("furnace", new)
        at_start = as_row(Heat(heater_c=start_c, load_c=start_c, working_c=start_c))
        self._heat = Heat(**state.get("furnace/heat", at_start))
        self._kept_step = self._heat.step
        self._high_word = 0

    @property
    def true_c(self) -> float:
        """The temperature of the load, which no wire tells."""
        self._catch_up()
        return self._heat.load_c

    def restart(self) -> None:
        """Reset the program, forget the controller's integral, and start the set-point from the temperature."""
        self._catch_up()
        heat = self._heat
        heat.status, heat.segment, heat.left_s = RESET, 0, 0.0
        heat.integral = heat.output = 0.0
        heat.working_c = measured_c(heat, self._settings())
        heat.is_over, heat.idle_steps = False, 0
        self._high_word = 0
        self._keep()

    def front_panel(self) -> None:
        """Let somebody turn set-point 1 up by 5 K."""
        self._catch_up()
        high_c = float(self._options["setpoint_high_c"])
        self._change(setpoint_c=min(self._kept["setpoint_c"] + PANEL_K, high_c))

    def change_unit(self) -> None:
        """Let somebody configure degrees Fahrenheit."""
        self._catch_up()
        self._change(units=FAHRENHEIT)

    def _settings(self) -> Settings:
        kept, options = self._kept, self._options
        is_limited = kept["rate_k_min"] > 0.0 and not kept["is_rate_off"]
        return Settings(
            setpoint_c=kept["setpoint_c"],
            rate_k_s=kept["rate_k_min"] / 60.0 if is_limited else None,
            legs=[_leg(segment) for segment in kept["segments"]],
            manual_output=kept["manual_percent"] / 100.0 if kept["is_manual"] else None,
            alarm_c=float(options["over_temperature_c"]),
            breaks_at=_step_of(options["sensor_break_at_s"]),
            burns_at=_step_of(options["heater_burnt_out_at_s"]),
            drift_k_step=options["drift_k_per_day"] * STEP_S / 86_400.0,
        )

    def _catch_up(self) -> None:
        now = math.floor((self._clock.now_s() - self._began_s) / STEP_S + 1e-6)
        if now > self._heat.step:
            advance(self._heat, self._settings(), now)
            if now - self._kept_step >= KEEP_STEPS:
                self._keep()

    def _keep(self) -> None:
        self._kept_step = self._heat.step
        self._state.update({"furnace": self._kept, "furnace/heat": as_row(self._heat)})

    def _change(self, **changes: Any) -> None:
        self._kept = {**self._kept, **changes}
        self._keep()

    def _did(self, what: str, *, once: bool = False, **facts: Any) -> None:
        self._state.note_act(what, once=once, facts=facts, at_s=self._clock.now_s())

    def _is_broken(self) -> bool:
        return self._heat.step >= self._settings().breaks_at

    def _reading_c(self) -> float:
        if self._is_broken():
            return 9999.0
        noise = generator(self._seed, "thermocouple", self._heat.step).normal(0.0, float(self._options["noise_k"]))
        return measured_c(self._heat, self._settings()) + float(noise)

    def _words(self) -> Words:
        options = self._options
        return Words(
            decimals=int(options["decimals"]),
            is_integer=bool(options["is_integer"]),
            is_fahrenheit=self._kept["units"] == FAHRENHEIT,
        )

    def _take_status(self, status: int) -> None:
        heat, settings = self._heat, self._settings()
        match heat.status, status:
            case _, 1:
                heat.status, heat.segment, heat.left_s = RESET, 0, 0.0
                self._did("reset")
            case 1, 2:
                if self._is_broken() or any(leg.kind == RAMP_RATE and leg.rate_k_s <= 0.0 for leg in settings.legs):
                    raise ModbusError(ExcCodes.ILLEGAL_VALUE)
                heat.status = RUN
                heat.working_c = measured_c(heat, settings)
                begin(heat, settings, 0)
                self._did("program", once=True, mark=self._kept["general"][1])
            case 4, 2:
                heat.status = RUN
            case 2, 4:
                heat.status = HOLD
            case (2, 2) | (4, 4):
                pass
            case _:
                raise ModbusError(ExcCodes.ILLEGAL_VALUE)
        self._keep()

    def _acknowledge(self) -> None:
        heat, settings = self._heat, self._settings()
        if measured_c(heat, settings) < settings.alarm_c - HYSTERESIS_K:
            heat.is_over = False
        self._did("acknowledge")
        self._keep()

    @staticmethod
    def _limit(value: float, low: float, high: float) -> None:
        if not low <= value <= high:
            raise ModbusError(ExcCodes.ILLEGAL_VALUE)


def _leg(segment: Mapping[str, Any]) -> Leg:
    return Leg(
        kind=segment["kind"],
        target_c=segment["target_c"],
        rate_k_s=segment["rate_k_min"] / 60.0,
        hold_s=segment["hold_ms"] / 1000.0,
    )


def _step_of(at_s: float) -> int:
    return math.ceil(at_s / STEP_S) if at_s > 0.0 else NEVER
