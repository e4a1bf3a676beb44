"""Peaks that stand on a baseline, as far as a baseline needs to know them.

The model is y = b + P a + noise: b smooth (penalised second differences), the columns of P Gaussian and Lorentzian
peaks of several widths at places where the data curve down more than noise and baseline do, a >= 0. For a given
smoothness b is eliminated in closed form and a is a non-negative least-squares problem. The smoothness is the one of
the least BIC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.ndimage import correlate1d
from scipy.optimize import nnls

from surrogate.spectra.whittaker import Whittaker

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

DETECTED_SDS = 4.5
"""A curvature this far above the noise makes a column of P."""
SCALES = 7
NARROWEST = 3.0
"""Full width at half maximum, in points."""
WIDTHS = (0.7, 1.0, 1.4)
"""Widths of the columns of a place, relative to the width at which it stands out most."""
MAX_PLACES = 80
ROUNDS = 2
HIDDEN_SD = 1e3
"""Standard deviation of points that are not valid, in those of their neighbours."""
SHAPE_ERROR = 0.07
"""Standard deviation of a peak's true shape about the fitted one, as a share of its height there."""
RIDGE = 1e-6
"""Keeps columns apart that are hardly distinct, relative to the mean of the Gram matrix's diagonal."""
EDF_PER_PERIOD = 2.22
"""Degrees of freedom of a Whittaker smoother of second differences, times period over points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakModel:
    """The peaks on a baseline of ``p`` points."""

    peaks: Array
    """``p``: their sum."""
    sd: Array
    """``p``: noise, and what the peaks' shapes leave open."""
    period: float
    """Shortest period, in points, that the baseline follows."""
    baseline_variance: Array
    """``p``: of the baseline, from what it can exchange with the heights of the peaks."""


def fit_peaks(y: Array, sd: Array, *, widest: float, periods: tuple[float, ...], good: Mask | None = None) -> PeakModel:
    """Return the peaks of the best of several smoothnesses of the baseline.

    Args:
        y: ``p`` values, bridged where not good.
        sd: ``p`` standard deviations.
        widest: full width of the widest peak, in points.
        periods: shortest periods of baselines to try, in points.
        good: ``p``; other points hardly count in the fit.
    """
    counted = sd if good is None else np.where(good, sd, HIDDEN_SD * sd)
    # peaks beside a gap are looked for as if the bridge had been measured: its true sd would hide them
    places = _places(y, sd, widest)
    best = _best(y, counted, places, periods)
    for _ in range(ROUNDS - 1):
        more = _places(y - best.peaks, np.minimum(best.sd, np.hypot(sd, SHAPE_ERROR * best.peaks)), widest)
        if not more:
            break
        places = places + more
        best = _best(y, counted, places, periods)
    return best


def _best(y: Array, sd: Array, places: list[tuple[int, float]], periods: tuple[float, ...]) -> PeakModel:
    columns = _columns(places, len(y))
    fits = [_fitted(y, sd, columns, period) for period in periods]
    return min(fits, key=lambda one: one[0])[1]


def _fitted(y: Array, sd: Array, columns: Array, period: float) -> tuple[float, PeakModel]:
    """Return BIC and peaks for one smoothness, weights refined once by what the shapes leave open."""
    p = len(y)
    total, heights, effective = np.zeros(p), np.zeros(columns.shape[1]), sd
    for _ in range(2):
        smoother = Whittaker.of(1.0 / effective**2, period)
        weighed = smoother.rest(columns)
        gram = columns.T @ weighed
        heights = _heights(gram, weighed.T @ y)
        total = columns @ heights
        effective = np.hypot(sd, SHAPE_ERROR * total)
    smoother = Whittaker.of(1.0 / effective**2, period)
    left = (y - total - smoother(y - total)) / effective
    # far outliers are counted as such, not squared
    misfit = float(np.sum(np.minimum(left**2, 25.0)) + 2.0 * np.sum(np.log(effective / sd)))
    complexity = np.log(p) * (EDF_PER_PERIOD * p / period + 2.0 + np.sum(heights > 0))
    exchanged = _exchanged(smoother, columns[:, heights > 0])
    return misfit + complexity, PeakModel(peaks=total, sd=effective, period=period, baseline_variance=exchanged)


