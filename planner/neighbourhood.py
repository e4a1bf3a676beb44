"""Small feasible steps for local search, for many rows at once.

Every step is a direction times a length: one column alone, one column with another that makes up for it in a
constraint, a discrete column with the continuous ones that close the equalities, or a random line that keeps them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.constraints import TOLERANCE
from planner.moves import null_space
from planner.parameters import nearest_level
from planner.region import Region


@dataclass(frozen=True)
class Neighbourhood:
    """The directions in which one may step within a region."""

    region: Region
    words: np.ndarray
    """Which columns are categories (`p`, bool): those have no order, a step goes to any other."""
    singles: np.ndarray
    """Directions that move one column (`a x p`), its entry 1, with what compensates it."""
    pairs: np.ndarray
    """Directions that exchange between two columns (`c x p`), the first entry 1."""
    leads: tuple[np.ndarray, np.ndarray]
    """The column whose entry is 1, for each single and for each pair."""
    lines: np.ndarray
    """Basis (`p x r`) of the lines along which continuous columns keep every equality."""

    @classmethod
    def of(cls, region: Region, words: list[int]) -> Neighbourhood:
        """Tabulate the directions."""
        is_word = np.zeros(region.width, dtype=bool)
        is_word[words] = True
        singles, single_leads = _singles(region)
        pairs, pair_leads = _pairs(region)
        return cls(region, is_word, singles, pairs, (single_leads, pair_leads), _lines(region))

    def step(self, rows: np.ndarray, rng: np.random.Generator, *, reach: float) -> np.ndarray:
        """Return a random feasible neighbour for each row (`n x p`); the row itself where the step was refused.

        Args:
            rows: Feasible rows.
            rng: Where chance comes from.
            reach: Typical length of a step, as a fraction of a column's range; a discrete one moves at least a level.
        """
        kinds = rng.random(len(rows))
        share = (0.5 if len(self.pairs) else 0.8, 0.85 if len(self.pairs) else 0.8)
        has_lines = self.lines.shape[1] > 1
        moved = rows.copy()
        single = kinds < share[0] if len(self.singles) else np.zeros(len(rows), dtype=bool)
        paired = ~single & ((kinds < share[1]) | ~np.array(has_lines)) & np.array(len(self.pairs) > 0)
        along = ~single & ~paired & np.array(has_lines)
        for chosen, table, leads in ((single, self.singles, self.leads[0]), (paired, self.pairs, self.leads[1])):
            if chosen.any():
                moved[chosen] += self._led(rows[chosen], table, leads, rng, reach)
        if along.any():
            moved[along] += reach * rng.standard_normal((int(along.sum()), self.lines.shape[1])) @ self.lines.T
        rounded = self.region.round(self._shorten(rows, moved))
        return np.where(self.region.feasible(rounded)[:, None], rounded, rows)

    def _led(
        self, rows: np.ndarray, table: np.ndarray, leads: np.ndarray, rng: np.random.Generator, reach: float
    ) -> np.ndarray:
        chosen = rng.integers(len(table), size=len(rows))
        lead = leads[chosen]
        change = np.zeros(len(rows))
        for column in np.unique(lead):
            mine = lead == column
            change[mine] = self._new_values(rows[mine, column], int(column), rng, reach) - rows[mine, column]
        return table[chosen] * change[:, None]

    def _new_values(self, old: np.ndarray, column: int, rng: np.random.Generator, reach: float) -> np.ndarray:
        """Draw values for one column: near the old ones, and one time in four as low as may be."""
        region = self.region
        grid = region.grids[column]
        if self.words[column] and grid is not None:
            return grid[(nearest_level(grid, old) + rng.integers(1, len(grid), size=len(old))) % len(grid)]
        if grid is not None:
            most = max(1, round(reach * len(grid)))
            steps = rng.integers(1, most + 1, size=len(old)) * rng.choice([-1, 1], size=len(old))
            new = grid[np.clip(nearest_level(grid, old) + steps, 0, len(grid) - 1)]
        elif region.is_log[column]:
            new = old * (region.high[column] / region.low[column]) ** (reach * rng.standard_normal(len(old)))
        else:
            new = old + reach * region.span[column] * rng.standard_normal(len(old))
        return np.where(rng.random(len(old)) < 0.25, region.low[column], new)

    def _shorten(self, rows: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """Shorten steps that would leave the region; columns on a grid are put on a level afterwards."""
        directions = moved - rows
        _, most = self.region.allowed_steps(rows, directions)
        return rows + np.minimum(most, 1.0)[:, None] * directions


def _singles(region: Region) -> tuple[np.ndarray, np.ndarray]:
    bound = np.any(region.E != 0, axis=0)
    soft = np.flatnonzero(~region.discrete & (region.high > region.low))
    table, leads = [], []
    for column in region.free:
        direction = np.eye(region.width)[column]
        if bound[column]:
            others = soft[soft != column]
            if not len(others):
                continue
            direction[others] = -np.linalg.pinv(region.E[:, others]) @ region.E[:, column]
            if np.max(np.abs(region.E @ direction)) > TOLERANCE * np.max(np.abs(region.E)):
                continue
        table.append(direction)
        leads.append(column)
    return np.array(table).reshape(-1, region.width), np.array(leads, dtype=int)


def _pairs(region: Region) -> tuple[np.ndarray, np.ndarray]:
    table, leads = [], []
    for weights in np.vstack([region.E, region.A]):
        columns = np.flatnonzero((weights != 0) & (region.high > region.low))
        for first in columns:
            for second in columns[columns != first]:
                direction = np.zeros(region.width)
                direction[first], direction[second] = 1.0, -weights[first] / weights[second]
                table.append(direction)
                leads.append(first)
    return np.array(table).reshape(-1, region.width), np.array(leads, dtype=int)


def _lines(region: Region) -> np.ndarray:
    soft = np.flatnonzero(~region.discrete & ~region.is_log & (region.high > region.low))
    lines = np.zeros((region.width, 0))
    if len(soft):
        basis = null_space(region.E[:, soft] * region.span[soft])
        lines = np.zeros((region.width, basis.shape[1]))
        lines[soft] = basis * region.span[soft][:, None]
    return lines
