"""State machines as data: one table of (state, event) -> state each, and one pure function."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class TrialState(StrEnum):
    """Where a trial stands."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    ACTED = "acted"
    ANALYSED = "analysed"
    TOLD = "told"
    FAILED = "failed"
    LOST = "lost"


class StepState(StrEnum):
    """Where one command stands."""

    INTENDED = "intended"
    AMBIGUOUS = "ambiguous"
    DONE = "done"
    REJECTED = "rejected"
    FAILED = "failed"


TRIAL: Mapping[tuple[str, str], str] = {
    ("accepted", "start"): "running",
    ("accepted", "fail"): "failed",
    ("accepted", "lose"): "lost",
    ("running", "start"): "running",  # a resumed trial starts again where it stood
    ("running", "finish_plan"): "acted",
    ("running", "fail"): "failed",
    ("running", "lose"): "lost",
    ("acted", "start"): "running",  # analysis is pure, so a kill before its outcome just repeats it
    ("acted", "analyse"): "analysed",
    ("acted", "fail"): "failed",
    ("acted", "lose"): "lost",
    ("analysed", "tell"): "told",
    ("failed", "tell"): "failed",
    ("lost", "tell"): "lost",
}

STEP: Mapping[tuple[str, str], str] = {
    ("intended", "intend"): "intended",  # sent again: safe by its effect
    ("intended", "done"): "done",
    ("intended", "reject"): "rejected",
    ("intended", "fail"): "failed",
    ("intended", "doubt"): "ambiguous",
    ("ambiguous", "done"): "done",
    ("ambiguous", "intend"): "intended",
    ("ambiguous", "reject"): "rejected",
    ("ambiguous", "fail"): "failed",
}

FINAL_TRIAL_STATES = frozenset({"told", "failed", "lost"})


class IllegalTransition(RuntimeError):
    """An event came that the state does not admit; the journal or the caller is wrong."""


def advance(table: Mapping[tuple[str, str], str], state: str, event: str) -> str:
    """Return the next state.

    Raises:
        IllegalTransition: The table has no such entry; names what would have been admitted.
    """
    try:
        return table[(state, event)]
    except KeyError:
        admitted = sorted(name for at, name in table if at == state)
        raise IllegalTransition(
            f"event {event!r} in state {state!r}; admitted here: {', '.join(admitted) or 'none (final)'}"
        ) from None
