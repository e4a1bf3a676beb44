import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from simulators.materials.film import FilmMaterial
from simulators.materials.options import FilmOptions
from simulators.materials.truth import FilmTruth
from simulators.scoring import film as scoring
from simulators.scoring.film import FilmScorer, Map, at_points, r_squared, scored_stages

CAMPAIGN = {"parameters": [{"name": "peak_temperature"}, {"name": "dwell"}]}
SEED = 3


@dataclass
class Trial:
    outcome: str | None = "measured"
    n_spectra: int = 20


@dataclass
class Run:
    """A campaign whose planner answers with a function of temperature, log10 dwell and the number of trials."""

    answer: Callable[[np.ndarray, np.ndarray, int], np.ndarray]
    trials: Sequence[Trial] = field(default_factory=lambda: [Trial()] * 3)
    sd: float = 0.5
    asked: list[tuple[int, int]] = field(default_factory=list)

    def predict(self, n_trials: int, points: Sequence[Mapping[str, float]]) -> tuple[np.ndarray, np.ndarray]:
        self.asked.append((n_trials, len(points)))
        temperature = np.array([point["peak_temperature"] for point in points])
        dwell = np.log10([point["dwell"] for point in points])
        mean = np.asarray(self.answer(temperature, dwell, n_trials), dtype=float)
        return mean, np.full(len(points), self.sd)


@pytest.fixture(scope="module")
def truth() -> FilmTruth:
    return FilmTruth(SEED, FilmOptions())


@pytest.fixture(scope="module")
def scorer() -> FilmScorer:
    return FilmScorer(seed=SEED, options={}, campaign=CAMPAIGN)


def test_knowing_the_truth_scores_full_marks(scorer: FilmScorer, truth: FilmTruth):
    score = scorer.score(Run(lambda t, d, _: truth.gradient(t, d), trials=[Trial()]))
    assert score["stripes"] == [1]
    assert score["coverage_90"] == [1.0]
    assert score["boundary_error_c"] < 4.0
    assert score["boundaries_found"] == 1.0
    assert score["false_ridges"] == 0
    assert score["spectra_taken"] == 20
    assert json.loads(json.dumps(score)) == score


def test_r2_asks_for_what_this_wafer_can_show(scorer: FilmScorer, truth: FilmTruth):
    shift_c = FilmMaterial(SEED, FilmOptions()).wafer_calibration_c
    score = scorer.score(Run(lambda t, d, _: truth.gradient(t + shift_c, d), trials=[Trial()]))
    for values in (score["r2_map"], score["r2_map_plain_mean"]):
        assert [value[0] for value in values.values()] == pytest.approx([1.0] * len(values), abs=1e-3)
    assert abs(shift_c) > 2.0
    assert score["coverage_90"][0] < 1.0


def test_a_constant_scores_nothing(scorer: FilmScorer):
    mean = float(scorer._target.mean())
    score = scorer.score(Run(lambda t, d, _: np.full(len(t), mean), trials=[Trial()]))
    assert score["r2_map"]["none"][0] == pytest.approx(0.0, abs=1e-9)
    assert score["boundary_error_c"] is None
    assert score["boundaries_found"] == 0.0


def test_shifted_ridges_are_off_by_their_shift(scorer: FilmScorer, truth: FilmTruth):
    exact = scorer.score(Run(lambda t, d, _: truth.gradient(t, d), trials=[Trial()]))["boundary_error_c"]
    shifted = scorer.score(Run(lambda t, d, _: truth.gradient(t - 20.0, d), trials=[Trial()]))["boundary_error_c"]
    assert shifted == pytest.approx(20.0, abs=exact + 1.0)


def test_a_missed_boundary_is_not_left_out_of_the_median(scorer: FilmScorer, truth: FilmTruth):
    def only_the_hottest(t: np.ndarray, d: np.ndarray, _: int) -> np.ndarray:
        return np.where(t > 1080.0, truth.gradient(t, d), 0.0)

    score = scorer.score(Run(only_the_hottest, trials=[Trial()]))
    assert score["boundaries_found"] == 0.25
    assert score["boundary_error_c"] is None


