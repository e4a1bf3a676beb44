"""Covariance functions with the derivatives that gradient maps need.

One-dimensional kernels (positions on a stripe) know their first and mixed derivatives, so that the posterior of f' is
exact. The iSARA kernel is eq. (3) of Ament et al., Sci. Adv. 7, eabg4930 (2021): a Matern-5/2 that is mirrored about
the stripe's centre and rescaled by what the microscope saw, plus a line that takes up tilted illumination. The oSARA
kernel over processing conditions is a Matern-5/2 with one length scale per axis, here with an optional shear: optical
transitions lie along slanted lines in (temperature, log dwell), and a kernel that leans with them sees further.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

_SQRT5 = float(np.sqrt(5.0))


def matern52(difference: Array, length: float) -> Array:
    """Return M(d) = (1 + s + s^2/3) exp(-s), s = sqrt(5) |d| / length, for signed differences of any shape."""
    s = _SQRT5 * np.abs(difference) / length
    return (1.0 + s + s * s / 3.0) * np.exp(-s)


def matern52_slope(difference: Array, length: float) -> Array:
    """Return dM/dd at signed differences."""
    s = _SQRT5 * np.abs(difference) / length
    return -(5.0 / 3.0) * difference / length**2 * (1.0 + s) * np.exp(-s)


def matern52_curvature(difference: Array, length: float) -> Array:
    """Return d2M/dd2 at signed differences."""
    s = _SQRT5 * np.abs(difference) / length
    return -(5.0 / 3.0) / length**2 * (1.0 + s - s * s) * np.exp(-s)


def squared_exponential(difference: Array, length: float | Array) -> Array:
    """Return exp(-d^2 / (2 length^2)) for signed differences of any shape; SARA's EQ kernel."""
    return np.exp(-0.5 * np.square(difference / length))


class Kernel1D(Protocol):
    """A covariance function of one variable whose sample paths can be differentiated once.

    All three methods take positions of shape ``n`` and ``m`` and return ``n x m``.
    """

    def value(self, a: Array, b: Array) -> Array:
        """Return cov(f(a), f(b))."""
        ...

    def slope(self, a: Array, b: Array) -> Array:
        """Return cov(f'(a), f(b))."""
        ...

    def both_slopes(self, a: Array, b: Array) -> Array:
        """Return cov(f'(a), f'(b))."""
        ...


