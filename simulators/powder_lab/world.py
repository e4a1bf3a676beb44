"""The world ``powder-lab``; see the package's docstring for what it writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

from simulators.chance import generator
from simulators.instruments.balance import Balance
from simulators.instruments.base import Now
from simulators.instruments.furnace import Furnace
from simulators.materials.solid_state.chemistry import Chemistry
from simulators.materials.solid_state.grinding import BALL_MILL, MORTAR
from simulators.powder_lab import places
from simulators.powder_lab.arms import LabArm, LabDashboard
from simulators.powder_lab.balance import LabBalance
from simulators.powder_lab.box import BoxFurnace, BoxPort
from simulators.powder_lab.doors import BoxDoor, EnclosureDoor
from simulators.powder_lab.dosers import LabDoser
from simulators.powder_lab.hands import LabHands
from simulators.powder_lab.heating import Heating
from simulators.powder_lab.notebook import LabClock, Notebook, Part
from simulators.powder_lab.options import LabOptions
from simulators.powder_lab.people import People
from simulators.powder_lab.ports import Port
from simulators.powder_lab.room import Room
from simulators.powder_lab.shakers import LabShaker
from simulators.powder_lab.wires import FlakyWire
from simulators.powder_lab.xrd import LabXrdPort
from simulators.world import Instrument, WorldFile, claim


class Due(Protocol):
    """Something that goes on by itself."""

    @property
    def due_s(self) -> float:
        """When it does something next."""
        ...

    def advance(self) -> None:
        """Do it, at the moment that it is due."""
        ...


class _ArmDue:
    """An arm's program, step by step."""

    def __init__(self, arm: LabArm) -> None:
        self._arm = arm

    @property
    def due_s(self) -> float:
        return self._arm.due_s

    def advance(self) -> None:
        self._arm.advance()
        self._arm.keep()


