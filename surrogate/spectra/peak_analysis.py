"""The analysis `peaks`: position, height, width or area of named peaks of a spectrum, with standard deviation.

Darks and references are used where their roles are named (`surrogate.spectra.detector`), spikes removed where the
instrument's line is known, the baseline chosen by evidence, lines fitted. Several spectra give their weighted mean,
with an sd that is enlarged where they disagree. A peak that does not stand out is no value: ``cannot_tell`` says so,
or, where the campaign asks for it, zero with the sd that noise leaves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.analysis import AnalysisResult, Finding, MeasurementData
from surrogate.spectra import peak_options
from surrogate.spectra.baseline import estimate_baseline
from surrogate.spectra.despike import despike
from surrogate.spectra.detector import Detector, Frames, correct, divide
from surrogate.spectra.errors import CannotTell
from surrogate.spectra.line_shapes import GAUSS_AREA, LORENTZ_AREA
from surrogate.spectra.noise import noise_sd
from surrogate.spectra.peaks import Estimate, Peak, PeakOptions, find_peaks

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

RIVAL_SHARE = 0.5
"""A second peak within reach that is so high, relative to the highest, makes the choice a guess."""


def problems(options: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with options, as sentences."""
    return peak_options.problems(options)


def analyse(measurements: Sequence[MeasurementData], *, options: Mapping[str, Any]) -> AnalysisResult:
    """Measure the named peaks.

    Raises:
        ValueError: An option is unknown or has no such value.
    """
    if found := problems(options):
        raise ValueError("; ".join(found))
    chosen = {**peak_options.OPTIONS, **options}
    try:
        return _analyse(measurements, chosen)
    except CannotTell as reason:
        return AnalysisResult(cannot_tell=str(reason))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spectrum:
    """``p`` points by rising position."""

    x: Array
    y: Array
    sd: Array
    valid: Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """A spectrum, its baseline, and its peaks."""

    spectrum: _Spectrum
    baseline: Array
    baseline_sd: Array
    method: str
    peaks: tuple[Peak, ...]
    notes: tuple[str, ...]


def _analyse(measurements: Sequence[MeasurementData], options: Mapping[str, Any]) -> AnalysisResult:
    measured = [_measure(spectrum, options) for spectrum in _spectra(measurements, options)]
    estimates = {
        target: _together([_named(one, target, peak, options) for one in measured])
        for target, peak in options["peaks"].items()
    }
    values = {target: one.value for target, one in estimates.items()}
    sd = {target: one.sd for target, one in estimates.items()}
    finding = Finding(parameters=dict(options.get("parameters", {})), values=values, sd=sd)
    return AnalysisResult(findings=(finding,), values=values, details=_details(measured))


def _measure(spectrum: _Spectrum, options: Mapping[str, Any]) -> _Measured:
    step = float(np.median(np.diff(spectrum.x)))
    if options["line_fwhm"]:
        spectrum = _despiked(spectrum, options["line_fwhm"] / step)
    baseline, baseline_sd = np.zeros(len(spectrum.x)), np.zeros(len(spectrum.x))
    method, notes = "none", ()
    if options["baseline"] == "evidence":
        # what is drawn at random only shares weights out; the same spectrum must give the same answer
        found = estimate_baseline(
            spectrum.y,
            generator=np.random.default_rng(0),
            sd=spectrum.sd,
            valid=spectrum.valid,
            widest_peak=options["widest"] * options["fwhm"] / step,
        )
        baseline, baseline_sd, method, notes = found.values, found.sd, found.chosen.name, found.warnings
    looking = PeakOptions(
        fwhm=options["fwhm"],
        widest=options["widest"],
        shape=options["shape"],
        false_alarms=options["false_alarms"],
    )
    peaks = find_peaks(spectrum.x, spectrum.y - baseline, sd=spectrum.sd, valid=spectrum.valid, options=looking)
    return _Measured(
        spectrum=spectrum, baseline=baseline, baseline_sd=baseline_sd, method=method, peaks=peaks, notes=notes
    )


def _despiked(spectrum: _Spectrum, line_points: float) -> _Spectrum:
    index = np.arange(len(spectrum.x))
    good = spectrum.valid
    filled = np.interp(index, index[good], spectrum.y[good])
    sd = np.interp(index, index[good], spectrum.sd[good])
    clean = despike(filled, line_fwhm=line_points, sd=sd)
    # a bridge is a guess: the fit leaves it out, and a peak whose top was struck is flagged
    return replace(spectrum, y=clean.values, valid=good & ~clean.struck)


