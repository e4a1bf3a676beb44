"""How well a campaign on the simulated film station learned its optical map.

The points are those of the exhaustive map: 25 dwells x 25 peak temperatures x 16 temperatures from ``Tpeak - 200`` to
``Tpeak - 10`` degC. The metric is ``R2 = 1 - sum(((y - mu) / w)^2) / sum(((y - ybar) / w)^2)`` of Ament et al., Sci.
Adv. 7, eabg4930 (2021), where y is what an exhaustive map with the same instrument shows. So y is here the noiseless
gradient g of `simulators.materials.truth` on the temperature scale of this wafer: that every shot is 8 degC too hot
shifts any map that can be measured, and no planner can see it. `coverage_90` and `boundary_error_c` are against the
true temperatures, because that is what a user of the map relies on.

The standard deviations s are those of one exhaustive map, made once by `benchmarks/exhaustive_map.py` and shipped as
data: they never come from the planner that is scored. `r2_map` is about the mean weighted by 1/w^2, the best
constant, at which knowing nothing scores at most 0. `r2_map_plain_mean` is about the plain mean, as published. Where
the film does not change, s is small and y far below the plain mean, so that these plains make up nearly all of its
denominator: a map of zeros scores about 0.96 with 1/s^2. (Published numbers hand over the variance as w, so the
weight is 1/s^4 there.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.signal import find_peaks

from simulators.materials.film import FilmMaterial
from simulators.materials.options import FilmOptions
from simulators.materials.truth import FilmTruth

Array = NDArray[np.float64]

DWELL_US: Array = np.geomspace(250.0, 10000.0, 25)
PEAK_TEMPERATURE_C: Array = np.linspace(400.0, 1300.0, 25)
OFFSET_C: Array = np.linspace(-200.0, -10.0, 16)

GRID_C: Array = np.linspace(200.0, 1290.0, 147)
"""Where the planner is asked, for each dwell; its answers are interpolated to the points, whose spacing is finer."""

WEIGHTS = ("none", "1/s^2", "1/s^4")

Z_90 = 1.645
"""Half-width of a 90% interval in standard deviations."""

RIDGE_WINDOW_C = 60.0
"""A predicted ridge farther than this from a boundary is no ridge of that boundary."""

RIDGE_PROMINENCE = 0.1
"""Least prominence of a predicted ridge, over the largest value of the predicted map."""

_FINE_C: Array = np.arange(200.0, 1290.1, 1.0)


class ScoredTrial(Protocol):
    """What the scorer needs of a trial."""

    outcome: str | None
    """``measured``, ``failed``, ``lost``, or None for a trial that is not over."""
    n_spectra: int


class ScoredRun(Protocol):
    """A finished campaign: its trials in the order in which they were told, and the planner's memory of each stage."""

    trials: Sequence[Any]

    def predict(self, n_trials: int, points: Sequence[Mapping[str, float]]) -> tuple[Any, Any] | None:
        """Return the planner's mean and standard deviation (``n`` each) of g after the first trials.

        None where it had been told nothing by then.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """g over (dwell, temperature): ``25 x 147`` means and standard deviations."""

    mean: Array
    sd: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Ridges:
    """Predicted ridges against the phase boundaries of the world."""

    error_c: float
    """Median over dwells and boundaries of the distance to the nearest predicted ridge; infinite where more than half
    of the boundaries have none within 60 degC, because a boundary that was missed is not left out of the median."""
    found: float
    """Fraction of boundaries that have a ridge within 60 degC."""
    false: int
    """Predicted ridges that are within 60 degC of no boundary."""


class FilmScorer:
    """Scores one campaign against the world with the same seed and options."""

    SCORES_MAP = True
    """Whether ``map_error`` is among the metrics, so that planners can be compared on a campaign that learns."""

    def __init__(self, *, seed: int, options: Mapping[str, object], campaign: Mapping[str, Any]) -> None:
        self._options = FilmOptions.from_mapping(options)
        self._truth = FilmTruth(seed, self._options)
        self._names = _parameter_names(campaign)
        temperature, dwell = exhaustive_points()
        shift_c = FilmMaterial(seed, self._options).wafer_calibration_c
        self._true = self._gradient(temperature, dwell)
        self._target = self._gradient(temperature + shift_c, dwell)
        self._sd = exhaustive_sd()

    def score(self, run: ScoredRun) -> dict[str, object]:
        """Return the metrics of a run.

        Returns:
            ``stripes`` (numbers of stripes at which the map was scored), ``r2_map``, ``r2_map_plain_mean`` and
            ``coverage_90`` (one value per entry of ``stripes``; the first two by weight), ``boundary_error_c``,
            ``boundaries_found``, ``false_ridges`` (after the last stripe; None where there is no map),
            ``spectra_taken`` and ``map_error`` (``1 - r2_map`` without weights of the last map, one per trial; None
            before the first). What a stage without a map would give is None.
        """
        stages = scored_stages(run.trials, self._options.score_every)
        maps = [self._predicted(run, n_trials) for _, n_trials in stages]
        ridges = self.ridges(maps[-1]) if maps and maps[-1] is not None else None
        r2_map = {weight: _each(maps, partial(self.r2, weight=weight)) for weight in WEIGHTS}
        return {
            "stripes": [n_stripes for n_stripes, _ in stages],
            "r2_map": r2_map,
            "r2_map_plain_mean": {
                weight: _each(maps, partial(self.r2, weight=weight, about_plain_mean=True)) for weight in WEIGHTS[1:]
            },
            "coverage_90": _each(maps, self.coverage_90),
            "boundary_error_c": _plain(ridges.error_c) if ridges else None,
            "boundaries_found": ridges.found if ridges else None,
            "false_ridges": ridges.false if ridges else None,
            "spectra_taken": int(sum(trial.n_spectra for trial in run.trials)),
            "map_error": _by_trial(len(run.trials), [n_trials for _, n_trials in stages], r2_map["none"]),
        }

    def r2(self, predicted: Map, weight: str, *, about_plain_mean: bool = False) -> float:
        """Return R2 of a map under one of the weights; NaN where the exhaustive map's file is not installed."""
        if weight != "none" and self._sd is None:
            return float("nan")
        sd = np.ones_like(self._target) if weight == "none" or self._sd is None else self._sd
        w = sd**2 if weight == "1/s^4" else sd
        return r_squared(self._target, at_points(predicted.mean), w, about_plain_mean=about_plain_mean)

    def coverage_90(self, predicted: Map) -> float:
        """Return the fraction of points whose truth lies within the planner's 90% interval."""
        off = np.abs(at_points(predicted.mean) - self._true)
        return float(np.mean(off <= Z_90 * at_points(predicted.sd, is_smooth=False)))

    def ridges(self, predicted: Map) -> Ridges:
        """Compare the ridges of a map (maxima along temperature, at each dwell) with the true phase boundaries."""
        boundaries = self._truth.boundaries_c(np.log10(DWELL_US))
        least = RIDGE_PROMINENCE * float(predicted.mean.max())
        distances, n_false = [], 0
        for row, true_c in zip(predicted.mean, boundaries, strict=True):
            exists = true_c[np.isfinite(true_c)]
            fine = CubicSpline(GRID_C, row)(_FINE_C)
            gaps = np.abs(_FINE_C[find_peaks(fine, prominence=least)[0]][:, None] - exists)
            distances.append(gaps.min(axis=0, initial=np.inf))
            n_false += int(np.sum(gaps.min(axis=1, initial=np.inf) > RIDGE_WINDOW_C))
        distance = np.concatenate(distances)
        found = distance <= RIDGE_WINDOW_C
        error = float(np.median(np.where(found, distance, np.inf)))
        return Ridges(error_c=error, found=float(np.mean(found)), false=n_false)

    def _gradient(self, temperature_c: Array, dwell_us: Array) -> Array:
        return self._truth.gradient(temperature_c.ravel(), np.log10(dwell_us.ravel())).reshape(temperature_c.shape)

    def _predicted(self, run: ScoredRun, n_trials: int) -> Map | None:
        temperature, dwell = self._names
        points = [{temperature: float(t), dwell: float(d)} for d in DWELL_US for t in GRID_C]
        predicted = run.predict(n_trials, points)
        if predicted is None:
            return None
        mean, sd = predicted
        shape = (len(DWELL_US), len(GRID_C))
        return Map(mean=np.asarray(mean, dtype=float).reshape(shape), sd=np.asarray(sd, dtype=float).reshape(shape))


