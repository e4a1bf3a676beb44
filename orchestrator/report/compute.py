"""What computing cost, and whether instruments felt it."""

from __future__ import annotations

from html import escape

from orchestrator.ahead.words import figures
from orchestrator.reading import Reading, Snapshot
from orchestrator.report.sections import table


def compute(snapshot: Snapshot, reading: Reading) -> str:
    """Return a small table, each figure with what it means; nothing before the first ask."""
    status = reading.compute(snapshot.journal)
    if status is None:
        return ""
    about = (
        "While an instrument works, computing costs nothing; what it has to wait for is time of the laboratory. "
        "With 'planning: {ahead: true}' plans are made for results that may come, before they do."
    )
    rows = table(["figure", "", "what it means"], list(figures(status)), wide=2)
    title = '<h3 id="computing" style="margin-top: 1.5rem">Computing, and who waited for it</h3>'
    return f'{title}<p class="about">{escape(about)}</p>{rows}'
