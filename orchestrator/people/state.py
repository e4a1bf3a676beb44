"""What people have said so far: folded from the journal's events, live and after a restart alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.events import Event
from orchestrator.people.intent import Intent, after
from orchestrator.people.orders import ADVICE, Kind
from orchestrator.people.questions import Answer, Question
from orchestrator.words import moment

THE_RULE = "rule"
"""In place of a version: the policy decides again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An order that the journal has, and what came of it."""

    id: str
    kind: str
    """A `Kind`, or empty for a file that was no order."""
    arguments: Mapping[str, Any]
    user: str
    """The operating-system user."""
    name: str | None
    reason: str
    is_done: bool
    """False: it was refused and changed nothing."""
    text: str
    """What came of it."""
    seq: int
    at_s: float
    utc: str

    @property
    def who(self) -> str:
        """Who gave it, for people to read."""
        return f"{self.name} (as {self.user})" if self.name else self.user

    def __str__(self) -> str:
        return f"by {self.who} at {moment(self.utc)} ({self.reason})"


@dataclass(slots=True, kw_only=True)
class Asked:
    """A question that was asked."""

    question: Question
    at_s: float
    utc: str
    is_escalated: bool = False
    answer: Answer | None = None

    @property
    def deadline_at_s(self) -> float:
        """When the default holds, by the campaign's clock."""
        return self.at_s + self.question.deadline_s

    @property
    def escalate_at_s(self) -> float | None:
        """When more people are told."""
        return None if self.question.escalate_s is None else self.at_s + self.question.escalate_s


@dataclass(slots=True)
class DeskState:
    """All orders and questions of a campaign."""

    intent: Intent = Intent.RUN
    orders: dict[str, Given] = field(default_factory=dict)
    questions: dict[str, Asked] = field(default_factory=dict)
    skipped: dict[int, Given] = field(default_factory=dict)
    requeues: dict[int, Given] = field(default_factory=dict)
    """Trials that shall be made again and were not yet."""
    remade: dict[int, int] = field(default_factory=dict)
    """Trials that were made again, ordered or not, and as which."""
    held: dict[tuple[str, str], Given] = field(default_factory=dict)
    """By (``device`` or ``step_kind``, name)."""
    overrides: dict[tuple[str, str], Given] = field(default_factory=dict)
    """By (``limit`` or ``quarantine``, name)."""
    budget: dict[str, Any] = field(default_factory=dict)
    """``trials`` and ``duration_s`` where people have set them."""
    limits: dict[str, dict[str, str]] = field(default_factory=dict)
    """``low`` and ``high`` that people have set, by device.command.argument."""
    advice: list[Given] = field(default_factory=list)
    """What was said to the planner, in order."""
    advised: dict[str, int] = field(default_factory=dict)
    """How many observations the planner had been told when it took a piece of advice, by order."""
    intent_by: Given | None = None
    """The order that the intent comes from; None where nobody gave one."""

    def apply(self, event: Event) -> None:
        """Fold one event; other kinds than these change nothing."""
        handler = _EVENTS.get(event.kind)
        if handler is not None:
            handler(self, event)

    @classmethod
    def of(cls, events: Iterable[Event]) -> DeskState:
        """Fold a journal's events."""
        found = cls()
        for event in events:
            found.apply(event)
        return found

    def areas(self, said: Kind, unsaid: Kind) -> dict[str, dict[str, Any]]:
        """Return the areas that stand, by label: those of one kind of order that no other kind took back."""
        found: dict[str, dict[str, Any]] = {}
        for order in self.advice:
            if order.kind == said:
                found[order.arguments["label"]] = order.arguments["area"]
            elif order.kind == unsaid:
                found.pop(order.arguments["label"], None)
        return found

    @property
    def planned_with(self) -> Given | None:
        """Return the order that names the version whose model plans; None where the policy decides."""
        given = next((order for order in reversed(self.advice) if order.kind == Kind.ROLLBACK), None)
        return None if given is None or given.arguments["version"] == THE_RULE else given

    def open_questions(self) -> list[Asked]:
        """Return the questions that wait for an answer, oldest first."""
        return [asked for asked in self.questions.values() if asked.answer is None]


