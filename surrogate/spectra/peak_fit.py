"""Weighted least-squares fit of overlapping lines, with covariance.

Standard deviations come from (J' W J)^-1 over what is free (a share at its bound and a height of zero are not), times
the reduced chi-square where it is above 1: a shape that is not quite the model's must not be mistaken for precision.
Areas follow by first-order propagation with all correlations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from surrogate.spectra.line_shapes import Shape, area, area_derivatives, derivatives, fixed_share, line

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

MAX_STEPS = 60
AT_BOUND = 1e-4
"""Relative distance from a bound below which a parameter lies at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """``k`` lines of one group."""

    lines: Array
    """``k x 4``: position, height, width, Lorentzian share."""
    covariance: Array
    """``4 k x 4 k``; zero for what is fixed, a share at its bound and a height of zero."""
    areas: Array
    area_sds: Array
    is_bound: Mask
    """``k x 4``."""
    reduced_chi2: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """``n`` points in sds, and which of the ``4 k (+ 2)`` parameters are free."""

    x: Array
    y: Array
    sd: Array
    start: Array
    free: Mask
    n_lines: int

    def residual(self, free: Array) -> Array:
        full = self._full(free)
        model = line(self.x, self._lines(full)).sum(axis=1) + self._slope() @ full[4 * self.n_lines :]
        return (model - self.y) / self.sd

    def jacobian(self, free: Array) -> Array:
        by_line = derivatives(self.x, self._lines(self._full(free))).reshape(len(self.x), -1)
        return (np.concatenate([by_line, self._slope()], axis=1) / self.sd[:, None])[:, self.free]

    def _full(self, free: Array) -> Array:
        full = self.start.copy()
        full[self.free] = free
        return full

    def _lines(self, full: Array) -> Array:
        return full[: 4 * self.n_lines].reshape(-1, 4)

    def _slope(self) -> Array:
        """Return ``n x 2`` (or ``n x 0``): a constant and a slope."""
        if len(self.start) == 4 * self.n_lines:
            return np.zeros((len(self.x), 0))
        away = self.x - self.x.mean()
        return np.stack([np.ones_like(away), away / max(float(np.abs(away).max()), 1e-300)], axis=1)


def fit_lines(
    x: Array,
    y: Array,
    sd: Array,
    starts: Array,
    *,
    shape: Shape,
    widths: tuple[float, float],
    reach: float,
    has_background: bool,
) -> Fit:
    """Fit lines together to ``n`` points.

    Args:
        x: ``n`` positions.
        y: ``n`` values.
        sd: ``n`` standard deviations.
        starts: ``k x 4`` lines to start from.
        shape: of all lines.
        widths: least and largest full width.
        reach: how far a position may move.
        has_background: fit a constant and a slope as well.
    """
    problem, lower, upper = _problem(x, y, sd, starts, shape, widths, reach, has_background=has_background)
    is_bounded = np.isfinite(lower) & np.isfinite(upper)
    margin = 1e-6 * np.subtract(upper, lower, where=is_bounded, out=np.zeros(len(lower)))
    found = least_squares(
        problem.residual,
        np.clip(problem.start, lower + margin, upper - margin)[problem.free],
        jac=problem.jacobian,  # type: ignore[arg-type]
        bounds=(lower[problem.free], upper[problem.free]),
        x_scale="jac",
        max_nfev=MAX_STEPS,
    )
    full = problem.start.copy()
    full[problem.free] = found.x
    # the solver keeps inside its bounds: what hardly left one lies at it
    span = np.where(np.isfinite(upper - lower), upper - lower, np.maximum(np.abs(full), 1e-300))
    is_bound = problem.free & ((full - lower < AT_BOUND * span) | (upper - full < AT_BOUND * span))
    heights = np.arange(1, 4 * problem.n_lines, 4)
    full[heights] = np.where(is_bound[heights], 0.0, full[heights])
    return _judged(problem, full, found.fun, is_bound)


def _problem(
    x: Array,
    y: Array,
    sd: Array,
    starts: Array,
    shape: Shape,
    widths: tuple[float, float],
    reach: float,
    *,
    has_background: bool,
) -> tuple[_Problem, Array, Array]:
    k, share = len(starts), fixed_share(shape)
    n_background = 2 if has_background else 0
    lower = np.tile([0.0, 0.0, widths[0], 0.0], k)
    upper = np.tile([0.0, np.inf, widths[1], 1.0], k)
    lower[::4], upper[::4] = starts[:, 0] - reach, starts[:, 0] + reach
    start = np.concatenate([starts.ravel(), np.zeros(n_background)])
    free = np.ones(len(start), dtype=bool)
    if share is not None:
        free[3 : 4 * k : 4] = False
        start[3 : 4 * k : 4] = share
    problem = _Problem(x=x, y=y, sd=sd, start=start, free=free, n_lines=k)
    # the ends of a fixed share are not bounds to keep away from
    lower[3::4], upper[3::4] = (lower[3::4] - 1.0, upper[3::4] + 1.0) if share is not None else (0.0, 1.0)
    wide = np.full(n_background, np.inf)
    return problem, np.concatenate([lower, -wide]), np.concatenate([upper, wide])


def _judged(problem: _Problem, full: Array, residual: Array, is_bound: Mask) -> Fit:
    k = problem.n_lines
    # a width or position at its bound is doubtful, and flagged, but no less uncertain
    pinned = is_bound & np.isin(np.arange(len(full)) % 4, (1, 3))
    used = problem.free & ~pinned
    jacobian = problem.jacobian(full[problem.free])[:, used[problem.free]]
    freedom = max(len(residual) - int(used.sum()), 1)
    chi2 = float(residual @ residual) / freedom
    inverse = max(chi2, 1.0) * np.linalg.pinv(jacobian.T @ jacobian, rcond=1e-14, hermitian=True)
    whole = np.zeros((len(full), len(full)))
    whole[np.ix_(used, used)] = inverse
    covariance = whole[: 4 * k, : 4 * k]
    lines = full[: 4 * k].reshape(k, 4)
    slopes = area_derivatives(lines)
    blocks = covariance.reshape(k, 4, k, 4)[np.arange(k), :, np.arange(k)]
    return Fit(
        lines=lines,
        covariance=covariance,
        areas=area(lines),
        area_sds=np.sqrt(np.maximum(np.einsum("ki,kij,kj->k", slopes, blocks, slopes), 0.0)),
        is_bound=is_bound[: 4 * k].reshape(k, 4),
        reduced_chi2=chi2,
    )
