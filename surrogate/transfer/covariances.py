"""How a target's values at two sets of points hang together, in each of the ways in which it may be like its sources.

Everything is in units of the mixture. What components have in common is computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.matern_gp import Kernel
from surrogate.transfer.components import Component
from surrogate.transfer.sources import PreparedSource

Array = NDArray[np.floating[Any]]


class Covariances:
    """Prior offsets, variances and covariances of components.

    Args:
        sources: Of the mixture.
        left: ``l x d`` points.
        right: ``r x d`` points.
        constant_sd: Standard deviation of the target's constant.
    """

    def __init__(self, sources: Sequence[PreparedSource], left: Array, right: Array, constant_sd: float) -> None:
        self._sources, self._left, self._right, self._constant_sd = sources, left, right, constant_sd
        known = [one.gp.posterior(left) for one in sources]
        self._left_means = np.column_stack([mean for mean, _ in known])
        self._left_variances = np.array([sd**2 for _, sd in known])
        self._right_means = (
            self._left_means if right is left else np.column_stack([one.gp.posterior(right)[0] for one in sources])
        )
        self._kernels: dict[tuple[float, ...], Array] = {}
        self._unknown: dict[tuple[float, ...], Array] = {}

    def offset(self, component: Component) -> Array:
        """Return what the target is expected to be at the left points before it was measured, ``l``."""
        return component.offset(self._left_means)

    def variance(self, component: Component) -> Array:
        """Return the variance at the left points before the target was measured, ``l``."""
        features = component.features(self._left_means, self._constant_sd)
        of_sources = component.shares(len(self._sources)) @ self._left_variances
        return (features**2).sum(axis=1) + component.own_sd**2 + of_sources

    def covariance(self, component: Component) -> Array:
        """Return covariances before the target was measured, ``l x r``."""
        if component.lengths not in self._kernels:
            self._kernels[component.lengths] = Kernel(np.array(component.lengths), 1.0)(self._left, self._right)
        left, right = (component.features(one, self._constant_sd) for one in (self._left_means, self._right_means))
        found = left @ right.T + component.own_sd**2 * self._kernels[component.lengths]
        shares = tuple(component.shares(len(self._sources)))
        return found + self._of_sources(shares) if any(shares) else found

    def _of_sources(self, shares: tuple[float, ...]) -> Array:
        """Return covariances of what sources that are taken do not know themselves, ``l x r``."""
        if shares not in self._unknown:
            taken = [(share, one) for share, one in zip(shares, self._sources, strict=True) if share]
            self._unknown[shares] = sum(
                (share * one.gp.covariance(self._left, self._right) for share, one in taken),
                np.zeros((len(self._left), len(self._right))),
            )
        return self._unknown[shares]
