"""Drills: devices, and the wires to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from orchestrator.drill.catalogue import Drill, all_of, at_most_lost, no_hand, none_lost
from orchestrator.drill.ground import NotOffered, Outcome, Play
from orchestrator.drill.wires import BadWire, WireFault
from orchestrator.seams import Seams


def _with(fault: WireFault) -> Callable[[Play], None]:
    def act(play: Play) -> None:
        instrument = play.ground.busiest()
        at = max(2, play.ground.undisturbed().requests[instrument] // 2)

        def between(name: str, peer: Any) -> Any:
            if name != instrument or play.struck_s is not None:
                return peer
            if fault.restarts and not hasattr(peer, "restart"):
                raise NotOffered(f"{name} cannot be restarted")
            return BadWire(peer, fault, at=at, struck=lambda: play.strike(asyncio.get_running_loop().time()))

        play.start(seams=Seams(peer=between))
        play.finish()

    return act


def _struck(outcome: Outcome) -> str:
    return "" if outcome.struck_s is not None else "the fault never struck"


_DRILLS: tuple[tuple[str, str, str, WireFault, Callable[[Outcome], str]], ...] = (
    (
        "lost-request",
        "a command never reaches its device",
        "it is sent again, at once where nothing can have happened",
        WireFault(loses_request=True),
        all_of(none_lost, no_hand),
    ),
    (
        "lost-reply",
        "a device does it, and its reply never comes (timeout)",
        "the outcome is read back before anything is sent again",
        WireFault(loses_reply=True),
        all_of(at_most_lost(1)),
    ),
    (
        "garbage",
        "a reply is damaged",
        "it is not believed; what was done is found out",
        WireFault(damages_reply=True),
        all_of(at_most_lost(1)),
    ),
    (
        "late-reply",
        "a reply comes long after its deadline",
        "it is never taken for the answer to the next question",
        WireFault(late_s=8.0),
        all_of(at_most_lost(1)),
    ),
    (
        "double-reply",
        "a reply comes twice",
        "the second one answers nothing",
        WireFault(repeats_reply=True),
        all_of(none_lost, no_hand),
    ),
    (
        "double-command",
        "a command is delivered twice",
        "the device does it once, or the campaign finds out what it did",
        WireFault(repeats_request=True),
        all_of(at_most_lost(1)),
    ),
    (
        "unplugged",
        "the connection ends right after a command (unplugged)",
        "it is opened again, the device identified, what it did read back",
        WireFault(loses_reply=True, hangs_up=True),
        all_of(at_most_lost(1)),
    ),
    (
        "restart",
        "a device restarts and forgets its settings",
        "what it was set to is set again before anything relies on it",
        WireFault(restarts=True, hangs_up=True),
        all_of(at_most_lost(1)),
    ),
    (
        "hang",
        "a device says nothing for ten minutes",
        "retries with pauses, then its trial is given up; no other is lost",
        WireFault(is_deaf_s=600.0),
        all_of(at_most_lost(2)),
    ),
    (
        "gone-for-an-hour",
        "an instrument's computer is gone for an hour",
        "what needs it is lost or waits, everything is finished once it is back",
        WireFault(is_deaf_s=3600.0, hangs_up=True),
        all_of(at_most_lost(4)),
    ),
)

DRILLS = tuple(
    Drill(name=name, fault=fault, right=right, act=_with(wire), wrong=all_of(_struck, wrong))
    for name, fault, right, wire, wrong in _DRILLS
)
