import numpy as np
from numpy.polynomial.legendre import legval

from surrogate.spectra.features import N_COEFFICIENTS, evaluate, legendre_features

P = 300


def test_a_legendre_series_survives_the_round_trip():
    c = np.random.default_rng(0).normal(size=(4, N_COEFFICIENTS))
    values = evaluate(c, P)
    np.testing.assert_allclose(values[2], legval(np.linspace(-1.0, 1.0, P), c[2]), atol=1e-12)
    found, _ = legendre_features(values, np.ones_like(values), np.ones(values.shape, dtype=bool))
    np.testing.assert_allclose(found, c, atol=1e-10)


def test_masked_pixels_have_no_say():
    c = np.random.default_rng(1).normal(size=(2, N_COEFFICIENTS))
    values, valid = evaluate(c, P), np.ones((2, P), dtype=bool)
    valid[1, 40:70] = False
    values[1, 40:70] = np.nan
    found, variances = legendre_features(values, np.ones((2, P)), valid)
    np.testing.assert_allclose(found, c, atol=1e-8)
    assert (variances[1] > variances[0]).all()


def test_variances_are_those_of_repeated_noise():
    chance = np.random.default_rng(2)
    sd = np.linspace(0.01, 0.05, P)
    draws = chance.normal(0.0, sd, (4000, P))
    found, variances = legendre_features(draws, np.broadcast_to(sd, draws.shape), np.ones(draws.shape, dtype=bool))
    np.testing.assert_allclose(found.var(axis=0), variances[0], rtol=0.15)
