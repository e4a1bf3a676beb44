"""Scales on which a target is modelled.

Yields, rates and counts often span decades, with noise in proportion above a floor. On the scale of asinh(y / c), which
is linear below c and logarithmic above, such data have even noise and additive effects; negative readings do no harm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(20)

_MOST_BENT, _MOST_SIZE = 300.0, 1e290
"""Beyond these, far beyond any data, what is foretold stays where it is: it would overflow."""
_LEAST_SIZE = 1e-280
"""Data below it count as zeros: dividing by their spread would overflow."""


@dataclass(frozen=True, slots=True)
class TargetScale:
    """`z = (asinh((y - origin) / unit / knee) - shift) / spread`, or without asinh where knee is None.

    `origin` and `unit`, of either sign, are for data that resemble others but for an offset and a factor.
    """

    knee: float | None
    shift: float
    spread: float
    origin: float = 0.0
    unit: float = 1.0

    @classmethod
    def of(cls, y: np.ndarray, knee: float | None, *, origin: float = 0.0, unit: float = 1.0) -> TargetScale:
        """Standardise the data on a scale; constant data have the spread of their size, and zeros that of 1."""
        y = (y - origin) / unit
        bent = y if knee is None else np.arcsinh(y / knee)
        size = float(np.max(np.abs(bent)))
        size = size if size > _LEAST_SIZE else 1.0
        relative = bent / size  # squares of huge data would overflow, and of tiny ones vanish
        spread = float(np.std(relative))
        shift, spread = size * float(np.mean(relative)), size * (spread if spread > 1e-12 else 1.0)
        return cls(knee, shift, spread, origin, unit)

    def forward(self, y: np.ndarray) -> np.ndarray:
        """Return y on this scale."""
        y = (y - self.origin) / self.unit
        bent = y if self.knee is None else np.arcsinh(y / self.knee)
        return (bent - self.shift) / self.spread

    def inverse(self, z: np.ndarray) -> np.ndarray:
        """Return y for values on this scale."""
        bent = self.shift + self.spread * z
        if self.knee is None:
            return self.origin + self.unit * bent
        most = min(_MOST_BENT, float(np.log(_MOST_SIZE) - np.log(self.knee)))
        return self.origin + self.unit * (self.knee * np.sinh(np.clip(bent, -most, most)))

    def slope(self, y: np.ndarray) -> np.ndarray:
        """Return dz/dy."""
        y = (y - self.origin) / self.unit
        steepness = np.ones_like(y) if self.knee is None else 1.0 / np.hypot(y, self.knee)
        return steepness / self.spread / self.unit

    @property
    def typical(self) -> float:
        """What one unit of this scale is worth in y, around the centre of the data."""
        return 1.0 / float(self.slope(self.inverse(np.zeros(1)))[0])

    def moments(self, mean: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of y, given those of a normal z (Gauss-Hermite quadrature)."""
        if self.knee is None:
            return self.inverse(mean), abs(self.unit) * self.spread * sd
        values = self.inverse(mean[:, None] + sd[:, None] * _NODES)
        weights = _WEIGHTS / _WEIGHTS.sum()
        centre = values @ weights
        size = self.knee * abs(self.unit)
        off = (values - centre[:, None]) / size  # squares of huge values would overflow
        return centre, size * np.sqrt(np.maximum(off**2 @ weights, 0.0))


def knees_to_try(y: np.ndarray) -> list[float | None]:
    """Return the scales worth comparing: bent ones only for skewed data of one sign."""
    most = float(np.max(np.abs(y), initial=0.0))
    one_sign = min(-float(np.quantile(y, 0.05)), float(np.quantile(y, 0.95))) <= 0.05 * most if len(y) else False
    if len(y) < 8 or not one_sign or abs(_skewness(y)) < 0.5:
        return [None]
    return [None, 0.1 * most, 0.02 * most]


def _skewness(y: np.ndarray) -> float:
    size = max(float(np.max(np.abs(y))), _LEAST_SIZE)
    centred = y / size - (y / size).mean()
    return float(np.mean(centred**3) / max(np.mean(centred**2), 1e-24) ** 1.5)
