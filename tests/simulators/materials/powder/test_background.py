"""Backgrounds, humps, drift and attenuators."""

import numpy as np
import pytest

from simulators.materials.powder import background
from simulators.materials.powder.settings import Background

ANGLES = np.arange(10.0, 80.0, 0.05)


def test_a_flat_background_is_flat():
    assert background.smooth(ANGLES, Background(), {"Si": 1.0}, np.random.default_rng(0)) == pytest.approx(0.01)


@pytest.mark.parametrize("seed", range(5))
def test_a_polynomial_stays_positive_about_its_level(seed):
    values = background.smooth(ANGLES, Background(degree=6), {"Si": 1.0}, np.random.default_rng(seed))
    assert values.min() >= 0.0049 and values.max() <= 0.0151 and np.ptp(values) > 1e-3
    residual = values - np.polynomial.Polynomial.fit(ANGLES, values, 6)(ANGLES)
    assert np.abs(residual).max() < 1e-9


def test_air_scatters_at_low_angles_and_iron_glows():
    airy = background.smooth(ANGLES, Background(air=(1.0, 1.0)), {"Si": 1.0}, np.random.default_rng(0))
    assert airy[0] == pytest.approx(0.02) and airy[-1] == pytest.approx(0.01, rel=1e-2)
    glowing = background.smooth(
        ANGLES, Background(fluorescence=(3.0, 3.0)), {"Fe": 0.7, "O": 0.3}, np.random.default_rng(0)
    )
    assert glowing == pytest.approx(0.03)


@pytest.mark.parametrize("seed", range(4))
def test_humps_have_unit_area(seed):
    wide = np.arange(-100.0, 250.0, 0.05)
    humps = background.draw_humps(np.random.default_rng(seed))
    assert 1 <= len(humps) <= 3
    assert np.trapezoid(background.amorphous(wide, humps), wide) == pytest.approx(1.0, rel=1e-3)


def test_a_tube_drifts_within_its_bound():
    factors = [background.drift(ANGLES, 0.05, np.random.default_rng(seed)) for seed in range(20)]
    assert 0.01 < np.abs(np.array(factors) - 1.0).max() <= 0.05
    assert np.all(background.drift(ANGLES, 0.0, np.random.default_rng(0)) == 1.0)


def test_an_attenuator_goes_in_about_strong_peaks():
    peaks = 1e3 * np.exp(-0.5 * ((ANGLES - 40.0) / 0.2) ** 2)
    attenuation, gain = background.attenuated(peaks, 0.04, np.random.default_rng(0))
    assert attenuation[np.argmax(peaks)] == 10.0 and attenuation[0] == attenuation[-1] == 1.0
    assert 0.0 < np.abs(gain - 1.0).max() <= 0.04 and np.all(gain[attenuation == 1.0] == 1.0)
