"""Puts lines on a grid: each profile is the product of its Fourier transforms, transformed back within a window."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from simulators.materials.powder import aberrations, broadening, emission
from simulators.materials.powder.aberrations import STEP_DEG, WINDOW
from simulators.materials.powder.broadening import Crystallites
from simulators.materials.powder.emission import Group
from simulators.materials.powder.lines import Lines
from simulators.materials.powder.specimen import Optics

Array = NDArray[np.float64]

WINDOWS = (2048, WINDOW)
WIDTHS_IN_WINDOW = 24.0
FAINTEST = 3e-5
"""Frequencies at which every transform is below this are left out."""
CHUNK = 256


@dataclass(frozen=True, slots=True)
class Grid:
    """Equal steps that reach beyond a scan by half of the longest window."""

    start_deg: float
    values: Array

    @classmethod
    def over(cls, low_deg: float, high_deg: float) -> Grid:
        """Return an empty grid for a scan."""
        n = math.ceil((high_deg - low_deg) / STEP_DEG) + 2 * WINDOW + 2
        return cls(low_deg - WINDOW * STEP_DEG, np.zeros(n))

    def at(self, two_theta_deg: Array) -> Array:
        """Return what lies at angles of the scan."""
        position = (two_theta_deg - self.start_deg) / STEP_DEG
        low, high = int(position.min()) - 2, int(position.max()) + 4
        whole = np.rint(position)
        if np.allclose(position, whole, atol=1e-6):
            return self.values[whole.astype(int)].copy()
        return CubicSpline(np.arange(low, high), self.values[low:high])(position)


def draw(
    grid: Grid, lines: Lines, *, group: Group, optics: Optics, crystallites: Crystallites, mu_per_mm: float
) -> None:
    """Add the lines of a phase to a grid.

    Args:
        grid: Added to.
        lines: In any order.
        group: Of their wavelengths.
        optics: Of the instrument.
        crystallites: Of the phase.
        mu_per_mm: Linear absorption of the packed powder; 0 for a specimen that the beam does not enter.
    """
    for begin in range(0, len(lines.area), CHUNK):
        rows = np.arange(begin, min(begin + CHUNK, len(lines.area)))
        window = _window(lines, rows, crystallites, emission.wavelength_angstrom(group))
        shape = _Shape(lines, group, optics, crystallites, mu_per_mm, window)
        n = _needed(shape, rows)
        _place(grid, lines.centre_deg[rows], lines.area[rows], shape.transforms(rows, n), window)


@dataclass(frozen=True, slots=True)
class _Shape:
    lines: Lines
    group: Group
    optics: Optics
    crystallites: Crystallites
    mu_per_mm: float
    window: int

    def transforms(self, rows: NDArray[np.int64], n: int) -> NDArray[np.complex128]:
        """Return the transforms of lines about their centres at the first n frequencies."""
        angles = self.lines.two_theta_deg[rows]
        omega = aberrations.frequencies(self.window)[:n]
        geometry = self.optics.geometry
        result = aberrations.table(geometry, self.group).at(angles, WINDOW // self.window, n)
        if self.mu_per_mm:
            result *= aberrations.transparency(angles, omega, mu_per_mm=self.mu_per_mm, radius_mm=geometry.radius_mm)
        length_nm = np.outer(_column_nm(angles, emission.wavelength_angstrom(self.group)), omega)
        widths = self.lines.widths.take(rows)
        return result * broadening.transform(length_nm, self.lines.spacing_nm[rows], widths, self.crystallites)


def _column_nm(two_theta_deg: Array, wavelength_angstrom: float) -> Array:
    """Return the column length (times degrees) that a frequency of one stands for: ``omega x = 2 pi L s``."""
    cosine = np.cos(np.radians(two_theta_deg) / 2.0)
    return math.degrees(0.1 * wavelength_angstrom) / (2.0 * math.pi * cosine)


def _window(lines: Lines, rows: NDArray[np.int64], crystallites: Crystallites, wavelength_angstrom: float) -> int:
    """Return the shortest window in which the broadest line has room."""
    theta = np.radians(lines.two_theta_deg[rows]) / 2.0
    size = 0.1 * wavelength_angstrom * (1.0 / lines.widths.size_nm[rows] + lines.widths.decay_per_nm[rows])
    strain = 4.0 * (lines.widths.strain[rows] + crystallites.gradient_strain) * np.sin(theta)
    fwhm_deg = 0.05 + math.degrees(float(np.max((size + np.abs(strain)) / np.cos(theta))))
    return next((window for window in WINDOWS if window * STEP_DEG > WIDTHS_IN_WINDOW * fwhm_deg), WINDOW)


def _needed(shape: _Shape, rows: NDArray[np.int64]) -> int:
    """Return how many frequencies matter, judged by the lines that are likely the narrowest."""
    lines, n = shape.lines, shape.window // 2 + 1
    widths = 1.0 / (lines.widths.size_nm[rows] * np.cos(np.radians(lines.two_theta_deg[rows]) / 2.0))
    narrow = rows[[int(np.argmin(widths + lines.widths.decay_per_nm[rows])), int(np.argmin(lines.two_theta_deg[rows]))]]
    strong = np.flatnonzero(np.any(np.abs(shape.transforms(narrow, n)) > FAINTEST, axis=0))
    return int(strong[-1]) + 1


def _place(grid: Grid, centre_deg: Array, area: Array, transforms: NDArray[np.complex128], window: int) -> None:
    position = (centre_deg - grid.start_deg) / STEP_DEG
    whole = np.floor(position).astype(int)
    late = position - whole + window // 2
    turn = np.exp(-2j * math.pi / window * np.outer(late, np.arange(transforms.shape[1])))
    profiles = np.fft.irfft(transforms * turn, window, axis=1) / STEP_DEG
    profiles *= area[:, None] * _taper(window)
    for first, profile in zip(whole - window // 2, profiles, strict=True):
        begin, end = max(first, 0), min(first + window, len(grid.values))
        if begin < end:
            grid.values[begin:end] += profile[begin - first : end - first]


def _taper(window: int) -> Array:
    """Return a weight that lets a window end without a step, over its outer fifths."""
    inside = np.minimum(np.arange(window), np.arange(window)[::-1]) / (0.2 * window)
    return np.sin(0.5 * math.pi * np.minimum(inside, 1.0)) ** 2
