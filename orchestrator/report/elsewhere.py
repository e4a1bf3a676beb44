"""What was measured or computed elsewhere, and how far this campaign's results follow it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from orchestrator.reading import Snapshot
from orchestrator.report.sections import table
from orchestrator.source_words import sources_said
from orchestrator.status.campaign_status import SourcesStatus
from orchestrator.status.facts import sources_status
from orchestrator.words import number

_MOST_COLUMNS = 12


def elsewhere(snapshot: Snapshot) -> str:
    """Return a table of the sources with their weights from ask to ask; nothing where there are none."""
    if not snapshot.sources:
        return ""
    told = [(ask.index, found) for ask in snapshot.asks if (found := sources_status(ask)) is not None]
    now = f"At the last ask: {escape(sources_said(told[-1][1]))}. " if told else ""
    shown = _spread(told)
    rows = [_row(source, [found for _, found in shown]) for source in snapshot.sources]
    if shown:
        rows += [
            ["all together", "", "", "", *(_percent(found.all) for _, found in shown)],
            ["none", "", "", "", *(_percent(found.nothing) for _, found in shown)],
        ]
    heads = ["source", "from", "values", "left out, or odd", *(f"ask {index + 1}" for index, _ in shown)]
    return (
        f"<h3>Sources</h3><p class='about'>{now}A weight is the probability, by the results so far, that these follow "
        "one source alone, all of them together, or none. It does not say how many experiments a source has saved: "
        "<code>labpilot compare</code> finds that out where the laboratory can be simulated.</p>"
        f"{table(heads, rows, wide=3, numeric=[2, *range(4, len(heads))])}"
    )


def _spread(told: list[tuple[int, SourcesStatus]]) -> list[tuple[int, SourcesStatus]]:
    """Return the first, the last, and some between them."""
    if len(told) <= _MOST_COLUMNS:
        return told
    last = len(told) - 1
    return [told[round(place * last / (_MOST_COLUMNS - 1))] for place in range(_MOST_COLUMNS)]


def _row(source: Mapping[str, Any], told: list[SourcesStatus]) -> list[str]:
    name = source["name"]
    refused = told[-1].refused.get(name) if told else None
    said = [f"not used: {refused}"] if refused else []
    of = f" of {number(source['usable'])}" if source["usable"] > len(source["values"]) else ""
    weights = [_percent(found.weights.get(name)) for found in told]
    return [name, source["at"], f"{number(len(source['values']))}{of}", "; ".join([*said, *source["notes"]]), *weights]


def _percent(weight: float | None) -> str:
    return "–" if weight is None else f"{weight:.0%}"
