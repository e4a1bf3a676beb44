"""A simulated closed-cycle cryostat with a Lake Shore 336 behind its EPICS IOC, and its world ``sim:cryostat``.

The channels are records of the public EPICS support for the controller (github.com/mp49/lakeshore, the templates
lakeshore336output, lakeshore336loop and lakeshore_input), for output 1 controlled by input A: ``KRDG0`` temperature,
``SETP_S1`` set-point as written, ``SETP1`` set-point as the controller has it (on its way during a ramp), ``RAMP_S1``
and ``RAMP1`` in K/min, ``RAMPST_S1`` and ``RAMPST1``, ``RANGE_S1`` and ``RANGE1`` (0 off to 3 high), ``HTR1`` in
percent, ``HTRST1`` (1 open load), ``RDGST0`` (0 valid). As a site may do, this IOC has drive limits on ``SETP_S1``:
what is written above or below is clamped, silently; so is what lies above the option ``clamp_k``, of which the
record's own limits say nothing.

The controller goes on when the IOC restarts; the IOC then takes the set-points that the controller has at that moment,
which in the middle of a ramp is not where the ramp leads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

from simulators.chance import generator
from simulators.instruments.base import Now
from simulators.instruments.channels import ChannelInstrument, Record, Value
from simulators.solo import Solo
from simulators.world import Instrument, WorldFile

BASE_K = 10.0
CAPACITY_J_K = 100.0
CONDUCTANCE_W_K = 0.15
GAIN_W_K = 5.0
POWER_W = (0.0, 0.5, 5.0, 50.0)
"""The most that the heater gives, by range."""
STEP_S = 1.0
NOISE_K = 0.002
LOW_K, HIGH_K = 4.0, 325.0
ZERO_C_K = 273.15
SENSOR_OVER, OPEN_LOAD = 5, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """The controller's settings, and where the cryostat was when they were made."""

    made_s: float
    temperature_k: float
    setpoint_k: float
    """Where the set-point was, on its way to the target."""
    target_k: float
    rate_k_min: float
    is_ramping: bool
    range: int

    def setpoint_at(self, time_s: float) -> float:
        """Return the set-point at a time."""
        if not self.is_ramping:
            return self.target_k
        way = self.rate_k_min / 60.0 * max(0.0, time_s - self.made_s)
        left = self.target_k - self.setpoint_k
        return self.target_k if way >= abs(left) else self.setpoint_k + math.copysign(way, left)


