"""The programs of the simulated arm, and how far a running one has come.

A program is a list of steps, ``(do, what)``: ``travel`` to a point, ``close`` and ``open`` the gripper on a place,
``drop`` the sample, ``end`` with a result. What chance decides of a transfer is drawn when it starts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from simulators.chance import generator
from simulators.instruments.arm_motion import ABOVE, DESK, Taught, on_the_way, travel_s

GRIPPER_S = 0.8
END_S = 0.1
Step = tuple[str, str]

_NAME = re.compile(
    r"(?:move_(?P<position>[A-Za-z0-9-]+)|transfer_(?P<source>[A-Za-z0-9-]+)_(?P<to>[A-Za-z0-9-]+))\.urp"
)


@dataclass(frozen=True, slots=True)
class Program:
    """What a program's name says: a move to a position, or a transfer."""

    position: str = ""
    source: str = ""
    destination: str = ""


def program_of(name: str, taught: Taught = DESK) -> Program | None:
    """Return what a program does; None where the controller has no such file."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    if match["position"] is not None:
        return Program(position=match["position"]) if match["position"] in taught.positions else None
    source, destination = match["source"], match["to"]
    return Program(source=source, destination=destination) if taught.can_transfer(source, destination) else None


def move_steps(position: str) -> list[Step]:
    """Return the steps of a move."""
    return [("travel", position), ("end", "done")]


def transfer_steps(program: Program, outcome: str) -> list[Step]:
    """Return the steps of a transfer; outcome: ``done``, ``not_gripped``, ``dropped`` or ``misplaced``."""
    source, destination = program.source, program.destination
    pick: list[Step] = [("travel", ABOVE + source), ("travel", source)]
    if outcome == "not_gripped":
        return [*pick, ("miss", source), ("open", ""), ("travel", ABOVE + source), *_home("failed:not_gripped")]
    pick += [("close", source), ("travel", ABOVE + source)]
    place: list[Step] = [("travel", ABOVE + destination), ("travel", destination)]
    if outcome == "dropped":
        return [*pick, ("drop", ""), *place, ("open", ""), ("travel", ABOVE + destination), *_home("failed:dropped")]
    put = "misplace" if outcome == "misplaced" else "put"
    return [*pick, *place, (put, destination), ("travel", ABOVE + destination), *_home("done")]


def _home(result: str) -> list[Step]:
    return [("travel", "home"), ("end", result)]


def drawn_outcome(seed: int, number: int, options: Mapping[str, Any]) -> str:
    """Draw how the transfer of a number goes."""
    rng = generator(seed, "transfer", number)
    for what in ("not_gripped", "dropped", "misplaced"):
        if rng.random() < options[f"{what}_probability"]:
            return what
    return "done"


@dataclass(slots=True)
class Run:
    """A program that runs, or that is paused: what is still to do, and when each step ends."""

    program: str
    tag: str
    todo: list[Step]
    began_s: float = 0.0
    ends_s: list[float] = field(default_factory=list)
    speed: float = 1.0
    trips: bool = False
    """Whether a protective stop ends the last step that has a time, instead of its end."""
    is_paused: bool = False

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Run:
        """Read a run back from the world's file."""
        return cls(**{**row, "todo": [(do, what) for do, what in row["todo"]]})

    def row(self) -> dict[str, Any]:
        """Return what the world's file keeps."""
        return asdict(self)

    def start(
        self,
        now_s: float,
        joints: Sequence[float],
        speed: float,
        motions_until_trip: int,
        taught: Taught = DESK,
    ) -> None:
        """Give each step its time, from where the arm stands; half-way through the n-th motion the arm trips."""
        self.began_s, self.speed, self.is_paused, self.trips, self.ends_s = now_s, speed, False, False, []
        end_s, here, motions = now_s, tuple(joints), 0
        for do, what in self.todo:
            lasts_s = travel_s(here, taught.joints_of(what), speed) if do == "travel" else _lasts_s(do)
            motions += do == "travel"
            if do == "travel" and motions == motions_until_trip:
                self.ends_s.append(end_s + 0.5 * lasts_s)
                self.trips = True
                return
            end_s += lasts_s
            self.ends_s.append(end_s)
            here = taught.joints_of(what) if do == "travel" else here

    def next_end_s(self) -> float:
        """Return when the present step ends."""
        return self.ends_s[0]

    def step_over(self) -> Step:
        """Take the present step off the list."""
        self.began_s = self.ends_s.pop(0)
        return self.todo.pop(0)

    def joints(self, now_s: float, start: Sequence[float], taught: Taught = DESK) -> tuple[float, ...]:
        """Return where the arm is, having left `start` when the present step began."""
        do, what = self.todo[0]
        if do != "travel":
            return tuple(start)
        return on_the_way(start, taught.joints_of(what), self.speed, now_s - self.began_s)


def _lasts_s(do: str) -> float:
    return {"end": END_S, "drop": 0.0}.get(do, GRIPPER_S)
