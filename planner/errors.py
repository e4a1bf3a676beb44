"""What can go wrong in a planner.

    PlannerError
    +-- SpaceError             a parameter, a constraint or a candidate makes no sense
    |   +-- ConstraintError    a constraint cannot be read; carries the position
    |   +-- EmptySearchSpace   no point satisfies every constraint; carries the conflict
    +-- SearchSpaceExhausted   every point was tried, or is being tried
    |   +-- NothingWithin      no untried point keeps to what one ask was restricted to
    +-- BadObservation         an observation that cannot teach anything (NaN, unknown target)
    +-- BadOption              a policy, or an option of one, that does not exist or has no such value
    +-- UnknownProposal        a proposal id that this planner never gave out
    +-- BadSave                a planner that cannot be written to a file, or read from one
    +-- NotEnoughData          a prediction was asked for before anything was measured

All but SearchSpaceExhausted and NotEnoughData are also ValueError: the caller passed something wrong.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import partial
from typing import Any


class PlannerError(Exception):
    """Root of what leaves a planner."""


class SpaceError(PlannerError, ValueError):
    """A parameter, a constraint or a candidate makes no sense."""


class ConstraintError(SpaceError):
    """A constraint cannot be read."""

    def __init__(self, message: str, *, text: str, position: int) -> None:
        super().__init__(f"{message}, at character {position + 1} of {text!r}")
        self.text = text
        self.position = position


class EmptySearchSpace(SpaceError):
    """No point satisfies every constraint."""


class SearchSpaceExhausted(PlannerError):
    """No untried point is left to propose."""

    def __init__(self, message: str, *, tried: int, pending: int, size: int | None) -> None:
        super().__init__(message)
        self.tried = tried
        self.pending = pending
        self.size = size

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it pass from a planner's process to another, which calls with positions only."""
        told = {"tried": self.tried, "pending": self.pending, "size": self.size}
        return partial(type(self), **told), (str(self),)


class NothingWithin(SearchSpaceExhausted):
    """No untried point keeps to what an ask was restricted to; others may be left."""


class BadObservation(PlannerError, ValueError):
    """An observation that cannot teach anything."""


class BadOption(PlannerError, ValueError):
    """A policy, or an option of one, that does not exist or has no such value."""


class UnknownProposal(PlannerError, ValueError):
    """A proposal id that this planner never gave out."""


class NotEnoughData(PlannerError):
    """A prediction was asked for before anything was measured."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for a near miss, otherwise "; known: ..."."""
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(names)}" if names else ""


class BadSave(PlannerError, ValueError):
    """A saved planner cannot be written or read."""
