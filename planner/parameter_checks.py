"""What is checked of the axes of a search space, and said of what is wrong."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.errors import SpaceError

if TYPE_CHECKING:
    from planner.parameters import Continuous, Integer

GRID_TOLERANCE = 1e-9
"""How far from a level a value may lie and still be that level, as a fraction of the range."""


def nearest_level(grid: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return the index of the nearest level for each number (any shape)."""
    right = np.clip(np.searchsorted(grid, numbers), 1, max(len(grid) - 1, 1))
    if len(grid) == 1:
        return np.zeros_like(right)
    return np.where(numbers - grid[right - 1] <= grid[right] - numbers, right - 1, right)


def numeric_violation(parameter: Continuous | Integer, value: Any) -> str | None:
    """Say what is wrong with the value of a number, or return None."""
    if not is_number(value):
        return f"parameter {parameter.name!r}: {value!r} is no finite number{of_unit(parameter.unit)}"
    slack = GRID_TOLERANCE * max(parameter.high - parameter.low, abs(parameter.high), 1e-300)
    low, high = parameter.low, parameter.high
    if not low - slack <= value <= high + slack:
        return f"parameter {parameter.name!r}: {value:g} lies outside {low:g} to {high:g}{tail(parameter.unit)}"
    grid = parameter.grid
    if grid is not None:
        level = grid[nearest_level(grid, np.array(float(value)))]
        if abs(level - value) > slack:
            return (
                f"parameter {parameter.name!r}: {value:g}{tail(parameter.unit)} is no level of its grid; next is "
                f"{level:g}"
            )
    return None


def check_name(name: Any) -> None:
    """Refuse what is no name.

    Raises:
        SpaceError: It is none.
    """
    if not isinstance(name, str) or not name.strip():
        raise SpaceError(f"a parameter needs a name, not {name!r}")


def tail(unit: str) -> str:
    """Return what follows a number: its unit; nothing where it has none."""
    return "" if unit == "1" else f" {unit}"


def of_unit(unit: str) -> str:
    """Return how a unit is named within a sentence; nothing where there is none."""
    return "" if unit == "1" else f" of {unit}"


def check_bounds(name: str, low: Any, high: Any, unit: str) -> None:
    """Refuse bounds that are no numbers, or in the wrong order.

    Raises:
        SpaceError: They are.
    """
    if not is_number(low) or not is_number(high):
        raise SpaceError(f"parameter {name!r}: bounds must be finite numbers, not {low!r} and {high!r}")
    if low > high:
        raise SpaceError(
            f"parameter {name!r}: low {low:g}{tail(unit)} is above high {high:g}{tail(unit)}; exchange them"
        )


def is_number(value: Any) -> bool:
    """Say whether a value is a finite number."""
    return (
        isinstance(value, int | float | np.integer | np.floating)
        and not isinstance(value, bool)
        and math.isfinite(value)
    )


def tidy(numbers: np.ndarray) -> np.ndarray:
    """Round to 12 significant digits, so that 1 + 3 * 0.2 is 1.6 and prints so."""
    return np.array([float(f"{number:.12g}") for number in numbers])
