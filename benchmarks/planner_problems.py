"""The problems on which `planners.py` compares planners. Every one is minimised.

An observed value is the true value plus normal noise; the noise is keyed by (problem, seed, number of the trial), so
that the k-th trial of every planner is disturbed alike. The first points are uniform draws, keyed by (problem, seed),
and handed to every planner.

A seed's *regret* after n trials is the true value of the point with the least observed value among them, less the
optimum: whoever runs the laboratory can choose by what was observed only. The *top 1 %* of a problem lies below the 1 %
quantile of the true function over 100,000 uniform admissible points (those that do not fail); a trial is in it by its
true value.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from planner_space import Axis, Bound, Point, Space, Value

Evaluate = Callable[[Sequence[Point]], np.ndarray]
"""From ``n`` points to ``n`` true values, NaN where the experiment gives no result."""

LARGEST_DESIGN = 10


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A function over a space, its noise, and how many points everyone begins with."""

    name: str
    space: Space
    evaluate: Evaluate
    noise_sd: Callable[[float], float]
    """From a true value to the standard deviation of its noise."""
    n_initial: int
    half: str
    """``tune``: settings of a planner may be chosen on it; ``held out``: they may not."""
    can_fail: bool = False
    revision: int = 1
    """Raised when the definition changes: results of an older one are measured again."""

    def initial(self, seed: int) -> list[dict[str, Value]]:
        """Return the points that every planner is given."""
        return self.space.sample(self.n_initial, self.rng(seed, 0))

    def truth(self, point: Point) -> float | None:
        """Return the true value at a point; None where it fails."""
        value = float(self.evaluate([point])[0])
        return None if np.isnan(value) else value

    def observed(self, true: float, seed: int, number: int) -> float:
        """Return what is measured of a true value in the trial with this number."""
        return true + self.noise_sd(true) * float(self.rng(seed, 1, number).standard_normal())

    def rng(self, *key: int) -> np.random.Generator:
        """Return what draws, for one purpose."""
        return np.random.default_rng([zlib.crc32(self.name.encode()), *key])


def constant(sd: float) -> Callable[[float], float]:
    """Return noise that does not depend on the value."""
    return lambda _value: sd


def continuous(**bounds: tuple[float, float]) -> tuple[Axis, ...]:
    """Return continuous parameters by name."""
    return tuple(Axis(name=name, kind="continuous", low=low, high=high) for name, (low, high) in bounds.items())


def columns(points: Sequence[Point], *names: str) -> list[np.ndarray]:
    """Return the values of numeric parameters, ``n`` each."""
    return [np.array([float(point[name]) for point in points]) for name in names]


def design(space: Space) -> int:
    """Return how many points are handed out first: two for each parameter and two more, ten at most."""
    return min(2 * (len(space.axes) + 1), LARGEST_DESIGN)


def _plain(name: str, axes: tuple[Axis, ...], evaluate: Evaluate, sd: float, half: str) -> Problem:
    space = Space(axes=axes)
    return Problem(name=name, space=space, evaluate=evaluate, noise_sd=constant(sd), n_initial=design(space), half=half)


def _branin(points: Sequence[Point]) -> np.ndarray:
    x, y = columns(points, "x", "y")
    ridge = y - 5.1 / (4 * np.pi**2) * x**2 + 5 / np.pi * x - 6
    return ridge**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(x) + 10


BRANIN = _plain("branin", continuous(x=(-5.0, 10.0), y=(0.0, 15.0)), _branin, sd=0.5, half="tune")
"""Noise of 1 % of the function's standard deviation over the box (51), as wide as its top 1 %; 1 % of the range (3.1)
would be six times that, and luck would choose the incumbent."""

_H_ALPHA = np.array([1.0, 1.2, 3.0, 3.2])
_H_A = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
_H_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def _hartmann6(points: Sequence[Point]) -> np.ndarray:
    x = np.stack(columns(points, *HARTMANN_NAMES), axis=1)
    return -np.exp(-np.sum(_H_A * (x[:, None, :] - _H_P) ** 2, axis=2)) @ _H_ALPHA


HARTMANN_NAMES = tuple(f"x{i}" for i in range(1, 7))
HARTMANN6 = _plain(
    "hartmann6", continuous(**dict.fromkeys(HARTMANN_NAMES, (0.0, 1.0))), _hartmann6, sd=0.02, half="held out"
)

