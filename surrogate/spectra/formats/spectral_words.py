"""Words of spectrometer files for what is counted along an axis, and for what was measured.

Units are matched whole after everything but letters, digits, ``%``, ``/`` and ``-`` is dropped and case is folded, so
that ``1/CM``, ``1/cm`` and ``cm-1`` meet; a word that is not known gives an ``unknown`` axis with a warning, never a
guess.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from surrogate.formats.record import Array, Axis, Quantity, counted

LARGEST_POINTS = 1 << 24
"""Points that one file may hold, all its scans together."""
LARGEST_SCANS = 1 << 14
"""Spectra of a map or series that are read; the rest is left, and that is said."""
LOOKS_LIKE_PERCENT = 5.0
"""A transmittance or reflectance above this cannot be a fraction, even of a noisy spectrum."""

_AXES: dict[str, tuple[Quantity, str]] = {
    **dict.fromkeys(("1/cm", "cm-1", "/cm", "cm^-1", "wavenumber", "wavenumbers", "1/cmabs"), ("wavenumber", "/cm")),
    **dict.fromkeys(("ramanshift", "ramanshiftcm-1", "ramanshift1/cm", "deltacm-1", "relcm-1"), ("raman_shift", "/cm")),
    **dict.fromkeys(("nm", "nanometers", "nanometer", "nanometres", "nanometre", "wavelengthnm"), ("wavelength", "nm")),
    **dict.fromkeys(
        ("um", "micrometers", "micrometer", "micrometres", "micrometre", "micron", "microns", "wavelengthum"),
        ("wavelength", "um"),
    ),
    **dict.fromkeys(("a", "angstrom", "angstroms"), ("wavelength", "Ao")),
    **dict.fromkeys(("ev", "electronvolt", "electronvolts", "electronvoltsev", "energyev"), ("energy", "eV")),
    **dict.fromkeys(("kev",), ("energy", "keV")),
    **dict.fromkeys(("hz", "hertz"), ("frequency", "Hz")),
    **dict.fromkeys(("khz", "kilohertz"), ("frequency", "kHz")),
    **dict.fromkeys(("mhz", "megahertz"), ("frequency", "MHz")),
    **dict.fromkeys(("s", "sec", "second", "seconds"), ("time", "s")),
    **dict.fromkeys(("ms", "msec", "milliseconds"), ("time", "ms")),
    **dict.fromkeys(("min", "minutes"), ("time", "min")),
    **dict.fromkeys(("m/z", "m/e", "mz"), ("mass_to_charge", "1")),
    **dict.fromkeys(
        ("2theta", "2-theta", "twotheta", "degrees2theta", "degrees2-theta", "deg2theta", "2thetadegrees"),
        ("two_theta", "deg"),
    ),
    **dict.fromkeys(("mm", "millimeters", "millimetres"), ("position", "mm")),
}  # fmt: skip

_ORDINATES: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("absorbance", "abs", "a.u.absorbance", "absorbanceunits"), ("absorbance", "1")),
    **dict.fromkeys(("transmittance", "transmission"), ("transmittance", "1")),
    **dict.fromkeys(("%t", "%transmittance", "percenttransmittance", "transmittance%", "percenttransmission",
                     "%transmission"), ("transmittance", "%")),
    **dict.fromkeys(("reflectance", "reflection"), ("reflectance", "1")),
    **dict.fromkeys(("%r", "%reflectance", "percentreflectance", "reflectance%"), ("reflectance", "%")),
    **dict.fromkeys(("kubelka-munk", "kubelkamunk"), ("kubelka_munk", "1")),
    **dict.fromkeys(("log1/r",), ("log_inverse_reflectance", "1")),
    **dict.fromkeys(("counts", "count", "cnt", "photoncounts"), ("intensity", "counts")),
    **dict.fromkeys(("counts/s", "cnt/sec", "cnt/s", "counts/sec", "cps"), ("intensity", "counts/s")),
    **dict.fromkeys(("arbitraryunits", "arbitrary", "arbitraryunit", "arb.units", "au", "intensity", "ramanintensity",
                     "relativeabundance", "relativeintensity", "emission", "fluorescence", "signal"),
                    ("intensity", "arbitrary")),
}  # fmt: skip


def key(words: str) -> str:
    """Fold words to what units are matched by."""
    return re.sub(r"[^a-z0-9%/^.-]", "", words.replace("\u00b5", "u").replace("\u03bc", "u").lower()).strip(".")


def axis_of(words: str, values: Array, *, raman: bool = False) -> tuple[Axis, tuple[str, ...]]:
    """Return the axis that words name, and a warning where they are not known.

    Args:
        raman: A Raman spectrum, whose wavenumbers count from the laser line.
    """
    inside = re.search(r"[(\[]([^)\]]*)[)\]]", words)
    quantity, unit = _AXES.get(key(words)) or _AXES.get(key(inside[1] if inside else "")) or ("unknown", words.strip())
    if quantity == "wavenumber" and (raman or "raman" in words.lower()):
        quantity = "raman_shift"
    axis = Axis(quantity=quantity, unit=unit or "1", values=values)
    known = quantity != "unknown"
    return axis, () if known else (f"the axis is in {words.strip() or 'no unit'!r}, which is not known; it is kept so",)


def ordinate_of(words: str, values: Array) -> tuple[str, str, tuple[str, ...]]:
    """Return quantity, unit and warnings of the values, by the words that the file has for them."""
    quantity, unit = _ORDINATES.get(key(words), ("intensity", "arbitrary"))
    if key(words) not in _ORDINATES:
        return quantity, unit, (f"the values are in {words.strip() or 'no unit'!r}, taken as arbitrary",)
    return quantity, *fraction_or_percent(quantity, unit, values)


def fraction_or_percent(quantity: str, unit: str, values: Array) -> tuple[str, tuple[str, ...]]:
    """Return the unit of a fraction, with a warning where its values can only be percent."""
    highest = float(np.max(values, initial=0.0, where=np.isfinite(values)))
    if quantity in ("transmittance", "reflectance") and unit == "1" and highest > LOOKS_LIKE_PERCENT:
        return "%", (f"the {quantity} reaches {highest:g} though the file does not say percent; taken as percent",)
    return unit, ()


def finite(values: Array) -> tuple[Array, tuple[str, ...]]:
    """Return values with NaN for what is infinite, the logarithm of no light say, and a warning where there was any."""
    infinite = np.isinf(values)
    if not infinite.any():
        return values, ()
    return np.where(infinite, np.nan, values), (f"{int(infinite.sum())} values are infinite; they count as unknown",)


def as_json(fields: Mapping[str, Any]) -> str:
    """Return the fields of a binary header as JSON, numbers that JSON does not have as text."""
    return json.dumps(_jsonable(fields, depth=8), ensure_ascii=False)


def _jsonable(value: Any, *, depth: int) -> Any:
    if isinstance(value, Mapping) and depth:
        return {str(name): _jsonable(inner, depth=depth - 1) for name, inner in value.items()}
    if isinstance(value, list | tuple) and depth:
        return [_jsonable(inner, depth=depth - 1) for inner in value]
    if isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)


def measured(values: Array, unit: str, *, photons: bool = False) -> dict[str, Any]:
    """Return the fields of a `Scan` for values: as counts where they are whole numbers of counts.

    Args:
        photons: They are single ones, with Poisson's uncertainty. A spectrometer's counts are steps of its converter,
            so many to a photon as nobody says.
    """
    whole = unit == "counts" and np.isfinite(values).all() and (values >= 0).all() and (values == np.rint(values)).all()
    if not whole:
        return {"values": values, "unit": unit}
    return counted(values) if photons else {**counted(values), "sigma": None}
