"""How an adaptive scan ranks places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanUncertainty:
    """What is uncertain along a stripe, given what was measured; ``q`` places."""

    covariance: Array
    """``q x q``, posterior covariance of f."""
    slope_covariance: Array
    """``q x q``, posterior covariance of f'(x_j) (rows) and f(x_i) (columns)."""
    noise_variance: float
    """Of one more measurement."""


def acquisition(policy: str, uncertain: ScanUncertainty) -> Array:
    """Return ``q`` scores, larger is better; each variance that a measurement at x_i removes, summed over the stripe.

    integrated_gradient: sum_j cov(f'(x_j), f(x_i))^2 / (var f(x_i) + noise).
    integrated_variance: sum_j cov(f(x_j), f(x_i))^2 / (var f(x_i) + noise).
    uncertainty: var f(x_i), which removes none but its own.
    """
    variance = np.maximum(np.diag(uncertain.covariance), 0.0)
    if policy == "uncertainty":
        return variance
    removed = uncertain.slope_covariance if policy == "integrated_gradient" else uncertain.covariance
    return np.sum(removed**2, axis=0) / (variance + uncertain.noise_variance)


def fixed_order(policy: str, points: int, n: int, rng: np.random.Generator) -> Sequence[int] | None:
    """Return the order in which a policy that does not look visits ``n`` places, or None for those that look."""
    if policy == "random":
        return rng.permutation(n).tolist()
    if policy == "grid":
        return list(_first_seen(np.rint(np.linspace(0, n - 1, points)).astype(int), n))
    if policy == "sobol":
        draws = qmc.Sobol(1, rng=rng).random_base2(int(np.ceil(np.log2(n))) + 1)[:, 0]
        return list(_first_seen((draws * n).astype(int), n))
    return None


def _first_seen(wanted: Array, n: int) -> Iterator[int]:
    """Yield each place once, in the order wanted, then those that nobody wanted."""
    yield from dict.fromkeys([*(int(index) for index in wanted), *range(n)])
