"""What an exhaustive map knows: 625 stripes at 201 positions each; line (e) of `benchmarks/sara_acceptance.py`.

Every stripe of the grid on the same films as the campaigns, failure events on, is scanned every 10 um and analysed as
a campaign would. From all of that the same Gaussian process makes the map. As 10,000 gradients are too many for one
process, each dwell is drawn from the stripes of that dwell and its neighbours, with hyperparameters of the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sara_outer import TARGET, Wafer, film_scorer

from planner import Observation
from planner.map_predictor import CALIBRATION_C
from simulators.scoring.film import DWELL_US, GRID_C, PEAK_TEMPERATURE_C, Map
from surrogate.analysis import MeasurementData
from surrogate.map_model import GradientMap

Array = NDArray[np.float64]

POSITIONS_MM = np.linspace(-1.0, 1.0, 201)


class ExhaustiveWafer(Wafer):
    """A wafer whose stripes are scanned everywhere."""

    def _measure(self, shot: Mapping[str, Any], number: int) -> list[MeasurementData]:
        light = self._film.reflectance([shot], POSITIONS_MM)
        places = zip(light, np.round(POSITIONS_MM, 3), strict=True)
        taken = [self._picture(shot, number)]
        taken += [self._spectrum(role, shot, 0.0, number) for role in ("mirror", "blank")]
        return taken + [self._exposed("film", row, float(x_mm), number) for row, x_mm in places]


def trial(seed: int) -> dict[str, Any]:
    """Return how well the exhaustive map of one film knows it."""
    wafer = ExhaustiveWafer(seed)
    told = [stripe for dwell in DWELL_US for peak in PEAK_TEMPERATURE_C for stripe in [wafer.stripe(peak, dwell)]]
    measured = [item for stripe in told for item in stripe if item.failure is None]
    scorer, drawn = film_scorer(seed), _drawn(measured)
    ridges = scorer.ridges(drawn)
    return {
        "seed": seed,
        "spectra": wafer.n_spectra,
        "failed": sum(stripe[0].failure is not None for stripe in told),
        "ridge_error_c": ridges.error_c,
        "boundaries_found": ridges.found,
        "false_ridges": ridges.false,
        "r2": scorer.r2(drawn, "1/s^2"),
        "coverage": scorer.coverage_90(drawn),
    }


def _drawn(measured: list[Observation]) -> Map:
    """Return the map of all that was measured, dwell by dwell."""
    temperature = np.array([item.parameters["peak_temperature"] for item in measured], dtype=float)
    dwell = np.log10([float(item.parameters["dwell"]) for item in measured])
    value = np.array([item.values[TARGET] for item in measured])
    sd = np.array([item.noise[TARGET] for item in measured])
    step = float(np.diff(np.log10(DWELL_US))[0])
    some = slice(None, None, len(measured) // 900)
    whole = GradientMap.fit(temperature[some], dwell[some], value[some], sd[some], calibration_c=CALIBRATION_C)
    rows = []
    for centre in np.log10(DWELL_US):
        near = np.abs(dwell - centre) < 1.5 * step
        part = GradientMap.fit(
            temperature[near],
            dwell[near],
            value[near],
            sd[near],
            calibration_c=CALIBRATION_C,
            hyperparameters=whole.hyperparameters,
        )
        rows.append(part.predict(GRID_C, centre))
    mean, spread = np.array(rows).transpose(1, 0, 2)
    return Map(mean=mean, sd=spread)
