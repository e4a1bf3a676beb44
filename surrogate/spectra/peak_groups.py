"""Which lines of a spectrum are fitted together, and which come first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

WINDOW_FWHMS = 2.5
"""A peak is fitted within this many full widths on each side; peaks whose windows meet are fitted together."""
TAIL_FACTOR = 2.0
"""At first only lines count that are so many times higher than the tails of the higher ones there, if these were
Lorentzian; what tails lift above the threshold is no peak, and what is real stands out of the fit."""
MAX_IN_GROUP = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A line to fit from, and how much it stood out."""

    values: tuple[float, float, float, float]
    """Position, height, full width, Lorentzian share."""
    significance: float

    @classmethod
    def of(cls, line: Array, significance: float) -> Start:
        """Take position, height, width and share of a line."""
        position, height, width, share = map(float, line)
        return cls(values=(position, height, width, share), significance=significance)

    @property
    def position(self) -> float:
        """Return where it is."""
        return self.values[0]

    @property
    def width(self) -> float:
        """Return its full width."""
        return self.values[2]


def leading(starts: list[Start]) -> list[Start]:
    """Return the lines that stand above the tails of higher ones."""
    if not starts:
        return []
    position, height, width = np.array([start.values[:3] for start in starts]).T
    tails = height / (1.0 + 4.0 * ((position[:, None] - position) / width) ** 2)
    from_higher = np.sum(np.where(height > height[:, None], tails, 0.0), axis=1)
    return [start for start, tail in zip(starts, from_higher, strict=True) if start.values[1] >= TAIL_FACTOR * tail]


def groups_of(starts: list[Start]) -> list[list[Start]]:
    """Return lines whose windows meet, by position; a long group is cut where its lines are farthest apart."""
    groups: list[list[Start]] = []
    for start in sorted(starts, key=lambda start: start.position):
        last = groups[-1][-1] if groups else None
        if last and start.position - last.position < 0.5 * WINDOW_FWHMS * (start.width + last.width):
            groups[-1].append(start)
        else:
            groups.append([start])
    return [part for group in groups for part in _cut(group)]


def _cut(group: list[Start]) -> list[list[Start]]:
    if len(group) <= MAX_IN_GROUP:
        return [group]
    gaps = np.diff([start.position for start in group])
    inner = slice(2, len(gaps) - 2)
    at = 3 + int(np.argmax(gaps[inner]))
    return [*_cut(group[:at]), *_cut(group[at:])]
