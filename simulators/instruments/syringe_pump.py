"""The mechanics of a syringe pump: a plunger of 6,000 increments, a nine-port valve, and the liquid in between.

A program of moves is a timeline with fixed instants, so the state at any time follows from the clock. What liquid went
where is settled when a move is over, or is broken off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from simulators.chance import generator
from simulators.instruments.base import RESOLUTION_S

STROKE = 6000
PORTS = 9
TIP = 8
WASTE = 9
SLOPE_PER_S2 = 17_500.0
"""Increments/s^2, up and down."""
VALVE_S = 0.25
"""To a neighbouring port."""
VALVE_MORE_S = 0.1
"""For each further port."""
INITIALISE_S = 4.0
BACKLASH = 2
"""Increments after a change of direction that move no liquid, beyond those that the pump makes up for."""
VOLUME_SD = 0.003
"""Of a stroke's volume, relative."""

Note = Callable[..., None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One move of a program: ``initialise``, ``valve`` or ``plunger``, with the error that ends it, if one does."""

    kind: str
    start: int
    target: int
    begin_s: float
    end_s: float
    error: int = 0

    def at(self, time_s: float) -> int:
        """Return where plunger or valve is at a time."""
        share = (time_s - self.begin_s) / (self.end_s - self.begin_s) if self.end_s > self.begin_s else 1.0
        return round(self.start + min(max(share, 0.0), 1.0) * (self.target - self.start))


def plunger_s(increments: int, speed: float) -> float:
    """Return the seconds that a stroke takes, with its ramps."""
    return abs(increments) / speed + speed / SLOPE_PER_S2 if increments else 0.0


def valve_s(ports: int) -> float:
    """Return the seconds that the valve takes over so many ports."""
    return VALVE_S + VALVE_MORE_S * (abs(ports) - 1) if ports else 0.0


class Syringe:
    """Plunger, valve, syringe and reservoirs, as plain values in `state`.

    Args:
        state: What `fresh` returned once, changed in place.
        seed: Of the volumetric error.
        note: Told what went where: ``note(what, once=..., reagent=..., ml=..., air_ml=...)``.
    """

    def __init__(self, state: dict[str, Any], *, seed: int, note: Note) -> None:
        self.state = state
        self._seed = seed
        self._note = note

    @staticmethod
    def fresh(*, volume_ml: float, reagents: list[str], filled_ml: float, clogs_after_ml: float) -> dict[str, Any]:
        """Return the state of a pump that has just been switched on."""
        return {
            "volume_ml": volume_ml,
            "reservoirs": {str(port): [name, filled_ml] for port, name in enumerate(reagents, start=1)},
            "clogs_after_ml": clogs_after_ml,
            "is_initialised": False,
            "valve": TIP,
            "plunger": 0,
            "speed": 900.0,
            "moves": [],
            "error": 0,
            "overload": 0,
            "plunger_moves": 0,
            "liquid_ml": 0.0,
            "reagent": "",
            "is_drawn": False,
            "delivered_ml": 0.0,
            "strokes": 0,
        }

    def is_busy(self) -> bool:
        """Say whether a program runs; after `advance`."""
        return bool(self.state["moves"])

    def plunger_at(self, now_s: float) -> int:
        """Return the plunger's position."""
        for move in self._moves("plunger", "initialise"):
            if move.begin_s <= now_s:
                return move.at(now_s)
        return self.state["plunger"]

    def start(self, program: list[tuple[str, int]], now_s: float) -> None:
        """Begin a program of ``(kind, target)``."""
        valve, plunger, begin_s = self.state["valve"], self.state["plunger"], now_s
        moves: list[dict[str, Any]] = []
        for kind, target in program:
            start = valve if kind == "valve" else plunger
            move = self._planned(kind, start, target, valve, begin_s)
            moves.append(asdict(move))
            begin_s = move.end_s
            if move.error:
                break
            valve = target if kind == "valve" else WASTE if kind == "initialise" else valve
            plunger = target if kind == "plunger" else 0 if kind == "initialise" else plunger
        self.state["moves"] = moves

    def _planned(self, kind: str, start: int, target: int, valve: int, begin_s: float) -> Move:
        if kind == "valve":
            return Move(kind=kind, start=start, target=target, begin_s=begin_s, end_s=begin_s + valve_s(target - start))
        if kind == "initialise":
            return Move(kind=kind, start=start, target=0, begin_s=begin_s, end_s=begin_s + INITIALISE_S)
        error = 0
        if target < start and valve == TIP and self.state["clogs_after_ml"] > 0.0:
            open_ml = max(0.0, self.state["clogs_after_ml"] - self.state["delivered_ml"])
            blocked_at = start - int(open_ml / self.state["volume_ml"] * STROKE)
            target, error = (blocked_at, 9) if blocked_at > target else (target, 0)
        end_s = begin_s + plunger_s(target - start, self.state["speed"])
        return Move(kind=kind, start=start, target=target, begin_s=begin_s, end_s=end_s, error=error)

    def advance(self, now_s: float) -> bool:
        """Settle the moves that are over; returns whether there were any."""
        is_changed = False
        while self.state["moves"]:
            move = Move(**self.state["moves"][0])
            if now_s < move.end_s - RESOLUTION_S:
                break
            self.state["moves"].pop(0)
            self._settle(move, move.target)
            is_changed = True
        return is_changed

    def terminate(self, now_s: float) -> None:
        """Stop the plunger where it is; the valve finishes its turn."""
        if not self.state["moves"]:
            return
        move = Move(**self.state["moves"][0])
        self.state["moves"] = self.state["moves"][:1] if move.kind == "valve" else []
        if move.kind == "plunger":
            self._settle(move, move.at(now_s))
        elif move.kind == "initialise":
            self.state["is_initialised"] = False

    def lose_power(self, now_s: float) -> None:
        """Stop dead: the plunger stays, and the pump no longer knows where it is."""
        self.terminate(now_s)
        self.state.update(moves=[], is_initialised=False, error=0, overload=0, speed=900.0)

    def _moves(self, *kinds: str) -> list[Move]:
        moves = [Move(**move) for move in self.state["moves"]]
        return [move for move in moves if move.kind in kinds][::-1]

    def _settle(self, move: Move, reached: int) -> None:
        if move.kind == "valve":
            self.state["valve"] = reached
            return
        if move.kind == "initialise":
            self.state.update(valve=WASTE, is_initialised=True)
        if reached != move.start:
            self.state["plunger_moves"] += 1
            self.state["plunger"] = reached
            self._draw(reached - move.start) if reached > move.start else self._push(move.start, reached)
        if move.error:
            self.state.update(error=move.error, overload=move.error, is_initialised=False, moves=[])

    def _ml(self, increments: int) -> float:
        return increments / STROKE * self.state["volume_ml"]

    def _draw(self, increments: int) -> None:
        reservoir = self.state["reservoirs"].get(str(self.state["valve"]))
        wanted = self._ml(increments)
        got = 0.0 if reservoir is None else min(wanted, reservoir[1])
        if reservoir is not None:
            reservoir[1] -= got
            self.state["reagent"] = reservoir[0]
        self.state["liquid_ml"] += got
        self.state["is_drawn"] = True
        self._note("aspirate", reagent=self.state["reagent"], ml=got, air_ml=wanted - got)

    def _error(self) -> float:
        """Return the relative error of a stroke; waste counts for nothing."""
        if self.state["valve"] != TIP:
            return 0.0
        self.state["strokes"] += 1
        return float(generator(self._seed, "stroke", self.state["strokes"]).normal(0.0, VOLUME_SD))

    def _push(self, start: int, reached: int) -> None:
        share = (start - reached) / start
        moved = self.state["liquid_ml"] * share
        slack = self._ml(BACKLASH) if self.state["is_drawn"] else 0.0
        ml = max(0.0, moved - slack) * (1.0 + self._error())
        air_ml = max(0.0, self._ml(start - reached) - moved)
        self.state.update(liquid_ml=self.state["liquid_ml"] - moved, is_drawn=False)
        if self.state["valve"] == TIP:
            self.state["delivered_ml"] += ml
            self._note("dispense", once=True, reagent=self.state["reagent"], ml=ml, air_ml=air_ml)
        else:
            self._note("empty", reagent=self.state["reagent"], ml=ml, port=self.state["valve"])
