"""A property that is smooth within regions and may jump between them.

One Gaussian process over place and region: the kernel falls with the distance, and by a fixed factor from one region to
another, so that what was measured in one region says less, but not nothing, of the next. How far it reaches, how large
the jumps are and how large the noise is, some measurements cannot tell; predictions are averaged over a grid of these,
weighted by evidence, and no optimum of it is believed (Rasmussen and Williams, Gaussian Processes for Machine Learning
(2006), section 5.2). The variance has an inverse gamma prior and is integrated out up to its mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.linalg import solve_triangular

from planner.transforms import TargetScale
from surrogate.gp import factor
from surrogate.matern_gp import GP, Kernel

_LENGTHS = (0.12, 0.2, 0.35, 0.6)
"""In units of the coordinates."""
_JUMPS = (0.0, 0.8, 2.0)
"""How far apart regions are, in lengths: the correlation across a boundary is 1, 0.79 or 0.25."""
_NOISES = (1e-3, 1e-2, 6e-2)
"""Variance of an unknown noise, as a fraction of that of the property."""
_SHAPE, _RATE = 2.0, 2.0
"""Of the inverse gamma prior of the variance of standardised values."""
_LEAST_NOISE = 1e-6
_LEAST_WEIGHT = 1e-3


@dataclass(frozen=True)
class RegionGP:
    """The property, given what was measured."""

    scale: TargetScale
    n_regions: int
    members: tuple[tuple[float, float, GP], ...]
    """Weight, jump, and the process on the standardised scale."""

    def predict(self, points: np.ndarray, regions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`m` each) of the noiseless property, in its unit.

        Args:
            points: `m x d`
            regions: Number of the region that each point is taken to be in, `m`.
        """
        first, second = np.zeros(len(points)), np.zeros(len(points))
        for weight, jump, gp in self.members:
            mean, sd = gp.posterior(_with_region(points, regions, self.n_regions, jump))
            first += weight * mean
            second += weight * (sd**2 + mean**2)
        return self.scale.moments(first, np.sqrt(np.maximum(second - first**2, 1e-16)))

    def with_pending(self, points: np.ndarray, regions: np.ndarray) -> RegionGP:
        """Return the process as if points (`m x d`) in regions (`m`) had shown what is expected of them."""
        members = tuple(
            (weight, jump, gp.with_pending(_with_region(points, regions, self.n_regions, jump)))
            for weight, jump, gp in self.members
        )
        return RegionGP(self.scale, self.n_regions, members)

    @property
    def noise_sd(self) -> float:
        """Standard deviation of a typical measurement, in the property's unit."""
        typical = sum(weight * float(np.median(gp.noise)) for weight, _, gp in self.members)
        return self.scale.typical * typical**0.5


def fit_region_gp(
    points: np.ndarray, regions: np.ndarray, values: np.ndarray, noise: np.ndarray | None, *, n_regions: int
) -> RegionGP:
    """Fit the property.

    Args:
        points: Where it was measured, `n x d`.
        regions: Number of the region that each point is in, `n`, below `n_regions`.
        values: `n`, at least one.
        noise: Standard deviation of each, `n`; None where it is unknown.
        n_regions: How many regions there may be.
    """
    scale = TargetScale.of(values, None)
    z = scale.forward(values)
    known = None if noise is None else (noise * scale.slope(values)) ** 2
    found: list[tuple[float, float, GP]] = []
    for length, jump in product(_LENGTHS, _JUMPS):
        coded = _with_region(points, regions, n_regions, jump)
        lengths = np.concatenate([np.full(points.shape[1], length), np.ones(n_regions)])
        for noise_of in _NOISES if known is None else (known,):
            found.append(_member(Kernel(lengths, 1.0), coded, z, noise_of, jump))
    logs = np.array([log_evidence for log_evidence, _, _ in found])
    weights = np.exp(logs - logs.max())
    weights = np.where(weights < _LEAST_WEIGHT * weights.sum(), 0.0, weights)
    weights /= weights.sum()
    members = tuple((float(w), jump, gp) for w, (_, jump, gp) in zip(weights, found, strict=True) if w > 0)
    return RegionGP(scale, n_regions, members)


def _member(
    kernel: Kernel, coded: np.ndarray, z: np.ndarray, noise: np.ndarray | float, jump: float
) -> tuple[float, float, GP]:
    """Return log evidence, jump, and the process with the variance that the values ask for.

    Args:
        kernel: Of variance one.
        coded: `n x d`
        z: Standardised values, `n`.
        noise: Variance of each, `n`; or one fraction of the variance that is found.
        jump: As `coded` has it.
    """
    n = len(z)
    ratio = np.full(n, noise) if isinstance(noise, float) else np.maximum(noise, _LEAST_NOISE)
    lower = factor(kernel(coded, coded) + np.diag(ratio))
    whitened = solve_triangular(lower, z, lower=True)
    shape, rate = _SHAPE + 0.5 * n, _RATE + 0.5 * float(whitened @ whitened)
    log_evidence = -float(np.sum(np.log(np.diag(lower)))) - shape * float(np.log(rate))
    variance = rate / shape
    found = variance * ratio if isinstance(noise, float) else ratio
    return log_evidence, jump, GP(kernel=Kernel(kernel.lengths, variance), mean=0.0, X=coded, y=z, noise=found)


def _with_region(points: np.ndarray, regions: np.ndarray, n_regions: int, jump: float) -> np.ndarray:
    """Return points with a column for each region: two regions lie `jump` apart."""
    return np.hstack([points, jump / 2.0**0.5 * np.eye(n_regions)[regions]])
