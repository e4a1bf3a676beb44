"""A small laboratory to guard: driver classes of this house, and devices that a test moves by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from drivers.command import command_specs
from drivers.registry import driver_class
from orchestrator.guard.binding import rules_of
from orchestrator.guard.core import Guard
from orchestrator.guard.settings import GuardSettings

NAMES = {"box-1": "furnace", "door-1": "door", "arm-2": "robot-arm", "shaker": "shaker", "gas": "gas-flow"}
SAFE = {
    "safe": "the heater is off and the furnace cools",
    "takes": "6 h",
    "if_computer_dies": "runs its program to the end and holds the last target",
    "on_controller_loss": "keep",
    "on_guard_loss": "keep",
}
WATCHED = {"every": "1 s", "stale": "5 s"}


def players(names: Mapping[str, str] = NAMES) -> dict[str, Any]:
    """Return the devices of a lab as their classes declare them."""
    found = {}
    for name, driver in names.items():
        kind = driver_class(driver)
        found[name] = SimpleNamespace(driver=kind, specs=command_specs(kind))
    return found


def settings_of(**sections: Any) -> GuardSettings:
    """Return settings as a lab file would give them."""
    return GuardSettings.model_validate(sections)


def rules(**sections: Any):
    """Return bound rules."""
    return rules_of(settings_of(**sections), players())


@dataclass
class HandDevice:
    """A device whose answers a test sets; an exception is raised, "hang" never answers."""

    name: str = "device"
    answers: dict[str, Any] = field(default_factory=dict)
    stops: Any = None
    stopped_at: list[float] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    connects: int = 0
    clock: Any = None

    async def connect(self):
        self.connects += 1
        await self._give(self.answers.get("connect"))

    async def stop(self):
        self.stopped_at.append(self.clock.now_s())
        await self._give(self.stops)

    def __getattr__(self, name):
        if name.startswith("_") or name not in self.answers:
            raise AttributeError(name)

        async def read():
            self.given.append(name)
            return await self._give(self.answers[name])

        return read

    async def _give(self, answer):
        if isinstance(answer, Exception):
            raise answer
        if answer == "hang":
            await asyncio.sleep(1e9)
        return answer


class Bench:
    """A guard in virtual time over devices of a test."""

    def __init__(self, clock, rules, devices, **more):
        self.clock = clock
        self.devices = devices
        for name, device in devices.items():
            device.name, device.clock = name, clock
        self.events = []
        self.guard = Guard(rules, dict(devices), clock, on_event=self.events.append, **more)

    def kinds(self):
        return [event.kind for event in self.events]

    def texts(self, kind):
        return [event.text for event in self.events if event.kind == kind]
