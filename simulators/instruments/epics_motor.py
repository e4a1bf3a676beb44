"""A simulated linear stage behind an EPICS motor record, and its world ``sim:epics-motor``.

The channels are fields of the record, as the "Motor Record and related software" document of the EPICS motor module
describes them. softioc has no motor record and no name may hold a dot, so on a real port each field is a record of its
own: ``SIM:M1:VAL`` where a motor record has ``IOC:m1.VAL``; a driver takes either, by the prefix in its URL.

A write to VAL starts a move (through TARGET - BDST if it comes from the other side), STOP brakes and then sets VAL to
RBV, HOMF drives to the home switch at zero, SPMG other than Go holds every move back, and a VAL outside LLM and HLM
sets LVIO and is forgotten. The controller behind the IOC keeps position and motion when the IOC restarts; the record
then forgets VAL, VELO and SPMG.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from simulators.instruments.axis_motion import Way, braking, way_through
from simulators.instruments.base import Now
from simulators.instruments.channels import ChannelInstrument, Record, Value
from simulators.solo import Solo
from simulators.world import Instrument, WorldFile

VELOCITY_MM_S = 10.0
ACCELERATION_MM_S2 = 50.0
BACKLASH_MM = 0.1
"""BDST: how far below its target a move from above goes, to come back from below."""
BACKLASH_MM_S = 2.0
PLAY_MM = 0.02
"""How far the carriage lags behind the screw when the screw has moved downwards."""
HOME_MM_S = 5.0
SETTLE_S = 0.1
STEP_MM = 0.001
DEADBAND_MM = 0.002
LOW_MM, HIGH_MM = -25.0, 75.0
LOW_SWITCH_MM = -30.0
STOP, PAUSE, MOVE, GO = range(4)
"""What SPMG says."""

_DIRECTION, _DONE, _PLUS, _STALL, _HOME, _PROBLEM, _MOVING, _LOST, _MINUS, _HOMED = (
    1 << bit for bit in (0, 1, 2, 6, 7, 9, 10, 12, 13, 14)
)


class EpicsMotorDevice(ChannelInstrument):
    """The stage and its record; the key in the world's file is ``motor``."""

    prefix = "SIM:M1:"
    records: ClassVar[Mapping[str, Record]] = {
        "VAL": Record(kind="ao"),
        "RBV": Record(kind="ai"),
        "DMOV": Record(kind="longin"),
        "MOVN": Record(kind="longin"),
        "MSTA": Record(kind="longin"),
        "LVIO": Record(kind="longin"),
        "HLS": Record(kind="longin"),
        "LLS": Record(kind="longin"),
        "STOP": Record(kind="longout"),
        "HOMF": Record(kind="longout"),
        "SPMG": Record(kind="longout", low=0, high=3),
        "VELO": Record(kind="ao"),
        "HLM": Record(kind="ai"),
        "LLM": Record(kind="ai"),
        "RDBD": Record(kind="ai"),
        "MRES": Record(kind="ai"),
        "EGU": Record(kind="stringin"),
        "DESC": Record(kind="stringin"),
        "NAME": Record(kind="stringin"),
        "DTYP": Record(kind="stringin"),
        "VERS": Record(kind="ai"),
    }
    has_units = True
    has_front_panel = True

    def __init__(
        self,
        *,
        state: WorldFile,
        clock: Now,
        options: Mapping[str, Any],
        began_s: float = 0.0,
        settle: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(state=state, clock=clock, settle=settle)
        self._options = options
        self._began_s = began_s
        kept = state.get("motor", {})
        self._way = Way.unpacked(kept["way"]) if kept else Way()
        self._memory: dict[str, Any] = kept.get("memory") or _fresh()
        self._is_homed: bool = kept.get("is_homed", False)
        self._is_homing: bool = kept.get("is_homing", False)

    def position_mm(self) -> float:
        """Return where the screw truly is."""
        return self._way.at(self._clock.now_s())

    def true_position_mm(self) -> float:
        """Return where the carriage truly is: behind by the play when the screw moved downwards last."""
        return self.position_mm() + (PLAY_MM if self._way.direction(self._clock.now_s()) < 0 else 0.0)

    def is_done(self) -> bool:
        """Say whether the stage has stopped and settled."""
        return not self._way.legs or not self._remaining_s(self._way.end_s + SETTLE_S)

    def is_valid(self, channel: str) -> bool:
        """Say whether the IOC reaches the controller."""
        off_s = float(self._options["controller_off_at_s"])
        is_off = off_s > 0.0 and self._clock.now_s() >= self._began_s + off_s
        return not is_off or channel not in ("RBV", "DMOV", "MOVN")

    def read(self, channel: str) -> Value:
        """Return what a field holds now."""
        self._end_homing()
        match channel:
            case "VAL":
                return self._memory["val"] * self._scale if self._memory["holds"] else self._rbv()
            case "RBV":
                return self._rbv()
            case "VELO" | "HLM" | "LLM" | "RDBD" | "MRES":
                return self._lengths()[channel] * self._scale
            case "EGU":
                return self._memory["unit"]
            case "SPMG" | "LVIO":
                return self._memory[channel.lower()]
            case "DMOV":
                return int(self.is_done())
            case "HOMF":
                return int(self._is_homing)
            case "STOP":
                return 0
            case "MOVN" | "HLS" | "LLS" | "MSTA":
                return self._bits(channel)
        return {"DESC": "simulated stage", "NAME": "SIM:M1", "DTYP": "labpilot simulator", "VERS": 7.0}[channel]

    def write(self, channel: str, value: Value) -> None:
        """Carry out what writing a field does."""
        self._end_homing()
        match channel:
            case "VAL":
                self._ask_for(float(value) / self._scale)
            case "STOP" if value:
                self._did("stop")
                self._brake()
            case "HOMF" if value and self._memory["spmg"] in (MOVE, GO):
                self._did("home")
                self._go([(0.0, HOME_MM_S)])
                self._memory["holds"] = False
                self._is_homing = True
            case "SPMG":
                self._set_mode(int(value))
            case "VELO" if float(value) > 0.0:
                self._memory["velo"] = float(value) / self._scale
                self._did("set speed", speed_mm_s=self._memory["velo"])
        self._keep()

    def restart(self) -> None:
        """Restart the IOC: VAL becomes RBV, and VELO, SPMG and LVIO are those of the database again."""
        self._memory = _fresh()
        self._keep()

    def change_unit(self) -> None:
        """Switch the record between millimetres and micrometres."""
        self._memory["unit"] = "um" if self._memory["unit"] == "mm" else "mm"
        self._keep()

    def restore_unit(self) -> None:
        """Switch the record back to millimetres."""
        self._memory["unit"] = "mm"
        self._keep()

    def front_panel(self) -> None:
        """Let another client send the stage a millimetre further, or back where there is none."""
        target = self.position_mm() + 1.0
        self._ask_for(target if target < HIGH_MM else target - 2.0)
        self._keep()

    @property
    def _scale(self) -> float:
        return 1000.0 if self._memory["unit"] == "um" else 1.0

    def _rbv(self) -> float:
        return round(round(self.position_mm() / STEP_MM) * STEP_MM * self._scale, 6)

    def _lengths(self) -> dict[str, float]:
        return {
            "VELO": self._memory["velo"],
            "HLM": HIGH_MM,
            "LLM": LOW_MM,
            "RDBD": DEADBAND_MM,
            "MRES": STEP_MM,
        }

    def _ask_for(self, target_mm: float) -> None:
        low = LOW_MM + BACKLASH_MM
        self._memory["lvio"] = int(not low <= target_mm <= HIGH_MM)
        if self._memory["lvio"]:
            return
        self._memory |= {"val": target_mm, "holds": True}
        self._is_homing = False
        if self._memory["spmg"] in (MOVE, GO):
            self._did("move", target_mm=target_mm)
            self._begin_move(target_mm)

    def _begin_move(self, target_mm: float) -> None:
        brake = braking(self._way, self._clock.now_s(), ACCELERATION_MM_S2)
        start = brake[-1].target_mm if brake else self.position_mm()
        if 0.0 <= target_mm - start < BACKLASH_MM:
            self._go([(target_mm, BACKLASH_MM_S)])
        else:
            self._go([(target_mm - BACKLASH_MM, self._memory["velo"]), (target_mm, BACKLASH_MM_S)])

    def _go(self, targets: list[tuple[float, float]]) -> None:
        now_s, here = self._clock.now_s(), self.position_mm()
        brake = braking(self._way, now_s, ACCELERATION_MM_S2)
        start, began_s = (brake[-1].target_mm, brake[-1].end_s) if brake else (here, now_s)
        legs = way_through(start, targets, began_s=began_s, acceleration_mm_s2=ACCELERATION_MM_S2)
        self._way = Way(rest_mm=here, legs=brake + legs).blocked(LOW_SWITCH_MM, self._high_block_mm)

    def _brake(self) -> None:
        self._is_homing = False
        if not self.is_done():
            legs = braking(self._way, self._clock.now_s(), ACCELERATION_MM_S2)
            self._way = Way(rest_mm=self.position_mm(), legs=legs).blocked(LOW_SWITCH_MM, self._high_block_mm)
        self._memory["holds"] = False

    @property
    def _high_block_mm(self) -> float:
        return min(float(self._options["plus_switch_at_mm"]), float(self._options["obstacle_at_mm"]))

    def _set_mode(self, mode: int) -> None:
        was, self._memory["spmg"] = self._memory["spmg"], mode
        if mode == STOP:
            self._brake()
        elif mode == PAUSE and not self.is_done():
            target = self._memory["val"]
            self._brake()
            self._memory |= {"val": target, "holds": True}
        elif mode in (MOVE, GO) and was in (STOP, PAUSE) and self._memory["holds"]:
            self._begin_move(self._memory["val"])

    def _end_homing(self) -> None:
        if self._is_homing and self.is_done():
            self._is_homing = False
            self._is_homed = self._is_homed or self.position_mm() == 0.0
            self._keep()

    def _bits(self, channel: str) -> int:
        now_s = self._clock.now_s()
        is_moving = now_s < self._way.end_s
        here = self.position_mm()
        at_switch = not is_moving and here >= float(self._options["plus_switch_at_mm"]) - 1e-6
        stalled = not is_moving and here >= float(self._options["obstacle_at_mm"]) - 1e-6
        at_minus = not is_moving and here <= LOW_SWITCH_MM + 1e-6
        if channel != "MSTA":
            return int({"MOVN": is_moving, "HLS": at_switch, "LLS": at_minus}[channel])
        flags = {
            _DIRECTION: self._way.direction(now_s) > 0,
            _DONE: self.is_done(),
            _PLUS: at_switch,
            _STALL: stalled,
            _HOME: self._is_homed and abs(here) < STEP_MM,
            _PROBLEM: stalled,
            _MOVING: is_moving,
            _LOST: not self.is_valid("RBV"),
            _MINUS: at_minus,
            _HOMED: self._is_homed,
        }
        return sum(bit for bit, is_set in flags.items() if is_set)

    def _keep(self) -> None:
        kept = {
            "way": self._way.packed(),
            "memory": self._memory,
            "is_homed": self._is_homed,
            "is_homing": self._is_homing,
        }
        self._state.put(motor=kept)


def _fresh() -> dict[str, Any]:
    """Return what the record holds after a start; `holds` says whether VAL is a target of its own, not RBV."""
    return {"val": 0.0, "holds": False, "velo": VELOCITY_MM_S, "spmg": GO, "lvio": 0, "unit": "mm"}


class EpicsMotor(Solo):
    """The world ``sim:epics-motor``: one stage."""

    name = "epics-motor"
    DEFAULTS: ClassVar[Mapping[str, Any]] = {
        "plus_switch_at_mm": 80.0,
        "obstacle_at_mm": 1000.0,
        "controller_off_at_s": 0.0,
    }

    def build(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> dict[str, Instrument]:
        """Return the stage."""
        began_s = float(state.get("world")["began_s"])
        return {"motor": EpicsMotorDevice(state=state, clock=clock, options=options, began_s=began_s)}  # type: ignore[dict-item]
