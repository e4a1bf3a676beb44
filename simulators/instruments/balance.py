r"""A simulated analytical balance: MT-SICS over a serial line, and a weighing cell that settles, drifts and trembles.

The cell is a damped oscillator; a load that changes is a step, and steps add up. It is sampled 20 times a second, to
0.1 mg; a weight is stable when the samples of the last half second lie within 3 digits. S, T and Z wait for that, for
10 s at most. Mettler-Toledo's Reference Manual MT-SICS, 11780711, has the format of the replies.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any

from drivers.links.framing import Line
from simulators.chance import generator
from simulators.instruments.base import RESOLUTION_S, FramedInstrument, Now
from simulators.solo import Solo
from simulators.world import Instrument, WorldFile

MODEL = "XPE205 Excellence 220.0090 g"
FIRMWARE = "2.10 10.28.0.493.142"
SERIAL = "B123456789"

DIGIT_G = 1e-4
SAMPLE_S = 0.05
N_STABLE = 10
"""So many samples before the last one are looked at."""
STABLE_DIGITS = 3
PATIENCE_S = 10.0
"""How long S, T and Z wait for a stable weight."""
DAMPING_PER_S = 4.5
OSCILLATION_RAD_S = 8.0
SETTLED_S = 30.0
"""A step of the load that is older has no echo left."""
VIBRATION_HZ = 7.3
ZERO_RANGE = 0.02
"""Of the capacity: what Z can take for zero."""
UNDERLOAD_G = -1.0
OZ_G = 28.349523125


class BalanceInstrument(FramedInstrument):
    """The simulated balance; its key in the world's file is ``balance``.

    Tare, display unit and half-done commands are lost when it restarts; it then takes its load for zero, if that lies
    within the range, and says its serial number unasked.
    """

    can_be_busy = True
    has_units = True
    has_front_panel = True

    def __init__(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> None:
        super().__init__(Line(b"\r\n"), state=state, clock=clock)
        self._seed = seed
        self._options = options
        new = {
            "began_s": clock.now_s(),
            "settled_g": float(options["load_g"]),
            "steps": [],
            "zero_g": 0.0,
            "tare_g": 0.0,
            "unit": "g",
        }
        self._balance: dict[str, Any] = state.get("balance", new)
        self._waiting = ""
        """The command that waits for a stable weight."""
        self._timer: asyncio.TimerHandle | None = None

    def put(self, mass_g: float) -> None:
        """Have so much lie on the pan from now on; a negative mass is a lifted pan."""
        now_s = self._clock.now_s()
        old = [step for step in self._balance["steps"] if now_s - step[0] > SETTLED_S]
        settled_g = self._balance["settled_g"] + sum(step[1] for step in old)
        steps = [step for step in self._balance["steps"] if now_s - step[0] <= SETTLED_S]
        change_g = mass_g - settled_g - sum(step[1] for step in steps)
        self._change(settled_g=settled_g, steps=[*steps, [now_s, change_g]])

    @property
    def load_g(self) -> float:
        """What truly lies on the pan."""
        return self._balance["settled_g"] + sum(step[1] for step in self._balance["steps"])

    def cell_g(self, time_s: float) -> float:
        """Return what the weighing cell feels at a time, without noise."""
        moving = sum(change_g * _step_response(time_s - began_s) for began_s, change_g in self._balance["steps"])
        drift = self._options["drift_mg_per_h"] * 1e-3 * (time_s - self._balance["began_s"]) / 3600.0
        vibration = self._options["vibration_mg"] * 1e-3 * math.sin(2.0 * math.pi * VIBRATION_HZ * time_s)
        return self._balance["settled_g"] + moving + drift + vibration

    def answer(self, request: bytes) -> bytes | None:
        """Carry out one request; S, T and Z may be answered later."""
        words = request.decode("latin-1").split(" ")
        if words == ["@"]:
            return self._reset()
        if self._waiting in ("T", "Z"):
            return self._busy(words[0])
        self._forget()
        match words:
            case ["S" | "T" | "Z"]:
                return self._once_stable(words[0], self._clock.now_s() + PATIENCE_S)
            case ["SI"]:
                return self._weight("S" if self._is_stable() else "D")
            case ["TA"]:
                return self._say(f"TA A {self._shown(self._balance['tare_g'])}")
            case ["TAC"]:
                self._change(tare_g=0.0)
                self._did("clear tare")
                return self._say("TAC A")
            case ["I2" | "I3" | "I4"]:
                text = {"I2": MODEL, "I3": FIRMWARE, "I4": SERIAL}[words[0]]
                return self._say(f'{words[0]} A "{text}"')
        return self._say("ES")

    def restart(self) -> None:
        """Lose power for a moment, with what is said in the class's docstring."""
        super().restart()
        self._forget()
        self._change(tare_g=0.0, unit="g")
        self._did("reset")
        if self._can_be_zero():
            self._set_zero()
        if self.send is not None:
            self.send(self.chatter())

    def busy_reply(self, request: bytes) -> bytes | None:
        """Say that the balance is doing something else."""
        head = request.decode("latin-1").split()[0]
        return None if head == "@" else self._busy(head)

    def chatter(self) -> bytes:
        """Return the serial number, which a balance sends unasked when it has started."""
        return self._say(f'I4 A "{SERIAL}"')

    def change_unit(self) -> None:
        """Let somebody choose ounces at the terminal."""
        self._change(unit="oz")

    def front_panel(self) -> None:
        """Let somebody press the tare key."""
        self._change(tare_g=self._gross_g())

    def _once_stable(self, command: str, give_up_s: float) -> bytes | None:
        """Return the reply if the weight is stable or patience has run out; else come back to it."""
        if self._is_stable():
            self._waiting = ""
            return self._carry_out(command)
        if self._clock.now_s() >= give_up_s - RESOLUTION_S:
            self._waiting = ""
            return self._say(f"{command} I")
        self._waiting = command
        self._timer = asyncio.get_running_loop().call_later(SAMPLE_S, self._look_again, command, give_up_s)
        return None

    def _look_again(self, command: str, give_up_s: float) -> None:
        self._reply(self._once_stable(command, give_up_s))

    def _forget(self) -> None:
        self._waiting = ""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _carry_out(self, command: str) -> bytes:
        if command == "S":
            return self._weight("S")
        return self._tare() if command == "T" else self._zero()

    def _tare(self) -> bytes:
        gross_g = self._gross_g()
        if gross_g < -STABLE_DIGITS * DIGIT_G:
            return self._say("T -")
        if self._load_state() == "+":
            return self._say("T +")
        self._change(tare_g=gross_g)
        self._did("tare")
        return self._say(f"T S {self._shown(gross_g)}")

    def _zero(self) -> bytes:
        if not self._can_be_zero():
            return self._say("Z +" if self.cell_g(self._clock.now_s()) > 0.0 else "Z -")
        self._set_zero()
        return self._say("Z A")

    def _can_be_zero(self) -> bool:
        return abs(self.cell_g(self._clock.now_s())) <= ZERO_RANGE * self._options["capacity_g"]

    def _set_zero(self) -> None:
        self._change(zero_g=self._samples_g()[-1], tare_g=0.0)
        self._did("zero")

    def _reset(self) -> bytes:
        self._forget()
        self._change(tare_g=0.0)
        self._did("reset")
        return self.chatter()

    def _weight(self, status: str) -> bytes:
        load = self._load_state()
        if load:
            return self._say(f"S {load}")
        return self._say(f"S {status} {self._shown(self._gross_g() - self._balance['tare_g'])}")

    def _load_state(self) -> str:
        feels_g = self.cell_g(self._clock.now_s())
        if feels_g > self._options["capacity_g"] + 9 * DIGIT_G:
            return "+"
        return "-" if feels_g < UNDERLOAD_G else ""

    def _shown(self, grams: float) -> str:
        value, decimals = (grams, 4) if self._balance["unit"] == "g" else (grams / OZ_G, 5)
        return f"{round(value, decimals) + 0.0:10.{decimals}f} {self._balance['unit']}"

    def _gross_g(self) -> float:
        return round((self._samples_g()[-1] - self._balance["zero_g"]) / DIGIT_G) * DIGIT_G

    def _is_stable(self) -> bool:
        samples = self._samples_g()
        return max(samples) - min(samples) <= STABLE_DIGITS * DIGIT_G

    def _samples_g(self) -> list[float]:
        last = math.floor((self._clock.now_s() + RESOLUTION_S) / SAMPLE_S)
        return [self._sample_g(number) for number in range(last - N_STABLE, last + 1)]

    def _sample_g(self, number: int) -> float:
        noise_g = self._options["noise_mg"] * 1e-3
        if noise_g:
            noise_g *= float(generator(self._seed, "balance", max(0, number)).standard_normal())
        return self.cell_g(number * SAMPLE_S) + noise_g

    def _busy(self, head: str) -> bytes:
        return self._say(f"{'S' if head == 'SI' else head} I")

    def _say(self, text: str) -> bytes:
        return self._framing.wrap(text.encode("latin-1"))

    def _change(self, **changes: Any) -> None:
        self._balance = {**self._balance, **changes}
        self._state.put(balance=self._balance)


