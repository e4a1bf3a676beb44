import time
from dataclasses import replace

import numpy as np
import pytest

from surrogate.xrd.amorphous import amorphous
from surrogate.xrd.pattern import make_pattern
from tests.surrogate.xrd.mixtures import gaussians, scan_of

ANGLES = np.arange(10.0, 80.0, 0.02)
PEAKS = {25.0: 5000.0, 31.3: 2000.0, 43.0: 800.0, 52.7: 3000.0}


def smooth(seed, level=100.0, degree=4):
    """Return a background of low degree with air below it."""
    rng = np.random.default_rng(seed)
    ripple = rng.uniform(-1.0, 1.0, degree + 1) * np.array([0.0, 0.3, 0.15, *[0.08] * (degree - 2)])
    place = (ANGLES - 45.0) / 35.0
    air = rng.uniform(0.0, 1.0) * (10.0 / ANGLES) ** 2 * np.exp(-(ANGLES - 10.0) / 15.0)
    return level * (1.0 + np.polynomial.chebyshev.chebval(place, ripple) + air)


def share_of(mean, peaks=None, seed=0, angles=ANGLES):
    pattern = make_pattern(scan_of(angles, np.random.default_rng(seed).poisson(mean)))
    known = np.zeros(len(angles)) if peaks is None else peaks
    return amorphous(pattern, np.interp(pattern.two_theta_deg, angles, known) / pattern.scale)


def crystalline():
    return gaussians(ANGLES, PEAKS, fwhm_deg=0.2, background=0.0)


@pytest.mark.parametrize(
    ("level", "with_peaks"), [(5.0, False), (100.0, False), (1000.0, False), (5.0, True), (100.0, True)]
)
@pytest.mark.parametrize("seed", range(4))
def test_a_smooth_background_has_no_humps(seed, level, with_peaks):
    peaks = crystalline() if with_peaks else np.zeros(len(ANGLES))
    found = share_of(smooth(seed, level) + peaks, peaks, seed)
    assert found.fraction == 0.0 and found.probability < 0.5 and found.interval[0] == 0.0


def test_nothing_is_said_where_a_high_background_could_hide_humps_as_large_as_the_peaks():
    found = share_of(smooth(0, 1000.0) + crystalline(), crystalline())
    assert found.fraction is None and found.interval[1] > 0.4 and found.probability < 0.5


@pytest.mark.parametrize("fwhm", [5.0, 6.0, 8.0, 12.0])
@pytest.mark.parametrize("at", [22.0, 31.0])
def test_a_hump_below_peaks_is_measured(at, fwhm):
    peaks, hump = crystalline(), gaussians(ANGLES, {at: 150.0}, fwhm_deg=fwhm, background=0.0)
    truth = hump.sum() / (hump.sum() + peaks.sum())
    found = share_of(smooth(1) + peaks + hump, peaks)
    assert found.fraction == pytest.approx(truth, abs=0.07) and found.probability > 0.99
    assert found.interval[0] <= truth <= found.interval[1]


def test_the_share_counts_unexplained_peaks():
    """Peaks that no phase explains are crystalline too."""
    peaks, hump = crystalline(), gaussians(ANGLES, {28.0: 150.0}, fwhm_deg=8.0, background=0.0)
    truth = hump.sum() / (hump.sum() + peaks.sum())
    assert share_of(smooth(1) + peaks + hump).fraction == pytest.approx(truth, abs=0.1)


@pytest.mark.parametrize("humps", [{24.0: 300.0}, {21.0: 300.0, 42.0: 120.0}], ids=["one", "two"])
@pytest.mark.parametrize("fwhm", [6.0, 12.0])
def test_a_glass_is_all_humps(humps, fwhm):
    found = share_of(smooth(2) + gaussians(ANGLES, humps, fwhm_deg=fwhm, background=0.0))
    assert found.fraction > 0.95


def test_the_edge_of_the_direct_beam_is_no_hump():
    rise = 3000.0 * np.exp(-(ANGLES - 10.0) / 0.8) + 500.0 * np.exp(-(ANGLES - 10.0) / 4.0)
    peaks = crystalline()
    assert share_of(smooth(3) + rise + peaks, peaks).fraction == 0.0


def test_nothing_is_said_about_a_few_degrees():
    angles = np.arange(20.0, 35.0, 0.02)
    peaks = gaussians(angles, {25.0: 5000.0}, background=0.0)
    found = share_of(100.0 + peaks, peaks, angles=angles)
    assert found.fraction is None and found.interval == (0.0, 1.0)


def test_nothing_is_said_where_a_background_was_taken_off_before():
    peaks = crystalline()
    values = np.random.default_rng(0).poisson(smooth(1) + peaks) - smooth(1) - 2.0
    scan = replace(scan_of(ANGLES, values), counts=None, sigma=None)
    pattern = make_pattern(scan)
    found = amorphous(pattern, np.interp(pattern.two_theta_deg, ANGLES, peaks) / pattern.scale)
    assert found.fraction is None


def test_a_dead_stretch_is_no_gap_between_humps():
    values = np.random.default_rng(0).poisson(smooth(1) + crystalline()).astype(float)
    values[(ANGLES > 33.0) & (ANGLES < 38.0)] = 0.0
    pattern = make_pattern(scan_of(ANGLES, values))
    peaks = np.interp(pattern.two_theta_deg, ANGLES, crystalline()) / pattern.scale
    assert amorphous(pattern, peaks).fraction == 0.0


def test_it_costs_milliseconds():
    pattern = make_pattern(scan_of(ANGLES, np.random.default_rng(0).poisson(smooth(1) + crystalline())))
    peaks = np.interp(pattern.two_theta_deg, ANGLES, crystalline()) / pattern.scale
    costs = []
    for _ in range(5):
        began_s = time.process_time()
        amorphous(pattern, peaks)
        costs.append(time.process_time() - began_s)
    assert min(costs) < 0.03
