"""Ahead: whether the next plan is a full one or the best of what was thought of before, and what is kept of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from drivers.clock import Clock
from orchestrator.ahead.fields import MOST_POINTS, Planning
from orchestrator.ahead.forethought import MOST_LETTERS, Forethought
from orchestrator.ahead.lists import Chosen, ShortList, merged
from orchestrator.ahead.pace import LISTED, WHOLE, Pace, Took, slack_s, trial_s
from orchestrator.campaign import Campaign
from orchestrator.charges import Charges
from orchestrator.history import History
from orchestrator.hours.keeper import Timekeeper
from orchestrator.journal import Journal
from orchestrator.knowledge import Answer, Knowledge
from surrogate.compute import ComputeQueue

_NOTHING = "nothing was under way that could be thought of ahead"


@dataclass(slots=True, kw_only=True)
class Ahead:
    """Decides how the next plan is made."""

    settings: Planning
    forethought: Forethought
    pace: Pace
    history: History
    clock: Clock
    lanes: int
    """How many trials the laboratory carries side by side."""
    s_max: int
    """How many results a short list may have missed."""
    why_not: str = ""
    """Why nothing can be planned ahead at all; empty: it can."""
    _last: Chosen = field(default_factory=lambda: Chosen(points=(), unseen=0, lists=0, why=_NOTHING))

    async def choose(self, n: int, known: int, *, is_advised_anew: bool = False) -> Sequence[Mapping[str, Any]]:
        """Return the points that the next n trials are chosen among; none: a full plan is to be made.

        Args:
            n: How many.
            known: How many observations the planner has.
            is_advised_anew: Whether people have said something to the planner since its last ask, which no list knows.
        """
        if self.forethought.begun and (is_advised_anew or self.forethought.has_suggestions):
            self._reject("people have said something that the short lists do not know")
            return ()
        self._last = await self._among(known, most=max(MOST_POINTS, n))
        if self._last.points and len(self._last.points) < n:
            self._reject("the short lists hold too few points")
        return self._last.points

    @property
    def is_from_lists(self) -> bool:
        """Return whether the plan at hand is the best of what was thought of ahead."""
        return bool(self._last.points)

    def consider(self) -> None:
        """Think of what may come, unless that is being done, or was."""
        self.forethought.consider()

    def asked(self, document: Mapping[str, Any] | None) -> None:
        """Know that the trials of an ask are accepted, and what the planner knows by now."""
        self.forethought.asked(document)
        self._reject(_NOTHING)

    def close(self) -> None:
        """Leave what is being thought of; safe to call twice."""
        self.forethought.drop()

    def _reject(self, why: str) -> None:
        self._last = Chosen(points=(), unseen=0, lists=0, why=why)

    def none_fits(self) -> None:
        """Know that none of the points could be proposed, so that a full plan is made after all."""
        self._reject("none of the short lists' points may be proposed now")

    async def _among(self, known: int, *, most: int) -> Chosen:
        full_s = self.pace.ask_s(known)
        if self.why_not or full_s is None or not self.forethought.begun:
            return Chosen(points=(), unseen=0, lists=0, why=self.why_not or _NOTHING)
        if full_s <= self._time_s():
            return Chosen(points=(), unseen=0, lists=0, why="there was time for a full plan")
        await self._wait_for_first(known)
        return merged(self.forethought.lists, self._has_ended, s_max=self.s_max, most=most)

    def _time_s(self) -> float:
        """Return how long a plan may take without an instrument that waits for longer than people have allowed."""
        history, lasts_s = self.history, trial_s(self.history.trials)
        allowed_s = self.settings.wait * (lasts_s or 0.0)
        began_s, now_s = self.forethought.began_s(), self.clock.now_s()
        spare_s = slack_s(history.trials, began_s, lanes=self.lanes, now_s=now_s, lasts_s=lasts_s)
        return max(allowed_s, spare_s)

    async def _wait_for_first(self, known: int) -> None:
        """Wait for the first short list where that takes less than half as long as a plan that knows everything."""
        thinks, whole_s = self.forethought, self.pace.ask_s(known, 0.5)
        if thinks.lists or not thinks.is_thinking or whole_s is None:
            return
        left_s = whole_s - (self.clock.now_s() - thinks.began_at_s)
        if left_s + self.pace.choice_s(known) < 0.5 * whole_s:
            await thinks.first(max(0.0, left_s))

    def _has_ended(self, number: int) -> bool:
        return not self.history.trials[number - 1].is_open

    def part_of_ask(self, answer: Answer, *, known: int, charged_s: float) -> dict[str, Any]:
        """Return what an ``asked`` event is to say of how it was planned, and learn what it took."""
        how = LISTED if self._last.points else WHOLE
        self.pace.learn([Took(how=how, known=known, seconds=charged_s)])
        told = {number for telling in self.history.told for number in telling.trials}
        meanwhile = sum(not trial.is_open and trial.number not in told for trial in self.history.trials)
        missed = self._last.unseen if how == LISTED else 0
        unseen = missed + meanwhile
        return {
            "how": how,
            "why": self._last.why,
            "points": len(self._last.points),
            "lists": self._last.lists,
            "begun": self.forethought.begun,
            "missed": missed,
            "unseen": unseen,
            "s_max": self.s_max,
            "is_stale": unseen > self.s_max,
            "known": known,
        }


def ahead_of(
    campaign: Campaign,
    settings: Planning,
    *,
    knowledge: Knowledge,
    queue: ComputeQueue,
    clock: Clock,
    journal: Journal,
    history: History,
    hours: Timekeeper,
    charges: Charges | None,
    broke: Callable[[Exception], None],
) -> Ahead:
    """Return what plans ahead in a campaign, from wherever its history stands."""
    document, why_not = document_of(knowledge)
    if campaign.shared and campaign.batch > 1:
        document, why_not = None, "trials of one ask share parameters, and are planned together"
    lists = [ShortList.of(body) for body in history.speculated if body["ask"] == history.asks]
    forethought = Forethought(
        campaign=campaign,
        settings=settings,
        queue=queue,
        clock=clock,
        journal=journal,
        history=history,
        charges=charges,
        began_s=hours.begun_s,
        broke=broke,
        document=document,
        lists=lists,
        begun=len(lists),
    )
    pace = Pace(policy=campaign.planner.policy)
    pace.learn(history.took)
    return Ahead(
        settings=settings,
        forethought=forethought,
        pace=pace,
        history=history,
        clock=clock,
        lanes=hours.lanes,
        s_max=max(1, campaign.at_once - 1) if settings.s_max is None else settings.s_max,
        why_not=why_not,
    )


def document_of(knowledge: Knowledge) -> tuple[Mapping[str, Any] | None, str]:
    """Return what a planner knows as plain data, or why nothing can be thought of ahead of it."""
    document = knowledge.document()
    if document is None:
        why = f"policy {knowledge.policy!r} does not choose from a list by what it has learnt"
        return None, why
    if len(str(document["space"])) > MOST_LETTERS:
        return None, "the search space is too large to be handed from process to process"
    return document, ""