def given(event: Event) -> Given:
    """Return the order that an ``order`` event tells of."""
    names = ("id", "kind", "arguments", "user", "name", "reason", "is_done", "text")
    return Given(**{name: event.body[name] for name in names}, seq=event.seq, at_s=event.at_s, utc=event.utc)


def _order(state: DeskState, event: Event) -> None:
    order = given(event)
    if order.id in state.orders:
        return
    state.orders[order.id] = order
    handler = _ORDERS.get(order.kind)
    if order.is_done and handler is not None:
        handler(state, order)


def _turn(state: DeskState, order: Given) -> None:
    state.intent = after(state.intent, order.kind)
    state.intent_by = None if state.intent is Intent.RUN else order


def _ended(state: DeskState, _event: Event) -> None:
    before, state.intent = state.intent, after(state.intent, "ended")
    if state.intent is not before:
        state.intent_by = None


def _skip(state: DeskState, order: Given) -> None:
    state.skipped[order.arguments["trial"]] = order


def _requeue(state: DeskState, order: Given) -> None:
    state.requeues[order.arguments["trial"]] = order


def _hold(state: DeskState, order: Given) -> None:
    state.held[_only(order.arguments)] = order


def _release(state: DeskState, order: Given) -> None:
    state.held.pop(_only(order.arguments), None)


def _override(state: DeskState, order: Given) -> None:
    arguments = {key: value for key, value in order.arguments.items() if key != "withdraw"}
    if order.arguments.get("withdraw"):
        state.overrides.pop(_only(arguments), None)
    else:
        state.overrides[_only(arguments)] = order


def _set_budget(state: DeskState, order: Given) -> None:
    state.budget |= order.arguments


def _set_limit(state: DeskState, order: Given) -> None:
    bounds = {key: value for key, value in order.arguments.items() if key != "limit"}
    state.limits[order.arguments["limit"]] = state.limits.get(order.arguments["limit"], {}) | bounds


def _advice(state: DeskState, order: Given) -> None:
    state.advice.append(order)


def _only(arguments: Mapping[str, Any]) -> tuple[str, str]:
    ((kind, name),) = arguments.items()
    return kind, name


def _question_asked(state: DeskState, event: Event) -> None:
    question = Question.from_data(event.body)
    state.questions.setdefault(question.key, Asked(question=question, at_s=event.at_s, utc=event.utc))


def _question_escalated(state: DeskState, event: Event) -> None:
    state.questions[event.body["key"]].is_escalated = True


def _question_closed(state: DeskState, event: Event) -> None:
    asked = state.questions[event.body["key"]]
    if asked.answer is None:
        names = ("choice", "by", "who", "reason")
        said = {name: event.body[name] for name in names}
        asked.answer = Answer(**said, at_s=event.at_s, utc=event.utc)


def _advised(state: DeskState, event: Event) -> None:
    state.advised.setdefault(event.body["order"], event.body["since"])


def _requeued(state: DeskState, event: Event) -> None:
    state.requeues.pop(event.body["trial"], None)
    state.remade[event.body["trial"]] = event.body["as_trial"]


_ORDERS: Mapping[str, Callable[[DeskState, Given], None]] = {
    Kind.PAUSE: _turn,
    Kind.GO_ON: _turn,
    Kind.STOP: _turn,
    Kind.ABORT: _turn,
    Kind.SKIP: _skip,
    Kind.REQUEUE: _requeue,
    Kind.HOLD: _hold,
    Kind.RELEASE: _release,
    Kind.OVERRIDE: _override,
    Kind.SET_BUDGET: _set_budget,
    Kind.SET_LIMIT: _set_limit,
    **dict.fromkeys(ADVICE, _advice),
}

_EVENTS: Mapping[str, Callable[[DeskState, Event], None]] = {
    "order": _order,
    "campaign_ended": _ended,
    "question_asked": _question_asked,
    "question_escalated": _question_escalated,
    "question_closed": _question_closed,
    "requeued": _requeued,
    "advised": _advised,
}

KINDS = tuple(_EVENTS)
"""Kinds of events that the desk's state follows from."""
