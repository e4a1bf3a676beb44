"""A simulated parallel gripper in the manner of DH-Robotics' PGE and AG series, on Modbus RTU.

    01 06 01 03 01 F4 78 21      go to 500 permille of the width; 0 is closed, 1000 open
    01 03 02 01 00 01 D4 72      what do you feel? 0 moving, 1 there, 2 something caught, 3 something dropped

The fingers move at constant speed and stop at what lies between them. Whether they miss it, and whether it falls later,
is decided by chance when they close.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

from pymodbus.constants import ExcCodes

from simulators.chance import generator
from simulators.instruments.base import RESOLUTION_S, Now
from simulators.instruments.modbus import ModbusError, ModbusInstrument
from simulators.solo import Solo
from simulators.world import Instrument, WorldFile

STROKE_MM = 26.0
OPEN = 1000
WHOLE_WAY_S = 0.5
INITIALISE_S = 1.5
MOVING, REACHED, CAUGHT, DROPPED = range(4)
MEMORY = {0x0101: (20, 100), 0x0102: (20, 100), 0x0104: (1, 100), 0x0302: (0, 255), 0x0303: (0, 5)}
"""Registers that are only kept, with their ranges: forces, speed, address, baud rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingers:
    """A move of the fingers, in permille and seconds."""

    start: float = 500.0
    reference: int = 500
    began_s: float = 0.0
    whole_way_s: float = WHOLE_WAY_S
    catches: float | None = None
    """Where they meet something."""
    drops_s: float | None = None
    """When that will fall."""

    def _met(self, time_s: float) -> float | None:
        return None if self.drops_s is not None and time_s >= self.drops_s else self.catches

    def end_s(self, time_s: float) -> float:
        """Return when the fingers stand still, as it looks at a time."""
        met = self._met(time_s)
        if met is not None:
            return self.began_s + abs(met - self.start) * self.whole_way_s / OPEN
        if self.drops_s is not None and self.catches is not None:
            return self.drops_s + abs(self.reference - self.catches) * self.whole_way_s / OPEN
        return self.began_s + abs(self.reference - self.start) * self.whole_way_s / OPEN

    def at(self, time_s: float) -> float:
        """Return where they are."""
        met = self._met(time_s)
        has_dropped = met is None and self.catches is not None and self.drops_s is not None
        start, began_s = (self.catches, self.drops_s) if has_dropped else (self.start, self.began_s)
        end = self.reference if met is None else met
        way = (time_s - (began_s or 0.0)) * OPEN / self.whole_way_s
        start = float(start or 0.0)
        return end if abs(end - start) <= way else start + (way if end > start else -way)

    def state(self, time_s: float) -> int:
        """Return what they feel."""
        if time_s < self.end_s(time_s) - RESOLUTION_S:
            return MOVING
        if self._met(time_s) is not None:
            return CAUGHT
        return REACHED if self.catches is None else DROPPED


