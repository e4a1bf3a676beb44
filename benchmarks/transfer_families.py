"""Families of related laboratory tasks: each draws functions over the unit cube that differ as campaigns differ.

`hartmann` and `solid_state` are those of the measured protocol (3 and 4 inputs: shifted, stretched and scaled
Hartmann-3; two coordinates of a composition, a temperature window, Arrhenius time, a competing phase). `annealing` (2)
is Avrami's transformed fraction under a temperature and a time, and what dissolves again; `flow` (5) is the yield of a
consecutive reaction A -> B -> C in a tube. All are to be maximised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]
"""From ``n x d`` in the unit cube to ``n``."""

FAR = (0.35, 0.5)
"""How far, in each input, the optimum of a misleading source has moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One function, and its scale."""

    function: Function
    scale: float
    offset: float

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Return values, ``n``."""
        return self.offset + self.scale * self.function(X)

    def negated(self) -> Task:
        """Return the task upside down."""
        return Task(function=self.function, scale=-self.scale, offset=self.offset)

    def far(self, rng: np.random.Generator, d: int) -> Task:
        """Return the task with its optimum moved far away: the same shape, reflected where it would leave the cube."""
        shift = rng.uniform(*FAR, d) * rng.choice([-1.0, 1.0], d)

        def moved(X: np.ndarray) -> np.ndarray:
            folded = np.abs(X + shift)
            return self.function(np.where(folded > 1.0, 2.0 - folded, folded))

        return Task(function=moved, scale=self.scale, offset=self.offset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What tasks have in common."""

    name: str
    d: int
    draw: Callable[[np.random.Generator], Function]

    def task(self, rng: np.random.Generator) -> Task:
        """Draw one task with a scale and an offset of its own."""
        function = self.draw(rng)
        return Task(function=function, scale=float(np.exp(rng.uniform(np.log(0.5), np.log(2.0)))), offset=rng.normal())


def _hartmann(rng: np.random.Generator) -> Function:
    shift, stretch = rng.uniform(-0.12, 0.12, 3), rng.uniform(0.85, 1.15, 3)
    alpha = np.array([1.0, 1.2, 3.0, 3.2])
    a = np.array([[3.0, 10, 30], [0.1, 10, 35], [3.0, 10, 30], [0.1, 10, 35]])
    p = 1e-4 * np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]])

    def function(X: np.ndarray) -> np.ndarray:
        moved = 0.5 + stretch * (X - 0.5) + shift
        return np.exp(-((moved[:, None] - p) ** 2 * a).sum(2)) @ alpha

    return function


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-np.clip(x, -50.0, 50.0)))


def _solid_state(rng: np.random.Generator) -> Function:
    centre, width = rng.normal([0.55, 0.4], 0.05), rng.uniform(0.15, 0.25, 2)
    forms, decomposes = rng.normal(0.35, 0.05), rng.normal(0.75, 0.05)
    energy, rate = rng.uniform(3.0, 5.0), rng.uniform(0.8, 1.6)
    other, bump = rng.normal([0.25, 0.7], 0.05), rng.uniform(0.2, 0.5)

    def function(X: np.ndarray) -> np.ndarray:
        composition, t, time = X[:, :2], X[:, 2], X[:, 3]
        window = _sigmoid((t - forms) / 0.06) * _sigmoid((decomposes - t) / 0.06)
        done = 1.0 - np.exp(-rate * (0.1 + 3.0 * time) * np.exp(energy * (t - 0.55)))
        near = np.exp(-(((composition - centre) / width) ** 2).sum(1) / 2.0)
        competing = bump * np.exp(-(((composition - other) / 0.15) ** 2).sum(1) / 2.0) * _sigmoid((t - 0.6) / 0.08)
        return near * window * done + competing

    return function


def _annealing(rng: np.random.Generator) -> Function:
    energy, order, onset = rng.uniform(9.0, 13.0), rng.uniform(1.2, 2.5), rng.normal(0.45, 0.05)
    second, loses = rng.uniform(14.0, 20.0), rng.normal(0.8, 0.05)

    def function(X: np.ndarray) -> np.ndarray:
        t, log_time = X[:, 0], 4.0 * (X[:, 1] - 0.5)
        made = 1.0 - np.exp(-np.exp(np.clip(order * (energy * (t - onset) + log_time), -40.0, 6.0)))
        lost = 1.0 - np.exp(-np.exp(np.clip(second * (t - loses) + log_time, -40.0, 6.0)))
        return made * (1.0 - lost)

    return function


def _flow(rng: np.random.Generator) -> Function:
    first, second = rng.uniform(2.5, 3.5), rng.uniform(4.5, 6.0)
    speed, side = np.exp(rng.normal(0.3, 0.25)), np.exp(rng.normal(-1.2, 0.3))
    order, best, width = rng.uniform(0.5, 1.0), rng.normal(0.5, 0.08), rng.uniform(0.25, 0.4)

    def function(X: np.ndarray) -> np.ndarray:
        t, log_time, loading, excess, concentration = X[:, 0], 3.0 * (X[:, 1] - 0.5), X[:, 2], X[:, 3], X[:, 4]
        time = np.exp(log_time)
        k1 = speed * np.exp(first * (t - 0.5)) * (0.3 + loading) * (0.4 + excess) ** order
        k2 = side * np.exp(second * (t - 0.5)) * (0.5 + 0.8 * excess)
        k2 = np.where(np.abs(k1 - k2) < 1e-6, k2 + 1e-6, k2)
        made = k1 / (k2 - k1) * (np.exp(-k1 * time) - np.exp(-k2 * time))
        return made * np.exp(-(((concentration - best) / width) ** 2) / 2.0)

    return function


FAMILIES = (
    Family(name="hartmann", d=3, draw=_hartmann),
    Family(name="solid_state", d=4, draw=_solid_state),
    Family(name="annealing", d=2, draw=_annealing),
    Family(name="flow", d=5, draw=_flow),
)
SCENARIOS = ("related", "far", "negated", "mixed")
N_SOURCES = 4


def tasks(family: Family, scenario: str, seed: int) -> tuple[Task, list[Task]]:
    """Return a target and its sources.

    Args:
        family: What they have in common.
        scenario: One of `SCENARIOS`; in ``mixed`` one source of four is negated.
        seed: Of the draw.
    """
    rng = np.random.default_rng([seed, sum(map(ord, family.name))])
    target, *sources = (family.task(rng) for _ in range(1 + N_SOURCES))
    if scenario == "far":
        sources = [one.far(rng, family.d) for one in sources]
    elif scenario == "negated":
        sources = [one.negated() for one in sources]
    elif scenario == "mixed":
        sources[0] = sources[0].negated()
    return target, sources
