"""Chooses the next window: where what is in doubt is settled soonest.

A doubt is a difference ``d`` between the rates that two explanations predict. If a window raises the precision of the
points from ``W`` to ``W'``, it is worth, in the mean, ``G = sum (W' - W) d^2 / 2`` nats of evidence. Two explanations
of probabilities p and q are taken for each other with at most ``sqrt(p q) exp(-G / 4)`` (Bhattacharyya's bound:
Kailath, IEEE Trans. Commun. Technol. 15, 52 (1967), doi:10.1109/TCOM.1967.1089532). The window is chosen that lowers
the sum of these bounds most per second, its way there included.

Whether a phase of the library is missed is a doubt of another kind. A search prefers a set with a phase when that
stands out by `DETECTED_Z` standard deviations; one that should stand out by ``z = sqrt(2 G)``, all windows together, is
missed with probability ``Phi(DETECTED_Z - z)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from surrogate.xrd.adaptive_counts import Counted, Window, precision

Array = NDArray[np.floating[Any]]

BLOCK_DEG = 0.5
"""Windows begin and end at multiples of this."""
WIDTHS_DEG = (3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0, 90.0, 140.0)
"""None so narrow that it holds a peak and not what is beside it: a background is judged there too."""
LEAST_GAIN = 0.01
"""Fall of the bound for which the rest of the time is still spent."""
DETECTED_Z = 4.0
"""By how much a phase must stand out for a search to prefer a set with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Two explanations, and what tells them apart."""

    what: str
    weight: float
    """The root of the product of their probabilities; of a phase that may be missed, its prior odds."""
    difference_cps: Array
    """``n``."""
    temperature: float = 1.0
    """What evidence is divided by (`surrogate.xrd.calibration`): a model is never as right as its evidence says."""
    known_nats: float | None = None
    """Of a phase that may be missed: the evidence that it would have given so far."""

    def left(self, nats: Array) -> Array:
        """Return how much of the doubt is left after ``s`` more expected nats."""
        if self.known_nats is None:
            return self.weight * np.exp(-0.25 * nats / self.temperature)
        return self.weight * ndtr(DETECTED_Z - np.sqrt(2.0 * (self.known_nats + nats)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is expected at ``n`` angles, and what is in doubt."""

    rate_cps: Array
    error_cps: Array
    """``n`` errors of the model, as standard deviations."""
    doubts: tuple[Doubt, ...]

    @property
    def bound(self) -> float:
        """Return the sum of what is in doubt now."""
        return sum(float(doubt.left(np.zeros(1))[0]) for doubt in self.doubts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What time there is, and what it is spent on."""

    left_s: float
    overhead_s: float
    """Of each window, besides counting."""
    longest_s: float
    """Counting in one window."""
    shortest_s: float
    """Counting in one window."""
    least_count_time_s: float
    """Of a point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A window, and what is expected of it."""

    window: Window
    gain: float
    """Fall of the bound that is expected."""


def choose(counted: Counted, outlook: Outlook, costs: Costs, *, trust: Array | float = 1.0) -> Choice | None:
    """Return the window worth most per second, or None where all the time left would bring next to nothing.

    Args:
        counted: What was measured.
        outlook: What is expected.
        costs: What time there is.
        trust: ``n`` factors of at most 1 for the evidence that is expected of points.
    """
    squared = np.array([trust * doubt.difference_cps**2 for doubt in outlook.doubts])
    spans = _spans(counted)
    most_s = costs.left_s - costs.overhead_s
    if not outlook.doubts or most_s < costs.shortest_s:
        return None
    if _gains(counted, outlook, squared, spans, np.full(len(spans), most_s)).max() < LEAST_GAIN:
        return None
    best, best_per_s = None, 0.0
    for counting_s in _durations(costs, most_s):
        # none is faster than the goniometer
        n_points = spans[:, 1] - spans[:, 0] + 1
        lasts_s = np.maximum(counting_s, n_points * costs.least_count_time_s)
        gains = np.where(lasts_s <= most_s, _gains(counted, outlook, squared, spans, lasts_s), 0.0)
        per_s = gains / (lasts_s + costs.overhead_s)
        at = int(per_s.argmax())
        if per_s[at] > best_per_s:
            best_per_s = float(per_s[at])
            best = Choice(window=_window(counted, spans[at], float(lasts_s[at])), gain=float(gains[at]))
    return best


def _spans(counted: Counted) -> NDArray[np.int64]:
    """Return ``s x 2`` first and last points of all windows."""
    block = max(1, round(BLOCK_DEG / counted.grid.step_deg))
    most = counted.grid.n - 1
    widths = np.unique([min(round(width / counted.grid.step_deg), most) for width in WIDTHS_DEG])
    # the last window of each width ends where the range does
    spans = [(first, first + width) for width in widths for first in (*range(0, most - width, block), most - width)]
    return np.array(spans, dtype=np.int64)


def _durations(costs: Costs, most_s: float) -> Array:
    longest_s = min(most_s, max(costs.longest_s, costs.shortest_s))
    n = 1 + max(1, round(np.log2(longest_s / costs.shortest_s)))
    return np.geomspace(costs.shortest_s, longest_s, n)


def _gains(counted: Counted, outlook: Outlook, squared: Array, spans: NDArray[np.int64], lasts_s: Array) -> Array:
    """Return ``s`` falls of the bound for windows that count for some time each.

    The time of a point depends on the width of its window, so that windows of one width share their sums.
    """
    n_points = spans[:, 1] - spans[:, 0] + 1
    each_s = lasts_s / n_points
    before = precision(outlook.rate_cps, outlook.error_cps, counted.time_s)
    gains = np.zeros(len(spans))
    for time_s in np.unique(each_s):
        here = each_s == time_s
        more = precision(outlook.rate_cps, outlook.error_cps, counted.time_s + time_s) - before
        summed = np.zeros((len(squared), counted.grid.n + 1))
        np.cumsum(0.5 * more * squared, axis=1, out=summed[:, 1:])
        nats = summed[:, spans[here, 1] + 1] - summed[:, spans[here, 0]]
        gains[here] = outlook.bound - sum(doubt.left(row) for doubt, row in zip(outlook.doubts, nats, strict=True))
    return gains


def _window(counted: Counted, span: NDArray[np.int64], lasts_s: float) -> Window:
    grid = counted.grid
    start_deg, stop_deg = (round(grid.start_deg + grid.step_deg * int(at), 9) for at in span)
    each_s = lasts_s / (int(span[1] - span[0]) + 1)
    # a hundredth of a second is as fine as instruments take it; never longer than what was reckoned with
    count_time_s = max(np.floor(each_s * 100.0) / 100.0, 0.01)
    return Window(start_deg=start_deg, stop_deg=stop_deg, step_deg=grid.step_deg, count_time_s=float(count_time_s))
