"""Crystallites that do not lie at random, and grains too few to be many.

March-Dollase: Dollase, J. Appl. Cryst. 19 (1986) 267, doi:10.1107/S0021889886089458, eq. 1. Grain statistics: the
relative variance of a line is one over the number of grains that reflect into it (de Wolff, Appl. Sci. Res. B 7 (1958)
102), here with a gamma distribution.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

Axis = tuple[int, int, int]

LOW_INDEX: tuple[Axis, ...] = (
    (0, 0, 1),
    (1, 0, 0),
    (0, 1, 0),
    (1, 1, 0),
    (1, 0, 1),
    (0, 1, 1),
    (1, 1, 1),
)
ACCEPTANCE = 2e-3
"""Share of orientations from which one plane reflects into the detector."""


def march_dollase(cosine: Array, r: float) -> Array:
    """Return the factors of lines, the mean over equivalents: ``n x g`` to ``n``.

    Args:
        cosine: Between reflections and the axis.
        r: Below 1 platelets that lie flat, above 1 needles that do.
    """
    squared = cosine**2
    return np.mean((r**2 * squared + (1.0 - squared) / r) ** -1.5, axis=1)


def graininess(multiplicity: NDArray[np.int64], grains: float, rng: np.random.Generator) -> Array:
    """Return ``n`` factors of mean 1 for a specimen of so many grains in the beam."""
    shape = np.maximum(grains * ACCEPTANCE * multiplicity, 1e-3)
    return rng.gamma(shape, 1.0 / shape)
