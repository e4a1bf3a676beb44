"""The herald: tells people what the journal says, through every channel at its own pace.

It reads the journal and nothing else, so that a kill loses no message: whatever is newer than the last one that was
sent through a channel is told after the restart. At worst a message is sent twice. No channel that is
down, slow or wrong keeps the campaign from anything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import DBAPIError

from drivers.clock import Clock
from orchestrator.events import Event
from orchestrator.journal import Journal
from orchestrator.people import daily, notices
from orchestrator.people.notices import Mailbox, Message, Notice, notice_of
from orchestrator.people.reading import events_of
from orchestrator.people.sending import Sender, SendFailed
from orchestrator.people.settings import People, Topic

log = logging.getLogger(__name__)

POLL_S = 2.0
_SENT = "notified"
_WRONG_CLOCK = timedelta(days=1)
"""A last daily word that is this far in the future was dated by a clock that was wrong."""
_COUNTED = ("analysed", "trial_failed", "trial_lost")
_KINDS = tuple(dict.fromkeys((*notices.KINDS, *_COUNTED, "question_closed", "campaign_created")))


@dataclass(slots=True)
class _Day:
    """What happened since the last daily word."""

    counts: dict[str, int] = field(default_factory=dict)
    open_questions: set[str] = field(default_factory=set)

    def take(self, event: Event, *, is_counted: bool) -> None:
        """Take an event in; one of a day before counts only for the questions that are open."""
        kind = event.kind
        if kind == "question_asked":
            self.open_questions.add(event.body["key"])
        elif kind == "question_closed":
            self.open_questions.discard(event.body["key"])
        if not is_counted:
            return
        if kind == "incident":
            kind = "intervention" if event.body["kind"] == "intervention" else "incident"
        self.counts[kind] = self.counts.get(kind, 0) + 1

    def word(self) -> tuple[str, str]:
        """Return subject and text of the daily word."""
        number = self.counts.get
        did = (
            f"since the last daily word: {number('analysed', 0)} trials measured, {number('trial_failed', 0)} failed, "
            f"{number('trial_lost', 0)} lost, {number('incident', 0)} incidents, "
            f"{number('intervention', 0)} that needed a hand"
        )
        if self.open_questions:
            waiting = ", ".join(sorted(self.open_questions))
            return f"{len(self.open_questions)} questions wait for an answer", f"{did}; waiting: {waiting}"
        return ("all is well" if not number("intervention", 0) else "somebody was needed"), did


class Herald:
    """Reads the journal and sends messages.

    Args:
        journal: What is told, and where it is noted that it was.
        clock: In virtual time nothing is sent: `record` notes what would have been.
        people: Who is told of what.
        sender: What sends; not used in virtual time.
        campaign: Its name, for the subject.
        poll_s: How often the journal is looked into, in wall time.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        people: People,
        sender: Sender,
        *,
        campaign: str,
        poll_s: float = POLL_S,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._people = people
        self._sender = sender
        self._campaign = campaign
        self._poll_s = poll_s
        self._day = _Day()
        self._restore()

    def _restore(self) -> None:
        """Go on from what the journal says was sent."""
        sent = {event.body["channel"]: event for event in events_of(self._journal.connection, (_SENT,))}
        self._upto = {name: sent[name].body["upto"] if name in sent else 0 for name in self._people.channels}
        self._boxes = {
            name: Mailbox(
                at_most_every_s=channel.at_most_every_s, last_s=sent[name].body["sent_s"] if name in sent else None
            )
            for name, channel in self._people.channels.items()
        }
        words = events_of(self._journal.connection, ("daily_word",))
        self._last_word = datetime.fromisoformat(words[-1].body["utc"]) if words else None
        self._word_upto = words[-1].body["upto"] if words else 0
        self._seen = 0

    async def run(self) -> None:
        """Tell people of things as they happen, for ever; in virtual time nothing, at once.

        Raises:
            StorageError: The journal could not be written.
        """
        if self._clock.is_virtual:
            return
        await _together(self._reading(), *(self._serving(name) for name in self._boxes))

    async def _reading(self) -> None:
        while True:
            try:
                self._read()
                self._say_daily_word(self._clock.utc())
            except DBAPIError as error:  # the database is gone for a while: the controller's own writes deal with that
                log.warning("journal_not_read error=%s", error)
            await self._clock.sleep(self._poll_s)

    async def _serving(self, name: str) -> None:
        while True:
            await self._clock.sleep(self._poll_s)
            await self.serve(name)

    async def serve(self, name: str) -> None:
        """Send what is due through one channel."""
        box, now_s = self._boxes[name], self._clock.now_s()
        due_s = box.due_s()
        if due_s is None or due_s > now_s:
            return
        message = box.message(self._campaign)
        try:
            await self._sender.send(name, message)
        except SendFailed as error:
            pause_s = box.failed(self._clock.now_s())
            log.warning("not_notified channel=%s failures=%d again_in_s=%g: %s", name, box.failures, pause_s, error)
            if box.failures == 1:
                self._note("notify_failed", {"channel": name, "error": str(error)})
            return
        self._sent(name, message, self._clock.now_s())

    async def drain(self, *, within_s: float = 30.0) -> None:
        """Send what waits, at the end of a campaign, whatever the pauses between messages; give up after a while.

        Raises:
            StorageError: The journal could not be written.
        """
        if self._clock.is_virtual:
            self.record()
            return
        self._read()
        for box in self._boxes.values():
            box.last_s, box.not_before_s = None, 0.0
        try:
            async with asyncio.timeout(within_s):
                await _together(*(self.serve(name) for name in self._boxes))
        except TimeoutError:
            log.warning("not_notified channels=%s", [name for name, box in self._boxes.items() if box.waiting])

    def record(self) -> None:
        """In virtual time, note every message that would have been sent by now.

        Raises:
            StorageError: The journal could not be written.
        """
        self._journal.flush()
        for event in self._new_events():
            self._pass_to(event.at_s, datetime.fromisoformat(event.utc))
            self._take(event)
        self._pass_to(self._clock.now_s(), self._clock.utc())

    def _pass_to(self, now_s: float, now: datetime) -> None:
        """Let time pass up to an instant, and note what becomes due on the way."""
        while self._is_word_due(now):
            at = daily.next_instant(self._last_word or now, self._people.all_is_well_at, self._people.timezone)
            at_s = now_s - (now - at).total_seconds()
            self._flush(at_s)
            self._word(at, at_s)
        self._flush(now_s)

    def _flush(self, now_s: float) -> None:
        for name, box in self._boxes.items():
            due_s = box.due_s()
            if due_s is not None and due_s <= now_s:
                self._sent(name, box.message(self._campaign), due_s)

    def _read(self) -> None:
        for event in self._new_events():
            self._take(event)

    def _new_events(self) -> list[Event]:
        found = events_of(self._journal.connection, _KINDS, after_seq=self._seen)
        self._seen = found[-1].seq if found else self._seen
        return found

    def _take(self, event: Event) -> None:
        if self._last_word is None:
            self._last_word = datetime.fromisoformat(event.utc)
        self._day.take(event, is_counted=event.seq > self._word_upto)
        notice = notice_of(event)
        if notice is None:
            return
        for name, channel in self._people.channels.items():
            if notice.topic in channel.told_of and notice.seq > self._upto[name]:
                self._boxes[name].put(notice)

    def _say_daily_word(self, now: datetime) -> None:
        if self._last_word is not None and self._last_word - now > _WRONG_CLOCK:
            self._last_word = now
        if self._is_word_due(now):
            self._word(now, self._clock.now_s())

    def _is_word_due(self, now: datetime) -> bool:
        settings = self._people
        last = self._last_word
        return last is not None and daily.next_instant(last, settings.all_is_well_at, settings.timezone) <= now

    def _word(self, at: datetime, at_s: float) -> None:
        """Say the daily word; one that a kill keeps from being sent is not made up for, the next day brings another."""
        subject, text = self._day.word()
        self._note("daily_word", {"subject": subject, "text": text, "utc": at.isoformat(), "upto": self._seen})
        notice = Notice(topic=Topic.ALL_IS_WELL, subject=subject, text=text, seq=0, at_s=at_s, utc=at.isoformat())
        for name, channel in self._people.channels.items():
            if notice.topic in channel.told_of:
                self._boxes[name].put(notice)
        self._last_word = at
        self._day = _Day(open_questions=self._day.open_questions)

    def _sent(self, name: str, message: Message, at_s: float) -> None:
        self._boxes[name].sent(message, at_s)
        self._upto[name] = max(self._upto[name], message.upto)
        body = {"channel": name, "topics": list(message.topics), "n": message.n, "subject": message.subject}
        self._note(
            _SENT, {**body, "upto": self._upto[name], "sent_s": at_s, "is_recorded_only": self._clock.is_virtual}
        )

    def _note(self, kind: str, body: dict[str, object]) -> None:
        self._journal.append(kind, body, durable=not self._clock.is_virtual)


async def _together(*work: Coroutine[Any, Any, None]) -> None:
    """Do things side by side; the first error ends all of them and is raised as it is."""
    tasks = [asyncio.ensure_future(item) for item in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
