"""The map of a gradient over processing conditions: SARA's outer Gaussian process.

Kernel oSARA (Ament et al., Sci. Adv. 7, eabg4930 (2021)): Matern-5/2 over (temperature / l_T, log10 dwell / l_L), with
known noise per point. Three things are added. Gradients are positive and span two decades, so the process describes
v = log(1 + g / g0), where noise and signal are both of even size; predictions are moments of g. Transitions shift with
dwell along slanted lines, so the kernel may lean (a shear); on a composition spread it leans with the fractions of the
elements too, which then are further columns of the conditions, with one length for all of them. And the temperature
scale of a whole wafer is uncertain, which no number of stripes on that wafer can average away: it widens predictions by
the slope of the map.

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
# on a composition spread: length of all fractions, and for each of them how far transitions shift over its range
_FRACTION_BOUNDS, _TILT_BOUNDS = (0.02, 3.0), (-800.0, 800.0)
_FRACTION_PRIOR, _TILT_PRIOR = (float(np.log(0.3)), 0.7), (0.0, 150.0)
_EVALUATIONS_PER_ELEMENT = 10


class Hyperparameters(NamedTuple):
    """What shapes a map: lengths in degC and decades, slant in degC per decade, variance and extra noise of v.

    On a composition spread also the length in fractions, and a tilt for each element, in degC over its whole range.
    """

    temperature_c: float = 30.0
    decades: float = 0.6
    slant: float = -70.0
    variance: float = 1.0
    extra_sd: float = 0.05
    fraction: float = 0.3
    tilts: tuple[float, ...] = ()

    def kernel(self) -> ProcessingKernel:
        """Return the covariance function of v over rows (temperature, log10 dwell, fractions)."""
        lengths = (self.temperature_c, self.decades, *[self.fraction] * len(self.tilts))
        return ProcessingKernel(lengths=lengths, variance=self.variance, shear=(self.slant, *self.tilts))

    def packed(self) -> Array:
        """Return the numbers as the search sees them: logarithms, but for slant and tilts; five without a spread."""
        spread = [np.log(self.fraction), *self.tilts] if self.tilts else []
        return np.array([np.log(self.temperature_c), np.log(self.decades), self.slant, *np.log(self[3:5]), *spread])

    @classmethod
    def unpacked(cls, point: Array) -> Hyperparameters:
        """Return what `packed` packed."""
        lengths, rest = np.exp(point[:2]), np.exp(point[3:5])
        five = cls(float(lengths[0]), float(lengths[1]), float(point[2]), float(rest[0]), float(rest[1]))
        if len(point) == len(five[:5]):
            return five
        return five._replace(fraction=float(np.exp(point[5])), tilts=tuple(float(tilt) for tilt in point[6:]))


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientMap:
    """A map fitted to gradients; immutable."""

    hyperparameters: Hyperparameters
    scale: float
    """g0, in the unit of g."""
    calibration_c: float
    z: Array
    """``n x (2 + k)`` conditions (temperature in degC, log10 dwell, fractions of k elements on a spread)."""
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
        composition: ArrayLike | None = None,
        calibration_c: float = 8.0,
        scale: float | None = None,
        hyperparameters: Hyperparameters | None = None,
    ) -> GradientMap:
        """Fit a map to ``n`` gradients with standard deviations.

        Args:
            temperature_c: ``n``.
            log10_dwell: ``n``, of the dwell in us.
            gradient: ``n``, not negative but for noise.
            sd: ``n``, positive.
            composition: ``n x k`` fractions of elements, on a composition spread.
            calibration_c: standard deviation of the temperature scale that all points share.
            scale: g0, where it is not to follow from the data: what has a range of its own, such as a fraction.
            hyperparameters: to use as they are; None: fit them.

        Raises:
            ValueError: Lengths differ, there is no point, or a number is not finite.
        """
        z = np.stack([np.asarray(temperature_c, dtype=float), np.asarray(log10_dwell, dtype=float)], axis=1)
        z = z if composition is None else np.hstack([z, np.asarray(composition, dtype=float).reshape(len(z), -1)])
        g, spread = np.asarray(gradient, dtype=float), np.asarray(sd, dtype=float)
        if not len(z) == len(g) == len(spread) or not len(g):
            raise ValueError(
                f"a map needs as many gradients ({len(g)}) and sds ({len(spread)}) as conditions ({len(z)})"
            )
        if not (np.isfinite(z).all() and np.isfinite(g).all() and np.isfinite(spread).all() and (spread > 0).all()):
            raise ValueError("a map takes finite gradients with positive standard deviations only")
        g = np.maximum(g, 0.0)
        scale = scale or max(0.05 * float(np.quantile(g, 0.95)), float(np.median(spread)))
        v, noise = np.log1p(g / scale), (spread / (g + scale)) ** 2
        chosen = hyperparameters or _fitted(z, v, noise)
        return _conditioned(chosen, scale, calibration_c, z, v, noise + chosen.extra_sd**2)

    def latent(
        self, temperature_c: ArrayLike, log10_dwell: ArrayLike, composition: ArrayLike | None = None
    ) -> tuple[Array, Array]:
        """Return mean and variance (``q`` each) of v, without the uncertainty of the temperature scale."""
        z = _rows(temperature_c, log10_dwell, composition)
        cross = self._cross(z)
        half = solve_triangular(self.cholesky, cross.T, lower=True, check_finite=False)
        prior = self.hyperparameters.variance + _OFFSET_VARIANCE
        return cross @ self.weights, np.maximum(prior - np.sum(half * half, axis=0), 1e-12)

    def predict(
        self, temperature_c: ArrayLike, log10_dwell: ArrayLike, composition: ArrayLike | None = None
    ) -> tuple[Array, Array]:
        """Return mean and standard deviation (``q`` each) of the noiseless gradient, in its unit."""
        mean, variance = self.latent(temperature_c, log10_dwell, composition)
        z = _rows(temperature_c, log10_dwell, composition)
        slope = self.hyperparameters.kernel().slope(z, self.z) @ self.weights
        return self._moments(mean, variance + (slope * self.calibration_c) ** 2)

    def latent_covariance(self, a: Array, b: Array) -> Array:
        """Return the ``q x r`` posterior covariance of v between conditions (rows as in `z`)."""
        left, right = (
            solve_triangular(self.cholesky, self._cross(z).T, lower=True, check_finite=False) for z in (a, b)
        )
        return self.hyperparameters.kernel().value(a, b) + _OFFSET_VARIANCE - left.T @ right

    def with_fantasies(
        self, temperature_c: ArrayLike, log10_dwell: ArrayLike, composition: ArrayLike | None = None
    ) -> GradientMap:
        """Return the map as if conditions had been measured and had given what it predicts, with typical noise."""
        z = _rows(temperature_c, log10_dwell, composition)
        mean, _ = self.latent(temperature_c, log10_dwell, composition)
        noise = np.append(self.noise, np.full(len(z), np.median(self.noise)))
        z, v = np.concatenate([self.z, z]), np.append(self.v, mean)
        return _conditioned(self.hyperparameters, self.scale, self.calibration_c, z, v, noise)

    def _cross(self, z: Array) -> Array:
        return self.hyperparameters.kernel().value(z, self.z) + _OFFSET_VARIANCE

    def _moments(self, mean: Array, variance: Array) -> tuple[Array, Array]:
        """Return the moments of g for normal v, whose 1 + g / g0 is log-normal."""
        level = np.exp(mean + 0.5 * variance)
        return np.maximum(self.scale * (level - 1.0), 0.0), self.scale * level * np.sqrt(np.expm1(variance))


def _rows(temperature_c: ArrayLike, log10_dwell: ArrayLike, composition: ArrayLike | None) -> Array:
    temperature, dwell = np.broadcast_arrays(
        np.asarray(temperature_c, dtype=float), np.asarray(log10_dwell, dtype=float)
    )
    z = np.stack([temperature.ravel(), dwell.ravel()], axis=1)
    return z if composition is None else np.hstack([z, np.asarray(composition, dtype=float).reshape(len(z), -1)])


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
    n_elements = z.shape[1] - 2
    bounds = list(zip(*(_packed_end(end, n_elements) for end in (0, 1)), strict=True))
    start = np.clip(density.centres, *np.array(bounds).T)
    evaluations = _MAX_EVALUATIONS + _EVALUATIONS_PER_ELEMENT * n_elements
    return Hyperparameters.unpacked(maximise(density, start, bounds, max_evaluations=evaluations))


def _packed_end(end: int, n_elements: int) -> Array:
    """Return the lower (0) or upper (1) bounds as the search sees them."""
    length, decades, slant, variance, extra = (bound[end] for bound in _BOUNDS)
    tilts = (_TILT_BOUNDS[end],) * n_elements
    return Hyperparameters(length, decades, slant, variance, extra, _FRACTION_BOUNDS[end], tilts).packed()


class _Density:
    """Log posterior density of packed hyperparameters, with its gradient."""

    def __init__(self, z: Array, v: Array, noise: Array) -> None:
        self._v, self._noise = v, noise
        self._dt = np.subtract.outer(z[:, 0], z[:, 0])
        self._dl = np.subtract.outer(z[:, 1], z[:, 1])
        self._dc = [np.subtract.outer(column, column) for column in z.T[2:]]
        spread = [_FRACTION_PRIOR, *[_TILT_PRIOR] * len(self._dc)] if self._dc else []
        self.centres = np.append(_CENTRES, [centre for centre, _ in spread])
        """Of the prior, as packed."""
        self._spreads = np.append(_SPREADS, [sd for _, sd in spread])

    def __call__(self, point: Array) -> tuple[float, Array]:
        h = Hyperparameters.unpacked(point)
        away = self._dt - h.slant * self._dl
        for tilt, dc in zip(h.tilts, self._dc, strict=True):
            away = away - tilt * dc
        u, w = away / h.temperature_c, self._dl / h.decades
        square = u * u + w * w
        for dc in self._dc:
            square = square + np.square(dc / h.fraction)
        s = np.sqrt(5.0 * square)
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
        if self._dc:
            slopes.append(bend * np.sum([np.square(dc / h.fraction) for dc in self._dc], axis=0))
            slopes += [bend * u * dc / h.temperature_c for dc in self._dc]
        value, gradient = log_evidence(matern + _OFFSET_VARIANCE + noise, slopes, self._v)
        strain = (point - self.centres) / self._spreads
        return value - 0.5 * float(strain @ strain), gradient - strain / self._spreads
