"""Screening: which phases of a library could explain what is left, and at which strain.

On a scale of ``log q`` an isotropic strain is a shift. So the whitened residual, shifted by all strains that may be,
and multiplied with the lines of all phases at once, tells how much of chi squared each would explain at its best scale:
``<t, W r>^2 / <t, W t>``, a matched filter. Strong peaks get no more weight than their model error allows, so that a
phase whose strong lines are missing gains nothing from one that is there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from surrogate.xrd.atlas import Atlas
from surrogate.xrd.pattern import Pattern

Array = NDArray[np.floating[Any]]

N_BINS = 4096
LARGEST_STRAIN = 0.02
"""Relative, of spacings."""
WIDTHS_DEG = (0.2, 0.45, 1.0, 2.2)
"""Of the lines as drawn. Two are used: that next to the pattern's, and the next broader one, which takes what strains a
cell unequally, or shifts by misalignment."""
ZEROS_DEG = (0.0, -0.1, 0.1)
ZERO_SD_DEG = 0.06
STRAIN_SD = 0.006
MODEL_ERROR = 0.25
"""Of heights: with a larger one than in a fit, peaks of all sizes count alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """The lines of ``p`` phases over ``log q``."""

    log_q: Array
    """``N_BINS`` bins."""
    lines: tuple[Array, ...]
    """For each width, ``p x bins``."""
    squares: tuple[Array, ...]
    """For each width, ``p x bins`` squares of the lines."""
    reach: int
    """How far lines are shifted, in bins."""
    likeness: Array
    """``p x p``: highest correlation of two phases' lines under any strain; 1 for the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How well each of ``p`` phases could explain a residual."""

    gain: Array
    """``p``: fall of chi squared."""
    strain: Array
    """``p``: relative change of the spacings at the best shift."""
    zero_deg: Array
    """``p``: error of the axis at the best shift."""


def make_screen(atlas: Atlas, *, low_deg: float = 5.0, high_deg: float = 140.0) -> Screen:
    """Draw all phases over ``log q``, once for a library."""
    wavelength = atlas.radiation.wavelength_angstrom[0]
    low, high = (math.log(2.0 * math.sin(math.radians(deg / 2.0)) / wavelength) for deg in (low_deg, high_deg))
    step = (high - low) / N_BINS
    log_q = low + step * (np.arange(N_BINS) + 0.5)
    drawn = [np.array([_drawn(atlas, phase, log_q, width) for phase in range(atlas.n_phases)]) for width in WIDTHS_DEG]
    reach = int(LARGEST_STRAIN / step)
    return Screen(
        log_q=log_q,
        lines=tuple(drawn),
        squares=tuple(one**2 for one in drawn),
        reach=reach,
        likeness=_likeness(np.sqrt(drawn[0]), reach),
    )


def _likeness(lines: Array, reach: int) -> Array:
    """Correlate the roots of lines, so that a few strong ones do not decide alone."""
    unit = lines / np.maximum(np.linalg.norm(lines, axis=1, keepdims=True), 1e-300)
    return np.array([_correlated(one, unit, reach).max(axis=1) for one in unit])


def _drawn(atlas: Atlas, phase: int, log_q: Array, width_deg: float) -> Array:
    part = slice(int(atlas.first[phase]), int(atlas.first[phase + 1]))
    wavelength = atlas.radiation.wavelength_angstrom[0]
    q = np.sqrt(atlas.q_squared[part].numpy())
    sine = q * wavelength / 2.0
    kept = sine < 0.999
    q, sine, strength = q[kept], sine[kept], atlas.strength[part].numpy()[kept]
    cosine = np.sqrt(1.0 - sine**2)
    height = strength * (1.0 + (1.0 - 2.0 * sine**2) ** 2) / (sine**2 * cosine)
    sigma = math.radians(width_deg / 2.355) / 2.0 * cosine / sine
    step = log_q[1] - log_q[0]
    total = np.zeros(len(log_q))
    for at, tall, broad in zip(np.log(q), height, sigma, strict=True):
        first = max(int((at - 4.0 * broad - log_q[0]) / step), 0)
        last = min(int((at + 4.0 * broad - log_q[0]) / step) + 2, len(log_q))
        if last > first:
            total[first:last] += tall * np.exp(-0.5 * ((log_q[first:last] - at) / broad) ** 2)
    return total


