import numpy as np
import pytest

from surrogate.xrd.pattern import make_pattern
from surrogate.xrd.residual import FEATURES, MOST_PEAKS, leftover
from tests.surrogate.xrd.mixtures import COPPER, gaussians, mixed, scan_of, simulated_scan

ANGLES = np.arange(20.0, 70.0, 0.02)
PEAKS = {27.0: 8000.0, 38.0: 4000.0, 55.0: 2500.0}


def measured(mean, seed=0):
    return make_pattern(scan_of(ANGLES, np.random.default_rng(seed).poisson(mean)))


def on_grid(pattern, values):
    return np.interp(pattern.two_theta_deg, ANGLES, values) / pattern.scale


def left_of(mean, model, background, seed=0):
    pattern = measured(mean, seed)
    return leftover(pattern, on_grid(pattern, model), on_grid(pattern, background))


FLAT = np.full_like(ANGLES, 100.0)


def test_a_perfect_model_leaves_no_peak():
    mean = gaussians(ANGLES, PEAKS, fwhm_deg=0.15)
    assert sum(len(left_of(mean, mean, FLAT, seed).peaks) for seed in range(20)) <= 1


def test_noise_alone_is_rarely_a_peak():
    n = [len(left_of(FLAT, FLAT, FLAT, seed).peaks) for seed in range(40)]
    assert sum(map(bool, n)) <= 3


def test_what_the_model_lacks_is_told_with_angle_spacing_and_height():
    extra = {33.0: 600.0, 47.5: 300.0}
    mean = gaussians(ANGLES, PEAKS | extra, fwhm_deg=0.15)
    found = left_of(mean, gaussians(ANGLES, PEAKS, fwhm_deg=0.15), FLAT)
    assert [peak.two_theta_deg for peak in found.peaks] == pytest.approx([33.0, 47.5], abs=0.05)
    for peak in found.peaks:
        sine = np.sin(np.radians(peak.two_theta_deg / 2.0))
        assert peak.d_angstrom == pytest.approx(COPPER.wavelength_angstrom[0] / (2.0 * sine))
    heights = [peak.relative_height for peak in found.peaks]
    assert heights == pytest.approx([600.0 / 8000.0, 300.0 / 8000.0], rel=0.35)
    assert found.peaks[0].height_sigma > found.peaks[1].height_sigma > 8.0


def test_a_misfit_at_the_flanks_of_a_strong_peak_is_no_peak():
    mean = gaussians(ANGLES, PEAKS, fwhm_deg=0.15)
    narrower = gaussians(ANGLES, PEAKS, fwhm_deg=0.14)
    assert not left_of(mean, narrower, FLAT).peaks


def test_peaks_below_the_model_are_none():
    mean = gaussians(ANGLES, PEAKS, fwhm_deg=0.15)
    assert not left_of(mean, gaussians(ANGLES, PEAKS | {33.0: 600.0}, fwhm_deg=0.15), FLAT).peaks


def test_a_gap_leaves_nothing():
    kept = (ANGLES < 32.0) | (ANGLES > 48.0)
    mean = gaussians(ANGLES, PEAKS, fwhm_deg=0.15)
    counts = np.random.default_rng(0).poisson(mean)[kept]
    pattern = make_pattern(scan_of(ANGLES[kept], counts))
    model = on_grid(pattern, mean)
    found = leftover(pattern, model, on_grid(pattern, FLAT))
    assert not [peak for peak in found.peaks if 33.0 < peak.two_theta_deg < 47.0]
    assert np.isfinite(found.features).all()


def test_a_phase_that_is_left_out_shows_at_its_lines(atlas, searcher):
    parts = {"rutile": 0.7, "silicon": 0.3}
    pattern = make_pattern(simulated_scan("L1", parts, 8))
    without = next(one for one in searcher.search(pattern) if {atlas.phases[i].name for i in one.phases} == {"rutile"})
    found = leftover(pattern, *searcher.model(pattern, without))
    alone = mixed("L1", parts, 8).truth.contributions["silicon"]
    angles = mixed("L1", parts, 8).two_theta_deg
    for line in (28.4, 47.3, 56.1):
        true = angles[np.abs(angles - line) < 0.6][int(alone[np.abs(angles - line) < 0.6].argmax())]
        assert min(abs(peak.two_theta_deg - true) for peak in found.peaks) < 0.1


def test_features_have_names_and_grow_with_what_is_missing():
    model = gaussians(ANGLES, PEAKS, fwhm_deg=0.15)
    features = []
    for height in (0.0, 200.0, 1500.0):
        extra = {33.0: height, 44.0: height, 61.0: height}
        features.append(left_of(gaussians(ANGLES, PEAKS | extra, fwhm_deg=0.15), model, FLAT).features)
    assert all(len(one) == len(FEATURES) for one in features)
    for name in ("strongest", "second", "third", "unexplained", "misfit"):
        none, some, much = (one[FEATURES.index(name)] for one in features)
        assert none < some < much, name


def test_the_list_of_peaks_ends_somewhere():
    comb = {float(at): 3000.0 for at in np.arange(21.0, 69.0, 0.5)}
    found = left_of(gaussians(ANGLES, comb), FLAT, FLAT)
    assert len(found.peaks) == MOST_PEAKS
    heights = [peak.height_sigma for peak in found.peaks]
    assert heights == sorted(heights, reverse=True)


def test_the_edge_of_a_gap_is_no_peak():
    scan = scan_of(ANGLES, np.random.default_rng(3).poisson(np.where(ANGLES < 45.0, 100.0, 130.0)))
    kept = (ANGLES < 45.0) | (ANGLES > 52.0)
    pattern = make_pattern(scan_of(ANGLES[kept], scan.values[kept]))
    flat = np.full(pattern.grid.n, 100.0 / pattern.scale)
    inside = [p for p in leftover(pattern, flat, flat).peaks if 44.5 < p.two_theta_deg < 52.0]
    assert not inside
    assert max((p.height_sigma for p in leftover(pattern, flat, flat).peaks), default=0.0) < 1e3
