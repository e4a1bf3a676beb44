"""Goals on the scale that a surrogate works on: what makes one value better than another there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from planner.objective import Objective
from planner.transforms import TargetScale


class Goal(Protocol):
    """What is wanted of a process."""

    def merit(self, values: np.ndarray) -> np.ndarray:
        """Return how good values of the process are, of any shape; greater is better."""
        ...

    def no_better_than_half(self, values: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Return values (`n`), those better than half of the known ones (`m`) replaced by one as good as the middle."""
        ...


@dataclass(frozen=True, slots=True)
class Upwards:
    """The more the better."""

    def merit(self, values: np.ndarray) -> np.ndarray:
        """Return the values themselves."""
        return values

    def no_better_than_half(self, values: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Return the lesser of each value and the median."""
        return np.minimum(values, np.median(known))


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval to hit; its ends may be equal."""

    low: float
    high: float

    def merit(self, values: np.ndarray) -> np.ndarray:
        """Return what is lacking to the interval, below 0 outside."""
        return -np.maximum(np.maximum(self.low - values, values - self.high), 0.0)

    def no_better_than_half(self, values: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Return values moved out of the interval, each on its own side, as far as half of the known ones are."""
        merit = np.median(self.merit(known))
        away = np.where(2.0 * values < self.low + self.high, self.low + merit, self.high - merit)
        return np.where(self.merit(values) > merit, away, values)


def goal_of(objective: Objective, scale: TargetScale) -> Goal:
    """Return what an objective wants of the process of its target, upright where it is to be minimised."""
    if not objective.is_aimed:
        return Upwards()
    low, high = scale.forward(np.array(objective.interval))
    return Interval(float(low), float(high))
