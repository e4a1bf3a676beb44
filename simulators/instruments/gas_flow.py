"""A simulated gas station: several mass flow controllers with shut-off valves behind an HTTP and JSON interface.

    PUT /gas/argon/setpoint {"flow": 50, "unit": "mL/min"}  ->  {"gas": "argon", "flow": 50.0, "unit": "mL/min"}
    PUT /gas/argon/valve {"state": "open"}                  ->  {"gas": "argon", "state": "open"}
    GET /gas/argon  ->  {"gas": "argon", "flow": 49.8, "setpoint": 50.0, "unit": "mL/min", "valve": "open",
                         "supply_bar": 3.0, "alarm": "", "age_s": 0.31}

Also ``GET /identity`` and ``GET /gases``. The resources are a convention of labpilot. A flow follows its set value as
a second-order system (settling in seconds, 4 % overshoot), up to what the supply pressure allows; its sensor looks
twice a second, and its zero drifts. Without power valves close and set values are forgotten.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from simulators.chance import generator
from simulators.instruments.base import Now
from simulators.instruments.http import HttpInstrument, Refused
from simulators.solo import Solo
from simulators.world import Instrument, WorldFile

IDENTITY = {"maker": "labpilot", "model": "GF-4", "serial": "G0044", "firmware": "1.3"}
GASES = ("argon", "nitrogen", "oxygen", "hydrogen")
RANGE_ML_PER_MIN = 500.0
TAU_S = 0.8
RATE_PER_S = 1.25
"""Angular frequency of the response; with `TAU_S` it overshoots by exp(-pi / (0.8 x 1.25)), 4.3 %."""
VALVE_TAU_S = 0.1
FULL_SUPPLY_BAR = 2.0
"""From this pressure on the whole range is reached."""
LOW_SUPPLY_BAR = 1.0
SAMPLE_S = 0.5
NOISE_ML_PER_MIN = 0.1
SUPPLY_FALLS_BAR_PER_S = 0.05

_PATH = re.compile(r"/gas/([a-z]+)(?:/(setpoint|valve))?")


class GasStation(HttpInstrument):
    """The simulated station; its keys in the world's file are ``gas/NAME`` and ``gas-unit``.

    Args:
        state: The world's file.
        clock: The time.
        seed: Of the noise.
        options: As in `GasFlow.DEFAULTS`.
    """

    has_units = True
    has_front_panel = True

    def __init__(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> None:
        super().__init__(state=state, clock=clock)
        self._seed = seed
        self._options = options
        self._began_s = float(state.get("world")["began_s"])
        self._unit: str = state.get("gas-unit", "mL/min")
        off = {"setpoint": 0.0, "valve": "closed", "start": 0.0, "since_s": self._began_s}
        self._gases: dict[str, dict[str, Any]] = {gas: state.get(f"gas/{gas}", dict(off)) for gas in GASES}

    def true_flow(self, gas: str, time_s: float) -> float:
        """Return the flow without the sensor's errors, in mL/min, for a time since the last change."""
        state = self._gases[gas]
        passed_s = max(0.0, time_s - state["since_s"])
        if state["valve"] == "closed":
            return state["start"] * math.exp(-passed_s / VALVE_TAU_S)
        wave = math.cos(RATE_PER_S * passed_s) + math.sin(RATE_PER_S * passed_s) / (RATE_PER_S * TAU_S)
        flow = state["setpoint"] + (state["start"] - state["setpoint"]) * math.exp(-passed_s / TAU_S) * wave
        return min(max(flow, 0.0), self._capacity(time_s))

    def supply_bar(self, time_s: float) -> float:
        """Return the pressure before the controllers."""
        full_bar, fails_s = float(self._options["supply_bar"]), float(self._options["supply_fails_at_s"])
        if not fails_s:
            return full_bar
        return max(0.0, full_bar - SUPPLY_FALLS_BAR_PER_S * max(0.0, time_s - self._began_s - fails_s))

    def carry_out(self, method: str, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do what a request asks for."""
        if path in ("/identity", "/gases"):
            _require_method(method, "GET")
            return IDENTITY if path == "/identity" else {"gases": list(GASES)}
        match = _PATH.fullmatch(path)
        if match is None or match[1] not in GASES:
            raise Refused(404, f"there is no {path}")
        gas, part = match[1], match[2]
        _require_method(method, "PUT" if part else "GET")
        if part == "setpoint":
            return self._set_flow(gas, body)
        return self._set_valve(gas, body) if part == "valve" else self._read(gas)

    def restart(self) -> None:
        """Lose power: the valves close, and the set flows are forgotten."""
        super().restart()
        for gas in GASES:
            self._change(gas, setpoint=0.0, valve="closed")

    def change_unit(self) -> None:
        """Let somebody switch the display between mL/min and L/min."""
        self._unit = "L/min" if self._unit == "mL/min" else "mL/min"
        self._state.update({"gas-unit": self._unit})

    def front_panel(self) -> None:
        """Let somebody turn the knob of argon."""
        self._change("argon", setpoint=10.0)

    def _capacity(self, time_s: float) -> float:
        return RANGE_ML_PER_MIN * min(1.0, self.supply_bar(time_s) / FULL_SUPPLY_BAR)

    def _read(self, gas: str) -> Mapping[str, Any]:
        now_s = self._clock.now_s()
        sampled_s = self._sampled_s(now_s)
        hours = (sampled_s - self._began_s) / 3600.0
        drift = float(self._options["zero_drift_ml_per_min_per_h"]) * hours
        noise = generator(self._seed, "flow", gas, round(sampled_s / SAMPLE_S)).normal(0.0, NOISE_ML_PER_MIN)
        supply_bar = self.supply_bar(sampled_s)
        return {
            "gas": gas,
            "flow": self._shown(self.true_flow(gas, sampled_s) + drift + noise),
            "setpoint": self._shown(self._gases[gas]["setpoint"]),
            "unit": self._unit,
            "valve": self._gases[gas]["valve"],
            "supply_bar": round(supply_bar, 3),
            "alarm": "supply pressure low" if supply_bar < LOW_SUPPLY_BAR else "",
            "age_s": round(now_s - sampled_s, 3),
        }

    def _sampled_s(self, now_s: float) -> float:
        dies_s = float(self._options["sensor_dies_at_s"])
        last_s = min(now_s, self._began_s + dies_s) if dies_s else now_s
        return math.floor(last_s / SAMPLE_S) * SAMPLE_S

    def _set_flow(self, gas: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        if body.get("unit") != self._unit:
            raise Refused(422, f"flows are in {self._unit} here, not in {body.get('unit')!r}")
        flow = body.get("flow")
        if isinstance(flow, bool) or not isinstance(flow, int | float):
            raise Refused(422, f"flow is {flow!r} and no number")
        wanted = flow if self._unit == "mL/min" else 1000.0 * flow
        if not 0.0 <= wanted <= RANGE_ML_PER_MIN:
            raise Refused(422, f"{flow:g} {self._unit} is outside 0..{RANGE_ML_PER_MIN:g} mL/min")
        self._change(gas, setpoint=float(wanted))
        return {"gas": gas, "flow": self._shown(self._gases[gas]["setpoint"]), "unit": self._unit}

    def _set_valve(self, gas: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        state = body.get("state")
        if state not in ("open", "closed"):
            raise Refused(422, f"a valve is open or closed, not {state!r}")
        self._change(gas, valve=state)
        return {"gas": gas, "state": self._gases[gas]["valve"]}

    def _change(self, gas: str, **changes: Any) -> None:
        old = self._gases[gas]
        if all(old[key] == value for key, value in changes.items()):
            return
        now_s = self._clock.now_s()
        self._gases[gas] = {**old, **changes, "start": self.true_flow(gas, now_s), "since_s": now_s}
        self._state.update({f"gas/{gas}": self._gases[gas]})
        self._did("gas", gas=gas, **changes)

    def _shown(self, ml_per_min: float) -> float:
        return ml_per_min if self._unit == "mL/min" else ml_per_min / 1000.0


def _require_method(method: str, wanted: str) -> None:
    if method != wanted:
        raise Refused(405, f"only {wanted} goes here")


class GasFlow(Solo):
    """The world around one gas station."""

    name = "gas-flow"
    DEFAULTS = {
        "supply_bar": 3.0,
        "supply_fails_at_s": 0.0,
        "zero_drift_ml_per_min_per_h": 0.0,
        "sensor_dies_at_s": 0.0,
    }

    def build(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> dict[str, Instrument]:
        """Return the station."""
        self.station = GasStation(state=state, clock=clock, seed=seed, options=options)
        return {"flow": self.station}
