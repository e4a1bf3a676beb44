"""The noiseless optical map of a simulated film: for tests and scoring only, never for a planner.

The truth is what a perfect instrument would find on film of even thickness, that at the wafer's centre: the gradient
``g(T, L) = || d c / d(T / 1400 degC) ||`` of the 17 Legendre coefficients c of the reflectance (degree 16 over the 1200
pixels spread on [-1, 1], relative to the mirror), at the temperature T that a place truly reached for the dwell
``10^L`` us that the shot truly had. Calibration, blur, the wafer's slightly uneven thickness and failed shots are not
part of it: they are what a measurement adds. (Ament et al., Sci. Adv. 7, eabg4930 (2021), doi 10.1126/sciadv.abg4930.)
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.polynomial.legendre import legvander
from numpy.typing import ArrayLike, NDArray

from simulators.materials.film import FilmMaterial
from simulators.materials.optics import KNOT_NM, N_PIXELS, knots_to_pixels
from simulators.materials.options import FilmOptions

Array = NDArray[np.float64]

DEGREE = 16
TEMPERATURE_SCALE_C = 1400.0
"""g is a derivative with respect to T over this."""

_HALF_STEP_C = 0.05
_CHUNK = 1024


class FilmTruth:
    """The map of one world, given its seed and options."""

    def __init__(self, seed: int, options: FilmOptions) -> None:
        self._film = FilmMaterial(seed, options)
        self.diagram = self._film.diagram

    def coefficients(self, temperature_c: ArrayLike, log10_dwell_us: ArrayLike) -> Array:
        """Return ``n x 17`` Legendre coefficients at ``n`` temperatures and (``n`` or one) log10 dwells."""
        temperature, dwell = np.broadcast_arrays(
            np.atleast_1d(np.asarray(temperature_c, dtype=float)), np.asarray(log10_dwell_us, dtype=float)
        )
        thickness = self._film.thickness_nm
        chunks = [slice(start, start + _CHUNK) for start in range(0, len(temperature), _CHUNK)]
        pieces = [self._film.knot_reflectance(temperature[c], dwell[c], thickness_nm=thickness) for c in chunks]
        return np.concatenate(pieces) @ _knots_to_coefficients() if pieces else np.empty((0, DEGREE + 1))

    def gradient(self, temperature_c: ArrayLike, log10_dwell_us: ArrayLike) -> Array:
        """Return ``n`` gradients g at ``n`` temperatures and (``n`` or one) log10 dwells."""
        temperature = np.atleast_1d(np.asarray(temperature_c, dtype=float))
        above = self.coefficients(temperature + _HALF_STEP_C, log10_dwell_us)
        below = self.coefficients(temperature - _HALF_STEP_C, log10_dwell_us)
        return np.linalg.norm(above - below, axis=1) * (TEMPERATURE_SCALE_C / (2.0 * _HALF_STEP_C))

    def boundaries_c(self, log10_dwell_us: ArrayLike) -> Array:
        """Return ``n x 4`` phase boundaries at ``n`` log10 dwells, in degC; NaN where one does not exist."""
        boundaries = self.diagram.boundaries_c(log10_dwell_us)
        return np.where(self.diagram.visible(log10_dwell_us), boundaries, np.nan)


@cache
def _knots_to_coefficients() -> Array:
    """Return ``303 x 17``: from reflectance at the knots to the least-squares Legendre series of all pixels."""
    design = legvander(np.linspace(-1.0, 1.0, N_PIXELS), DEGREE)
    return knots_to_pixels(np.eye(len(KNOT_NM))) @ np.linalg.pinv(design).T
