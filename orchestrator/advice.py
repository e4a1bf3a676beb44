"""Advice: which run a free furnace should begin, by an optimiser where its plan beats the rule's, else by the rule.

Nobody waits for ever. Where a furnace has been kept free for a plan for as long as a run takes, or a sample has waited
for the recipe's ``longest_wait``, the rule decides; and whoever has waited for `LONG_RUNS` runs is in the next one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from orchestrator.scheduling.batching import Batch, Former
from orchestrator.scheduling.optimising import Course, NoAnswer, Optimiser
from orchestrator.scheduling.sharing import Problem

T = TypeVar("T")

log = logging.getLogger(__name__)

AGAIN_S = 600.0
"""How long an answer holds if nothing happens meanwhile."""
LONG_RUNS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What a free furnace should do."""

    batch: Batch | None
    """Begin with these; None: wait."""
    again_s: float
    """When to ask again at the latest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    signature: object
    now_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    signature: object
    until_s: float
    """How long it holds."""
    course: Course | None


def _nobody() -> None:
    return None


@dataclass(slots=True, kw_only=True)
class Advisor:
    """Asks an optimiser about one kind of furnaces, and says where the rule is to be followed instead."""

    optimiser: Optimiser
    report: Callable[[str], None]
    """Told once why the optimiser is of no use."""
    on_course: Callable[[Course], None] | None = None
    is_aside: bool = False
    """Whether the optimiser searches in a thread, and everything else goes on. In virtual time there are no threads:
    time stands still while it searches."""
    on_answer: Callable[[], None] = _nobody
    """Called once there is an answer to what was asked aside."""
    _answer: _Answer | None = None
    _thinking: asyncio.Task[None] | None = None
    _last: Course | None = None
    """The last answer that there was."""
    _held_s: float | None = None
    """Since when a furnace has been kept free."""
    _is_broken: bool = False
    _has_told: bool = False

    def another(self, on_answer: Callable[[], None]) -> Advisor:
        """Return one for another kind of furnaces."""
        return Advisor(
            optimiser=self.optimiser,
            report=self.report,
            on_course=self.on_course,
            is_aside=self.is_aside,
            on_answer=on_answer,
        )

    def advise(self, former: Former, problem: Callable[[], Problem], signature: object, now_s: float) -> Advice | None:
        """Return what to do with a furnace that is free; None: as the rule says.

        signature: What the answer depends on, time apart.
        """
        if not former.waiting:
            self._held_s = None
            return None
        aged = self._aged(former, now_s)
        if aged is not None:
            return Advice(batch=aged, again_s=now_s)
        if self._is_out_of_patience(former, now_s):
            return None
        if not self._has_answer(signature, now_s):
            self._ask(former, problem, _Question(signature=signature, now_s=now_s))
        if self._thinking is not None:
            return self._keep_free(former, now_s, ())
        course = None if self._answer is None else self._answer.course
        if course is None or not course.is_better:
            self._held_s = None
            return None
        return self._follow(course, former, now_s)

    def begun(self) -> None:
        """Know that a run was begun: whoever is kept waiting from now on is kept waiting anew."""
        self._held_s = None

    async def close(self) -> None:
        """Wait for no answer any more; a search ends by itself, within its limit."""
        if self._thinking is not None:
            self._thinking.cancel()
            await asyncio.gather(self._thinking, return_exceptions=True)
            self._thinking = None

    def _aged(self, former: Former, now_s: float) -> Batch | None:
        oldest = min(former.waiting, key=lambda one: one.since_s)
        if now_s - oldest.since_s < LONG_RUNS * oldest.run_s:
            return None
        alike = [one.owner for one in former.waiting if one.key == oldest.key]
        return Batch(key=oldest.key, members=tuple(alike[: former.capacity]))

    def _is_out_of_patience(self, former: Former, now_s: float) -> bool:
        if former.is_strict and any(now_s >= one.since_s + former.longest_wait * one.run_s for one in former.waiting):
            return True
        shortest_s = min(one.run_s for one in former.waiting)
        return self._held_s is not None and now_s - self._held_s >= shortest_s

    def _has_answer(self, signature: object, now_s: float) -> bool:
        return self._answer is not None and self._answer.signature == signature and now_s < self._answer.until_s

    def _ask(self, former: Former, problem: Callable[[], Problem], question: _Question) -> None:
        """Ask the optimiser; what it is asked aside is answered later, and nothing else is asked until then."""
        if self._thinking is not None:
            return
        if self._is_broken:
            self._answered(question, None)
            return
        given = _tried(problem)
        if isinstance(given, Exception):
            self._answered(question, given)
            return
        before = () if self._last is None else [run.batch for run in self._last.runs]
        work = partial(_tried, partial(self.optimiser.course, given, former.copy(), before=before))
        if self.is_aside:
            self._thinking = asyncio.get_running_loop().create_task(self._think(question, work))
        else:
            self._answered(question, work())

    async def _think(self, question: _Question, work: Callable[[], Course | Exception]) -> None:
        outcome = await asyncio.to_thread(work)
        self._thinking = None
        self._answered(question, outcome)
        self.on_answer()

    def _answered(self, question: _Question, outcome: Course | Exception | None) -> None:
        course = None
        if isinstance(outcome, Exception):
            self._failed(outcome)
        elif outcome is not None:
            course = self._last = outcome
            if self.on_course is not None:
                self.on_course(course)
        starts_s = [] if course is None else [run.start_s for run in course.runs if run.start_s > question.now_s]
        until_s = min([*starts_s, question.now_s + AGAIN_S])
        self._answer = _Answer(signature=question.signature, until_s=until_s, course=course)

    def _failed(self, error: Exception) -> None:
        if isinstance(error, NoAnswer):
            self._tell(f"the rule forms batches where the optimiser cannot: {error}")
            return
        log.error("optimiser_broke", exc_info=error)
        self._is_broken = True
        self._tell(f"the rule forms batches from now on; the optimiser broke: {type(error).__name__}: {error}")

    def _tell(self, text: str) -> None:
        log.warning("optimiser_of_no_use %s", text)
        if not self._has_told or self._is_broken:
            self._has_told = True
            self.report(text)

    def _follow(self, course: Course, former: Former, now_s: float) -> Advice:
        here = {one.owner for one in former.waiting}
        for run in course.runs:
            if run.start_s <= now_s and here.issuperset(run.batch.members):
                return Advice(batch=replace(run.batch, is_planned=True), again_s=now_s)
        return self._keep_free(former, now_s, [run.start_s for run in course.runs if run.start_s > now_s])

    def _keep_free(self, former: Former, now_s: float, limits_s: Iterable[float]) -> Advice:
        if self._held_s is None:
            self._held_s = now_s
        limits_s = [*limits_s, now_s + AGAIN_S]
        if former.is_strict:
            limits_s += [one.since_s + former.longest_wait * one.run_s for one in former.waiting]
        return Advice(batch=None, again_s=max(now_s, min(limits_s)))


def _tried(work: Callable[[], T]) -> T | Exception:
    """Do what the optimiser does: its supervisor. Whatever is wrong with it must not cost a campaign."""
    try:
        return work()
    except Exception as error:
        return error
