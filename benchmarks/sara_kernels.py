"""The inner loop's kernel against a plain one, failure events on: line (b) of `benchmarks/sara_acceptance.py`.

The plain kernel is the squared exponential ("EQ") with which Ament et al., Sci. Adv. 7, eabg4930 (2021) compare theirs:
stationary, neither mirrored nor rescaled. It gets all that ours gets besides: offset and tilt, noise, and a length and
a variance that are chosen by the evidence among the same values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sara_inner import HALF_RANGE_MM, POINTS, Stripe, followed

from planner.adaptive_scan import AdaptiveScan
from planner.scan_model import ScanModel
from surrogate.kernels import Kernel1D, Line, Sum, squared_exponential
from surrogate.spectra.microscope import prior_from_picture

Array = NDArray[np.floating[Any]]

STRIPES = 2
"""Stripes of each film."""
WAYS: Mapping[str, tuple[str, str]] = {
    "integrated_gradient": ("integrated_gradient", "isara+picture"),
    "random": ("random", "isara+picture"),
    "integrated_gradient, EQ": ("integrated_gradient", "eq"),
    "random, EQ": ("random", "eq"),
}
"""How places are chosen, and by which kernel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Eq:
    """The stationary kernel variance * exp(-(a - b)^2 / (2 length^2))."""

    length: float
    variance: float

    def value(self, a: Array, b: Array) -> Array:
        """Return cov(f(a), f(b)), ``n x m``."""
        return self.variance * squared_exponential(np.subtract.outer(a, b), self.length)

    def slope(self, a: Array, b: Array) -> Array:
        """Return cov(f'(a), f(b)), ``n x m``."""
        return -np.subtract.outer(a, b) / self.length**2 * self.value(a, b)

    def both_slopes(self, a: Array, b: Array) -> Array:
        """Return cov(f'(a), f'(b)), ``n x m``."""
        away = np.square(np.subtract.outer(a, b) / self.length)
        return (1.0 - away) / self.length**2 * self.value(a, b)


class EqModel(ScanModel):
    """The scan's process with the plain kernel in the place of iSARA."""

    def _kernel(self, scale: Any) -> Kernel1D:
        line = Line(offset_variance=4.0, tilt_variance=0.01)
        return Sum((Eq(length=scale.length_mm, variance=scale.factor), line))


class EqScan(AdaptiveScan):
    """A scan that knows no picture and believes in the plain kernel."""

    def __init__(self, policy: str, *, rng: np.random.Generator) -> None:
        super().__init__(policy, half_range_mm=HALF_RANGE_MM, points=POINTS, rng=rng)
        self._model = EqModel(None, self.grid_mm)


def trial(way: str, seed: int) -> dict[str, Any]:
    """Return, for each stripe of a film, the spectra until R2 of the slope reaches 0.8 and 0.9 (None: never)."""
    found: dict[str, Any] = {"way": way, "seed": seed, "to_8": [], "to_9": [], "events": []}
    for number in range(STRIPES):
        stripe = Stripe(seed, number=number, failures=True)
        found["events"].append(stripe.shot["event"])
        if is_blank(stripe):
            continue
        eight, nine, _ = followed(stripe, _scan(way, stripe, [seed, 2, number]))
        found["to_8"].append(eight if np.isfinite(eight) else None)
        found["to_9"].append(nine if np.isfinite(nine) else None)
    return found


def is_blank(stripe: Stripe) -> bool:
    """Say whether nothing changes along the stripe (it misfired or came off), so that it has no slope to find."""
    grid = np.linspace(-HALF_RANGE_MM, HALF_RANGE_MM, 256)
    return bool(np.ptp(stripe.true_slope(grid)) < 1e-9)


def _scan(way: str, stripe: Stripe, key: list[int]) -> AdaptiveScan:
    policy, kernel = WAYS[way]
    rng = np.random.default_rng(key)
    if kernel == "eq":
        return EqScan(policy, rng=rng)
    prior = prior_from_picture(stripe.picture(), pixel_um=5.0)
    return AdaptiveScan(policy, half_range_mm=HALF_RANGE_MM, points=POINTS, prior=prior, rng=rng)
