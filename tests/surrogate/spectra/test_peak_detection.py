import numpy as np
import pytest

from surrogate.spectra.peak_detection import detect, expected_alarms, threshold_for

P = 500


@pytest.mark.parametrize("fwhms", [(2.5,), (6.0,), (4.0, 9.0)], ids=["narrow", "wide", "two"])
@pytest.mark.parametrize("allowed", [0.1, 1.0])
def test_pure_noise_gives_about_the_stated_number_of_peaks(fwhms, allowed):
    n = 600
    generator = np.random.default_rng(7)
    found = sum(
        len(detect(generator.standard_normal(P), np.ones(P), fwhms=fwhms, false_alarms=allowed)) for _ in range(n)
    )
    # the sum over widths is an upper bound; counting error is that of a Poisson number
    margin = 4.0 * np.sqrt(n * allowed)
    assert (0.85 if len(fwhms) == 1 else 0.6) * n * allowed - margin < found < 1.05 * n * allowed + margin


def test_noise_may_differ_from_point_to_point():
    generator = np.random.default_rng(8)
    sd = np.exp(np.linspace(0.0, 3.0, P))
    found = sum(len(detect(sd * generator.standard_normal(P), sd, fwhms=(5.0,), false_alarms=0.5)) for _ in range(400))
    assert 120 < found < 260


def test_a_peak_above_the_threshold_is_found_where_it_is():
    u = (np.arange(P) - 123.0) / 6.0
    height = 4.0 * threshold_for(P, (6.0,), 0.01) / np.sqrt(np.sum(2.0 ** (-8.0 * u**2)))
    signal = height * 2.0 ** (-4.0 * u**2) + np.random.default_rng(0).standard_normal(P)
    (one,) = detect(signal, np.ones(P), fwhms=(6.0, 12.0), false_alarms=0.01)
    assert abs(one.index - 123) <= 1
    assert one.fwhm == 6.0


def test_masked_points_neither_hide_nor_make_peaks():
    sd = np.ones(P)
    sd[100:140] = np.inf
    signal = np.where(np.isinf(sd), 0.0, 5.0 * 2.0 ** (-4.0 * ((np.arange(P) - 160.0) / 8.0) ** 2))
    (one,) = detect(signal, sd, fwhms=(8.0,), false_alarms=0.01)
    assert one.index == 160
    assert detect(np.zeros(P), np.full(P, np.inf), fwhms=(8.0,), false_alarms=0.01) == []


def test_the_threshold_gives_the_stated_number_and_grows_with_caution():
    for allowed in (1e-6, 0.01, 1.0):
        assert expected_alarms(P, (5.0,), threshold_for(P, (5.0,), allowed)) == pytest.approx(allowed, rel=1e-6)
    assert threshold_for(P, (5.0,), 1e9) == 0.0
