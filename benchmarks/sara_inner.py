"""SARA's inner loop: how many spectra a scan needs to know how a stripe changes along x.

    python benchmarks/sara_inner.py [--stripes 40] [--first 0]

Each seed draws a film, a peak temperature and a dwell; spectra pass through optics, detector, normalisation and
Legendre features. After each spectrum the scan's own model predicts d(c_0)/dx on 256 places within 1 mm of the stripe's
nominal centre; R2 is against the noiseless derivative. Reported are the spectra until R2 reaches 0.8 and 0.9.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from planner.adaptive_scan import AdaptiveScan
from simulators.materials.detector import Detector
from simulators.materials.film import FilmMaterial
from simulators.materials.options import FilmOptions
from surrogate.spectra.features import legendre_features
from surrogate.spectra.microscope import prior_from_picture
from surrogate.spectra.normalise import RawSpectrum, references, reflectance

Array = NDArray[np.float64]

HALF_RANGE_MM = 1.0
EXPOSURE_S = 0.05
POINTS = 128
STEP_MM = 5e-4
CAMERA_MM = (np.arange(800) - 399.5) * 0.005
PEAKS_C = np.arange(700.0, 1301.0, 37.5)
LOG_DWELLS = np.linspace(np.log10(250.0), 4.0, 25)


class Stripe:
    """One simulated stripe, measured on demand.

    Args:
        seed: of the film and of the stripe's conditions.
        number: which of several stripes on that film.
        failures: whether shots may misfire, drop out, hit a particle or delaminate.
    """

    def __init__(self, seed: int, *, number: int = 0, failures: bool = False) -> None:
        chance = np.random.default_rng([seed, 1, number] if number else [seed, 1])
        self.peak_c, self.dwell_us = float(chance.choice(PEAKS_C)), float(10 ** chance.choice(LOG_DWELLS))
        options = FilmOptions.from_mapping({"failures": failures})
        self.film, self.detector = FilmMaterial(seed, options), Detector(seed, options)
        self.shot = self.film.shoot(
            x_mm=4.0 * (seed % 20) - 40.0,
            y_mm=2.0 * number,
            shot_number=0,
            peak_temperature_c=self.peak_c,
            dwell_us=self.dwell_us,
        )
        self.references = references([self._raw("mirror")], [self._raw("blank")])

    def _raw(self, target: str, x_mm: float = 0.0) -> RawSpectrum:
        film = self.film.reflectance([self.shot], np.array([x_mm]))[0] if target == "film" else None
        counts = self.detector.counts(
            film, target=target, time_s=0.0, exposure_s=EXPOSURE_S, averages=1, tag=f"{target} {x_mm:.5f}"
        )
        return RawSpectrum(
            wavelength_nm=self.film.wavelength_nm,
            counts=counts,
            exposure_s=EXPOSURE_S,
            saturation_counts=self.detector.saturation_counts,
            offset_mm=x_mm,
        )

    def measure(self, x_mm: float) -> tuple[Array, Array]:
        """Return 17 coefficients and their standard deviations."""
        divided = reflectance([self._raw("film", x_mm)], self.references)
        coefficients, variances = legendre_features(divided.values, divided.noise_sd, divided.valid)
        return coefficients[0], np.sqrt(variances[0])

    def picture(self) -> NDArray[np.uint8]:
        """Return what the camera sees, one row."""
        return self.film.rgb([self.shot], CAMERA_MM)[None]

    def true_slope(self, x_mm: Array) -> Array:
        """Return the noiseless d(c_0)/dx, per mm."""
        ahead, behind = (self._noiseless(x_mm + side * STEP_MM) for side in (1.0, -1.0))
        return (ahead - behind) / (2.0 * STEP_MM)

    def _noiseless(self, x_mm: Array) -> Array:
        values = self.film.reflectance([self.shot], x_mm)
        return legendre_features(values, np.ones_like(values), np.ones(values.shape, dtype=bool))[0][:, 0]


def points_needed(stripe: Stripe, policy: str, seed: int, *, has_picture: bool) -> tuple[float, float, float]:
    """Return spectra until R2 0.8 and 0.9 (infinite: never) and R2 after 20."""
    prior = prior_from_picture(stripe.picture(), pixel_um=5.0) if has_picture else None
    rng = np.random.default_rng([seed, 2])
    return followed(stripe, AdaptiveScan(policy, half_range_mm=HALF_RANGE_MM, points=POINTS, prior=prior, rng=rng))


def followed(stripe: Stripe, scan: AdaptiveScan) -> tuple[float, float, float]:
    """Run a scan; return spectra until R2 0.8 and 0.9 (infinite: never) and R2 after 20."""
    grid = np.linspace(-HALF_RANGE_MM, HALF_RANGE_MM, 256)
    truth = stripe.true_slope(grid)
    scores: list[float] = []
    while (x_mm := scan.next()) is not None:
        scan.tell(x_mm, *stripe.measure(x_mm))
        off = scan.slope(grid)[0] - truth
        scores.append(1.0 - float(off @ off) / float(np.sum((truth - truth.mean()) ** 2)))
        if len(scores) >= 20 and scores[-1] >= 0.9:
            break
    reached = [next((n for n, r2 in enumerate(scores, start=1) if r2 >= goal), np.inf) for goal in (0.8, 0.9)]
    return reached[0], reached[1], scores[19]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stripes", type=int, default=40)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.stripes)
    stripes = {seed: Stripe(seed) for seed in seeds}
    ways = [
        (policy, True) for policy in ("random", "grid", "uncertainty", "integrated_variance", "integrated_gradient")
    ]
    ways += [("random", False), ("integrated_gradient", False)]
    medians: dict[tuple[str, bool], float] = {}
    print("| scan policy | microscope prior | spectra to R2 0.8 | to R2 0.9 | R2 after 20 |")
    print("|---|---|---|---|---|")
    for policy, has_picture in ways:
        found = np.array([points_needed(stripes[seed], policy, seed, has_picture=has_picture) for seed in seeds])
        low, middle, high = np.quantile(found[:, 1], [0.25, 0.5, 0.75], method="nearest")
        medians[policy, has_picture] = float(middle)
        eight = np.quantile(found[:, 0], 0.5, method="nearest")
        seen = "yes" if has_picture else "no"
        print(
            f"| {policy} | {seen} | {eight:g} | {middle:g} [{low:g}, {high:g}] | {np.median(found[:, 2]):.2f} |",
            flush=True,
        )
    ratio = medians["integrated_gradient", True] / medians["random", True]
    print(f"\nratio integrated_gradient / random: {ratio:.2f} (target: at most 0.7)")


if __name__ == "__main__":
    main()