_SHIFTS = {"x1": 0.9, "x2": -1.3, "x3": 2.1}
_BEST_LEVEL = 3
_CATEGORIES = {"A": 2.0, "B": -1.0, "C": 0.0, "D": 3.0, "E": -2.0}


def _ackley5(points: Sequence[Point]) -> np.ndarray:
    places = [column - _SHIFTS[name] for name, column in zip(_SHIFTS, columns(points, *_SHIFTS), strict=True)]
    places.append(columns(points, "k")[0] - _BEST_LEVEL)
    places.append(np.array([_CATEGORIES[str(point["c"])] for point in points]))
    z = np.stack(places, axis=1)
    waves = np.exp(np.mean(np.cos(2 * np.pi * z), axis=1))
    return -20 * np.exp(-0.2 * np.sqrt(np.mean(z**2, axis=1))) - waves + 20 + np.e


ACKLEY5_MIXED = _plain(
    "ackley5_mixed",
    (
        *continuous(**dict.fromkeys(_SHIFTS, (-4.0, 4.0))),
        Axis(name="k", kind="integer", low=0, high=8),
        Axis(name="c", kind="categorical", levels=tuple(_CATEGORIES)),
    ),
    _ackley5,
    sd=0.1,
    half="held out",
)
"""Ackley's function in five dimensions, two of them nine whole numbers and five words (at 2, -1, 0, 3 and -2). Its
least value, 0, is at x = (0.9, -1.3, 2.1), k = 3 and c = C."""


def _ternary(points: Sequence[Point]) -> np.ndarray:
    a, b = columns(points, "a", "b")
    high = np.exp(-(((a - 0.5) / 0.12) ** 2) - ((b - 0.3) / 0.1) ** 2)
    low = 0.6 * np.exp(-(((a - 0.12) / 0.15) ** 2) - ((b - 0.7) / 0.12) ** 2)
    return -(high + low + 0.2 * (1 - b))


TERNARY = Problem(
    name="ternary",
    space=Space(
        axes=continuous(a=(0.0, 1.0), b=(0.0, 1.0), c=(0.0, 1.0)),
        bounds=(
            Bound(weights={"a": 1.0, "b": 1.0, "c": 1.0}, relation="==", bound=1.0),
            Bound(weights={"a": 1.0, "b": 0.5}, relation="<=", bound=0.6),
        ),
    ),
    evaluate=_ternary,
    noise_sd=constant(0.02),
    n_initial=5,
    half="tune",
)

FURNACE: Mapping[str, tuple[float, float]] = {
    "temperature": (300.0, 900.0),
    "time": (0.5, 24.0),
    "ratio": (0.5, 2.0),
    "flux": (0.0, 1.0),
}


def _hidden_failure(points: Sequence[Point]) -> np.ndarray:
    raw = zip(columns(points, *FURNACE), FURNACE.values(), strict=True)
    u1, u2, u3, u4 = ((column - low) / (high - low) for column, (low, high) in raw)
    fails = (u1 + 0.45 * u4 > 0.82) | ((u2 - 0.2) ** 2 + (u3 - 0.9) ** 2 < 0.09)
    peak = ((u1 - 0.62) / 0.22) ** 2 + ((u2 - 0.55) / 0.3) ** 2 + ((u3 - 0.65) / 0.25) ** 2 + ((u4 - 0.35) / 0.35) ** 2
    other = ((u1 - 0.2) / 0.25) ** 2 + ((u2 - 0.8) / 0.3) ** 2 + ((u3 - 0.2) / 0.3) ** 2
    return np.where(fails, np.nan, -(np.exp(-peak) + 0.5 * np.exp(-other) + 0.3 * u1))


HIDDEN_FAILURE = Problem(
    name="hidden_failure",
    space=Space(axes=continuous(**FURNACE)),
    evaluate=_hidden_failure,
    noise_sd=constant(0.02),
    n_initial=8,
    half="tune",
    can_fail=True,
)
"""Half of the box fails, and no planner is told where; the optimum lies near what fails."""

CLOSED_FORMS = (BRANIN, HARTMANN6, ACKLEY5_MIXED, TERNARY, HIDDEN_FAILURE)
