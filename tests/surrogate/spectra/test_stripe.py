import numpy as np
import pytest

from surrogate.spectra.centre import Geometry
from surrogate.spectra.profile import Profile
from surrogate.spectra.stripe import (
    TEMPERATURE_SCALE_C,
    StripeData,
    StripeErrors,
    contrast,
    hand_over,
    principal_components,
)
from surrogate.spectra.warp import identity

PROFILE = Profile.of(peak_temperature_c=1000.0, dwell_us=1000.0)
T = np.linspace(800.0, 990.0, 20)
EXACT = StripeErrors(spot_um=0.0, position_um=0.1, temperature_c=0.0, width=0.0, flicker=1e-6, floor=0.01)
SHAPE = 0.7 ** np.arange(17)
SIZE = np.linalg.norm(SHAPE)


def stripe(*, level=0.3, sd=1e-3, seed=0, n=41):
    """Return a stripe whose 17 features go through one step at 880 degC together."""
    x = np.linspace(-0.3, 0.3, n)
    share = 1.0 / (1.0 + np.exp(-(PROFILE.temperature(x) - 880.0) / 25.0))
    clean = 0.4 + level * share[:, None] * SHAPE
    noisy = clean + np.random.default_rng(seed).normal(0.0, sd, clean.shape)
    return StripeData(offset_mm=x, coefficients=noisy, variances=np.full(clean.shape, sd**2))


def handed(data, errors=EXACT):
    return hand_over(
        data, T, profile=PROFILE, geometry=Geometry(centre_sd_mm=1e-4), warp=identity(1000.0), errors=errors
    )


def true_gradient(level=0.3):
    share = 1.0 / (1.0 + np.exp(-(T - 880.0) / 25.0))
    return level * SIZE * share * (1.0 - share) / 25.0 * TEMPERATURE_SCALE_C


def test_the_gradient_is_that_of_the_features_over_scaled_temperature():
    found = handed(stripe())
    np.testing.assert_allclose(found.g, true_gradient(), atol=0.08 * true_gradient().max())
    assert found.temperature_c is T


def test_intervals_hold_the_truth():
    covered = []
    for seed in range(12):
        found = handed(stripe(sd=5e-3, seed=seed))
        covered.append(np.mean(np.abs(found.g - true_gradient()) < 1.645 * found.sd))
    assert 0.7 < np.mean(covered) <= 1.0


def test_rotating_the_features_does_not_change_the_gradient():
    data = stripe()
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(17, 17)))[0]
    turned = StripeData(offset_mm=data.offset_mm, coefficients=data.coefficients @ turn, variances=data.variances)
    np.testing.assert_allclose(handed(turned).g, handed(data).g, rtol=0.02, atol=0.05)


def test_noise_alone_is_no_gradient():
    found = handed(stripe(level=0.0, sd=5e-3))
    assert (found.g < 2.0 * found.sd + 0.05 * true_gradient().max()).all()


@pytest.mark.parametrize("index", [12, 25])
def test_an_accident_is_left_out_and_named(index):
    data = stripe(sd=3e-3)
    data.coefficients[index] += 0.3 * np.random.default_rng(4).normal(size=17)
    found = handed(data)
    assert found.outliers_mm == (pytest.approx(data.offset_mm[index]),)
    np.testing.assert_allclose(found.g, true_gradient(), atol=0.15 * true_gradient().max())


def test_contrast_is_one_where_nothing_changes():
    assert contrast(stripe(level=0.0), flicker=0.0) == pytest.approx(1.0, abs=0.2)
    assert contrast(stripe(), flicker=0.0) > 100.0


def test_principal_components_keep_distances_and_noise():
    data = stripe(level=0.3)
    rotation, components, noise = principal_components(data, flicker=0.0)
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(rotation.shape[1]), atol=1e-12)
    np.testing.assert_allclose(noise, 1e-6, rtol=1e-9)
    size = components.var(axis=0)
    assert (np.diff(size) <= 1e-12).all()
    centred = data.coefficients - data.coefficients.mean(axis=0)
    assert size.sum() == pytest.approx(centred.var(axis=0).sum(), rel=0.01)


def test_the_first_coefficient_comes_with_its_error():
    found = handed(stripe(sd=3e-3))
    share = 1.0 / (1.0 + np.exp(-(T - 880.0) / 25.0))
    assert (np.abs(found.coefficient0 - (0.4 + 0.3 * share)) < 4.0 * found.coefficient0_sd + 1e-3).all()
