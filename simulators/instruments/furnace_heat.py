"""A furnace and its controller, second by second: two thermal nodes, a PID, a rate limit and a programmer.

    C_h dT_h/dt = P u - q,    C_l dT_l/dt = q - k_a (T_l - T_a) - e_a s (T_l^4 - T_a^4)
    q = k (T_h - T_l) + e s (T_h^4 - T_l^4)

with h the heating element, l the load, a the room, s the Stefan-Boltzmann constant. Steps lie on a fixed grid, so that
what happens does not depend on when anybody looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

STEP_S = 1.0
ROOM_C = 22.0
POWER_W = 2400.0
"""Enough for 20 K/min up to some 500 degC, and for 6 K/min at 1200 degC."""
HEATER_J_K, LOAD_J_K = 800.0, 5500.0
COUPLING_W_K, COUPLING_M2 = 15.0, 0.05
LOSS_W_K, LOSS_M2 = 0.6, 0.0041
STEFAN_BOLTZMANN = 5.670374e-8
BAND_K, INTEGRAL_S = 10.0, 600.0
"""The controller's proportional band and integral time."""
LOOP_BREAK_S = 600.0
"""Full power for so long without warming is a loop break."""
WARMING_K = 0.005
QUIET_K = 1e-9
"""A step in which nothing moves by more is the last that needs to be calculated."""

END, RAMP_RATE, DWELL = 0, 1, 3
RESET, RUN, HOLD, COMPLETE = 1, 2, 4, 16
NEVER = 1 << 62


