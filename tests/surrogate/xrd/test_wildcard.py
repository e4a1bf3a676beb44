import numpy as np
import pytest

from surrogate.xrd.pattern import make_pattern
from surrogate.xrd.wildcard import COST, wildcard
from tests.surrogate.xrd.mixtures import gaussians, scan_of
from tests.surrogate.xrd.test_residual import ANGLES, FLAT, PEAKS, on_grid


def of(mean, model, seed=0):
    pattern = make_pattern(scan_of(ANGLES, np.random.default_rng(seed).poisson(mean)))
    return wildcard(pattern, on_grid(pattern, model))


MODEL = gaussians(ANGLES, PEAKS, fwhm_deg=0.15)


def test_noise_has_next_to_nothing_for_free_peaks():
    found = [of(MODEL, MODEL, seed) for seed in range(10)]
    assert np.median([one.gain for one in found]) < 3.0 * COST
    assert all(one.misfit < 1.3 for one in found)


def test_each_peak_that_the_model_lacks_gains_what_it_stands_out_by():
    one, two = ({33.0: 600.0}, {33.0: 600.0, 47.5: 300.0})
    found = [of(gaussians(ANGLES, PEAKS | extra, fwhm_deg=0.15), MODEL) for extra in ({}, one, two)]
    assert found[0].gain + 50.0 < found[1].gain and found[1].gain + 20.0 < found[2].gain
    assert found[1].n_peaks >= 1 and found[2].n_peaks >= 2


def test_free_peaks_leave_little_of_the_peaks_that_they_take():
    extra = {33.0: 600.0, 47.5: 300.0}
    mean = gaussians(ANGLES, PEAKS | extra, fwhm_deg=0.15)
    pattern = make_pattern(scan_of(ANGLES, np.random.default_rng(1).poisson(mean)))
    model = on_grid(pattern, MODEL)
    before = float((pattern.weight * (pattern.intensity - model) ** 2).mean())
    assert wildcard(pattern, model).misfit < 0.5 * before


def test_what_lies_below_the_model_gains_nothing():
    lacking = gaussians(ANGLES, PEAKS | {33.0: 600.0}, fwhm_deg=0.15)
    assert of(MODEL, lacking).gain <= of(MODEL, MODEL).gain + 3.0 * COST


def test_a_gap_holds_no_peaks():
    kept = (ANGLES < 32.0) | (ANGLES > 48.0)
    mean = gaussians(ANGLES, PEAKS, fwhm_deg=0.15)
    pattern = make_pattern(scan_of(ANGLES[kept], np.random.default_rng(0).poisson(mean)[kept]))
    found = wildcard(pattern, on_grid(pattern, mean))
    assert found.gain == pytest.approx(wildcard(pattern, on_grid(pattern, mean)).gain)
    assert np.isfinite([found.gain, found.misfit]).all() and found.gain < 4.0 * COST


def test_the_model_is_left_as_it_was():
    pattern = make_pattern(scan_of(ANGLES, np.random.default_rng(0).poisson(FLAT)))
    model = on_grid(pattern, FLAT)
    intensity = pattern.intensity.copy()
    wildcard(pattern, model)
    assert (pattern.intensity == intensity).all() and (model == on_grid(pattern, FLAT)).all()
