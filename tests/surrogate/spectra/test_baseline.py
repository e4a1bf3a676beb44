from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surrogate.spectra.baseline import bootstrap_weights, estimate_baseline
from surrogate.spectra.baseline_candidates import Candidate, candidates
from surrogate.spectra.errors import CannotTell
from surrogate.spectra.whittaker import Whittaker, penalty

P = 500
X = np.linspace(0.0, 1.0, P)
WIDEST = 20.0
SHAPES = {
    "falling edge": 4.0 * np.exp(-X / 0.15) + 0.5,
    "broad hump": 3.0 * np.exp(-0.5 * ((X - 0.4) / 0.2) ** 2),
    "polynomial": 2.0 + 3.0 * X - 4.0 * X**2,
    "step": 1.0 + 1.5 / (1.0 + np.exp(-(X - 0.5) / 0.02)),
}


def spectrum(shape, *, peaks=8, snr=30.0, seed=0):
    generator = np.random.default_rng(seed)
    index = np.arange(P)
    signal = np.zeros(P)
    for _ in range(peaks):
        u = (index - generator.uniform(0.1 * P, 0.95 * P)) / generator.uniform(4.0, 10.0)
        signal += generator.uniform(0.3, 1.0) * np.exp(-4.0 * np.log(2.0) * u**2)
    sd = np.sqrt(0.5 + signal + SHAPES[shape]) / snr
    return SHAPES[shape] + signal + sd * generator.standard_normal(P), sd


def chosen(y, sd=None, **settings):
    return estimate_baseline(y, generator=np.random.default_rng(0), sd=sd, widest_peak=WIDEST, **settings)


def error(found, shape):
    return float(np.sqrt(np.mean((found - SHAPES[shape]) ** 2)))


@cache
def result(shape, seed=0):
    y, sd = spectrum(shape, seed=seed)
    return chosen(y, sd)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_baseline_under_peaks_is_found(shape):
    # peaks are up to 1 high, the noise is about 0.05
    errors = [error(result(shape, seed).values, shape) for seed in range(3)]
    assert np.median(errors) < (0.09 if shape == "step" else 0.04)


@pytest.mark.parametrize("shape", ["falling edge", "broad hump", "polynomial"])
def test_the_stated_sd_is_of_the_size_of_the_error(shape):
    z = [np.abs((result(shape, seed).values - SHAPES[shape]) / result(shape, seed).sd) for seed in range(3)]
    assert 0.2 < np.median(z) < 1.6


def test_the_noise_need_not_be_given():
    y, sd = spectrum("broad hump")
    found = chosen(y)
    assert np.median(found.noise_sd / sd) == pytest.approx(1.0, abs=0.15)
    assert error(found.values, "broad hump") < 0.04


def test_scores_name_all_candidates_best_first_and_weights_add_up():
    found = result("falling edge")
    assert found.scores[0].log_probability == 0.0
    complete = [score.log_probability for score in found.scores if score.is_complete]
    assert complete == sorted(complete, reverse=True)
    assert sum(score.weight for score in found.scores) == pytest.approx(1.0)
    assert {score.candidate.method for score in found.scores} == {
        "smooth", "asls", "airpls", "arpls", "pspline_arpls", "snip", "modpoly", "imodpoly", "none",
    }  # fmt: skip
    assert max(found.scores, key=lambda score: score.weight).candidate == found.chosen


def test_no_baseline_at_all_is_recognised():
    generator = np.random.default_rng(3)
    u = (np.arange(P) - 200.0) / 8.0
    y = 30.0 * np.exp(-4.0 * np.log(2.0) * u**2) + generator.standard_normal(P)
    found = chosen(y, np.ones(P))
    none = next(score for score in found.scores if score.candidate.method == "none")
    assert none.log_probability > -6.0
    assert np.abs(found.values).max() < 1.0


@pytest.mark.parametrize(
    ("period", "is_stiff"), [(20.0, False), (400.0, True)], ids=["follows noise and peaks", "too stiff"]
)
def test_too_flexible_and_too_stiff_candidates_lose(period, is_stiff):
    y, sd = spectrum("falling edge")
    wrong = Candidate(method="asls", setting=period)
    right = Candidate(method="smooth", setting=80.0)
    found = chosen(y, sd, among=[wrong, right])
    assert found.chosen == right
    lost = next(score for score in found.scores if score.candidate == wrong)
    assert lost.log_probability < -20.0
    assert lost.weight < 0.01