def _named(one: _Measured, target: str, peak: Mapping[str, Any], options: Mapping[str, Any]) -> Estimate:
    """Return the wanted quantity of a named peak of one spectrum."""
    near, within = float(peak["near"]), float(peak["within"])
    if not one.spectrum.x[0] <= near <= one.spectrum.x[-1]:
        raise CannotTell(
            f"{target}: {near:g} lies outside the spectrum, {one.spectrum.x[0]:g} to {one.spectrum.x[-1]:g}"
        )
    here = sorted(
        (found for found in one.peaks if abs(found.position.value - near) <= within),
        key=lambda found: -found.height.value,
    )
    if not here:
        return _absent(one, target, peak, options)
    if len(here) > 1 and here[1].height.value > RIVAL_SHARE * here[0].height.value:
        raise CannotTell(
            f"{target}: peaks at {here[0].position.value:g} and {here[1].position.value:g} lie within {within:g} of "
            f"{near:g}, and neither is much the higher one; narrow 'within'"
        )
    if "masked top" in here[0].flags:
        raise CannotTell(f"{target}: the top of the peak at {here[0].position.value:g} is saturated, struck or masked")
    return _with_baseline(one, here[0], peak["take"])


def _with_baseline(one: _Measured, peak: Peak, quantity: str) -> Estimate:
    """Return a quantity with the baseline's error, which is common to all points of a peak and no noise."""
    estimate: Estimate = getattr(peak, quantity)
    level = float(np.interp(peak.position.value, one.spectrum.x, one.baseline_sd))
    share = peak.lorentz_share.value
    width = peak.fwhm.value * (share * LORENTZ_AREA + (1.0 - share) * GAUSS_AREA)
    common = {"height": level, "area": level * width}.get(quantity, 0.0)
    return Estimate(value=estimate.value, sd=float(np.hypot(estimate.sd, common)))


def _absent(one: _Measured, target: str, peak: Mapping[str, Any], options: Mapping[str, Any]) -> Estimate:
    """Return zero with the sd of a height that is fitted where nothing stands out, or refuse."""
    near, fwhm = float(peak["near"]), float(options["fwhm"])
    sd = np.where(one.spectrum.valid, one.spectrum.sd, np.inf)
    line = 2.0 ** (-4.0 * ((one.spectrum.x - near) / fwhm) ** 2)
    power = float(np.sum((line / sd) ** 2))
    if power == 0.0:
        raise CannotTell(f"{target}: the spectrum is masked near {near:g}")
    height_sd = float(np.hypot(1.0 / np.sqrt(power), np.interp(near, one.spectrum.x, one.baseline_sd)))
    if peak.get("absent", "cannot_tell") == "cannot_tell":
        raise CannotTell(
            f"{target}: no peak stands out within {peak['within']:g} of {near:g}; the noise there leaves the height of "
            f"one an sd of {height_sd:.3g}"
        )
    return Estimate(value=0.0, sd=height_sd * (GAUSS_AREA * fwhm if peak["take"] == "area" else 1.0))


def _together(estimates: Sequence[Estimate]) -> Estimate:
    """Return the weighted mean, its sd enlarged where the values disagree."""
    values, sds = np.array([[one.value, one.sd] for one in estimates]).T
    weights = 1.0 / np.maximum(sds, 1e-300) ** 2
    mean = float(np.average(values, weights=weights))
    freedom = len(values) - 1
    chi2 = float(np.sum(weights * (values - mean) ** 2)) / freedom if freedom else 1.0
    return Estimate(value=mean, sd=float(np.sqrt(max(chi2, 1.0) / weights.sum())))


def _spectra(measurements: Sequence[MeasurementData], options: Mapping[str, Any]) -> list[_Spectrum]:
    aside = {options["dark"], options["reference"]} - {""}
    wanted = [one for one in measurements if {options["axis"], options["signal"]} <= set(one.arrays)]
    samples = [
        one for one in wanted if _role(one) not in aside and (not options["role"] or _role(one) == options["role"])
    ]
    if not samples:
        raise CannotTell(
            f"none of {len(measurements)} measurements is a spectrum with the arrays {options['axis']!r} and "
            f"{options['signal']!r}" + (f" and the role {options['role']!r}" if options["role"] else "")
        )
    if not aside:
        return [_plain(one, options) for one in samples]
    by_role = {role: [one for one in wanted if _role(one) == role] for role in aside}
    return [_corrected(samples, by_role, options)]


def _role(one: MeasurementData) -> str:
    return str(one.metadata.get("role", ""))


