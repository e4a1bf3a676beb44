"""Profiles drawn by one CPU core in compiled loops: what `surrogate.xrd.model` and `surrogate.xrd.drawing` draw with
torch, without autograd.

The many small operations of the general way cost a core more than their arithmetic. Here each peak's place, shapes and
derivatives are computed once, in double precision, and added to each column that it reaches. Points are equally spaced,
so that the Gauss part needs no exponential but at the centre: from point to point its ratio changes by a constant
factor.

Constants of shapes and windows stand here, since compiled code that is kept is renewed only when its own file changes.
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
Indices = NDArray[np.int64]
Shape = tuple[float, float, float, float, float, float]
OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "nsz", "arcp", "reassoc"}}

SCHERRER = 0.9
NARROWEST_DEG = 0.01
WINDOW_WIDTHS = 3.0
"""Half a window in full widths, for the weakest peak; a strong one gets up to `STRONG_WIDTHS` more."""
STRONG_WIDTHS = 10.0
HALF_WINDOWS = (10, 17, 28, 46, 76, 125, 210, 400, 1024, 2048)
"""Half windows in steps: peaks are drawn together with those of about their width."""
MIXING = (2.69269, 2.42843, 4.47163, 0.07842)
"""Of the full width's fifth power, by Thompson, Cox and Hastings (`surrogate.xrd.model`)."""
SHARES = (1.36603, 0.47719, 0.11116)
"""Of the Lorentz part, from their ratio of widths."""
HIGHEST_SINE = 0.9995
"""Lines beyond are left out."""


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
def _fill_kinds(kinds: Array, gauss: Array, begin: float, step: float, shape: Shape, n_kinds: int, count: int) -> None:
    """Write a profile, and its derivatives by position and both widths, at ``count`` points from ``begin`` on."""
    width, eta = shape[0], shape[1]
    inverse, top = 2.0 / width, (2.0 / math.pi) / width
    for i in range(count):
        at = begin + step * i
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
            kinds[2, i] = by_width * shape[2] + by_eta * shape[4]
            kinds[3, i] = by_width * shape[3] + by_eta * shape[5]


def shape_of(g: Any, l: Any) -> tuple[Any, Any, Any, Any, Any, Any]:  # noqa: E741
    """Return a pseudo-Voigt's full width, its Lorentz share, and derivatives, from Gauss and Lorentz widths above zero.

    Of numbers or of tensors; the derivatives are the width's by the Lorentz and Gauss widths, then the share's.
    """
    a, b, c, d = MIXING
    g2, l2 = g * g, l * l
    g3, l3 = g2 * g, l2 * l
    g4, l4 = g2 * g2, l2 * l2
    fifth = g4 * g + a * g4 * l + b * g3 * l2 + c * g2 * l3 + d * g * l4 + l4 * l
    f = fifth**0.2
    f_lorentz = (a * g4 + 2 * b * g3 * l + 3 * c * g2 * l2 + 4 * d * g * l3 + 5 * l4) * f / (5.0 * fifth)
    f_gauss = (5 * g4 + 4 * a * g3 * l + 3 * b * g2 * l2 + 2 * c * g * l3 + d * l4) * f / (5.0 * fifth)
    x = l / f
    p, q, r = SHARES
    by_x = p - x * (2 * q - 3 * r * x)
    return f, x * (p - x * (q - r * x)), f_lorentz, f_gauss, by_x * (1.0 - x * f_lorentz) / f, -by_x * x * f_gauss / f


_shape_of = compiled(shape_of)


@compiled
def _half_window(relative: float, width: float, step: float) -> int:
    """Return how many points to each side of the nearest one a peak is drawn at."""
    wanted = (WINDOW_WIDTHS + STRONG_WIDTHS * math.sqrt(min(relative, 1.0))) * width / step
    for half in HALF_WINDOWS:
        if half >= wanted:
            return half
    return HALF_WINDOWS[-1]


@compiled
def _add(into: Array, first: int, factor: float, values: Array, count: int) -> None:
    if factor != 0.0:
        for i in range(count):
            into[first + i] += factor * values[i]


