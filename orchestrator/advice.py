"""Advice: which run a free furnace should begin, by an optimiser where its plan beats the rule's, else by the rule.

Nobody waits for ever. Where a furnace has been kept free for a plan for as long as a run takes, or a sample has waited
for the recipe's ``longest_wait``, the rule decides; and whoever has waited for `LONG_RUNS` runs is in the next one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from orchestrator.scheduling.batching import Batch, Former
from orchestrator.scheduling.optimising import Course, NoAnswer, Optimiser
from orchestrator.scheduling.sharing import Problem

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


@dataclass(slots=True, kw_only=True)
class Advisor:
    """Asks an optimiser, and says where the rule is to be followed instead."""

    optimiser: Optimiser
    report: Callable[[str], None]
    """Told once why the optimiser is of no use."""
    on_course: Callable[[Course], None] | None = None
    _asked: tuple[object, float, Course | None] | None = None
    """What was asked last, until when the answer holds, and the answer."""
    _last: Course | None = None
    """The last answer that there was."""
    _held_s: float | None = None
    """Since when a furnace has been kept free."""
    _is_broken: bool = False
    _has_told: bool = False

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
        course = self._course(former, problem, signature, now_s)
        if course is None or not course.is_better:
            self._held_s = None
            return None
        return self._follow(course, former, now_s)

    def begun(self) -> None:
        """Know that a run was begun: whoever is kept waiting from now on is kept waiting anew."""
        self._held_s = None

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

    def _course(self, former: Former, problem: Callable[[], Problem], signature: object, now_s: float) -> Course | None:
        if self._is_broken:
            return None
        if self._asked is not None and self._asked[0] == signature and now_s < self._asked[1]:
            return self._asked[2]
        course = self._answer(former, problem)
        starts_s = [] if course is None else [run.start_s for run in course.runs if run.start_s > now_s]
        self._asked = (signature, min([*starts_s, now_s + AGAIN_S]), course)
        return course

    def _answer(self, former: Former, problem: Callable[[], Problem]) -> Course | None:
        """Ask the optimiser: the supervisor of it, without which the rule does."""
        try:
            before = () if self._last is None else [run.batch for run in self._last.runs]
            course = self._last = self.optimiser.course(problem(), former, before=before)
        except NoAnswer as error:
            self._tell(f"the rule forms batches where the optimiser cannot: {error}")
            return None
        except Exception as error:  # whatever is wrong with it must not cost a campaign
            log.exception("optimiser_broke")
            self._is_broken = True
            self._tell(f"the rule forms batches from now on; the optimiser broke: {type(error).__name__}: {error}")
            return None
        if self.on_course is not None:
            self.on_course(course)
        return course

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
        if self._held_s is None:
            self._held_s = now_s
        limits_s = [run.start_s for run in course.runs if run.start_s > now_s]
        if former.is_strict:
            limits_s += [one.since_s + former.longest_wait * one.run_s for one in former.waiting]
        return Advice(batch=None, again_s=max(now_s, min([*limits_s, now_s + AGAIN_S])))