class GripperDevice:
    """The gripper and what lies between its fingers; its key in the world's file is ``gripper``."""

    def __init__(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> None:
        self._state = state
        self._clock = clock
        self._seed = seed
        self._options = options
        new = {
            "fingers": asdict(Fingers(began_s=clock.now_s())),
            "ready_s": None,
            "object_mm": float(options["object_mm"]),
            "memory": {"257": 20, "258": 20, "260": 100, "770": 1, "771": 0},
            "grips": 0,
        }
        self._kept: dict[str, Any] = state.get("gripper", new)
        self._fingers = Fingers(**self._kept["fingers"])

    @property
    def object_mm(self) -> float:
        """How wide what lies between the fingers is; 0 where nothing does, or after it fell."""
        fallen = self._fingers.drops_s
        return 0.0 if fallen is not None and self._clock.now_s() >= fallen else self._kept["object_mm"]

    @property
    def is_holding(self) -> bool:
        """Whether something is held, which is true also while nobody asks."""
        return self._fingers.state(self._clock.now_s()) == CAUGHT

    def place_object(self, width_mm: float) -> None:
        """Put something between the open fingers, or take it away with a width of 0."""
        self._change(object_mm=width_mm)

    def read_register(self, address: int) -> int:
        """Return a register."""
        now_s = self._clock.now_s()
        match address:
            case 0x0100:
                return 0
            case 0x0103:
                return self._fingers.reference
            case 0x0200:
                return self._readiness()
            case 0x0201:
                return self._fingers.state(now_s) if self._readiness() == 1 else MOVING
            case 0x0202:
                return round(self._fingers.at(now_s))
        if address in MEMORY:
            return self._kept["memory"][str(address)]
        raise ModbusError(ExcCodes.ILLEGAL_ADDRESS)

    def write_register(self, address: int, value: int) -> None:
        """Take a register."""
        if address == 0x0100:
            self._initialise(value)
        elif address == 0x0103:
            self._go(value)
        elif address in MEMORY:
            low, high = MEMORY[address]
            if not low <= value <= high:
                raise ModbusError(ExcCodes.ILLEGAL_VALUE)
            self._change(memory={**self._kept["memory"], str(address): value})
            self._did("set", register=address, value=value)
        else:
            raise ModbusError(ExcCodes.ILLEGAL_ADDRESS)

    def read_coil(self, address: int) -> bool:
        """Refuse: it has none."""
        raise ModbusError(ExcCodes.ILLEGAL_ADDRESS)

    def write_coil(self, address: int, is_on: bool) -> None:
        """Refuse: it has none."""
        raise ModbusError(ExcCodes.ILLEGAL_ADDRESS)

    def restart(self) -> None:
        """Forget that it is initialised; the fingers stay where they are, and closed on what they hold."""
        now_s = self._clock.now_s()
        place = self._fingers.at(now_s)
        self._fingers = Fingers(start=place, reference=round(place), began_s=now_s)
        self._change(ready_s=None)

    def _readiness(self) -> int:
        ready_s = self._kept["ready_s"]
        if ready_s is None:
            return 0
        return 1 if self._clock.now_s() >= ready_s - RESOLUTION_S else 2

    def _initialise(self, value: int) -> None:
        if value not in (0x01, 0xA5):
            raise ModbusError(ExcCodes.ILLEGAL_VALUE)
        now_s = self._clock.now_s()
        object_mm = self.object_mm
        place = self._fingers.at(now_s)
        self._fingers = Fingers(start=place, reference=OPEN, began_s=now_s, whole_way_s=INITIALISE_S)
        self._change(ready_s=now_s + INITIALISE_S, object_mm=object_mm)
        self._did("home")

    def _go(self, permille: int) -> None:
        if permille > OPEN:
            raise ModbusError(ExcCodes.ILLEGAL_VALUE)
        if self._readiness() != 1:
            return  # it takes the request and does nothing
        now_s, old = self._clock.now_s(), self._fingers
        if permille == old.reference and old.catches is not None:
            return  # it closes on what it holds already
        object_mm = self.object_mm
        speed = self._kept["memory"]["260"] / 100
        moving = Fingers(start=old.at(now_s), reference=permille, began_s=now_s, whole_way_s=WHOLE_WAY_S / speed)
        self._fingers = self._meeting(moving, object_mm)
        self._change(object_mm=object_mm, grips=self._kept["grips"] + 1)
        self._did("move", permille=permille)

    def _meeting(self, fingers: Fingers, object_mm: float) -> Fingers:
        """Return the move as it meets what lies in its way."""
        width = object_mm * OPEN / STROKE_MM
        number = self._kept["grips"]
        if not 0.0 < width <= fingers.start + 1e-9 or fingers.reference >= width:
            return fingers
        if self._chance("miss", number) < self._options["misses"]:
            return fingers
        caught = replace(fingers, catches=width)
        if self._chance("slip", number) < self._options["slips"]:
            return replace(caught, drops_s=caught.end_s(fingers.began_s) + self._options["slips_after_s"])
        return caught

    def _chance(self, what: str, number: int) -> float:
        return float(generator(self._seed, what, number).random())

    def _change(self, **changes: Any) -> None:
        self._kept = {**self._kept, **changes, "fingers": asdict(self._fingers)}
        self._state.put(gripper=self._kept)

    def _did(self, what: str, **facts: Any) -> None:
        self._state.note_act(what, once=False, facts=facts, at_s=self._clock.now_s())


class Gripper(Solo):
    """A gripper of 26 mm stroke over a sample."""

    name = "gripper"
    DEFAULTS: ClassVar[Mapping[str, Any]] = {
        "object_mm": 12.0,
        "misses": 0.0,
        "slips": 0.0,
        "slips_after_s": 5.0,
    }

    def build(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> dict[str, Instrument]:
        """Return the one port."""
        self.device = GripperDevice(state=state, clock=clock, seed=seed, options=options)
        return {"rtu": ModbusInstrument(self.device, wire="modbus+rtu", state=state, clock=clock)}

    def place_object(self, width_mm: float) -> None:
        """Put something between the open fingers; a width of 0 takes it away."""
        self.device.place_object(width_mm)