def _step_response(elapsed_s: float) -> float:
    if elapsed_s <= 0.0:
        return 0.0
    phase = OSCILLATION_RAD_S * elapsed_s
    ringing = math.cos(phase) + DAMPING_PER_S / OSCILLATION_RAD_S * math.sin(phase)
    return 1.0 - math.exp(-DAMPING_PER_S * elapsed_s) * ringing


class Balance(Solo):
    """The world ``sim:balance``: a balance of 220 g with a weighing boat on its pan.

    Options: `load_g` lies on the pan at first; `vibration_mg`, the amplitude of a trembling table, above 0.15 leaves no
    weight stable; `drift_mg_per_h`, `noise_mg` (one standard deviation of a sample), `capacity_g`.
    """

    name = "balance"
    DEFAULTS = {
        "load_g": 2.5,
        "vibration_mg": 0.0,
        "drift_mg_per_h": 0.2,
        "noise_mg": 0.05,
        "capacity_g": 220.0,
    }

    def build(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> dict[str, Instrument]:
        """Return the balance."""
        self.balance = BalanceInstrument(state=state, clock=clock, seed=seed, options=options)
        return {"balance": self.balance}

    def put(self, mass_g: float) -> None:
        """Have so much lie on the pan from now on; a negative mass is a lifted pan."""
        self.balance.put(mass_g)
