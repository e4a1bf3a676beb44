"""The feasible set as arrays: bounds, levels, and linear constraints over the columns of a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from planner.constraints import TOLERANCE, LinearConstraint
from planner.nonlinear import NonlinearConstraint
from planner.parameters import Categorical, Parameter, nearest_level


class Bend(Protocol):
    """What rows must keep to beside linear constraints."""

    @property
    def columns(self) -> tuple[int, ...]:
        """The columns that it names; -1 for one that is left out, which is 0."""
        ...

    def holds(self, rows: np.ndarray) -> np.ndarray:
        """Say in which rows (`n x p`) it holds (`n`, bool)."""
        ...

    def within(self, columns: np.ndarray) -> Bend:
        """Return the same over rows of these columns only."""
        ...


@dataclass(frozen=True)
class Curve:
    """A constraint that is not linear, over the columns of a row."""

    constraint: NonlinearConstraint
    columns: tuple[int, ...]
    """Where its parameters are; -1 for one that is left out, which is 0."""

    def holds(self, rows: np.ndarray) -> np.ndarray:
        """Say in which rows (`n x p`) it holds (`n`, bool)."""
        values = [rows[:, column] if column >= 0 else np.zeros(len(rows)) for column in self.columns]
        return self.constraint.holds(dict(zip(self.constraint.names, values, strict=True)))

    def within(self, columns: np.ndarray) -> Curve:
        """Return the same over rows of these columns only."""
        place = {int(column): index for index, column in enumerate(columns)}
        return Curve(self.constraint, tuple(place.get(column, -1) for column in self.columns))


@dataclass(frozen=True)
class Region:
    """Bounds, levels and constraints of p columns; `A z <= b`, `E z == e`, and what is not linear."""

    low: np.ndarray
    """Least value of each column, `p`."""
    high: np.ndarray
    grids: tuple[np.ndarray | None, ...]
    """Levels in rising order; None where the column is continuous."""
    is_log: np.ndarray
    A: np.ndarray
    """Inequalities, `m x p`."""
    b: np.ndarray
    E: np.ndarray
    """Equalities, `k x p`."""
    e: np.ndarray
    curves: tuple[Bend, ...] = ()

    @classmethod
    def of(
        cls, parameters: Sequence[Parameter], constraints: Sequence[LinearConstraint | NonlinearConstraint]
    ) -> Region:
        """Lay parameters and constraints out as arrays."""
        names = [parameter.name for parameter in parameters]
        linear = [constraint for constraint in constraints if isinstance(constraint, LinearConstraint)]
        inequalities = [constraint for constraint in linear if constraint.relation != "=="]
        equalities = [constraint for constraint in linear if constraint.relation == "=="]
        signs = np.array([1.0 if constraint.relation == "<=" else -1.0 for constraint in inequalities])
        bounds = np.array([parameter.bounds for parameter in parameters]).reshape(-1, 2)
        return cls(
            low=bounds[:, 0],
            high=bounds[:, 1],
            grids=tuple(parameter.grid for parameter in parameters),
            is_log=np.array([getattr(parameter, "scale", "linear") == "log" for parameter in parameters]),
            A=_matrix(inequalities, names) * signs[:, None],
            b=np.array([constraint.bound for constraint in inequalities]) * signs,
            E=_matrix(equalities, names),
            e=np.array([constraint.bound for constraint in equalities]),
            curves=tuple(
                Curve(constraint, tuple(names.index(name) for name in constraint.names))
                for constraint in constraints
                if isinstance(constraint, NonlinearConstraint)
            ),
        )

    @cached_property
    def straight(self) -> Region:
        """The same with nothing but the linear constraints."""
        return replace(self, curves=())

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.low)

    @cached_property
    def discrete(self) -> np.ndarray:
        """Which columns have levels (`p`, bool)."""
        return np.array([grid is not None for grid in self.grids])

    @cached_property
    def span(self) -> np.ndarray:
        """Width of each column's range, 1 where it has a single level."""
        return np.where(self.high > self.low, self.high - self.low, 1.0)

    @cached_property
    def free(self) -> np.ndarray:
        """Columns with more than one admissible value."""
        return np.flatnonzero(self.high > self.low)

    def part(self, columns: np.ndarray) -> Region:
        """Return the region of some columns, with the constraints that touch them."""
        rows_a = np.any(self.A[:, columns] != 0, axis=1)
        rows_e = np.any(self.E[:, columns] != 0, axis=1)
        return Region(
            low=self.low[columns],
            high=self.high[columns],
            grids=tuple(self.grids[column] for column in columns),
            is_log=self.is_log[columns],
            A=self.A[np.ix_(rows_a, columns)],
            b=self.b[rows_a],
            E=self.E[np.ix_(rows_e, columns)],
            e=self.e[rows_e],
            curves=tuple(curve.within(columns) for curve in self.curves if set(columns) & set(curve.columns)),
        )

    def components(self) -> list[np.ndarray]:
        """Split the columns into groups that share no constraint."""
        group = np.arange(self.width)
        for weights in np.vstack([self.A, self.E]):
            touched = np.flatnonzero(weights)
            group[np.isin(group, group[touched])] = group[touched].min()
        for curve in self.curves:
            touched = np.array([column for column in curve.columns if column >= 0], dtype=int)
            group[np.isin(group, group[touched])] = group[touched].min()
        return [np.flatnonzero(group == label) for label in np.unique(group)]

    def without(self, columns: np.ndarray) -> Region | None:
        """Return the region of the other columns where these are 0; None where a constraint of theirs forbids that."""
        kept = np.setdiff1d(np.arange(self.width), columns)
        bare_a, bare_e = (~np.any(weights[:, kept] != 0, axis=1) for weights in (self.A, self.E))
        if np.any(self.b[bare_a] < 0) or np.any(self.e[bare_e] != 0):
            return None
        bare = [curve for curve in self.curves if not set(kept) & set(curve.columns)]
        if not all(curve.holds(np.zeros((1, self.width)))[0] for curve in bare):
            return None
        return self.part(kept)

    def pinned(self, columns: np.ndarray, values: np.ndarray) -> Region:
        """Return the region with some columns held at one level each."""
        low, high = self.low.copy(), self.high.copy()
        low[columns] = high[columns] = values
        held = dict(zip(columns.tolist(), values.tolist(), strict=True))
        grids = tuple(np.array([held[j]]) if j in held else grid for j, grid in enumerate(self.grids))
        return replace(self, low=low, high=high, grids=grids)

    def keeping_to(self, bends: Sequence[Bend]) -> Region:
        """Return the part of the region where these hold, too."""
        return replace(self, curves=(*self.curves, *bends))

    def feasible(self, rows: np.ndarray) -> np.ndarray:
        """Say which rows (`n x p`) keep every constraint and bound; levels are not looked at (`n`, bool)."""
        slack = TOLERANCE * np.maximum(self.span, np.abs(self.high))
        good = np.all((rows >= self.low - slack) & (rows <= self.high + slack), axis=1)
        if len(self.A):
            good &= np.all(rows @ self.A.T - self.b <= self._allowance(rows, self.A, self.b), axis=1)
        if len(self.E):
            good &= np.all(np.abs(rows @ self.E.T - self.e) <= self._allowance(rows, self.E, self.e), axis=1)
        for curve in self.curves:
            good &= curve.holds(rows)
        return good

    @staticmethod
    def _allowance(rows: np.ndarray, weights: np.ndarray, bound: np.ndarray) -> np.ndarray:
        return TOLERANCE * np.maximum(np.abs(rows) @ np.abs(weights).T, np.abs(bound))

    def round(self, rows: np.ndarray) -> np.ndarray:
        """Move each discrete column to its nearest level, and each other one into its bounds."""
        rounded = np.minimum(np.maximum(rows, self.low), self.high)
        columns, step, table = self._even
        index = np.rint((rounded[:, columns] - self.low[columns]) / step).astype(int)
        rounded[:, columns] = table[np.arange(len(columns)), index]
        for column in np.setdiff1d(np.flatnonzero(self.discrete), columns):
            grid = np.asarray(self.grids[column])
            rounded[:, column] = grid[nearest_level(grid, rounded[:, column])]
        return rounded

    @cached_property
    def _even(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Columns with evenly spaced levels, their steps, and their levels as rows of one table."""
        even = [(j, grid) for j, grid in enumerate(self.grids) if grid is not None and is_even(grid)]
        table = np.zeros((len(even), max((len(grid) for _, grid in even), default=0)))
        for row, (_, grid) in zip(table, even, strict=True):
            row[: len(grid)] = grid
        steps = np.array([grid[1] - grid[0] if len(grid) > 1 else 1.0 for _, grid in even])
        return np.array([j for j, _ in even], dtype=int), steps, table

    def interval(self, rows: np.ndarray, column: int) -> tuple[np.ndarray, np.ndarray]:
        """Return how far one column may move in each row (`n` each) while the inequalities hold."""
        low = np.full(len(rows), self.low[column])
        high = np.full(len(rows), self.high[column])
        touching = np.flatnonzero(self.A[:, column])
        if len(touching):
            weights = self.A[touching, column]
            ends = rows[:, [column]] + (self.b[touching] - rows @ self.A[touching].T) / weights
            high = np.minimum(high, np.min(np.where(weights > 0, ends, np.inf), axis=1))
            low = np.maximum(low, np.max(np.where(weights < 0, ends, -np.inf), axis=1))
        return low, high

    def allowed_steps(self, rows: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the least and greatest t (`n` each) for which `rows + t * directions` keeps to the region."""
        weights = np.vstack([np.eye(self.width), -np.eye(self.width), self.A])
        bound = np.concatenate([self.high, -self.low, self.b])
        speed = directions @ weights.T
        room = np.maximum(bound - rows @ weights.T, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = room / speed
        most = np.min(np.where(speed > 1e-300, ratio, np.inf), axis=1)
        least = np.max(np.where(speed < -1e-300, ratio, -np.inf), axis=1)
        return least, most


def is_even(grid: np.ndarray) -> bool:
    """Say whether levels have one spacing, to a millionth of it."""
    steps = np.diff(grid)
    return len(grid) < 3 or bool(np.all(np.abs(steps - steps[0]) <= 1e-6 * steps[0]))


def category_columns(parameters: Sequence[Parameter]) -> list[int]:
    """Return the columns that hold the index of a category."""
    return [column for column, parameter in enumerate(parameters) if isinstance(parameter, Categorical)]


def _matrix(constraints: Sequence[LinearConstraint], names: list[str]) -> np.ndarray:
    rows = [[constraint.coefficients.get(name, 0.0) for name in names] for constraint in constraints]
    return np.array(rows, dtype=float).reshape(len(constraints), len(names))
