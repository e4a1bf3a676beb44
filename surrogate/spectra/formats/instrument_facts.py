"""Give what spectrometers write into their headers one name and one unit, whoever made them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from surrogate.formats.record import Fact

_PER_SECOND = {"us": 1e6, "ms": 1e3, "s": 1.0}
_TIME = re.compile(
    r"(?:acq_time|acquisition_time|int(?:egration)?_?time\d?|integrationszeit|temps_d_integration|exposure(?:_time)?|time1)"
    r"_(us|ms|s)"
)
_NAMES = (
    ("averages", re.compile(r"spectra_averaged|scans_to_average|averag(?:e|ing)(?:_nr)?(?:_scans)?\d?|accumulations")),
    ("boxcar_pixels", re.compile(r"boxcar_(?:smoothing|width)|smoothing_nr_pixels|nr_of_pixels_used_for_smoothing")),
    ("serial", re.compile(r"spectrometers?|.*serial_number|data_measured_with_spectrometer_name|serial")),
    ("measured_at", re.compile(r"date|acquired|measured_at")),
    ("laser_nm", re.compile(r"laser(?:_wavelength)?_nm|laser|excitation_wavelength_nm")),
)


def with_common_names(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    """Return facts with `integration_s`, `averages`, `laser_nm` and other common ones added where they are told."""
    common: dict[str, Fact] = {}
    for name, value in facts.items():
        if (match := _TIME.fullmatch(name)) and isinstance(value, int | float):
            common.setdefault("integration_s", value / _PER_SECOND[match[1]])
        for new, pattern in _NAMES:
            if pattern.fullmatch(name) and (new != "laser_nm" or isinstance(value, int | float)):
                common.setdefault(new, value)
    return {**facts, **common}
