import numpy as np
import pytest

from surrogate.spectra.centre import CENTRE_SD_MM, geometry_from_picture, geometry_from_spectra


def picture(*, centre_mm=0.0, ratio=1.0, noise=1.0, seed=0, width=400):
    """Return a stripe whose right side is `ratio` times as wide as its left."""
    chance = np.random.default_rng(seed)
    x = 5e-3 * (np.arange(width) - 0.5 * (width - 1)) - centre_mm
    left = 2.0 / (1.0 + ratio)
    u = np.abs(x) / np.where(x > 0, left * ratio, left)
    steps = 1.0 / (1.0 + np.exp((u[:, None] - [0.15, 0.22, 0.3]) / 0.012))
    return (60.0 + 80.0 * steps)[None] + chance.normal(0.0, noise, (4, width, 3))


@pytest.mark.parametrize(
    ("centre_mm", "ratio"), [(0.0, 1.0), (0.03, 0.95), (-0.025, 1.05), (-0.02, 1.08), (0.045, 0.92)]
)
def test_a_picture_tells_centre_and_asymmetry(centre_mm, ratio):
    found = geometry_from_picture(picture(centre_mm=centre_mm, ratio=ratio), pixel_um=5.0)
    assert found.centre_mm == pytest.approx(centre_mm, abs=0.003)
    assert found.right_over_left == pytest.approx(ratio, abs=0.01)


def test_the_stated_errors_of_a_picture_are_honest():
    z = []
    for seed in range(30):
        found = geometry_from_picture(picture(centre_mm=0.02, ratio=0.96, noise=6.0, seed=seed), pixel_um=5.0)
        z.append(((found.centre_mm - 0.02) / found.centre_sd_mm, (found.right_over_left - 0.96) / found.ratio_sd))
    assert (np.mean(np.abs(z) < 1.645, axis=0) > 0.7).all()


def test_a_mirrored_picture_mirrors_the_answer():
    pixels = picture(centre_mm=0.02, ratio=0.95)
    one, other = (geometry_from_picture(p, pixel_um=5.0) for p in (pixels, pixels[:, ::-1]))
    assert other.centre_mm == pytest.approx(-one.centre_mm, abs=1e-3)
    assert other.right_over_left == pytest.approx(1.0 / one.right_over_left, abs=0.01)


@pytest.mark.parametrize("seed", range(4))
def test_a_picture_of_noise_tells_nothing(seed):
    noise = np.random.default_rng(seed).normal(100.0, 5.0, (1, 400, 3))
    assert geometry_from_picture(noise, pixel_um=5.0) is None


def test_a_black_picture_tells_nothing():
    assert geometry_from_picture(np.zeros((2, 400, 3)), pixel_um=5.0) is None


def test_spectra_tell_the_centre_roughly():
    x = np.linspace(-0.4, 0.4, 33)
    errors = []
    for seed, centre in enumerate((-0.03, 0.0, 0.024, 0.03)):
        steps = np.tanh((np.abs(x - centre)[:, None] - [0.12, 0.2, 0.28]) / 0.04)
        y = steps - steps.mean(axis=0) + np.random.default_rng(seed).normal(0.0, 0.01, steps.shape)
        found = geometry_from_spectra(x, y, np.full(y.shape, 1e-4))
        errors.append(found.centre_mm - centre)
        assert 0.003 <= found.centre_sd_mm < CENTRE_SD_MM
    assert np.max(np.abs(errors)) < 0.012
