"""Counts of many windows on one lattice of angles: what was counted, and for how long.

Counts and times of points that are measured again are added, so that a rate keeps Poisson's variance whatever the order
in which its counts came.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from surrogate.formats.record import Axis, Radiation, Scan
from surrogate.xrd.grid import Grid

Array = NDArray[np.floating[Any]]

NEIGHBOURS = 2.0
"""Points over which the variance of a rate is smoothed, as a standard deviation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A piece of a scan: what a diffractometer is to measure next."""

    start_deg: float
    stop_deg: float
    step_deg: float
    count_time_s: float
    """Of each point."""

    @property
    def n(self) -> int:
        """Return how many points it has."""
        return round((self.stop_deg - self.start_deg) / self.step_deg) + 1

    @property
    def counting_s(self) -> float:
        """Return how long it counts in all."""
        return self.n * self.count_time_s

    @property
    def two_theta_deg(self) -> Array:
        """Return the ``n`` angles."""
        return self.start_deg + self.step_deg * np.arange(self.n)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What was counted at each of ``n`` angles."""

    grid: Grid
    counts: Array
    """``n``."""
    time_s: Array
    """``n``; zero where nothing was measured."""

    @classmethod
    def nothing(cls, grid: Grid) -> Self:
        """Return the state before the first window."""
        return cls(grid=grid, counts=np.zeros(grid.n), time_s=np.zeros(grid.n))

    def plus(self, window: Window, counts: Array) -> Counted:
        """Return the same with a window added to it.

        Raises:
            ValueError: The counts are not one for each point, not whole and not negative, or the window's points do
                not lie on the lattice.
        """
        counts = np.asarray(counts, dtype=float)
        if counts.shape != (window.n,):
            raise ValueError(f"{window.n} points were asked for, {len(counts)} counts were told")
        if not (np.isfinite(counts).all() and (counts >= 0.0).all() and (counts == np.round(counts)).all()):
            raise ValueError("counts must be whole numbers and not negative: give them as detected, not as a rate")
        here = self.part(window)
        total, time_s = self.counts.copy(), self.time_s.copy()
        total[here] += counts
        time_s[here] += window.count_time_s
        return replace(self, counts=total, time_s=time_s)

    def part(self, window: Window) -> slice:
        """Return which points a window has.

        Raises:
            ValueError: They do not lie on the lattice.
        """
        first = (window.start_deg - self.grid.start_deg) / self.grid.step_deg
        is_on = abs(window.step_deg - self.grid.step_deg) < 1e-9 and abs(first - round(first)) < 1e-3
        if not (is_on and window.count_time_s > 0.0 and 0 <= round(first) <= self.grid.n - window.n):
            raise ValueError(
                f"{window} does not lie on the lattice of {self.grid.n} steps of {self.grid.step_deg:g} deg from "
                f"{self.grid.start_deg:g} deg; tell the windows as they were proposed"
            )
        return slice(round(first), round(first) + window.n)

    def as_scan(self, radiation: Radiation) -> Scan:
        """Return all that was measured as one scan of rates, its points with gaps where nothing was measured."""
        seen = self.time_s > 0.0
        rate, time_s = (np.asarray(one[seen], dtype=np.float64) for one in (self.smoothed_cps, self.time_s))
        counts = np.asarray(self.counts[seen], dtype=np.float64)
        return Scan(
            kind="diffractogram",
            axis=Axis(quantity="two_theta", unit="deg", values=self.two_theta_deg[seen]),
            values=counts / time_s,
            unit="counts/s",
            counts=counts,
            count_time_s=time_s,
            sigma=np.sqrt(rate / time_s + time_s**-2.0),
            radiation=radiation,
        )

    @property
    def two_theta_deg(self) -> NDArray[np.float64]:
        """Return the ``n`` angles."""
        return np.asarray(self.grid.two_theta_deg, dtype=np.float64)

    @property
    def smoothed_cps(self) -> Array:
        """Return ``n`` rates over a few points: they tell the variance of a point better than its own few counts."""
        near = gaussian_filter1d(self.time_s, NEIGHBOURS, mode="constant")
        return gaussian_filter1d(self.counts, NEIGHBOURS, mode="constant") / np.maximum(near, 1e-12)


def precision(rate_cps: Array, error_cps: Array, time_s: Array) -> Array:
    """Return ``n`` inverse variances of rates that were counted for some time, with the model's error.

    Args:
        rate_cps: ``n``, expected.
        error_cps: ``n`` errors of the model, as standard deviations.
        time_s: ``n`` or ``t x n``; the precision is zero for no time.
    """
    return time_s**2 / (rate_cps * time_s + 1.0 + (error_cps * time_s) ** 2)