def exhaustive_points() -> tuple[Array, Array]:
    """Return ``25 x 25 x 16`` temperatures (degC) and dwells (us): by dwell, peak temperature, offset from the peak."""
    temperature = PEAK_TEMPERATURE_C[None, :, None] + OFFSET_C
    temperature, dwell = np.broadcast_arrays(temperature, DWELL_US[:, None, None])
    return temperature.copy(), dwell.copy()


@cache
def exhaustive_sd() -> Array | None:
    """Return ``25 x 25 x 16`` standard deviations s of the exhaustive map, or None where its file is not installed.

    Raises:
        ValueError: The file belongs to another grid of stripes.
    """
    file = resources.files("simulators.scoring") / "film_weights.npz"
    if not file.is_file():
        return None
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
        grids = (("dwell_us", DWELL_US), ("peak_temperature_c", PEAK_TEMPERATURE_C), ("offset_c", OFFSET_C))
        for name, expected in grids:
            if data[name].shape != expected.shape or not np.allclose(data[name], expected):
                raise ValueError(f"{file} has another {name} than the scorer; run benchmarks/exhaustive_map.py again")
        return data["sd"].astype(float)


def r_squared(truth: Array, predicted: Array, w: Array, *, about_plain_mean: bool = False) -> float:
    """Return ``1 - sum(((y - mu) / w)^2) / sum(((y - ybar) / w)^2)`` (any equal shapes).

    about_plain_mean: ybar is the plain mean instead of the one weighted by 1/w^2.
    """
    mean = truth.mean() if about_plain_mean else np.average(truth, weights=1.0 / w**2)
    return float(1.0 - np.sum(np.square((truth - predicted) / w)) / np.sum(np.square((truth - mean) / w)))


