"""What the campaign is for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from planner.errors import BadOption

Direction = Literal["maximize", "minimize", "target", "window", "at_most", "at_least", "learn", "classify"]

_FIELDS: dict[str, tuple[str, ...]] = {
    "target": ("target", "tolerance"),
    "window": ("low", "high"),
    "at_most": ("limit",),
    "at_least": ("limit",),
}
"""The fields that belong to one direction only."""
_NEEDED = {"target": ("target",), "window": ("low", "high"), "at_most": ("limit",), "at_least": ("limit",)}


@dataclass(frozen=True, slots=True)
class Objective:
    """One target and what to do with it.

    `maximize` and `minimize` want the most and the least of it. `target` wants one value, `window` any value from low
    to high: there everything is equally good, and outside the distance counts. `at_most` and `at_least` are limits on
    what is measured, beside objectives that are optimised. `learn` asks for a map of a number over the search space,
    `classify` for a map of regions: what is measured then is a fingerprint (a diffraction pattern, a spectrum), and
    where fingerprints are of one kind is a region.

    Attributes:
        name: What observations call it.
        direction: See above.
        unit: Of values, and of all numbers here.
        target: The value to hit.
        tolerance: How far from the target is as good as on it.
        low, high: The ends of the window, both included.
        limit: What must not be exceeded (`at_most`), or reached at least (`at_least`).
        desirability: Two values, the lesser one first, between which desirability goes from 0 to 1; beyond the worse
            one nothing is of any use. For `target` and `window` they are the two values at which it becomes 0.
        weight: Power of the desirability; above 1 only the best will do, below 1 little is enough.

    Raises:
        BadOption: A number is missing, does not belong to the direction, or is no number.
    """

    name: str
    direction: Direction
    unit: str = "1"
    target: float | None = None
    tolerance: float = 0.0
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    desirability: tuple[float, float] | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        known = get_args(Direction)
        if self.direction not in known:
            raise BadOption(f"objective {self.name!r}: direction must be one of {', '.join(known)}")
        if self.desirability is not None:
            object.__setattr__(self, "desirability", tuple(self.desirability))
        problem = self._problem() or self._problem_of_desirability()
        if problem:
            raise BadOption(f"objective {self.name!r}: {problem}")

    @property
    def is_ranked(self) -> bool:
        """Whether one value can be better than another."""
        return self.is_extremal or self.is_aimed

    @property
    def is_extremal(self) -> bool:
        """Whether more, or less, is always better."""
        return self.direction in ("maximize", "minimize")

    @property
    def is_aimed(self) -> bool:
        """Whether there is an interval to hit."""
        return self.direction in ("target", "window")

    @property
    def is_limit(self) -> bool:
        """Whether it is no goal, but a limit that results must keep to."""
        return self.direction in ("at_most", "at_least")

    @property
    def interval(self) -> tuple[float, float]:
        """Least and greatest value that hits; of `target` and `window` only."""
        if self.target is not None:
            return self.target - self.tolerance, self.target + self.tolerance
        if self.low is None or self.high is None:
            raise BadOption(f"objective {self.name!r} has no interval: its direction is {self.direction}")
        return self.low, self.high

    def merit(self, values: np.ndarray) -> np.ndarray:
        """Return how good values are, in their unit: greater is better. What is aimed at has merit 0 where it is hit.

        Raises:
            BadOption: The objective is no goal that values could be ranked by.
        """
        if self.is_extremal:
            return values if self.direction == "maximize" else -values
        low, high = self.interval
        return -np.maximum(np.maximum(low - values, values - high), 0.0)

    def rank(self, value: float) -> tuple[float, float]:
        """Return what orders values, greater is better: the merit, then how near to the middle of what is aimed at."""
        merit = float(self.merit(np.array([value]))[0])
        return merit, -abs(value - sum(self.interval) / 2.0) if self.is_aimed else 0.0

    def keeps(self, value: float) -> bool:
        """Say whether a value keeps to the limit; every value does where there is none."""
        if self.limit is None:
            return True
        return value <= self.limit if self.direction == "at_most" else value >= self.limit

    def __str__(self) -> str:
        """Return the goal in words, without the unit."""
        if self.target is not None:
            tail = f" +- {self.tolerance:g}" if self.tolerance else ""
            return f"{self.name} at {self.target:g}{tail}"
        if self.direction == "window":
            return f"{self.name} from {self.low:g} to {self.high:g}"
        if self.limit is not None:
            return f"{self.name} {self.direction.replace('_', ' ')} {self.limit:g}"
        return f"{self.direction} {self.name}"

    def _problem(self) -> str | None:
        own, needed = _FIELDS.get(self.direction, ()), _NEEDED.get(self.direction, ())
        for name in ("target", "tolerance", "low", "high", "limit"):
            value = getattr(self, name)
            if value is None or (name == "tolerance" and value == 0.0 and not isinstance(value, bool)):
                if name in needed:
                    return f"direction {self.direction!r} needs {name}="
                continue
            if name not in own:
                return f"{name} does not belong to direction {self.direction!r}; leave it out"
            if not _is_finite(value):
                return f"{name} must be a finite number, not {value!r}"
        if self.tolerance < 0:
            return f"the tolerance must not be below 0, and is {self.tolerance:g}"
        if self.low is not None and self.high is not None and self.low >= self.high:
            return f"low, {self.low:g}, must be below high, {self.high:g}"
        return None

    def _problem_of_desirability(self) -> str | None:
        if not _is_finite(self.weight) or self.weight <= 0:
            return f"the weight must be a finite number above 0, not {self.weight!r}"
        if self.desirability is None:
            return None if self.weight == 1.0 else "a weight needs a desirability; without one it would do nothing"
        if not self.is_ranked:
            return f"direction {self.direction!r} takes no desirability; leave it out"
        if len(self.desirability) != 2 or not all(_is_finite(end) for end in self.desirability):
            return f"desirability takes two finite numbers, not {self.desirability!r}"
        low, high = self.desirability
        if low >= high:
            return f"desirability gives the lesser value first; {low:g} is not below {high:g}"
        if self.is_aimed and not low < self.interval[0] <= self.interval[1] < high:
            return (
                f"desirability falls to 0 at {low:g} and {high:g}; what is aimed at, {self.interval[0]:g} to "
                f"{self.interval[1]:g}, must lie between them"
            )
        return None


def check_together(objectives: tuple[Objective, ...]) -> None:
    """Refuse objectives that make no sense beside each other.

    Raises:
        BadOption: There is none or two have one name; limits stand alone; or only some have a desirability.
    """
    names = [objective.name for objective in objectives]
    if not names:
        raise BadOption("a planner needs at least one objective")
    if len(set(names)) < len(names):
        raise BadOption(f"two objectives are called {[name for name in names if names.count(name) > 1][0]!r}")
    if all(objective.is_limit for objective in objectives):
        raise BadOption(
            f"objective {names[0]!r} is a limit, and nothing is to be optimised beside it; add an objective, or make "
            "it a window, or its direction maximize or minimize"
        )
    ranked = [objective for objective in objectives if objective.is_ranked]
    without = [objective.name for objective in ranked if objective.desirability is None]
    if without and len(without) < len(ranked):
        raise BadOption(
            f"objective {without[0]!r} has no desirability, and others have; give every objective one, or none"
        )


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
