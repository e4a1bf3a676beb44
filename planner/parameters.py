"""The axes of a search space.

Inside the planner a point is a row of numbers, one column per parameter: the value itself where it is a number, the
index of the category where it is not. `low`, `high` and `levels` of a parameter speak of that column.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np

from planner.conditions import When, read_when
from planner.descriptors import Codes, Descriptors, checked, described
from planner.errors import SpaceError, did_you_mean
from planner.parameter_checks import (
    GRID_TOLERANCE,
    check_bounds,
    check_name,
    is_number,
    nearest_level,
    numeric_violation,
    of_unit,
    tail,
    tidy,
)

Scale = Literal["linear", "log"]

_MOST_COMPARED = 1000
"""Of more words none is looked for that a misspelt one may have meant, and they are not listed."""


@dataclass(frozen=True)
class Continuous:
    """A real number between two bounds, on a grid where `step`, `levels` or `count` gives one.

    A grid of steps starts at `low`; where the step does not divide the range, its last level lies below `high`.
    """

    name: str
    low: float
    high: float
    unit: str = "1"
    step: float | None = None
    levels: Sequence[float] | None = None
    count: int | None = None
    """Number of levels from low to high, evenly spaced on the scale."""
    scale: Scale = "linear"
    when: When | None = field(default=None, hash=False)
    """Values of other parameters that it exists for; None where it always exists."""
    input_sd: float = 0.0
    """How far what is achieved lies from what is asked for: a standard deviation, in the unit."""

    def __post_init__(self) -> None:
        check_name(self.name)
        object.__setattr__(self, "when", read_when(self.name, self.when))
        check_bounds(self.name, self.low, self.high, self.unit)
        if self.scale not in get_args(Scale):
            raise SpaceError(f"parameter {self.name!r}: scale is linear or log, not {self.scale!r}")
        if self.scale == "log" and self.low <= 0:
            raise SpaceError(f"parameter {self.name!r}: a log scale needs low > 0, not {self.low:g}{tail(self.unit)}")
        if sum(item is not None for item in (self.step, self.levels, self.count)) > 1:
            raise SpaceError(f"parameter {self.name!r}: give one of step, levels and count")
        self._check_step()
        self._check_count()
        self._check_levels()
        if not is_number(self.input_sd) or not 0.0 <= self.input_sd <= max(self.high - self.low, 0.0):
            raise SpaceError(
                f"parameter {self.name!r}: input_sd must be a number from 0 to the width of the range"
                f"{of_unit(self.unit)}, not {self.input_sd!r}"
            )
        if self.input_sd and self.when is not None:
            raise SpaceError(f"parameter {self.name!r}: input_sd is for parameters that always exist; leave it out")
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))

    def _check_step(self) -> None:
        if self.step is None:
            return
        if self.scale == "log":
            raise SpaceError(f"parameter {self.name!r}: a log scale takes levels or count, not step")
        if not is_number(self.step) or self.step <= 0:
            raise SpaceError(f"parameter {self.name!r}: step must be a positive number{of_unit(self.unit)}")
        if (self.high - self.low) / self.step > 1e7:
            raise SpaceError(f"parameter {self.name!r}: a step of {self.step:g} gives over 1e7 levels; leave it out")

    def _check_count(self) -> None:
        if self.count is None:
            return
        least = 1 if self.low == self.high else 2
        if isinstance(self.count, bool) or not isinstance(self.count, int) or not least <= self.count <= 10**7:
            raise SpaceError(f"parameter {self.name!r}: count must be an integer of at least {least}")

    def _check_levels(self) -> None:
        if self.levels is None:
            return
        levels = tuple(self.levels)
        if not levels or not all(is_number(level) for level in levels):
            raise SpaceError(f"parameter {self.name!r}: levels must be finite numbers, and at least one")
        outside = [level for level in levels if not self.low <= level <= self.high]
        if outside:
            raise SpaceError(
                f"parameter {self.name!r}: level {outside[0]:g} lies outside {self.low:g} to {self.high:g}"
                f"{tail(self.unit)}"
            )
        if len(set(levels)) < len(levels):
            raise SpaceError(f"parameter {self.name!r}: a level is given twice")
        object.__setattr__(self, "levels", tuple(sorted(float(level) for level in levels)))

    @cached_property
    def grid(self) -> np.ndarray | None:
        """The levels in rising order, or None where every value between the bounds is admissible."""
        if self.levels is not None:
            return np.array(self.levels)
        if self.low == self.high:
            return np.array([self.low])
        if self.step is not None:
            n = math.floor((self.high - self.low) / self.step * (1 + 1e-12) + GRID_TOLERANCE)
            return np.minimum(tidy(self.low + self.step * np.arange(n + 1)), self.high)
        if self.count is not None:
            space = np.geomspace if self.scale == "log" else np.linspace
            grid = tidy(space(self.low, self.high, self.count))
            grid[0], grid[-1] = self.low, self.high
            return grid
        return None

    @property
    def bounds(self) -> tuple[float, float]:
        """Least and greatest admissible value."""
        return (self.low, self.high) if self.grid is None else (float(self.grid[0]), float(self.grid[-1]))

    def number(self, value: Any) -> float:
        """Return the column's number for a value.

        Raises:
            SpaceError: The value is no finite number.
        """
        if not is_number(value):
            raise SpaceError(f"parameter {self.name!r}: {value!r} is no finite number{of_unit(self.unit)}")
        return float(value)

    def value(self, number: float) -> float:
        """Return the plain value for the column's number."""
        return float(number)

    def violation(self, value: Any) -> str | None:
        """Say what is wrong with a value, or return None."""
        return numeric_violation(self, value)


