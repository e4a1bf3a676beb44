"""What a measurement is, in words: for the page, the picture and the command line alike."""

from __future__ import annotations

import numpy as np

from surrogate.formats.record import Array, Axis, MeasurementFile, Scan, poisson_sigma

_QUANTITIES = {
    "two_theta": "2θ", "omega": "ω", "q": "q", "d_spacing": "d", "wavelength": "wavelength", "energy": "photon energy",
    "wavenumber": "wavenumber", "raman_shift": "Raman shift", "frequency": "frequency", "time": "time",
    "position": "position", "mass_to_charge": "m/z", "unknown": "axis of unknown quantity",
}  # fmt: skip
_UNITS = {"deg": "°", "Ao": "Å", "/Ao": "Å⁻¹", "/cm": "cm⁻¹", "/nm": "nm⁻¹", "um": "µm", "us": "µs", "1": ""}
_ENDINGS = {
    "per_cm": "cm⁻¹", "per_mm": "mm⁻¹", "kv": "kV", "ma": "mA", "deg": "°", "um": "µm", "mm": "mm", "us": "µs",
    "ms": "ms", "s": "s", "k": "K", "c": "°C", "angstrom": "Å", "nm": "nm", "mw": "mW", "percent": "%",
}  # fmt: skip
"""Units at the end of the names of facts."""
EVEN = 1e-4
"""Largest relative change of a step that is still called even."""


def unit_words(unit: str) -> str:
    """Return a unit of UCUM as people write it."""
    return _UNITS.get(unit, unit)


def axis_words(axis: Axis) -> str:
    """Return the label of an axis."""
    unit = unit_words(axis.unit)
    return f"{_QUANTITIES[axis.quantity]} ({unit})" if unit else _QUANTITIES[axis.quantity]


def value_words(scan: Scan) -> str:
    """Return the label of the values."""
    unit = unit_words(scan.unit)
    name = scan.quantity.replace("_", " ")
    return f"{name} ({unit})" if unit else name


def source_words(file: MeasurementFile) -> str:
    """Return the format, who read it and who checked that, as one line."""
    checked = f", checked by {', '.join(file.checked_by)}" if file.checked_by else ""
    return f"{file.format}, read by {file.reader} {file.version}{checked}"


def summary(scan: Scan) -> list[tuple[str, str]]:
    """Return what a scan is, as names and texts."""
    x, unit = scan.axis.values, unit_words(scan.axis.unit)
    rows = [
        ("axis", f"{_QUANTITIES[scan.axis.quantity]} from {x[0]:.6g} to {x[-1]:.6g} {unit}".rstrip()),
        ("points", f"{x.size}, {step_words(x, unit)}"),
        ("values", f"{value_words(scan)}, {_range(scan.values)}"),
        ("counted", counted_words(scan)),
    ]
    if scan.count_time_s is not None:
        rows.append(("counting time", f"{_each(scan.count_time_s)} s for each point"))
    if scan.attenuation is not None:
        weak = int(np.sum(scan.attenuation != 1.0))
        points = "1 point" if weak == 1 else f"{weak} points"
        rows.append(("attenuation", f"{points}, by a factor of up to {scan.attenuation.max():.6g}"))
    if scan.radiation is not None:
        rows.append(("radiation", radiation_words(scan)))
    return rows


def step_words(x: Array, unit: str) -> str:
    """Say how far points are apart."""
    steps = np.diff(x)
    if not steps.size or not np.isfinite(steps).all():
        return "no step"
    middle = float(np.median(steps))
    rounding = _last_digit(x) if _last_digit(x) < 0.5 * abs(middle) else 0.0
    if np.abs(steps - middle).max() <= EVEN * abs(middle) + 1.05 * rounding:
        mean = float(x[-1] - x[0]) / steps.size
        return f"in steps of {mean:.4g} {unit}".rstrip()
    return f"in steps from {steps.min():.4g} to {steps.max():.4g} {unit}".rstrip()


def _last_digit(x: Array) -> float:
    """Return the decimal that positions were rounded to, since a step may be off by it; 0 where they were not."""
    for decimals in range(7):
        scaled = x * 10.0**decimals
        if np.allclose(scaled, np.round(scaled), rtol=0.0, atol=1e-4):
            return 10.0**-decimals
    return 0.0


def counted_words(scan: Scan) -> str:
    """Say whether counts are known, and the uncertainty with them."""
    if scan.counts is None:
        return "no counts, no uncertainty" if scan.sigma is None else "no counts; uncertainty as the file gives it"
    if scan.sigma is None:
        how = "no uncertainty: a spectrometer's counts are not single photons"
    else:
        is_poisson = np.array_equal(scan.sigma, poisson_sigma(scan.counts, scan.attenuation))
        how = "with Poisson's uncertainty" if is_poisson else "with its uncertainty"
    return f"whole counts up to {scan.counts.max():.0f}, {how}"


def radiation_words(scan: Scan) -> str:
    """Return anode and lines with their ratio."""
    lines = scan.radiation
    if lines is None:
        return ""
    shown = [f"{lines.wavelength_angstrom[0]:.6f} Å"]
    shown += [
        f"{each:.6f} Å (x {ratio:g})"
        for each, ratio in zip(lines.wavelength_angstrom[1:], lines.ratio[1:], strict=True)
    ]
    return f"{lines.anode} {', '.join(shown)}".strip()


def facts_table(scan: Scan) -> list[tuple[str, str]]:
    """Return the facts of a header as names and texts."""
    return [_fact(name, value) for name, value in scan.facts.items()]


def _fact(name: str, value: object) -> tuple[str, str]:
    """Move the unit at the end of a name behind the value."""
    ending = next((ending for ending in _ENDINGS if name.endswith(f"_{ending}")), "")
    if not ending or isinstance(value, str | bool):
        return name.replace("_", " "), _plain(value)
    return name.removesuffix(f"_{ending}").replace("_", " "), f"{_plain(value)} {_ENDINGS[ending]}"


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _range(values: Array) -> str:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return "none of them a number"
    missing = f", {values.size - finite.size} missing" if finite.size < values.size else ""
    return f"from {finite.min():.6g} to {finite.max():.6g}{missing}"


def _each(values: Array) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.4g}" if high - low <= 1e-9 * high else f"{low:.4g} to {high:.4g}"
