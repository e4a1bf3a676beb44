"""Where a stripe's centre truly lies, and how lopsided the beam was.

A stripe is symmetric about its centre up to the beam's asymmetry: what lies at a distance u to the left lies at u times
`right_over_left` to the right. The flip that matches both sides best tells both numbers. A picture decides it to about
a micrometre; without one, the spectra must do, through the evidence of a mirror-symmetric Gaussian process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from surrogate.kernels import squared_exponential
from surrogate.spectra.picture import column_positions, column_profile

Array = NDArray[np.floating[Any]]

CENTRE_SD_MM = 0.020
"""How far a stripe's centre misses its nominal place, before anything is seen."""
RATIO_SD = 0.04
"""How far right over left width strays from 1, before anything is seen."""
REACH_MM = 0.45
"""Largest distance from the centre that is compared with its mirror place."""
SMOOTHING_MM = 0.006

_CENTRES_MM = np.linspace(-0.072, 0.072, 25)
_RATIOS = np.linspace(0.88, 1.12, 9)
_FEW_RATIOS = np.array([0.92, 0.97, 1.02])
_SEED_LENGTHS_MM = (0.02, 0.04, 0.08)
_SPECTRA_CENTRE_SD_MM = 0.003
"""What twenty spectra leave uncertain at best."""
_STEP = 0.01
"""Furthest that one step of the search moves the centre (in mm) and the ratio."""
_LEAST_STEPS, _MOST_STEPS = 5, 25
_N_COMPONENTS = 4
_SHARED = 0.25
"""Components of one film move together and are no independent witnesses; their evidence is tempered by this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Centre and asymmetry of a stripe, with standard deviations."""

    centre_mm: float = 0.0
    right_over_left: float = 1.0
    centre_sd_mm: float = CENTRE_SD_MM
    ratio_sd: float = RATIO_SD


UNKNOWN = Geometry()
"""What is known of a stripe before anything is seen."""


def geometry_from_picture(pixels: NDArray, *, pixel_um: float) -> Geometry | None:
    """Return the flip that matches both sides of a picture best, or None where there is no usable picture.

    Args:
        pixels: ``h x w x 3``, RGB, columns along x; the middle column is the nominal centre.
        pixel_um: width of a pixel.
    """
    profile = column_profile(pixels, pixel_um)
    if profile is None:
        return None
    x = column_positions(len(profile), pixel_um)
    u = x[(x > 0) & (x <= min(REACH_MM, 0.8 * x[-1]))]
    if len(u) < 16:
        return None
    # half of the squared difference of neighbours' neighbours: the noise of one column without its slope
    noise = float(np.sqrt(np.mean(np.diff(profile, n=2, axis=0) ** 2) / 6.0)) + 0.1
    smooth = gaussian_filter1d(profile, 1e3 * SMOOTHING_MM / pixel_um, axis=0, mode="nearest")
    # smoothing correlates neighbours: only so many of the columns count, and each is quieter
    independent = min(pixel_um / (2.0 * np.sqrt(np.pi) * 1e3 * SMOOTHING_MM), 1.0)
    residual = _PictureResidual(x=x, profile=smooth / (np.sqrt(2.0) * noise), u=u)
    return _polished(residual, _coarse(residual), independent)


def _noise_precision(u: Array, independent: float) -> Array:
    """Return the ``2 x 2`` precision that the slopes of smoothed noise alone seem to give."""
    by_centre, by_ratio = np.ones_like(u), 0.5 * u
    moments = np.stack([by_centre, by_ratio]) @ np.stack([by_centre, by_ratio], axis=1)
    return 3.0 * independent / (2.0 * SMOOTHING_MM**2) * moments


@dataclass(frozen=True, slots=True, kw_only=True)
class _PictureResidual:
    """Left minus right side for a trial flip, in noise standard deviations of a single column."""

    x: Array
    profile: Array
    u: Array

    def __call__(self, centre_mm: float, ratio: float) -> Array:
        left = 2.0 / (1.0 + ratio)
        difference = self._at(centre_mm - left * self.u) - self._at(centre_mm + left * ratio * self.u)
        return difference.ravel()

    def _at(self, x: Array) -> Array:
        return np.stack([np.interp(x, self.x, self.profile[:, c]) for c in range(3)], axis=1)


def _coarse(residual: _PictureResidual) -> tuple[float, float]:
    """Return the best flip of a grid, prior included."""

    def cost(centre: float, ratio: float) -> float:
        flip = residual(centre, ratio)
        return float(flip @ flip) + (centre / CENTRE_SD_MM) ** 2 + ((ratio - 1.0) / RATIO_SD) ** 2

    # first the centre for a likely beam, then the asymmetry: 37 flips instead of 225
    starts = sorted((cost(c, 0.97), c) for c in _CENTRES_MM)[:2]
    return min((cost(c, r), (float(c), float(r))) for _, c in starts for r in _RATIOS)[1]


