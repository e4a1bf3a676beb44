"""What lies under the peaks: a polynomial, air, fluorescence, humps of what is amorphous; and a tube that drifts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.materials.powder.scattering import fluorescence
from simulators.materials.powder.settings import Background

Array = NDArray[np.float64]

AIR_AT_DEG = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hump:
    """A broad maximum of an amorphous part, skewed."""

    at_deg: float
    fwhm_deg: float
    skew: float
    """Width above the maximum over that below it."""
    share: float
    """Of the area of all."""

    def values(self, two_theta_deg: Array) -> Array:
        """Return ``n`` values of area `share`: half a Gaussian on each side, with a pedestal as broad again."""
        offset = two_theta_deg - self.at_deg
        below = 2.0 * self.fwhm_deg / (1.0 + self.skew)
        sigma = np.where(offset < 0.0, below, below * self.skew) / 2.354820045
        shape = 0.85 * np.exp(-0.5 * (offset / sigma) ** 2) + 0.15 * np.exp(-0.125 * (offset / sigma) ** 2)
        return self.share * shape * 2.354820045 / (self.fwhm_deg * 1.15 * math.sqrt(2.0 * math.pi))


def draw_humps(rng: np.random.Generator) -> tuple[Hump, ...]:
    """Return one to three humps, the first the strongest."""
    n = int(rng.integers(1, 4))
    first_deg, shares = rng.uniform(18.0, 34.0), 0.4 ** np.arange(n)
    places = [first_deg, first_deg + rng.uniform(14.0, 24.0), first_deg * 0.62]
    return tuple(
        Hump(
            at_deg=float(place),
            fwhm_deg=float(rng.uniform(5.0, 12.0)),
            skew=float(rng.uniform(0.7, 1.8)),
            share=float(share),
        )
        for place, share in zip(places, shares / shares.sum(), strict=False)
    )


def amorphous(two_theta_deg: Array, humps: tuple[Hump, ...]) -> Array:
    """Return ``n`` values of all humps together, of unit area."""
    return np.sum([hump.values(two_theta_deg) for hump in humps], axis=0)


def smooth(
    two_theta_deg: Array, background: Background, mass_fractions: dict[str, float], rng: np.random.Generator
) -> Array:
    """Return the background of ``n`` angles over the strongest peak, humps left out."""
    level = float(rng.uniform(*background.level)) * fluorescence(
        mass_fractions, float(rng.uniform(*background.fluorescence))
    )
    air = float(rng.uniform(*background.air))
    falling = (AIR_AT_DEG / two_theta_deg) ** 2 * np.exp(-(two_theta_deg - AIR_AT_DEG) / 15.0)
    return level * (_polynomial(two_theta_deg, background, rng) + air * falling)


def drift(two_theta_deg: Array, largest: float, rng: np.random.Generator) -> Array:
    """Return ``n`` factors of a tube that drifts and swings during a scan, 1 in the mean of draws."""
    time = np.linspace(0.0, 1.0, len(two_theta_deg))
    swing = 0.4 * np.sin(2.0 * math.pi * (rng.uniform(0.5, 3.0) * time + rng.uniform()))
    return 1.0 + largest * (0.6 * rng.uniform(-1.0, 1.0) * (2.0 * time - 1.0) + rng.uniform() * swing)


def attenuated(crystalline: Array, largest_error: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return the attenuation of ``n`` points, switched in about strong peaks, and the error of its correction.

    Both are factors; counts within are fewer by the first, and are multiplied back with the second on top.
    """
    is_in = crystalline > rng.uniform(0.3, 0.7) * crystalline.max()
    spread = max(1, len(crystalline) // 100)
    is_in = np.convolve(is_in, np.ones(2 * spread + 1), mode="same") > 0.0
    factor = 10.0
    return np.where(is_in, factor, 1.0), np.where(is_in, 1.0 + largest_error * rng.uniform(-1.0, 1.0), 1.0)


def _polynomial(two_theta_deg: Array, background: Background, rng: np.random.Generator) -> Array:
    low, high = two_theta_deg[0], two_theta_deg[-1]
    place = 2.0 * (two_theta_deg - low) / max(high - low, 1e-9) - 1.0
    weights = rng.normal(size=background.degree) / np.arange(1, background.degree + 1)
    weights *= background.ripple / max(1e-9, float(np.abs(weights).sum()))
    return np.polynomial.chebyshev.chebval(place, np.concatenate([[1.0], weights]))