@compiled
def draw_profiles(
    first: Indices,
    q_squared: Array,
    by_strain: Array,
    harmonics: Array,
    strength: Array,
    wavelength: Array,
    share: Array,
    phase: Indices,
    row: Indices,
    strain: Array,
    texture: Array,
    log_size_nm: Array,
    log_microstrain: Array,
    shared: Array,
    log_factor: Array,
    n_strain: int,
    n_texture: int,
    start_deg: float,
    step_deg: float,
    total: Array,
) -> None:
    """Add all peaks of ``e`` entries to their columns, in the order that `surrogate.xrd.model.Profiles` tells.

    Args:
        first: ``p + 1``, as all up to ``strength`` the atlas' own; there are ``k`` peaks in it.
        q_squared: ``k``.
        by_strain: ``k x 6``.
        harmonics: ``k x 8``.
        strength: ``k``.
        wavelength: ``l`` in angstrom.
        share: ``l``, their parts of the intensity.
        phase: ``e``, as all up to ``shared`` what the entries' parameters are.
        row: ``e``.
        strain: ``e x 6``.
        texture: ``e x 8``.
        log_size_nm: ``e``.
        log_microstrain: ``e``.
        shared: ``r x 3``.
        log_factor: Of each reflection of each entry, one after the other.
        n_strain: How many strains have columns.
        n_texture: How many harmonics have columns.
        start_deg: Of the grid.
        step_deg: Of the grid.
        total: ``e x c x n``, changed; a single column stands for profiles without derivatives.
    """
    n_columns, n = total.shape[1], total.shape[2]
    n_kinds = 1 if n_columns == 1 else 4
    after = 1 + n_strain + n_texture
    kinds, gauss = np.empty((4, n)), np.empty(n)
    degrees = 180.0 / math.pi
    place = 0
    for e in range(len(phase)):
        begin, end = first[phase[e]], first[phase[e] + 1]
        zero, displacement, width = shared[row[e], 0], shared[row[e], 1], math.exp(shared[row[e], 2])
        by_size = degrees * SCHERRER * 0.2 * math.exp(-log_size_nm[e])
        by_microstrain = degrees * 4.0 * math.exp(log_microstrain[e])
        squares = 0.0
        for t in range(texture.shape[1]):
            squares += texture[e, t] ** 2
        for k in range(begin, end):
            square, log = q_squared[k], log_factor[place + k - begin] - 0.5 * squares
            for s in range(strain.shape[1]):
                square += by_strain[k, s] * strain[e, s]
            for t in range(texture.shape[1]):
                log += harmonics[k, t] * texture[e, t]
            q, factor = math.sqrt(square), math.exp(log)
            for line in range(len(wavelength)):
                half = 0.5 * wavelength[line]
                sine = q * half
                if not sine < HIGHEST_SINE:
                    continue
                cosine = math.sqrt(1.0 - sine * sine)
                centre = degrees * 2.0 * math.asin(sine) + zero - displacement * cosine
                size, micro = by_size * half / cosine, by_microstrain * sine / cosine
                shape = _shape_of(max(width, NARROWEST_DEG), max(size + micro, 1e-6))
                relative = strength[k] * (1.0 + (1.0 - 2.0 * sine * sine) ** 2) / (sine * sine * cosine)
                window = _half_window(relative, shape[0], step_deg)
                nearest = np.rint((centre - start_deg) / step_deg)
                if nearest < -window or nearest >= n + window:
                    continue
                at = int(nearest)
                low, high = max(at - window, 0), min(at + window + 1, n)
                if high <= low:
                    continue
                count, away = high - low, nearest * step_deg + start_deg - centre
                middle = min(max(at - low, 0), count - 1)
                _fill_gauss(gauss, count, middle, away + step_deg * (low + middle - at), shape[0], step_deg)
                _fill_kinds(kinds, gauss, away + step_deg * (low - at), step_deg, shape, n_kinds, count)
                area = share[line] * relative * factor
                into = total[e]
                _add(into[0], low, area, kinds[0], count)
                if n_kinds == 4:
                    by_q = area * degrees * half / (cosine * q)
                    for s in range(n_strain):
                        _add(into[1 + s], low, by_q * by_strain[k, s], kinds[1], count)
                    for t in range(n_texture):
                        _add(into[1 + n_strain + t], low, area * (harmonics[k, t] - texture[e, t]), kinds[0], count)
                    _add(into[after], low, -area * size, kinds[2], count)
                    _add(into[after + 1], low, area * micro, kinds[2], count)
                    _add(into[after + 2], low, area, kinds[1], count)
                    _add(into[after + 3], low, -area * cosine, kinds[1], count)
                    _add(into[after + 4], low, area * width, kinds[3], count)
        place += end - begin
