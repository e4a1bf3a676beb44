"""Gaussian, Lorentzian and pseudo-Voigt lines: values, derivatives, areas.

A line has height h, position c, full width at half maximum w and, as pseudo-Voigt, the Lorentzian share e:
h (e L + (1 - e) G), G = 2^(-4 u^2), L = 1 / (1 + 4 u^2), u = (x - c) / w. (Thompson, Cox & Hastings, J. Appl.
Crystallogr. 20, 79 (1987), doi:10.1107/S0021889887087090, equation 3, in heights instead of areas.)
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Shape = Literal["gauss", "lorentz", "pseudo_voigt"]

SHAPES: tuple[Shape, ...] = ("gauss", "lorentz", "pseudo_voigt")
GAUSS_AREA = 0.5 * float(np.sqrt(np.pi / np.log(2.0)))
"""Area of a Gaussian of height and full width 1."""
LORENTZ_AREA = 0.5 * np.pi
_LN16 = float(np.log(16.0))


def fixed_share(shape: Shape) -> float | None:
    """Return the Lorentzian share of a shape, or None where it is free."""
    return {"gauss": 0.0, "lorentz": 1.0, "pseudo_voigt": None}[shape]


def line(x: Array, lines: Array) -> Array:
    """Return ``n x k`` values of ``k x 4`` lines (position, height, width, share)."""
    position, height, width, share = lines.T
    gauss, lorentz = _parts((x[:, None] - position) / width)
    return height * (share * lorentz + (1.0 - share) * gauss)


def derivatives(x: Array, lines: Array) -> Array:
    """Return ``n x k x 4`` derivatives by position, height, width and share."""
    position, height, width, share = lines.T
    u = (x[:, None] - position) / width
    gauss, lorentz = _parts(u)
    by_u = height * (-8.0 * share * u * lorentz**2 - 2.0 * _LN16 * (1.0 - share) * u * gauss)
    unit = share * lorentz + (1.0 - share) * gauss
    return np.stack([-by_u / width, unit, -by_u * u / width, height * (lorentz - gauss)], axis=2)


def area(lines: Array) -> Array:
    """Return ``k`` areas."""
    _, height, width, share = lines.T
    return height * width * _unit_area(share)


def area_derivatives(lines: Array) -> Array:
    """Return ``k x 4`` derivatives of the areas."""
    _, height, width, share = lines.T
    unit = _unit_area(share)
    zero = np.zeros_like(height)
    return np.stack([zero, width * unit, height * unit, height * width * (LORENTZ_AREA - GAUSS_AREA)], axis=1)


def _unit_area(share: Array) -> Array:
    return share * LORENTZ_AREA + (1.0 - share) * GAUSS_AREA


def _parts(u: Array) -> tuple[Array, Array]:
    return np.exp(-_LN16 * u**2), 1.0 / (1.0 + 4.0 * u**2)
