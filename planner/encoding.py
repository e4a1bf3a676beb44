"""Rows as columns in the unit cube, which surrogates see, and as keys, by which equal points are known.

Where a parameter does not exist its codes are the middle of the cube (no word, for a category), so that nothing is far
along it, and a column for each condition says whether it holds: that is the distance between what has the parameter and
what has not, and a surrogate learns its length (Swersky et al., arXiv 1409.4011, take a curve for what is a step here).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from planner.conditions import Conditions
from planner.parameters import Categorical, Continuous, Parameter, nearest_level
from planner.region import Region
from surrogate.input_noise import InputNoise

_MIDDLE = 0.5


@dataclass(frozen=True)
class Encoding:
    """Codes of rows: numbers on their scale from 0 to 1, a category as one column each, or as its descriptors."""

    parameters: tuple[Parameter, ...]
    conditions: Conditions | None = None

    @cached_property
    def widths(self) -> list[int]:
        """Number of codes of each parameter."""
        return [p.codes.width if isinstance(p, Categorical) else 1 for p in self.parameters]

    @cached_property
    def width(self) -> int:
        """Number of codes."""
        return sum(self.widths) + (0 if self.conditions is None else len(self.conditions.distinct))

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """Return the codes of rows (`n x p`), `n x width`; points outside the bounds lie outside the cube."""
        columns: list[np.ndarray] = []
        for j, parameter in enumerate(self.parameters):
            if isinstance(parameter, Categorical):
                columns.append(parameter.codes.encode(rows[:, j]))
            else:
                columns.append(_to_unit(rows[:, j], *parameter.bounds, parameter.scale == "log")[:, None])
        if self.conditions is not None:
            active = self.conditions.active(rows)
            for j in self.conditions.rules:
                columns[j][~active[:, j]] = self._absent(self.parameters[j])
            columns.append(self.conditions.indicators(active))
        return np.hstack(columns)

    @cached_property
    def input_noise(self) -> InputNoise | None:
        """How far what is achieved lies from what is asked for, in codes; None where everything is exact."""
        at_zero, decay = np.zeros(self.width), np.zeros(self.width)
        for parameter, start in zip(self.parameters, np.cumsum([0, *self.widths]), strict=False):
            if isinstance(parameter, Continuous) and parameter.input_sd > 0.0:
                low, high = parameter.bounds
                if high > low and parameter.scale == "log":
                    decay[start] = np.log(high / low)
                    at_zero[start] = parameter.input_sd / (low * decay[start])
                elif high > low:
                    at_zero[start] = parameter.input_sd / (high - low)
        return InputNoise(at_zero, decay) if at_zero.any() else None

    @staticmethod
    def _absent(parameter: Parameter) -> float:
        return 0.0 if isinstance(parameter, Categorical) and parameter.descriptors is None else _MIDDLE

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Return rows (`n x p`) for codes (`n x width`), not yet on their levels."""
        rows = np.empty((len(codes), len(self.parameters)))
        start = 0
        for j, (parameter, n_codes) in enumerate(zip(self.parameters, self.widths, strict=True)):
            block = codes[:, start : start + n_codes]
            if isinstance(parameter, Categorical):
                rows[:, j] = parameter.codes.decode(block)
            else:
                rows[:, j] = _from_unit(block[:, 0], *parameter.bounds, parameter.scale == "log")
            start += n_codes
        return rows


def marks(scales: Region, rows: np.ndarray) -> np.ndarray:
    """Return what the keys of rows (`n x p`) are made of: numbers (`n x p`) that rounding did nothing to."""
    found = np.round((rows - scales.low) / scales.span, 10)
    for column, grid in enumerate(scales.grids):
        if grid is not None:
            index = nearest_level(grid, rows[:, column])
            hit = np.abs(grid[index] - rows[:, column]) <= 1e-7 * scales.span[column]
            found[:, column] = np.where(hit, 10.0 + index, found[:, column])
    return found + 0.0  # of two zeros one


def _to_unit(numbers: np.ndarray, low: float, high: float, is_log: bool) -> np.ndarray:
    if high <= low:
        return np.zeros_like(numbers)
    if is_log:
        return np.log(np.maximum(numbers, 1e-300) / low) / np.log(high / low)
    return (numbers - low) / (high - low)


def _from_unit(codes: np.ndarray, low: float, high: float, is_log: bool) -> np.ndarray:
    if is_log:
        return np.clip(low * (high / low) ** codes, low, high)
    return low + codes * (high - low)
