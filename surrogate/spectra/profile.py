"""The temperature across a laser-annealed stripe, and back from temperature to place.

T(x) = peak exp(-(2 x / f)^2), f from the published polynomial in peak temperature and log10 dwell (Ament et al., Sci.
Adv. 7, eabg4930 (2021)); the coefficients are data, in `surrogate/facts/lglsa_profile.json`. Real beams are not quite
symmetric, so the width may differ between the sides.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


@cache
def _facts() -> dict[str, Any]:
    return json.loads((resources.files("surrogate") / "facts" / "lglsa_profile.json").read_text(encoding="utf-8"))


def width_um(peak_temperature_c: float, log10_dwell_us: float) -> float:
    """Return the published width f, in um; conditions outside the fitted range are taken at its edge.

    The polynomial has poles not far outside, so that an extrapolated width would mean nothing.
    """
    facts = _facts()
    peak = float(np.clip(peak_temperature_c, *facts["peak_temperature_c"]))
    dwell = float(np.clip(log10_dwell_us, *facts["log10_dwell_us"]))
    terms = facts["width_um_terms"]
    return sum(t["coefficient"] * peak ** t["temperature_power"] * dwell ** t["log10_dwell_power"] for t in terms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """T(x) of one stripe, x in mm from its centre."""

    peak_c: float
    left_width_mm: float
    right_width_mm: float

    @classmethod
    def of(cls, *, peak_temperature_c: float, dwell_us: float, right_over_left: float = 1.0) -> Profile:
        """Return the published profile; where a beam is lopsided, the published width is that of its left side.

        Raises:
            ValueError: A condition is not positive and finite.
        """
        for name, value, unit in (("peak temperature", peak_temperature_c, "degC"), ("dwell", dwell_us, "us")):
            if not (np.isfinite(value) and value > 0):
                raise ValueError(f"the {name} of a stripe must be positive, not {value:g} {unit}")
        width_mm = 1e-3 * width_um(peak_temperature_c, float(np.log10(dwell_us)))
        return cls(peak_c=peak_temperature_c, left_width_mm=width_mm, right_width_mm=width_mm * right_over_left)

    def temperature(self, x_mm: Array) -> Array:
        """Return T at positions of any shape, in degC."""
        return self.peak_c * np.exp(-((2.0 * x_mm / self._width(x_mm)) ** 2))

    def slope(self, x_mm: Array) -> Array:
        """Return dT/dx at positions of any shape, in degC/mm."""
        return -8.0 * x_mm / self._width(x_mm) ** 2 * self.temperature(x_mm)

    def position(self, temperature_c: Array, *, side: int = 1) -> Array:
        """Return where a temperature was reached, in mm; side is 1 (right) or -1 (left).

        Raises:
            ValueError: A temperature does not lie between 0 and the peak.
        """
        if np.any(temperature_c <= 0) or np.any(temperature_c > self.peak_c):
            raise ValueError(f"this stripe reached temperatures above 0 and up to {self.peak_c:g} degC only")
        width = self.right_width_mm if side > 0 else self.left_width_mm
        return side * 0.5 * width * np.sqrt(np.log(self.peak_c / temperature_c))

    def _width(self, x_mm: Array) -> Array:
        return np.where(np.asarray(x_mm) > 0, self.right_width_mm, self.left_width_mm)
