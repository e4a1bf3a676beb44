"""Reflectance spectra as coefficients of Legendre polynomials, with the noise that they inherit."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.polynomial.legendre import legvander
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

DEGREE = 16
N_COEFFICIENTS = DEGREE + 1


@lru_cache(maxsize=8)
def _design(n_pixels: int) -> tuple[Array, Array]:
    """Return the ``n x 17`` Legendre matrix over [-1, 1] and its ``17 x n`` pseudo-inverse."""
    design = legvander(np.linspace(-1.0, 1.0, n_pixels), DEGREE)
    return design, np.linalg.pinv(design)


def legendre_features(values: Array, noise_sd: Array, valid: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Fit a degree-16 Legendre series to each spectrum by least squares over its valid pixels.

    Args:
        values: ``m x p`` reflectance; p pixels are spread over [-1, 1].
        noise_sd: ``m x p``, of independent pixel noise.
        valid: ``m x p``; other pixels are left out.

    Returns:
        ``m x 17`` coefficients and their ``m x 17`` variances. Pixels are not weighted by their noise: a weighted fit
        of a truncated series would converge to other coefficients than those of the noiseless spectrum.
    """
    coefficients, variances = np.empty((2, len(values), N_COEFFICIENTS))
    design, inverse = _design(values.shape[1])
    whole = valid.all(axis=1)
    coefficients[whole] = values[whole] @ inverse.T
    variances[whole] = noise_sd[whole] ** 2 @ (inverse**2).T
    for i in np.flatnonzero(~whole):
        # the normal equations of so well conditioned a design lose nothing, and cost a hundredth of a decomposition
        some = design[valid[i]]
        inverse_i = np.linalg.solve(some.T @ some, some.T)
        coefficients[i] = inverse_i @ values[i, valid[i]]
        variances[i] = inverse_i**2 @ noise_sd[i, valid[i]] ** 2
    return coefficients, variances


def evaluate(coefficients: Array, n_pixels: int) -> Array:
    """Return the ``m x p`` spectra of ``m x 17`` coefficients."""
    return coefficients @ _design(n_pixels)[0].T
