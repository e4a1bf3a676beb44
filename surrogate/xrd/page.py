"""Identifications as one HTML file that needs no network, and whose own policy forbids any.

`Page` takes them one by one and holds little of each, so that thousands can go by: all are rows of a table, and those
that most need a look, up to a limit, are shown in full.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from html import escape
from importlib import resources
from string import Template

from surrogate.xrd import words
from surrogate.xrd.page_pack import packed, script_json
from surrogate.xrd.page_section import badge, section
from surrogate.xrd.result import Identification

LIMIT = 50
"""Patterns that are shown in full unless told otherwise."""
SCRIPTS = ("page_base.js", "page_figure.js", "page_chart.js", "page_main.js")
URGENCY = ("unusable", "identified", "no crystalline phase", "amorphous", "cannot tell", "unknown phase present")
"""Verdicts by how much a person should look at the pattern, least first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A pattern in the table of all."""

    number: int
    file: str
    verdict: str
    phases: str
    probability: float | None
    unknown: float
    rwp: float | None
    gof: float | None
    seconds: float


@dataclass(order=True, slots=True)
class _Full:
    """A pattern shown in full; the least urgent, and of those the latest, is the first to go."""

    rank: tuple[int, int]
    number: int = field(compare=False)
    found: Identification = field(compare=False)
    curves: str = field(compare=False)
    """As JSON; empty where there are none."""


class Page:
    """Collects identifications for one page."""

    def __init__(self, *, limit: int = LIMIT) -> None:
        self._limit = limit
        self._rows: list[_Row] = []
        self._full: list[_Full] = []

    def add(self, found: Identification) -> None:
        """Take one more identification."""
        number = len(self._rows) + 1
        self._rows.append(_row(found, number))
        rank = (URGENCY.index(found.verdict), -number)
        if self._limit <= 0 or (len(self._full) >= self._limit and rank < self._full[0].rank):
            return
        curves = "" if found.curves is None else script_json(packed(found))
        item = _Full(rank, number, replace(found, curves=None), curves)
        if len(self._full) < self._limit:
            heapq.heappush(self._full, item)
        else:
            heapq.heapreplace(self._full, item)

    def render(self, *, notices: Sequence[str] = (), about: Sequence[str] = (), losses: Sequence[str] = ()) -> str:
        """Return the page.

        Args:
            notices: What a reader must know.
            about: What was compared with.
            losses: What of the library was not taken, one line each; they are folded away.
        """
        full = sorted(self._full, key=lambda item: item.number)
        scripts = "\n".join(_asset(name) for name in SCRIPTS)
        plotly = _plotly() if any(item.curves for item in full) else ""
        data = "".join(
            f'<script type="application/json" id="data-{item.number}">{item.curves}</script>'
            for item in full
            if item.curves
        )
        return Template(_asset("page.html")).substitute(
            policy=_policy(plotly, scripts),
            title=escape(self._title()),
            style=_asset("page.css"),
            body=self._body(full, notices, about, losses),
            data=data,
            plotly=plotly,
            script=scripts,
        )

    def _title(self) -> str:
        if len(self._rows) == 1:
            return f"{self._rows[0].file} · phases"
        return f"{len(self._rows)} patterns · phases"

    def _body(self, full: Sequence[_Full], notices: Sequence[str], about: Sequence[str], losses: Sequence[str]) -> str:
        told = "".join(f'<p class="notice">{escape(text)}</p>' for text in notices)
        told += "".join(f'<p class="about">{escape(text)}</p>' for text in about) + _folded(losses)
        sections = "".join(self._section(full, index) for index in range(len(full)))
        return (
            f"{self._head()}<header>{told}</header><main>{self._overview(full)}"
            '<noscript><p class="notice">The charts need JavaScript, which this page carries itself; the tables do '
            f"not.</p></noscript>{sections}</main><footer>Written by labpilot. This file holds all that it shows, and "
            "asks no network for anything.</footer>"
        )

    def _head(self) -> str:
        kicker = (
            '<p class="kicker"><span>Phases by X-ray diffraction</span><span class="spring"></span>'
            '<button type="button" class="tool no-print" id="scheme">Dark</button></p>'
        )
        if len(self._rows) == 1:
            return f'<header class="masthead">{kicker}</header>'
        counts = Counter(row.verdict for row in self._rows)
        figures = "".join(
            f'<div><dt>{badge(verdict)}</dt><dd class="value">{counts[verdict]}</dd></div>'
            for verdict in sorted(counts, key=URGENCY.index, reverse=True)
        )
        return (
            f'<header class="masthead">{kicker}<h1>{len(self._rows)} patterns</h1>'
            f'<dl class="figures">{figures}</dl></header>'
        )

    def _overview(self, full: Sequence[_Full]) -> str:
        if len(self._rows) == 1:
            return ""
        linked = {item.number for item in full}
        rows = "".join(_row_html(row, is_linked=row.number in linked) for row in self._rows)
        heads = "".join(
            f'<th class="{kind}" aria-sort="none"><button type="button" class="sort">{head}</button></th>'
            for head, kind in _HEADS
        )
        cut = ""
        if len(full) < len(self._rows):
            cut = (
                f"{len(full)} of {len(self._rows)} patterns are shown in full: those with an unknown phase first, then "
                "those that cannot be told, and so on. "
            )
        return (
            f'<section id="all"><h2>All patterns</h2><p class="about">{cut}<span class="no-print">Click a head to '
            'sort. </span></p><p class="no-print"><input type="search" class="tool" id="filter" placeholder="file, '
            'phase or verdict" aria-label="Show only patterns with these words"> <span id="filter-count"></span></p>'
            f'<div class="scroll tall"><table id="patterns"><thead><tr>{heads}</tr></thead>'
            f"<tbody>{rows}</tbody></table></div></section>"
        )

    def _section(self, full: Sequence[_Full], index: int) -> str:
        item = full[index]
        links = ""
        if len(self._rows) > 1:
            before = f'<a href="#pattern-{full[index - 1].number}">← before</a> ' if index else ""
            after = f' <a href="#pattern-{full[index + 1].number}">next →</a>' if index + 1 < len(full) else ""
            links = f'<span class="no-print">{before}<a href="#all">all</a>{after}</span>'
        return section(item.found, item.number, links=links, has_chart=bool(item.curves))


def _folded(losses: Sequence[str]) -> str:
    if not losses:
        return ""
    lines = "".join(f"<li>{escape(text)}</li>" for text in losses)
    return f'<details class="about"><summary>All that was not taken of the library</summary><ul>{lines}</ul></details>'


_HEADS = (
    ("File", ""), ("Verdict", ""), ("Phases, wt%", ""), ("Probability", "n"), ("Unknown", "n"), ("Rwp, %", "n"),
    ("GoF", "n"), ("CPU, s", "n"),
)  # fmt: skip


def _row(found: Identification, number: int) -> _Row:
    return _Row(
        number=number,
        file=found.file,
        verdict=found.verdict,
        phases=", ".join(f"{claim.name} {100 * claim.weight_fraction:.0f}" for claim in found.phases),
        probability=found.alternatives[0].probability if found.alternatives else None,
        unknown=found.unknown_probability,
        rwp=found.rwp,
        gof=found.gof,
        seconds=found.seconds,
    )


def _row_html(row: _Row, *, is_linked: bool) -> str:
    name = escape(row.file)
    is_known = row.verdict != "unusable"
    cells = [
        ("", f'<a href="#pattern-{row.number}">{name}</a>' if is_linked else name, None),
        ("", badge(row.verdict), str(URGENCY.index(row.verdict))),
        ("", escape(row.phases) or "–", None),
        ("n", "–" if row.probability is None else escape(words.probability(row.probability)), row.probability),
        ("n", escape(words.probability(row.unknown)) if is_known else "–", row.unknown),
        ("n", words.number(row.rwp), row.rwp),
        ("n", words.number(row.gof), row.gof),
        ("n", words.number(row.seconds, 2) if is_known else "–", row.seconds),
    ]
    return f"<tr>{''.join(_cell(*cell) for cell in cells)}</tr>"


def _cell(kind: str, text: str, key: float | str | None) -> str:
    kept = f' data-key="{key}"' if key is not None else ""
    return f'<td class="{kind}"{kept}>{text}</td>' if kind else f"<td{kept}>{text}</td>"


def _policy(*scripts: str) -> str:
    """Forbid every request, and every script but these; plotly sets styles as it draws."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _asset(name: str) -> str:
    return (resources.files("surrogate.xrd") / name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    """Return plotly's script from its package; it must not close the element that holds it."""
    text = (resources.files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    return text.replace("</script", "<\\/script")