def test_the_choice_is_the_same_for_the_same_seed_and_scales_with_the_spectrum():
    y, sd = spectrum("polynomial")
    again = chosen(y, sd)
    np.testing.assert_array_equal(again.values, result("polynomial").values)
    scaled = chosen(1e4 * y, 1e4 * sd)
    np.testing.assert_allclose(scaled.values, 1e4 * again.values, rtol=1e-3, atol=10.0)


def test_masked_points_do_not_count():
    y, sd = spectrum("broad hump")
    spoiled = y.copy()
    spoiled[100:110] = np.nan
    spoiled[300:305] = 1e6
    valid = np.ones(P, dtype=bool)
    valid[300:305] = False
    whole = error(result("broad hump").values, "broad hump")
    assert error(chosen(spoiled, sd, valid=valid).values, "broad hump") < 1.5 * whole + 0.02
    assert error(chosen(np.where(np.isnan(spoiled), 1e6, spoiled), sd).values, "broad hump") > 10.0 * whole


def test_long_spectra_are_binned_and_come_back_at_full_length():
    p = 6000
    x = np.linspace(0.0, 1.0, p)
    truth = 3.0 + np.sin(4.0 * x)
    peak = 5.0 * np.exp(-4.0 * np.log(2.0) * ((np.arange(p) - 2500.0) / 60.0) ** 2)
    y = truth + peak + 0.2 * np.random.default_rng(0).standard_normal(p)
    found = estimate_baseline(y, generator=np.random.default_rng(0), widest_peak=120.0)
    assert found.values.shape == found.sd.shape == (p,)
    assert np.sqrt(np.mean((found.values - truth) ** 2)) < 0.04


def test_smoothed_noise_is_warned_about():
    y, sd = spectrum("broad hump", peaks=2)
    assert result("broad hump").warnings == ()
    smooth = np.convolve(y, [0.25, 0.5, 0.25], mode="same")
    assert "correlated" in chosen(smooth, 0.6 * sd).warnings[0]


@pytest.mark.parametrize(
    ("y", "sd", "widest", "reason"),
    [
        (np.ones(20), None, WIDEST, "20 usable points are too few"),
        (np.full(100, np.nan), None, WIDEST, "0 usable points"),
        (np.ones(100), None, WIDEST, "noise of the spectrum is zero or unknown"),
        (np.arange(100.0), np.zeros(100), WIDEST, "noise of the spectrum is zero"),
        (np.arange(100.0), np.ones(100), 1.0, "widest peak of 1.0 points"),
    ],
    ids=["short", "nan", "flat", "no noise", "too narrow"],
)
def test_what_cannot_be_judged_has_a_reason(y, sd, widest, reason):
    with pytest.raises(CannotTell, match=reason):
        estimate_baseline(y, generator=np.random.default_rng(0), sd=sd, widest_peak=widest)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([-1e5, 0.0, 1e5]), st.floats(1e-3, 1e3))
def test_any_noise_gives_a_finite_baseline(seed, level, scale):
    y = level + scale * np.random.default_rng(seed).standard_cauchy(64).clip(-50, 50)
    found = estimate_baseline(y, generator=np.random.default_rng(0), widest_peak=6.0)
    assert np.isfinite(found.values).all() and (found.sd >= 0).all()


def test_bootstrap_weights_share_between_equals_and_leave_the_worse():
    points = np.zeros((3, 200))
    points[2] = -1.0
    weights = bootstrap_weights(points, np.random.default_rng(0))
    np.testing.assert_allclose(weights, [0.5, 0.5, 0.0], atol=1e-6)


def test_a_whittaker_smoother_passes_half_of_a_wave_of_its_period():
    wave = np.cos(2.0 * np.pi * np.arange(2000) / 50.0)
    smooth = Whittaker.of(np.ones(2000), 50.0)(wave)
    assert np.ptp(smooth[500:1500]) / 2.0 == pytest.approx(0.5, abs=0.01)
    assert penalty(2.0 * np.pi) == pytest.approx(1.0)


def test_weights_of_a_whittaker_smoother_may_vanish():
    weights = np.ones(200)
    weights[50:150] = 0.0
    y = np.arange(200.0)
    y[50:150] = 1e6
    np.testing.assert_allclose(Whittaker.of(weights, 20.0)(y), np.arange(200.0), atol=1.0)


def test_every_candidate_of_the_grid_draws_something_finite():
    y, sd = spectrum("broad hump")
    model = None
    for one in candidates(P, WIDEST):
        if one.method != "smooth":
            drawn = one(y, model)
            assert drawn is not None and np.isfinite(drawn).all(), one.name
