from collections import defaultdict
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surrogate.spectra.errors import CannotTell
from surrogate.spectra.line_shapes import SHAPES, area, area_derivatives, derivatives, line
from surrogate.spectra.peaks import PeakOptions, find_peaks

X = np.linspace(400.0, 700.0, 301)
SHARE = {"gauss": 0.0, "lorentz": 1.0, "pseudo_voigt": 0.5}
OPTIONS = PeakOptions(fwhm=6.0)


def noisy(lines, generator, *, background=1.0):
    signal = line(X, lines).sum(axis=1)
    sd = np.sqrt(background + 0.05 * signal)
    return signal + sd * generator.standard_normal(len(X)), sd


def find(x, y, sd=None, **settings):
    return find_peaks(x, y, sd=sd, options=replace(OPTIONS, **settings))


@cache
def deviations(shape):
    """Return z scores by quantity of 80 spectra with one lone and two overlapping lines, and how many were found."""
    z, found = defaultdict(list), 0
    for seed in range(80):
        generator = np.random.default_rng(seed)
        share = SHARE[shape]
        lines = np.array(
            [
                [450.0 + generator.uniform(-5, 5), generator.uniform(15, 100), generator.uniform(5, 8), share],
                [600.0 + generator.uniform(-3, 3), generator.uniform(30, 100), 6.0, share],
                [612.0 + generator.uniform(-1, 1), generator.uniform(30, 100), 6.0, share],
            ]
        )
        y, sd = noisy(lines, generator)
        peaks = find_peaks(X, y, sd=sd, options=replace(OPTIONS, shape=shape))
        for row, whole in zip(lines, area(lines), strict=True):
            near = [peak for peak in peaks if abs(peak.position.value - row[0]) < 3.0]
            if len(near) == 1:
                found += 1
                for name, truth in zip(("position", "height", "fwhm", "area"), (*row[:3], whole), strict=True):
                    one = getattr(near[0], name)
                    z[name].append((one.value - truth) / one.sd)
    return z, found


@pytest.mark.parametrize("quantity", ["position", "height", "fwhm", "area"])
@pytest.mark.parametrize("shape", SHAPES)
def test_intervals_cover_what_they_claim(shape, quantity):
    z = np.abs(deviations(shape)[0][quantity])
    # 240 peaks: the standard errors are 0.030 and 0.014; areas of overlapping lines of free shape are a little too sure
    # of nothing: their sd is up to a fifth too large
    assert 0.59 < np.mean(z < 1.0) < (0.80 if shape == "pseudo_voigt" else 0.775)
    assert 0.90 < np.mean(z < 1.96) < 0.99


@pytest.mark.parametrize("shape", SHAPES)
def test_nearly_all_lines_are_found_once(shape):
    assert deviations(shape)[1] >= 234


def test_noise_alone_gives_about_the_stated_number_of_peaks():
    generator = np.random.default_rng(11)
    options = replace(OPTIONS, shape="gauss", false_alarms=0.3)
    found = sum(len(find_peaks(X, generator.standard_normal(301), sd=1.0, options=options)) for _ in range(100))
    assert 12 < found < 46


def test_tails_of_a_strong_line_are_no_peaks():
    generator = np.random.default_rng(3)
    lines = np.array([[500.0, 3000.0, 6.0, 1.0], [560.0, 40.0, 6.0, 0.5]])
    found = [find(X, *noisy(lines, generator)) for _ in range(15)]
    assert sum(len(peaks) for peaks in found) <= 34
    assert all(any(abs(peak.position.value - 560.0) < 3.0 for peak in peaks) for peaks in found)


def test_a_falling_axis_gives_the_same_peaks():
    y, sd = noisy(np.array([[500.0, 80.0, 6.0, 0.3]]), np.random.default_rng(0))
    assert find(X[::-1], y[::-1], sd[::-1]) == find(X, y, sd)


def test_the_noise_need_not_be_given():
    y, _ = noisy(np.array([[500.0, 80.0, 6.0, 0.3]]), np.random.default_rng(0), background=4.0)
    (peak,) = find(X, y)
    assert peak.position.value == pytest.approx(500.0, abs=4 * peak.position.sd)