def at_points(values: Array, *, is_smooth: bool = True) -> Array:
    """Interpolate ``25 x 147`` values along temperature to the ``25 x 25 x 16`` points of the exhaustive map.

    is_smooth: by cubic splines; otherwise linearly, which never leaves the range of its neighbours.
    """
    temperature = (PEAK_TEMPERATURE_C[:, None] + OFFSET_C).ravel()
    if is_smooth:
        rows = CubicSpline(GRID_C, values, axis=1)(temperature)
    else:
        rows = np.stack([np.interp(temperature, GRID_C, row) for row in values])
    return rows.reshape(len(DWELL_US), len(PEAK_TEMPERATURE_C), len(OFFSET_C))


def scored_stages(trials: Sequence[ScoredTrial], every: int) -> list[tuple[int, int]]:
    """Return (number of stripes, number of trials) after each `every`-th stripe and after the last one.

    A stripe is a trial that was measured or failed, for a failed one was annealed too, and cost as much.
    """
    ends = [n for n, trial in enumerate(trials, start=1) if trial.outcome in ("measured", "failed")]
    chosen = sorted({*range(every, len(ends) + 1, every), len(ends)} - {0})
    return [(n_stripes, ends[n_stripes - 1]) for n_stripes in chosen]


def _parameter_names(campaign: Mapping[str, Any]) -> tuple[str, str]:
    """Return the names of the peak temperature and the dwell.

    Raises:
        ValueError: The campaign has no such parameters.
    """
    names = {parameter["name"] for parameter in campaign.get("parameters", [])}
    missing = {"peak_temperature", "dwell"} - names
    if missing:
        raise ValueError(
            f"the film station's map is scored over 'peak_temperature' and 'dwell'; "
            f"the campaign has no parameter {' and no '.join(sorted(map(repr, missing)))}"
        )
    return "peak_temperature", "dwell"


def _each(maps: Sequence[Map | None], score: Callable[[Map], float]) -> list[float | None]:
    return [None if one is None else _plain(score(one)) for one in maps]


def _by_trial(n: int, ends: Sequence[int], r2: Sequence[float | None]) -> list[float | None]:
    """Return ``1 - R2`` of the last map that was scored, after each of n trials."""
    known = {end: 1.0 - value for end, value in zip(ends, r2, strict=True) if value is not None}
    errors, current = [], None
    for number in range(1, n + 1):
        current = known.get(number, current)
        errors.append(current)
    return errors


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
