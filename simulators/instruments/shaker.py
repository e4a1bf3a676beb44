r"""A simulated orbital shaker: NAMUR commands over a serial line, and a platform that takes its time.

    IN_TYPE  IN_NAME  IN_SOFTWARE  IN_PV_4  IN_SP_4  STATUS        are answered
    OUT_NAME text  OUT_SP_4 n  START_4  STOP_4  RESET             are not
    OUT_WD1@m  OUT_WD2@m                                          are echoed

IKA's operating instructions KS 4000 i control, pages 26 and 27, have the commands and the watchdog: when OUT_WD1@m has
not come again within m seconds the motor is switched off and an error shown. STATUS answers S0 (local), S1 (remote,
shaking), S2 (remote, stopped), or a negative error code.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from drivers.links.framing import Line
from simulators.chance import generator
from simulators.instruments.base import FramedInstrument, Now
from simulators.solo import Solo
from simulators.world import Instrument, WorldFile

TYPE = "KS4000 ic"
SOFTWARE = "25 10.11.2011 1.04"
SPEED_RPM = (10.0, 500.0)
WATCHDOG_S = (20, 1500)
ACCELERATION_RPM_S = 120.0
"""Of the empty platform; 5 kg on it halve that."""
HALF_KG = 5.0
BRAKING_RPM_S = 200.0
MOST_KG = 20.0
OVERLOAD_TRIP_S = 5.0
JAM_TRIP_S = 2.0
TREMBLING_S = 3.0
"""So long after the motor was switched off everything is still again."""
NOISE_RPM = 0.5
COMMUNICATION, OVERLOAD = "-2", "-4"

_SET = re.compile(r"OUT_SP_4 (\d+(?:\.\d+)?)")
_NAME = re.compile(r"OUT_NAME (.{1,10})")
_WATCHDOG = re.compile(r"OUT_WD([12])@(\d+)(?:\.\d+)?")


class ShakerInstrument(FramedInstrument):
    """The simulated shaker; its key in the world's file is ``shaker``.

    A restart stops the motor and forgets speed, watchdog, error and remote operation; the name is kept.
    """

    has_front_panel = True

    def __init__(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> None:
        super().__init__(Line(b"\r\n"), state=state, clock=clock, settle=self._trip_due)
        self._seed = seed
        self._options = options
        new = {
            "name": TYPE,
            "set_rpm": 0.0,
            "is_on": False,
            "is_remote": False,
            "error": "",
            "from_rpm": 0.0,
            "changed_s": clock.now_s(),
            "started_s": 0.0,
            "watchdog_s": 0,
            "fed_s": 0.0,
            "reads": 0,
        }
        self._shaker: dict[str, Any] = state.get("shaker", new)

    def speed_rpm(self, time_s: float) -> float:
        """Return how fast the platform truly moves at a time."""
        start, target = self._shaker["from_rpm"], self._target_rpm()
        rate = ACCELERATION_RPM_S / (1.0 + self._options["load_kg"] / HALF_KG) if target > start else BRAKING_RPM_S
        change = min(abs(target - start), rate * max(0.0, time_s - self._shaker["changed_s"]))
        return start + math.copysign(change, target - start)

    def vibration(self, time_s: float) -> float:
        """Return how much the bench trembles, 1 at full speed; it dies away after the motor was switched off."""
        if self._shaker["is_on"]:
            return (self.speed_rpm(time_s) / SPEED_RPM[1]) ** 2
        since_s = time_s - self._shaker["changed_s"]
        return (self._shaker["from_rpm"] / SPEED_RPM[1]) ** 2 * max(0.0, 1.0 - since_s / TREMBLING_S)

    def answer(self, request: bytes) -> bytes | None:
        """Carry out one request; what is no command gets no reply."""
        text = request.decode("latin-1").rstrip(" ")
        match text:
            case "IN_TYPE":
                return _say(TYPE)
            case "IN_SOFTWARE":
                return _say(SOFTWARE)
            case "IN_NAME":
                return _say(self._shaker["name"])
            case "IN_SP_4":
                return _say(f"{self._shaker['set_rpm']:.1f} 4")
            case "IN_PV_4":
                return _say(f"{self._measured_rpm():.1f} 4")
            case "STATUS":
                return _say(self._status())
            case "START_4":
                self._start()
            case "STOP_4":
                self._stop()
            case "RESET":
                self._reset()
            case _:
                return self._set(text)
        return None

    def restart(self) -> None:
        """Lose power for a moment; see the class's docstring."""
        super().restart()
        self._trip_due()
        self._change(**self._off(self._clock.now_s()), is_remote=False, error="", watchdog_s=0, set_rpm=0.0)

    def front_panel(self) -> None:
        """Let somebody turn the knob."""
        self._trip_due()
        self._change(**self._from_now(), set_rpm=min(SPEED_RPM[1], self._shaker["set_rpm"] + 60.0))

    def chatter(self) -> bytes:
        """Return noise of a connector: IKA's shakers never speak unasked."""
        return b"\x00\xf8\r\n"

    def _set(self, text: str) -> bytes | None:
        speed, name, watchdog = _SET.fullmatch(text), _NAME.fullmatch(text), _WATCHDOG.fullmatch(text)
        if speed is not None and SPEED_RPM[0] <= float(speed[1]) <= SPEED_RPM[1]:
            self._change(**self._from_now(), set_rpm=float(speed[1]))
            self._did("set speed", rpm=float(speed[1]))
        elif name is not None:
            self._change(name=name[1])
        elif watchdog is not None:
            return self._watch(int(watchdog[2]))
        return None

    def _watch(self, seconds: int) -> bytes | None:
        if seconds and not WATCHDOG_S[0] <= seconds <= WATCHDOG_S[1]:
            return None
        self._change(watchdog_s=seconds, fed_s=self._clock.now_s())
        return _say(str(seconds))

    def _start(self) -> None:
        if self._shaker["error"]:
            return
        if self._shaker["is_on"] or self._options["is_hood_open"] or not self._shaker["set_rpm"]:
            self._change(is_remote=True)
            return
        now_s = self._clock.now_s()
        self._change(**self._from_now(), is_on=True, is_remote=True, started_s=now_s)
        self._did("start", once=True)

    def _stop(self) -> None:
        if self._shaker["is_on"]:
            self._change(**self._off(self._clock.now_s()))
        self._change(is_remote=True)
        self._did("stop")

    def _reset(self) -> None:
        if self._shaker["is_on"]:
            self._change(**self._off(self._clock.now_s()))
        self._change(is_remote=False, error="", watchdog_s=0)
        self._did("reset")

    def _status(self) -> str:
        if self._shaker["error"]:
            return self._shaker["error"]
        if not self._shaker["is_remote"]:
            return "S0"
        return "S1" if self._shaker["is_on"] else "S2"

    def _measured_rpm(self) -> float:
        speed = self.speed_rpm(self._clock.now_s())
        if speed < 1.0:
            return 0.0
        number = self._shaker["reads"] + 1
        self._change(reads=number)
        return max(0.0, speed + NOISE_RPM * float(generator(self._seed, "shaker", number).standard_normal()))

    def _target_rpm(self) -> float:
        if not self._shaker["is_on"] or self._options["is_jammed"]:
            return 0.0
        return self._shaker["set_rpm"] * (1.0 - max(0.0, self._options["load_kg"] - MOST_KG) / MOST_KG)

    def _trip_due(self) -> None:
        """Carry out what watchdog and motor protection have done since."""
        for trip_s, error in sorted(self._trips()):
            if self._clock.now_s() >= trip_s and not self._shaker["error"]:
                self._change(**self._off(trip_s), error=error, watchdog_s=0)
                self._did("trip", error=error)

    def _trips(self) -> list[tuple[float, str]]:
        trips = []
        if self._shaker["watchdog_s"]:
            trips.append((self._shaker["fed_s"] + self._shaker["watchdog_s"], COMMUNICATION))
        if self._shaker["is_on"] and self._options["is_jammed"]:
            trips.append((self._shaker["started_s"] + JAM_TRIP_S, OVERLOAD))
        elif self._shaker["is_on"] and self._options["load_kg"] > 1.2 * MOST_KG:
            trips.append((self._shaker["started_s"] + OVERLOAD_TRIP_S, OVERLOAD))
        return trips

    def _off(self, time_s: float) -> dict[str, Any]:
        if not self._shaker["is_on"]:
            return {}
        return {"from_rpm": self.speed_rpm(time_s), "changed_s": time_s, "is_on": False}

    def _from_now(self) -> dict[str, Any]:
        now_s = self._clock.now_s()
        return {"from_rpm": self.speed_rpm(now_s), "changed_s": now_s}

    def _change(self, **changes: Any) -> None:
        if any(self._shaker[key] != value for key, value in changes.items()):
            self._shaker = {**self._shaker, **changes}
            self._state.put(shaker=self._shaker)


def _say(text: str) -> bytes:
    return text.encode("latin-1") + b"\r\n"


class Shaker(Solo):
    """The world ``sim:shaker``: an orbital shaker with 2 kg on its platform.

    Options: `load_kg` (above 20 it does not reach its speed, above 24 the motor trips), `is_jammed`, `is_hood_open`.
    """

    name = "shaker"
    DEFAULTS = {"load_kg": 2.0, "is_jammed": False, "is_hood_open": False}

    def build(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> dict[str, Instrument]:
        """Return the shaker."""
        self.shaker = ShakerInstrument(state=state, clock=clock, seed=seed, options=options)
        return {"shaker": self.shaker}
