"""Perovskite solar cells by rapid spray plasma processing: a seeded closed form over six process parameters.

After Liu et al., Joule 6, 834 (2022) (doi 10.1016/j.joule.2022.03.003), whose best cell of 100 conditions had 18.5 %:
the efficiency of a cell is 18.5 % less a quadratic form of the distance from the best recipe, one device scatters by
0.7 % (absolute), and 35 % of all recipes give no film: they stay wet, or the plasma burns them. Ranges, coefficients
and the shape of the failing regions are plausible, not measured. Each seed is another process: another best recipe,
other sensitivities and borders.

An earlier process on the same machine resembles this one without being it: lower efficiencies, its best recipe some way
off, sensitivities of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simulators.chance import generator

PARAMETERS: Mapping[str, tuple[float, float]] = {
    "substrate_temperature": (125.0, 175.0),
    "speed": (10.0, 30.0),
    "spray_flow": (2.0, 5.0),
    "plasma_gas_flow": (15.0, 35.0),
    "plasma_height": (0.8, 1.6),
    "plasma_duty": (25.0, 100.0),
}
"""Ranges by name: degC, cm/s, mL/min, L/min, cm, %."""

BEST_PERCENT = 18.5
EARLIER_BEST_PERCENT = 15.5
NOISE_SD_PERCENT = 0.7
FAILING = 0.35
"""Share of the box that gives no film."""

_WET = np.array([-0.8, 0.5, 1.0, -0.3, 0.4, -0.7])
_BURNT = np.array([0.9, -0.2, -0.9, 0.6, -0.3, 0.4])
_BEND = 0.8
"""How much the border of the wet region bends: product of temperature and speed."""
_LOSSES = np.array([8.0, 6.0, 4.0, 3.0, 2.0, 1.0])
"""Efficiency that is lost half a range from the best value of a parameter, % absolute; who has which, the seed says."""
_PAIRS = 4
_SHIFT = 0.1
"""Typical distance of an earlier process's best values, as a fraction of the ranges."""
_MARGIN = 0.05

Recipe = Mapping[str, float]


@dataclass(frozen=True)
class SprayPlasma:
    """One process.

    Attributes:
        best: Recipe of the most efficient cell, in the unit cube, `6`.
        losses: Quadratic form of the distance from it in half ranges, positive definite, `6 x 6`.
        borders: What wet and burnt are weighed by, `2 x 6`, and where each begins, `2`.
    """

    best: np.ndarray
    losses: np.ndarray
    top_percent: float
    borders: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, seed: int) -> SprayPlasma:
        """Draw a process; its best recipe gives a film."""
        rng = generator(seed, "spray plasma")
        weights = np.stack([_WET, _BURNT]) * rng.uniform(0.8, 1.2, (2, 6))
        anywhere = generator(0, "box").random((20_000, 6))
        begins = np.quantile(_faults(anywhere, weights), 1.0 - 0.5 * FAILING, axis=0)
        best = rng.uniform(0.25, 0.75, 6)
        while np.any(_faults(best[None], weights)[0] > begins - _MARGIN):
            best = rng.uniform(0.25, 0.75, 6)
        return cls(best, _quadratic(rng), BEST_PERCENT, (weights, begins))

    def earlier(self, seed: int) -> SprayPlasma:
        """Return an earlier process that resembles this one."""
        rng = generator(seed, "earlier process")
        best = np.clip(self.best + _SHIFT * rng.standard_normal(6), 0.05, 0.95)
        stretch = np.sqrt(rng.uniform(0.6, 1.5, 6))
        losses = self.losses * np.outer(stretch, stretch)
        return SprayPlasma(best, losses, EARLIER_BEST_PERCENT, self.borders)

    def makes_film(self, recipe: Recipe) -> bool:
        """Say whether a recipe gives a film at all."""
        return self.fault(recipe) is None

    def fault(self, recipe: Recipe) -> str | None:
        """Return what a person sees that is wrong with the film; None for a good one.

        Raises:
            KeyError: A parameter is missing.
        """
        weights, begins = self.borders
        wet, burnt = _faults(_unit(recipe)[None], weights)[0] > begins
        if wet:
            return "the film is wet and uneven"
        return "the film is burnt" if burnt else None

    def efficiency_percent(self, recipe: Recipe) -> float:
        """Return the efficiency of a cell without noise, at least 0; 0 where there is no film."""
        if not self.makes_film(recipe):
            return 0.0
        off = (_unit(recipe) - self.best) / 0.5
        return max(0.0, float(self.top_percent - off @ self.losses @ off))

    def measure_percent(self, recipe: Recipe, rng: np.random.Generator) -> float:
        """Return the measured efficiency of one cell, at least 0; 0 where there is no film."""
        truth, noise = self.efficiency_percent(recipe), float(rng.standard_normal())
        return max(0.0, truth + NOISE_SD_PERCENT * noise) if truth > 0 else 0.0


def earlier_table(seed: int, n: int) -> tuple[list[dict[str, float]], list[float]]:
    """Return recipes and efficiencies, in %, of films that an earlier process gave.

    Args:
        seed: Of the present process.
        n: How many.
    """
    process, rng = SprayPlasma.of(seed).earlier(seed), generator(seed, "earlier table")
    recipes: list[dict[str, float]] = []
    while len(recipes) < n:
        recipe = recipe_of(rng.random(6))
        if process.makes_film(recipe):
            recipes.append(recipe)
    return recipes, [process.measure_percent(recipe, rng) for recipe in recipes]


def recipe_of(codes: Sequence[float] | np.ndarray) -> dict[str, float]:
    """Return the recipe at a point of the unit cube (`6`)."""
    pairs = zip(PARAMETERS.items(), codes, strict=True)
    return {name: float(low + code * (high - low)) for (name, (low, high)), code in pairs}


def _unit(recipe: Recipe) -> np.ndarray:
    return np.array([(float(recipe[name]) - low) / (high - low) for name, (low, high) in PARAMETERS.items()])


def _faults(codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return how wet and how burnt films are, `n x 2`."""
    found = (codes - 0.5) @ weights.T
    found[:, 0] += _BEND * (codes[:, 0] - 0.5) * (codes[:, 1] - 0.5)
    return found


def _quadratic(rng: np.random.Generator) -> np.ndarray:
    """Draw a positive definite form: losses of single parameters, and some pairs that make up for each other."""
    diagonal = rng.permutation(_LOSSES) * rng.uniform(0.8, 1.25, 6)
    form = np.diag(diagonal)
    for _ in range(_PAIRS):
        i, j = rng.choice(6, size=2, replace=False)
        form[i, j] = form[j, i] = 0.3 * rng.choice([-1.0, 1.0]) * np.sqrt(diagonal[i] * diagonal[j])
    least = float(np.linalg.eigvalsh(form)[0])
    return form if least > 0 else form + (0.1 - least) * np.eye(6)
