"""Drills: the planner and the analysis."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from orchestrator.analysis import Analysis
from orchestrator.drill.catalogue import Drill, all_of, at_most_lost, none_lost, noted
from orchestrator.drill.ground import NotOffered, Outcome, Play
from orchestrator.knowledge import Knowledge
from orchestrator.seams import Seams
from planner.proposal import Proposal

Twist = Callable[[Any, Sequence[Proposal]], Sequence[Proposal]]


class _Odd:
    """A planner that answers one ask otherwise than it should."""

    def __init__(self, planner: Any, twist: Twist) -> None:
        self._planner, self._twist = planner, twist

    def __getattr__(self, name: str) -> Any:
        return getattr(self._planner, name)

    def ask(self, n: int, **more: Any) -> Sequence[Proposal]:
        """Answer, the first time, with a twist."""
        proposals = self._planner.ask(n, **more)
        twist, self._twist = self._twist, lambda _planner, found: found
        return twist(self._planner, proposals)


MODELLED = ("planner.policy=logei", "planner.deadline=5 s")


def _planner(twist: Twist, *overrides: str) -> Callable[[Play], None]:
    def between(knowledge: Knowledge) -> Knowledge:
        odd: Any = _Odd(knowledge.planner, twist)
        knowledge.planner = odd
        return knowledge

    def act(play: Play) -> None:
        play.strike(0.0)
        play.start(*overrides, seams=Seams(knowledge=between))
        play.finish()

    return act


def _hangs(planner: Any, _proposals: Sequence[Proposal]) -> Sequence[Proposal]:
    """Stop the planner's process, as one that computes for ever would be, and ask it once more."""
    os.kill(planner.process.pid, signal.SIGSTOP)
    return planner.ask(1)


def _dies(planner: Any, _proposals: Sequence[Proposal]) -> Sequence[Proposal]:
    planner.process.kill()
    return planner.ask(1)


def _raises(_planner: Any, _proposals: Sequence[Proposal]) -> Sequence[Proposal]:
    raise FloatingPointError("the covariance matrix is not positive definite")


def _twice(_planner: Any, proposals: Sequence[Proposal]) -> Sequence[Proposal]:
    return [proposals[0]] * max(2, len(proposals))


def _infeasible(planner: Any, proposals: Sequence[Proposal]) -> Sequence[Proposal]:
    name = next(iter(proposals[0].parameters))
    return [replace(one, parameters={**one.parameters, name: 1e12}) for one in proposals]


def _nan(_planner: Any, proposals: Sequence[Proposal]) -> Sequence[Proposal]:
    numbers = [name for name, value in proposals[0].parameters.items() if isinstance(value, float)]
    if not numbers:
        raise NotOffered("no parameter is a number")
    return [replace(one, parameters={**one.parameters, numbers[0]: math.nan}) for one in proposals]


def _analysis(function: Callable[[Any], Any]) -> Callable[[Play], None]:
    """Let the analysis of the first trial be another one."""

    def act(play: Play) -> None:
        is_first = True

        def between(analysis: Analysis) -> Analysis:
            def found(measurements: Any, *, options: Any) -> Any:
                nonlocal is_first
                if is_first:
                    is_first = False
                    return function(analysis)
                return analysis.function(measurements, options=options)

            return replace(analysis, function=found)

        play.strike(0.0)
        play.start(seams=Seams(analysis=between))
        play.finish()

    return act


def _cannot_tell(_analysis: Analysis) -> Any:
    from surrogate import AnalysisResult

    return AnalysisResult(cannot_tell="nothing stands out of the background")


def _breaks(_analysis: Analysis) -> Any:
    raise ZeroDivisionError("division by zero")


def _not_finite(analysis: Analysis) -> Any:
    from surrogate import AnalysisResult, Finding

    values = dict.fromkeys(analysis.targets, math.nan)
    return AnalysisResult(findings=(Finding(parameters={}, values=values, sd=values),), values=values)


def _came_to(**wanted: int) -> Callable[[Outcome], str]:
    def check(outcome: Outcome) -> str:
        found = {name: outcome.outcomes[name] for name in wanted}
        return "" if found == wanted else f"trials came to {dict(outcome.outcomes)}"

    return check


_FALLS_BACK = all_of(noted("raised", kind="fallback"), none_lost)

DRILLS = (
    Drill(
        name="planner-raises",
        fault="planner raises an exception",
        right="another policy answers that ask, and the report says why",
        act=_planner(_raises),
        wrong=_FALLS_BACK,
    ),
    Drill(
        name="planner-hangs",
        fault="planner hangs",
        right="after its deadline its process is ended, and another policy answers that ask",
        act=_planner(_hangs, *MODELLED),
        wrong=all_of(noted("took longer than 5 s", kind="fallback"), at_most_lost(0)),
    ),
    Drill(
        name="planner-dies",
        fault="planner's process dies (out of memory)",
        right="another policy answers that ask, and the planner is begun anew with all that it was told",
        act=_planner(_dies, *MODELLED),
        wrong=all_of(noted("process", kind="fallback"), at_most_lost(0)),
    ),
    Drill(
        name="planner-repeats",
        fault="planner proposes the same point twice",
        right="refused at the border; another policy answers that ask",
        act=_planner(_twice),
        wrong=_FALLS_BACK,
    ),
    Drill(
        name="planner-infeasible",
        fault="planner proposes an infeasible point",
        right="the same",
        act=_planner(_infeasible),
        wrong=_FALLS_BACK,
    ),
    Drill(
        name="planner-nan",
        fault="planner proposes NaN",
        right="the same",
        act=_planner(_nan),
        wrong=_FALLS_BACK,
    ),
    Drill(
        name="cannot-tell",
        fault="analysis cannot tell",
        right="the trial failed, its measurements are kept, the planner is told",
        act=_analysis(_cannot_tell),
        wrong=_came_to(failed=1, lost=0),
    ),
    Drill(
        name="analysis-raises",
        fault="analysis raises an exception",
        right="the trial is lost, its measurements are kept, no other is touched",
        act=_analysis(_breaks),
        wrong=_came_to(failed=0, lost=1),
    ),
    Drill(
        name="analysis-nan",
        fault="analysis answers NaN",
        right="the same",
        act=_analysis(_not_finite),
        wrong=_came_to(failed=0, lost=1),
    ),
)