@dataclass(slots=True, kw_only=True)
class Heat:
    """What the furnace is and does; all of it lives in the world's file."""

    step: int = 0
    """How many steps have passed since the world began."""
    heater_c: float = ROOM_C
    load_c: float = ROOM_C
    integral: float = 0.0
    """The controller's integral part, 0 to 1 of full power."""
    output: float = 0.0
    working_c: float = ROOM_C
    """The working set-point."""
    status: int = RESET
    segment: int = 0
    left_s: float = 0.0
    """Of the dwell in progress."""
    is_over: bool = False
    """The over-temperature alarm has tripped and is latched; the heater is cut off."""
    idle_steps: int = 0
    """How long full power has not warmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One segment of the program."""

    kind: int
    target_c: float = 0.0
    rate_k_s: float = 0.0
    hold_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the controller is told, and what is wrong with the furnace."""

    setpoint_c: float
    rate_k_s: float | None
    """None: no rate limit."""
    legs: Sequence[Leg] = field(default_factory=tuple)
    manual_output: float | None = None
    alarm_c: float = 1250.0
    breaks_at: int = NEVER
    """The step at which the thermocouple breaks."""
    burns_at: int = NEVER
    """The step at which the heating element burns out."""
    drift_k_step: float = 0.0
    """What the thermocouple reads too much, more with each step."""
    short: float = 0.0
    """Share of the warming over the room that the thermocouple does not see, as one that was not pushed home."""
    open_w_k: float = 0.0
    """What is lost through an open door."""


def measured_c(heat: Heat, settings: Settings) -> float:
    """Return what the thermocouple says, without noise."""
    return heat.load_c + settings.drift_k_step * heat.step - settings.short * (heat.load_c - ROOM_C)


def advance(heat: Heat, settings: Settings, to_step: int) -> None:
    """Let time pass up to a step."""
    while heat.step < to_step:
        if heat.status == RUN:
            _program_step(heat, settings)
        elif heat.status == RESET:
            _follow(heat, settings)
        _control(heat, settings)
        heater_k, load_k = _warm(heat, settings)
        heat.step += 1
        _watch(heat, settings, load_k)
        if max(abs(heater_k), abs(load_k)) < QUIET_K and _is_quiet(heat, settings):
            heat.step = min(to_step, max(heat.step, _next_event(heat, settings)))


def _program_step(heat: Heat, settings: Settings) -> None:
    leg = settings.legs[heat.segment] if heat.segment < len(settings.legs) else Leg(kind=END)
    if heat.step >= settings.breaks_at:
        heat.status = HOLD
    elif leg.kind == RAMP_RATE:
        heat.working_c = _towards(heat.working_c, leg.target_c, leg.rate_k_s * STEP_S)
        if heat.working_c == leg.target_c:
            begin(heat, settings, heat.segment + 1)
    elif leg.kind == DWELL:
        heat.left_s -= STEP_S
        if heat.left_s <= 0.0:
            begin(heat, settings, heat.segment + 1)
    else:
        heat.status = COMPLETE


def begin(heat: Heat, settings: Settings, segment: int) -> None:
    """Begin a segment of the program."""
    heat.segment = segment
    leg = settings.legs[segment] if segment < len(settings.legs) else Leg(kind=END)
    heat.left_s = leg.hold_s
    if leg.kind == END:
        heat.status = COMPLETE


def remaining_s(heat: Heat, settings: Settings) -> float:
    """Return how long the program still takes."""
    if heat.status in (RESET, COMPLETE):
        return 0.0
    at_c, total_s = heat.working_c, 0.0
    for index in range(heat.segment, len(settings.legs)):
        leg = settings.legs[index]
        if leg.kind == RAMP_RATE:
            total_s += abs(leg.target_c - at_c) / leg.rate_k_s
            at_c = leg.target_c
        elif leg.kind == DWELL:
            total_s += heat.left_s if index == heat.segment else leg.hold_s
        else:
            break
    return total_s


def _follow(heat: Heat, settings: Settings) -> None:
    step_k = None if settings.rate_k_s is None else settings.rate_k_s * STEP_S
    heat.working_c = settings.setpoint_c if step_k is None else _towards(heat.working_c, settings.setpoint_c, step_k)


def _towards(value: float, target: float, step: float) -> float:
    return target if abs(target - value) <= step else value + (step if target > value else -step)


def _control(heat: Heat, settings: Settings) -> None:
    if heat.step >= settings.breaks_at:
        heat.output = heat.integral = 0.0
        return
    if settings.manual_output is not None:
        heat.output = heat.integral = settings.manual_output
        return
    error_k = heat.working_c - measured_c(heat, settings)
    demand = error_k / BAND_K + heat.integral
    heat.output = 0.0 if demand < 0.0 else min(demand, 1.0)
    if demand == heat.output:  # no winding up at either end
        heat.integral = min(1.0, max(0.0, heat.integral + error_k * STEP_S / (BAND_K * INTEGRAL_S)))


def _warm(heat: Heat, settings: Settings) -> tuple[float, float]:
    """Let heat flow; returns how much warmer the element and the load became."""
    is_off = heat.is_over or heat.step >= settings.burns_at
    power_w = 0.0 if is_off else POWER_W * heat.output
    heater_k, load_k, room_k = heat.heater_c + 273.15, heat.load_c + 273.15, ROOM_C + 273.15
    load4 = load_k**4
    flow_w = COUPLING_W_K * (heater_k - load_k) + COUPLING_M2 * STEFAN_BOLTZMANN * (heater_k**4 - load4)
    loss_w = (LOSS_W_K + settings.open_w_k) * (load_k - room_k) + LOSS_M2 * STEFAN_BOLTZMANN * (load4 - room_k**4)
    warmer_heater_k = (power_w - flow_w) * STEP_S / HEATER_J_K
    warmer_load_k = (flow_w - loss_w) * STEP_S / LOAD_J_K
    heat.heater_c += warmer_heater_k
    heat.load_c += warmer_load_k
    return warmer_heater_k, warmer_load_k


def _watch(heat: Heat, settings: Settings, moved_k: float) -> None:
    is_read = heat.step < settings.breaks_at
    if is_read and not heat.is_over and measured_c(heat, settings) > settings.alarm_c:
        heat.is_over = True
    heat.idle_steps = heat.idle_steps + 1 if heat.output >= 1.0 and moved_k < WARMING_K else 0


def _is_quiet(heat: Heat, settings: Settings) -> bool:
    """Say whether nothing but time will change until the next event; how far a steady controller is off is nothing."""
    if heat.status == RUN or settings.drift_k_step or (heat.status == RESET and heat.working_c != settings.setpoint_c):
        return False
    if heat.output >= 1.0:
        return heat.idle_steps * STEP_S > LOOP_BREAK_S
    return (
        heat.output == 0.0
        or settings.manual_output is not None
        or abs(heat.working_c - measured_c(heat, settings)) < 1e-5
    )


def _next_event(heat: Heat, settings: Settings) -> int:
    return min((at for at in (settings.breaks_at, settings.burns_at) if at > heat.step), default=NEVER)


def as_row(heat: Heat) -> dict[str, Any]:
    """Return the state as JSON."""
    return {name: getattr(heat, name) for name in Heat.__slots__}
