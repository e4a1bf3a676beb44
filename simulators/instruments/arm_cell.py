"""The arm, its gripper and the places around it: what is truly so, and what a program does to it as time goes by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

from simulators.instruments.arm_motion import DESK, Taught
from simulators.instruments.arm_programs import (
    Program,
    Run,
    Step,
    drawn_outcome,
    move_steps,
    program_of,
    transfer_steps,
)
from simulators.instruments.base import RESOLUTION_S, Now
from simulators.world import WorldFile

GRIPPER_MOVES = ("close", "miss", "open", "put", "misplace")


class Did(Protocol):
    """Notes for checkers that an action was carried out."""

    def __call__(self, what: str, *, once: bool = False, **facts: Any) -> None:
        """Note it."""
        ...


class Places(Protocol):
    """What lies where the arm reaches."""

    def is_taken(self, place: str) -> bool:
        """Say what the sensor at a place says: whether something lies there."""
        ...

    def pick(self, place: str) -> str:
        """Take away what lies at a place, and return its name."""
        ...

    def put(self, place: str, what: str, *, is_askew: bool) -> None:
        """Put something down."""
        ...

    def drop(self, what: str) -> None:
        """Let something fall to the floor."""
        ...


class OwnPlaces:
    """Places that one arm alone reaches; they live in its row."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    def is_taken(self, place: str) -> bool:
        """Say whether something lies at a place."""
        return place in self._arm.row["places"]

    def pick(self, place: str) -> str:
        """Take away what lies at a place."""
        return self._arm.row["places"].pop(place)

    def put(self, place: str, what: str, *, is_askew: bool) -> None:
        """Put something down."""
        self._arm.row["places"][place] = what
        self._arm.row["misplaced"] += [what] if is_askew else []

    def drop(self, what: str) -> None:
        """Let something fall to the floor."""
        self._arm.row["floor"].append(what)


