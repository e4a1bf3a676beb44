"""Hand-over from a stripe to the map: spectra along x become the optical gradient over temperature, with uncertainty.

Section "hand-over" of SARA (Ament et al., Sci. Adv. 7, eabg4930 (2021)): a Gaussian process per feature, noisy inputs
turned into output noise by the local slope (NIGP, McHutchon and Rasmussen, NIPS 2011), derivatives with respect to
T' = T / 1400, and g = || dc / dT' || over the 17 coefficients. What differs from the published code, and why:

* The processes run over temperature rather than position, so that both sides of a stripe, however lopsided, inform one
  function, and the spot's width is part of the observation (a weighted sum over the temperatures under it).
* Features are rotated to principal components. g does not change, but steps that all coefficients share become one
  process, whose error is then not mistaken for seventeen independent ones that average out.
* g is a norm, so noise only ever adds to it, and its variance does not vanish with it. The mean square that
  measurement noise adds, E|D + noise|^2 = |D|^2 + sum_k N_k, is subtracted; and var(g) = (sum D_k^2 U_k + sum U_k^2 /
  2) / (|D|^2 + sum U_k), which is first order for large gradients and that of a norm of noise for small ones.
* Errors that the whole stripe shares (its peak temperature, its width) shift g along T: they enter by the slope of g.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from surrogate.kernels import squared_exponential
from surrogate.spectra.centre import Geometry
from surrogate.spectra.errors import CannotTell
from surrogate.spectra.profile import Profile
from surrogate.spectra.warp import Warp

Array = NDArray[np.floating[Any]]

TEMPERATURE_SCALE_C = 1400.0
"""g is a derivative with respect to T over this."""
N_TEMPERATURES = 32

_LENGTHS = np.geomspace(0.3, 8.0, 9)
"""Correlation lengths that are tried, in units of the warp."""
_AMPLITUDES = (0.5, 1.0, 2.0, 4.0)
"""Prior variances that are tried, over the variance of the data."""
_OFFSET = 4.0
"""Variance of the constant part, over that of the varying part."""
_MAX_COMPONENTS = 10
_MAX_OUTLIER_FRACTION = 0.25
_OUTLIER = 12.0
"""Mean square leave-one-out residual, over what is expected, at which a spectrum is held for an accident."""

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_FWHM_TO_SD = 1.0 / (2.0 * np.sqrt(2.0 * np.log(2.0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeErrors:
    """What is known of the instruments' errors; all standard deviations but the spot."""

    spot_um: float = 20.0
    """Full width at half maximum of the measuring spot."""
    position_um: float = 2.0
    """Of one measured position."""
    temperature_c: float = 5.0
    """Of a stripe's peak temperature, from stripe to stripe; what all stripes share belongs to the map."""
    width: float = 0.03
    """Of the profile's width, relative."""
    flicker: float = 0.004
    """Of the lamp between exposures, relative; all pixels together."""
    floor: float = 0.1
    """Least standard deviation that is claimed for g."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeData:
    """Features along a stripe."""

    offset_mm: Array
    """``n`` positions from the stripe's nominal centre."""
    coefficients: Array
    """``n x 17``."""
    variances: Array
    """``n x 17``, of noise."""

    def without(self, index: int) -> StripeData:
        """Return the data less one spectrum."""
        arrays = (np.delete(array, index, axis=0) for array in (self.offset_mm, self.coefficients, self.variances))
        return StripeData(**dict(zip(("offset_mm", "coefficients", "variances"), arrays, strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gradient:
    """The optical gradient of one stripe."""

    temperature_c: Array
    """``t`` temperatures, rising."""
    g: Array
    """``t``, || dc / d(T / 1400 degC) ||."""
    sd: Array
    """``t``, of g, for this stripe against another one like it."""
    coefficient0: Array
    """``t``, posterior mean of the first coefficient."""
    coefficient0_sd: Array
    """``t``."""
    outliers_mm: tuple[float, ...]
    """Where spectra were left out because no symmetric stripe explains them."""


class _Fit(NamedTuple):
    """Hyperparameters, and the posterior weights that follow."""

    length: float
    amplitude: Array
    """``m`` prior variances."""
    inverse: Array
    """``m x n x n`` of the data's covariances."""
    weights: Array
    """``n x m``, inverse times data."""


class _Places:
    """Where light comes from when the spot stands at x: ``n x 5`` nodes and their warped temperatures."""

    def __init__(self, x_mm: Array, profile: Profile, geometry: Geometry, warp: Warp, spot_um: float) -> None:
        spread_mm = 1e-3 * spot_um * _FWHM_TO_SD * _NODES
        nodes = x_mm[:, None] - geometry.centre_mm + spread_mm
        self.w = warp(profile.temperature(nodes))

    def correlation(self, other: _Places, length: float) -> Array:
        """Return the ``n x m`` correlation of what two sets of spots see."""
        k = squared_exponential(np.subtract.outer(self.w, other.w), length)
        return np.einsum("aibj,i,j->ab", k, _WEIGHTS, _WEIGHTS)

    def to_points(self, w: Array, length: float) -> tuple[Array, Array]:
        """Return ``t x n`` correlations of points w with what spots see, and their derivatives by w."""
        difference = np.subtract.outer(w, self.w)
        k = squared_exponential(difference, length)
        return k @ _WEIGHTS, (-difference / length**2 * k) @ _WEIGHTS


class StripeModel:
    """Gaussian processes of one stripe's features over temperature."""

    def __init__(
        self, data: StripeData, *, profile: Profile, geometry: Geometry, warp: Warp, errors: StripeErrors
    ) -> None:
        self._data, self._profile, self._geometry = data, profile, geometry
        self._warp, self._errors = warp, errors
        self._mean = data.coefficients.mean(axis=0)
        self._rotation, self._y, noise = principal_components(data, flicker=errors.flicker)
        self._places = self._spots(data.offset_mm)
        first = self._fit(noise)
        self._noise = noise + self._position_noise(first)
        self._final = self._fit(self._noise)

    def gradient(self, temperature_c: Array) -> tuple[Array, Array]:
        """Return g and its variance (``t`` each) at temperatures, without errors that the stripe shares."""
        fit, rate = self._final, self._warp.slope(temperature_c) * TEMPERATURE_SCALE_C
        _, cross = self._places.to_points(self._warp(temperature_c), fit.length)
        gain = np.einsum("tn,mnp->tmp", cross, fit.inverse)
        slope = (cross @ (fit.weights * fit.amplitude)) * rate[:, None]
        explained = np.einsum("tmp,tp->tm", gain, cross) * fit.amplitude**2
        uncertain = np.maximum(fit.amplitude / fit.length**2 - explained, 0.0) * rate[:, None] ** 2
        # what measurement noise adds to the square of the norm of the posterior mean
        added = np.einsum("tmp,pm->t", (gain * fit.amplitude[:, None] * rate[:, None, None]) ** 2, self._noise)
        size2 = np.sum(slope**2, axis=1)
        spread = np.sum(slope**2 * uncertain, axis=1) + 0.5 * np.sum(uncertain**2, axis=1)
        return np.sqrt(np.maximum(size2 - added, 0.0)), spread / np.maximum(size2 + uncertain.sum(axis=1), 1e-300)

    def coefficient0(self, temperature_c: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation (``t`` each) of the first Legendre coefficient."""
        fit = self._final
        cross, _ = self._places.to_points(self._warp(temperature_c), fit.length)
        cross = cross + _OFFSET
        mean = cross @ (fit.weights * fit.amplitude)
        explained = np.einsum("tn,mnp,tp->tm", cross, fit.inverse, cross, optimize=True) * fit.amplitude**2
        variance = np.maximum((1.0 + _OFFSET) * fit.amplitude - explained, 0.0)
        return self._mean[0] + mean @ self._rotation[0], np.sqrt(variance @ self._rotation[0] ** 2)

    def surprise(self) -> Array:
        """Return ``n`` mean square leave-one-out residuals over their expectation (R. & W. (2006), eq. 5.12)."""
        diagonal = np.diagonal(self._final.inverse, axis1=1, axis2=2).T
        return np.mean(self._final.weights**2 / diagonal, axis=1)

    def _spots(self, x_mm: Array) -> _Places:
        return _Places(x_mm, self._profile, self._geometry, self._warp, self._errors.spot_um)

    def _fit(self, noise: Array) -> _Fit:
        """Choose length and amplitude by the evidence over a small grid, which cannot stray as a search can."""
        base = np.maximum(self._y.var(axis=0) - noise.mean(axis=0), 0.05 * noise.mean(axis=0))
        best: tuple[float, float, Array] | None = None
        for length in _LENGTHS:
            correlation = self._places.correlation(self._places, length) + _OFFSET
            for factor in _AMPLITUDES:
                evidence = self._evidence(correlation, factor * base, noise)
                if best is None or evidence > best[0]:
                    best = (evidence, float(length), factor * base)
        if best is None:
            raise CannotTell("the features of this stripe are not finite numbers")
        return self._conditioned(best[1], best[2], noise)

    def _covariance(self, correlation: Array, amplitude: Array, noise: Array) -> Array:
        return amplitude[:, None, None] * correlation + noise.T[:, :, None] * np.eye(len(noise))

    def _evidence(self, correlation: Array, amplitude: Array, noise: Array) -> float:
        lower = np.linalg.cholesky(self._covariance(correlation, amplitude, noise))
        white = np.linalg.solve(lower, self._y.T[:, :, None])
        return float(-0.5 * np.sum(white**2) - np.sum(np.log(np.diagonal(lower, axis1=1, axis2=2))))

    def _conditioned(self, length: float, amplitude: Array, noise: Array) -> _Fit:
        correlation = self._places.correlation(self._places, length) + _OFFSET
        inverse = np.linalg.inv(self._covariance(correlation, amplitude, noise))
        return _Fit(length, amplitude, inverse, np.einsum("mnp,pm->nm", inverse, self._y))

    def _position_noise(self, fit: _Fit) -> Array:
        """Return ``n x m`` variances that uncertain positions cause where features change: NIGP."""
        step_mm = 1e-3
        ahead, behind = (self._spots(self._data.offset_mm + side * step_mm) for side in (1.0, -1.0))
        difference = ahead.correlation(self._places, fit.length) - behind.correlation(self._places, fit.length)
        slope = difference @ (fit.weights * fit.amplitude) / (2.0 * step_mm)
        position_mm = np.hypot(1e-3 * self._errors.position_um, min(self._geometry.centre_sd_mm, 0.005))
        return (position_mm * slope) ** 2


def principal_components(data: StripeData, *, flicker: float) -> tuple[Array, Array, Array]:
    """Rotate features to principal components.

    Returns:
        The ``17 x m`` rotation, the ``n x m`` components about their mean, and their ``n x m`` noise variances.
    """
    centred = data.coefficients - data.coefficients.mean(axis=0)
    rotation = np.linalg.svd(centred, full_matrices=False)[2][:_MAX_COMPONENTS].T
    variances = data.variances + (flicker * data.coefficients) ** 2
    return rotation, centred @ rotation, variances @ rotation**2


def contrast(data: StripeData, *, flicker: float) -> float:
    """Return the mean square change along a stripe over what noise alone would give: about 1 where nothing changes."""
    centred = data.coefficients - data.coefficients.mean(axis=0)
    variances = data.variances + (flicker * data.coefficients) ** 2
    degrees = max(len(centred) - 1, 1) * centred.shape[1]
    return float(np.sum(centred**2 / variances) / degrees)


def hand_over(
    data: StripeData,
    temperature_c: Array,
    *,
    profile: Profile,
    geometry: Geometry,
    warp: Warp,
    errors: StripeErrors,
) -> Gradient:
    """Return the optical gradient of a stripe at temperatures, spectra that fit no symmetric stripe left out.

    Args:
        data: at least six spectra.
        temperature_c: ``t``, rising, below the peak.
        profile: temperatures across the stripe.
        geometry: its centre.
        warp: how fast the film changes with temperature.
        errors: of the instruments.
    """
    outliers: list[float] = []
    model = StripeModel(data, profile=profile, geometry=geometry, warp=warp, errors=errors)
    allowed = int(_MAX_OUTLIER_FRACTION * len(data.offset_mm))
    while (worst := int(np.argmax(surprise := model.surprise()))) >= 0 and surprise[worst] > _OUTLIER:
        if len(outliers) >= allowed:
            break
        outliers.append(float(data.offset_mm[worst]))
        data = data.without(worst)
        model = StripeModel(data, profile=profile, geometry=geometry, warp=warp, errors=errors)
    g, variance = model.gradient(temperature_c)
    variance = variance + _shift_variance(g, temperature_c, profile, errors) + errors.floor**2
    mean0, sd0 = model.coefficient0(temperature_c)
    return Gradient(
        temperature_c=temperature_c,
        g=g,
        sd=np.sqrt(variance),
        coefficient0=mean0,
        coefficient0_sd=sd0,
        outliers_mm=tuple(outliers),
    )


def _shift_variance(g: Array, temperature_c: Array, profile: Profile, errors: StripeErrors) -> Array:
    """Return what an error of the temperature scale does to g, to second order: its top bends, its flanks move."""
    # T = peak exp(-u), u = (2 x / f)^2: a width that is wrong by a fraction moves T by 2 u T times that fraction
    stretch = 2.0 * np.log(profile.peak_c / temperature_c) * temperature_c
    shift2 = errors.temperature_c**2 + (errors.width * stretch) ** 2
    slope = np.gradient(g, temperature_c)
    bend = np.gradient(slope, temperature_c)
    return slope**2 * shift2 + 0.5 * bend**2 * shift2**2
