"""The two arms: they share places, stop where the enclosure opens, and run into closed doors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from simulators.instruments.arm_cell import Arm, Did
from simulators.instruments.arm_motion import ABOVE, Taught
from simulators.instruments.arm_programs import Program, Step
from simulators.instruments.base import Now
from simulators.instruments.robot_arm import DashboardServer
from simulators.powder_lab.options import LabFaults
from simulators.powder_lab.places import MAGAZINE
from simulators.powder_lab.room import Room
from simulators.world import WorldFile


class Cell(Protocol):
    """What is around an arm."""

    room: Room

    def enclosure_position(self) -> float:
        """Return 0 where the enclosure is closed, up to 1 where it is open."""
        ...

    def door_position(self, place: str) -> float | None:
        """Return 1 where the furnace that a place is in is open, down to 0; None for any other place."""
        ...

    def obstacle(self, arm: str, place: str) -> str:
        """Say what an arm would run into that reaches for a place now; nothing where the way is free."""
        ...

    @property
    def is_safeguard_bypassed(self) -> bool:
        """Whether arms move although the enclosure is open."""
        ...


class RoomPlaces:
    """Places that arms share."""

    def __init__(self, room: Room, arm: str) -> None:
        self._room = room
        self._arm = arm

    def is_taken(self, place: str) -> bool:
        """Say what the sensor at a place says."""
        return self._room.is_taken(place)

    def pick(self, place: str) -> str:
        """Take what stands at a place."""
        container = self._room.fetch() if place == MAGAZINE else self._room.top(place) or ""
        if container:
            self._room.move(container, self._arm)
        return container

    def put(self, place: str, what: str, *, is_askew: bool) -> None:
        """Put a container down."""
        self._room.move(what, place, is_askew=is_askew)

    def drop(self, what: str) -> None:
        """Let a container fall; what was in it lies about."""
        self._room.move(what, "floor")


class LabArm(Arm):
    """An arm of the laboratory."""

    def __init__(
        self,
        name: str,
        *,
        state: WorldFile,
        clock: Now,
        seed: int,
        options: Mapping[str, Any],
        did: Did,
        taught: Taught,
        cell: Cell,
    ) -> None:
        super().__init__(
            state=state,
            clock=clock,
            seed=seed,
            options=options,
            did=did,
            taught=taught,
            places=RoomPlaces(cell.room, name),
        )
        self.name = name
        self._cell = cell
        if not state.get("arm") and options["is_on"]:
            long_ago_s = clock.now_s() - 60.0
            self.row.update(power_s=long_ago_s, brakes_s=long_ago_s)

    @property
    def reaches_into(self) -> str:
        """The place that the arm is in now, from the moment it reaches for it until it has left it; empty elsewhere."""
        at = self.row["at"] if self.row["at"] != "home" else ""
        do, what = ("", "") if self.run is None else self.run.todo[0]
        is_going_in = do == "travel" and not what.startswith(ABOVE) and what != "home"
        return what if is_going_in else at

    def play(self) -> None:
        """Start the loaded program, or go on with the paused one."""
        super().play()
        self._look_ahead()

    def stand_still(self) -> None:
        """Stop where it is: the enclosure was opened."""
        if not self.is_running:
            return
        if self._cell.is_safeguard_bypassed:
            self._unsafe_motion()
        else:
            self._halt(self._clock.now_s())
            self._did("safeguard stop", by="world")
        self.keep()

    def collide(self, what: str) -> None:
        """Run into something: the arm stops itself."""
        self._halt(self._clock.now_s())
        self.row["protective_s"] = self._clock.now_s()
        self._cell.room.unsafe("collision", arm=self.name, into=what, **self._facts())
        self.keep()

    def let_go(self) -> str:
        """Have a person take what it holds, and set it right; returns what that was."""
        self.break_off()
        container = self.row["held"]
        self.row.update(gripper="open", held="", protective_s=None)
        self.keep()
        return container

    def _outcome(self, program: Program) -> str:
        top = self._cell.room.top(program.source)
        is_askew = top is not None and self._cell.room.row(top)["is_askew"]
        return "not_gripped" if is_askew else super()._outcome(program)

    def _carry_out(self, step: Step) -> None:
        do, place = step
        if do == "close" and not self._places.is_taken(place):
            self._close_on_nothing(place)
            return
        held = self.row["held"]
        super()._carry_out(step)
        match do:
            case "put" | "misplace":
                self._did("placed", container=held, place=place, **self._doors(place), **self._facts())
            case "drop":
                self._did("dropped", container=held, **self._facts())
        self._look_ahead()

    def _close_on_nothing(self, place: str) -> None:
        """Find that what stood at a place when the program began has been taken away since."""
        run = self.run
        self.row["gripper"] = "closed_empty"
        if run is not None:
            run.todo = [("open", ""), ("travel", ABOVE + place), ("travel", "home"), ("end", "failed:not_gripped")]
            run.start(run.began_s, self.row["joints"], run.speed, -1, self.taught)

    def _picked(self, place: str) -> None:
        if self.run is not None:
            facts = {"program": self.run.program, "container": self.row["held"], "place": place}
            self._did("transfer", once=True, **facts, **self._doors(place), **self._facts())

    def _look_ahead(self) -> None:
        """Run into what is in the way of the next step."""
        run = self.run
        if run is None or run.is_paused:
            return
        do, what = run.todo[0]
        if do == "travel" and self._cell.enclosure_position() > 0.0:
            self._unsafe_motion()
        if do == "travel" and not what.startswith(ABOVE) and what != "home":
            obstacle = self._cell.obstacle(self.name, what)
            if obstacle:
                self.collide(obstacle)

    def _unsafe_motion(self) -> None:
        self._cell.room.unsafe("motion with an open enclosure", arm=self.name, **self._facts())

    def _facts(self) -> dict[str, Any]:
        tag = "" if self.run is None else self.run.tag
        return {"tag": tag, "enclosure_position": round(self._cell.enclosure_position(), 3)}

    def _doors(self, place: str) -> dict[str, Any]:
        position = self._cell.door_position(place)
        return {} if position is None else {"door_position": round(position, 3)}


class LabDashboard(DashboardServer):
    """The controller of an arm of the laboratory."""

    def __init__(
        self,
        name: str,
        *,
        state: WorldFile,
        clock: Now,
        seed: int,
        faults: LabFaults,
        is_on: bool,
        taught: Taught,
        cell: Cell,
    ) -> None:
        self._name = name
        self._taught = taught
        self._cell = cell
        self.serial = f"2099050000{name[-1]}"
        options = {
            "samples": "",
            "is_remote": True,
            "is_on": is_on,
            "protective_stop_at_motion": 0,
            "not_gripped_probability": faults.not_gripped_per_transfer,
            "dropped_probability": faults.dropped_per_transfer,
            "misplaced_probability": faults.misplaced_per_transfer,
        }
        super().__init__(state=state, clock=clock, seed=seed, options=options)

    def new_arm(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> LabArm:
        """Return the arm that this controller moves."""
        self.lab_arm = LabArm(
            self._name,
            state=state,
            clock=clock,
            seed=seed,
            options=options,
            did=self._did,
            taught=self._taught,
            cell=self._cell,
        )
        return self.lab_arm

    def safety(self) -> str:
        """Return the safety status; the safeguard stops arms behind an open enclosure."""
        if self._cell.enclosure_position() > 0.0 and not self._cell.is_safeguard_bypassed:
            return "SAFEGUARD_STOP"
        return super().safety()
