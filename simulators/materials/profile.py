"""The temperature that a laser-annealed stripe reached, across its width.

``T(x) = peak * exp(-(2 x / f)^2)`` with the published width ``f(peak, log10 dwell)`` of Ament et al., Science Advances
7, eabg4930 (2021), doi 10.1126/sciadv.abg4930. The coefficients are a public fact, shared with the planner as a data
file; what a simulated beam really does (its width error, its asymmetry, where its centre lies) belongs to each shot.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

AMBIENT_C = 25.0
"""What a film that was never heated has seen, in degC."""


@cache
def _facts() -> tuple[tuple[tuple[float, int, int], ...], tuple[float, float], tuple[float, float]]:
    text = (resources.files("surrogate") / "facts" / "lglsa_profile.json").read_text(encoding="utf-8")
    facts = json.loads(text)
    terms = tuple(
        (term["coefficient"], term["temperature_power"], term["log10_dwell_power"]) for term in facts["width_um_terms"]
    )
    return terms, tuple(facts["peak_temperature_c"]), tuple(facts["log10_dwell_us"])


def width_um(peak_temperature_c: float, log10_dwell_us: float) -> float:
    """Return the published width f in um.

    Outside the fitted range (400 to 1300 degC, 250 us to 10 ms) the value at its edge is returned: the polynomial has
    poles nearby, and a half-dwell shot of the shortest dwell would otherwise get a width that means nothing.
    """
    terms, (low_c, high_c), (low_dwell, high_dwell) = _facts()
    peak = min(max(float(peak_temperature_c), low_c), high_c)
    dwell = min(max(float(log10_dwell_us), low_dwell), high_dwell)
    return sum(coefficient * peak**p * dwell**q for coefficient, p, q in terms)


def temperature_c(
    offset_mm: ArrayLike, *, peak_temperature_c: float, width_um: float, right_width_factor: float
) -> Array:
    """Return the highest temperature reached at offsets from the stripe's true centre, never below ambient.

    Args:
        offset_mm: any shape; positive is right.
        peak_temperature_c: at the centre, in degC.
        width_um: f of the left side.
        right_width_factor: f of the right side over f of the left side.
    """
    offset_um = 1e3 * np.asarray(offset_mm, dtype=float)
    side = np.where(offset_um > 0.0, width_um * right_width_factor, width_um)
    return np.maximum(peak_temperature_c * np.exp(-np.square(2.0 * offset_um / side)), AMBIENT_C)
