"""The simulated film on its wafer: what a laser shot leaves behind, and the light that comes back.

A place on a stripe is known by the highest temperature that it reached and by the dwell of that shot; its phases, its
thickness (densification) and its reflectance follow. A shot's own truth, with everything that went wrong, is a plain
dict that the world keeps; nothing of it reaches the controller.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.chance import generator
from simulators.materials import optics, profile
from simulators.materials.options import FilmOptions
from simulators.materials.phases import bruggeman, phase_diagram, phase_indices

__all__ = ["FilmMaterial", "FilmOptions"]

Array = NDArray[np.float64]

RATES: Mapping[str, float] = {"misfire": 0.01, "dropout": 0.005, "particle": 0.01, "delaminated": 0.005}
"""Chance per shot of each event; at most one happens."""

_SWITCH = {"misfire": "misfires", "dropout": "dropouts", "particle": "particles", "delaminated": "delaminations"}

DELAMINATED_REFLECTANCE = 0.3
"""Reflectance of a delaminated stripe, at every wavelength."""

WAFER_RADIUS_MM = 70.0

# trapezoids converge faster here than Gauss-Hermite: across a spot, reflectance is a step rather than a polynomial
_NODE = np.linspace(-3.0, 3.0, 9)
_WEIGHT = np.exp(-0.5 * np.square(_NODE))
_WEIGHT = _WEIGHT / _WEIGHT.sum()

_FWHM_TO_SIGMA = 1.0 / (2.0 * math.sqrt(2.0 * math.log(2.0)))

# a camera's colours: peak and width of each response, in nm
_COLOURS = ((605.0, 38.0), (540.0, 40.0), (455.0, 28.0))
_COLOUR_STEP = 10

_CHUNK = 4
"""Places computed at once: nine points per spot with 303 complex numbers each stay in a processor's cache."""

_CAMERA_STEP_MM = 0.004
"""Finer than any spot or transition: a picture with more columns than that is interpolated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What was done to ``m`` places: highest temperature, log10 of that shot's dwell."""

    temperature_c: Array
    log10_dwell_us: Array


