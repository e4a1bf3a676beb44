"""Draw measurements as a PNG picture (matplotlib) or as one HTML page that works without a network (plotly)."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from surrogate.formats.record import Array, MeasurementFile, Scan
from surrogate.formats.words import axis_words, facts_table, source_words, summary, value_words

MOST_FILES = 24
MOST_CURVES = 8
"""Curves of one plot that are drawn: more cannot be told apart."""
MOST_PLOTS = 6
"""Plots of one file, where its scans have different axes or units."""
INK, PALE, GRID = "#1f2937", "#6b7280", "#e5e7eb"
COLOURS = ("#1d4ed8", "#c2410c", "#047857", "#7e22ce", "#b91c1c", "#0e7490", "#a16207", "#be185d")
_LONGEST_HEADER = 20_000


def alike(file: MeasurementFile) -> list[list[tuple[int, Scan]]]:
    """Part the scans of a file, with their numbers from 1 on, into those that one plot can show: of one axis and unit.

    At most `MOST_PLOTS` such groups are returned.
    """
    groups: dict[tuple[str, ...], list[tuple[int, Scan]]] = {}
    for number, scan in enumerate(file.scans, start=1):
        groups.setdefault((scan.axis.quantity, scan.axis.unit, scan.quantity, scan.unit), []).append((number, scan))
    return list(groups.values())[:MOST_PLOTS]


def png(files: Sequence[MeasurementFile], *, width_in: float = 9.0, dpi: int = 150) -> bytes:
    """Return a picture with panels for each file; diffractograms on a square-root scale, where noise is even."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [(file, group) for file in files[:MOST_FILES] for group in alike(file)][:MOST_FILES]
    figure = Figure(figsize=(width_in, 0.2 + 3.6 * len(panels)), dpi=dpi, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(h_pad=0.14, w_pad=0.1)  # type: ignore[union-attr] # it is there: see layout above
    for axes, (file, group) in zip(figure.subplots(len(panels), 1, squeeze=False)[:, 0], panels, strict=True):
        _panel(axes, file, group)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def _panel(axes: Any, file: MeasurementFile, group: Sequence[tuple[int, Scan]]) -> None:
    shown, first = group[:MOST_CURVES], group[0][1]
    roots = first.kind == "diffractogram"
    for (number, scan), colour in zip(shown, COLOURS, strict=False):
        x, y = scan.axis.values, scan.values
        if scan.sigma is not None and len(shown) == 1:
            axes.fill_between(x, y - scan.sigma, y + scan.sigma, color=colour, alpha=0.18, linewidth=0)
        axes.plot(x, y, color=colour, linewidth=0.9, label=_name(scan, number))
    if roots:
        axes.set_yscale("function", functions=(_root, _square))
        axes.set_yticks(root_ticks(max(float(np.nanmax(scan.values, initial=0.0)) for _, scan in shown)))
    axes.set_xlabel(axis_words(first.axis), color=INK)
    axes.set_ylabel(value_words(first) + (", square-root scale" if roots else ""), color=INK)
    if first.axis.quantity == "wavenumber":
        axes.invert_xaxis()
    _style(axes, file, shown)


def root_ticks(highest: float) -> list[float]:
    """Return round numbers from zero to the highest that are not too close on a square-root scale."""
    if not np.isfinite(highest) or highest <= 0.0:
        return [0.0]
    places = range(int(np.floor(np.log10(highest))), int(np.floor(np.log10(highest))) - 4, -1)
    ticks: list[float] = []
    for tick in (digit * 10.0**place for place in places for digit in (8, 6, 4, 2, 1)):
        above = ticks[-1] if ticks else np.inf
        if tick <= highest and np.sqrt(tick) < np.sqrt(above) - 0.09 * np.sqrt(highest) and tick > 0.015 * highest:
            ticks.append(tick)
    return [0.0, *reversed(ticks)]


def _root(y: Array) -> Array:
    return np.sign(y) * np.sqrt(np.abs(y))


def _square(y: Array) -> Array:
    return np.sign(y) * np.square(y)


def _style(axes: Any, file: MeasurementFile, shown: Sequence[tuple[int, Scan]]) -> None:
    axes.set_title(
        _short(_drawable(file.name), 70) or file.format, loc="left", color=INK, fontsize=11, fontweight="bold", pad=19
    )
    axes.text(0.0, 1.03, source_words(file), transform=axes.transAxes, color=PALE, fontsize=8)
    axes.margins(x=0.01)
    axes.grid(True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=PALE, labelcolor=INK, labelsize=8)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(PALE)
    notes = [_part(file, shown)] if len(shown) < len(file.scans) else []
    notes += [f"{len(file.warnings)} warning{'s' * (len(file.warnings) > 1)}"] if file.warnings else []
    if notes:
        axes.text(1.0, 1.03, ", ".join(notes), transform=axes.transAxes, color="#b45309", fontsize=8, ha="right")
    if len(shown) > 1:
        axes.legend(fontsize=8, frameon=False)


def _part(file: MeasurementFile, shown: Sequence[tuple[int, Scan]]) -> str:
    """Say which scans of a file are shown."""
    if len(shown) == 1:
        return f"scan {shown[0][0]} of {len(file.scans)}"
    return f"{len(shown)} of {len(file.scans)} scans"


def page(files: Sequence[MeasurementFile]) -> str:
    """Return one HTML page: for each file what it is, a plot to zoom into, and its original header.

    At most `MOST_FILES` are shown.
    """
    shown = files[:MOST_FILES]
    sections = [_section(file, number) for number, file in enumerate(shown)]
    title = ", ".join(_short(file.name, 80) for file in shown) if len(files) == 1 else f"{len(files)} measurements"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_CSS}</style></head>'
        f"<body><main>{''.join(sections)}</main></body></html>"
    )