class Arm:
    """The arm; its keys in the world's file are ``arm`` and ``result/TAG``.

    Args:
        state: The world's file.
        clock: The time.
        seed: Of what chance decides.
        options: Of the world.
        did: Where actions are noted.
        taught: Where it can go.
        places: What lies there; by default the places are its own.
    """

    def __init__(
        self,
        *,
        state: WorldFile,
        clock: Now,
        seed: int,
        options: Mapping[str, Any],
        did: Did,
        taught: Taught = DESK,
        places: Places | None = None,
    ) -> None:
        self._state = state
        self._clock = clock
        self._seed = seed
        self._options = options
        self._did = did
        self.taught = taught
        self.row: dict[str, Any] = state.get("arm") or _new(options["samples"], taught)
        self._places = OwnPlaces(self) if places is None else places
        self.run = Run.of(self.row["run"]) if self.row["run"] else None

    @property
    def due_s(self) -> float:
        """When the next step of a program is over; never, where none runs."""
        return self.run.ends_s[0] if self.run is not None and not self.run.is_paused else math.inf

    @property
    def is_running(self) -> bool:
        """Whether a program runs and is not paused."""
        return self.run is not None and not self.run.is_paused

    @property
    def grip(self) -> str:
        """What the gripper feels: ``open``, ``holding``, ``closed_empty`` or ``moving``."""
        is_moving = self.run is not None and self.is_running and self.run.todo[0][0] in GRIPPER_MOVES
        return "moving" if is_moving else self.row["gripper"]

    def keep(self) -> None:
        """Write the world's file, where anything has changed."""
        row = {**self.row, "run": None if self.run is None else self.run.row()}
        if row != self._state.get("arm"):
            self._state.put(arm=row)
        self.row = row

    def result(self, tag: str) -> tuple[str, str]:
        """Return the program that a tag was given to, and what became of it."""
        if self.run is not None and self.run.tag == tag:
            return self.run.program, "paused" if self.run.is_paused else "running"
        program, result = self._state.get(f"result/{tag}", ["-", "unknown"])
        return program, result

    def load(self, name: str) -> None:
        """Put a program in the place of the loaded one; a paused one is given up, an order is forgotten."""
        self.break_off()
        self.row.update(loaded=name, order=None)

    def order(self, tag: str) -> str:
        """Give the loaded program its tag; returns why not, if so."""
        if self.result(tag)[1] == "done":
            return "done"
        if self.run is not None:
            return "busy"
        self.row["order"] = tag
        return ""

    def play(self) -> None:
        """Start the loaded program, or go on with the paused one."""
        program = program_of(self.row["loaded"], self.taught)
        if self.run is None and program is not None:
            tag, self.row["order"] = self.row["order"] or "", None
            steps = move_steps(program.position) if program.position else self._transfer(program, tag)
            self.run = Run(program=self.row["loaded"], tag=tag, todo=steps)
        if self.run is not None:
            until_trip = self._options["protective_stop_at_motion"] - self.row["motions"]
            self.run.start(self._clock.now_s(), self.row["joints"], self.row["speed"], until_trip, self.taught)
            if len(self.run.todo) > 1 and not self.run.tag:
                self._did("move", program=self.run.program)

    def pause(self) -> None:
        """Hold the arm where it is."""
        self._halt(self._clock.now_s())

    def break_off(self) -> bool:
        """End a program before its time; says whether there was one."""
        run = self.run
        if run is None:
            return False
        if not run.is_paused:
            self._halt(self._clock.now_s())
        self._end("stopped")
        return True

    def advance(self) -> None:
        """Carry out what has become due."""
        now_s = self._clock.now_s()
        while self.run is not None and not self.run.is_paused and self.run.ends_s[0] <= now_s + RESOLUTION_S:
            end_s = self.run.ends_s[0]
            if self.run.trips and len(self.run.ends_s) == 1:
                self._halt(end_s)
                self.row["motions"] += 1
                self.row["protective_s"] = end_s
            else:
                self._carry_out(self.run.step_over())

    def _transfer(self, program: Program, tag: str) -> list[Step]:
        problem = self._objection(program, tag)
        if problem:
            return [("end", f"refused:{problem}")]
        self.row["transfers"] += 1
        return transfer_steps(program, self._outcome(program))

    def _outcome(self, program: Program) -> str:
        """Return how a transfer is going to end; see `drawn_outcome`."""
        return drawn_outcome(self._seed, self.row["transfers"], self._options)

    def _objection(self, program: Program, tag: str) -> str:
        """Say why a transfer ends before it moves: what the sensors at the places and in the gripper tell it."""
        if not tag:
            return "no_order"
        if self.row["gripper"] != "open":
            return "gripper_not_open"
        if not self._places.is_taken(program.source):
            return "source_empty"
        return "destination_occupied" if self._places.is_taken(program.destination) else ""

    def _halt(self, now_s: float) -> None:
        if self.run is None:
            return
        joints = self.run.joints(now_s, self.row["joints"], self.taught)
        if list(joints) != list(self.row["joints"]):
            self.row.update(joints=list(joints), at="")
        self.run.is_paused = True

    def _end(self, result: str) -> None:
        if self.run is not None and self.run.tag:
            self._state.update({f"result/{self.run.tag}": [self.run.program, result]})
        self.row["seq"] += 1
        self.run = None

    def _carry_out(self, step: Step) -> None:
        row = self.row
        match step:
            case ("travel", what):
                at = "" if what.startswith("above:") else what
                row.update(joints=list(self.taught.joints_of(what)), at=at, motions=row["motions"] + 1)
            case ("close", place):
                row.update(gripper="holding", held=self._places.pick(place))
                self._picked(place)
            case ("miss", _):
                row["gripper"] = "closed_empty"
            case ("drop", _):
                self._places.drop(row["held"])
                row.update(gripper="closed_empty", held="")
            case ("put" | "misplace" as do, place):
                self._places.put(place, row["held"], is_askew=do == "misplace")
                row.update(gripper="open", held="")
            case ("open", _):
                row["gripper"] = "open"
            case (_, result):
                self._end(result)

    def _picked(self, place: str) -> None:
        """Note that something was picked up."""
        if self.run is not None:
            self._did("transfer", once=True, tag=self.run.tag, program=self.run.program)


def _new(samples: str, taught: Taught) -> dict[str, Any]:
    return {
        "power_s": None,
        "brakes_s": None,
        "protective_s": None,
        "loaded": "",
        "order": None,
        "run": None,
        "joints": list(taught.joints_of("home")),
        "at": "home",
        "seq": 0,
        "motions": 0,
        "transfers": 0,
        "speed": 1.0,
        "gripper": "open",
        "held": "",
        "places": {place: f"sample-{place}" for place in samples.split(",") if place},
        "misplaced": [],
        "floor": [],
    }
