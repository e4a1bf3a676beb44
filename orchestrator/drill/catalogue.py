"""The catalogue: each fault with what is right, how it is brought about, and how it is told that it went right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.drill.ground import Outcome, Play


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One fault."""

    name: str
    """On the command line."""
    fault: str
    right: str
    """What must come of it, besides what always must: nothing lost, done twice or unsafe, and the campaign finished."""
    act: Callable[[Play], None]
    """Runs a campaign in which it happens, to its end; raises `ground.NotOffered` where this laboratory cannot."""
    wrong: Callable[[Outcome], str] = lambda _outcome: ""
    """Says what did not come as it should; empty: it did."""


def catalogue() -> list[Drill]:
    """Return all faults, in the order of the page."""
    from orchestrator.drill import kills, minds, operators, records, rooms, troubles, watched

    return [
        *kills.DRILLS,
        *troubles.DRILLS,
        *records.DRILLS,
        *minds.DRILLS,
        *rooms.DRILLS,
        *watched.DRILLS,
        *operators.DRILLS,
    ]


def all_of(*checks: Callable[[Outcome], str]) -> Callable[[Outcome], str]:
    """Say what the first check that is not content says."""
    return lambda outcome: next((text for check in checks if (text := check(outcome))), "")


def none_lost(outcome: Outcome) -> str:
    """Every trial must have been measured."""
    lost = outcome.outcomes["lost"] + outcome.outcomes["failed"]
    return f"{lost} trials gave no result" if lost else ""


def at_most_lost(most: int) -> Callable[[Outcome], str]:
    """No more trials than so many may have been lost."""

    def check(outcome: Outcome) -> str:
        lost = outcome.outcomes["lost"]
        return f"{lost} trials were lost" if lost > most else ""

    return check


def no_hand(outcome: Outcome) -> str:
    """Nobody may have been needed."""
    count = len(outcome.autonomy.interventions)
    return f"{count} interventions" if count else ""


def starts(count: int) -> Callable[[Outcome], str]:
    """So many controllers must have started."""
    return lambda outcome: "" if outcome.starts == count else f"{outcome.starts} starts and not {count}"


def noted(*words: str, kind: str = "") -> Callable[[Outcome], str]:
    """Some incident must tell of it."""

    def check(outcome: Outcome) -> str:
        texts = [event.body["text"] for event in outcome.of("incident") if kind in ("", event.body["kind"])]
        missing = [word for word in words if not any(word in text for text in texts)]
        return f"no incident tells of {missing[0]!r}" if missing else ""

    return check
