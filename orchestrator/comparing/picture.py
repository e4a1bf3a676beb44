"""The picture of a comparison: the measure against trials or cost, and the gain over the first planner, by seed."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from orchestrator.comparing.along import Along
from orchestrator.comparing.measure import Measure
from orchestrator.comparing.summary import Comparison, band, side_by_side
from orchestrator.words import unit_sign
from planner.comparison import LEVEL, paired_difference

INK, PALE, GRID = "#1d2126", "#5c646e", "#ece9e1"
COLOURS = ("#0b6a72", "#c2410c", "#7c4dab", "#a87a08", "#2f5fa8", "#7b818a", "#9b2c5e", "#4d7c0f")
_LEAST_GAP = 0.055
"""Between two labels, as a fraction of the height."""
_LOG_FROM = 30.0
"""Ratio of the greatest median to the least from which a regret is drawn on a logarithmic scale."""


def draw(comparison: Comparison) -> Figure:
    """Return the figure: one panel, or two where there are differences to show."""
    differences = _differences(comparison)
    figure = Figure(figsize=(13.0 if differences else 8.0, 5.2), layout="constrained", facecolor="white")
    panels = figure.subplots(1, 2 if differences else 1, squeeze=False, width_ratios=[3, 2] if differences else None)[0]
    _curves(panels[0], comparison)
    if differences:
        _draw_differences(panels[1], comparison, differences)
    return figure


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG file."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=150)
    return stream.getvalue()


def svg(figure: Figure) -> str:
    """Return a figure as an element of a page."""
    stream = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "compare"}):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]


def _curves(axes: Any, comparison: Comparison) -> None:
    measure, labels = comparison.measure, []
    ends = {}
    for colour, (label, curves) in zip(_colours(comparison), measure.curves.items(), strict=True):
        middle, low, high = (np.where(np.isfinite(row), row, np.nan) for row in band(curves, measure.sign))
        if len(curves) > 1:
            _band(axes, comparison.along, low, high, colour)
        _line(axes, comparison.along, middle, colour)
        ends[label] = (colour, middle)
        labels.append((label, colour, middle[np.isfinite(middle)][-1] if np.isfinite(middle).any() else None))
    is_log = _is_log(measure, [middle for _, middle in ends.values()])
    if is_log:
        axes.set_yscale("log")
    elif measure.kind == "regret":
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    runs = {len(curves) for curves in measure.curves.values()}
    count = f"{min(runs)} to {max(runs)} runs" if len(runs) > 1 else f"{min(runs)} run{'s' * (min(runs) > 1)}"
    shape = "median line, band from lower to upper quartile" if max(runs) > 1 else "one line each"
    _style(axes, comparison.campaign.name, f"{count} of each planner, the same seeds; {shape}")
    _span(axes, comparison)
    controls = " (controls included)" if comparison.campaign.n_controls else ""
    axes.set_xlabel(comparison.along.word + controls, color=INK)
    axes.set_ylabel(_axis(measure, is_log), color=INK)
    _label_ends(axes, labels)


def _span(axes: Any, comparison: Comparison) -> None:
    axes.set_xlim(comparison.along.edges[0], comparison.along.edges[-1])
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=comparison.along.fidelity is None))


def _line(axes: Any, along: Along, values: np.ndarray, colour: str) -> None:
    """Draw a value at each place; it holds until the next."""
    axes.plot(along.edges, _held(values), color=colour, linewidth=2.0, drawstyle="steps-post")


def _band(axes: Any, along: Along, low: np.ndarray, high: np.ndarray, colour: str) -> None:
    axes.fill_between(along.edges, _held(low), _held(high), color=colour, alpha=0.16, linewidth=0, step="post")


def _held(values: np.ndarray) -> np.ndarray:
    return np.append(values, values[-1:])


def _axis(measure: Measure, is_log: bool) -> str:
    unit = f" / {unit_sign(measure.unit)}" if unit_sign(measure.unit) else ""
    return f"{measure.title}{unit}  ({measure.better} is better{', log scale' if is_log else ''})"


def _is_log(measure: Measure, medians: list[np.ndarray]) -> bool:
    """Say whether a regret or an error spans so much that a linear scale would hide its end; never with one at 0."""
    values = np.concatenate(medians)
    values = values[np.isfinite(values)]
    if measure.kind not in ("regret", "map") or not len(values) or values.min() <= 0:
        return False
    return bool(values.max() / values.min() > _LOG_FROM)


def _label_ends(axes: Any, labels: list[tuple[str, str, float | None]]) -> None:
    """Write each planner's name beside the end of its line, moved apart where they would overlap."""
    axes.get_ylim()  # which settles the scale
    to_axes = axes.transData + axes.transAxes.inverted()
    x = axes.get_xlim()[1]
    placed = [(float(to_axes.transform((x, end))[1]), name, colour) for name, colour, end in labels if end is not None]
    heights = _apart([height for height, _, _ in placed])
    for (_, name, colour), height in zip(placed, heights, strict=True):
        axes.annotate(
            name,
            xy=(1.0, height),
            xycoords="axes fraction",
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=10,
            fontweight="bold",
            annotation_clip=False,
        )


