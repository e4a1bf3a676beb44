"""The Gaussian process behind an adaptive scan.

The kernel is iSARA (Ament et al., Sci. Adv. 7, eabg4930 (2021)): a Matern-5/2 over the distance from the stripe's
centre, mirrored where a picture tells where that centre is, rescaled by what the microscope saw, plus a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_triangular

from planner.scan_policies import ScanUncertainty
from surrogate.gp import condition, slope_covariance
from surrogate.kernels import Kernel1D, Line, Matern52, Mirrored, Rescale, Rescaled, Sum
from surrogate.spectra.microscope import MicroscopePrior, heated_window

Array = NDArray[np.floating[Any]]

NOISE_SD = 0.002
"""Of a coefficient, where a tell does not say."""
FLICKER = 0.004
"""Of the lamp between exposures, relative to a coefficient; on top of what a tell says."""
SYMMETRIC_SHARE = 0.95
"""Of the prior variance, where a picture tells about which place a stripe is symmetric; otherwise none."""

LENGTHS_MM: Array = np.geomspace(0.025, 0.2, 7)
FIRST_LENGTH_MM = 0.06
FACTORS = (0.5, 1.0, 2.0, 4.0)
"""Prior variances that are tried, over the variance of the data."""
LEAST_DATA = 6
"""With fewer measurements the length stays at its start."""
GROWTH = 1.3
"""Hyperparameters are chosen anew each time that the data have grown by this factor."""
N_COMPONENTS = 3
FIRST_RELATIVE_NOISE = 0.02


@dataclass(frozen=True, slots=True)
class _Scale:
    """Hyperparameters, in units in which the data's variance is one."""

    length_mm: float
    factor: float


@dataclass(frozen=True, slots=True)
class _PriorOnGrid:
    """Prior covariances of f and of f' with f on the grid, for one scale."""

    scale: _Scale
    value: Array
    slope: Array


