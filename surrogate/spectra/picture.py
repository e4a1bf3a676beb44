"""Pictures of stripes as colour along x."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

MIN_COLUMNS = 32
MIN_RANGE = 3.0
"""A picture whose colours span less than this, of 255, shows nothing."""


def column_profile(pixels: NDArray, pixel_um: float) -> Array | None:
    """Return the ``w x 3`` mean colour of each column, or None where the array is no usable picture.

    Args:
        pixels: ``h x w x 3``, RGB, columns along x; rows along the stripe.
        pixel_um: width of a pixel.
    """
    pixels = np.asarray(pixels)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.shape[0] < 1 or pixels.shape[1] < MIN_COLUMNS:
        return None
    if not (np.isfinite(pixel_um) and pixel_um > 0 and np.isfinite(pixels).all()):
        return None
    rows = np.sort(pixels.astype(float), axis=0)
    cut = len(rows) // 4
    # a trimmed mean: as deaf to specks as a median, and finer than the steps of the converter
    profile = rows[cut : len(rows) - cut].mean(axis=0)
    return profile if profile.max() - profile.min() >= MIN_RANGE else None


def column_positions(n: int, pixel_um: float) -> Array:
    """Return ``n`` column positions in mm; the nominal centre of the stripe is the middle of the picture."""
    return 1e-3 * pixel_um * (np.arange(n) - 0.5 * (n - 1))
