import numpy as np
import pytest

from surrogate.spectra.noise import neighbour_correlation, noise_sd


def test_the_noise_is_found_beneath_a_signal():
    x = np.arange(600.0)
    sd = 1.0 + x / 300.0
    values = 200.0 * np.exp(-0.5 * ((x - 300.0) / 20.0) ** 2) + sd * np.random.default_rng(0).standard_normal((20, 600))
    found = noise_sd(values, np.ones(values.shape, dtype=bool))
    np.testing.assert_allclose(found.mean(axis=0), sd, rtol=0.2)


def test_where_nothing_is_usable_the_noise_is_infinite():
    assert np.isinf(noise_sd(np.ones((1, 40)), np.zeros((1, 40), dtype=bool))).all()


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_correlated_noise_is_seen(share):
    white = np.random.default_rng(1).standard_normal(4001)
    mixed = white[1:] + share * white[:-1]
    assert neighbour_correlation(mixed) == pytest.approx(share / (1.0 + share**2), abs=0.08)


def test_no_noise_has_no_correlation():
    assert neighbour_correlation(np.ones(50)) == 0.0
