"""The office of a running campaign: the desk, who answers there, what becomes of orders, and who is told of what."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from drivers.clock import Clock
from orchestrator.attention import Attendant, Attention
from orchestrator.check import Ready
from orchestrator.direction import Direction
from orchestrator.errors import InputError, StorageError
from orchestrator.history import History
from orchestrator.journal import Journal
from orchestrator.laboratory import Laboratory
from orchestrator.outcomes import StopSwitch
from orchestrator.people.attendant import SEEN_TO, DeskAttendant, InDoubt
from orchestrator.people.desk import Desk
from orchestrator.people.herald import Herald
from orchestrator.people.intent import Intent
from orchestrator.people.notices import Message
from orchestrator.people.questions import APPROVE, Answer
from orchestrator.people.reading import facts_of
from orchestrator.people.sending import AppriseSender
from orchestrator.people.simulated import Habits, SimulatedPerson
from orchestrator.trips import TRIP, Trips

log = logging.getLogger(__name__)

_DOUBTS = ("lost", "askew", "furnace", "device", "restock", TRIP)
HABITS = Habits(
    choices={"approval": APPROVE, **dict.fromkeys(_DOUBTS, SEEN_TO)},
    median_s=1800.0,
    spread=1.6,
)
"""How a simulated person behaves: half of what is asked is seen to within half an hour, 98 % within 80 minutes."""


class Hands(Protocol):
    """A simulated person's hands in a simulated laboratory: an entry of the group ``labpilot.attendants``."""

    async def see_to(self, kind: str, facts: Mapping[str, Any]) -> str:
        """Do in the world what something that a controller cannot do by itself needs, and say what was done.

        It may be asked for the same again after a kill, and must not mind what it finds done.
        """
        ...


@dataclass(slots=True, kw_only=True)
class Office:
    """People, as far as a running campaign is concerned."""

    task: Ready
    journal: Journal
    clock: Clock
    directory: Path
    laboratory: Laboratory
    stop: StopSwitch
    history: History
    abort: Callable[[str], None]
    """Makes the laboratory safe and ends the campaign now, for a reason."""
    orders: Callable[[Desk], Awaitable[None]] = Desk.run
    """What goes on at the desk: orders are read as they come."""
    hands: Sequence[Hands] = ()
    """Of the simulated person who answers in virtual time, where nobody else would."""
    trips: Trips | None = None
    """What the guard tripped, where the lab has one."""
    desk: Desk = field(init=False)
    direction: Direction = field(init=False)
    _person: SimulatedPerson | None = None

    def __post_init__(self) -> None:
        task, history, clock = self.task, self.history, self.clock
        config, lab = task.campaign.data(), task.lab.data()
        if clock.is_virtual:
            self._person = SimulatedPerson(
                clock=clock, seed=task.campaign.seed, habits=HABITS, act_on_world=self._seen_to_by_hand
            )
        self.desk = Desk(
            self.journal,
            clock,
            self.directory,
            facts=lambda: facts_of(
                config, lab, history.trials, elapsed_s=clock.now_s(), versions=history.book.versions
            ),
            on_order=lambda _: self.direction.follow(),
            on_asked=None if self._person is None else self._person.notice,
        )
        if self._person is not None:
            self._person.desk = self.desk
        self.direction = Direction(
            desk=self.desk,
            task=task,
            stop=self.stop,
            laboratory=self.laboratory,
            trials=history.trials,
            abort=self.abort,
        )

    @property
    def attendant(self) -> Attendant:
        """Whoever sees to what is in doubt."""
        return DeskAttendant(desk=self.desk, clock=self.clock, confirmed=self._confirmed)

    async def _confirmed(self, doubt: InDoubt, answer: Answer) -> str:
        return "" if self.trips is None else await self.trips.confirmed(doubt, answer)

    async def _seen_to_by_hand(self, kind: str, facts: Mapping[str, Any]) -> str:
        done = [await hands.see_to(kind, facts) for hands in self.hands]
        return "; ".join(one for one in done if one)

    @asynccontextmanager
    async def open_for(self, attention: Attention | None, wake: Callable[[], None]) -> AsyncIterator[None]:
        """Read orders, and do what they say, for as long as the block lasts.

        attention: what orders can open again.
        wake: lets the loop look again at what may be asked for.

        Raises:
            StorageError: The journal could not be written.
        """
        self.direction.attention, self.direction.wake = attention, wake
        self.desk.read_orders()
        self.direction.follow()
        reading = self._background(self.orders(self.desk))
        try:
            yield
        finally:
            await _cancelled(reading)
            if self._person is not None:
                await self._person.close()

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Tell people of things for as long as the block lasts, and of what is left to tell at its end.

        Raises:
            InputError: A channel cannot be opened; or the campaign is paused in virtual time.
            StorageError: The journal could not be written.
        """
        self._refuse_paused()
        herald = self._herald()
        if herald is None:
            yield
            return
        telling = self._background(herald.run())
        try:
            yield
        finally:
            await _cancelled(telling)
            await _drained(herald)

    def _refuse_paused(self) -> None:
        if not self.clock.is_virtual:
            return
        self.desk.read_orders()
        if self.desk.intent is Intent.PAUSE:
            raise InputError(
                f"the campaign is paused {self.desk.state.intent_by}; in virtual time nobody is quick enough to let it "
                f"go on: `labpilot orders go-on {self.directory} --reason WHY` first"
            )

    def _herald(self) -> Herald | None:
        people = self.task.lab.people
        if not people.channels:
            return None
        sender = _NoSender() if self.clock.is_virtual else AppriseSender(people, os.environ)
        return Herald(self.journal, self.clock, people, sender, campaign=self.task.campaign.name)

    def _background(self, work: Awaitable[None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(_awaited(work))
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Stop the campaign when its office breaks: an order that nobody reads any more might be the one to stop."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("office_broke error=%r", error)
            self.stop.set(f"orders cannot be read any more ({error})")


class _NoSender:
    """Stands in virtual time, where nothing is sent."""

    async def send(self, channel: str, message: Message) -> None:
        raise RuntimeError(f"nothing is sent in virtual time, but {message.subject!r} was to be, through {channel}")


async def _awaited(work: Awaitable[None]) -> None:
    await work


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _drained(herald: Herald) -> None:
    try:
        await herald.drain()
    except StorageError as error:  # what was not told stands in the journal as not told
        log.warning("not_notified error=%s", error)
