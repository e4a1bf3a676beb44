"""Where on this stripe to measure next: SARA's inner loop.

One Gaussian process over the distance from the stripe's centre, mirrored and rescaled by what the microscope saw; the
place that most reduces the uncertainty of the *gradient*, integrated over the stripe, comes next (Ament et al., Sci.
Adv. 7, eabg4930 (2021), "integrated gradient uncertainty"). Given hyperparameters, that choice depends on where was
measured and with which noise; values enter through the hyperparameters, which are chosen by the evidence as data come.

The state of a scan follows from its constructor and the ordered tells: `next` changes nothing.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.errors import BadOption, did_you_mean
from planner.scan_model import ScanModel
from planner.scan_policies import acquisition, fixed_order
from surrogate.spectra.microscope import MicroscopePrior

Array = NDArray[np.floating[Any]]

ScanPolicy = Literal["integrated_gradient", "integrated_variance", "uncertainty", "random", "grid", "sobol"]

SCAN_POLICIES: tuple[str, ...] = get_args(ScanPolicy)

GRID_POINTS = 256
TIE = 0.01
"""Places whose score is within this fraction of the best are equally good: the nearest of them is taken."""


class AdaptiveScan:
    """Chooses offsets along one stripe.

    Args:
        policy: how to choose; see `SCAN_POLICIES`.
        half_range_mm: places lie between minus and plus this, on a grid of 256.
        points: how many are measured, accidents included.
        prior: what the microscope saw, or None.
        rng: of the random and Sobol orders; the same generator state gives the same order.

    Raises:
        BadOption: An unknown policy, or a number that cannot be.
    """

    def __init__(
        self,
        policy: str = "integrated_gradient",
        *,
        half_range_mm: float,
        points: int,
        prior: MicroscopePrior | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        if policy not in SCAN_POLICIES:
            raise BadOption(f"there is no scan policy {policy!r}{did_you_mean(policy, SCAN_POLICIES)}")
        if not (np.isfinite(half_range_mm) and half_range_mm > 0):
            raise BadOption(f"a scan needs a positive half range, not {half_range_mm} mm")
        if not 1 <= points <= GRID_POINTS:
            raise BadOption(f"a scan takes 1 to {GRID_POINTS} points, not {points}")
        self.policy, self.points = policy, points
        self.grid_mm: Array = np.linspace(-half_range_mm, half_range_mm, GRID_POINTS)
        """``256`` places that may be proposed."""
        self._order = fixed_order(policy, points, GRID_POINTS, rng or np.random.default_rng(0))
        self._model = ScanModel(prior, self.grid_mm)
        self._visited: list[int] = []

    @property
    def n_told(self) -> int:
        """How many places were visited, accidents included."""
        return len(self._visited)

    def next(self) -> float | None:
        """Return the offset to measure next, in mm, or None when the scan is over."""
        if self.n_told >= self.points:
            return None
        free = np.ones(GRID_POINTS, dtype=bool)
        free[self._visited] = False
        if not free.any():
            return None
        if self._order is not None:
            return float(self.grid_mm[next(index for index in self._order if free[index])])
        score = acquisition(self.policy, self._model.uncertainty())
        return float(self.grid_mm[self._nearest_of_best(np.where(free, score, -np.inf))])

    def tell(self, offset_mm: float, coefficients: ArrayLike | None, noise: ArrayLike | None = None) -> None:
        """Take a measurement.

        Args:
            offset_mm: where it was made; need not be what `next` said.
            coefficients: ``17`` Legendre coefficients, or None where the spectrum could not be used: the place counts
                as visited all the same, and is not asked for again.
            noise: ``17`` standard deviations of the coefficients; None: 0.002 each.

        Raises:
            ValueError: The offset is not finite, or the lengths differ.
        """
        if not np.isfinite(offset_mm):
            raise ValueError(f"a scan was told of the place {offset_mm} mm")
        if coefficients is not None:
            self._model.add(float(offset_mm), np.asarray(coefficients, dtype=float), noise)
        self._visited.append(int(np.argmin(np.abs(self.grid_mm - offset_mm))))

    def slope(self, x_mm: Array, coefficient: int = 0) -> tuple[Array, Array]:
        """Return posterior mean and standard deviation (``q`` each) of d(coefficient)/dx, per mm."""
        return self._model.slope(x_mm, coefficient)

    def _nearest_of_best(self, score: Array) -> int:
        best = float(score.max())
        good = np.flatnonzero(score >= best - TIE * abs(best))
        here = self.grid_mm[self._visited[-1]] if self._visited else 0.0
        return int(good[np.argmin(np.abs(self.grid_mm[good] - here))])
