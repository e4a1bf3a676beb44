"""Tables of orders and questions, folded from the journal like all others (`orchestrator.projections`).

They are for queries and exports; what the desk goes by is folded by `orchestrator.people.state` from the same events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, Column
from sqlmodel import Field, SQLModel

from orchestrator.events import Event
from orchestrator.states import advance

if TYPE_CHECKING:
    from orchestrator.projections import Rows


class QuestionState(StrEnum):
    """Where a question stands."""

    OPEN = "open"
    ESCALATED = "escalated"
    """Open, and more people were told."""
    ANSWERED = "answered"
    DEFAULTED = "defaulted"
    """Nobody answered in time."""
    WITHDRAWN = "withdrawn"


QUESTION: Mapping[tuple[str, str], str] = {
    ("open", "escalate"): "escalated",
    ("open", "person"): "answered",
    ("open", "default"): "defaulted",
    ("open", "withdrawn"): "withdrawn",
    ("escalated", "person"): "answered",
    ("escalated", "default"): "defaulted",
    ("escalated", "withdrawn"): "withdrawn",
}
"""(state, what happened) -> state; what closes a question goes by the ``by`` of its event."""


class OrderRow(SQLModel, table=True):
    """An order that a person gave, and what came of it."""

    __tablename__ = "person_order"  # pyright: ignore[reportAssignmentType]

    id: str = Field(primary_key=True)
    seq: int
    """Of the event in the journal: orders were read in this order."""
    kind: str
    """Empty for a file in the spool that was no order."""
    arguments: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    trial: int | None = Field(default=None, index=True)
    user: str
    """The operating-system user."""
    name: str | None = None
    """The name that was given with the order."""
    reason: str
    is_done: bool
    text: str
    at_s: float
    utc: str


class QuestionRow(SQLModel, table=True):
    """A question to people, and what it came to."""

    __tablename__ = "question"  # pyright: ignore[reportAssignmentType]

    key: str = Field(primary_key=True)
    seq: int
    kind: str
    text: str
    choices: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    default: str
    trial: int | None = Field(default=None, index=True)
    device: str = ""
    places: list[str] = Field(sa_column=Column(JSON, nullable=False))
    """What stays blocked until it is answered."""
    state: str
    """A `QuestionState`."""
    asked_s: float
    asked_utc: str
    escalate_s: float | None = None
    """When more people are told, by the campaign's clock; so are all times of this table."""
    deadline_s: float
    escalated_s: float | None = None
    closed_s: float | None = None
    closed_utc: str = ""
    choice: str | None = None
    who: str = ""
    reason: str = ""


PROJECTIONS: tuple[type[SQLModel], ...] = (OrderRow, QuestionRow)


def _order(rows: Rows, event: Event) -> None:
    if _knows(rows, OrderRow, event.body["id"]):
        return  # the first answer stands
    names = ("id", "kind", "arguments", "user", "name", "reason", "is_done", "text")
    said = {name: event.body[name] for name in names}
    trial = said["arguments"].get("trial")
    rows.put(OrderRow, {**said, "trial": trial, "seq": event.seq, "at_s": event.at_s, "utc": event.utc})


def _asked(rows: Rows, event: Event) -> None:
    body = event.body
    if _knows(rows, QuestionRow, body["key"]):
        return
    said = {name: body[name] for name in ("key", "kind", "text", "choices", "default")}
    escalate_s = body["escalate_s"]
    rows.put(
        QuestionRow,
        {
            **said,
            **body["about"],
            "seq": event.seq,
            "state": str(QuestionState.OPEN),
            "asked_s": event.at_s,
            "asked_utc": event.utc,
            "deadline_s": event.at_s + body["deadline_s"],
            "escalate_s": None if escalate_s is None else event.at_s + escalate_s,
        },
    )


def _escalated(rows: Rows, event: Event) -> None:
    _advance(rows, event, "escalate", escalated_s=event.at_s)


def _closed(rows: Rows, event: Event) -> None:
    body = event.body
    said = {name: body[name] for name in ("choice", "who", "reason")}
    _advance(rows, event, body["by"], closed_s=event.at_s, closed_utc=event.utc, **said)


def _advance(rows: Rows, event: Event, what: str, **values: Any) -> None:
    key = event.body["key"]
    state = advance(QUESTION, rows.get(QuestionRow, key)["state"], what)
    rows.change(QuestionRow, key, state=state, **values)


def _knows(rows: Rows, model: type[SQLModel], key: str) -> bool:
    try:
        rows.get(model, key)
    except KeyError:
        return False
    return True


HANDLERS: Mapping[str, Callable[[Rows, Event], None]] = {
    "order": _order,
    "question_asked": _asked,
    "question_escalated": _escalated,
    "question_closed": _closed,
}
