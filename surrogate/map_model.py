"""The map of a gradient over processing conditions: SARA's outer Gaussian process.

Kernel oSARA (Ament et al., Sci. Adv. 7, eabg4930 (2021)): Matern-5/2 over (temperature / l_T, log10 dwell / l_L), with
known noise per point. Three things are added. Gradients are positive and span two decades, so the process describes
v = log(1 + g / g0), where noise and signal are both of even size; predictions are moments of g. Transitions shift with
dwell along slanted lines, so the kernel may lean (a shear). And the temperature scale of a whole wafer is uncertain,
which no number of stripes on that wafer can average away: it widens predictions by the slope of the map.

Hyperparameters are those of greatest posterior density, with priors that keep few data from saying too much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_solve, solve_triangular

from surrogate.gp import factor, log_evidence, maximise
from surrogate.kernels import ProcessingKernel

Array = NDArray[np.floating[Any]]

_OFFSET_VARIANCE = 4.0
"""Of the map's constant part, in the square of v."""
_MAX_FITTED = 224
"""Hyperparameters are chosen from at most so many points, spread evenly over the data; predictions use all."""
_MAX_EVALUATIONS = 25
_BOUNDS = ((12.0, 80.0), (0.1, 2.5), (-250.0, 150.0), (0.05, 50.0), (0.005, 1.0))
_CENTRES = np.array([np.log(30.0), np.log(0.6), -70.0, np.log(1.0), np.log(0.05)])
_SPREADS = np.array([0.35, 0.5, 35.0, 1.0, 1.0])


