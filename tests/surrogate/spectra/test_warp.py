import numpy as np
import pytest

from surrogate.spectra.centre import UNKNOWN
from surrogate.spectra.profile import Profile
from surrogate.spectra.warp import PLAIN_C, from_picture, identity

PROFILE = Profile.of(peak_temperature_c=1000.0, dwell_us=1000.0)
X = 5e-3 * (np.arange(400) - 199.5)


def picture(*, at_c=800.0, width_c=10.0):
    """Return a stripe whose colour changes at a temperature."""
    change = 1.0 / (1.0 + np.exp(-(PROFILE.temperature(X) - at_c) / width_c))
    return np.broadcast_to((50.0 + 150.0 * change)[None, :, None], (3, 400, 3))


def test_a_picture_makes_the_warp_fast_where_colour_changes():
    warp = from_picture(picture(), pixel_um=5.0, profile=PROFILE, geometry=UNKNOWN)
    assert warp.temperature_c[np.argmax(warp.rate)] == pytest.approx(800.0, abs=15.0)
    assert warp.rate.max() > 5.0 / PLAIN_C
    np.testing.assert_allclose(warp.slope(np.array([500.0, 950.0])), 1.0 / PLAIN_C, rtol=0.1)


def test_a_warp_rises_and_its_rate_is_its_slope():
    warp = from_picture(picture(), pixel_um=5.0, profile=PROFILE, geometry=UNKNOWN)
    assert (np.diff(warp.w) > 0.0).all()
    t = np.linspace(400.0, 990.0, 100)
    numeric = (warp(t + 2.0) - warp(t - 2.0)) / 4.0
    np.testing.assert_allclose(warp.slope(t), numeric, rtol=0.1)


def test_without_a_picture_all_temperatures_are_alike():
    warp = identity(1000.0)
    np.testing.assert_allclose(warp(np.array([0.0, 300.0, 900.0])), [0.0, 10.0, 30.0])
    np.testing.assert_allclose(warp.slope(np.array([10.0, 700.0])), 1.0 / PLAIN_C)


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((3, 400, 3)), np.zeros((3, 5, 3)), picture()[:, 190:210]],
    ids=["black", "tiny", "centre only"],
)
def test_a_useless_picture_gives_none(pixels):
    assert from_picture(pixels, pixel_um=5.0, profile=PROFILE, geometry=UNKNOWN) is None
