"""One pattern on the page: verdict, chart, phases, alternatives, residual peaks, gates, where it came from."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from surrogate.xrd import words
from surrogate.xrd.result import Gate, Identification, PhaseClaim, ResidualPeak

COLOURS = 8
"""Phases beyond so many share colours."""
MOST_ALTERNATIVES = 12
MOST_PEAKS = 40

VERDICT_CLASS = {
    "identified": "good",
    "cannot tell": "open",
    "unknown phase present": "odd",
    "amorphous": "odd",
    "no crystalline phase": "none",
    "unusable": "bad",
}
_GATE_STATES = {
    True: ("good", "✓", "passed"),
    False: ("bad", "✕", "failed"),
    None: ("none", "?", "cannot say"),
}


def section(found: Identification, number: int, *, links: str = "", has_chart: bool = True) -> str:
    """Return the section of one pattern; `links` lead to others, and must be HTML already."""
    parts = [
        _head(found, links),
        _figures(found),
        _fit(found, number) if has_chart else "",
        _phases(found.phases),
        f'<div class="pair"><div>{_alternatives(found)}{_peaks(found.unknown_peaks)}</div>{_gates(found.gates)}</div>',
        _provenance(found),
    ]
    return f'<section class="pattern" id="pattern-{number}">{"".join(parts)}</section>'


def badge(verdict: str) -> str:
    """Return a verdict as a coloured label."""
    return f'<span class="badge {VERDICT_CLASS.get(verdict, "none")}">{escape(verdict)}</span>'


def chemical(formula: str) -> str:
    """Return a formula with its numbers set low."""
    return re.sub(r"(?<=[A-Za-z)\]])(\d+(?:\.\d+)?)", r"<sub>\1</sub>", escape(formula))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: Sequence[int] = (), kind: str = "") -> str:
    """Return a table of cells that are HTML already; columns by number in `numeric` are set to the right."""
    classes = [' class="n"' if index in numeric else "" for index in range(len(heads))]
    top = "".join(f"<th{kind_}>{head}</th>" for kind_, head in zip(classes, heads, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{kind_}>{cell}</td>' for kind_, cell in zip(classes, row, strict=True))}</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table class="{kind}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _head(found: Identification, links: str) -> str:
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in found.reasons)
    return (
        f'<p class="kicker"><span class="file">{escape(found.file) or "a pattern"}</span>{badge(found.verdict)}'
        f'<span class="spring"></span>{links}</p><h2>{escape(words.headline(found))}</h2>'
        + (f'<ul class="reasons">{reasons}</ul>' if reasons else "")
    )


def _figures(found: Identification) -> str:
    if found.verdict == "unusable":
        return ""
    figures = [
        ("Weighted residual", _with_unit(found.rwp, "%"), f"Rwp; counting alone gives {words.number(found.rexp)} %"),
        ("Goodness of fit", words.number(found.gof), "Rwp over Rexp; 1 is noise alone"),
        ("Unknown phase", words.probability(found.unknown_probability), "probability that one is there"),
        ("Amorphous", words.share(found.amorphous_fraction), _of_scattering(found)),
        ("Zero shift", words.signed(found.zero_deg, "°"), f"displacement {words.signed(found.displacement_deg, '°')}"),
    ]
    return f'<dl class="figures">{"".join(_figure(*figure) for figure in figures)}</dl>'


def _of_scattering(found: Identification) -> str:
    within = ""
    if found.amorphous_interval is not None:
        low, high = (words.share(one) for one in found.amorphous_interval)
        within = f"; {low} to {high} with 90 %"
    return f"of the scattering above the background{within}"


def _figure(name: str, value: str, note: str) -> str:
    return (
        f'<div><dt>{name}</dt><dd class="value">{escape(value)}</dd>'
        f'<dd class="note">{escape(note if value != "–" else "nothing can be said")}</dd></div>'
    )


def _with_unit(value: float | None, unit: str) -> str:
    text = words.number(value)
    return text if text == "–" else f"{text} {unit}"


def _fit(found: Identification, number: int) -> str:
    label = f"Pattern, fit and difference of {escape(found.file)}"
    return (
        f'<figure class="panel"><div class="tools no-print" id="tools-{number}"></div>'
        f'<div class="chart" id="chart-{number}" data-pattern="{number}" role="img" aria-label="{label}"></div>'
        '<figcaption><span class="no-print">Drag to zoom all panels, double-click for the whole pattern. </span>'
        "Below the pattern: reflections of each phase, observed minus calculated, and the same in standard deviations "
        f"of the noise (shaded: three of them).<span id='note-{number}'></span></figcaption></figure>"
    )


def _phases(claims: Sequence[PhaseClaim]) -> str:
    if not claims:
        return ""
    heads = [
        "Phase", "Probability", "Weight", "Cell (Å, °)", "Library", "Change", "Crystallites", "Texture", "Source",
    ]  # fmt: skip
    rows = [_phase(index, claim) for index, claim in enumerate(claims)]
    return (
        "<h3>Phases</h3>"
        + table(heads, rows, numeric=(1, 2, 3, 4, 5, 6, 7), kind="phases")
        + '<p class="about">Weights are of the crystalline part, with 90 % intervals. Esds stand in brackets, in units '
        "of the last digit. Texture: the strongest factor on a reflection over the weakest; 1 is a random powder.</p>"
    )


def _phase(index: int, claim: PhaseClaim) -> list[str]:
    parameters = list(words.free_parameters(claim.cell, claim.reference_cell))
    volume = _volume(claim.reference_cell)
    change = words.signed(_change(claim.cell.volume_angstrom3, volume), "%", decimals=2)
    mark = ' <span class="badge odd">solid solution</span>' if claim.is_solid_solution else ""
    return [
        f'{swatch(index)}<b>{escape(claim.name)}</b>{mark}<br><span class="soft">{chemical(claim.formula)} · '
        f"<i>{escape(claim.space_group)}</i></span>",
        escape(words.probability(claim.probability)),
        escape(words.weight(claim)).replace(" (", "<br>(").replace(" wt%", "&nbsp;wt%"),
        _lines([*(f"{p.name} = {p.text}" for p in parameters), f"V = {claim.cell.volume_angstrom3:.2f} Å³"]),
        _lines([*(p.reference for p in parameters), f"{volume:.2f}"]),
        _lines([*(words.signed(p.change_percent, "%", decimals=2) for p in parameters), change]),
        escape(words.size_nm(claim.crystallite_nm)),
        words.number(claim.texture),
        f'<span class="soft">{escape(claim.source) or "–"}</span>',
    ]


def swatch(index: int) -> str:
    """Return the mark in a phase's colour."""
    return f'<i class="swatch c{index % COLOURS}"></i>'


