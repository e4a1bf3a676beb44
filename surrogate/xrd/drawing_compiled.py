"""Peaks drawn by one CPU core in compiled loops: what `surrogate.xrd.drawing` draws, without derivatives of its own.

The many small operations of the general way cost a core more than their arithmetic. Here each peak's shapes are
computed once, in double precision, and added to each column that it reaches. Points are equally spaced, so that the
Gauss part needs no exponential but at the centre: from point to point its ratio changes by a constant factor.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

P = ParamSpec("P")
T = TypeVar("T")
Array = NDArray[np.floating[Any]]
OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "nsz", "arcp", "reassoc"}}


def compiled(function: Callable[P, T]) -> Callable[P, T]:
    """Return a function in machine code, compiled when it is first called; kept for later processes where it can be."""
    try:
        return njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # neither the package's folder nor the user's can be written
        return njit(**OPTIONS)(function)


@compiled
def _fill_gauss(gauss: Array, count: int, first: int, begin: float, width: float, step: float) -> None:
    """Write a Gauss profile at ``count`` points, from point ``first``, ``begin`` degrees from the centre, outwards."""
    narrow = -4.0 * math.log(2.0) / width**2
    height = (2.0 * math.sqrt(math.log(2.0) / math.pi)) / width * math.exp(narrow * begin * begin)
    shrink = math.exp(2.0 * narrow * step * step)
    value, ratio = height, math.exp(narrow * step * (2.0 * begin + step))
    for i in range(first, count):
        gauss[i] = value
        value *= ratio
        ratio *= shrink
    value, ratio = height, math.exp(narrow * step * (step - 2.0 * begin))
    for i in range(first - 1, -1, -1):
        value *= ratio
        ratio *= shrink
        gauss[i] = value


@compiled
def draw(
    entry: NDArray[np.int64],
    away: Array,
    nearest: NDArray[np.int64],
    half: NDArray[np.int64],
    shapes: Array,
    columns: Array,
    step: float,
    total: Array,
) -> None:
    """Add ``k`` peaks to their entries' columns.

    Args:
        entry: ``k`` entries.
        away: ``k`` degrees from the peak's centre to the nearest point.
        nearest: ``k`` numbers of points; they need not lie on the grid.
        half: ``k`` points that are drawn to each side of the nearest one.
        shapes: ``k x 6``: full width, Lorentz share, the width's derivatives by the Lorentz and Gauss widths, and the
            share's.
        columns: ``k x 4 x c``: how much of profile, and of its derivatives by position, Lorentz width and Gauss width,
            goes into each column.
        step: Degrees between points.
        total: ``e x c x n``, changed.
    """
    n_columns, n = total.shape[1], total.shape[2]
    kinds = np.empty((4, n))
    gauss = np.empty(n)
    n_kinds = 1 if n_columns == 1 else 4
    for k in range(len(entry)):
        low, high = max(nearest[k] - half[k], 0), min(nearest[k] + half[k] + 1, n)
        if high <= low:
            continue
        count = high - low
        width, eta = shapes[k, 0], shapes[k, 1]
        by_lorentz, by_gauss, eta_lorentz, eta_gauss = shapes[k, 2], shapes[k, 3], shapes[k, 4], shapes[k, 5]
        first = min(max(nearest[k] - low, 0), count - 1)
        begin = away[k] + step * (low + first - nearest[k])
        _fill_gauss(gauss, count, first, begin, width, step)
        start = away[k] + step * (low - nearest[k])
        inverse, top = 2.0 / width, (2.0 / math.pi) / width
        for i in range(count):
            at = start + step * i
            scaled = (inverse * at) ** 2
            share = 1.0 / (1.0 + scaled)
            lorentz = top * share
            profile = eta * lorentz + (1.0 - eta) * gauss[i]
            kinds[0, i] = profile
            if n_kinds == 4:
                steep = eta * lorentz * share + (1.0 - eta) * math.log(2.0) * gauss[i]
                by_width = (2.0 * scaled * steep - profile) / width
                by_eta = lorentz - gauss[i]
                kinds[1, i] = 2.0 * inverse * inverse * at * steep
                kinds[2, i] = by_width * by_lorentz + by_eta * eta_lorentz
                kinds[3, i] = by_width * by_gauss + by_eta * eta_gauss
        for column in range(n_columns):
            into = total[entry[k], column, low:high]
            for kind in range(n_kinds):
                factor = columns[k, kind, column]
                if factor != 0.0:
                    for i in range(count):
                        into[i] += factor * kinds[kind, i]
