"""A simulated door with interlocks behind an HTTP and JSON interface.

    PUT /door {"target": "open"}  ->  {"state": "opening", "target": "open", "position_percent": 0.0,
                                       "remaining_s": 4.0, "is_obstructed": false, "age_s": 0.02}
    GET /door                     ->  the same
    GET /interlocks               ->  {"interlocks": [{"name": "furnace_cold", "holds": true,
                                       "reason": "25 Cel is below 60 Cel", "age_s": 0.02}, ...]}

Targets are ``open``, ``closed``, ``hold`` (stop) and ``home`` (close slowly onto the end switch). The resources are a
convention of labpilot. The door takes 4 s for its way, stops before a person, may jam half-way, and after a loss of
power does not know where it is until it has been homed. A refusal has status 409.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from simulators.chance import generator
from simulators.instruments.base import RESOLUTION_S, Now
from simulators.instruments.http import HttpInstrument, Refused
from simulators.solo import Solo
from simulators.world import Instrument, WorldFile

IDENTITY = {"maker": "labpilot", "model": "DR-1", "serial": "D0017", "firmware": "2.0"}
TRAVEL_S = 4.0
HOME_TRAVEL_S = 8.0
SAMPLE_S = 0.1
COLD_C = 60.0
HOT_C = 800.0
TARGETS = ("open", "closed", "hold", "home")


class Door(HttpInstrument):
    """The simulated door; its key in the world's file is ``door``.

    Args:
        state: The world's file.
        clock: The time.
        seed: Of when and where it jams.
        options: As in `DoorStation.DEFAULTS`.
    """

    has_front_panel = True
    identity: Mapping[str, str] = IDENTITY
    forbidden_by: Mapping[str, tuple[str, ...]] = {
        "open": ("furnace_cold",),
        "closed": ("nobody_in_the_way",),
        "home": ("nobody_in_the_way",),
    }
    """Interlocks that forbid a target, by target."""

    def __init__(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> None:
        super().__init__(state=state, clock=clock)
        self._seed = seed
        self._options = options
        self._began_s = float(state.get("world")["began_s"])
        new = {
            "is_homed": True,
            "is_jammed": False,
            "target": "closed",
            "start": 0.0,
            "aim": 0.0,
            "begin_s": self._began_s,
            "full_s": TRAVEL_S,
            "jams_at": None,
            "travels": 0,
        }
        self._door: dict[str, Any] = state.get("door", new)

    def position(self, time_s: float) -> float:
        """Return where the door truly is: 0 is closed, 1 is open."""
        door = self._door
        share = (min(time_s, self._halt_s()) - door["begin_s"]) / door["full_s"]
        way = door["aim"] - door["start"]
        return door["start"] + math.copysign(min(abs(way), max(0.0, share)), way) if way else door["start"]

    def carry_out(self, method: str, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do what a request asks for."""
        self._settle_door()
        match method, path:
            case "GET", "/identity":
                return self.identity
            case "GET", "/door":
                return self._status()
            case "GET", "/interlocks":
                return {"interlocks": self._interlocks()}
            case "PUT", "/door":
                self._put(body.get("target"))
                return self._status()
        raise Refused(405 if path in ("/identity", "/door", "/interlocks") else 404, f"there is no {method} {path}")

    def restart(self) -> None:
        """Lose power: the door stops where it is, and no longer knows where that is."""
        super().restart()
        self._settle_door()
        self._hold(is_homed=False, target="hold")

    def front_panel(self) -> None:
        """Let somebody free the door, and press its button: it turns round."""
        self._settle_door()
        self._door["is_jammed"] = False
        self._go("open" if self._door["aim"] < 0.5 else "closed", full_s=TRAVEL_S)

    def _halt_s(self) -> float:
        """Return when this way ends: at its aim, where it jams, or before a person."""
        door = self._door
        ends = [door["begin_s"] + abs(door["aim"] - door["start"]) * door["full_s"]]
        if door["jams_at"] is not None:
            ends.append(door["begin_s"] + abs(door["jams_at"] - door["start"]) * door["full_s"])
        comes_s, goes_s = self._person_s()
        if door["aim"] < door["start"] and comes_s < goes_s and goes_s > door["begin_s"]:
            ends.append(max(comes_s, door["begin_s"]))
        return min(ends)

    def _settle_door(self) -> None:
        """Note how a way that is over ended."""
        door, now_s = self._door, self._clock.now_s()
        halt_s = self._halt_s()
        if door["start"] == door["aim"] or now_s < halt_s - RESOLUTION_S:
            return
        reached = self.position(halt_s)
        has_jammed = door["jams_at"] is not None and abs(reached - door["jams_at"]) < RESOLUTION_S
        is_there = abs(reached - door["aim"]) < RESOLUTION_S
        reached = door["aim"] if is_there else reached
        self._hold(at=reached, is_jammed=has_jammed, is_homed=door["is_homed"] or (is_there and reached == 0.0))

    def _put(self, target: Any) -> None:
        if target not in TARGETS:
            raise Refused(422, f"a target is one of {', '.join(TARGETS)}, not {target!r}")
        if target == "hold":
            self._hold(target="hold")
            return
        if self._door["is_jammed"]:
            raise Refused(409, "the door is jammed")
        if target != "home" and not self._door["is_homed"]:
            raise Refused(409, "the position is unknown; home first")
        for lock in self._interlocks():
            if not lock["holds"] and lock["name"] in self.forbidden_by[target]:
                raise Refused(409, f"interlock {lock['name']}: {lock['reason']}")
        self._go(target, full_s=HOME_TRAVEL_S if target == "home" and not self._door["is_homed"] else TRAVEL_S)

    def _go(self, target: str, *, full_s: float) -> None:
        door, now_s = self._door, self._clock.now_s()
        here, aim = self.position(now_s), 1.0 if target == "open" else 0.0
        if door["aim"] == aim and door["start"] != aim and door["full_s"] == full_s:
            self._write(target=target)  # on its way there already
            return
        if here == aim and target == "home":
            self._hold(at=here, target=target, is_homed=True)  # on the end switch already
            return
        travels = door["travels"] + 1
        chance = generator(self._seed, "jam", travels)
        jams = here != aim and chance.random() < float(self._options["jam_probability"])
        jams_at = here + (aim - here) * chance.uniform(0.1, 0.9) if jams else None
        self._write(target=target, start=here, aim=aim, begin_s=now_s, full_s=full_s, jams_at=jams_at, travels=travels)
        if here != aim:
            self._did("door", target=target)

    def _hold(self, *, at: float | None = None, **changes: Any) -> None:
        here = self.position(self._clock.now_s()) if at is None else at
        if here != self._door["aim"] and changes.get("target") == "hold":
            self._did("door", target="hold")
        self._write(start=here, aim=here, begin_s=self._clock.now_s(), jams_at=None, **changes)

    def _write(self, **changes: Any) -> None:
        self._door = {**self._door, **changes}
        self._state.put(door=self._door)

    def _status(self) -> Mapping[str, Any]:
        now_s = self._clock.now_s()
        age_s = self._age_s(now_s)
        is_known = self._door["is_homed"]
        return {
            "state": self._state_word(),
            "target": self._door["target"],
            "position_percent": round(100.0 * self.position(now_s), 1) if is_known else None,
            "remaining_s": round(self._remaining_s(self._halt_s()), 6) if self._is_moving() else 0.0,
            "is_obstructed": self._is_person_there(now_s),
            "age_s": age_s,
        }

    def _state_word(self) -> str:
        door = self._door
        if door["is_jammed"]:
            return "jammed"
        if self._is_moving():
            return "opening" if door["aim"] > door["start"] else "closing"
        if not door["is_homed"]:
            return "unknown"
        return {0.0: "closed", 1.0: "open"}.get(door["start"], "stopped")

    def _is_moving(self) -> bool:
        return self._door["start"] != self._door["aim"]

    def _interlocks(self) -> list[dict[str, Any]]:
        hot_s = float(self._options["furnace_hot_until_s"])
        furnace_c = HOT_C if self._clock.now_s() - self._began_s < hot_s else 25.0
        return [self._furnace_cold(furnace_c, COLD_C), self._nobody_in_the_way()]

    def _furnace_cold(self, furnace_c: float, limit_c: float) -> dict[str, Any]:
        is_cold = furnace_c < limit_c
        reason = f"{furnace_c:g} Cel is {'below' if is_cold else 'above'} {limit_c:g} Cel"
        return self._lock("furnace_cold", is_cold, reason)

    def _nobody_in_the_way(self) -> dict[str, Any]:
        is_free = not self._is_person_there(self._clock.now_s())
        reason = "the light curtain is free" if is_free else "somebody stands in the door"
        return self._lock("nobody_in_the_way", is_free, reason)

    def _lock(self, name: str, holds: bool, reason: str) -> dict[str, Any]:
        return {"name": name, "holds": holds, "reason": reason, "age_s": self._age_s(self._clock.now_s())}

    def _person_s(self) -> tuple[float, float]:
        comes_s, goes_s = float(self._options["person_comes_at_s"]), float(self._options["person_goes_at_s"])
        return self._began_s + comes_s, self._began_s + goes_s

    def _is_person_there(self, now_s: float) -> bool:
        comes_s, goes_s = self._person_s()
        return comes_s <= now_s < goes_s

    def _age_s(self, now_s: float) -> float:
        dies_s = float(self._options["sensor_dies_at_s"])
        seen_s = min(now_s, self._began_s + dies_s) if dies_s else now_s
        return round(now_s - math.floor(seen_s / SAMPLE_S + 1e-9) * SAMPLE_S, 3)


class DoorStation(Solo):
    """The world around one door."""

    name = "door"
    DEFAULTS = {
        "jam_probability": 0.0,
        "person_comes_at_s": 0.0,
        "person_goes_at_s": 0.0,
        "furnace_hot_until_s": 0.0,
        "sensor_dies_at_s": 0.0,
    }

    def build(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> dict[str, Instrument]:
        """Return the door."""
        self.door = Door(state=state, clock=clock, seed=seed, options=options)
        return {"door": self.door}
