"""One Gaussian process of a function that can be measured at several fidelities: in full, fast, or simulated.

Each level is a factor times one cheaper level, plus a process of its own (Kennedy and O'Hagan, Biometrika 87, 1 (2000),
doi 10.1093/biomet/87.1.1, eq. 1), or a process of its own alone:

    f_l(x) = m_l + rho_l (f_p(x) - m_p) + delta_l(x)

so that any set of points at any levels is jointly normal, and the target learns from what is cheap whether or not the
same points were measured. A factor of 0 leaves the target to itself, exactly.

Values of all levels are kept on one scale, on which each level has the target's mean and prior variance: the joint
covariance is then the target's variance times a correlation, and whoever works with a process of one level
(`surrogate.matern_gp`) can work with this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from surrogate.matern_gp import GP, Kernel


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What one level is made of, on a scale of its own.

    Attributes:
        kernel: Of the process that it has for itself.
        mean: `m_l`.
        noise: Variance of each of its values, `n`.
        parent: The cheaper level that it takes from; None where it takes from none.
        factor: `rho_l`, of either sign; 0 where it takes from none.
    """

    kernel: Kernel
    mean: float
    noise: np.ndarray
    parent: int | None = None
    factor: float = 0.0


@dataclass(frozen=True)
class FidelityKernel(Kernel):
    """Covariance of points at levels; the columns from `start` on say which level a point is at, one column each.

    `scale` is the prior variance of every level, `lengths` are those of the target's own process.
    """

    parts: tuple[Kernel, ...]
    """Of each level's own process, of variance 1."""
    shares: np.ndarray
    """What each level (row) takes from each own process (column), `levels x levels`; squares of a row add up to 1."""
    start: int

    def levels(self, points: np.ndarray) -> np.ndarray:
        """Return the level of each point (`n x d`), `n`."""
        return np.argmax(points[:, self.start : self.start + len(self.parts)], axis=1)

    def inner(self, points: np.ndarray) -> np.ndarray:
        """Return points without their level, `n x (d - levels)`."""
        return np.hstack([points[:, : self.start], points[:, self.start + len(self.parts) :]])

    def __call__(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return covariances (`n x m`) between points (`n x d`, `m x d`)."""
        a, b = self.shares[self.levels(left)], self.shares[self.levels(right)]
        x, z = self.inner(left), self.inner(right)
        found = np.zeros((len(left), len(right)))
        for own, kernel in enumerate(self.parts):
            rows, columns = np.flatnonzero(a[:, own]), np.flatnonzero(b[:, own])
            if len(rows) and len(columns):
                part = kernel(x[rows], z[columns])
                part *= self.scale * a[rows, own][:, None]
                part *= b[columns, own]
                found[np.ix_(rows, columns)] += part
        return found


@dataclass(frozen=True)
class FidelityGP(GP):
    """A process over points and levels, conditioned on data.

    All values are on the target's scale; `offsets` and `spreads` lead back to that of a level.
    """

    kernel: FidelityKernel
    target: int = 0
    offsets: np.ndarray = field(default_factory=lambda: np.zeros(1))
    """Mean of each level on its own scale, `levels`."""
    spreads: np.ndarray = field(default_factory=lambda: np.ones(1))
    """Standard deviations on a level's own scale that are one on the target's, `levels`."""

    def noise_at(self, points: np.ndarray) -> np.ndarray:
        """Return the variance of one more measurement at each of points (`m x d`), `m`: that of its level."""
        return self.noise_of_levels[self.kernel.levels(points)]

    @property
    def fitted_to(self) -> tuple[int, int]:
        """Number of values and of columns of the levels that the target is made of."""
        taken = np.flatnonzero(self.kernel.shares[self.target])
        n = int(np.isin(self.kernel.levels(self.X), taken).sum())
        return max(n, 1), len(taken) * (self.X.shape[1] - len(self.kernel.parts))

    @property
    def noise_of_levels(self) -> np.ndarray:
        """Variance of one more measurement at each level, `levels`; of all, where a level has none."""
        there = self.kernel.levels(self.X)
        usual = float(np.median(self.noise))
        return np.array(
            [
                float(np.median(self.noise[there == level])) if (there == level).any() else usual
                for level in range(len(self.kernel.parts))
            ]
        )

    @property
    def typical_noise(self) -> float:
        """Variance of one more measurement at the target."""
        return float(self.noise_of_levels[self.target])

    def at(self, points: np.ndarray, level: int) -> np.ndarray:
        """Return points (`n x d`) as they are at a level."""
        moved, start = points.copy(), self.kernel.start
        moved[:, start : start + len(self.kernel.parts)] = 0.0
        moved[:, start + level] = 1.0
        return moved

    def told(self, points: np.ndarray, level: int) -> np.ndarray:
        """Return which share (`n`) of the variance at the target a measurement at a level would take away there."""
        here, there = self.at(points, self.target), self.at(points, level)
        shared = np.array([self.covariance(a[None], b[None])[0, 0] for a, b in zip(here, there, strict=True)])
        variance = self.posterior(there)[1] ** 2 + self.noise_at(there)
        return np.clip(shared**2 / variance / self.posterior(here)[1] ** 2, 0.0, 1.0)


def joined(
    layers: Sequence[Layer],
    codes: np.ndarray,
    values: Sequence[np.ndarray],
    *,
    start: int,
    target: int,
    levels: np.ndarray,
) -> FidelityGP:
    """Return the joint process of layers.

    Args:
        layers: One for each level, in any order.
        codes: Where was measured, `n x d`.
        values: Of each level, on its own scale, in the order of its codes.
        start: The first of the columns that say the level.
        target: The level that counts.
        levels: Of each of the codes, `n`.
    """
    shares = np.zeros((len(layers), len(layers)))
    for level in range(len(layers)):
        shares[level] = _taken(layers, level)
    variances = np.array([layer.kernel.scale for layer in layers])
    prior = (shares**2) @ variances
    weighted = shares * np.sqrt(variances) / np.sqrt(prior)[:, None]
    own = layers[target]
    spreads = np.sqrt(prior / prior[target])
    y, noise = np.empty(len(codes)), np.empty(len(codes))
    for level, layer in enumerate(layers):
        there = levels == level
        if not there.any():
            continue
        y[there] = own.mean + (values[level] - layer.mean) / spreads[level]
        noise[there] = layer.noise / spreads[level] ** 2
    kernel = FidelityKernel(
        lengths=own.kernel.lengths,
        scale=float(prior[target]),
        parts=tuple(Kernel(layer.kernel.lengths, 1.0) for layer in layers),
        shares=weighted,
        start=start,
    )
    return FidelityGP(
        kernel=kernel,
        mean=own.mean,
        X=codes,
        y=y,
        noise=noise,
        target=target,
        offsets=np.array([layer.mean for layer in layers]),
        spreads=spreads,
    )


def _taken(layers: Sequence[Layer], level: int) -> np.ndarray:
    """Return what a level takes from each own process, `levels`."""
    found, factor = np.zeros(len(layers)), 1.0
    here: int | None = level
    while here is not None:
        found[here] = factor
        factor *= layers[here].factor
        here = layers[here].parent if factor else None
    return found