class Rescale(Protocol):
    """A positive amplitude r(x) with its derivative, both for positions of shape ``n``."""

    def value(self, x: Array) -> Array:
        """Return r(x)."""
        ...

    def slope(self, x: Array) -> Array:
        """Return dr/dx."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Matern52:
    """The stationary Matern-5/2 kernel, variance times M(a - b)."""

    length: float
    variance: float = 1.0

    def value(self, a: Array, b: Array) -> Array:
        """Return cov(f(a), f(b))."""
        return self.variance * matern52(np.subtract.outer(a, b), self.length)

    def slope(self, a: Array, b: Array) -> Array:
        """Return cov(f'(a), f(b))."""
        return self.variance * matern52_slope(np.subtract.outer(a, b), self.length)

    def both_slopes(self, a: Array, b: Array) -> Array:
        """Return cov(f'(a), f'(b))."""
        return -self.variance * matern52_curvature(np.subtract.outer(a, b), self.length)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrored:
    """A Matern-5/2 whose sample paths are even functions: variance times (M(a - b) + M(a + b)) / 2."""

    length: float
    variance: float = 1.0

    def value(self, a: Array, b: Array) -> Array:
        """Return cov(f(a), f(b))."""
        near, far = np.subtract.outer(a, b), np.add.outer(a, b)
        return 0.5 * self.variance * (matern52(near, self.length) + matern52(far, self.length))

    def slope(self, a: Array, b: Array) -> Array:
        """Return cov(f'(a), f(b))."""
        near, far = np.subtract.outer(a, b), np.add.outer(a, b)
        return 0.5 * self.variance * (matern52_slope(near, self.length) + matern52_slope(far, self.length))

    def both_slopes(self, a: Array, b: Array) -> Array:
        """Return cov(f'(a), f'(b))."""
        near, far = np.subtract.outer(a, b), np.add.outer(a, b)
        return 0.5 * self.variance * (matern52_curvature(far, self.length) - matern52_curvature(near, self.length))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Straight lines: offset_variance + tilt_variance a b. The tilt is not mirror-symmetric, as illumination is not."""

    offset_variance: float = 1.0
    tilt_variance: float = 1.0

    def value(self, a: Array, b: Array) -> Array:
        """Return cov(f(a), f(b))."""
        return self.offset_variance + self.tilt_variance * np.multiply.outer(a, b)

    def slope(self, a: Array, b: Array) -> Array:
        """Return cov(f'(a), f(b))."""
        return self.tilt_variance * np.multiply.outer(np.ones_like(a), b)

    def both_slopes(self, a: Array, b: Array) -> Array:
        """Return cov(f'(a), f'(b))."""
        return np.full((len(a), len(b)), self.tilt_variance)


@dataclass(frozen=True, slots=True)
class Rescaled:
    """r(a) k(a, b) r(b): the same function drawn louder where r is large."""

    kernel: Kernel1D
    rescale: Rescale

    def value(self, a: Array, b: Array) -> Array:
        """Return cov(f(a), f(b))."""
        return self.rescale.value(a)[:, None] * self.kernel.value(a, b) * self.rescale.value(b)

    def slope(self, a: Array, b: Array) -> Array:
        """Return cov(f'(a), f(b)) by the product rule."""
        r_a, d_a = self.rescale.value(a)[:, None], self.rescale.slope(a)[:, None]
        return (d_a * self.kernel.value(a, b) + r_a * self.kernel.slope(a, b)) * self.rescale.value(b)

    def both_slopes(self, a: Array, b: Array) -> Array:
        """Return cov(f'(a), f'(b)) by the product rule."""
        r_a, d_a = self.rescale.value(a)[:, None], self.rescale.slope(a)[:, None]
        r_b, d_b = self.rescale.value(b), self.rescale.slope(b)
        left, right = self.kernel.slope(a, b), self.kernel.slope(b, a).T
        outer = r_a * r_b * self.kernel.both_slopes(a, b) + d_a * d_b * self.kernel.value(a, b)
        return outer + r_a * d_b * left + d_a * r_b * right


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum of independent functions."""

    parts: tuple[Kernel1D, ...]

    def value(self, a: Array, b: Array) -> Array:
        """Return cov(f(a), f(b))."""
        return np.sum([part.value(a, b) for part in self.parts], axis=0)

    def slope(self, a: Array, b: Array) -> Array:
        """Return cov(f'(a), f(b))."""
        return np.sum([part.slope(a, b) for part in self.parts], axis=0)

    def both_slopes(self, a: Array, b: Array) -> Array:
        """Return cov(f'(a), f'(b))."""
        return np.sum([part.both_slopes(a, b) for part in self.parts], axis=0)


@dataclass(frozen=True, slots=True)
class Flat:
    """The rescaling that changes nothing: no picture was taken, or none could be used."""

    def value(self, x: Array) -> Array:
        """Return r(x) = 1."""
        return np.ones_like(x)

    def slope(self, x: Array) -> Array:
        """Return dr/dx = 0."""
        return np.zeros_like(x)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bumps:
    """r(x) = floor + sum_i weight_i exp(-(|x - centre_i| / scale_i)^power_i / 2), generalised Gaussians."""

    centres: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    powers: tuple[float, ...]
    floor: float = 0.0

    def value(self, x: Array) -> Array:
        """Return r(x)."""
        return self.floor + np.sum([self._bump(x, i)[0] for i in range(len(self.centres))], axis=0)

    def slope(self, x: Array) -> Array:
        """Return dr/dx."""
        return np.sum([self._bump(x, i)[1] for i in range(len(self.centres))], axis=0)

    def _bump(self, x: Array, i: int) -> tuple[Array, Array]:
        distance, power = (x - self.centres[i]) / self.scales[i], self.powers[i]
        value = self.weights[i] * np.exp(-0.5 * np.abs(distance) ** power)
        steepness = 0.5 * power * np.abs(distance) ** (power - 1.0) * np.sign(distance) / self.scales[i]
        return value, -value * steepness


def isara(length: float, *, variance: float = 1.0, rescale: Rescale | None = None, line: Line | None = None) -> Sum:
    """Return the iSARA kernel r(x) r(x') (M(|x-x'|) + M(|x+x'|)) / 2 + (x x' + 1)."""
    mirrored = Mirrored(length=length, variance=variance)
    return Sum((Rescaled(mirrored, rescale or Flat()), line or Line()))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingKernel:
    """The oSARA kernel over conditions: variance times M(|W z|) with W upper triangular.

    Conditions are rows z of an ``n x d`` array whose column 0 is the sheared axis (temperature):
    W z = ((z_0 - sum_j shear_j z_j) / length_0, z_1 / length_1, ...).
    """

    lengths: tuple[float, ...]
    variance: float = 1.0
    shear: tuple[float, ...] = field(default=())
    """Slope dz_0/dz_j along which the map varies least, for j = 1 .. d-1; empty: none."""

    def transform(self, z: Array) -> Array:
        """Return ``n x d`` scaled coordinates W z, in which the kernel is isotropic."""
        scaled = z / np.asarray(self.lengths)
        if self.shear:
            scaled[:, 0] -= z[:, 1:] @ np.asarray(self.shear) / self.lengths[0]
        return scaled

    def value(self, a: Array, b: Array) -> Array:
        """Return the ``n x m`` covariance of conditions a (``n x d``) and b (``m x d``)."""
        return self.variance * matern52(distances(self.transform(a), self.transform(b)), 1.0)

    def slope(self, a: Array, b: Array) -> Array:
        """Return cov(df/dz_0 (a), f(b)), ``n x m``."""
        u, v = self.transform(a), self.transform(b)
        s = _SQRT5 * distances(u, v)
        offset = np.subtract.outer(u[:, 0], v[:, 0]) / self.lengths[0]
        return -self.variance * (5.0 / 3.0) * offset * (1.0 + s) * np.exp(-s)


def distances(a: Array, b: Array) -> Array:
    """Return ``n x m`` Euclidean distances of rows of a and b."""
    square = np.sum(a * a, axis=1)[:, None] + np.sum(b * b, axis=1) - 2.0 * a @ b.T
    return np.sqrt(np.maximum(square, 0.0))
