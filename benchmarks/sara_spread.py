"""A composition spread in closed form, for `benchmarks/sara_raised.py`.

The five phases and slanted boundaries of SARA's synthetic film, whose boundaries shift with the composition besides.
The phase that is looked for forms in one part of the spread only, and in short dwells; elsewhere its place is taken by
its neighbour. Optics, detector and scans are left out: a stripe gives the gradient with 5 % + 0.15 of noise, and the
fraction of the phase with 0.05, at eight temperatures below its peak.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from planner import Continuous, Observation, SearchSpace

Array = NDArray[np.float64]

GRADIENT, PHASE = "optical_gradient", "delta"
ELEMENTS = ("a", "b", "c")
PEAKS_C = np.linspace(500.0, 1250.0, 11)
DWELLS_US = np.geomspace(250.0, 10_000.0, 5)
PITCH_MM = 12.0
RADIUS_MM = 54.0
BELOW_C = np.linspace(200.0, 10.0, 8)
_BOUNDARIES = ((560.0, -90.0, 15.0), (760.0, -60.0, 12.0), (930.0, -110.0, 18.0), (1180.0, -40.0, 10.0))
"""Temperature at 1 ms (degC), shift per decade of the dwell, width."""
_CONTRAST = (9.0, 14.0, 11.0, 16.0)
_POCKET = 0.16
_LONGEST, _FADES = 3.4, 0.08


class Spread:
    """One seeded wafer."""

    def __init__(self, seed: int) -> None:
        chance = np.random.default_rng([seed, 7])
        self._rng = np.random.default_rng([seed, 8])
        self._shift = chance.normal(0.0, 80.0, (len(_BOUNDARIES), 2))
        self._offset = chance.normal(0.0, 15.0, len(_BOUNDARIES))
        self.centre = chance.dirichlet((4.0, 4.0, 4.0))
        """Composition at which the phase is purest."""

    def space(self) -> SearchSpace:
        """Return the stripes that can be made: every condition at every place, whose composition follows from it."""
        axes = [
            Continuous("peak_temperature", 500.0, 1250.0, unit="degC"),
            Continuous("dwell", 250.0, 10_000.0, unit="us", scale="log"),
            *[Continuous(name, 0.0, 1.0) for name in ELEMENTS],
            *[Continuous(name, -60.0, 60.0, unit="mm") for name in ("x", "y")],
        ]
        return SearchSpace(axes, candidates=candidates())

    def boundaries_c(self, log_dwell: Array, fractions: Array) -> Array:
        """Return ``n x 4`` boundaries at conditions (``n``, ``n x 3``)."""
        base, slope, _ = np.array(_BOUNDARIES).T
        return base + self._offset + (log_dwell[:, None] - 3.0) * slope + (fractions[:, :2] - 1 / 3) @ self._shift.T

    def shares(self, temperature_c: Array, log_dwell: Array, fractions: Array) -> Array:
        """Return ``n x 5`` phase fractions."""
        width = np.array(_BOUNDARIES)[:, 2]
        s = expit((temperature_c[:, None] - self.boundaries_c(log_dwell, fractions)) / width)
        shares = np.hstack([1.0 - s[:, :1], s[:, :-1] - s[:, 1:], s[:, -1:]])
        away = np.sum(np.square(fractions - self.centre), axis=1)
        pure = np.exp(-0.5 * (away / _POCKET**2) ** 2) * expit((_LONGEST - log_dwell) / _FADES)
        shares[:, 3] += (1.0 - pure) * shares[:, 2]
        shares[:, 2] *= pure
        return shares

    def phase(self, points: list[Mapping[str, Any]]) -> Array:
        """Return the fraction of the phase at points, ``n``."""
        return self.shares(*conditions(points))[:, 2]

    def gradient(self, temperature_c: Array, log_dwell: Array, fractions: Array) -> Array:
        """Return ``n`` gradients: how fast the boundaries are crossed, times the contrast of the phases."""
        width = np.array(_BOUNDARIES)[:, 2]
        s = expit((temperature_c[:, None] - self.boundaries_c(log_dwell, fractions)) / width)
        return 0.4 + 4.0 * (s * (1.0 - s)) @ np.array(_CONTRAST)

    def stripe(self, point: Mapping[str, Any], proposal_id: str | None = None) -> list[Observation]:
        """Make one stripe."""
        along = [{**point, "peak_temperature": float(point["peak_temperature"]) - float(below)} for below in BELOW_C]
        true = self.gradient(*conditions(along))
        sd = 0.15 + 0.05 * true
        seen = np.maximum(true + sd * self._rng.standard_normal(len(true)), 0.0)
        share = np.clip(self.phase(along) + 0.05 * self._rng.standard_normal(len(true)), 0.0, 1.0)
        return [
            Observation(
                parameters=at,
                values={GRADIENT: float(g), PHASE: float(w)},
                noise={GRADIENT: float(s), PHASE: 0.05},
                proposal_id=proposal_id,
            )
            for at, g, w, s in zip(along, seen, share, sd, strict=True)
        ]


def conditions(points: list[Mapping[str, Any]]) -> tuple[Array, Array, Array]:
    """Return temperatures (``n``), log10 dwells (``n``) and fractions (``n x 3``) of points."""
    table = np.array(
        [[float(p["peak_temperature"]), float(p["dwell"]), *(float(p[e]) for e in ELEMENTS)] for p in points]
    )
    return table[:, 0], np.log10(table[:, 1]), table[:, 2:]


def candidates() -> list[dict[str, float]]:
    """Return every stripe that can be made."""
    return [
        {"peak_temperature": float(peak), "dwell": float(dwell), **place}
        for place in places()
        for peak in PEAKS_C
        for dwell in DWELLS_US
    ]


def places() -> list[dict[str, float]]:
    """Return places on the wafer with their composition: three sources 120 degrees apart."""
    steps = np.arange(-RADIUS_MM, RADIUS_MM + 0.1, PITCH_MM)
    angles = np.pi / 2 + np.arange(3) * 2 * np.pi / 3
    sources = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = []
    for x in steps:
        for y in steps:
            if np.hypot(x, y) <= RADIUS_MM:
                rate = np.exp(2.2 * sources @ np.array([x, y]) / RADIUS_MM)
                share = np.round(rate / rate.sum(), 4)
                found.append({**dict(zip(ELEMENTS, share.tolist(), strict=True)), "x": float(x), "y": float(y)})
    return found