class FilmMaterial:
    """One wafer's film."""

    wavelength_nm: Array = optics.WAVELENGTH_NM
    """``1200`` pixel wavelengths, 350 to 900 nm."""

    def __init__(self, seed: int, options: FilmOptions) -> None:
        self._seed = seed
        self.options = options
        self.diagram = phase_diagram(seed, options)
        self._index = phase_indices(seed, options)
        self._substrate = optics.silicon_index(optics.KNOT_NM)
        self._bare = optics.bare_reflectance(self._substrate)
        chance = generator(seed, "wafer")
        thickness, width, self._bow, self._tilt_x, self._tilt_y, calibration = chance.normal(size=6).tolist()
        hidden = options.hidden_error
        self.thickness_nm = options.thickness_nm * (1.0 + 0.01 * thickness * hidden)
        """Thickness as deposited at the wafer's centre, in nm."""
        self._width_error = 0.03 * width * hidden
        self.wafer_calibration_c = 8.0 * calibration * options.temperature_calibration
        """How much hotter than requested every shot on this wafer is."""
        self._colour_knots, self._colour = _camera_responses()

    def shoot(
        self, *, x_mm: float, y_mm: float, shot_number: int, peak_temperature_c: float, dwell_us: float
    ) -> dict[str, Any]:
        """Fire one shot and return what truly happened, as plain values.

        Keyed by site and shot number: the same shot asked twice has the same truth, whatever else was fired.

        Args:
            x_mm: nominal centre of the stripe.
            y_mm: nominal centre of the stripe.
            shot_number: 0 for the first shot at this site.
            peak_temperature_c: as requested.
            dwell_us: as requested.
        """
        place = f"{round(x_mm * 1000)},{round(y_mm * 1000)}"
        chance = generator(self._seed, "shot", place, shot_number)
        # all draws are made, whatever is switched on, so that one switch does not change another's luck
        luck, along = chance.random(2).tolist()
        centre, calibration, energy, stray, strength = chance.normal(size=5).tolist()
        event = self._event(luck)
        peak = peak_temperature_c + self.wafer_calibration_c
        peak += 4.0 * calibration * self.options.temperature_calibration
        dwell = dwell_us * (0.5 if event == "dropout" else 1.0)
        width = profile.width_um(peak, math.log10(dwell))
        right = 0.95 if self.options.asymmetry else 1.0
        energy_fraction = {"misfire": 0.0, "dropout": 0.5}.get(event, 1.0)
        return {
            "shot_number": shot_number,
            "event": event,
            "peak_temperature_c": profile.AMBIENT_C if event == "misfire" else peak,
            "dwell_us": 0.0 if event == "misfire" else dwell,
            "energy_fraction": energy_fraction * (1.0 + 0.01 * energy * self.options.noise),
            "centre_mm": 0.020 * centre * self.options.centre_offset,
            "width_um": width * (1.0 + self._width_error) * 2.0 / (1.0 + right),
            "right_width_factor": right,
            "blur_um": self._blur_um(place),
            "thickness_nm": self._thickness_at(x_mm, y_mm),
            "particle_mm": 0.3 * stray if event == "particle" else None,
            "particle_depth": min(0.4 + 0.1 * abs(strength), 0.8) if event == "particle" else None,
            "particle_width_mm": 0.03 + 0.07 * along if event == "particle" else None,
        }

    def reflectance(self, shots: Sequence[Mapping[str, Any]], offset_mm: Array) -> Array:
        """Return the true reflectance, as a perfect detector would see it.

        Args:
            shots: what `shoot` returned for this site, in order; empty for the film as deposited.
            offset_mm: ``m`` offsets from the nominal stripe centre, in mm.

        Returns:
            ``m x 1200``, between 0 and 1, relative to the mirror.
        """
        offset = np.asarray(offset_mm, dtype=float).reshape(-1)
        knots = np.empty((len(offset), len(optics.KNOT_NM)))
        for start in range(0, len(offset), _CHUNK):
            part = slice(start, start + _CHUNK)
            knots[part] = self._blurred(shots, offset[part])
        return optics.knots_to_pixels(knots)

    def rgb(self, shots: Sequence[Mapping[str, Any]], offset_mm: Array) -> NDArray[np.uint8]:
        """Return ``m x 3`` colours as a camera sees them at ``m`` offsets, gamma 2.2, a mirror being just white."""
        offset = np.asarray(offset_mm, dtype=float).reshape(-1)
        if not len(offset):
            return np.empty((0, 3), dtype=np.uint8)
        n_places = min(len(offset), 2 + math.ceil(np.ptp(offset) / _CAMERA_STEP_MM))
        if n_places < len(offset):
            places = np.linspace(offset.min(), offset.max(), n_places)
            light = self._light(shots, places)
            light = np.stack([np.interp(offset, places, channel) for channel in light.T], axis=1)
        else:
            light = self._light(shots, offset)
        return np.rint(255.0 * np.clip(light, 0.0, 1.0) ** (1.0 / 2.2)).astype(np.uint8)

    def _blurred(self, shots: Sequence[Mapping[str, Any]], offset_mm: Array) -> Array:
        """Return ``m x 303``: the mean over the spot, which is Gaussian across the stripe."""
        sigma_mm = 1e-3 * _FWHM_TO_SIGMA * (shots[-1]["blur_um"] if shots else 0.0)
        if sigma_mm == 0.0:
            return self._at(shots, offset_mm, slice(None))
        spots = (offset_mm[:, None] + sigma_mm * _NODE).ravel()
        sharp = self._at(shots, spots, slice(None)).reshape(len(offset_mm), len(_NODE), -1)
        return np.einsum("k,mkn->mn", _WEIGHT, sharp)

    def _light(self, shots: Sequence[Mapping[str, Any]], offset_mm: Array) -> Array:
        return self._at(shots, offset_mm, self._colour_knots) @ self._colour

    def knot_reflectance(
        self, temperature_c: Array, log10_dwell_us: Array, *, thickness_nm: float, knots: slice = slice(None)
    ) -> Array:
        """Return ``m x (number of knots)`` reflectance of places with a given history.

        Args:
            temperature_c: ``m`` highest temperatures.
            log10_dwell_us: ``m``, the dwell of the shot that reached it.
            thickness_nm: as deposited.
            knots: which of `optics.KNOT_NM`.
        """
        share = self.diagram.fractions(temperature_c, log10_dwell_us)
        covered = np.maximum(1.0 - share[:, 4], 1e-12)
        film = share[:, :4] / covered[:, None]
        index = self._index[:, knots]
        mixed = bruggeman(film, index) if self.options.bruggeman else film @ index
        thickness = thickness_nm * densification(temperature_c)[:, None]
        layer = optics.layer_reflectance(mixed, self._substrate[knots], thickness, optics.KNOT_NM[knots])
        return layer + share[:, 4:] * (self._bare[knots] - layer)

    def _at(self, shots: Sequence[Mapping[str, Any]], offset_mm: Array, knots: slice) -> Array:
        """Return ``m x (number of knots)`` reflectance without blur."""
        if any(shot["event"] == "delaminated" for shot in shots):
            return np.full((len(offset_mm), len(optics.KNOT_NM[knots])), DELAMINATED_REFLECTANCE)
        place = _hottest(shots, offset_mm)
        thickness_nm = shots[-1]["thickness_nm"] if shots else self.thickness_nm
        clean = self.knot_reflectance(place.temperature_c, place.log10_dwell_us, thickness_nm=thickness_nm, knots=knots)
        for shot in shots:
            if shot["event"] == "particle":
                distance = (offset_mm - shot["particle_mm"]) / shot["particle_width_mm"]
                clean *= (1.0 - shot["particle_depth"] * np.exp(-np.square(distance)))[:, None]
        return clean

    def _event(self, luck: float) -> str:
        reached = 0.0
        for event, rate in RATES.items():
            reached += rate
            if luck < reached:
                return event if getattr(self.options, _SWITCH[event]) else "none"
        return "none"

    def _blur_um(self, place: str) -> float:
        drawn = generator(self._seed, "focus", place).uniform(10.0, 30.0)
        return drawn if self.options.focus_blur else 0.0

    def _thickness_at(self, x_mm: float, y_mm: float) -> float:
        x, y = x_mm / WAFER_RADIUS_MM, y_mm / WAFER_RADIUS_MM
        shape = 0.5 * math.tanh(self._bow) * (x * x + y * y) + 0.25 * (
            math.tanh(self._tilt_x) * x + math.tanh(self._tilt_y) * y
        )
        return self.thickness_nm * (1.0 + 0.005 * max(-1.0, min(1.0, shape)) * self.options.thickness_variation)