class CryostatDevice(ChannelInstrument):
    """The cryostat, its controller and its IOC; the keys in the world's file are ``loop`` and ``ioc``."""

    prefix = "SIM:LS336:"
    records: ClassVar[Mapping[str, Record]] = {
        "ID": Record(kind="stringin"),
        "KRDG0": Record(kind="ai", unit="K"),
        "RDGST0": Record(kind="longin"),
        "SETP_S1": Record(kind="ao", unit="K", low=LOW_K, high=HIGH_K),
        "SETP1": Record(kind="ai", unit="K"),
        "RAMP_S1": Record(kind="ao"),
        "RAMP1": Record(kind="ai", unit="K/min"),
        "RAMPST_S1": Record(kind="longout", low=0, high=1),
        "RAMPST1": Record(kind="longin"),
        "RANGE_S1": Record(kind="longout", low=0, high=3),
        "RANGE1": Record(kind="longin"),
        "HTR1": Record(kind="ai", unit="%"),
        "HTRST1": Record(kind="longin"),
    }
    has_units = True
    has_front_panel = True

    def __init__(
        self,
        *,
        state: WorldFile,
        clock: Now,
        seed: int,
        options: Mapping[str, Any],
        began_s: float = 0.0,
        settle: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(state=state, clock=clock, settle=settle)
        self._seed = seed
        self._options = options
        self._began_s = began_s
        kept = state.get("loop")
        self._loop = Loop(**kept) if kept else _cold(began_s)
        self._ioc: dict[str, Any] = state.get("ioc") or {"setpoint_k": self._loop.target_k, "unit": "K"}
        self._at_s, self._at_k = self._loop.made_s, self._loop.temperature_k
        """How far the physics has been followed, in whole steps from when the settings were made."""

    def true_temperature_k(self) -> float:
        """Return the temperature of the sample, now."""
        now_s = self._clock.now_s()
        while self._at_s + STEP_S <= now_s:
            after_k = self._after(self._at_k, self._at_s, STEP_S)
            is_steady = abs(after_k - self._at_k) < 1e-12 and self._is_steady(self._at_s)
            self._at_k, self._at_s = after_k, self._at_s + STEP_S
            if is_steady:
                self._at_s += STEP_S * math.floor(max(0.0, now_s - self._at_s) / STEP_S)
        return self._after(self._at_k, self._at_s, now_s - self._at_s)

    def is_valid(self, channel: str) -> bool:
        """Say whether the IOC believes a reading."""
        return channel != "KRDG0" or not self._has_happened("sensor_open_at_s")

    def stamp_s(self, channel: str) -> float:
        """Return when a record was last scanned: once a second."""
        return math.floor(self._clock.now_s())

    def unit(self, channel: str, record: Record) -> str:
        """Return the unit that a record shows."""
        return self._ioc["unit"] if record.unit == "K" else record.unit

    def read(self, channel: str) -> Value:
        """Return what a record holds now."""
        now_s = self._clock.now_s()
        self._trip()
        match channel:
            case "ID":
                return "MODEL336,LSA0042/#######,2.9"
            case "KRDG0":
                return round(self._sensed_k() - self._offset_k, 3)
            case "SETP_S1":
                return round(self._ioc["setpoint_k"] - self._offset_k, 6)
            case "SETP1":
                return round(self._loop.setpoint_at(now_s) - self._offset_k, 3)
            case "RAMP_S1" | "RAMP1":
                return self._loop.rate_k_min
            case "RAMPST_S1" | "RAMPST1":
                return int(self._loop.is_ramping)
            case "RANGE_S1" | "RANGE1":
                return self._loop.range
            case "HTR1":
                most_w = POWER_W[self._loop.range]
                return round(100.0 * self._power_w(self.true_temperature_k(), now_s) / most_w, 1) if most_w else 0.0
            case "HTRST1":
                return OPEN_LOAD if self._ioc.get("tripped") else 0
        return SENSOR_OVER if self._has_happened("sensor_open_at_s") else 0

    def write(self, channel: str, value: Value) -> None:
        """Carry out what writing a record does."""
        number = float(value)
        match channel:
            case "SETP_S1":
                target_k = round(min(number + self._offset_k, float(self._options["clamp_k"])), 6)
                self._ioc["setpoint_k"] = target_k
                self._work(target_k=target_k)
                self._did("set point", target_k=target_k)
            case "RAMP_S1":
                # the controller knows 0.1 to 100 K/min, in tenths
                self._work(rate_k_min=round(min(max(number, 0.1), 100.0), 1))
                self._did("set ramp", rate_k_min=self._loop.rate_k_min)
            case "RAMPST_S1":
                self._work(is_ramping=bool(number))
            case "RANGE_S1":
                self._ioc["tripped"] = False
                self._work(range=int(number))
                self._did("set range", range=self._loop.range)
        self._trip()

    def restart(self) -> None:
        """Restart the IOC: it takes its set-point from the controller, and its units from the database."""
        self._ioc |= {"setpoint_k": self._loop.setpoint_at(self._clock.now_s()), "unit": "K"}
        self._keep()

    def change_unit(self) -> None:
        """Switch the temperature records between kelvin and degrees Celsius."""
        self._ioc["unit"] = "C" if self._ioc["unit"] == "K" else "K"
        self._keep()

    def restore_unit(self) -> None:
        """Switch the temperature records back to kelvin."""
        self._ioc["unit"] = "K"
        self._keep()

    def front_panel(self) -> None:
        """Let somebody type another set-point at the controller, of which the IOC's own record hears nothing."""
        target = self._loop.target_k + 5.0
        self._work(target_k=target if target <= HIGH_K else target - 10.0)

    @property
    def _offset_k(self) -> float:
        return ZERO_C_K if self._ioc["unit"] == "C" else 0.0

    def _sensed_k(self) -> float:
        now_s = self._clock.now_s()
        if self._has_happened("sensor_open_at_s"):
            return 0.0
        scan = math.floor(now_s)
        noise_k = NOISE_K * float(generator(self._seed, "sensor", scan).standard_normal())
        return self.true_temperature_k() + self._drift_k(now_s) + noise_k

    def _drift_k(self, time_s: float) -> float:
        return float(self._options["drift_k_per_h"]) * (time_s - self._began_s) / 3600.0

    def _has_happened(self, option: str) -> bool:
        at_s = float(self._options[option])
        return at_s > 0.0 and self._clock.now_s() >= self._began_s + at_s

    def _power_w(self, temperature_k: float, time_s: float) -> float:
        burnt_s = float(self._options["heater_burnt_out_at_s"])
        if burnt_s > 0.0 and time_s >= self._began_s + burnt_s:
            return 0.0
        error_k = self._loop.setpoint_at(time_s) - self._drift_k(time_s) - temperature_k
        wanted_w = GAIN_W_K * error_k + CONDUCTANCE_W_K * (temperature_k + error_k - BASE_K)
        return min(max(wanted_w, 0.0), POWER_W[self._loop.range])

    def _after(self, temperature_k: float, time_s: float, seconds: float) -> float:
        """Return the temperature some seconds later, at most a step; exact while the power does not change."""
        most_w = POWER_W[self._loop.range]
        power_w = self._power_w(temperature_k, time_s)
        if 0.0 < power_w < most_w:  # in control: towards the set-point, faster than the bare time constant
            aim_k = self._loop.setpoint_at(time_s + 0.5 * seconds) - self._drift_k(time_s)
            rate = (GAIN_W_K + CONDUCTANCE_W_K) / CAPACITY_J_K
        else:
            aim_k, rate = BASE_K + power_w / CONDUCTANCE_W_K, CONDUCTANCE_W_K / CAPACITY_J_K
        return aim_k + (temperature_k - aim_k) * math.exp(-rate * seconds)

    def _is_steady(self, time_s: float) -> bool:
        if self._options["drift_k_per_h"] or self._loop.setpoint_at(time_s) != self._loop.target_k:
            return False
        burnt_s = float(self._options["heater_burnt_out_at_s"])
        return burnt_s == 0.0 or time_s >= self._began_s + burnt_s

    def _trip(self) -> None:
        """Let the controller switch an output off whose heater is open, as it does."""
        if self._loop.range and self._has_happened("heater_burnt_out_at_s"):
            self._ioc["tripped"] = True
            self._work(range=0)

    def _work(self, **changed: Any) -> None:
        now_s = self._clock.now_s()
        here = {
            "made_s": now_s,
            "temperature_k": self.true_temperature_k(),
            "setpoint_k": self._loop.setpoint_at(now_s),
        }
        self._loop = replace(self._loop, **here, **changed)
        self._at_s, self._at_k = now_s, self._loop.temperature_k
        self._keep()

    def _keep(self) -> None:
        self._state.put(loop=asdict(self._loop), ioc=self._ioc)


def _cold(began_s: float) -> Loop:
    return Loop(
        made_s=began_s,
        temperature_k=BASE_K,
        setpoint_k=BASE_K,
        target_k=BASE_K,
        rate_k_min=10.0,
        is_ramping=True,
        range=0,
    )


class Cryostat(Solo):
    """The world ``sim:cryostat``: one cryostat."""

    name = "cryostat"
    DEFAULTS: ClassVar[Mapping[str, Any]] = {
        "heater_burnt_out_at_s": 0.0,
        "sensor_open_at_s": 0.0,
        "drift_k_per_h": 0.0,
        "clamp_k": HIGH_K,
    }

    def build(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> dict[str, Instrument]:
        """Return the cryostat."""
        began_s = float(state.get("world")["began_s"])
        device = CryostatDevice(state=state, clock=clock, seed=seed, options=options, began_s=began_s)
        return {"cryostat": device}  # type: ignore[dict-item]
