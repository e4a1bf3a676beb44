"""How well computing was hidden behind experiments: counted from a campaign's journal, while it runs or afterwards.

An instrument waits for a plan where the laboratory could carry one more trial side by side while the planner is asked,
and for an analysis where that is all that keeps the next ask from being made. Both are counted as time, however many
places stand empty.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from orchestrator.ahead.lists import SPECULATED
from orchestrator.ahead.pace import LISTED, WHOLE
from orchestrator.ahead.spans import Span, common_s, free_spans, union, without
from orchestrator.events import Event
from orchestrator.store import CampaignRow, JournalRow, StepRow
from orchestrator.words import duration, plural
from surrogate.compute.metrics import Metrics

KINDS = (
    "asked",
    SPECULATED,
    "trial_started",
    "plan_finished",
    "analysed",
    "trial_failed",
    "trial_lost",
)
ALLOWED = 0.01
"""Part of a trial's duration for which an instrument may wait, and the plan still counts as in time."""
PLANS, ANALYSES = "plans", "analyses"
RANDOM = "random points"
_HOW = {WHOLE: "in full", LISTED: "from short lists"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeStatus:
    """What computing cost a campaign, and how much of that its instruments felt. Times are in seconds."""

    plans: int
    how: Mapping[str, int]
    """Plans by how they were made."""
    elapsed_s: float
    planned_s: float
    """Time of asks."""
    ahead_s: float
    """Time of workers for short lists."""
    analysed_s: float
    idle_s: Mapping[str, float]
    """For which an instrument waited, by what for."""
    hidden: float
    """Part of all this computing for which no instrument waited."""
    in_time: int
    """Plans for which no instrument waited longer than a hundredth of a trial."""
    unseen: Mapping[str, int]
    """Plans by how many results they neither knew nor had imagined when they were carried out."""
    mean_unseen: float
    stale: int
    """Plans that more results were unseen by than the campaign allows."""
    speculated: int
    """Plans before which possible results were thought of."""
    hits: int
    """Of these, those that were the best of what had been thought of."""
    fallbacks: Mapping[str, int]
    """Why something else than what was wanted was done, in a few words."""

    @property
    def idle_share(self) -> float:
        """Return the part of the campaign's time for which an instrument waited for plans or analyses."""
        return sum(self.idle_s.values()) / self.elapsed_s if self.elapsed_s > 0 else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return plain values for `json.dumps`."""
        return {**asdict(self), "idle_share": self.idle_share}

    def __str__(self) -> str:
        """Return it as a short line."""
        waited_s = sum(self.idle_s.values())
        waits = (
            f"instruments waited {duration(waited_s)} ({self.idle_share:.1%})" if waited_s else "no instrument waited"
        )
        ahead = f", {self.hits} of {self.speculated} from short lists" if self.speculated else ""
        return f"{self.hidden:.0%} hidden, {waits}; {self.in_time} of {plural(self.plans, 'plan')} in time{ahead}"


def read_compute(connection: Connection, *, elapsed_s: float) -> ComputeStatus | None:
    """Return what the journal says; None where nothing was asked for yet."""
    table: Any = JournalRow.__table__  # type: ignore[attr-defined]
    query = select(table).where(table.c.kind.in_(KINDS)).order_by(table.c.seq)
    events = [
        Event(seq=row.seq, kind=row.kind, at_s=row.mono_s, utc=row.utc, body=_body(row.body), trial=row.trial)
        for row in connection.execute(query)
    ]
    return compute_status(events, places=_places(connection), elapsed_s=elapsed_s)


def _body(text: str) -> Mapping[str, Any]:
    try:
        return json.loads(text)
    except json.JSONDecodeError:  # a damaged row, which others tell of
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Room for trials."""

    lanes: int
    """How many the laboratory carries side by side."""
    room: int
    """With fewer than so many under way there is an ask."""


def _places(connection: Connection) -> Places:
    """Return what room there is, by the files and by the devices that have worked for trials."""
    campaigns: Any = CampaignRow.__table__  # type: ignore[attr-defined]
    steps: Any = StepRow.__table__  # type: ignore[attr-defined]
    row = connection.execute(select(campaigns.c.config, campaigns.c.lab)).first()
    config, lab = ({}, {}) if row is None else row
    batch = config.get("batch") or 1
    at_once = max(config.get("in_flight") or 0, batch)
    room = at_once - batch + 1
    if (lab.get("samples") or {}).get("kind") == "racks":
        return Places(lanes=at_once, room=room)
    used = connection.execute(select(steps.c.device).where(steps.c.trial > 0).distinct()).scalars()
    devices = lab.get("devices") or {}
    lanes = min([at_once, *(devices[name].get("capacity") or 1 for name in used if name in devices)])
    return Places(lanes=lanes, room=min(lanes, room))


def compute_status(events: Iterable[Event], *, places: Places, elapsed_s: float) -> ComputeStatus | None:
    """Fold a journal's events of `KINDS`; None where nothing was asked for yet.

    Args:
        events: In order.
        places: What room there is for trials.
        elapsed_s: The campaign's clock now.
    """
    fold = _Fold()
    for event in events:
        fold.add(event)
    return fold.status(places, elapsed_s) if fold.asks else None


@dataclass(slots=True)
class _Fold:
    asks: list[Mapping[str, Any]] = field(default_factory=list)
    ahead_s: float = 0.0
    measuring: dict[int, Span] = field(default_factory=dict)
    """From when to when a trial kept instruments, by number; without end it does so now."""
    analysing: dict[int, Span] = field(default_factory=dict)
    ended: dict[int, float] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        if event.kind == "asked" and "asked_s" in event.body:
            self.asks.append(event.body)
        elif event.kind == SPECULATED:
            self.ahead_s += event.body.get("busy_s", 0.0)
        elif event.trial is not None:
            self._of_trial(event, event.trial)

    def _of_trial(self, event: Event, trial: int) -> None:
        if event.kind == "trial_started":
            self.measuring.setdefault(trial, (event.at_s, math.inf))
        elif event.kind == "plan_finished":
            self._until(self.measuring, trial, event.at_s)
            self.analysing[trial] = (event.at_s, math.inf)
        else:
            self._until(self.measuring, trial, event.at_s)
            self._until(self.analysing, trial, event.at_s)
            self.ended[trial] = event.at_s

    @staticmethod
    def _until(spans: dict[int, Span], trial: int, at_s: float) -> None:
        if trial in spans and spans[trial][1] == math.inf:
            spans[trial] = (spans[trial][0], at_s)

    def status(self, places: Places, elapsed_s: float) -> ComputeStatus:
        """Return what was added up."""
        asks = [(body["asked_s"], body["asked_s"] + body["charged_s"]) for body in self.asks]
        measuring = list(self.measuring.values())
        free, roomy = (free_spans(measuring, n, elapsed_s) for n in (places.lanes, places.room))
        waits_s = [common_s(span, free) for span in asks]
        analyses = [(start, min(end, elapsed_s)) for start, end in self.analysing.values()]
        awaited = union(span for span in analyses if span[1] <= asks[-1][0])
        both = [part for span in awaited for part in without(span, union(asks))]
        idle_s = {PLANS: sum(waits_s), ANALYSES: float(sum(common_s(span, roomy) for span in both))}
        planned_s = sum(end - start for start, end in asks)
        analysed_s = sum(end - start for start, end in analyses)
        missed = [self._unseen(body) for body in self.asks]
        unseen = Counter(missed)
        planning = [body.get("planning") or {} for body in self.asks]
        counts = Metrics(
            busy_s=planned_s + self.ahead_s + analysed_s, idle_s=idle_s, ended={}, with_deadline=len(asks),
            in_time=sum(wait_s <= self._allowed_s() for wait_s in waits_s), staleness=dict(unseen),
            speculated=sum(one.get("begun", 0) > 0 for one in planning),
            speculation_hits=sum(one.get("how") == LISTED for one in planning), slices=0, slices_over=0,
            worst_over_s=0.0, preemptions=0, worst_yield_s=0.0, failures={}, retries=0,
            fallbacks=dict(Counter(_fallbacks(self.asks))),
        )  # fmt: skip
        return ComputeStatus(
            plans=len(asks),
            how=dict(Counter(_how(body) for body in self.asks)),
            elapsed_s=elapsed_s,
            planned_s=planned_s,
            ahead_s=self.ahead_s,
            analysed_s=analysed_s,
            idle_s=counts.idle_s,
            hidden=counts.hidden,
            in_time=counts.in_time,
            unseen={str(number): unseen[number] for number in sorted(unseen)},
            mean_unseen=counts.mean_staleness,
            stale=sum(n > one.get("s_max", math.inf) for n, one in zip(missed, planning, strict=True)),
            speculated=counts.speculated,
            hits=counts.speculation_hits,
            fallbacks=counts.fallbacks,
        )

    def _allowed_s(self) -> float:
        lasted_s = sorted(end - start for start, end in self.measuring.values() if end < math.inf)
        return ALLOWED * lasted_s[len(lasted_s) // 2] if lasted_s else 0.0

    def _unseen(self, body: Mapping[str, Any]) -> int:
        """Return how many results a plan did not know when it was carried out, less those that it had imagined."""
        first = min((trial["number"] for trial in body["trials"]), default=0)
        planned_s = body["asked_s"] + body["charged_s"]
        used_s = max(planned_s, self.measuring.get(first, (planned_s, 0.0))[0])
        came = sum(body["asked_s"] < at_s <= used_s for number, at_s in self.ended.items() if number < first)
        return came + (body.get("planning") or {}).get("missed", 0)


def _how(body: Mapping[str, Any]) -> str:
    if body.get("fallback_reason"):
        return RANDOM
    return _HOW[(body.get("planning") or {}).get("how", WHOLE)]


def _fallbacks(asks: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    for body in asks:
        if body.get("fallback_reason"):
            yield "the planner failed: random points"
        planning = body.get("planning") or {}
        if planning.get("begun") and planning["how"] == WHOLE and "time" not in planning["why"]:
            yield f"{planning['why']}: a full plan"