def _apart(heights: list[float]) -> list[float]:
    """Return heights in the same order with at least the least gap between any two."""
    order = np.argsort(heights)
    moved = np.array(heights, dtype=float)
    for lower, upper in zip(order, order[1:], strict=False):
        moved[upper] = max(moved[upper], moved[lower] + _LEAST_GAP)
    if len(moved) and moved.max() > 1.0:
        moved -= (moved - np.array(heights)).mean()
    return moved.tolist()


def _differences(comparison: Comparison) -> dict[str, np.ndarray]:
    """Return by how much each planner is better than the first: median, lower, upper by place (`3 x places`)."""
    first, *others = comparison.runs
    found = {}
    for other in others:
        mine, theirs = side_by_side(first, other, comparison.runs, comparison.measure)
        if len(mine) > 1:
            columns = [paired_difference(a, b) for a, b in zip(mine.T, theirs.T, strict=True)]
            none = (np.nan, np.nan, np.nan)
            found[other] = np.array([none if one is None else (one.value, one.low, one.high) for one in columns]).T
    return found


def _draw_differences(axes: Any, comparison: Comparison, differences: dict[str, np.ndarray]) -> None:
    first = next(iter(comparison.runs))
    colours = dict(zip(comparison.runs, _colours(comparison), strict=True))
    labels = []
    for label, (middle, low, high) in differences.items():
        _band(axes, comparison.along, low, high, colours[label])
        _line(axes, comparison.along, middle, colours[label])
        end = middle[np.isfinite(middle)]
        labels.append((label, colours[label], float(end[-1]) if len(end) else None))
    axes.axhline(0.0, color=colours[first], linewidth=1.4, linestyle=(0, (4, 3)))
    labels.append((first, colours[first], 0.0))
    what = f"median line, band: {LEVEL:.0%} bootstrap interval of the median"
    if _zoom(axes, differences, comparison.along.stops[0]):
        of = "trial" if comparison.along.fidelity is None else "a cost of"
        what += f"; scaled to what follows {of} {comparison.stops[0]}"
    _style(axes, f"Gain over {first}, seed by seed", what)
    _span(axes, comparison)
    axes.set_xlabel(comparison.along.word, color=INK)
    unit = f" / {unit_sign(comparison.measure.unit)}" if unit_sign(comparison.measure.unit) else ""
    axes.set_ylabel(f"better by{unit}  (below 0: worse)", color=INK)
    _label_ends(axes, labels)


def _zoom(axes: Any, differences: dict[str, np.ndarray], start: int) -> bool:
    """Scale to what comes after the first trials, where their differences would flatten all others; say whether."""
    later = np.concatenate([rows[:, start:].ravel() for rows in differences.values()])
    later = np.append(later[np.isfinite(later)], 0.0)
    low, high = axes.get_ylim()
    room = 0.08 * max(np.ptp(later), 1e-12 * max(1.0, abs(later).max()))
    if not np.ptp(later) or high - low < 3.0 * (np.ptp(later) + 2 * room):
        return False
    axes.set_ylim(later.min() - room, later.max() + room)
    return True


def _colours(comparison: Comparison) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index in range(len(comparison.runs))]


def _style(axes: Any, title: str, below: str) -> None:
    axes.set_title(title, loc="left", color=INK, fontsize=12, fontweight="bold", pad=22)
    axes.text(0.0, 1.025, below, transform=axes.transAxes, color=PALE, fontsize=8.5)
    axes.grid(True, color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=PALE, labelcolor=INK, labelsize=9)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(PALE)