def score(screen: Screen, pattern: Pattern, residual: Array, *, height: Array, shared: Array | None = None) -> Score:
    """Return how much of a residual each phase could explain.

    Args:
        screen: Of the library.
        pattern: What was measured.
        residual: ``n``, intensity that is not explained yet.
        height: ``n``, of all peaks above the background, which bounds how well a model can be believed.
        shared: Zero and displacement in degrees, where phases found before tell them; else several zeros are tried.
    """
    tried = []
    for zero_deg in ZEROS_DEG if shared is None else (0.0,):
        angle = pattern.two_theta_deg - zero_deg
        if shared is not None:
            angle = angle - shared[0] + shared[1] * np.cos(np.radians(angle / 2.0))
        gain, strain = _score(screen, pattern, angle, residual, height)
        tried.append((gain - (zero_deg / ZERO_SD_DEG) ** 2, strain, np.full(len(gain), zero_deg)))
    gains, strains, zeros = (np.array(one) for one in zip(*tried, strict=True))
    pick, rows = gains.argmax(axis=0), np.arange(gains.shape[1])
    return Score(gain=gains[pick, rows], strain=strains[pick, rows], zero_deg=zeros[pick, rows])


def _score(screen: Screen, pattern: Pattern, angle: Array, residual: Array, height: Array) -> tuple[Array, Array]:
    """Return ``p`` gains and strains, for an axis that is right."""
    wavelength = pattern.radiation.wavelength_angstrom[0]
    q = 2.0 * np.sin(np.radians(np.maximum(angle, 0.1) / 2.0)) / wavelength
    seen = np.isfinite(pattern.variance)
    variance = np.where(seen, pattern.variance, 1.0) + (MODEL_ERROR * np.maximum(height, np.abs(residual))) ** 2
    weight = np.where(seen, 1.0 / variance, 0.0)
    # each bin stands for a part of a step of the grid
    log_q = np.log(q)
    at = np.interp(screen.log_q, log_q, np.arange(len(q)))
    inside = (screen.log_q >= log_q[0]) & (screen.log_q <= log_q[-1])
    density = np.where(inside, np.gradient(at), 0.0)
    position = np.where(inside, at, 0.0)
    index = np.arange(len(q))
    whitened = np.interp(position, index, weight * residual) * density
    weights = np.interp(position, index, weight) * density
    strain = np.arange(-screen.reach, screen.reach + 1) * (screen.log_q[1] - screen.log_q[0])
    gains = []
    narrow = min(int(np.abs(np.log(np.array(WIDTHS_DEG) / pattern.width_deg)).argmin()), len(WIDTHS_DEG) - 2)
    for lines, squares in zip(screen.lines[narrow : narrow + 2], screen.squares[narrow : narrow + 2], strict=True):
        numerator = _correlated(whitened, lines, screen.reach)
        denominator = _correlated(weights, squares, screen.reach)
        floor = 1e-6 * denominator.max(axis=1, keepdims=True) + 1e-300
        # towards large strains a phase must do better: the prior of its cell
        gains.append(np.maximum(numerator, 0.0) ** 2 / np.maximum(denominator, floor) - (strain / STRAIN_SD) ** 2)
    best = np.array([gain.argmax(axis=1) for gain in gains])
    rows = np.arange(best.shape[1])
    highest = np.array([gain[rows, at] for gain, at in zip(gains, best, strict=True)])
    pick = highest.argmax(axis=0)
    return highest[pick, rows], -strain[best[pick, rows]]


def _correlated(signal: Array, lines: Array, reach: int) -> Array:
    """Return ``p x (2 reach + 1)``: the sum over bins of signal times lines shifted by each number of bins."""
    seen = np.flatnonzero(signal)
    if not len(seen):
        return np.zeros((len(lines), 2 * reach + 1))
    first, last = max(int(seen[0]) - reach, 0), min(int(seen[-1]) + reach + 1, len(signal))
    # few shifts are wanted, and one product for all costs less than transforms of all lines
    shifted = sliding_window_view(np.pad(signal, reach)[first : last + 2 * reach], last - first)
    # in double precision: weights differ by a million between peaks and background
    return lines[:, first:last] @ np.ascontiguousarray(shifted).T