class Hyperparameters(NamedTuple):
    """What shapes a map: lengths in degC and decades, slant in degC per decade, variance and extra noise of v."""

    temperature_c: float = 30.0
    decades: float = 0.6
    slant: float = -70.0
    variance: float = 1.0
    extra_sd: float = 0.05

    def kernel(self) -> ProcessingKernel:
        """Return the covariance function of v over rows (temperature, log10 dwell)."""
        return ProcessingKernel(lengths=(self.temperature_c, self.decades), variance=self.variance, shear=(self.slant,))

    def packed(self) -> Array:
        """Return the five numbers as the search sees them: logarithms, but for the slant."""
        return np.array([np.log(self.temperature_c), np.log(self.decades), self.slant, *np.log(self[3:])])

    @classmethod
    def unpacked(cls, point: Array) -> Hyperparameters:
        """Return what `packed` packed."""
        lengths, rest = np.exp(point[:2]), np.exp(point[3:])
        return cls(float(lengths[0]), float(lengths[1]), float(point[2]), float(rest[0]), float(rest[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientMap:
    """A map fitted to gradients; immutable."""

    hyperparameters: Hyperparameters
    scale: float
    """g0, in the unit of g."""
    calibration_c: float
    z: Array
    """``n x 2`` conditions (temperature in degC, log10 dwell)."""
    v: Array
    """``n`` transformed values."""
    noise: Array
    """``n`` noise variances of v, extra noise included."""
    cholesky: Array
    weights: Array

    @classmethod
    def fit(
        cls,
        temperature_c: ArrayLike,
        log10_dwell: ArrayLike,
        gradient: ArrayLike,
        sd: ArrayLike,
        *,
        calibration_c: float = 8.0,
        hyperparameters: Hyperparameters | None = None,
    ) -> GradientMap:
        """Fit a map to ``n`` gradients with standard deviations.

        Args:
            temperature_c: ``n``.
            log10_dwell: ``n``, of the dwell in us.
            gradient: ``n``, not negative but for noise.
            sd: ``n``, positive.
            calibration_c: standard deviation of the temperature scale that all points share.
            hyperparameters: to use as they are; None: fit them.

        Raises:
            ValueError: Lengths differ, there is no point, or a number is not finite.
        """
        z = np.stack([np.asarray(temperature_c, dtype=float), np.asarray(log10_dwell, dtype=float)], axis=1)
        g, spread = np.asarray(gradient, dtype=float), np.asarray(sd, dtype=float)
        if not len(z) == len(g) == len(spread) or not len(g):
            raise ValueError(
                f"a map needs as many gradients ({len(g)}) and sds ({len(spread)}) as conditions ({len(z)})"
            )
        if not (np.isfinite(z).all() and np.isfinite(g).all() and np.isfinite(spread).all() and (spread > 0).all()):
            raise ValueError("a map takes finite gradients with positive standard deviations only")
        g = np.maximum(g, 0.0)
        scale = max(0.05 * float(np.quantile(g, 0.95)), float(np.median(spread)))
        v, noise = np.log1p(g / scale), (spread / (g + scale)) ** 2
        chosen = hyperparameters or _fitted(z, v, noise)
        return _conditioned(chosen, scale, calibration_c, z, v, noise + chosen.extra_sd**2)

    def latent(self, temperature_c: ArrayLike, log10_dwell: ArrayLike) -> tuple[Array, Array]:
        """Return mean and variance (``q`` each) of v, without the uncertainty of the temperature scale."""
        z = _rows(temperature_c, log10_dwell)
        cross = self._cross(z)
        half = solve_triangular(self.cholesky, cross.T, lower=True, check_finite=False)
        prior = self.hyperparameters.variance + _OFFSET_VARIANCE
        return cross @ self.weights, np.maximum(prior - np.sum(half * half, axis=0), 1e-12)

    def predict(self, temperature_c: ArrayLike, log10_dwell: ArrayLike) -> tuple[Array, Array]:
        """Return mean and standard deviation (``q`` each) of the noiseless gradient, in its unit."""
        mean, variance = self.latent(temperature_c, log10_dwell)
        slope = self.hyperparameters.kernel().slope(_rows(temperature_c, log10_dwell), self.z) @ self.weights
        return self._moments(mean, variance + (slope * self.calibration_c) ** 2)

    def latent_covariance(self, a: Array, b: Array) -> Array:
        """Return the ``q x r`` posterior covariance of v between conditions (``q x 2``, ``r x 2``)."""
        left, right = (
            solve_triangular(self.cholesky, self._cross(z).T, lower=True, check_finite=False) for z in (a, b)
        )
        return self.hyperparameters.kernel().value(a, b) + _OFFSET_VARIANCE - left.T @ right

    def with_fantasies(self, temperature_c: ArrayLike, log10_dwell: ArrayLike) -> GradientMap:
        """Return the map as if conditions had been measured and had given what it predicts, with typical noise."""
        z = _rows(temperature_c, log10_dwell)
        mean, _ = self.latent(temperature_c, log10_dwell)
        noise = np.append(self.noise, np.full(len(z), np.median(self.noise)))
        z, v = np.concatenate([self.z, z]), np.append(self.v, mean)
        return _conditioned(self.hyperparameters, self.scale, self.calibration_c, z, v, noise)

    def _cross(self, z: Array) -> Array:
        return self.hyperparameters.kernel().value(z, self.z) + _OFFSET_VARIANCE

    def _moments(self, mean: Array, variance: Array) -> tuple[Array, Array]:
        """Return the moments of g for normal v, whose 1 + g / g0 is log-normal."""
        level = np.exp(mean + 0.5 * variance)
        return np.maximum(self.scale * (level - 1.0), 0.0), self.scale * level * np.sqrt(np.expm1(variance))


def _rows(temperature_c: ArrayLike, log10_dwell: ArrayLike) -> Array:
    temperature, dwell = np.broadcast_arrays(
        np.asarray(temperature_c, dtype=float), np.asarray(log10_dwell, dtype=float)
    )
    return np.stack([temperature.ravel(), dwell.ravel()], axis=1)


def _conditioned(
    chosen: Hyperparameters, scale: float, calibration_c: float, z: Array, v: Array, noise: Array
) -> GradientMap:
    lower = factor(chosen.kernel().value(z, z) + _OFFSET_VARIANCE + np.diag(noise))
    return GradientMap(
        hyperparameters=chosen,
        scale=scale,
        calibration_c=calibration_c,
        z=z,
        v=v,
        noise=noise,
        cholesky=lower,
        weights=cho_solve((lower, True), v, check_finite=False),
    )


def _fitted(z: Array, v: Array, noise: Array) -> Hyperparameters:
    """Return the hyperparameters of greatest posterior density."""
    if len(v) > _MAX_FITTED:
        some = np.unique(np.linspace(0, len(v) - 1, _MAX_FITTED).round().astype(int))
        z, v, noise = z[some], v[some], noise[some]
    density = _Density(z, v, noise)
    low, high = np.array(_BOUNDS).T
    bounds = list(zip(*(Hyperparameters(*ends).packed() for ends in (low, high)), strict=True))
    start = np.clip(_CENTRES, *np.array(bounds).T)
    return Hyperparameters.unpacked(maximise(density, start, bounds, max_evaluations=_MAX_EVALUATIONS))


class _Density:
    """Log posterior density of packed hyperparameters, with its gradient."""

    def __init__(self, z: Array, v: Array, noise: Array) -> None:
        self._v, self._noise = v, noise
        self._dt = np.subtract.outer(z[:, 0], z[:, 0])
        self._dl = np.subtract.outer(z[:, 1], z[:, 1])

    def __call__(self, point: Array) -> tuple[float, Array]:
        h = Hyperparameters.unpacked(point)
        u, w = (self._dt - h.slant * self._dl) / h.temperature_c, self._dl / h.decades
        s = np.sqrt(5.0 * (u * u + w * w))
        decay = np.exp(-s)
        matern = h.variance * (1.0 + s + s * s / 3.0) * decay
        bend = h.variance * (5.0 / 3.0) * (1.0 + s) * decay
        noise = np.diag(self._noise + h.extra_sd**2)
        slopes = [
            bend * u * u,
            bend * w * w,
            bend * u * self._dl / h.temperature_c,
            matern,
            2.0 * h.extra_sd**2 * np.eye(len(self._v)),
        ]
        value, gradient = log_evidence(matern + _OFFSET_VARIANCE + noise, slopes, self._v)
        strain = (point - _CENTRES) / _SPREADS
        return value - 0.5 * float(strain @ strain), gradient - strain / _SPREADS
