"""What the analysis `peaks` may be told, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from surrogate.options import is_number, unknown_keys
from surrogate.spectra.line_shapes import SHAPES

QUANTITIES = ("position", "height", "area", "fwhm")

OPTIONS: Mapping[str, object] = {
    "peaks": None,
    "fwhm": None,
    "axis": "wavelength_nm",
    "signal": "counts",
    "role": "",
    "dark": "",
    "reference": "",
    "absorbance": False,
    "baseline": "evidence",
    "shape": "pseudo_voigt",
    "widest": 3.0,
    "line_fwhm": 0.0,
    "false_alarms": 0.01,
}
"""Defaults. `peaks` maps a target to ``{near, within, take, absent}``; `fwhm` is the width of a typical peak. `near`,
`within`, `fwhm` and `line_fwhm` are in the unit of the axis. `axis` and `signal` name arrays. `role` is that of the
spectra to look at (all but darks and references), `dark` and `reference` those of the spectra that are taken off and
divided by; `absorbance` takes -log10 of the ratio. `line_fwhm` is the width of the instrument's line, where spikes are
to be removed.
"""
_NAMES = ("axis", "signal", "role", "dark", "reference")
_CHOICES: Mapping[str, tuple[str, ...]] = {"baseline": ("evidence", "none"), "shape": SHAPES}
_PEAK_KEYS = ("near", "within", "take", "absent")
_WHAT = "the analysis 'peaks'"


def problems(options: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with options, as sentences."""
    given = {key: value for key, value in options.items() if key != "parameters"}
    found = unknown_keys(given, dict(OPTIONS), _WHAT)
    for key, value in given.items():
        found += _problem(key, value)
    if not is_number(given.get("fwhm"), above=0.0) and "fwhm" not in given:
        found.append(f"{_WHAT} needs 'fwhm', the width of a typical peak in the unit of the axis")
    if given.get("absorbance") is True and not given.get("reference"):
        found.append(f"{_WHAT} needs the role of the 'reference' for an absorbance")
    return found + _peak_problems(given.get("peaks"))


def _problem(key: str, value: object) -> list[str]:
    if key in _NAMES and not isinstance(value, str):
        return [f"the option {key!r} of {_WHAT} is a name, not {value!r}"]
    if key in _CHOICES and value not in _CHOICES[key]:
        return [f"the option {key!r} of {_WHAT} is one of {', '.join(_CHOICES[key])}, not {value!r}"]
    if key in ("fwhm", "false_alarms") and not is_number(value, above=0.0):
        return [f"the option {key!r} of {_WHAT} is a number above 0, not {value!r}"]
    if key == "widest" and not is_number(value, above=1.0):
        return [f"the option 'widest' of {_WHAT} is a number of typical widths above 1, not {value!r}"]
    if key == "line_fwhm" and not is_number(value, above=-1e-300):
        return [f"the option 'line_fwhm' of {_WHAT} is a number of at least 0, not {value!r}"]
    if key == "absorbance" and not isinstance(value, bool):
        return [f"the option 'absorbance' of {_WHAT} is true or false, not {value!r}"]
    return []


def _peak_problems(peaks: object) -> list[str]:
    if not isinstance(peaks, Mapping) or not peaks:
        return [f"{_WHAT} needs 'peaks', a mapping of targets to {{near, within, take}}; it is {peaks!r}"]
    return [sentence for target, peak in peaks.items() for sentence in _one_peak_problems(target, peak)]


def _one_peak_problems(target: object, peak: object) -> list[str]:
    what = f"the peak of {target!r}"
    if not isinstance(peak, Mapping):
        return [f"{what} is a mapping with near, within and take, not {peak!r}"]
    found = unknown_keys(peak, _PEAK_KEYS, what)
    if not is_number(peak.get("near")):
        found.append(f"{what} needs 'near', a position on the axis, not {peak.get('near')!r}")
    if not is_number(peak.get("within"), above=0.0):
        found.append(f"{what} needs 'within', a distance above 0, not {peak.get('within')!r}")
    if peak.get("take") not in QUANTITIES:
        found.append(f"{what} needs 'take', one of {', '.join(QUANTITIES)}, not {peak.get('take')!r}")
    if peak.get("absent", "cannot_tell") not in ("cannot_tell", "zero"):
        found.append(f"'absent' of {what} is cannot_tell or zero, not {peak['absent']!r}")
    if peak.get("absent") == "zero" and peak.get("take") not in ("height", "area"):
        found.append(
            f"a {peak.get('take')} of {target!r} cannot be zero where the peak is absent; only height and area"
        )
    return found