class PowderLab:
    """The world ``powder-lab``.

    Args:
        state: The world's own file.
        clock: The time; it must survive a restart.
        seed: Of everything that chance decides.
        options: See `simulators.powder_lab.options.DEFAULTS`.

    Raises:
        ValueError: The options are wrong, or the file belongs to a world with another seed or other options.
    """

    name = "powder-lab"

    def __init__(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> None:
        told = LabOptions.of(options)
        self._state = state
        claim(state, self.name, seed=seed, options=options, began_s=clock.now_s())
        self._book = Notebook(state)
        self.clock = LabClock(clock)
        self._seed = seed
        self._told = told
        self.all_places = places.all_places(told.homes)
        self.is_safeguard_bypassed = told.safeguard_is_bypassed
        self.room = Room(self._book, clock=self.clock, seed=seed, crucibles=told.crucibles)
        self.room.leaves, self.room.moved = self._leaves, self._moved
        with self._book.turn():
            self._build()
        self.instruments: dict[str, Instrument] = self._ports()

    @classmethod
    def open(cls, path: Path, *, clock: Now, seed: int, options: Mapping[str, Any]) -> PowderLab:
        """Construct the world on its state file; arguments and errors as in the constructor."""
        return cls(state=WorldFile(path), clock=clock, seed=seed, options=options)

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> list[str]:
        """Return what is wrong with options, as sentences."""
        try:
            LabOptions.of(options)
        except ValueError as error:
            return [str(error)]
        return []

    @classmethod
    def pool(cls, options: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        """Return None: any recipe of these precursors can be made."""
        return None

    @property
    def latest_s(self) -> float:
        """When an instrument last did something."""
        return self._state.latest_s

    def close(self) -> None:
        """Release the world's file."""
        self._state.close()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Let what is due happen, then what is inside, and write it all at once."""
        with self._book.turn():
            self._settle()
            yield

    def enclosure_position(self) -> float:
        """Return 0 where the enclosure is closed, up to 1 where it is open."""
        return self.enclosure.gap(self.clock.now_s())

    def door_position(self, place: str) -> float | None:
        """Return 1 where the furnace that a place is in is open, down to 0; None for any other place."""
        box = places.BOX_OF.get(place)
        return None if box is None else self.doors[_door(box)].position(self.clock.now_s())

    def obstacle(self, arm: str, place: str) -> str:
        """Say what an arm would run into that reaches for a place now; nothing where the way is free."""
        box = places.BOX_OF.get(place)
        if box is not None and not self.doors[_door(box)].is_wide_open(self.clock.now_s()):
            return _door(box)
        if place in self.shakers and self.shakers[place].is_running:
            return place
        if place in self._xrd.lab_cell.carries:
            return "diffractometer"
        return next((other for other, its in self.arms.items() if other != arm and its.reaches_into == place), "")

    def _settle(self) -> None:
        """Let everything that was due by now happen, one after the other, each at its moment."""
        now_s = self.clock.now_s()
        while True:
            first = min(self._dues, key=_due_s)
            due_s = first.due_s
            if due_s > now_s:
                return
            with self.clock.as_of(due_s):
                first.advance()

    def _leaves(self, container: str, place: str) -> None:
        if place in places.BOX_OF:
            self.heating.catch_up(container)
        elif place == places.DOSING:
            for doser in self.dosers.values():
                doser.pour_so_far()

    def _moved(self, container: str, before: str, place: str) -> None:
        if place in places.BOX_OF:
            self.heating.begin(container)
        if places.DOSING in (before, place):
            self._load_balance()

    def _load_balance(self) -> None:
        self._stands_g = self.room.mass_g(places.DOSING)
        self.balance.put(self._on_the_pan_g())

    def _landed(self, time_s: float) -> None:
        with self.clock.as_of(time_s):
            self._load_balance()

    def _on_the_pan_g(self) -> float:
        in_the_air_mg = sum(doser.in_the_air_mg for doser in self.dosers.values())
        return self._stands_g + (1e-3 * in_the_air_mg if self._stands_g else 0.0)

    def _build(self) -> None:
        told, faults = self._told, self._told.faults
        self.enclosure = EnclosureDoor(
            state=self._part("enclosure"),
            clock=self.clock,
            openings=told.enclosure_opens,
            are_still=lambda: not any(arm.is_running for arm in self.arms.values()),
            opened=self._opened,
        )
        self._dashboards = {
            name: LabDashboard(
                name, taught=places.taught(reached), is_on=told.arms_are_on, faults=faults, cell=self, **self._own(name)
            )
            for name, reached in places.reach(told.homes).items()
        }
        self.arms: Mapping[str, LabArm] = {name: dashboard.lab_arm for name, dashboard in self._dashboards.items()}
        self.dosers: Mapping[str, LabDoser] = {
            name: self._doser(name, material) for name, material in _dosers(told.precursors).items()
        }
        options = {**Balance.DEFAULTS, "load_g": 0.0, "drift_mg_per_h": 0.0}
        self._stands_g = self.room.mass_g(places.DOSING)
        self.balance = LabBalance(self._on_the_pan_g, options=options, **self._own("balance"))
        self.shakers = {
            "mill": LabShaker("mill", mill=BALL_MILL, carry_over=0.0, room=self.room, **self._own("mill")),
            "grinder": LabShaker(
                "grinder", mill=MORTAR, carry_over=faults.carry_over, room=self.room, **self._own("grinder")
            ),
        }
        self.boxes = {name: self._box(name) for name in places.BOXES}
        self.doors: Mapping[str, BoxDoor] = {_door(name): self._box_door(name) for name in places.BOXES}
        for name, box in self.boxes.items():
            box.door = self.doors[_door(name)]
        self._xrd = LabXrdPort(room=self.room, faults=faults, **self._own("diffractometer"))
        chemistry = Chemistry.draw(generator(self._seed, "chemistry"), hidden_error=told.hidden_error)
        self.heating = Heating(self.room, self.boxes, chemistry, seed=self._seed, faults=faults)
        arms = [_ArmDue(arm) for arm in self.arms.values()]
        self._dues: list[Due] = [self.enclosure, *arms, *self.dosers.values(), *self.shakers.values(), self._xrd]

    def _opened(self) -> None:
        for arm in self.arms.values():
            arm.stand_still()

    def _doser(self, name: str, material: str) -> LabDoser:
        told = self._told
        return LabDoser(
            name,
            material=material,
            others=told.precursors,
            stock_mg=told.stock_mg,
            faults=told.faults,
            room=self.room,
            landed=self._landed,
            **self._own(name),
        )

    def _box(self, name: str) -> BoxFurnace:
        told = self._told
        number = int(name[-1])
        return BoxFurnace(
            options={**Furnace.DEFAULTS, "customer_id": Furnace.DEFAULTS["customer_id"] + number},
            faults=told.faults,
            hard_limit_c=told.hard_limit_c,
            unsafe=lambda rule, **facts: self.room.unsafe(rule, box=name, **facts),
            **self._own(name),
        )

    def _box_door(self, box: str) -> BoxDoor:
        told, name = self._told, _door(box)
        return BoxDoor(
            name=name,
            furnace=self.boxes[box],
            opens_below_c=told.door_opens_below_c,
            jam_probability=told.faults.jammed_per_travel,
            closes=lambda: self._closes(box),
            **self._own(name),
        )

    def _closes(self, box: str) -> None:
        """Catch an arm that is in a furnace whose door closes."""
        for arm in self.arms.values():
            if places.BOX_OF.get(arm.reaches_into) == box:
                arm.collide(_door(box))

    def _part(self, name: str) -> Part:
        return Part(self._book, name)

    def _own(self, name: str) -> dict[str, Any]:
        """Return what each device has of its own."""
        return {"state": self._part(name), "clock": self.clock, "seed": self._seed + crc32(name.encode())}

    def _ports(self) -> dict[str, Instrument]:
        boxes = {name: BoxPort(box, state=self._part(name), clock=self.clock) for name, box in self.boxes.items()}
        people = People(LabHands(self), state=self._part("people"), clock=self.clock)
        found: dict[str, Any] = {
            **self.dosers,
            "balance": self.balance,
            **self.shakers,
            **self._dashboards,
            **boxes,
            **self.doors,
            "diffractometer": self._xrd,
            "enclosure": self.enclosure,
            "people": people,
        }
        ports: dict[str, Instrument] = {name: Port(instrument, self) for name, instrument in found.items()}
        return {name: port if name == "people" else self._wired(name, port) for name, port in ports.items()}

    def _wired(self, name: str, port: Instrument) -> Instrument:
        """Return a port behind its wire, which is left out where nothing ever goes wrong on it."""
        rate, rates = self._told.faults.wire_per_exchange, self._told.wires.get(name)
        if not (rate if rates is None else sum(rates.values())):
            return port
        return FlakyWire(port, name=name, rate=rate, rates=rates, seed=self._seed, clock=self.clock)


def _door(box: str) -> str:
    return box.replace("box", "door")


def _dosers(precursors: tuple[str, ...]) -> dict[str, str]:
    return {f"doser-{number}": material for number, material in enumerate(precursors, 1)}


def _due_s(due: Due) -> float:
    return due.due_s
