"""A regression of a measured table that answers as the laboratory would: mean, noise and failures.

The mean is the regression with the least cross-validated error; the noise is that of the table's repeats; a run fails
as often as rows of the table did, depending on the settings where that predicts failures better than the overall rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor

from simulators.regression import FOLDS, SEED, Chosen, Encoder, choose, folds, repeats
from simulators.replay_options import Value
from simulators.replay_table import Table
from simulators.table_noise import FROM_RESIDUALS, Noise, repeat_noise

MIN_FAILURES = 10
"""Failed rows below which only their overall rate is known."""


class Emulator:
    """What a table says about settings that were not measured."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._encoder = Encoder(table.axes, table.spans, _measured_levels(table))
        x = self._encoder(table.conditions)
        known = table.good_counts > 0
        weight = table.good_counts[known].astype(float)
        self._chosen = [choose(x[known], y, weight) for y in table.means[known].T]
        self._noise = [_noise(table, k, chosen) for k, chosen in enumerate(self._chosen)]
        self._floors = [0.0 if low >= 0 else -math.inf for low in np.nanmin(table.values, axis=0)]
        self._failures = FailureModel(table, x)

    def means(self, points: Sequence[Mapping[str, Value]]) -> list[dict[str, float]]:
        """Return the noiseless value of each target at each point; never negative where the table never is."""
        x = self._encoder(points)
        columns = [
            np.maximum(chosen.model.predict(x), low) for chosen, low in zip(self._chosen, self._floors, strict=True)
        ]
        names = [target.name for target in self._table.targets]
        return [dict(zip(names, map(float, row), strict=True)) for row in zip(*columns, strict=True)]

    def draw(self, parameters: Mapping[str, Value], rng: np.random.Generator) -> dict[str, float]:
        """Return one measurement: the mean with noise, the noise of targets being independent of one another."""
        drawn = {}
        means = self.means([parameters])[0]
        for (name, mean), noise, low in zip(means.items(), self._noise, self._floors, strict=True):
            drawn[name] = max(mean + noise.sd_at(mean) * float(rng.standard_normal()), low)
        return drawn

    def failure_probability(self, parameters: Mapping[str, Value]) -> float:
        """Return how probable it is that a run gives no result."""
        return self._failures.probability(self._encoder([parameters]))

    def provenance(self) -> dict[str, Any]:
        """Say how the emulator was made and how far it can be trusted, in plain JSON values."""
        m = int(np.count_nonzero(self._table.good_counts))
        targets = zip(self._table.targets, self._chosen, self._noise, strict=True)
        return {
            "targets": {target.name: _target_facts(target.unit, chosen, noise) for target, chosen, noise in targets},
            "cross_validation": f"{FOLDS} folds over {m} conditions, shuffled {repeats(m)} x, repeats kept together",
            "failures": self._failures.facts(),
        }


class FailureModel:
    """How probable a failed run is."""

    def __init__(self, table: Table, x: NDArray[np.float64]) -> None:
        counts = np.array([len(rows) for rows in table.rows_of], dtype=float)
        fraction = 1.0 - table.good_counts / counts
        self._rate = float(table.failed.mean())
        self._model: ExtraTreesRegressor | None = None
        self._brier = (self._rate * (1.0 - self._rate), math.nan)
        if np.count_nonzero(table.failed) >= MIN_FAILURES:
            self._brier = (_brier(x, fraction, counts, False), _brier(x, fraction, counts, True))
        if self._brier[1] < self._brier[0]:
            self._model = _forest().fit(x, fraction, sample_weight=counts)

    def probability(self, x: NDArray[np.float64]) -> float:
        """Return the probability at one encoded point, ``1 x d``."""
        return self._rate if self._model is None else float(np.clip(self._model.predict(x)[0], 0.0, 1.0))

    def facts(self) -> dict[str, Any]:
        """Return the rate and, where settings predict failures, how much better than the rate alone."""
        if self._model is None:
            return {"rate": self._rate, "model": "overall rate"}
        overall, by_settings = self._brier
        return {"rate": self._rate, "model": "extra trees", "cv_brier": by_settings, "cv_brier_of_rate": overall}


def _forest() -> ExtraTreesRegressor:
    return ExtraTreesRegressor(n_estimators=100, min_samples_leaf=3, random_state=SEED)


def _brier(x: NDArray[np.float64], fraction: NDArray[np.float64], counts: NDArray[np.float64], is_model: bool) -> float:
    """Return the cross-validated Brier score per row: the mean squared error of the failure probability."""
    total = 0.0
    for train, test in folds(len(fraction)):
        guess = np.full(len(test), np.average(fraction[train], weights=counts[train]))
        if is_model:
            guess = _forest().fit(x[train], fraction[train], sample_weight=counts[train]).predict(x[test])
        f = fraction[test]
        total += float(np.sum(counts[test] * (f * (1.0 - guess) ** 2 + (1.0 - f) * guess**2)))
    return total / float(counts.sum() * repeats(len(fraction)))


def _measured_levels(table: Table) -> dict[str, list[str]]:
    words = [axis.name for axis in table.axes if axis.is_categorical]
    return {name: sorted({str(point[name]) for point in table.conditions}) for name in words}


def _noise(table: Table, target: int, chosen: Chosen) -> Noise:
    return repeat_noise(table, target) or Noise(sd=chosen.error.rmse, source=FROM_RESIDUALS)


def _target_facts(unit: str, chosen: Chosen, noise: Noise) -> dict[str, Any]:
    return {
        "unit": unit,
        "model": chosen.name,
        "cv_rmse": chosen.error.rmse,
        "cv_r2": chosen.error.r2,
        "candidates": {name: asdict(error) for name, error in chosen.candidates.items()},
        "noise_sd": noise.sd,
        "noise_from": noise.source,
        "noise_by_value": [list(knot) for knot in noise.by_value],
    }
