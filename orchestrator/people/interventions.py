"""Interventions: how often somebody had to step in, and how long the laboratory went without.

An intervention is an unplanned act of a person at the hardware, or an edit of what the planner knows by hand. A planned
restock is counted apart. Rates are per 100 completed experiments, with the exact interval of a Poisson count (Garwood,
Biometrika 28, 437 (1936), doi:10.2307/2333958).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from orchestrator.events import Event
from orchestrator.people.questions import Hand

ORDERS: Mapping[str, Hand] = {
    "skip": Hand.PLANNER,
    "requeue": Hand.PLANNER,
    "override": Hand.HARDWARE,
}
"""Orders that are interventions in themselves; a pause, a hold or a budget is a decision and no repair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act of a person."""

    hand: Hand
    at_s: float
    seq: int
    text: str
    completed: int
    """Experiments completed before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Autonomy:
    """How a campaign went without people."""

    completed: int
    """Trials that were measured and analysed."""
    interventions: tuple[Act, ...]
    restocks: tuple[Act, ...]
    per_100: float | None
    """Interventions per 100 completed experiments; None before the first one."""
    low_per_100: float | None
    high_per_100: float | None
    """Bounds of the exact 95 % interval."""
    unassisted_experiments: int
    """The longest run of completed experiments with no intervention."""
    unassisted_s: float
    """The longest time without one, by the campaign's clock."""


def autonomy(events: Iterable[Event]) -> Autonomy:
    """Count the interventions of a journal."""
    acts: list[Act] = []
    completed, first_s, last_s = 0, None, 0.0
    for event in events:
        first_s = event.at_s if first_s is None else first_s
        last_s = max(last_s, event.at_s)
        completed += event.kind == "analysed"
        act = act_of(event, completed)
        if act is not None:
            acts.append(act)
    interventions = tuple(act for act in acts if act.hand is not Hand.RESTOCK)
    low, high = poisson_interval(len(interventions))
    return Autonomy(
        completed=completed,
        interventions=interventions,
        restocks=tuple(act for act in acts if act.hand is Hand.RESTOCK),
        per_100=_per_100(len(interventions), completed),
        low_per_100=_per_100(low, completed),
        high_per_100=_per_100(high, completed),
        unassisted_experiments=int(_longest([act.completed for act in interventions], 0, completed)),
        unassisted_s=_longest([act.at_s for act in interventions], first_s or 0.0, last_s),
    )


def act_of(event: Event, completed: int = 0) -> Act | None:
    """Return the act of a person that an event tells of; None of most."""
    finder = _FINDERS.get(event.kind)
    hand, text = finder(event.body) if finder is not None else (Hand.NONE, "")
    if hand is Hand.NONE:
        return None
    return Act(hand=hand, at_s=event.at_s, seq=event.seq, text=text, completed=completed)


def _of_incident(body: Mapping[str, object]) -> tuple[Hand, str]:
    hands = {"intervention": Hand.HARDWARE, "restock": Hand.RESTOCK}
    return hands.get(str(body["kind"]), Hand.NONE), str(body["text"])


def _of_question(body: Mapping[str, object]) -> tuple[Hand, str]:
    hand = Hand(str(body["hand"])) if body["by"] == "person" else Hand.NONE
    return hand, f"question {body['key']}: {body['choice']} ({body['reason']})"


def _of_order(body: Mapping[str, object]) -> tuple[Hand, str]:
    if not body["is_done"]:
        return Hand.NONE, ""
    arguments = body["arguments"]
    if body["kind"] == "handled" and isinstance(arguments, Mapping):
        return Hand(str(arguments["what"])), str(body["reason"])
    return ORDERS.get(str(body["kind"]), Hand.NONE), f"{body['kind']}: {body['reason']}"


_FINDERS: Mapping[str, Callable[[Mapping[str, object]], tuple[Hand, str]]] = {
    "incident": _of_incident,
    "question_closed": _of_question,
    "order": _of_order,
}

KINDS = (*_FINDERS, "analysed", "campaign_created", "campaign_ended")
"""Kinds of events that the count needs; with fewer events than a whole journal, the last instant is one of these."""


def poisson_interval(count: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact two-sided interval of the mean of a Poisson count."""
    from scipy.stats import chi2

    tail = (1.0 - level) / 2.0
    low = 0.0 if count == 0 else float(chi2.ppf(tail, 2 * count)) / 2.0
    return low, float(chi2.ppf(1.0 - tail, 2 * count + 2)) / 2.0


def _per_100(count: float, completed: int) -> float | None:
    return 100.0 * count / completed if completed else None


def _longest(cuts: list[int] | list[float], start: float, end: float) -> float:
    edges = [start, *cuts, end]
    return max(after - before for before, after in zip(edges, edges[1:], strict=False))
