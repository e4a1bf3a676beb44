"""The analysis `stripe_gradient`: spectra along a laser-annealed stripe to its optical gradient over temperature.

Measurements: kind ``spectrum`` with roles ``film``, ``mirror`` and ``blank`` (arrays ``wavelength_nm``, ``counts``),
and, if there is one, kind ``image`` (array ``pixels``, metadata ``pixel_um``). Options are listed in `OPTIONS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.analysis import AnalysisResult, Finding, MeasurementData
from surrogate.options import is_number, unknown_keys
from surrogate.spectra.centre import UNKNOWN, Geometry, geometry_from_picture, geometry_from_spectra
from surrogate.spectra.errors import CannotTell
from surrogate.spectra.features import legendre_features
from surrogate.spectra.normalise import RawSpectrum, Reflectance, references, reflectance
from surrogate.spectra.profile import Profile
from surrogate.spectra.stripe import (
    N_TEMPERATURES,
    Gradient,
    StripeData,
    StripeErrors,
    contrast,
    hand_over,
    principal_components,
)
from surrogate.spectra.warp import Warp, from_picture, identity

Array = NDArray[np.floating[Any]]

SPAN_C = (200.0, 10.0)
"""Findings lie between Tpeak minus these: the slope of T is too small above, the stripe too steep below."""
MIN_POINTS = 6
MIN_HOT_POINTS = 4
"""So many spectra must lie where the stripe was within the span."""
FLAT_CONTRAST = 3.0
"""Below this mean square change over noise, nothing is seen to change along the stripe."""
BARE_CONTRAST = 0.01
"""Reflectance that varies less than this with wavelength shows no film."""

OPTIONS: Mapping[str, object] = {
    "target": "optical_gradient",
    "peak_temperature": "peak_temperature",
    "dwell": "dwell",
    "temperatures": 16,
    **{field.name: field.default for field in fields(StripeErrors)},
}
"""Defaults. `target`, `peak_temperature` and `dwell` are names; `temperatures` is the number of findings per stripe;
the rest are instrument errors, see `surrogate.spectra.stripe.StripeErrors`."""

_NAMES = ("target", "peak_temperature", "dwell")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    pixels: NDArray[Any]
    pixel_um: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sorted:
    """The measurements of a stripe by what they are."""

    film: list[RawSpectrum]
    mirror: list[RawSpectrum]
    blank: list[RawSpectrum]
    picture: _Picture | None


def problems(options: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with options, as sentences."""
    given = {key: value for key, value in options.items() if key != "parameters"}
    found = unknown_keys(given, dict(OPTIONS), "the analysis 'stripe_gradient'")
    for key, value in given.items():
        if key in _NAMES and not (isinstance(value, str) and value):
            found.append(f"the option {key!r} of 'stripe_gradient' is a name, not {value!r}")
        elif key == "temperatures" and not (isinstance(value, int) and is_number(value, above=2)):
            found.append(f"the option 'temperatures' of 'stripe_gradient' is a whole number above 2, not {value!r}")
        elif key in OPTIONS and key not in (*_NAMES, "temperatures") and not is_number(value, above=-1e-300):
            found.append(f"the option {key!r} of 'stripe_gradient' is a number of at least 0, not {value!r}")
    if "parameters" in options and not found:
        chosen = {**OPTIONS, **given}
        for name in (str(chosen["peak_temperature"]), str(chosen["dwell"])):
            if not is_number(options["parameters"].get(name), above=0.0):
                found.append(f"'stripe_gradient' needs the parameter {name!r} of the trial, a positive number")
    return found


def analyse(measurements: Sequence[MeasurementData], *, options: Mapping[str, Any]) -> AnalysisResult:
    """Return findings at temperatures below the stripe's peak, at its dwell.

    Raises:
        ValueError: An option is unknown or has no such value, or the trial lacks a parameter.
    """
    options = {"parameters": {}, **options}
    if found := problems(options):
        raise ValueError("; ".join(found))
    try:
        return _analyse(_sorted(measurements), {**OPTIONS, **options})
    except CannotTell as reason:
        return AnalysisResult(cannot_tell=str(reason))


def _analyse(stripe: _Sorted, options: Mapping[str, Any]) -> AnalysisResult:
    parameters: Mapping[str, Any] = options["parameters"]
    peak_c, dwell_us = float(parameters[options["peak_temperature"]]), float(parameters[options["dwell"]])
    errors = StripeErrors(**{field.name: float(options[field.name]) for field in fields(StripeErrors)})
    divided = reflectance(stripe.film, references(stripe.mirror, stripe.blank))
    _require_points(divided, len(stripe.film))
    coefficients, variances = legendre_features(divided.values, divided.noise_sd, divided.valid)
    data = StripeData(offset_mm=divided.offset_mm, coefficients=coefficients, variances=variances)
    is_flat = contrast(data, flicker=errors.flicker) < FLAT_CONTRAST
    if is_flat:
        _require_film(divided)
    geometry = _geometry(data, stripe.picture, errors, is_flat=is_flat)
    profile = Profile.of(peak_temperature_c=peak_c, dwell_us=dwell_us, right_over_left=geometry.right_over_left)
    temperatures = np.linspace(max(peak_c - SPAN_C[0], 30.0), peak_c - SPAN_C[1], N_TEMPERATURES)
    _require_hot(data, profile, geometry, float(temperatures[0]))
    warp = _warp(stripe.picture, profile, geometry)
    gradient = hand_over(data, temperatures, profile=profile, geometry=geometry, warp=warp, errors=errors)
    notes = _Notes(geometry=geometry, dropped=divided.dropped, is_flat=is_flat, has_picture=stripe.picture is not None)
    return _result(gradient, data, profile, notes, options)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notes:
    geometry: Geometry
    dropped: tuple[str, ...]
    is_flat: bool
    has_picture: bool

    def details(self) -> dict[str, Any]:
        return {
            "centre_mm": self.geometry.centre_mm,
            "centre_sd_mm": self.geometry.centre_sd_mm,
            "right_over_left": self.geometry.right_over_left,
            "nothing_changed": self.is_flat,
            "has_picture": self.has_picture,
            "dropped": list(self.dropped),
        }


