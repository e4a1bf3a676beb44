"""Trips as a state machine: what is true for long enough latches, until a named person has looked at it.

A trip is let off only where its condition is known to be false; unknown (a stale reading) counts as true.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class TripState(StrEnum):
    """Where one trip stands."""

    CLEAR = "clear"
    PENDING = "pending"
    """Its condition is true or unknown, not for long enough yet. Its devices take no command that acts."""
    TRIPPED = "tripped"
    """Latched: its devices were told to stop, and take no command that acts until somebody acknowledges."""


class TripEvent(StrEnum):
    """What happens to a trip."""

    TRUE = "true"
    """The condition is true or unknown."""
    FALSE = "false"
    LONG_ENOUGH = "long enough"
    ACKNOWLEDGED = "acknowledged"


TRANSITIONS: Mapping[tuple[TripState, TripEvent], TripState] = {
    (TripState.CLEAR, TripEvent.TRUE): TripState.PENDING,
    (TripState.CLEAR, TripEvent.FALSE): TripState.CLEAR,
    (TripState.PENDING, TripEvent.TRUE): TripState.PENDING,
    (TripState.PENDING, TripEvent.FALSE): TripState.CLEAR,
    (TripState.PENDING, TripEvent.LONG_ENOUGH): TripState.TRIPPED,
    (TripState.TRIPPED, TripEvent.TRUE): TripState.TRIPPED,
    (TripState.TRIPPED, TripEvent.FALSE): TripState.TRIPPED,
    (TripState.TRIPPED, TripEvent.LONG_ENOUGH): TripState.TRIPPED,
    (TripState.TRIPPED, TripEvent.ACKNOWLEDGED): TripState.CLEAR,
}
"""What is not here cannot happen."""


class Impossible(ValueError):
    """An event that the state has no transition for."""


def advance(state: TripState, event: TripEvent) -> TripState:
    """Return the next state.

    Raises:
        Impossible: There is no such transition.
    """
    following = TRANSITIONS.get((state, event))
    if following is None:
        raise Impossible(f"a trip that is {state} cannot be {event}")
    return following


@dataclass(frozen=True, slots=True, kw_only=True)
class TripStatus:
    """One trip now."""

    state: TripState = TripState.CLEAR
    since_s: float = 0.0
    """When its condition became true, while it is pending; when it latched, once it is tripped."""
    truth: bool | None = False
    reason: str = ""
    """What the condition comes to now; once it is tripped, what it was then."""
    now: str = ""
    """What the condition comes to now."""

    @property
    def blocks(self) -> bool:
        """Whether its devices take no command that acts."""
        return self.state is not TripState.CLEAR

    def judged(self, truth: bool | None, reason: str, *, now_s: float, longer_s: float) -> TripStatus:
        """Return the status once its condition was judged again."""
        event = TripEvent.FALSE if truth is False else TripEvent.TRUE
        following = advance(self.state, event)
        status = replace(self, truth=truth, now=reason)
        if following is TripState.TRIPPED:
            return status
        if self.state is TripState.CLEAR and following is TripState.PENDING:
            status = replace(status, since_s=now_s)
        status = replace(status, state=following, reason=reason)
        if following is TripState.PENDING and now_s - status.since_s >= longer_s:
            return replace(status, state=advance(following, TripEvent.LONG_ENOUGH), since_s=now_s)
        return status

    def acknowledged(self) -> TripStatus:
        """Return the status once a person has acknowledged.

        Raises:
            Impossible: It is not tripped, or what made it trip is not known to be over.
        """
        following = advance(self.state, TripEvent.ACKNOWLEDGED)
        if self.truth is not False:
            raise Impossible(f"it is not over: {self.now}")
        return replace(self, state=following, reason="", since_s=0.0)
