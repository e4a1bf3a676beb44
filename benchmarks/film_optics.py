"""Time the simulated film and its detector: ``python benchmarks/film_optics.py``.

A campaign asks for one spectrum at a time, so the first line decides what optics cost it; a whole scan at once shows
what is left when the calls are merged. Best of five, one core.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from simulators.materials.detector import Detector
from simulators.materials.film import FilmMaterial
from simulators.materials.options import FilmOptions
from simulators.materials.truth import FilmTruth


def best_ms(work: Callable[[], object], repeats: int) -> float:
    """Return the mean milliseconds per call, best of five rounds."""
    rounds = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(repeats):
            work()
        rounds.append((time.perf_counter() - start) / repeats * 1e3)
    return min(rounds)


def main() -> None:
    """Print milliseconds per call and per spectrum."""
    options = FilmOptions()
    film, detector, truth = FilmMaterial(0, options), Detector(0, options), FilmTruth(0, options)
    shot = film.shoot(x_mm=0.0, y_mm=0.0, shot_number=0, peak_temperature_c=1200.0, dwell_us=1000.0)
    for m, repeats in ((1, 1000), (20, 50), (201, 10)):
        offsets = np.linspace(-0.3, 0.3, m) if m > 1 else np.array([0.1])
        ms = best_ms(lambda x=offsets: film.reflectance([shot], x), repeats)
        print(f"reflectance, m = {m:4d}: {ms:8.3f} ms a call, {ms / m:.4f} ms a spectrum")
    light = film.reflectance([shot], np.array([0.1]))[0]

    def expose() -> object:
        return detector.counts(light, target="film", time_s=10.0, exposure_s=0.05, averages=1, tag="t")

    grid_c, grid_dwell = (axis.ravel() for axis in np.meshgrid(np.linspace(200, 1290, 147), np.linspace(2.4, 4, 25)))
    columns = np.linspace(-2.0, 2.0, 800)
    print(f"detector:              {best_ms(expose, 1000):8.3f} ms")
    print(f"picture, 800 columns:  {best_ms(lambda: film.rgb([shot], columns), 50):8.3f} ms")
    print(f"truth, 3675 points:    {best_ms(lambda: truth.gradient(grid_c, grid_dwell), 1):8.3f} ms")


if __name__ == "__main__":
    main()
