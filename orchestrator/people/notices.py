"""Notices: what people are told, made from the journal's events, and merged into messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.events import Event
from orchestrator.people.settings import Topic

MOST_TOLD = 50
"""Notices that one message spells out; the others are counted."""
MOST_CHARACTERS = 1_000
"""Of one notice: an error that quotes a whole file helps nobody on a telephone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing that happened."""

    topic: Topic
    subject: str
    text: str
    seq: int
    """Of the event that it comes from."""
    at_s: float
    utc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is sent at once through one channel."""

    subject: str
    body: str
    topics: tuple[str, ...]
    n: int
    """Notices in it."""
    upto: int
    """The newest event that it tells of."""
    notices: tuple[Notice, ...] = ()


def notice_of(event: Event) -> Notice | None:
    """Return what people are told of an event; None of most."""
    teller = _TELLERS.get(event.kind)
    told = teller(event) if teller is not None else None
    if told is None:
        return None
    topic, subject, text = told
    where = f" (trial {event.trial})" if event.trial is not None else ""
    return Notice(topic=topic, subject=f"{subject}{where}", text=text, seq=event.seq, at_s=event.at_s, utc=event.utc)


def merged(campaign: str, notices: Sequence[Notice]) -> Message:
    """Make one message of one or more notices."""
    first = notices[0]
    subject = first.subject if len(notices) == 1 else _digest_subject(notices)
    told = [_told(notice) for notice in notices[:MOST_TOLD]]
    if len(notices) > MOST_TOLD:
        told.append(f"... and {len(notices) - MOST_TOLD} more")
    return Message(
        subject=_one_line(f"labpilot {campaign}: {subject}"),
        body="\n\n".join(told),
        topics=tuple(sorted({str(notice.topic) for notice in notices})),
        n=len(notices),
        upto=max(notice.seq for notice in notices),
        notices=tuple(notices),
    )


def _digest_subject(notices: Sequence[Notice]) -> str:
    topics = [str(notice.topic).replace("_", " ") for notice in notices]
    counts = ", ".join(f"{topics.count(topic)} {topic}" for topic in dict.fromkeys(topics))
    return f"{len(notices)} messages: {counts}"


def _told(notice: Notice) -> str:
    text = notice.text if len(notice.text) <= MOST_CHARACTERS else f"{notice.text[:MOST_CHARACTERS]} ..."
    return f"{notice.utc[:19].replace('T', ' ')} UTC  {_one_line(notice.subject)}\n{text}"


def _one_line(text: str) -> str:
    """Return a text fit for a subject: a line break there would begin another header."""
    return " ".join(text.split())[:200]


_Told = tuple[Topic, str, str]


def _asked(event: Event) -> _Told:
    return Topic.QUESTION, f"question {event.body['key']}", _question_text(event)


def _escalated(event: Event) -> _Told:
    return Topic.ESCALATION, f"nobody has answered question {event.body['key']} yet", _question_text(event)


def _question_text(event: Event) -> str:
    body = event.body
    choices = [f"  {choice['name']}: {choice['text']}" for choice in body["choices"]]
    deadline = f"without an answer within {body['deadline_s'] / 3600.0:.3g} h of being asked, {body['default']!r} holds"
    return "\n".join(
        [body["text"], *choices, deadline, f"labpilot orders answer DIR {body['key']} CHOICE --reason WHY"]
    )


def _closed(event: Event) -> _Told | None:
    if event.body["by"] != "default":
        return None
    subject = f"question {event.body['key']} took its default"
    return Topic.QUESTION, subject, f"{event.body['reason']}: {event.body['choice']!r} holds"


def _incident(event: Event) -> _Told:
    is_for_hands = event.body["kind"] == "intervention"
    topic = Topic.INTERVENTION if is_for_hands else Topic.INCIDENT
    device = f" at {event.body['device']}" if event.body.get("device") else ""
    return topic, f"{event.body['kind']}{device}", event.body["text"]


def _ended(event: Event) -> _Told:
    topic = Topic.FAULTED if event.body["status"] == "faulted" else Topic.FINISHED
    return topic, event.body["status"], event.body["reason"]


_TELLERS: Mapping[str, Callable[[Event], _Told | None]] = {
    "question_asked": _asked,
    "question_escalated": _escalated,
    "question_closed": _closed,
    "incident": _incident,
    "campaign_ended": _ended,
}

KINDS = tuple(_TELLERS)
"""Kinds of events that people are told of."""

BACK_OFF_S = 30.0
MOST_BACK_OFF_S = 3600.0
MOST_WAITING = 1_000
"""Notices that a channel keeps while it is down; older ones are only counted."""


@dataclass(slots=True, kw_only=True)
class Mailbox:
    """What waits for one channel: when it may be sent, and what is done if it could not be."""

    at_most_every_s: float
    last_s: float | None = None
    """When the last message was sent."""
    waiting: list[Notice] = field(default_factory=list)
    dropped: int = 0
    failures: int = 0
    """In a row."""
    not_before_s: float = 0.0

    def put(self, notice: Notice) -> None:
        """Let a notice wait."""
        self.waiting.append(notice)
        if len(self.waiting) > MOST_WAITING:
            del self.waiting[0]
            self.dropped += 1

    def due_s(self) -> float | None:
        """Return when the next message may be sent; None where there is nothing to tell."""
        if not self.waiting:
            return None
        since_last_s = 0.0 if self.last_s is None else self.last_s + self.at_most_every_s
        return max(self.waiting[0].at_s, since_last_s, self.not_before_s)

    def message(self, campaign: str) -> Message:
        """Return one message of all that waits."""
        found = merged(campaign, self.waiting)
        if not self.dropped:
            return found
        note = f"{self.dropped} older messages could not be sent and are left out"
        return replace(found, body=f"{found.body}\n\n{note}", n=found.n + self.dropped)

    def sent(self, message: Message, now_s: float) -> None:
        """Forget what a message told; what came while it was on its way waits for the next."""
        told = set(message.notices)
        self.waiting = [notice for notice in self.waiting if notice not in told]
        self.last_s, self.failures, self.dropped = now_s, 0, 0

    def failed(self, now_s: float) -> float:
        """Keep what waits, and return after how many seconds it is tried again."""
        self.failures += 1
        pause_s = min(BACK_OFF_S * 2.0 ** min(self.failures - 1, 20), MOST_BACK_OFF_S)
        self.not_before_s = now_s + pause_s
        return pause_s
