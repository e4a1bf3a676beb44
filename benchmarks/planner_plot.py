"""The plot of `planners.py`: median regret against trials, a panel for each problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from planner_peers import ENTRIES
from planner_statistics import regrets
from planner_store import Run

from planner.comparison import quartiles

WIDE = 3
LEAST = 1e-5
"""Regret below which curves end, as a fraction of a panel's largest."""


def draw(runs: Mapping[str, Mapping[str, Sequence[Run]]], optima: Mapping[str, float], budget: int) -> Figure:
    """Return the figure.

    Args:
        runs: By problem and planner.
        optima: By problem.
        budget: Trials of a run.
    """
    mpl.rcParams["svg.hashsalt"] = "planners"
    high = max(1, -(-len(runs) // WIDE))
    figure = Figure(figsize=(4.2 * WIDE, 3.1 * high), layout="constrained")
    panels = figure.subplots(high, WIDE, squeeze=False).ravel()
    for panel in panels[len(runs) :]:
        panel.axis("off")
    for panel, (problem, found) in zip(panels, runs.items(), strict=False):
        for planner, its in found.items():
            if its[0].is_unsupported:
                continue
            curves = np.array([regrets(run, optima[problem], budget) for run in its])
            middle = np.array([quartiles(column)[0] for column in curves.T])
            scale = np.max(middle[np.isfinite(middle)], initial=0.0)
            shown = np.where(np.isfinite(middle), np.maximum(middle, LEAST * scale), np.nan)
            color = f"C{list(ENTRIES).index(planner)}"
            panel.plot(range(1, budget + 1), shown, color=color, label=planner, lw=2.2 if planner == "ours" else 1.1)
        panel.set_title(f"{problem}, {max(map(len, found.values()))} seeds", fontsize=9)
        panel.set_yscale("log")
        panel.set_xlabel("trials")
        panel.set_ylabel("median regret")
    handles = {label: line for panel in panels for line, label in zip(*panel.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=9, fontsize=8)
    return figure