def test_ridges_where_nothing_happens_are_counted(scorer: FilmScorer, truth: FilmTruth):
    def with_a_ghost(t: np.ndarray, d: np.ndarray, _: int) -> np.ndarray:
        return truth.gradient(t, d) + 10.0 * np.exp(-(((t - 300.0) / 20.0) ** 2))

    score = scorer.score(Run(with_a_ghost, trials=[Trial()]))
    assert score["false_ridges"] == 25
    assert score["boundaries_found"] == 1.0


def test_each_stage_is_asked_once_and_lost_trials_are_no_stripes(scorer: FilmScorer, truth: FilmTruth):
    trials = [Trial(), Trial("lost", 3), Trial("failed", 5), Trial(), Trial("lost", 0), Trial(None, 2)]
    run = Run(lambda t, d, n: truth.gradient(t, d) * (1.0 - 1.0 / n), trials=trials)
    score = scorer.score(run)
    assert score["stripes"] == [1, 2, 3]
    assert run.asked == [(1, 25 * 147), (3, 25 * 147), (4, 25 * 147)]
    assert score["spectra_taken"] == 50
    assert np.all(np.diff(score["r2_map"]["none"]) > 0.0)


@pytest.mark.parametrize(
    ("n", "every", "stripes"),
    [(5, 1, [1, 2, 3, 4, 5]), (5, 2, [2, 4, 5]), (4, 2, [2, 4]), (3, 10, [3]), (0, 1, [])],
)
def test_stages_end_with_the_last_stripe(n: int, every: int, stripes: list[int]):
    assert scored_stages([Trial()] * n, every) == [(k, k) for k in stripes]


def test_a_run_without_stripes_has_an_empty_score(scorer: FilmScorer):
    score = scorer.score(Run(lambda t, d, _: t, trials=[Trial("lost", 2)]))
    assert score["stripes"] == []
    assert score["r2_map"] == {"none": [], "1/s^2": [], "1/s^4": []}
    assert score["boundary_error_c"] is None
    assert score["spectra_taken"] == 2


def test_coverage_counts_points_within_the_interval(scorer: FilmScorer, truth: FilmTruth):
    rng = np.random.default_rng(0)
    smooth = {}

    def calibrated(t: np.ndarray, d: np.ndarray, _: int) -> np.ndarray:
        rough = rng.normal(0.0, 1.0, (25, 147))
        kernel = np.exp(-0.5 * (np.arange(-12, 13) / 3.0) ** 2)
        error = np.stack([np.convolve(row, kernel / np.linalg.norm(kernel), mode="same") for row in rough])
        smooth["sd"] = error[:, 12:-12].std()
        return truth.gradient(t, d) + error.ravel()

    score = scorer.score(Run(calibrated, trials=[Trial()], sd=1.0))
    assert smooth["sd"] == pytest.approx(1.0, abs=0.1)
    assert score["coverage_90"][0] == pytest.approx(0.9, abs=0.03)


def test_every_comes_from_the_options():
    every_third = FilmScorer(seed=SEED, options={"score_every": 3, "failures": False}, campaign=CAMPAIGN)
    assert every_third.score(Run(lambda t, d, _: t, trials=[Trial()] * 7))["stripes"] == [3, 6, 7]


def test_a_campaign_over_something_else_is_refused():
    with pytest.raises(ValueError, match="the campaign has no parameter 'dwell'"):
        FilmScorer(seed=0, options={}, campaign={"parameters": [{"name": "peak_temperature"}]})


def test_interpolation_to_the_points_is_exact_enough():
    row = np.exp(-0.5 * ((scoring.GRID_C - 700.0) / 25.0) ** 2)
    temperature, _ = scoring.exhaustive_points()
    at = at_points(np.tile(row, (25, 1)))
    assert at.shape == (25, 25, 16)
    assert at == pytest.approx(np.exp(-0.5 * ((temperature - 700.0) / 25.0) ** 2), abs=2e-4)
    assert np.all(at_points(np.tile(row, (25, 1)), is_smooth=False) >= 0.0)


def test_points_are_those_of_the_exhaustive_map():
    temperature, dwell = scoring.exhaustive_points()
    assert temperature.shape == dwell.shape == (25, 25, 16)
    assert temperature[4, 0, 0] == 200.0
    assert temperature[4, -1, -1] == 1290.0
    assert np.unique(dwell[3]).tolist() == [scoring.DWELL_US[3]]
    assert scoring.DWELL_US[[0, -1]] == pytest.approx([250.0, 10000.0])