def densification(temperature_c: Array) -> Array:
    """Return thickness over thickness as deposited: from 1 down to 0.96 as pores close (fringe shift +-2%)."""
    return 0.98 - 0.02 * np.tanh((temperature_c - 750.0) / 300.0)


def _hottest(shots: Sequence[Mapping[str, Any]], offset_mm: Array) -> _Place:
    """Let the shot that was hottest at a place decide its history."""
    temperature = np.full(len(offset_mm), profile.AMBIENT_C)
    log10_dwell = np.full(len(offset_mm), 3.0)
    for shot in shots:
        if shot["event"] == "misfire":
            continue
        reached = profile.temperature_c(
            offset_mm - shot["centre_mm"],
            peak_temperature_c=shot["peak_temperature_c"],
            width_um=shot["width_um"],
            right_width_factor=shot["right_width_factor"],
        )
        is_hotter = reached > temperature
        temperature = np.where(is_hotter, reached, temperature)
        log10_dwell = np.where(is_hotter, math.log10(shot["dwell_us"]), log10_dwell)
    return _Place(temperature_c=temperature, log10_dwell_us=log10_dwell)


def _camera_responses() -> tuple[slice, Array]:
    """Return every tenth knot, which is dense enough for a colour, and ``n x 3`` responses that add up to one."""
    knots = slice(1, None, _COLOUR_STEP)
    wavelength = optics.KNOT_NM[knots]
    response = np.stack([np.exp(-0.5 * ((wavelength - peak) / width) ** 2) for peak, width in _COLOURS], axis=1)
    return knots, response / response.sum(axis=0)
