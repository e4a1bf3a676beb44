"""What was known before the campaign, which is neither a trial of it nor its best."""

from __future__ import annotations

from html import escape

from orchestrator.reading import Snapshot
from orchestrator.report.gather import objective_facts, parameter_facts
from orchestrator.report.sections import MOST_ROWS, table, titled
from orchestrator.words import number, plural


def known_beforehand(snapshot: Snapshot) -> str:
    """Return the results that the planner was told first, as a table; nothing where there were none."""
    if not snapshot.known:
        return ""
    facts, targets = parameter_facts(snapshot), objective_facts(snapshot)
    context = list(dict.fromkeys(name for result in snapshot.known for name in result["context"]))
    rows = [
        [
            *(number(result["parameters"].get(item["name"])) for item in facts),
            *(number(result["values"].get(item["name"])) for item in targets),
            *(number(result["context"].get(name)) for name in context),
            result["failure"],
        ]
        for result in snapshot.known[:MOST_ROWS]
    ]
    names = [titled(item) for item in [*facts, *targets]]
    source = str((snapshot.campaign.config.get("known") or {}).get("table", ""))
    return (
        f"<h3>Known beforehand</h3><p class='about'>{plural(len(snapshot.known), 'result')} of {escape(source)} that "
        "the planner was told before its first ask. They are no trials of this campaign, and never its best.</p>"
        f"<details><summary>All of them as a table</summary>"
        f"{table([*names, *context, 'failure'], rows, cut=len(snapshot.known), numeric=range(len(names)))}</details>"
    )
