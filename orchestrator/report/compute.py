"""What computing cost, and whether instruments felt it."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from orchestrator.ahead.metrics import ANALYSES, PLANS, ComputeStatus
from orchestrator.reading import Reading, Snapshot
from orchestrator.report.sections import table
from orchestrator.words import duration, plural

_WAITS = {
    PLANS: "a place for a trial was free while its plan was being made",
    ANALYSES: "the next plan needed a result that was still being analysed",
}


def compute(snapshot: Snapshot, reading: Reading) -> str:
    """Return a small table, each figure with what it means."""
    status = reading.compute(snapshot.journal)
    if status is None:
        return "<p>Nothing was asked of the planner yet.</p>"
    about = (
        "While an instrument works, computing costs nothing; what it has to wait for is time of the laboratory. "
        "With 'planning: {ahead: true}' plans are made for results that may come, before they do."
    )
    return f'<p class="about">{escape(about)}</p>{table(["figure", "", "what it means"], list(_rows(status)), wide=2)}'


def _rows(status: ComputeStatus) -> Iterator[tuple[str, str, str]]:
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
    told = ", ".join(f"{plural(count, 'plan')} missed {unseen}" for unseen, count in status.unseen.items())
    return f"results that had come and that a plan neither knew nor had imagined: {told}{stale}"
