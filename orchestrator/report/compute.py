"""What computing cost, and whether instruments felt it."""

from __future__ import annotations

from html import escape

from orchestrator.ahead.words import figures
from orchestrator.reading import Reading, Snapshot
from orchestrator.report.sections import table


def compute(snapshot: Snapshot, reading: Reading) -> str:
    """Return a small table, each figure with what it means."""
    status = reading.compute(snapshot.journal)
    if status is None:
        return "<p>Nothing was asked of the planner yet.</p>"
    about = (
        "While an instrument works, computing costs nothing; what it has to wait for is time of the laboratory. "
        "With 'planning: {ahead: true}' plans are made for results that may come, before they do."
    )
    return (
        f'<p class="about">{escape(about)}</p>{table(["figure", "", "what it means"], list(figures(status)), wide=2)}'
    )
