"""How fast a film changes with temperature, as a picture shows it.

Film hardly changes over hundreds of degrees and then transforms within fifty. A stationary process must choose between
wiggling in the plains and blurring the steps; one over a warped temperature need not. The warp runs fast where the
colour changes fast: dw/dT = sqrt(1 / plain^2 + (|d colour / dT| / step)^2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from surrogate.spectra.centre import Geometry
from surrogate.spectra.picture import column_positions, column_profile
from surrogate.spectra.profile import Profile

Array = NDArray[np.floating[Any]]

PLAIN_C = 30.0
"""Degrees that are one unit of w where the colour does not change."""
STEP_LEVELS = 8.0
"""Change of colour, of 255, that is one unit of w."""
SMOOTHING_MM = 0.008
GRID_C = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Warp:
    """A rising map from temperature to w, piecewise linear."""

    temperature_c: Array
    w: Array
    rate: Array
    """dw/dT at the temperatures."""

    def __call__(self, temperature_c: Array) -> Array:
        """Return w at temperatures of any shape."""
        return np.interp(temperature_c, self.temperature_c, self.w)

    def slope(self, temperature_c: Array) -> Array:
        """Return dw/dT at temperatures of any shape."""
        return np.interp(temperature_c, self.temperature_c, self.rate)


def identity(peak_c: float) -> Warp:
    """Return the warp that treats all temperatures alike, where no picture says more."""
    ends = np.array([0.0, peak_c])
    return Warp(temperature_c=ends, w=ends / PLAIN_C, rate=np.full(2, 1.0 / PLAIN_C))


def from_picture(pixels: NDArray, *, pixel_um: float, profile: Profile, geometry: Geometry) -> Warp | None:
    """Return the warp that a picture shows, or None where there is no usable picture.

    Args:
        pixels: ``h x w x 3``, RGB, columns along x.
        pixel_um: width of a pixel.
        profile: temperatures across the stripe.
        geometry: where the stripe lies in the picture.
    """
    columns = column_profile(pixels, pixel_um)
    if columns is None:
        return None
    smooth = gaussian_filter1d(columns, 1e3 * SMOOTHING_MM / pixel_um, axis=0, mode="nearest")
    x = column_positions(len(columns), pixel_um) - geometry.centre_mm
    coldest = max(float(profile.temperature(x[[0, -1]]).max()), 1.0)
    if not coldest < profile.peak_c - 10.0 * GRID_C:
        return None
    grid = np.append(np.arange(coldest, profile.peak_c - 0.5 * GRID_C, GRID_C), profile.peak_c)
    sides = [_interpolated(profile.position(grid, side=side), x, smooth) for side in (-1, 1)]
    speed = np.linalg.norm(np.gradient(0.5 * (sides[0] + sides[1]), grid, axis=0), axis=1)
    rate = np.hypot(1.0 / PLAIN_C, speed / STEP_LEVELS)
    w = np.concatenate([[0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]) * np.diff(grid))])
    return Warp(temperature_c=grid, w=w, rate=rate)


def _interpolated(at: Array, x: Array, columns: Array) -> Array:
    return np.stack([np.interp(at, x, columns[:, c]) for c in range(columns.shape[1])], axis=1)
