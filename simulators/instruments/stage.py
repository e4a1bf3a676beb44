"""A simulated XY stage: a motor controller with numbered ASCII messages, trapezoidal motion and soft limits.

    /1 0 17 move abs 12500 -3000        one axis group, message 17, micrometres
    @01 0 17 OK BUSY -- 489315          accepted; busy for another 489315 us

Requests: ``get device.id``, ``status``, ``move abs X Y``, ``home``, ``stop``. Replies carry the request's number, OK or
RJ (refused: the data says why), BUSY or IDLE, a warning flag and data. `status` answers with position, target and the
microseconds until the stage stands still.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass

from drivers.links.framing import Line
from simulators.instruments.base import FramedInstrument, Now
from simulators.world import WorldFile

SPEED_UM_S = 40_000.0
ACCELERATION_UM_S2 = 400_000.0
SETTLE_S = 0.08
LIMIT_UM = 80_000
IDENTITY = "labpilot XY-160 X0042 2.1"

_REQUEST = re.compile(rb"/1 0 (\d\d?) ([a-z. ]+?)((?: -?\d{1,9})*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """A straight move that starts at a speed and ends at rest, in micrometres and seconds."""

    start_x: float
    start_y: float
    target_x: int
    target_y: int
    speed: float
    """At the start; not zero for a stage that brakes."""
    began_s: float

    @property
    def length(self) -> float:
        """How long the way is."""
        return math.hypot(self.target_x - self.start_x, self.target_y - self.start_y)

    @property
    def arrives_s(self) -> float:
        """When the stage reaches the target."""
        return self.began_s + sum(self._phases())

    @property
    def end_s(self) -> float:
        """When the stage stands still at the target, settled."""
        return self.arrives_s + (SETTLE_S if self.length else 0.0)

    def at(self, time_s: float) -> tuple[float, float]:
        """Return the position at a time."""
        share = 1.0 if time_s >= self.arrives_s else min(self._travelled(time_s - self.began_s) / self.length, 1.0)
        x = self.start_x + share * (self.target_x - self.start_x)
        return x, self.start_y + share * (self.target_y - self.start_y)

    def speed_at(self, time_s: float) -> float:
        """Return the speed at a time."""
        rise, cruise, fall = self._phases()
        elapsed = min(max(time_s - self.began_s, 0.0), rise + cruise + fall)
        top = self._top_speed()
        if elapsed < rise:
            return self.speed + ACCELERATION_UM_S2 * elapsed
        return top if elapsed < rise + cruise else max(0.0, top - ACCELERATION_UM_S2 * (elapsed - rise - cruise))

    def _top_speed(self) -> float:
        # speeding up over d1 and braking over d2, with d1 + d2 the whole way
        return min(SPEED_UM_S, math.sqrt(ACCELERATION_UM_S2 * self.length + 0.5 * self.speed**2))

    def _phases(self) -> tuple[float, float, float]:
        """Return the seconds of speeding up, cruising and braking."""
        if not self.length:
            return 0.0, 0.0, 0.0
        top = self._top_speed()
        rise, fall = (top - self.speed) / ACCELERATION_UM_S2, top / ACCELERATION_UM_S2
        ramps = 0.5 * (self.speed + top) * rise + 0.5 * top * fall
        return max(0.0, rise), max(0.0, self.length - ramps) / SPEED_UM_S, fall

    def _travelled(self, elapsed_s: float) -> float:
        rise, cruise, fall = self._phases()
        top = self._top_speed()
        first, second, third = (
            min(max(elapsed_s - before, 0.0), lasts)
            for before, lasts in ((0.0, rise), (rise, cruise), (rise + cruise, fall))
        )
        risen = self.speed * first + 0.5 * ACCELERATION_UM_S2 * first**2
        return risen + top * second + top * third - 0.5 * ACCELERATION_UM_S2 * third**2


class Stage(FramedInstrument):
    """The simulated stage; its key in the world's file is ``stage``."""

    def __init__(self, *, state: WorldFile, clock: Now, settle: Callable[[], None] | None = None) -> None:
        super().__init__(Line(), state=state, clock=clock, settle=settle)
        at_origin = {"start_x": 0.0, "start_y": 0.0, "target_x": 0, "target_y": 0, "speed": 0.0, "began_s": 0.0}
        self._motion = Motion(**state.get("stage", at_origin))

    def position_um(self, time_s: float) -> tuple[int, int]:
        """Return the encoder's reading at a time, as long as no other move has begun since."""
        x, y = self._motion.at(time_s)
        return round(x), round(y)

    def answer(self, request: bytes) -> bytes | None:
        """Carry out one request; what is no message for this stage gets no reply, as on a shared bus."""
        match = _REQUEST.fullmatch(request.strip())
        if match is None:
            return None
        verb, numbers = match[2].decode(), [int(number) for number in match[3].split()]
        flag, data = self._carry_out(verb, numbers)
        busy = "BUSY" if self._remaining_us() else "IDLE"
        return f"@01 0 {int(match[1])} {flag} {busy} -- {data}\r\n".encode()

    def _carry_out(self, verb: str, numbers: list[int]) -> tuple[str, str]:
        match verb, numbers:
            case "status", []:
                return "OK", self._status()
            case "move abs", [x, y]:
                return self._move(x, y)
            case "home", []:
                return self._move(0, 0)
            case "stop", []:
                return self._stop()
            case "get device.id", []:
                return "OK", IDENTITY
        return "RJ", "BADCOMMAND"

    def _status(self) -> str:
        x, y = self.position_um(self._clock.now_s())
        return f"{x} {y} {self._motion.target_x} {self._motion.target_y} {self._remaining_us()}"

    def _move(self, x: int, y: int) -> tuple[str, str]:
        if max(abs(x), abs(y)) > LIMIT_UM:
            return "RJ", "BADDATA"
        if self._remaining_us():
            return "RJ", "STATUSBUSY"
        now_s = self._clock.now_s()
        start_x, start_y = self.position_um(now_s)
        self._begin(Motion(start_x=start_x, start_y=start_y, target_x=x, target_y=y, speed=0.0, began_s=now_s))
        self._did("move", x_um=x, y_um=y)
        return "OK", str(self._remaining_us())

    def _stop(self) -> tuple[str, str]:
        now_s, old = self._clock.now_s(), self._motion
        if now_s < old.arrives_s:
            x, y = old.at(now_s)
            speed = old.speed_at(now_s)
            left = math.hypot(old.target_x - x, old.target_y - y)
            share = min(0.5 * speed**2 / ACCELERATION_UM_S2, left) / old.length
            target_x = round(x + share * (old.target_x - old.start_x))
            target_y = round(y + share * (old.target_y - old.start_y))
            self._begin(Motion(start_x=x, start_y=y, target_x=target_x, target_y=target_y, speed=speed, began_s=now_s))
        self._did("stop")
        return "OK", str(self._remaining_us())

    def _begin(self, motion: Motion) -> None:
        self._motion = motion
        self._state.put(stage=asdict(motion))

    def _remaining_us(self) -> int:
        return round(self._remaining_s(self._motion.end_s) * 1e6)