def _polished(residual: _PictureResidual, start: tuple[float, float], independent: float) -> Geometry | None:
    """Refine by Gauss-Newton; the curvature gives the standard deviations. None: the picture is all noise."""
    point = np.array(start)
    prior = np.array([1.0 / CENTRE_SD_MM**2, 1.0 / RATIO_SD**2])
    noise = _noise_precision(residual.u, independent)
    precision = np.diag(prior)
    for step in range(_MOST_STEPS):
        here, slope = residual(*point), _slopes(residual, point)
        signal = slope.T @ slope - noise
        if signal[0, 0] < noise[0, 0]:
            return None
        # the smoothed residual has variance `independent` and only that share of its entries is independent
        precision = slope.T @ slope + np.diag(prior)
        move = np.linalg.solve(precision, slope.T @ here + prior * (point - [0.0, 1.0]))
        point = point - np.clip(move, -_STEP, _STEP)
        if step + 1 >= _LEAST_STEPS and np.abs(move).max() < _STEP:
            break
    precision[1, 1] = max(precision[1, 1] - noise[1, 1], prior[1] + precision[0, 1] ** 2 / precision[0, 0])
    variance = np.diag(np.linalg.inv(precision)) * _excess(residual, point, independent)
    return Geometry(
        centre_mm=float(np.clip(point[0], -0.1, 0.1)),
        right_over_left=float(np.clip(point[1], 0.8, 1.25)),
        centre_sd_mm=float(np.sqrt(variance[0])) + 5e-4,
        ratio_sd=float(np.sqrt(variance[1])) + 2e-3,
    )


def _slopes(residual: _PictureResidual, point: Array) -> Array:
    """Return the ``3 n x 2`` derivatives of the residual by centre and ratio."""
    steps = (1e-3, 3e-3)
    moved = [residual(*(point + np.eye(2)[i] * steps[i])) - residual(*point) for i in range(2)]
    return np.stack([difference / step for difference, step in zip(moved, steps, strict=True)], axis=1)


def _excess(residual: _PictureResidual, point: Array, independent: float) -> float:
    """Return by how much the flip disagrees beyond noise: a beam is not exactly an ellipse, and dirt happens."""
    here = residual(*point)
    return max(float(here @ here) / (independent * len(here)), 1.0)


def geometry_from_spectra(offset_mm: Array, components: Array, noise_variance: Array) -> Geometry:
    """Return the flip under which spectra are most probably samples of one even function of distance.

    Args:
        offset_mm: ``n`` positions.
        components: ``n x m`` features, mean removed, strongest first.
        noise_variance: ``n x m``.
    """
    y, noise = components[:, :_N_COMPONENTS], noise_variance[:, :_N_COMPONENTS]
    amplitude = np.maximum(np.mean(y * y, axis=0), np.mean(noise, axis=0))
    table = _log_posteriors(offset_mm, y, noise, amplitude)
    weight = np.exp(table - table.max())
    weight /= weight.sum()
    by_centre = weight.sum(axis=1)
    centre = float(by_centre @ _CENTRES_MM)
    spread = float(by_centre @ (_CENTRES_MM - centre) ** 2)
    # twenty spectra hardly see a beam's asymmetry: it keeps its prior width
    return Geometry(
        centre_mm=centre,
        right_over_left=float(weight.sum(axis=0) @ _FEW_RATIOS),
        centre_sd_mm=float(np.hypot(np.sqrt(spread), _SPECTRA_CENTRE_SD_MM)),
        ratio_sd=RATIO_SD,
    )


def _log_posteriors(x: Array, y: Array, noise: Array, amplitude: Array) -> Array:
    """Return the log posterior density of each centre and ratio of the grid, ``c x r``, all at once."""
    centre, ratio = np.meshgrid(_CENTRES_MM, _FEW_RATIOS, indexing="ij")
    left = 2.0 / (1.0 + ratio)
    away = x - centre[..., None]
    distance = np.abs(away) / np.where(away > 0, (left * ratio)[..., None], left[..., None])
    difference = distance[..., :, None] - distance[..., None, :]
    lengths = np.asarray(_SEED_LENGTHS_MM)[:, None, None]
    fits = _evidence(squared_exponential(difference[:, :, None], lengths), y, noise, amplitude)
    prior = 0.5 * (centre / CENTRE_SD_MM) ** 2 + 0.5 * ((ratio - 1.0) / RATIO_SD) ** 2
    return _SHARED * fits.max(axis=-1) - prior


def _evidence(correlation: Array, y: Array, noise: Array, amplitude: Array) -> Array:
    """Return the log evidence of ``... x n x n`` correlations, components taken together."""
    covariance = amplitude[:, None, None] * (correlation[..., None, :, :] + 1.0) + noise.T[:, :, None] * np.eye(len(y))
    lower = np.linalg.cholesky(covariance)
    white = np.linalg.solve(lower, y.T[:, :, None])
    logs = np.log(np.diagonal(lower, axis1=-2, axis2=-1))
    return -0.5 * np.sum(white**2, axis=(-3, -2, -1)) - np.sum(logs, axis=(-2, -1))