def _result(
    gradient: Gradient, data: StripeData, profile: Profile, notes: _Notes, options: Mapping[str, Any]
) -> AnalysisResult:
    at = np.linspace(gradient.temperature_c[0], gradient.temperature_c[-1], int(options["temperatures"]))
    g, sd = np.interp(at, gradient.temperature_c, gradient.g), np.interp(at, gradient.temperature_c, gradient.sd)
    target = str(options["target"])
    findings = tuple(
        Finding(
            parameters={**options["parameters"], options["peak_temperature"]: float(at[i])},
            values={target: float(g[i])},
            sd={target: float(sd[i])},
        )
        for i in range(len(at))
    )
    highest = int(np.argmax(gradient.g))
    values = {target: float(gradient.g[highest]), f"{target}_at_c": float(gradient.temperature_c[highest])}
    details = {
        "offset_mm": data.offset_mm,
        "offset_temperature_c": profile.temperature(data.offset_mm - notes.geometry.centre_mm),
        "offset_coefficient0": data.coefficients[:, 0],
        "temperature_c": gradient.temperature_c,
        "coefficient0": gradient.coefficient0,
        "coefficient0_sd": gradient.coefficient0_sd,
        "gradient": gradient.g,
        "gradient_sd": gradient.sd,
        "outliers_mm": np.array(gradient.outliers_mm),
        **notes.details(),
    }
    return AnalysisResult(findings=findings, values=values, details=details)


def _sorted(measurements: Sequence[MeasurementData]) -> _Sorted:
    spectra: dict[str, list[RawSpectrum]] = {"film": [], "mirror": [], "blank": []}
    pictures: list[_Picture] = []
    for one in measurements:
        if one.kind == "image":
            pictures.append(_Picture(pixels=one.arrays["pixels"], pixel_um=float(one.metadata["pixel_um"])))
        elif one.kind == "spectrum" and one.metadata.get("role") in spectra:
            spectra[one.metadata["role"]].append(_raw(one))
    return _Sorted(picture=pictures[-1] if pictures else None, **spectra)


def _raw(one: MeasurementData) -> RawSpectrum:
    facts = one.metadata
    return RawSpectrum(
        wavelength_nm=np.asarray(one.arrays["wavelength_nm"], dtype=float),
        counts=np.asarray(one.arrays["counts"], dtype=float),
        exposure_s=float(facts["exposure_s"]),
        averages=int(facts.get("averages", 1)),
        saturation_counts=float(facts.get("saturation_counts", np.inf)),
        offset_mm=float(facts.get("offset_mm", 0.0)),
        taken_s=float(facts.get("taken_s", 0.0)),
    )


def _geometry(data: StripeData, picture: _Picture | None, errors: StripeErrors, *, is_flat: bool) -> Geometry:
    seen = geometry_from_picture(picture.pixels, pixel_um=picture.pixel_um) if picture else None
    if seen is not None or is_flat:
        return seen or UNKNOWN
    _, components, noise = principal_components(data, flicker=errors.flicker)
    return geometry_from_spectra(data.offset_mm, components, noise)


def _warp(picture: _Picture | None, profile: Profile, geometry: Geometry) -> Warp:
    seen = None
    if picture is not None:
        seen = from_picture(picture.pixels, pixel_um=picture.pixel_um, profile=profile, geometry=geometry)
    return seen or identity(profile.peak_c)


def _require_points(divided: Reflectance, taken: int) -> None:
    n = len(divided.offset_mm)
    if n < MIN_POINTS:
        lost = f", {taken - n} were dropped ({divided.dropped[0]})" if divided.dropped else ""
        raise CannotTell(f"{n} usable spectra are too few, {MIN_POINTS} are needed; {taken} were taken{lost}")


def _require_film(divided: Reflectance) -> None:
    mean = np.mean(np.where(divided.valid, divided.values, np.nan), axis=0)
    smooth = np.nanmean(mean[: len(mean) // 20 * 20].reshape(20, -1), axis=1)
    if float(np.nanstd(smooth)) < BARE_CONTRAST:
        raise CannotTell(
            f"the reflectance, {np.nanmean(mean):.2f}, depends neither on wavelength nor on place: there is no film "
            "here, it may have delaminated"
        )


def _require_hot(data: StripeData, profile: Profile, geometry: Geometry, coldest_c: float) -> None:
    reached = profile.temperature(data.offset_mm - geometry.centre_mm)
    n = int(np.sum(reached >= coldest_c))
    if n < MIN_HOT_POINTS:
        raise CannotTell(
            f"{n} of {len(reached)} spectra lie where the stripe was hotter than {coldest_c:.0f} degC, "
            f"{MIN_HOT_POINTS} are needed; scan closer to the centre"
        )
