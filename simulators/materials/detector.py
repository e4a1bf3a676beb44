"""The spectrometer's detector: light in, counts out, with what a lamp, a converter and the sky add to it."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simulators.chance import generator
from simulators.materials.optics import N_PIXELS, WAVELENGTH_NM
from simulators.materials.options import FilmOptions

Array = NDArray[np.float64]
Target = Literal["film", "mirror", "blank"]

FULL_SCALE = 65535.0
"""Highest count of a 16 bit converter."""

FLICKER = 0.004
"""Relative sd of the lamp from one exposure to the next, the same for all pixels."""

PIXEL_NOISE = 0.003
"""Relative sd of each pixel; with the flicker, 0.5% in all."""

ADDITIVE_NOISE = 0.003
"""Sd of each pixel that does not depend on the light, over full scale."""

SPIKE_RATE = 1e-4
"""Chance per pixel and exposure."""

DRIFT_PER_HOUR = 0.002
"""Steepest relative change of the lamp per hour."""

_DRIFT_PERIODS_H = (24.0, 7.3)
"""A room's day, and its air conditioning."""

_BRIGHTEST = 0.75 * FULL_SCALE / 0.05
"""Counts per second of the mirror at the lamp's brightest wavelength: three quarters of full scale in 50 ms."""


class Detector:
    """One spectrometer with its lamp; the same for every acquisition with the same tag."""

    saturation_counts: float = float(int(0.98 * FULL_SCALE))
    """Counts are clipped here; a whole number, so that a clipped pixel reads exactly this."""

    def __init__(self, seed: int, options: FilmOptions) -> None:
        self._seed = seed
        self._options = options
        chance = generator(seed, "detector")
        self._dark = 900.0 + chance.normal(0.0, 30.0, N_PIXELS)
        self._phase = chance.uniform(0.0, 2.0 * math.pi, len(_DRIFT_PERIODS_H))
        self._lamp = _BRIGHTEST * lamp_shape(WAVELENGTH_NM)

    def counts(
        self,
        reflectance: Array | None,
        *,
        target: Target,
        time_s: float,
        exposure_s: float,
        averages: int,
        tag: str,
    ) -> Array:
        """Take one spectrum: the mean of `averages` exposures.

        Args:
            reflectance: ``1200`` for the film; None for the mirror (one everywhere) and the blank (no light).
            target: what lies under the objective.
            time_s: since the lamp was lit; decides the drift.
            exposure_s: of each exposure.
            averages: number of exposures.
            tag: names this acquisition; the same tag has the same noise.

        Returns:
            ``1200`` counts.

        Raises:
            ValueError: A film without reflectance, or an exposure or a number of averages that is not positive.
        """
        if not exposure_s > 0.0 or averages < 1:
            raise ValueError(f"cannot average {averages} exposures of {exposure_s:g} s; both must be positive")
        signal = self._light(reflectance, target) * (exposure_s * self.lamp_factor(time_s))
        return self._converted(signal, averages, tag)

    def lamp_factor(self, time_s: float) -> float:
        """Return the lamp's brightness over its mean at a time: smooth, and never steeper than 0.2% an hour."""
        if not self._options.drift:
            return 1.0
        share = DRIFT_PER_HOUR / len(_DRIFT_PERIODS_H)
        rates = [2.0 * math.pi / period for period in _DRIFT_PERIODS_H]
        return 1.0 + sum(
            share / rate * math.sin(rate * time_s / 3600.0 + phase)
            for rate, phase in zip(rates, self._phase, strict=True)
        )

    def _light(self, reflectance: Array | None, target: Target) -> Array:
        if target == "blank":
            return np.zeros(N_PIXELS)
        if target == "mirror":
            return self._lamp
        if reflectance is None:
            raise ValueError("a film needs its reflectance; None stands for the mirror and the blank only")
        return self._lamp * np.asarray(reflectance, dtype=float).reshape(N_PIXELS)

    def _converted(self, signal: Array, averages: int, tag: str) -> Array:
        chance = generator(self._seed, "acquisition", tag)
        quieter = 1.0 / math.sqrt(averages)
        # all draws are made, whatever is switched on, so that one switch does not change another's luck
        noise = chance.standard_normal((2, N_PIXELS))
        flicker = FLICKER * quieter * chance.standard_normal()
        n_spikes = int(chance.poisson(SPIKE_RATE * N_PIXELS * averages))
        counts = self._dark + signal
        if self._options.noise:
            counts += signal * (flicker + PIXEL_NOISE * quieter * noise[0])
            counts += ADDITIVE_NOISE * FULL_SCALE * quieter * noise[1]
        if self._options.spikes and n_spikes:
            pixels = chance.integers(0, N_PIXELS, n_spikes)
            np.add.at(counts, pixels, chance.uniform(0.05, 0.6, n_spikes) * FULL_SCALE / averages)
        if self._options.saturation:
            np.minimum(counts, self.saturation_counts, out=counts)
        return np.rint(np.maximum(counts, 0.0) * averages) / averages


def lamp_shape(wavelength_nm: Array) -> Array:
    """Return the lamp's spectrum times the detector's response: a broad maximum of one at 620 nm, 0.35 at the ends."""
    return 0.3 + 0.7 * np.exp(-0.5 * np.square((wavelength_nm - 620.0) / 115.0))
