"""The guard as a task of the campaign, in virtual time: it shares the laboratory's drivers, and nobody beats."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from drivers.clock import Clock
from orchestrator.guard.answers import Answer, Event
from orchestrator.guard.core import Guard, Refused
from orchestrator.guard.making_safe import Reconnect
from orchestrator.guard.messages import event_row
from orchestrator.guard.rules import Rules

EVERY_AT_LEAST_S = 300.0
"""A simulated guard of weeks reads this often at most; what an interlock needs is read when it is asked."""
_LATCHING = ("tripped", "acknowledged")


@dataclass(slots=True, kw_only=True)
class GuardTask:
    """A guard beside a simulated campaign.

    Args:
        rules: What it goes by.
        drivers: The devices of the laboratory, by name.
        reconnect: Opens the link of a device after it was lost.
        clock: The time.
        latched: Trips that were latched when the controller before this one ended, with their reason.
        on_event: Hears what the guard tells.
        on_latched: Hears which trips are latched, with their reason, whenever that changes.
    """

    rules: Rules
    drivers: dict[str, Any]
    reconnect: Reconnect
    clock: Clock
    latched: Mapping[str, str]
    on_event: Callable[[Mapping[str, Any]], None]
    on_latched: Callable[[Mapping[str, str]], None]
    guard: Guard = field(init=False)

    def __post_init__(self) -> None:
        self.guard = Guard(
            self.rules.slowed(EVERY_AT_LEAST_S),
            self.drivers,
            self.clock,
            reconnect=self.reconnect,
            latched=self.latched,
            on_event=self._told,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Guard while this is entered."""
        async with self.guard.running():
            self.on_latched(self.guard.board.latched_now)
            yield

    async def check(self, device: str, command: str, arguments: Mapping[str, Any], *, epoch: int = 0) -> Answer:
        """Say whether a command may be given now."""
        return await self.guard.check(device, command, arguments, epoch=epoch)

    async def acknowledge(self, trip: str, *, who: str, reason: str) -> str:
        """Release a latched trip; returns why that was refused, or nothing."""
        try:
            self.guard.acknowledge(trip, who=who, reason=reason)
        except Refused as refused:
            return str(refused)
        return ""

    def _told(self, event: Event) -> None:
        self.on_event({**event_row(event), "run": ""})
        if event.kind in _LATCHING:
            self.on_latched(self.guard.board.latched_now)