def _lines(texts: Iterable[str]) -> str:
    return "<br>".join(escape(text) for text in texts)


def _volume(cell: Sequence[float]) -> float:
    a, b, c = cell[:3]
    alpha, beta, gamma = (math.cos(math.radians(angle)) for angle in cell[3:])
    inner = 1.0 - alpha**2 - beta**2 - gamma**2 + 2.0 * alpha * beta * gamma
    return a * b * c * math.sqrt(max(inner, 0.0))


def _change(value: float, reference: float) -> float | None:
    return 100.0 * (value / reference - 1.0) if reference else None


def _alternatives(found: Identification) -> str:
    if not found.alternatives:
        return ""
    shown, rest = found.alternatives[:MOST_ALTERNATIVES], found.alternatives[MOST_ALTERNATIVES:]
    rows = "".join(_bar(" + ".join(one.phases) or "no phase", one.probability) for one in shown)
    if rest:
        rows += _bar(f"{len(rest)} more sets together", sum(one.probability for one in rest))
    return f'<h3>Which set of phases</h3><div class="panel"><div class="bars">{rows}</div></div>'


def _bar(name: str, probability: float) -> str:
    width = 100.0 * min(max(probability, 0.0), 1.0) if math.isfinite(probability) else 0.0
    return (
        f'<div class="bar"><span>{escape(name)}</span><span class="track"><i style="width:{width:.1f}%"></i></span>'
        f"<b>{escape(words.probability(probability))}</b></div>"
    )


def _gates(gates: Sequence[Gate]) -> str:
    if not gates:
        return ""
    rows = "".join(_gate(gate) for gate in gates)
    return f'<div><h3>Before a product may be claimed</h3><div class="panel"><ul class="gates">{rows}</ul></div></div>'


def _gate(gate: Gate) -> str:
    state, sign, word = _GATE_STATES[gate.passed]
    title = words.GATES.get(gate.name, "")
    return (
        f'<li class="{state}"><i aria-hidden="true">{sign}</i><div><b>{escape(gate.name)}</b> {escape(title)} '
        f'<em>{word}</em><br><span class="soft">{escape(gate.reason)}</span></div></li>'
    )


def _peaks(peaks: Sequence[ResidualPeak]) -> str:
    if not peaks:
        return ""
    ordered = sorted(peaks, key=lambda peak: -peak.height_sigma)
    rows = [
        [
            f"{peak.two_theta_deg:.3f}",
            f"{peak.d_angstrom:.4f}",
            words.number(peak.height_sigma),
            words.share(peak.relative_height),
        ]
        for peak in ordered[:MOST_PEAKS]
    ]
    more = f" The {MOST_PEAKS} highest of {len(peaks)}." if len(peaks) > MOST_PEAKS else ""
    heads = ["2θ (°)", "d (Å)", "Height (σ)", "Of the highest peak"]
    return (
        f"<h3>Peaks that no phase explains</h3>{table(heads, rows, numeric=range(4))}"
        f'<p class="about">σ is the standard deviation of noise and model error there.{more}</p>'
    )


def _provenance(found: Identification) -> str:
    rows = [*flattened(found.provenance), ("CPU time", f"{words.number(found.seconds)} s")]
    inner = "".join(f"<dt>{escape(name.replace('_', ' '))}</dt><dd>{escape(text)}</dd>" for name, text in rows)
    return f'<h3>Where this comes from</h3><dl class="rows">{inner}</dl>'


def flattened(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return a nested record as rows of name and text."""
    rows: list[tuple[str, str]] = []
    for key, value in facts.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            rows += flattened(value, f"{name}: ")
        elif isinstance(value, Sequence) and not isinstance(value, str):
            rows.append((name, ", ".join(map(str, value)) or "–"))
        else:
            rows.append((name, "–" if value in (None, {}) else str(value)))
    return rows
