"""The places of the laboratory, and what each arm was taught."""

from __future__ import annotations

from simulators.instruments.arm_motion import POSITIONS, Taught

MAGAZINE, DOSING, MILL, BRIDGE, CHUTE, GRINDER = "magazine", "dosing", "mill", "bridge", "chute", "grinder"
FLOOR, AWAY, INSIDE = "floor", "away", "inside"
"""Where a container can be besides: fallen down, taken by a person, in the diffractometer's measuring position."""
BOXES = ("box-1", "box-2", "box-3", "box-4")
SLOTS = 8
CHANGER = tuple(f"xrd-{number}" for number in range(1, 7))
ARMS = ("arm-1", "arm-2")
COUNTLESS = (CHUTE, FLOOR, AWAY)
"""Where any number of containers can be."""


def home_names(homes: int) -> tuple[str, ...]:
    """Return the names of the home places."""
    return tuple(f"home-{number:02d}" for number in range(1, homes + 1))


def slots_of(box: str) -> tuple[str, ...]:
    """Return the places of a furnace."""
    return tuple(f"{box}-{number}" for number in range(1, SLOTS + 1))


BOX_OF = {place: box for box in BOXES for place in slots_of(box)}
"""The furnace that a place is in."""


def reach(homes: int) -> dict[str, tuple[str, ...]]:
    """Return the places that each arm reaches."""
    return {
        "arm-1": (*home_names(homes), MAGAZINE, DOSING, MILL, BRIDGE, CHUTE),
        "arm-2": (BRIDGE, *BOX_OF, GRINDER, *CHANGER),
    }


def all_places(homes: int) -> frozenset[str]:
    """Return every place that a container can be put down at."""
    return frozenset(place for places in reach(homes).values() for place in places) - {MAGAZINE}


def taught(places: tuple[str, ...]) -> Taught:
    """Return positions for places: all around the arm, each a little different."""
    positions = {"home": POSITIONS["home"]}
    for number, place in enumerate(places):
        base = -150.0 + 300.0 * number / max(1, len(places) - 1)
        positions[place] = (base, -60.0 + number % 7, 100.0 - number % 5, -130.0, -90.0, base)
    return Taught(positions=positions, only_from=frozenset({MAGAZINE}), only_to=frozenset({CHUTE}))
