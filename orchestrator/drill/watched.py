"""Drills: what the guard watches, and what it trips on."""

from __future__ import annotations

import asyncio
from typing import Any

from orchestrator.drill.catalogue import Drill, all_of, noted
from orchestrator.drill.ground import NotOffered, Outcome, Play
from orchestrator.drill.wires import BadWire, WireFault
from orchestrator.guard.predicate import Compare
from orchestrator.guard.settings import GuardSettings
from orchestrator.journey import TOLD
from orchestrator.seams import Seams
from orchestrator.units import Measure

LOWER = 4.0
"""By what the bound of a trip is divided, so that an ordinary run crosses it."""
GONE = WireFault(is_deaf_s=3600.0, hangs_up=True)


def _guard(play: Play) -> GuardSettings:
    """Return the guard of the laboratory.

    Raises:
        NotOffered: It has none.
    """
    guard = play.ground.ready().lab.guard
    if guard is None:
        raise NotOffered("this laboratory has no guard")
    return guard


def _trip(play: Play) -> None:
    for name, trip in _guard(play).trips.items():
        when = trip.when
        if isinstance(when, Compare) and when.op in (">", ">=") and isinstance(when.value, Measure):
            lower = Measure(when.value.value / LOWER, when.value.unit)
            play.start(f"lab.guard.trips.{name}.when={when.operand} {when.op} {lower}")
            play.finish()
            return
    raise NotOffered("its guard trips on nothing that gets too high")


def _blind(play: Play) -> None:
    devices, requests = play.ground.ready().lab.devices, play.ground.undisturbed().requests
    stopped = [device for trip in _guard(play).trips.values() for device in trip.stop]
    instruments = [devices[device].url.rpartition("/")[2] for device in stopped]
    instrument = next((name for name in instruments if requests[name]), None)
    if instrument is None:
        raise NotOffered("its guard stops nothing that acts on a wire of bytes")
    at = max(2, requests[instrument] // 2)

    def between(name: str, peer: Any) -> Any:
        if name != instrument or play.struck_s is not None:
            return peer
        return BadWire(peer, GONE, at=at, struck=lambda: play.strike(asyncio.get_running_loop().time()))

    play.start(seams=Seams(peer=between))
    play.finish()


def _all_released(outcome: Outcome) -> str:
    """Whatever was latched must have been acknowledged by somebody."""
    told = [event.body for event in outcome.of(TOLD)]
    latched = [body["facts"]["trip"] for body in told if body["kind"] == "tripped"]
    released = [body["facts"]["trip"] for body in told if body["kind"] == "acknowledged"]
    if not latched:
        return "the guard did not trip"
    return "" if sorted(latched) == sorted(released) else f"tripped: {latched}; acknowledged: {released}"


DRILLS = (
    Drill(
        name="guard-trip",
        fault="a reading of the guard crosses its bound",
        right="the device is stopped and closed, others are used; once a person has acknowledged it is used again",
        act=_trip,
        wrong=all_of(_all_released, noted("the guard tripped", kind="intervention")),
    ),
    Drill(
        name="guard-blind",
        fault="a device that the guard stops says nothing for an hour",
        right="no reading is a no: its trip latches, it is stopped once it answers, and a person looks",
        act=_blind,
        wrong=all_of(_all_released, noted("stale", kind="intervention")),
    ),
)
