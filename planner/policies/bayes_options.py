"""Options of the policies that learn with Gaussian processes."""

from __future__ import annotations

from dataclasses import dataclass

from planner.policies.options import Choice, Range, Text, option
from planner.predictor import MAP_MODELS


@dataclass(frozen=True, slots=True)
class BayesOptions:
    """Options of the policies that learn."""

    start: int | None = option(None, Range(1, 10_000, is_whole=True))
    """Points that fill the space before the surrogate chooses; default twice the parameters, 4 to 10."""
    candidates: int = option(1000, Range(10, 1_000_000, is_whole=True))
    """Points of the space that each ask begins its search from."""
    draws: int = option(32, Range(1, 4096, is_whole=True))
    """Draws of the noiseless values that the expected improvement is averaged over."""
    caution: float = option(0.5, Range(0.0, 100.0))
    """Power of the probability that a recipe works; 0 ignores failures."""
    map_model: str = option("gp", MAP_MODELS)
    """The surrogate that predictions come from."""
    robust: bool = option(False, Choice((False, True)))
    """Whether results that cannot be, gross errors, are found and left out of what is learnt; see `planner.doubts`."""
    cost: str | None = option(None, Text())
    """What an experiment costs, a formula of the numeric parameters, which divides its worth. None: all the same."""
    cost_power: float = option(1.0, Range(0.0, 10.0))
    """Power of the cost that worth is divided by."""
    cost_budget: float | None = option(None, Range(1e-300, 1e300))
    """What all experiments may cost together: as it is spent, the power sinks to 0. None: the power stays."""
    replicates: int = option(1, Range(1, 1000, is_whole=True))
    """How often a recipe may be measured in all, where that is worth more than a new one; 1: no repeats."""
