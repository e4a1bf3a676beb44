"""Make the exhaustive map of the film station, and with it the weights of the map's score.

    python benchmarks/exhaustive_map.py                       # writes simulators/scoring/film_weights.npz
    python benchmarks/exhaustive_map.py --step 6             # a quick look, writes nothing

Every stripe of the grid (25 dwells x 25 peak temperatures) is annealed on the nominal film (no hidden error) with
failures off and every other disturbance on, photographed, scanned at 51 positions 20 um apart and analysed as a
campaign would. The standard deviations s that come out weigh the map's score from then on: they were fixed once, from
one seed, and no planner that is scored has a say in them. Also printed: how the measured map compares with the truth.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulators.chance import generator
from simulators.instruments.camera import COLUMNS, PIXEL_UM, ROWS
from simulators.materials.detector import Detector, Target
from simulators.materials.film import FilmMaterial
from simulators.materials.options import FilmOptions
from simulators.materials.truth import FilmTruth
from simulators.scoring.film import DWELL_US, OFFSET_C, PEAK_TEMPERATURE_C, exhaustive_points, r_squared
from surrogate.analysis import ANALYSES, MeasurementData

Array = NDArray[np.float64]

OUT = Path(__file__).parents[1] / "simulators" / "scoring" / "film_weights.npz"
SEED = 2021
OPTIONS = FilmOptions.from_mapping({"failures": False, "hidden_error": False})
POSITIONS_MM = np.linspace(-0.5, 0.5, 51)
EXPOSURE_S = 0.05
CAMERA_NOISE = 2.0


class Station:
    """The film, its detector and its camera, without the wire between them."""

    def __init__(self) -> None:
        self._film = FilmMaterial(SEED, OPTIONS)
        self._detector = Detector(SEED, OPTIONS)

    def stripe(self, number: int, peak_c: float, dwell_us: float) -> list[MeasurementData]:
        """Anneal one stripe and return all that is measured of it."""
        x_mm, y_mm = -60.0 + 4.0 * (number % 31), -50.0 + 2.0 * (number // 31)
        shot = self._film.shoot(x_mm=x_mm, y_mm=y_mm, shot_number=0, peak_temperature_c=peak_c, dwell_us=dwell_us)
        light = self._film.reflectance([shot], POSITIONS_MM)
        began_s = 120.0 * number
        scan = [
            self._spectrum("film", light[i], began_s + 0.2 * i, f"{number}.{i}", offset_mm=float(x))
            for i, x in enumerate(POSITIONS_MM)
        ]
        mirror = self._spectrum("mirror", None, began_s, f"{number}.mirror")
        blank = self._spectrum("blank", None, began_s, f"{number}.blank")
        return [mirror, blank, self._picture(shot, number), *scan]

    def _spectrum(
        self, role: Target, light: Array | None, time_s: float, tag: str, offset_mm: float = 0.0
    ) -> MeasurementData:
        counts = self._detector.counts(light, target=role, time_s=time_s, exposure_s=EXPOSURE_S, averages=1, tag=tag)
        return MeasurementData(
            kind="spectrum",
            arrays={"wavelength_nm": FilmMaterial.wavelength_nm, "counts": counts},
            metadata={
                "role": role,
                "offset_mm": offset_mm,
                "taken_s": time_s,
                "exposure_s": EXPOSURE_S,
                "averages": 1,
                "saturation_counts": Detector.saturation_counts,
            },
        )

    def _picture(self, shot: dict, number: int) -> MeasurementData:
        columns_mm = np.arange(0.5 - COLUMNS / 2, COLUMNS / 2) * (PIXEL_UM * 1e-3)
        line = self._film.rgb([shot], columns_mm).astype(float)
        noise = CAMERA_NOISE * generator(SEED, "picture", number).standard_normal((ROWS, *line.shape))
        pixels = np.clip(np.rint(line + noise), 0, 255).astype(np.uint8)
        return MeasurementData(kind="image", arrays={"pixels": pixels}, metadata={"pixel_um": PIXEL_UM})


def analysed(measurements: list[MeasurementData], peak_c: float, dwell_us: float) -> tuple[Array, Array]:
    """Return g and its standard deviation (16 each) of one stripe."""
    parameters = {"peak_temperature": peak_c, "dwell": dwell_us}
    result = ANALYSES["stripe_gradient"](
        measurements, options={"parameters": parameters, "temperatures": len(OFFSET_C)}
    )
    if result.cannot_tell:
        raise SystemExit(f"the stripe at {peak_c:g} degC, {dwell_us:g} us gave no gradient: {result.cannot_tell}")
    at = np.array([finding.parameters["peak_temperature"] for finding in result.findings])
    if not np.allclose(at, peak_c + OFFSET_C):
        raise SystemExit(f"the analysis answered at {at[0]:g} to {at[-1]:g} degC, not at the scorer's temperatures")
    g = np.array([finding.values["optical_gradient"] for finding in result.findings])
    return g, np.array([finding.sd["optical_gradient"] for finding in result.findings])


def exhaustive_map(step: int) -> tuple[Array, Array]:
    """Return ``25 x 25 x 16`` gradients and standard deviations; NaN for stripes left out when step is above 1."""
    station = Station()
    g, sd = np.full((2, len(DWELL_US), len(PEAK_TEMPERATURE_C), len(OFFSET_C)), np.nan)
    for i in range(0, len(DWELL_US), step):
        for j in range(0, len(PEAK_TEMPERATURE_C), step):
            peak_c, dwell_us = float(PEAK_TEMPERATURE_C[j]), float(DWELL_US[i])
            stripe = station.stripe(i * len(PEAK_TEMPERATURE_C) + j, peak_c, dwell_us)
            g[i, j], sd[i, j] = analysed(stripe, peak_c, dwell_us)
    return g, sd


def report(g: Array, sd: Array) -> None:
    """Print how the measured map compares with the truth."""
    temperature, dwell = exhaustive_points()
    truth = FilmTruth(SEED, OPTIONS).gradient(temperature.ravel(), np.log10(dwell.ravel())).reshape(g.shape)
    known = np.isfinite(g)
    y, mu, s = truth[known], g[known], sd[known]
    inside = float(np.mean(np.abs(y - mu) <= 1.645 * s))
    print(f"stripes {known[:, :, 0].sum()}, points {known.sum()}")
    print(f"s: 1% {np.quantile(s, 0.01):.3f}, median {np.median(s):.3f}, 99% {np.quantile(s, 0.99):.3f}")
    print(f"R2 none {r_squared(y, mu, np.ones_like(s)):.3f}, 1/s^2 {r_squared(y, mu, s):.3f}", end=", ")
    print(f"1/s^4 {r_squared(y, mu, s**2):.3f}; 90% intervals cover {inside:.1%}")


def main() -> None:
    """Make the map, report, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", type=int, default=1, help="make every n-th dwell and peak temperature only")
    parser.add_argument("--out", type=Path, help=f"where to write; default {OUT.name} beside the scorer if step is 1")
    arguments = parser.parse_args()
    start = time.perf_counter()
    g, sd = exhaustive_map(arguments.step)
    report(g, sd)
    out = arguments.out or (OUT if arguments.step == 1 else None)
    if out is not None:
        np.savez_compressed(
            out,
            sd=sd.astype(np.float32),
            dwell_us=DWELL_US,
            peak_temperature_c=PEAK_TEMPERATURE_C,
            offset_c=OFFSET_C,
            seed=np.int64(SEED),
            analysis_version=np.str_(ANALYSES["stripe_gradient"].version),
        )
        print(f"wrote {out}")
    print(f"took {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
