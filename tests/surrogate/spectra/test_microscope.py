import numpy as np
import pytest

from surrogate.spectra.microscope import BUMP_WEIGHT, FLOOR, MicroscopePrior, heated_window, prior_from_picture


def picture(edges_mm, *, noise=0.5, centre_mm=0.0):
    x = 5e-3 * (np.arange(400) - 199.5) - centre_mm
    steps = sum(1.0 / (1.0 + np.exp((np.abs(x) - at) / 0.008)) for at in edges_mm)
    colour = 60.0 + 50.0 * np.asarray(steps)[:, None] * [1.0, 0.6, 0.3]
    return (colour + np.random.default_rng(0).normal(0.0, noise, (4, 400, 3)))[None].reshape(4, 400, 3)


def test_edges_become_distances_from_the_centre():
    prior = prior_from_picture(picture([0.15, 0.3], centre_mm=0.02), pixel_um=5.0)
    assert prior.centre_mm == pytest.approx(0.02, abs=0.003)
    np.testing.assert_allclose(prior.distances_mm, [0.15, 0.3], atol=0.012)


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((2, 400, 3)), np.full((2, 400, 3), 80.0), np.zeros((2, 10, 3)), np.zeros((400, 3))],
    ids=["black", "uniform", "narrow", "flat"],
)
def test_no_edge_gives_no_prior(pixels):
    assert prior_from_picture(pixels, pixel_um=5.0) is None


def test_the_amplitude_is_large_at_transitions_and_small_far_away():
    rescale = MicroscopePrior(distances_mm=(0.2,)).rescale()
    at, between, away = rescale.value(np.array([0.2, 0.1, 1.5]))
    assert at == pytest.approx(1.0 + BUMP_WEIGHT + FLOOR, abs=0.1)
    assert at > between > away
    assert away == pytest.approx(FLOOR, abs=1e-6)
    np.testing.assert_allclose(rescale.value(np.array([-0.2, -0.1])), [at, between])


def test_distance_stretches_the_narrow_side():
    prior = MicroscopePrior(distances_mm=(), centre_mm=0.01, right_over_left=0.9)
    x = np.array([0.01 - 0.2, 0.01, 0.01 + 0.9 * 0.2])
    u = prior.distance(x)
    assert u[0] == pytest.approx(-u[2])
    assert u[1] == 0.0
    numeric = (prior.distance(np.array([0.3 + 1e-6])) - prior.distance(np.array([0.3 - 1e-6]))) / 2e-6
    np.testing.assert_allclose(prior.stretch(np.array([0.3])), 1.0 / numeric, rtol=1e-6)


def test_without_a_picture_the_heated_window_is_even():
    window = heated_window()
    x = np.linspace(0.0, 1.5, 50)
    np.testing.assert_allclose(window.value(x), window.value(-x))
    assert (np.diff(window.value(x)) <= 1e-12).all()
    assert window.value(np.array([0.0, 1.5])) == pytest.approx([1.0 + FLOOR, FLOOR])
