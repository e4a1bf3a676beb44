"""Questions to people: what is asked, by when, and what holds if nobody answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from orchestrator.words import moment


class Hand(StrEnum):
    """What kind of human act goes with an answer, for the count of interventions."""

    NONE = "none"
    HARDWARE = "hardware"
    PLANNER = "planner"
    RESTOCK = "restock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One answer that a question admits."""

    name: str
    text: str = ""
    """What it means and what follows from it."""
    hand: Hand = Hand.NONE
    """What the person did in the laboratory in order to answer so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a question is about."""

    trial: int | None = None
    device: str = ""
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question with choices, a deadline, and a default that holds where nobody answers in time.

    Raises:
        ValueError: The default is no choice, two choices share a name, or a duration makes no sense.
    """

    key: str
    """Names the question for ever: the same key is never asked twice."""
    kind: str
    text: str
    choices: tuple[Choice, ...]
    default: str
    deadline_s: float
    """Seconds from asking."""
    escalate_s: float | None = None
    """Seconds from asking after which more people are told; None: never."""
    about: About = field(default_factory=About)
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What whoever answers may need besides the text; JSON values."""

    def __post_init__(self) -> None:
        names = [choice.name for choice in self.choices]
        if len(set(names)) != len(names) or not names:
            raise ValueError(f"question {self.key!r} needs choices with distinct names, got {names}")
        if self.default not in names:
            raise ValueError(f"question {self.key!r}: its default {self.default!r} is none of {names}")
        if not self.deadline_s > 0 or (self.escalate_s is not None and not 0 <= self.escalate_s < self.deadline_s):
            raise ValueError(
                f"question {self.key!r}: a deadline of {self.deadline_s} s must be positive, and escalation "
                f"(after {self.escalate_s} s) must come before it"
            )

    def choice(self, name: str) -> Choice:
        """Return a choice by name.

        Raises:
            KeyError: There is none.
        """
        return next((choice for choice in self.choices if choice.name == name), None) or _missing(name)

    def data(self) -> dict[str, Any]:
        """Return the question as JSON values that `from_data` reads."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Question:
        """Read what `data()` wrote."""
        choices = tuple(Choice(**{**item, "hand": Hand(item["hand"])}) for item in data["choices"])
        about = About(**{**data["about"], "places": tuple(data["about"]["places"])})
        return cls(**{**data, "choices": choices, "about": about})


def _missing(name: str) -> Choice:
    raise KeyError(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a question came to."""

    choice: str
    by: str
    """``person``, ``default`` (nobody answered in time) or ``withdrawn`` (it no longer mattered)."""
    who: str
    reason: str
    at_s: float
    utc: str

    @property
    def is_from_person(self) -> bool:
        """Whether somebody answered."""
        return self.by == "person"

    def __str__(self) -> str:
        if self.by == "person":
            return f"answered {self.choice!r} by {self.who} at {moment(self.utc)} ({self.reason})"
        if self.by == "default":
            return f"closed at its deadline, {moment(self.utc)}, with the default {self.choice!r}: nobody had answered"
        return f"withdrawn at {moment(self.utc)} ({self.reason})"


APPROVE, REFUSE = "approve", "refuse"


def approval(
    key: str,
    text: str,
    *,
    deadline_s: float,
    escalate_s: float | None = None,
    about: About | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Question:
    """Return the question whether a hazardous step may be done; silence is a no."""
    return Question(
        key=key,
        kind="approval",
        text=text,
        choices=(
            Choice(name=APPROVE, text="the step is done"),
            Choice(name=REFUSE, text="the step is not done"),
        ),
        default=REFUSE,
        deadline_s=deadline_s,
        escalate_s=escalate_s,
        about=about or About(),
        facts=facts or {},
    )