def _plain(one: MeasurementData, options: Mapping[str, Any]) -> _Spectrum:
    x, y = (np.asarray(one.arrays[options[key]], dtype=float) for key in ("axis", "signal"))
    _require_columns(x, y)
    clip = float(one.metadata.get("saturation_counts", np.inf))
    valid = np.isfinite(y) & (y < clip * (1.0 - 1e-9))
    given = one.arrays.get("sigma")
    sd = noise_sd(y[None], valid[None])[0] if given is None else np.asarray(given, dtype=float)
    return _rising(x, y, sd, valid)


def _corrected(
    samples: Sequence[MeasurementData], by_role: Mapping[str, Sequence[MeasurementData]], options: Mapping[str, Any]
) -> _Spectrum:
    """Return the mean of all samples, darks taken off and divided by references."""
    if not by_role.get(options["dark"]):
        raise CannotTell(
            "a reference can be divided by only where darks were taken: name their role, and take them at its exposure"
        )
    x = np.asarray(samples[0].arrays[options["axis"]], dtype=float)
    clip = min(float(one.metadata.get("saturation_counts", np.inf)) for one in samples)
    detector = Detector(saturation_counts=clip)
    darks = [_frames([one], options, x) for one in _by_exposure(by_role[options["dark"]])]
    signal = correct(_frames(samples, options, x), darks, detector=detector)
    if options["reference"]:
        references = by_role[options["reference"]]
        if not references:
            raise CannotTell(f"there is no spectrum with the role {options['reference']!r} to divide by")
        signal = divide(signal, correct(_frames(references, options, x), darks, detector=detector))
    values, sd, valid = signal.values, signal.sd, signal.valid
    if options["absorbance"]:
        valid = valid & (np.nan_to_num(values) > 3.0 * np.nan_to_num(sd))
        with np.errstate(divide="ignore", invalid="ignore"):
            values, sd = -np.log10(values), sd / np.abs(values) / np.log(10.0)
    return _rising(x, values, sd, valid)


def _by_exposure(darks: Sequence[MeasurementData]) -> list[MeasurementData]:
    return sorted(darks, key=lambda one: float(one.metadata.get("taken_s", 0.0)))


def _frames(taken: Sequence[MeasurementData], options: Mapping[str, Any], x: Array) -> Frames:
    exposures = {float(one.metadata.get("exposure_s", 0.0)) for one in taken}
    if len(exposures) > 1:
        raise CannotTell(
            f"spectra of one role were taken with {len(exposures)} exposures, "
            f"{min(exposures):g} to {max(exposures):g} s; take them with one"
        )
    for one in taken:
        axis = np.asarray(one.arrays[options["axis"]], dtype=float)
        _require_columns(axis, np.asarray(one.arrays[options["signal"]]))
        if axis.shape != x.shape or not np.allclose(axis, x, rtol=0.0, atol=1e-3 * float(np.ptp(x)) / len(x)):
            raise CannotTell("spectra of different axes were mixed; take all of them with one spectrometer")
    return Frames(
        counts=np.array([np.asarray(one.arrays[options["signal"]], dtype=float) for one in taken]),
        exposure_s=exposures.pop(),
        averages=min(int(one.metadata.get("averages", 1)) for one in taken),
    )


def _require_columns(x: Array, y: Array) -> None:
    if x.ndim != 1 or x.shape != y.shape or len(x) < 2:
        raise CannotTell(f"a spectrum has an axis of shape {x.shape} and a signal of shape {y.shape}")


def _rising(x: Array, y: Array, sd: Array, valid: Mask) -> _Spectrum:
    rising = slice(None, None, -1) if x[-1] < x[0] else slice(None)
    if not valid.any():
        raise CannotTell(f"none of {len(x)} points of a spectrum is usable: saturated, masked, or no numbers")
    return _Spectrum(x=x[rising], y=y[rising], sd=sd[rising], valid=valid[rising])


def _details(measured: Sequence[_Measured]) -> dict[str, Any]:
    first = measured[0]
    return {
        "axis": first.spectrum.x,
        "signal": first.spectrum.y,
        "valid": first.spectrum.valid,
        "baseline": first.baseline,
        "baseline_sd": first.baseline_sd,
        "baseline_method": first.method,
        "peak_positions": np.array([peak.position.value for peak in first.peaks]),
        "peak_heights": np.array([peak.height.value for peak in first.peaks]),
        "peak_flags": [", ".join(peak.flags) for peak in first.peaks],
        "spectra": len(measured),
        "notes": list(dict.fromkeys(note for one in measured for note in one.notes)),
    }
