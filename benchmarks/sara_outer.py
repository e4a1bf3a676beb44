"""SARA's outer loop without the laboratory: films, detector, adaptive scan, analysis and planner in one process.

    python benchmarks/sara_outer.py [--seeds 20] [--first 0] [--ways sara random ...] [--json FILE]

The same stripes as `labpilot simulate` would make, less wire, journal and clock, so that a way of choosing can be tried
on twenty wafers in minutes: failure events on, 20 spectra per stripe, one picture, the map that SARA fits whoever
chooses. Scored by the scorer of the film station.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from planner import Continuous, Objective, Observation, Planner, SearchSpace
from planner.adaptive_scan import AdaptiveScan
from simulators.chance import generator
from simulators.instruments.camera import COLUMNS, PIXEL_UM, ROWS
from simulators.materials.detector import Detector, Target
from simulators.materials.film import FilmMaterial
from simulators.materials.options import FilmOptions
from simulators.scoring.film import DWELL_US, GRID_C, FilmScorer, Map
from surrogate.analysis import ANALYSES, MeasurementData
from surrogate.spectra.features import legendre_features
from surrogate.spectra.microscope import prior_from_picture
from surrogate.spectra.normalise import RawSpectrum, references, reflectance

TARGET = "optical_gradient"
OPTIONS = FilmOptions()
EXPOSURE_S = 0.05
POINTS = 20
HALF_RANGE_MM = 1.0
CAMERA_NOISE = 2.0
GOOD_SHOT = (0.8, 1.25)
STRIPE_S = 120.0
EVERY = 2
"""Stripes between two scores."""
THRESHOLD = 0.7
SCORES = ("stripes", "spectra", "r2", "r2_plain", "coverage", "ridge_error_c")
"""What is kept of every scored stage, a list each."""

WAYS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "sara": ("sara", {}),
    "sara sigma": ("sara", {"acquisition": "sigma"}),
    "sara reduction": ("sara", {"acquisition": "reduction"}),
    "sara ucb": ("sara", {"acquisition": "ucb"}),
    "random": ("random", {"map_model": "gradient"}),
    "sobol": ("sobol", {"map_model": "gradient"}),
}
"""Ways of choosing: policy and its options."""


class Wafer:
    """One film on one station; a condition has a site of its own, so that it gives the same stripe whoever asks."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._film, self._detector = FilmMaterial(seed, OPTIONS), Detector(seed, OPTIONS)
        self.n_spectra = 0
        """Taken of film so far; references and pictures are not counted."""

    def stripe(self, peak_c: float, dwell_us: float) -> list[Observation]:
        """Anneal, photograph, scan and analyse; a misfire or a stripe that cannot be read is a failure."""
        parameters = {"peak_temperature": peak_c, "dwell": dwell_us}
        number = int(np.argmin(np.abs(DWELL_US - dwell_us))) * 25 + round((peak_c - 400.0) / 37.5)
        shot = self._film.shoot(
            x_mm=4.0 * (number % 31) - 60.0,
            y_mm=2.0 * (number // 31) - 20.0,
            shot_number=0,
            peak_temperature_c=peak_c,
            dwell_us=dwell_us,
        )
        if not GOOD_SHOT[0] <= shot["energy_fraction"] <= GOOD_SHOT[1]:
            return [Observation(parameters=parameters, failure="the laser misfired")]
        result = ANALYSES["stripe_gradient"](self._measure(shot, number), options={"parameters": parameters})
        if result.cannot_tell:
            return [Observation(parameters=parameters, failure=result.cannot_tell)]
        return [Observation(parameters=f.parameters, values=f.values, noise=f.sd) for f in result.findings]

    def _measure(self, shot: Mapping[str, Any], number: int) -> list[MeasurementData]:
        picture = self._picture(shot, number)
        taken = [picture, *(self._spectrum(role, shot, 0.0, number) for role in ("mirror", "blank"))]
        against = references([_raw(taken[1])], [_raw(taken[2])])
        prior = prior_from_picture(picture.arrays["pixels"], pixel_um=PIXEL_UM)
        scan = AdaptiveScan(half_range_mm=HALF_RANGE_MM, points=POINTS, prior=prior)
        while (x_mm := scan.next()) is not None:
            taken.append(self._spectrum("film", shot, round(x_mm, 3), number))
            divided = reflectance([_raw(taken[-1])], against)
            coefficients, variances = legendre_features(divided.values, divided.noise_sd, divided.valid)
            scan.tell(round(x_mm, 3), coefficients[0], np.sqrt(variances[0]))
        return taken

    def _spectrum(self, role: Target, shot: Mapping[str, Any], x_mm: float, number: int) -> MeasurementData:
        light = self._film.reflectance([shot], np.array([x_mm]))[0] if role == "film" else None
        return self._exposed(role, light, x_mm, number)

    def _exposed(self, role: Target, light: np.ndarray | None, x_mm: float, number: int) -> MeasurementData:
        self.n_spectra += role == "film"
        taken_s = STRIPE_S * number
        facts = {"role": role, "offset_mm": x_mm, "exposure_s": EXPOSURE_S, "averages": 1, "taken_s": taken_s}
        counts = self._detector.counts(
            light,
            target=role,
            time_s=facts["taken_s"],
            exposure_s=EXPOSURE_S,
            averages=1,
            tag=f"{number} {role} {x_mm}",
        )
        return MeasurementData(
            kind="spectrum",
            arrays={"wavelength_nm": self._film.wavelength_nm, "counts": counts},
            metadata={**facts, "saturation_counts": self._detector.saturation_counts},
        )

    def _picture(self, shot: Mapping[str, Any], number: int) -> MeasurementData:
        columns_mm = (np.arange(COLUMNS, dtype=np.float64) - 0.5 * (COLUMNS - 1)) * (PIXEL_UM * 1e-3)
        line = self._film.rgb([shot], columns_mm).astype(float)
        noise = CAMERA_NOISE * generator(self._seed, "picture", number).standard_normal((ROWS, *line.shape))
        pixels = np.clip(np.rint(line + noise), 0, 255).astype(np.uint8)
        return MeasurementData(kind="image", arrays={"pixels": pixels}, metadata={"pixel_um": PIXEL_UM})


def _raw(one: MeasurementData) -> RawSpectrum:
    facts = {key: one.metadata[key] for key in ("exposure_s", "averages", "saturation_counts", "offset_mm", "taken_s")}
    return RawSpectrum(wavelength_nm=one.arrays["wavelength_nm"], counts=one.arrays["counts"], **facts)


def campaign(way: str, seed: int, stripes: int) -> dict[str, Any]:
    """Run one campaign and return its scores by number of stripes."""
    policy, options = WAYS[way]
    space = SearchSpace(
        [
            Continuous("peak_temperature", 400.0, 1300.0, unit="degC", step=37.5),
            Continuous("dwell", 250.0, 10000.0, unit="us", count=25, scale="log"),
        ]
    )
    planner = Planner(space, [Objective(TARGET, "learn")], seed=seed, policy=policy, options=options)
    wafer, scorer = Wafer(seed), film_scorer(seed)
    result: dict[str, Any] = {"way": way, "seed": seed, **{name: [] for name in SCORES}}
    asking_s, failed = 0.0, 0
    for n in range(1, stripes + 1):
        began = time.perf_counter()
        proposal = planner.ask(1)[0]
        asking_s += time.perf_counter() - began
        told = wafer.stripe(float(proposal.parameters["peak_temperature"]), float(proposal.parameters["dwell"]))
        failed += told[0].failure is not None
        planner.tell([_of(proposal.id, item) for item in told])
        if n % EVERY == 0 and failed < n:
            _score(result, n, wafer.n_spectra, planner, scorer)
    ridges = scorer.ridges(predicted_map(planner))
    return {**result, "failed": failed, "ask_s": asking_s / stripes, "boundary_error_c": ridges.error_c}


def _of(proposal_id: str, item: Observation) -> Observation:
    return Observation(
        parameters=item.parameters,
        values=item.values,
        noise=item.noise,
        failure=item.failure,
        proposal_id=proposal_id,
    )


@cache
def film_scorer(seed: int) -> FilmScorer:
    """Return the scorer of one film."""
    names = {"parameters": [{"name": "peak_temperature"}, {"name": "dwell"}]}
    return FilmScorer(seed=seed, options=OPTIONS.to_mapping(), campaign=names)


def predicted_map(planner: Planner, **elsewhere: float) -> Map:
    """Return what a planner believes of the map; elsewhere are values of parameters that it does not depend on."""
    points = [{"peak_temperature": float(t), "dwell": float(d), **elsewhere} for d in DWELL_US for t in GRID_C]
    found = planner.predict(points)[TARGET]
    shape = (len(DWELL_US), len(GRID_C))
    return Map(mean=found.mean.reshape(shape), sd=found.sd.reshape(shape))


def _score(result: dict[str, Any], n: int, n_spectra: int, planner: Planner, scorer: FilmScorer) -> None:
    predicted = predicted_map(planner)
    result["stripes"].append(n)
    result["spectra"].append(n_spectra)
    result["ridge_error_c"].append(scorer.ridges(predicted).error_c)
    result["r2"].append(scorer.r2(predicted, "1/s^2"))
    result["r2_plain"].append(scorer.r2(predicted, "none"))
    result["coverage"].append(scorer.coverage_90(predicted))


def stripes_to(result: Mapping[str, Any], goal: float = THRESHOLD) -> float:
    """Return the number of stripes at which R2 (1/s^2) first reached a goal; infinite if it never did."""
    pairs = zip(result["stripes"], result["r2"], strict=True)
    return next((float(n) for n, r2 in pairs if r2 >= goal), np.inf)


def report(way: str, results: list[dict[str, Any]], medians: dict[str, float]) -> None:
    """Print one row."""
    reached = np.array([stripes_to(result) for result in results])
    low, middle, high = np.quantile(reached, [0.25, 0.5, 0.75], method="nearest")
    medians[way] = float(middle)
    cells = [way, f"{middle:g} [{low:g}, {high:g}]"]
    for key in ("r2", "r2_plain", "coverage"):
        rows = np.array([[np.interp(n, result["stripes"], result[key]) for n in (8, 16, 32, 48)] for result in results])
        average = rows.mean(axis=0) if key == "coverage" else np.median(rows, axis=0)
        cells.append(" / ".join(f"{value:.2f}" for value in average))
    cells.append(f"{np.median([result['boundary_error_c'] for result in results]):.1f}")
    cells.append(f"{1e3 * np.mean([result['ask_s'] for result in results]):.0f}")
    print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--stripes", type=int, default=48)
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=["sara", "random"])
    parser.add_argument("--json", type=Path, help="keep all scores")
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.seeds)
    print("| way of choosing | stripes to R2(1/s^2) 0.7 | R2(1/s^2) at 8/16/32/48 | R2(none) | coverage |", end="")
    print(" boundary error, degC | ask, ms |\n|---|---|---|---|---|---|---|")
    kept: list[dict[str, Any]] = []
    medians: dict[str, float] = {}
    with ProcessPoolExecutor(2) as pool:
        for way in given.ways:
            results = list(pool.map(campaign, [way] * len(seeds), seeds, [given.stripes] * len(seeds)))
            report(way, results, medians)
            kept.extend(results)
    if {"sara", "random"} <= set(medians):
        print(f"\nratio sara / random: {medians['sara'] / medians['random']:.2f} (target: at most 0.65)")
    if given.json is not None:
        given.json.write_text(json.dumps(kept))


if __name__ == "__main__":
    main()