def test_a_line_under_a_slope_is_measured_with_a_local_background():
    y, sd = noisy(np.array([[500.0, 80.0, 6.0, 0.0]]), np.random.default_rng(0))
    sloped = y + 4.0 + 0.02 * (X - 500.0)
    peaks = find(X, sloped, sd, shape="gauss", has_local_background=True)
    best = max(peaks, key=lambda peak: peak.height.value)
    assert best.height.value == pytest.approx(80.0, abs=4 * best.height.sd)


@pytest.mark.parametrize(
    ("position", "width", "mask", "flag"),
    [
        (500.0, 6.0, slice(98, 103), "masked top"),
        (400.5, 6.0, slice(0, 0), "at the edge"),
        (500.0, 40.0, slice(0, 0), "width at its bound"),
    ],
    ids=["masked", "edge", "wide"],
)
def test_doubtful_peaks_are_flagged(position, width, mask, flag):
    y, sd = noisy(np.array([[position, 200.0, width, 0.0]]), np.random.default_rng(0))
    valid = np.ones(len(X), dtype=bool)
    valid[mask] = False
    peaks = find_peaks(X, y, sd=sd, valid=valid, options=replace(OPTIONS, shape="gauss"))
    assert any(flag in peak.flags for peak in peaks)


def clipped():
    return np.minimum(noisy(np.array([[500.0, 300.0, 12.0, 0.0]]), np.random.default_rng(0))[0], 200.0)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: find(X[:10], np.arange(10.0)), "10 usable points are too few"),
        (lambda: find(X, np.full(301, 7.0)), "flat: all 301 usable points are 7"),
        (lambda: find(X, np.full(301, np.nan)), "0 usable points"),
        (lambda: find(X, np.where(np.arange(301) % 3 == 0, 1.0 + X, np.nan)), "only 34% of 301 points"),
        (lambda: find(X, clipped()), "at exactly 200, some in a row .*: the detector was saturated"),
        (lambda: find(np.sin(X), np.arange(301.0)), "neither rises nor falls"),
        (lambda: find(X, np.arange(301.0), sd=np.zeros(301)), "noise of the spectrum is zero or unknown"),
    ],
    ids=["short", "flat", "nan", "masked", "saturated", "axis", "no noise"],
)
def test_unusable_spectra_are_refused_with_the_reason(call, reason):
    with pytest.raises(CannotTell, match=reason):
        call()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31), st.floats(-3.0, 6.0), st.integers(16, 60))
def test_any_numbers_give_finite_peaks(seed, decade, p):
    y = 10.0**decade * np.random.default_rng(seed).standard_cauchy(p)
    for peak in find_peaks(np.arange(float(p)), y, sd=10.0**decade, options=PeakOptions(fwhm=3.0)):
        numbers = [peak.position, peak.height, peak.fwhm, peak.area]
        assert np.isfinite([[one.value, one.sd] for one in numbers]).all()


@settings(max_examples=30, deadline=None)
@given(st.floats(-2, 2), st.floats(0.1, 9), st.floats(0.3, 4), st.floats(0, 1))
def test_derivatives_and_area_are_those_of_the_line(position, height, width, share):
    lines, x, step = np.array([[position, height, width, share]]), np.linspace(-4, 4, 41), 1e-6
    for k in range(4):
        moved = step * np.eye(4)[k]
        slope = (line(x, lines + moved) - line(x, lines - moved)) / (2 * step)
        np.testing.assert_allclose(derivatives(x, lines)[:, :, k], slope, atol=1e-5 * height)
        whole = (area(lines + moved) - area(lines - moved)) / (2 * step)
        np.testing.assert_allclose(area_derivatives(lines)[:, k], whole, rtol=1e-5, atol=1e-6)
    wide = np.linspace(-4000.0, 4000.0, 800_001)
    assert np.trapezoid(line(wide, lines)[:, 0], wide) == pytest.approx(area(lines)[0], rel=2e-3)
