"""The minimum of a smooth function of few variables within bounds, where the interpreter costs more than the function.

BFGS with the whole inverse curvature (Nocedal and Wright, Numerical Optimization (2006), eq. 6.17), scaled up before an
update that it is too small for (Oren and Luenberger, Manage. Sci. 20, 845 (1974), doi 10.1287/mnsc.20.5.845); steps
that end at bounds; and backtracking (Nocedal and Wright, algorithm 3.1, interpolation of eq. 3.58). What one search
learnt of the curvature, one of a function that is alike can begin with. SciPy's L-BFGS-B spends as much on each
evaluation as the log posterior of thirty points costs, and begins without curvature.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Slope = Callable[[np.ndarray], tuple[float, np.ndarray]]
"""A function from a place (`d`) to its value and gradient (`d`)."""

_ENOUGH = 1e-4
"""Of the decrease that the gradient promises, what a step must bring."""
_LONGEST = 3.0
"""Most that a step moves any variable."""
_LEAST_CURVATURE = 1e-10
_MOST_HALVINGS = 20
_STEEP = 100.0
"""Of the least slope: where it is steeper, a search does not end because a step by another search's curvature fails."""


@dataclass(frozen=True, slots=True)
class Minimum:
    """Where a search ended."""

    place: np.ndarray
    """`d`"""
    value: float
    curvature: np.ndarray | None
    """Inverse of the second derivative, as far as it was learnt, `d x d`."""
    evaluations: int


def minimum(
    slope: Slope,
    start: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    *,
    evaluations: int,
    curvature: np.ndarray | None = None,
    is_known: Callable[[np.ndarray, float], bool] = lambda place, value: False,
    least_gain: float = 1e-8,
    least_slope: float = 1e-4,
) -> Minimum:
    """Search for a minimum.

    Args:
        slope: The function; a value that is not finite, or huge, says that a place is out of the question.
        start: Where the search begins, `d`.
        low: Least place, `d`.
        high: Greatest place, `d`.
        evaluations: Of the function, at most.
        curvature: Inverse of the second derivative to begin with, `d x d`; None where nothing is known of it.
        is_known: Whether a place and its value are as good as known from elsewhere, so that the search may end there.
        least_gain: A step that brings less, in units of the value or of 1 where that is more, is the last.
        least_slope: Where no slope that bounds leave free is greater, the search ends.
    """
    place = np.minimum(np.maximum(start, low), high)
    value, gradient = slope(place)
    used, is_inherited = 1, curvature is not None
    while used < evaluations:
        held = ((place <= low) & (gradient > 0.0)) | ((place >= high) & (gradient < 0.0))
        free = np.where(held, 0.0, gradient)
        steepest = float(np.abs(free).max())
        if not steepest > least_slope:
            break
        step = _step(free, held, curvature)
        tried = _backtracked(slope, place, value, gradient, step, low, high, evaluations - used)
        used += tried.evaluations
        gain = value - tried.value
        if tried.is_better:
            curvature = _learnt(curvature, tried.place - place, tried.gradient - gradient)
            place, value, gradient = tried.place, tried.value, tried.gradient
            if is_known(place, value):
                break
        if gain <= least_gain * max(abs(value), 1.0):
            if not (is_inherited and steepest > _STEEP * least_slope):
                break
            curvature, is_inherited = None, False  # what was learnt elsewhere misleads here
    return Minimum(place, value, curvature, used)


@dataclass(frozen=True, slots=True)
class _Tried:
    is_better: bool
    place: np.ndarray
    value: float
    gradient: np.ndarray
    evaluations: int


def _step(free: np.ndarray, held: np.ndarray, curvature: np.ndarray | None) -> np.ndarray:
    """Return where to go, down the free slopes."""
    step = None
    if curvature is not None:
        step = -(curvature @ free)
        step[held] = 0.0
        if not float(step @ free) < 0.0:
            step = None
    if step is None:
        step = -free / max(float(np.sqrt(free @ free)), 1.0)
    longest = float(np.abs(step).max())
    return step if longest <= _LONGEST else step * (_LONGEST / longest)


def _backtracked(
    slope: Slope,
    place: np.ndarray,
    value: float,
    gradient: np.ndarray,
    step: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    evaluations: int,
) -> _Tried:
    """Go as far along a step as brings enough."""
    length, moved = 1.0, place
    there, slopes = value, gradient
    for used in range(1, min(evaluations, _MOST_HALVINGS) + 1):
        moved = np.minimum(np.maximum(place + length * step, low), high)
        there, slopes = slope(moved)
        promised = float(gradient @ (moved - place))
        if np.isfinite(there) and there <= value + _ENOUGH * promised:
            return _Tried(there < value or promised == 0.0, moved, there, slopes, used)
        bend = there - value - promised
        shorter = -promised / (2.0 * bend) if np.isfinite(bend) and bend > 0.0 else 0.1
        length *= min(max(shorter, 0.1), 0.5)
    return _Tried(False, place, value, gradient, min(evaluations, _MOST_HALVINGS))


def _learnt(curvature: np.ndarray | None, moved: np.ndarray, rose: np.ndarray) -> np.ndarray | None:
    """Return the inverse curvature after a step that moved a place and raised its gradient."""
    bent = float(moved @ rose)
    if not bent > _LEAST_CURVATURE * float(np.sqrt((moved @ moved) * (rose @ rose))):
        return curvature
    if curvature is None:
        curvature = np.eye(len(moved)) * (bent / float(rose @ rose))
    turned = curvature @ rose
    reach = bent / float(rose @ turned)
    if reach > 1.0:  # what was learnt where the function is steeper keeps steps too short
        curvature, turned = curvature * reach, turned * reach
    factor = (1.0 + float(rose @ turned) / bent) / bent
    crossed = np.multiply.outer(moved, turned)
    return curvature + factor * np.multiply.outer(moved, moved) - (crossed + crossed.T) / bent