def _section(file: MeasurementFile, number: int) -> str:
    rows = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>" for name, text in _rows(file))
    warnings = "".join(f"<li>{html.escape(text)}</li>" for text in file.warnings)
    header = html.escape(file.header[:_LONGEST_HEADER]) + ("\n..." if len(file.header) > _LONGEST_HEADER else "")
    name, source = html.escape(file.name or file.format), html.escape(source_words(file))
    return (
        f"<section><h2>{name}</h2><p class=source>{source}</p>"
        + (f"<ul class=warnings>{warnings}</ul>" if warnings else "")
        + "".join(_plot(file, group, brings=(number, place) == (0, 0)) for place, group in enumerate(alike(file)))
        + f"<table>{rows}</table><p class=hash>sha256 {file.sha256}</p>"
        + (f"<details><summary>Original header</summary><pre>{header}</pre></details>" if header.strip() else "")
        + "</section>"
    )


def _rows(file: MeasurementFile) -> list[tuple[str, str]]:
    first, count = file.scans[0], len(file.scans)
    found = [("scans", f"{count}; here is the first")] if count > 1 else []
    return found + summary(first) + facts_table(first)


def _plot(file: MeasurementFile, group: Sequence[tuple[int, Scan]], *, brings: bool) -> str:
    """Return a plot of scans of one kind, with plotly itself where it brings that along for all plots."""
    import plotly.graph_objects as go
    from plotly.io import to_html

    figure = go.Figure()
    shown, first = group[:MOST_CURVES], group[0][1]
    for (number, scan), colour in zip(shown, COLOURS, strict=False):
        line = {"color": colour, "width": 1.2}
        name = _name(scan, number)
        figure.add_trace(go.Scatter(x=scan.axis.values, y=scan.values, mode="lines", name=name, line=line))
    figure.update_layout(**_layout(first, len(shown)))
    if first.axis.quantity == "wavenumber":
        figure.update_xaxes(autorange="reversed")
    part = f"<p class=source>{_part(file, shown)}</p>" if len(shown) < len(file.scans) else ""
    config = {"displaylogo": False, "responsive": True}
    return part + to_html(figure, full_html=False, include_plotlyjs=brings, config=config)


def _drawable(name: str) -> str:
    """Return a name of a file with escapes for its bytes that are no characters, and that no font has."""
    return name.encode("utf-8", errors="backslashreplace").decode()


def _name(scan: Scan, number: int) -> str:
    return f"{number}: {_short(scan.title, 40)}" if scan.title else f"scan {number}"


def _layout(first: Scan, curves: int) -> dict[str, Any]:
    line = {"showline": True, "linecolor": PALE, "gridcolor": GRID, "zeroline": False, "ticks": "outside"}
    buttons = [
        {"label": label, "method": "relayout", "args": [{"yaxis.type": kind}]}
        for label, kind in (("linear", "linear"), ("logarithmic", "log"))
    ]
    menu = {"type": "buttons", "direction": "right", "buttons": buttons, "x": 0.0, "xanchor": "left", "y": 1.02,
            "yanchor": "bottom", "pad": {"r": 0, "t": 0}, "font": {"size": 11}, "bgcolor": "white"}  # fmt: skip
    return {
        "template": "none",
        "height": 440,
        "margin": {"l": 70, "r": 10, "t": 50, "b": 55},
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": INK},
        "xaxis": {"title": {"text": axis_words(first.axis)}, **line},
        "yaxis": {"title": {"text": value_words(first)}, **line},
        "hovermode": "x unified",
        "showlegend": curves > 1,
        "legend": {"x": 1.0, "xanchor": "right", "y": 1.0, "bgcolor": "rgba(255,255,255,.8)"},
        "updatemenus": [menu],
    }


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "\N{HORIZONTAL ELLIPSIS}"


_CSS = f"""
body {{ margin: 0; background: #f3f4f6; color: {INK}; font: 15px/1.45 system-ui, sans-serif; }}
main {{ max-width: 1080px; margin: 0 auto; padding: 24px 16px; }}
section {{ background: white; border-radius: 8px; padding: 18px 24px; margin-bottom: 20px;
  box-shadow: 0 1px 3px rgb(0 0 0 / .12); }}
h2 {{ margin: 0; font-size: 1.25rem; overflow-wrap: anywhere; }}
.source, .hash {{ color: {PALE}; margin: .2rem 0 .6rem; font-size: .85rem; overflow-wrap: anywhere; }}
.warnings {{ background: #fffbeb; border-left: 4px solid #f59e0b; margin: .6rem 0; padding: .5rem .8rem .5rem 1.8rem; }}
table {{ display: block; font-size: .88rem; }}
tbody {{ display: block; columns: 2; column-gap: 2.5rem; }}
tr {{ display: grid; grid-template-columns: 10rem 1fr; border-bottom: 1px solid {GRID}; break-inside: avoid; }}
th {{ text-align: left; font-weight: 500; color: {PALE}; padding: .22rem .6rem .22rem 0; overflow-wrap: anywhere; }}
td {{ padding: .22rem 0; overflow-wrap: anywhere; }}
details {{ margin-top: .6rem; }} summary {{ cursor: pointer; color: {PALE}; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; background: #f9fafb; padding: .8rem; font-size: .78rem;
  max-height: 30rem; overflow: auto; }}
@media (max-width: 720px) {{ tbody {{ columns: 1; }} }}
"""
