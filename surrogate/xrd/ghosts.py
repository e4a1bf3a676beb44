"""Ghosts of strong peaks: lines of a copper tube that a model of K-alpha alone does not have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from surrogate.xrd.pattern import Pattern
from surrogate.xrd.result import ResidualPeak

Array = NDArray[np.floating[Any]]

GHOST_SHARE = 0.02
"""Of a peak's height, the most that a filter leaves of its ghost."""
GHOSTS_ANGSTROM = (1.392250, 1.476350)
"""K-beta of copper and L-alpha of tungsten on its anode (Bearden, Rev. Mod. Phys. 39, 78 (1967),
doi:10.1103/RevModPhys.39.78)."""
COPPER_ANGSTROM = 1.5406


def ghosts(pattern: Pattern, peaks: Array) -> Array:
    """Return how high ghosts may stand (``n``), where a model's peaks (``n``) put them."""
    wavelength = pattern.radiation.wavelength_angstrom[0]
    if abs(wavelength - COPPER_ANGSTROM) > 1e-3:
        return np.zeros(pattern.grid.n)
    sines = np.sin(np.radians(pattern.two_theta_deg / 2.0))
    heights = np.zeros(pattern.grid.n)
    for ghost in GHOSTS_ANGSTROM:
        origin = 2.0 * np.degrees(np.arcsin(np.minimum(sines * wavelength / ghost, 1.0)))
        heights += GHOST_SHARE * np.interp(origin, pattern.two_theta_deg, peaks, right=0.0)
    return heights


def without_ghosts(
    found: Sequence[ResidualPeak], pattern: Pattern, model: Array, background: Array
) -> tuple[ResidualPeak, ...]:
    """Return the residual peaks that are no ghosts of the model's peaks; `model` and `background` are ``n`` long."""
    heights = ghosts(pattern, np.maximum(model - background, 0.0))
    width = 1 + 2 * round(pattern.width_deg / pattern.grid.step_deg)
    near = np.interp([peak.two_theta_deg for peak in found], pattern.two_theta_deg, maximum_filter1d(heights, width))
    return tuple(peak for peak, height in zip(found, near, strict=True) if peak.relative_height > height)
