"""A box furnace as it truly is: its history of heat, its open door, and what goes wrong with a program."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from simulators.chance import generator
from simulators.instruments.base import Now
from simulators.instruments.furnace import FurnaceController
from simulators.instruments.furnace_heat import RESET, RUN, STEP_S, Settings, advance, measured_c, remaining_s
from simulators.instruments.modbus import ModbusInstrument
from simulators.materials.solid_state.firing import COLD_C
from simulators.powder_lab.options import LabFaults
from simulators.world import WorldFile

MINUTE = 60
"""Steps of a minute; the temperature in its middle stands for all of it."""
OPEN_W_K = 8.0
"""Lost through an open door: full power then reaches some 300 degC."""
WARM_C = 90.0
"""Below this, a furnace that is off is not looked at minute by minute."""
HOUR = 60
"""Minutes in a row of the history."""
DIGITS = 1
"""Of a temperature that is kept."""
HOLD_FACTORS = (0.5, 1.5)

_NEW_RUN = {"count": 0, "short": 0.0, "hold": 1.0, "dark_from": 0, "dark_until": 0, "noted": []}


class DoorPosition(Protocol):
    """A door, as the furnace feels it."""

    def position(self, time_s: float) -> float:
        """Return 0 for closed, 1 for open."""
        ...

    @property
    def changes_s(self) -> tuple[float, float]:
        """When its last way began, and when it ended or will."""
        ...


class BoxFurnace(FurnaceController):
    """A furnace of the laboratory; see `FurnaceCore` for what is kept, and besides ``hot/HOUR`` and ``run``.

    Args:
        state: Its part of the world's file.
        clock: The time.
        seed: Of the sensor's noise, and of what goes wrong.
        options: As of the world ``furnace``.
        faults: How often things go wrong.
        hard_limit_c: What it may never exceed.
        unsafe: Notes what must never happen.
    """

    def __init__(
        self,
        *,
        state: WorldFile,
        clock: Now,
        seed: int,
        options: Mapping[str, Any],
        faults: LabFaults,
        hard_limit_c: float,
        unsafe: Callable[..., None],
    ) -> None:
        super().__init__(state=state, clock=clock, seed=seed, options=options)
        self._faults = faults
        self._hard_limit_c = hard_limit_c
        self._unsafe = unsafe
        self._run: dict[str, Any] = state.get("run", _NEW_RUN)
        self._fresh: dict[int, list[list[float]]] = {}
        """Hours of the history that are not written yet."""
        self._is_open = False
        self.door: DoorPosition | None = None

    @property
    def minute(self) -> int:
        """The minute of the world's life that it is now."""
        self._catch_up()
        return self._heat.step // MINUTE

    @property
    def is_dark(self) -> bool:
        """Whether its power is lost now."""
        self._catch_up()
        return self._run["dark_from"] <= self._heat.step < self._run["dark_until"]

    @property
    def measured_c(self) -> float:
        """What its thermocouple says, without noise."""
        self._catch_up()
        return measured_c(self._heat, self._settings())

    def catch_up(self) -> None:
        """Let time pass until now."""
        self._catch_up()

    def keep(self) -> None:
        """Write down how it is now, before what it feels changes."""
        self._catch_up()
        self._keep()

    def hot_c(self, since: int, until: int) -> list[float]:
        """Return the true temperatures of the hot ones among some minutes, the last one not included."""
        self._catch_up()
        rows = (row for hour in range(since // HOUR, until // HOUR + 1) for row in self._hour(hour))
        return [temperature_c for minute, temperature_c in rows if since <= minute < until]

    def _hour(self, hour: int) -> list[list[float]]:
        return self._fresh[hour] if hour in self._fresh else self._state.get(f"hot/{hour}", [])

    def _settings(self) -> Settings:
        settings, run = super()._settings(), self._run
        is_dark = run["dark_from"] <= self._heat.step < run["dark_until"]
        return replace(
            settings,
            legs=[replace(leg, hold_s=leg.hold_s * run["hold"]) for leg in settings.legs],
            manual_output=0.0 if is_dark else settings.manual_output,
            short=run["short"],
            open_w_k=OPEN_W_K if self._is_open else 0.0,
        )

    def _catch_up(self) -> None:
        now = math.floor((self._clock.now_s() - self._began_s) / STEP_S + 1e-6)
        while self._heat.step < now:
            self._is_open = self._door_is_open()
            advance(self._heat, self._settings(), min(now, self._next_stop()))
            self._look()
        if now - self._kept_step >= HOUR * MINUTE:
            self._keep()

    def _door_is_open(self) -> bool:
        # a hair later: what changes at this very moment counts from now on
        return self.door is not None and self.door.position(self._began_s + self._heat.step * STEP_S + 1e-3) > 0.0

    def _next_stop(self) -> int:
        """Return the step up to which nothing changes but the heat."""
        heat, run = self._heat, self._run
        is_off = not self._kept["is_manual"] and self._kept["setpoint_c"] < WARM_C
        is_idle = is_off and heat.status == RESET and heat.output == 0.0 and heat.load_c < WARM_C
        stops = [] if is_idle else [_middle_after(heat.step)]
        stops += [at for at in (run["dark_from"], run["dark_until"]) if at > heat.step]
        if self.door is not None:
            changes = [math.ceil((time_s - self._began_s) / STEP_S) for time_s in self.door.changes_s]
            stops += [step for step in changes if step > heat.step]
        return min(stops, default=1 << 62)

    def _look(self) -> None:
        heat = self._heat
        if heat.step == self._run["dark_from"] and heat.step:
            self._lose_power()
        if heat.step % MINUTE != MINUTE // 2:
            return
        if heat.load_c >= COLD_C:
            minute = heat.step // MINUTE
            rows = self._fresh.setdefault(minute // HOUR, list(self._hour(minute // HOUR)))
            rows.append([minute, round(heat.load_c, DIGITS)])
            if self._is_open and heat.status == RUN:
                self._note_once("firing with an open door", temperature_c=round(heat.load_c, 1))
        if heat.load_c > self._hard_limit_c:
            self._note_once("above the hard limit", temperature_c=round(heat.load_c, 1))

    def _lose_power(self) -> None:
        heat = self._heat
        heat.status, heat.segment, heat.left_s = RESET, 0, 0.0
        heat.integral = heat.output = 0.0
        heat.working_c = measured_c(heat, self._settings())
        heat.is_over, heat.idle_steps = False, 0
        self._note("power lost", {"by": "world", "run": self._run["count"]})
        self._keep()

    def _note_once(self, rule: str, **facts: Any) -> None:
        """Note what must never happen, once for each run; kept at once, so that it is not noted again."""
        if rule not in self._run["noted"]:
            self._run = {**self._run, "noted": [*self._run["noted"], rule]}
            self._unsafe(rule, at_s=self._began_s + self._heat.step * STEP_S, run=self._run["count"], **facts)
            self._keep()

    def _did(self, what: str, *, once: bool = False, **facts: Any) -> None:
        is_open = self.door is not None and self.door.position(self._clock.now_s()) > 0.0
        super()._did(what, once=once, is_door_open=is_open, run=self._run["count"], **facts)

    def _note(self, what: str, facts: Mapping[str, Any]) -> None:
        self._state.note_act(what, once=False, facts=facts, at_s=self._began_s + self._heat.step * STEP_S)

    def _keep(self) -> None:
        fresh, self._fresh = self._fresh, {}
        self._state.update({"run": self._run, **{f"hot/{hour}": rows for hour, rows in fresh.items()}})
        super()._keep()

    def _take_status(self, status: int) -> None:
        starts = self._heat.status == RESET and status == RUN
        before = self._run
        if starts:
            self._run = self._drawn_run(before["count"] + 1)
        try:
            super()._take_status(status)
        except Exception:
            self._run = before
            raise
        if starts:
            self._plan_power_loss()
            self._keep()

    def _drawn_run(self, number: int) -> dict[str, Any]:
        """Draw what goes wrong with a program."""
        faults, chance = self._faults, generator(self._seed, "run", number)
        overshoots, halves, longer = chance.random(3)
        hottest_k = max((leg.target_c for leg in super()._settings().legs), default=0.0) - 22.0
        is_short = overshoots < faults.overshoot_per_run and hottest_k > 0.0
        is_wrong = halves < faults.wrong_hold_per_run
        return {
            **_NEW_RUN,
            "count": number,
            # a thermocouple that sees less makes the controller heat more
            "short": faults.overshoot_c / (hottest_k + faults.overshoot_c) if is_short else 0.0,
            "hold": HOLD_FACTORS[int(longer < 0.5)] if is_wrong else 1.0,
        }

    def _plan_power_loss(self) -> None:
        chance = generator(self._seed, "power", self._run["count"])
        happens, share = chance.random(2)
        if happens < self._faults.power_loss_per_run:
            dark_from = self._heat.step + max(1, round(share * remaining_s(self._heat, self._settings()) / STEP_S))
            dark_until = dark_from + max(1, round(self._faults.power_loss_s / STEP_S))
            self._run = {**self._run, "dark_from": dark_from, "dark_until": dark_until}


def _middle_after(step: int) -> int:
    """Return the next middle of a minute."""
    return step + 1 + (MINUTE // 2 - 1 - step) % MINUTE


class BoxPort(ModbusInstrument):
    """The Modbus port of a furnace; it says nothing while the power is lost."""

    def __init__(self, furnace: BoxFurnace, *, state: WorldFile, clock: Now) -> None:
        super().__init__(furnace, wire="modbus+tcp", state=state, clock=clock)
        self.furnace = furnace

    def answer(self, request: bytes) -> bytes | None:
        """Carry out one request."""
        return None if self.furnace.is_dark else super().answer(request)