def test_weighted_r2_follows_its_formula():
    y, mu, w = np.array([0.0, 1.0, 2.0]), np.array([0.5, 1.0, 2.0]), np.array([1.0, 2.0, 4.0])
    assert r_squared(y, mu, w, about_plain_mean=True) == pytest.approx(1.0 - 0.25 / (1.0 + 1.0 / 16.0))


def test_about_the_weighted_mean_the_best_constant_scores_nothing():
    rng = np.random.default_rng(0)
    y, w = rng.random(50), 0.1 + rng.random(50)
    best = np.average(y, weights=1.0 / w**2)
    assert r_squared(y, np.full(50, best), w) == pytest.approx(0.0)
    assert r_squared(y, np.full(50, best), w, about_plain_mean=True) > 0.0


def test_zeros_score_high_about_the_plain_mean_and_nothing_about_the_weighted_one(scorer: FilmScorer):
    score = scorer.score(Run(lambda t, d, _: np.zeros(len(t)), trials=[Trial()]))
    assert score["r2_map"]["none"][0] < 0.0
    assert score["r2_map_plain_mean"]["1/s^2"][0] > 0.9
    assert score["r2_map"]["1/s^2"][0] < 0.0


def test_the_shipped_weights_are_small_positive_and_never_zero():
    sd = scoring.exhaustive_sd()
    assert sd is not None
    assert sd.shape == (25, 25, 16)
    assert np.isfinite(sd).all()
    assert 0.02 < sd.min() < sd.max() < 100.0


def test_weights_of_another_grid_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    np.savez(tmp_path / "film_weights.npz", sd=np.ones((2, 2, 16)), dwell_us=[1.0, 2.0])
    monkeypatch.setattr(scoring.resources, "files", lambda _: tmp_path)
    scoring.exhaustive_sd.cache_clear()
    with pytest.raises(ValueError, match="another dwell_us than the scorer"):
        scoring.exhaustive_sd()
    (tmp_path / "film_weights.npz").unlink()
    assert scoring.exhaustive_sd() is None
    scoring.exhaustive_sd.cache_clear()


def test_a_large_sd_takes_weight_away(scorer: FilmScorer):
    sd = np.ones_like(scorer._target)
    sd[:, :, :8] = 100.0
    wrong_where_uncertain = np.where(sd > 1.0, scorer._target + 5.0, scorer._target)
    assert r_squared(scorer._target, wrong_where_uncertain, sd) > 0.99
    assert r_squared(scorer._target, wrong_where_uncertain, np.ones_like(sd)) < 0.8


def test_without_the_file_of_weights_weighted_metrics_are_null(scorer: FilmScorer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scorer, "_sd", None)
    score = scorer.score(Run(lambda t, d, _: t, trials=[Trial()]))
    assert score["r2_map"]["1/s^2"] == [None]
    assert score["r2_map"]["1/s^4"] == [None]
    assert score["r2_map"]["none"][0] is not None


def test_weights_apply_where_they_are_known(scorer: FilmScorer, monkeypatch: pytest.MonkeyPatch):
    sd = 0.1 + np.random.default_rng(0).random(scorer._target.shape)
    monkeypatch.setattr(scorer, "_sd", sd)
    predicted = Map(mean=np.tile(np.linspace(0.0, 5.0, 147), (25, 1)), sd=np.ones((25, 147)))
    at = at_points(predicted.mean)
    assert scorer.r2(predicted, "1/s^2") == pytest.approx(r_squared(scorer._target, at, sd))
    assert scorer.r2(predicted, "1/s^4") == pytest.approx(r_squared(scorer._target, at, sd**2))


def test_a_stage_of_which_the_planner_was_told_nothing_has_no_score(scorer: FilmScorer, monkeypatch):
    monkeypatch.setattr(Run, "predict", lambda *_: None)
    scores = scorer.score(Run(answer=lambda t, d, n: t))
    assert scores["r2_map"]["none"] == scores["coverage_90"] == [None] * len(scores["stripes"])
    assert scores["boundaries_found"] is None
