"""Trips, as a campaign sees them: what the guard tells is journalled, and a person sees to what is latched."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.attention import Attendant, Attention
from orchestrator.errors import StorageError
from orchestrator.guard.guard_log import Standing
from orchestrator.journal import Journal
from orchestrator.journey import TOLD, Doubt
from orchestrator.people.attendant import InDoubt
from orchestrator.people.desk import Desk
from orchestrator.people.questions import Answer

log = logging.getLogger(__name__)

TRIP = "trip"
"""The kind of what is in doubt while a trip is latched."""


def heard_of(bodies: Sequence[Mapping[str, Any]]) -> tuple[str, int]:
    """Return the guard's run, and the number of its event that was journalled last."""
    return next(((str(one["run"]), int(one["number"])) for one in reversed(bodies) if one["run"]), ("", 0))


def latched_of(bodies: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the trips that are latched, with their reason, after everything that a guard told."""
    standing = Standing()
    for body in bodies:
        standing.fold(body)
    return standing.latched


@dataclass(slots=True, kw_only=True)
class Trips:
    """Has people see to trips.

    Args:
        journal: Where everything that the guard tells goes.
        desk: Where people are asked.
        attendant: Who asks them there.
        devices: What each trip stops, by its name.
        epoch: This controller's.
    """

    journal: Journal
    desk: Desk
    attendant: Attendant
    devices: Callable[[str], tuple[str, ...]]
    epoch: int
    acknowledge: Callable[..., Awaitable[str]] | None = None
    """Releases a trip in somebody's name; returns why that was refused, or nothing."""
    _attention: Attention | None = None
    _is_open: bool = False
    _latched: dict[str, str] = field(default_factory=dict)
    _asking: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    """By trip, in a laboratory where nothing can be closed."""
    _releasing: set[str] = field(default_factory=set)
    _n_asked: int = 0

    def open_for(self, attention: Attention | None) -> None:
        """Ask about trips from now on.

        attention: what closes devices until somebody has looked, where there is that.
        """
        self._attention, self._is_open = attention, True
        if attention is None:
            self._withdraw_old()
        self._reconcile()

    def told(self, event: Mapping[str, Any]) -> None:
        """Journal what the guard told.

        Raises:
            StorageError: The journal could not be written.
        """
        body = {key: event[key] for key in ("kind", "text", "is_alarm", "facts", "run", "number")}
        told = self.journal.append(TOLD, body, durable=event["is_alarm"])
        if self._attention is not None:
            self._attention.where.apply(told)
        if event["is_alarm"] and event["kind"] != "tripped":  # a person is asked about a trip, and that counts
            device = str(event["facts"].get("device", ""))
            is_new = event["kind"] == "not_safe" and device not in self._awaited
            kind = "intervention" if is_new else "fault"
            body = {"kind": kind, "device": device, "text": f"guard: {event['text']}"}
            self.journal.append("incident", body, durable=True)

    def latched(self, latched: Mapping[str, str]) -> None:
        """Have a person see to each trip that is latched, and to none that is no more."""
        if dict(latched) != self._latched:
            self._latched = dict(latched)
            self._reconcile()

    async def confirmed(self, doubt: InDoubt, answer: Answer) -> str:
        """Release the trip that a person has seen to; returns why that was refused, or nothing."""
        if doubt.kind != TRIP or self.acknowledge is None:
            return ""
        trip = str(doubt.facts["trip"])
        self._releasing.add(trip)
        try:
            why = await self.acknowledge(trip, who=answer.who, reason=answer.reason or str(answer))
        finally:
            self._releasing.discard(trip)
        if why and trip not in self._latched:  # somebody was quicker
            return ""
        return why

    async def close(self) -> None:
        """Ask nobody any more."""
        self._is_open = False
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _reconcile(self) -> None:
        if not self._is_open:
            return
        asked = self._asked()
        for trip, reason in self._latched.items():
            if trip not in asked:
                self._ask(trip, reason)
        for trip, doubt in asked.items():
            if trip not in self._latched and trip not in self._releasing:
                self._settle(trip, doubt)

    def _asked(self) -> dict[str, str]:
        """Return the trips that somebody is asked about, with the name of what is in doubt."""
        if self._attention is None:
            return {trip: task.get_name() for trip, task in self._asking.items()}
        doubted = self._attention.where.doubted.values()
        return {str(doubt.facts["trip"]): doubt.name for doubt in doubted if doubt.kind == TRIP}

    def _ask(self, trip: str, reason: str) -> None:
        devices = self.devices(trip)
        names = ", ".join(devices) or "nothing"
        text = f"the guard tripped: {trip} ({reason}); {names} stopped, and takes no command until somebody has looked"
        facts = {"trip": trip, "devices": list(devices)}
        device = devices[0] if len(devices) == 1 else ""
        is_more = set(devices) <= self._awaited
        if self._attention is not None:
            self._attention.raise_(TRIP, text, facts=facts, closed=devices, device=device, is_more=is_more)
            return
        self._n_asked += 1
        name = f"trip-{self.epoch:04d}-{self._n_asked}"
        body = {"kind": "fault" if is_more else "intervention", "device": device, "text": text}
        self.journal.append("incident", body, durable=True)
        doubt = Doubt(name=name, kind=TRIP, text=text, closed=devices, facts=facts)
        task = asyncio.get_running_loop().create_task(self._seen_to(doubt), name=name)
        self._asking[trip] = task
        task.add_done_callback(lambda _: self._asking.pop(trip, None))

    @property
    def _awaited(self) -> set[str]:
        """The devices that a person is asked to look at already."""
        return {device for trip in self._asked() for device in self.devices(trip)}

    async def _seen_to(self, doubt: Doubt) -> None:
        try:
            await self.attendant.see_to(doubt)
        except StorageError as error:  # whoever acts next meets it, and ends the campaign
            log.error("not_journalled doubt=%s error=%s", doubt.name, error)

    def _settle(self, trip: str, doubt: str) -> None:
        text = "acknowledged at the guard"
        if self._attention is not None:
            self._attention.settle(doubt, text)
        elif (task := self._asking.get(trip)) is not None:
            task.cancel()
        self.desk.withdraw_about(doubt, text)

    def _withdraw_old(self) -> None:
        """Close the questions of a controller before this one: what is latched still is asked about anew."""
        for asked in self.desk.state.open_questions():
            if asked.question.kind == TRIP:
                self.desk.withdraw(asked.question.key, "asked anew after a restart")
