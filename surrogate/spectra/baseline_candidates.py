"""Ways of drawing a baseline, each over a grid of smoothness that is set by the widest peak.

What is wider than `widest_peak` points is baseline, what is narrower is peak: without such a statement the two cannot
be told apart. A Whittaker smoother of penalty ``lam`` (second differences) passes what is longer than a period of L
points where ``lam = (L / 2 pi)^4``; the grid is over L, in multiples of the widest peak.

All but one are pybaselines' (BSD-3): asls, airpls, arpls, pspline_arpls, snip, modpoly, imodpoly. `masked` is a
Whittaker smoother that leaves out the points where peaks stand (see `peak_points`); `none` is zero.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.spectra.baseline_peaks import PeakModel
from surrogate.spectra.whittaker import Whittaker, penalty

Array = NDArray[np.floating[Any]]

PERIODS = (2.0, 4.0, 8.0, 16.0, 32.0)
"""Shortest periods that baselines follow, in widest peaks."""
FINE_PERIODS = (1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 16.0, 32.0)
"""The same for `smooth`, which is cheap."""
WINDOWS = (0.7, 1.0, 1.5, 2.5)
"""Half windows of `snip`, in widest peaks."""
ORDERS = (1, 3, 5, 7)
ASYMMETRY = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A method with one setting."""

    method: str
    setting: float
    """Period in points (whittaker and splines), half window in points (snip), or degree (polynomials)."""

    @property
    def name(self) -> str:
        """Say method and setting."""
        return self.method if self.method == "none" else f"{self.method} {self.setting:g}"

    def __call__(self, y: Array, model: PeakModel) -> Array | None:
        """Return ``p`` values of the baseline, or None where the method fails on these data.

        Args:
            y: ``p`` values.
            model: the peaks; only `smooth` looks at them.
        """
        if self.method == "none":
            return np.zeros_like(y)
        if self.method == "smooth":
            return Whittaker.of(1.0 / model.sd**2, self.setting)(y - model.peaks)
        return _by_pybaselines(self.method, self.setting, y)


def candidates(p: int, widest_peak: float) -> tuple[Candidate, ...]:
    """Return all methods over their grids for ``p`` points."""
    periods = [factor * widest_peak for factor in PERIODS if factor * widest_peak <= 2.0 * p] or [2.0 * p]
    windows = [float(round(factor * widest_peak)) for factor in WINDOWS if 1.0 <= factor * widest_peak < 0.5 * p]
    grids: dict[str, list[float]] = {
        "smooth": [factor * widest_peak for factor in FINE_PERIODS],
        **dict.fromkeys(("asls", "airpls", "arpls", "pspline_arpls"), periods),
        "snip": windows,
        **{method: [float(order) for order in ORDERS] for method in ("modpoly", "imodpoly")},
        "none": [0.0],
    }
    return tuple(Candidate(method=method, setting=setting) for method, grid in grids.items() for setting in grid)


@lru_cache(maxsize=4)
def _fitter(p: int) -> Any:
    from pybaselines import Baseline  # noqa: PLC0415  slow to import, and not needed to read a spectrum

    return Baseline(np.linspace(-1.0, 1.0, p))


def _by_pybaselines(method: str, setting: float, y: Array) -> Array | None:
    scale = float(np.ptp(y)) or 1.0
    with warnings.catch_warnings():
        # what has not converged or is ill-conditioned is judged by its score, like all others
        warnings.simplefilter("ignore")
        try:
            found = getattr(_fitter(len(y)), method)(y / scale, **_arguments(method, setting, len(y)))[0]
        except (np.linalg.LinAlgError, ValueError):
            return None
    return found * scale if np.isfinite(found).all() else None


def _arguments(method: str, setting: float, p: int) -> dict[str, Any]:
    return _ARGUMENTS[method](setting, p)


def _spline(period: float, p: int) -> dict[str, Any]:
    knots = int(np.clip(round(4.0 * p / period), 8, 200))
    # the penalty acts on coefficients, which stand p / knots points apart
    return {"lam": penalty(period * knots / p), "num_knots": knots}


_ARGUMENTS: dict[str, Callable[[float, int], dict[str, Any]]] = {
    "asls": lambda period, p: {"lam": penalty(period), "p": ASYMMETRY},
    "airpls": lambda period, p: {"lam": penalty(period)},
    "arpls": lambda period, p: {"lam": penalty(period)},
    "pspline_arpls": _spline,
    "snip": lambda half, p: {"max_half_window": int(half), "decreasing": True, "smooth_half_window": 3},
    "modpoly": lambda order, p: {"poly_order": int(order)},
    "imodpoly": lambda order, p: {"poly_order": int(order)},
}