def _heights(gram: Array, target: Array) -> Array:
    """Return a >= 0 of least a' G a / 2 - a' t, where G and t are what is left when the baseline is eliminated."""
    if len(gram) == 0:
        return np.zeros(0)
    lower = np.linalg.cholesky(_regular(gram))
    return nnls(lower.T, solve_triangular(lower, target, lower=True), maxiter=30 * len(gram))[0]


def _exchanged(smoother: Whittaker, columns: Array) -> Array:
    """Return ``p`` variances of the baseline that come from the ``c`` heights above zero."""
    if columns.shape[1] == 0:
        return np.zeros(len(columns))
    lower = np.linalg.cholesky(_regular(columns.T @ smoother.rest(columns)))
    return np.sum(solve_triangular(lower, smoother(columns).T, lower=True) ** 2, axis=0)


def _regular(gram: Array) -> Array:
    gram = 0.5 * (gram + gram.T)
    return gram + RIDGE * float(np.trace(gram)) / len(gram) * np.eye(len(gram))


def _places(y: Array, sd: Array, widest: float) -> list[tuple[int, float]]:
    """Return (index, full width at half maximum) where the curvature stands out, strongest first."""
    # one scale beyond the widest: what stands out most there is background
    widths = np.geomspace(NARROWEST, 1.5 * max(widest, NARROWEST), SCALES)
    standing = np.array([_curvature(y, sd, width) for width in widths])
    # the response of a peak, over the scale, is largest where the scale is the peak's width
    sharpness = standing / widths[:, None]
    padded = np.pad(sharpness, 1, constant_values=-np.inf)
    inner = padded[1:-1, 1:-1]
    is_top = (inner > padded[1:-1, :-2]) & (inner >= padded[1:-1, 2:]) & (standing > DETECTED_SDS)
    is_top &= (inner >= padded[:-2, 1:-1]) & (inner >= padded[2:, 1:-1])
    is_top[-1] = False
    scale, index = np.nonzero(is_top)
    order = np.argsort(-standing[scale, index], kind="stable")[:MAX_PLACES]
    return [(int(index[i]), float(widths[scale[i]])) for i in order]


def _curvature(y: Array, sd: Array, fwhm: float) -> Array:
    """Return the downward curvature of ``p`` values at a scale, in sds of its noise."""
    kernel = _curvature_kernel(fwhm)
    reach = min(len(kernel) // 2, len(y) - 1)
    # continued oddly about both ends, so that a slope has no kink there
    padded = np.pad(y, reach, mode="reflect", reflect_type="odd")
    seen = correlate1d(padded, kernel, mode="nearest")[reach : reach + len(y)]
    return seen / np.sqrt(correlate1d(sd**2, kernel**2, mode="nearest"))


def _curvature_kernel(fwhm: float) -> Array:
    """Return minus the second derivative of a Gaussian, blind to constants and slopes."""
    scale = fwhm / np.sqrt(8.0 * np.log(2.0))
    reach = max(int(np.ceil(4.0 * scale)), 2)
    u = np.arange(-reach, reach + 1) / scale
    kernel = (1.0 - u**2) * np.exp(-0.5 * u**2)
    return kernel - kernel.mean()


def _columns(places: list[tuple[int, float]], p: int) -> Array:
    """Return ``p x c`` peaks of height 1."""
    index = np.arange(p)[:, None]
    if not places:
        return np.zeros((p, 0))
    centres = np.array([centre for centre, _ in places], dtype=float)
    widths = np.array([width for _, width in places])
    columns = []
    for factor in WIDTHS:
        u = (index - centres) / (factor * widths)
        columns += [np.exp(-4.0 * np.log(2.0) * u**2), 1.0 / (1.0 + 4.0 * u**2)]
    return np.concatenate(columns, axis=1)