@dataclass(frozen=True)
class Integer:
    """A whole number between two bounds, both included."""

    name: str
    low: int
    high: int
    unit: str = "1"
    scale: Scale = "linear"
    when: When | None = field(default=None, hash=False)
    """Values of other parameters that it exists for; None where it always exists."""

    def __post_init__(self) -> None:
        check_name(self.name)
        object.__setattr__(self, "when", read_when(self.name, self.when))
        check_bounds(self.name, self.low, self.high, self.unit)
        if self.low != int(self.low) or self.high != int(self.high):
            raise SpaceError(
                f"parameter {self.name!r}: bounds of an integer must be whole, not {self.low}, {self.high}"
            )
        if self.scale not in get_args(Scale):
            raise SpaceError(f"parameter {self.name!r}: scale is linear or log, not {self.scale!r}")
        if self.scale == "log" and self.low <= 0:
            raise SpaceError(f"parameter {self.name!r}: a log scale needs low > 0, not {self.low}")
        if self.high - self.low > 10**7:
            raise SpaceError(f"parameter {self.name!r}: over 1e7 levels; use Continuous")
        object.__setattr__(self, "low", int(self.low))
        object.__setattr__(self, "high", int(self.high))

    @cached_property
    def grid(self) -> np.ndarray:
        """The levels in rising order."""
        return np.arange(self.low, self.high + 1, dtype=float)

    @property
    def bounds(self) -> tuple[float, float]:
        """Least and greatest admissible value."""
        return float(self.low), float(self.high)

    def number(self, value: Any) -> float:
        """Return the column's number for a value.

        Raises:
            SpaceError: The value is no finite number.
        """
        if not is_number(value):
            raise SpaceError(f"parameter {self.name!r}: {value!r} is no whole number{of_unit(self.unit)}")
        return float(value)

    def value(self, number: float) -> int:
        """Return the plain value for the column's number."""
        return round(float(number))

    def violation(self, value: Any) -> str | None:
        """Say what is wrong with a value, or return None."""
        return numeric_violation(self, value)


@dataclass(frozen=True)
class Categorical:
    """One of several words, without order; surrogates see a column for each, or the words' descriptors."""

    name: str
    values: Sequence[str]
    descriptors: Descriptors | None = field(default=None, hash=False)
    """A row of numbers for each word, or `composition` where the words are formulas; see `planner.descriptors`."""
    when: When | None = field(default=None, hash=False)
    """Values of other parameters that it exists for; None where it always exists."""

    def __post_init__(self) -> None:
        check_name(self.name)
        object.__setattr__(self, "when", read_when(self.name, self.when))
        if isinstance(self.values, str):
            raise SpaceError(f"parameter {self.name!r}: values must be a list of words, not one word")
        values = tuple(self.values)
        if not values or not all(isinstance(value, str) and value for value in values):
            raise SpaceError(f"parameter {self.name!r}: values must be words, and at least one")
        if len(set(values)) < len(values):
            raise SpaceError(f"parameter {self.name!r}: a value is given twice")
        object.__setattr__(self, "values", values)
        if self.descriptors is not None:
            object.__setattr__(self, "descriptors", checked(self.name, values, self.descriptors))
            self.codes  # noqa: B018  what is wrong with descriptors is said where they are given

    @cached_property
    def codes(self) -> Codes:
        """What turns indices into columns for surrogates and back."""
        if self.descriptors is None:
            return Codes(len(self.values))
        return Codes(len(self.values), described(self.name, self.values, self.descriptors))

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {value: place for place, value in enumerate(self.values)}

    @cached_property
    def grid(self) -> np.ndarray:
        """The indices of the values."""
        return np.arange(len(self.values), dtype=float)

    @property
    def bounds(self) -> tuple[float, float]:
        """Least and greatest index."""
        return 0.0, float(len(self.values) - 1)

    def number(self, value: Any) -> float:
        """Return the index of a value.

        Raises:
            SpaceError: The value is none of the words.
        """
        problem = self.violation(value)
        if problem is not None:
            raise SpaceError(problem)
        return float(self._places[value])

    def value(self, number: float) -> str:
        """Return the word for an index."""
        return self.values[round(float(number))]

    def violation(self, value: Any) -> str | None:
        """Say what is wrong with a value, or return None."""
        if isinstance(value, str) and value in self._places:
            return None
        if len(self.values) > _MOST_COMPARED:
            return f"parameter {self.name!r}: {value!r} is none of its {len(self.values)} values"
        return f"parameter {self.name!r}: {value!r} is none of its values{did_you_mean(str(value), self.values)}"


Parameter = Continuous | Integer | Categorical

__all__ = ["Categorical", "Continuous", "Integer", "Parameter", "Scale", "nearest_level"]