class ScanModel:
    """Features over the distance u from the centre, standardised; ``grid_mm`` are the places that may come next."""

    def __init__(self, prior: MicroscopePrior | None, grid_mm: Array) -> None:
        self._has_centre = prior is not None
        self._geometry = prior or MicroscopePrior(distances_mm=())
        self._rescale: Rescale = prior.rescale() if prior else heated_window()
        self._grid = self._geometry.distance(grid_mm)
        self._x: list[float] = []
        self._coefficients: list[Array] = []
        self._noise: list[Array] = []
        self._scale = _Scale(FIRST_LENGTH_MM, 1.0)
        self._chosen_at = 0
        self._on_grid: _PriorOnGrid | None = None

    def add(self, x_mm: float, coefficients: Array, noise: ArrayLike | None) -> None:
        """Take one measurement, and choose hyperparameters where data have grown enough.

        Raises:
            ValueError: Noise and coefficients differ in number, or differ from those of earlier measurements.
        """
        sd = np.full(coefficients.shape, NOISE_SD) if noise is None else np.asarray(noise, dtype=float)
        known = self._coefficients[0].shape if self._coefficients else coefficients.shape
        if coefficients.ndim != 1 or sd.shape != coefficients.shape or coefficients.shape != known:
            raise ValueError(f"a scan got {coefficients.size} coefficients and {sd.size} noises, not {known[0]} each")
        if not (np.isfinite(coefficients).all() and np.isfinite(sd).all()):
            return
        self._x.append(x_mm)
        self._coefficients.append(coefficients)
        self._noise.append(np.hypot(sd, FLICKER * coefficients))
        if len(self._x) >= max(LEAST_DATA, GROWTH * self._chosen_at):
            self._scale, self._chosen_at = self._best_scale(), len(self._x)

    def uncertainty(self) -> ScanUncertainty:
        """Return what is uncertain on the grid, in standardised units."""
        noise, prior = self._typical_noise(), self._prior_on_grid()
        kernel, u = self._kernel(self._scale), self._u()
        lower = condition(kernel, u, np.zeros((len(u), 1)), noise).cholesky
        value = solve_triangular(lower, kernel.value(u, self._grid), lower=True, check_finite=False)
        slope = solve_triangular(lower, kernel.slope(self._grid, u).T, lower=True, check_finite=False)
        return ScanUncertainty(
            covariance=prior.value - value.T @ value,
            slope_covariance=prior.slope - slope.T @ value,
            noise_variance=noise,
        )

    def slope(self, x_mm: Array, coefficient: int) -> tuple[Array, Array]:
        """Return posterior mean and standard deviation (``q`` each) of d(coefficient)/dx, per mm."""
        y = np.array([one[coefficient] for one in self._coefficients])
        noise = np.array([one[coefficient] for one in self._noise]) ** 2
        scale = max(float(np.std(y)), float(np.sqrt(noise.mean())))
        kernel = self._kernel(self._scale)
        posterior = condition(kernel, self._u(), (y - y.mean()) / scale, noise / scale**2)
        u, stretch = self._geometry.distance(x_mm), self._geometry.stretch(x_mm)
        sd = np.sqrt(np.maximum(np.diag(slope_covariance(posterior, kernel, u)), 0.0))
        return posterior.slope_mean(u)[:, 0] * scale / stretch, sd * scale / stretch

    def _u(self) -> Array:
        return self._geometry.distance(np.array(self._x))

    def _kernel(self, scale: _Scale) -> Kernel1D:
        line = Line(offset_variance=4.0, tilt_variance=0.01)
        free = Matern52(length=scale.length_mm, variance=scale.factor)
        if not self._has_centre:
            return Sum((Rescaled(free, self._rescale), line))
        mirrored = Mirrored(length=scale.length_mm, variance=scale.factor * SYMMETRIC_SHARE)
        free = Matern52(length=scale.length_mm, variance=scale.factor * (1.0 - SYMMETRIC_SHARE))
        return Sum((Rescaled(Sum((mirrored, free)), self._rescale), line))

    def _prior_on_grid(self) -> _PriorOnGrid:
        if self._on_grid is None or self._on_grid.scale != self._scale:
            kernel = self._kernel(self._scale)
            value, slope = kernel.value(self._grid, self._grid), kernel.slope(self._grid, self._grid)
            self._on_grid = _PriorOnGrid(self._scale, value, slope)
        return self._on_grid

    def _typical_noise(self) -> float:
        """Return the noise variance of one measurement over the variance of the data."""
        if len(self._x) < LEAST_DATA:
            return FIRST_RELATIVE_NOISE**2
        total = float(np.sum(np.var(self._coefficients, axis=0)))
        return min(max(float(np.mean(np.sum(np.square(self._noise), axis=1))) / max(total, 1e-12), 1e-6), 1.0)

    def _best_scale(self) -> _Scale:
        """Choose by the evidence of the strongest components over a small grid."""
        y = np.array(self._coefficients)
        centred = y - y.mean(axis=0)
        rotation = np.linalg.svd(centred, full_matrices=False)[2][:N_COMPONENTS].T
        components = centred @ rotation
        variance = (np.square(self._noise) @ rotation**2).mean(axis=0)
        size = np.maximum(components.var(axis=0), variance)
        table = [self._evidences(float(length), components / np.sqrt(size), variance / size) for length in LENGTHS_MM]
        best, factor = np.unravel_index(int(np.argmax(table)), (len(LENGTHS_MM), len(FACTORS)))
        return _Scale(float(LENGTHS_MM[best]), FACTORS[factor])

    def _evidences(self, length_mm: float, y: Array, noise: Array) -> Array:
        """Return the log evidence of ``n x m`` components for each factor, up to a constant."""
        u = self._u()
        flat, varying = (self._kernel(_Scale(length_mm, factor)).value(u, u) for factor in (0.0, 1.0))
        prior = np.multiply.outer(FACTORS, varying - flat) + flat
        lower = np.linalg.cholesky(prior[:, None] + noise[:, None, None] * np.eye(len(u)))
        white = np.linalg.solve(lower, y.T[:, :, None])[..., 0]
        logs = np.log(np.diagonal(lower, axis1=2, axis2=3))
        return np.sum(-0.5 * white**2 - logs, axis=(1, 2))
