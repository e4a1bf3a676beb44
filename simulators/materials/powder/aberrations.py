"""What a Bragg-Brentano diffractometer does to a line: where it puts it, and how it smears it.

The aberrations of Cheary and Coelho, J. Appl. Cryst. 25 (1992) 109, doi:10.1107/S0021889891010804, as characteristic
functions: the profile of an aberration that moves rays by ``e(u)``, u uniform, has the Fourier transform
``mean exp(-i omega e(u))``. They are tabulated over angles, and blended between neighbours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import fresnel

from simulators.materials.powder import emission

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

STEP_DEG = 0.01
"""Of the grid on which patterns are built."""
WINDOW = 4096
"""Points of the longest window about a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """The parts of a diffractometer that smear a line. Zero switches an aberration off, except the Gaussian."""

    radius_mm: float = 240.0
    divergence_deg: float = 0.5
    """Of the fixed slit, which a flat specimen does not follow."""
    soller_rad: float = 0.04
    """Largest axial angle."""
    receiving_deg: float = 0.03
    """Width of the receiving slit, or of a detector's strip."""
    gaussian_deg: float = 0.015
    """Standard deviation of the focus and of all else."""


@dataclass(frozen=True, slots=True)
class Table:
    """Fourier transforms of the instrument's profile at ``m`` angles and ``k`` frequencies."""

    two_theta_deg: Array
    values: Complex

    def at(self, two_theta_deg: Array, stride: int, n: int) -> Complex:
        """Return ``p x n`` transforms for ``p`` lines, at the first n of every stride-th frequency."""
        values = self.values[:, ::stride][:, :n]
        upper = np.clip(np.searchsorted(self.two_theta_deg, two_theta_deg), 1, len(self.two_theta_deg) - 1)
        low, high = self.two_theta_deg[upper - 1], self.two_theta_deg[upper]
        share = np.clip((two_theta_deg - low) / (high - low), 0.0, 1.0)[:, None]
        return (1.0 - share) * values[upper - 1] + share * values[upper]


def frequencies(window: int) -> Array:
    """Return the ``window/2 + 1`` frequencies of a window, in radians per degree of 2 theta."""
    return 2.0 * math.pi / (window * STEP_DEG) * np.arange(window // 2 + 1, dtype=np.float64)


@lru_cache(maxsize=32)
def table(geometry: Geometry, group: emission.Group) -> Table:
    """Return the instrument's profile, emission included, over all angles, for the longest window."""
    angles = _angles()
    return Table(angles, emission.transform(group, angles, frequencies(WINDOW)) * _smearing(geometry))


def shift_deg(two_theta_deg: Array, *, zero_deg: float, displacement_mm: float, radius_mm: float) -> Array:
    """Return by how much a misaligned zero and a displaced specimen move ``n`` lines.

    A specimen that lies too low (positive) moves lines to lower angles.
    """
    theta = np.radians(two_theta_deg) / 2.0
    return zero_deg - np.degrees(2.0 * displacement_mm / radius_mm * np.cos(theta))


def transparency(two_theta_deg: Array, omega_per_deg: Array, *, mu_per_mm: float, radius_mm: float) -> Complex:
    """Return the ``n x k`` transform of the exponential tail of a specimen that the beam enters."""
    depth_deg = np.degrees(np.sin(np.radians(two_theta_deg)) / (2.0 * mu_per_mm * radius_mm))
    return 1.0 / (1.0 - 1j * np.outer(np.maximum(depth_deg, 0.0), omega_per_deg))


def _angles() -> Array:
    """Return angles no more than 2 deg apart, and closer where aberrations grow quickly."""
    low = np.geomspace(3.0, 20.0, 24, endpoint=False)
    return np.concatenate([low, np.arange(20.0, 165.0, 2.0)])


@lru_cache(maxsize=8)
def _smearing(geometry: Geometry) -> Complex:
    angles, omega = _angles(), frequencies(WINDOW)
    values = np.tile(_fixed(geometry, omega).astype(np.complex128), (len(angles), 1))
    if geometry.divergence_deg:
        values *= _flat_specimen(geometry, angles, omega)
    if geometry.soller_rad:
        values *= _axial(geometry, angles, omega)
    return values


def _fixed(geometry: Geometry, omega: Array) -> Array:
    slit = np.sinc(omega * geometry.receiving_deg / (2.0 * math.pi))
    return slit * np.exp(-0.5 * (omega * geometry.gaussian_deg) ** 2)


def _flat_specimen(geometry: Geometry, angles: Array, omega: Array) -> Complex:
    """Rays at an angle u of the divergent beam come out too low by ``2 u^2 cot(theta)``."""
    half = math.radians(geometry.divergence_deg) / 2.0
    reach_deg = np.degrees(2.0 * half**2 / np.tan(np.radians(angles) / 2.0))
    return _mean_of_squares(np.outer(reach_deg, omega))


def _axial(geometry: Geometry, angles: Array, omega: Array) -> Complex:
    """An axial angle g, of triangular distribution, moves a ray by ``-g^2 cot(2 theta) / 2``."""
    reach_deg = np.degrees(geometry.soller_rad**2 / 2.0 / np.tan(np.radians(angles)))
    phase = np.outer(reach_deg, omega)
    small = np.abs(phase) < 1e-3
    safe = np.where(small, 1.0, phase)
    linear = np.where(small, 1.0 + 0.5j * phase, (np.exp(1j * safe) - 1.0) / (1j * safe))
    return 2.0 * _mean_of_squares(phase) - linear


def _mean_of_squares(phase: Array) -> Complex:
    """Return the mean of ``exp(i phase u^2)`` over u from 0 to 1, by Fresnel's integrals."""
    size = np.maximum(np.abs(phase), 1e-12)
    sine, cosine = fresnel(np.sqrt(2.0 * size / math.pi))
    scale = np.sqrt(math.pi / (2.0 * size))
    return scale * (cosine + 1j * np.sign(phase) * sine)
