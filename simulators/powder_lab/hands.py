"""What a person can do in the laboratory by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

from simulators.powder_lab import places
from simulators.powder_lab.arms import LabArm
from simulators.powder_lab.doors import BoxDoor, EnclosureDoor
from simulators.powder_lab.dosers import LabDoser
from simulators.powder_lab.people import NotDone
from simulators.powder_lab.room import Room


class Devices(Protocol):
    """What there is to lay hands on."""

    room: Room
    arms: Mapping[str, LabArm]
    dosers: Mapping[str, LabDoser]
    doors: Mapping[str, BoxDoor]
    enclosure: EnclosureDoor
    all_places: frozenset[str]


class LabHands:
    """A person's hands; see `people.Hands`."""

    def __init__(self, devices: Devices) -> None:
        self._lab = devices

    def look(self) -> Mapping[str, Any]:
        """Return places and contents."""
        room = self._lab.room
        named = (*sorted(self._lab.all_places - {places.CHUTE}), places.INSIDE)
        return {
            "places": {place: list(room.at(place)) for place in named if room.at(place)},
            "floor": list(room.at(places.FLOOR)),
            "away": list(room.at(places.AWAY)),
            "arms": {name: room.top(name) for name in self._lab.arms},
            "askew": [one for place in named for one in room.at(place) if room.row(one)["is_askew"]],
            "magazine": room.left,
            "stock_mg": {doser.material: round(doser.left_mg, 1) for doser in self._lab.dosers.values()},
            "clogged": [name for name, doser in self._lab.dosers.items() if doser.is_clogged],
            "jammed": [name for name, door in self._lab.doors.items() if door.is_jammed()],
        }

    def restock(self, material: str, mass_mg: float) -> str:
        """Change a cartridge for one with so much in it."""
        if not (math.isfinite(mass_mg) and mass_mg > 0.0):
            raise NotDone(f"a cartridge holds more than 0 mg, not {mass_mg:g}")
        for name, doser in self._lab.dosers.items():
            if doser.material == material:
                doser.refill(mass_mg)
                return f"the cartridge of {name} holds {mass_mg:g} mg"
        raise NotDone(f"no doser holds {material}")

    def fill_magazine(self, number: int) -> str:
        """Put fresh crucibles into the magazine."""
        if number < 1:
            raise NotDone(f"{number} crucibles are none")
        return f"{self._lab.room.fill(number)} added, {self._lab.room.left} are there"

    def clear_floor(self) -> str:
        """Sweep up what has fallen."""
        self._check_still()
        fallen = self._lab.room.at(places.FLOOR)
        for container in fallen:
            self._lab.room.move(container, places.AWAY)
            self._lab.room.happened("taken", by="person", container=container, place=places.AWAY)
        return f"{len(fallen)} swept up"

    def free(self, device: str) -> str:
        """Set a door, a doser or an arm free; what an arm held is taken away."""
        if device in self._lab.doors:
            self._lab.doors[device].free()
        elif device in self._lab.dosers:
            self._lab.dosers[device].unclog()
        elif device in self._lab.arms:
            return self._free_arm(device)
        else:
            raise NotDone(f"{device} is no door, doser or arm")
        return f"{device} is free"

    def _free_arm(self, name: str) -> str:
        self._check_still()
        container = self._lab.arms[name].let_go()
        if not container:
            return f"{name} is free"
        self._take(container)
        return f"{name} is free; {container} was taken away"

    def take(self, place: str) -> str:
        """Take a container away."""
        self._check_still()
        container = self._lab.room.top(place) if place in {*self._lab.all_places, places.FLOOR} else None
        if container is None or place == places.CHUTE:
            raise NotDone(f"nothing stands at {place}")
        self._take(container)
        return f"{container} was taken away"

    def _take(self, container: str) -> None:
        self._lab.room.move(container, places.AWAY)
        self._lab.room.happened("taken", by="person", container=container, place=places.AWAY)

    def put(self, container: str, place: str) -> str:
        """Put a container that was taken away at a place."""
        self._check_still()
        room = self._lab.room
        if not room.knows(container) or room.row(container)["at"] != places.AWAY:
            raise NotDone(f"nobody has {container} in hand")
        if place not in self._lab.all_places:
            raise NotDone(f"there is no place {place}")
        if room.is_taken(place):
            raise NotDone(f"{room.top(place)} stands at {place}")
        room.move(container, place)
        room.happened("put", by="person", container=container, place=place)
        return f"{container} stands at {place}"

    def straighten(self, place: str) -> str:
        """Set straight what stands askew."""
        self._check_still()
        container = self._lab.room.top(place)
        if container is None:
            raise NotDone(f"nothing stands at {place}")
        self._lab.room.note(container, is_askew=False)
        return f"{container} stands straight"

    def enclosure(self, target: str) -> str:
        """Open or close the enclosure."""
        self._lab.enclosure.by_hand(target)
        return f"the enclosure is on its way to {target}"

    def _check_still(self) -> None:
        moving = [name for name, arm in self._lab.arms.items() if arm.is_running]
        if moving:
            raise NotDone(f"{moving[0]} is moving")
