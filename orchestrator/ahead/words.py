"""Figures of a campaign's computing, each with what it means, for people."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.ahead.metrics import ANALYSES, PLANS, ComputeStatus
from orchestrator.words import duration, plural

_WAITS = {
    PLANS: "a place for a trial was free while its plan was being made",
    ANALYSES: "the next plan needed a result that was still being analysed",
}


def figures(status: ComputeStatus) -> Iterator[tuple[str, str, str]]:
    """Return name, value and meaning of each figure."""
    spent = [("asks", status.planned_s), ("short lists", status.ahead_s), ("analyses", status.analysed_s)]
    parts = ", ".join(f"{duration(seconds)} for {what}" for what, seconds in spent if seconds)
    yield "Computing", duration(sum(seconds for _, seconds in spent)), parts or "none that took time"
    yield "Hidden", f"{status.hidden:.1%}", "part of it for which no instrument waited"
    for what, why in _WAITS.items():
        share = status.idle_s[what] / status.elapsed_s if status.elapsed_s else 0.0
        yield f"Waiting for {what}", f"{duration(status.idle_s[what])} ({share:.1%})", why
    yield "Plans", str(status.plans), ", ".join(f"{count} {name}" for name, count in status.how.items())
    in_time = "plans for which no instrument waited longer than a hundredth of a trial"
    yield "In time", f"{status.in_time} of {status.plans}", in_time
    yield "Unseen results", f"{status.mean_unseen:.2f} a plan", _unseen(status)
    if status.speculated:
        best = "plans that were the best of short lists, of those for which results had been imagined"
        yield "Thought of ahead", f"{status.hits} of {status.speculated}", best
    for why, count in status.fallbacks.items():
        yield "Fell back", plural(count, "time"), why


def _unseen(status: ComputeStatus) -> str:
    stale = f"; {plural(status.stale, 'plan')} missed more than they may" if status.stale else ""
    missed = [f"{plural(count, 'plan')} missed {unseen}" for unseen, count in status.unseen.items() if int(unseen)]
    told = ", ".join(missed) or "no plan missed any"
    return f"results that had come and that a plan neither knew nor had imagined: {told}{stale}"
