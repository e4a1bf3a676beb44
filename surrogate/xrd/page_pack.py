"""Curves of an identification as the page carries them: 16 bits a point in steps below the noise, base64 in JSON."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.xrd.result import Array, Curves, Identification

MOST_POINTS = 12_000
"""Patterns of more points are drawn as means of neighbours."""
MISSING = 65535
_TOP = 65534


def script_json(value: Any) -> str:
    """Return JSON that is safe inside a script element, whatever the strings in it hold."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in ("<", ">", "&", "\u2028", "\u2029"):
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def packed(found: Identification) -> dict[str, Any]:
    """Return what the charts of one identification need; its curves must be there.

    Raises:
        ValueError: It has no curves.
    """
    if found.curves is None:
        raise ValueError(f"the identification of {found.file} has no curves")
    curves, joined = _shortened(found.curves)
    # in the order of the table, whose colours they share
    names = list(dict.fromkeys([claim.name for claim in found.phases if claim.name in curves.contributions]))
    names += [name for name in curves.contributions if name not in names]
    return {
        "theta": _float32(curves.two_theta_deg),
        "wavelength": wavelength_angstrom(found),
        "unit": str(found.provenance.get("unit", "counts")),
        "joined": joined,
        "observed": _quantised(curves.observed),
        "sigma": _quantised(curves.sigma),
        "calculated": _quantised(curves.calculated),
        "background": _quantised(curves.background),
        "phases": [
            {
                "name": name,
                "curve": _quantised(curves.contributions[name]),
                "ticks": _rounded(curves.ticks_deg.get(name, ())),
            }
            for name in names
        ],
        "peaks": [
            [_rounded([peak.two_theta_deg])[0], float(f"{peak.height_sigma:.3g}")]
            for peak in found.unknown_peaks
            if math.isfinite(peak.two_theta_deg) and math.isfinite(peak.height_sigma)
        ],
    }


def wavelength_angstrom(found: Identification) -> float | None:
    """Return the wavelength of the pattern's angles: of its record, or by Bragg's law from a residual peak."""
    stated = found.provenance.get("wavelength_angstrom")
    first = stated[0] if isinstance(stated, Sequence) and not isinstance(stated, str) and stated else stated
    if isinstance(first, int | float) and math.isfinite(first) and first > 0:
        return float(first)
    for peak in found.unknown_peaks:
        length = 2.0 * peak.d_angstrom * math.sin(math.radians(peak.two_theta_deg) / 2.0)
        if math.isfinite(length) and length > 0:
            return length
    return None


def _shortened(curves: Curves) -> tuple[Curves, int]:
    """Return curves of at most `MOST_POINTS` points, and how many were joined into one."""
    block = -(-len(curves.two_theta_deg) // MOST_POINTS)
    if block <= 1:
        return curves, 1
    means = {name: _means(getattr(curves, name), block) for name in ("observed", "calculated", "background")}
    return Curves(
        two_theta_deg=_means(curves.two_theta_deg, block),
        sigma=np.sqrt(_means(curves.sigma**2, block) / block),
        contributions={name: _means(curve, block) for name, curve in curves.contributions.items()},
        ticks_deg=curves.ticks_deg,
        **means,
    ), block


def _means(values: Array, block: int) -> Array:
    """Return the means of whole blocks of neighbours; an incomplete block at the end is left out."""
    whole = len(values) // block * block
    return np.asarray(values[:whole], dtype=float).reshape(-1, block).mean(axis=1)


def _quantised(values: Array) -> dict[str, Any]:
    """Return values as steps of their signed square root, in which counting noise is the same everywhere."""
    root = np.sign(values) * np.sqrt(np.abs(np.asarray(values, dtype=float)))
    finite = np.isfinite(root)
    low, high = (float(root[finite].min()), float(root[finite].max())) if finite.any() else (0.0, 0.0)
    scale = _TOP / (high - low) if high > low else 0.0
    steps = np.where(finite, np.rint((np.where(finite, root, low) - low) * scale), MISSING)
    return {"low": low, "high": high, "data": _base64(steps.astype("<u2"))}


def _float32(values: Array) -> str:
    return _base64(np.asarray(values).astype("<f4"))


def _base64(array: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(float(value), 4) for value in values if math.isfinite(value)]
