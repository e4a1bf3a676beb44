"""What a picture of a stripe says about where its spectrum changes.

Transitions show as coloured edges. Their places, mirrored about the centre, become bumps of a rescaling r(x) inside
the window that the laser heated: SARA's microscope prior (Ament et al., Sci. Adv. 7, eabg4930 (2021)). A picture that
shows nothing, or is none, gives no prior rather than a wrong one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from surrogate.kernels import Bumps
from surrogate.spectra.centre import UNKNOWN, geometry_from_picture
from surrogate.spectra.picture import column_positions, column_profile

Array = NDArray[np.floating[Any]]

WINDOW_WIDTH_MM = 0.5
"""Least width of the window that a laser can have changed."""
WIDEST_WINDOW_MM = 0.8
BUMP_WIDTH_MM = 0.06
BUMP_WEIGHT = 1.5
WINDOW_POWER = 8.0
FLOOR = 0.05
"""What remains of the amplitude far from the stripe, so that a surprise there is not ruled out."""
MAX_TRANSITIONS = 8
SMOOTHING_MM = 0.008
"""Standard deviation of the smoothing of a picture's columns before edges are sought."""
MIN_CONTRAST = 6.0
"""An edge must stand this many noise standard deviations above the noise of the colour gradient."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroscopePrior:
    """Where transitions are, and about which place a stripe is symmetric."""

    distances_mm: tuple[float, ...]
    """From the centre, on the wider side, ascending."""
    centre_mm: float = 0.0
    right_over_left: float = 1.0

    def rescale(self) -> Bumps:
        """Return r(u): the heated window, with a bump at each transition on both sides of u = 0."""
        centres = [side * distance for distance in self.distances_mm for side in (-1.0, 1.0)]
        span = max(WINDOW_WIDTH_MM, 2.0 * max(self.distances_mm, default=0.0) + 2.0 * BUMP_WIDTH_MM)
        n = len(centres)
        return Bumps(
            centres=(0.0, *centres),
            scales=(_scale(span), *[_scale(BUMP_WIDTH_MM)] * n),
            weights=(1.0, *[BUMP_WEIGHT] * n),
            powers=(WINDOW_POWER, *[2.0] * n),
            floor=FLOOR,
        )

    def distance(self, x_mm: Array) -> Array:
        """Return signed distances u from the centre, the right side stretched to match the left."""
        u = np.asarray(x_mm, dtype=float) - self.centre_mm
        return u / self._stretch(u)

    def stretch(self, x_mm: Array) -> Array:
        """Return dx/du at positions of any shape."""
        return self._stretch(np.asarray(x_mm, dtype=float) - self.centre_mm)

    def _stretch(self, u: Array) -> Array:
        left = 2.0 / (1.0 + self.right_over_left)
        return np.where(u > 0, left * self.right_over_left, left)


def heated_window() -> Bumps:
    """Return r(x) where there is no picture: the widest window that the laser can have changed."""
    return Bumps(
        centres=(0.0,), scales=(_scale(WIDEST_WINDOW_MM),), weights=(1.0,), powers=(WINDOW_POWER,), floor=FLOOR
    )


def _scale(width_mm: float) -> float:
    """Return the scale of a generalised Gaussian for a width, with the convention of the reference code."""
    return 0.5 * width_mm * float(np.sqrt(2.0 * np.log(2.0)))


def transitions(profile: Array, pixel_um: float) -> list[tuple[float, float]]:
    """Return (position in mm, height) of the coloured edges of a ``w x 3`` profile, strongest first."""
    slope = _colour_slope(profile, pixel_um)
    noise = 1.4826 * float(np.median(np.abs(slope - np.median(slope)))) + 1e-9
    threshold = max(float(np.median(slope)) + MIN_CONTRAST * noise, 0.08 * float(slope.max()))
    inner = (slope[1:-1] >= slope[:-2]) & (slope[1:-1] > slope[2:]) & (slope[1:-1] > threshold)
    peaks = np.flatnonzero(inner) + 1
    x = column_positions(len(profile), pixel_um)
    return sorted(((float(x[i]), float(slope[i])) for i in peaks), key=lambda edge: -edge[1])


def _colour_slope(profile: Array, pixel_um: float) -> Array:
    """Return ``w`` norms of the smoothed colour gradient, per mm; zero at the border, where smoothing makes edges."""
    sigma = max(1e3 * SMOOTHING_MM / pixel_um, 0.5)
    smooth = gaussian_filter1d(profile, sigma, axis=0, mode="nearest")
    slope = np.linalg.norm(np.gradient(smooth, 1e-3 * pixel_um, axis=0), axis=1)
    border = int(np.ceil(4.0 * sigma))
    slope[:border] = slope[-border:] = 0.0
    return slope


def prior_from_picture(pixels: NDArray, *, pixel_um: float) -> MicroscopePrior | None:
    """Return the prior that a picture supports, or None: black, uniform, of a wrong shape, or without an edge.

    Args:
        pixels: ``h x w x 3``, RGB, columns along x, the nominal centre in the middle; one row is enough.
        pixel_um: width of a pixel.
    """
    pixels = np.asarray(pixels)
    profile = column_profile(pixels, pixel_um)
    edges = transitions(profile, pixel_um) if profile is not None else []
    if not edges:
        return None
    geometry = geometry_from_picture(pixels, pixel_um=pixel_um) or UNKNOWN
    prior = MicroscopePrior(distances_mm=(), centre_mm=geometry.centre_mm, right_over_left=geometry.right_over_left)
    distances: list[float] = []
    for position, _ in edges[: 2 * MAX_TRANSITIONS]:
        distance = abs(float(prior.distance(np.array(position))))
        if all(abs(distance - other) > 0.5 * BUMP_WIDTH_MM for other in distances):
            distances.append(distance)
    return replace(prior, distances_mm=tuple(sorted(distances[:MAX_TRANSITIONS])))
