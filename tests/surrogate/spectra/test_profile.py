import numpy as np
import pytest

from surrogate.spectra.profile import Profile, width_um

X = np.linspace(-1.0, 1.0, 41)


@pytest.mark.parametrize(
    ("peak_c", "log10_dwell", "published_um"),
    [
        (400, 2.4, 468),
        (800, 2.4, 571),
        (1200, 2.4, 446),
        (800, 3.0, 680),
        (1000, 3.0, 635),
        (1200, 3.0, 586),
        (800, 4.0, 760),
        (1200, 4.0, 693),
    ],
)
def test_widths_are_the_published_ones(peak_c, log10_dwell, published_um):
    assert width_um(peak_c, log10_dwell) == pytest.approx(published_um, abs=1.0)


@pytest.mark.parametrize(("peak_c", "dwell_us", "c_per_um"), [(800.0, 1e3, 2.0), (1200.0, 1e4, 3.0)])
def test_steepest_slopes_are_the_published_ones(peak_c, dwell_us, c_per_um):
    slope = Profile.of(peak_temperature_c=peak_c, dwell_us=dwell_us).slope(np.linspace(0.0, 1.0, 2001))
    assert np.abs(slope).max() / 1e3 == pytest.approx(c_per_um, rel=0.02)


def test_widths_outside_the_fit_are_those_at_its_edge():
    assert width_um(5000.0, 3.0) == width_um(9000.0, 3.0) > 0.0
    assert width_um(900.0, 0.5) == width_um(900.0, 0.1) > 0.0


def test_temperature_and_place_are_inverse_on_both_sides():
    profile = Profile.of(peak_temperature_c=950.0, dwell_us=800.0, right_over_left=0.9)
    temperature = np.linspace(100.0, 950.0, 30)
    for side in (-1, 1):
        x = profile.position(temperature, side=side)
        assert (side * x >= 0.0).all()
        np.testing.assert_allclose(profile.temperature(x), temperature)
    np.testing.assert_allclose(profile.position(temperature), -0.9 * profile.position(temperature, side=-1))
    assert profile.temperature(np.array(0.0)) == 950.0


def test_the_slope_is_the_derivative():
    profile = Profile.of(peak_temperature_c=950.0, dwell_us=800.0, right_over_left=0.9)
    numeric = (profile.temperature(X + 1e-6) - profile.temperature(X - 1e-6)) / 2e-6
    np.testing.assert_allclose(profile.slope(X), numeric, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("temperature", [0.0, -5.0, 951.0])
def test_temperatures_that_were_not_reached_have_no_place(temperature):
    with pytest.raises(ValueError, match="above 0 and up to 950 degC"):
        Profile.of(peak_temperature_c=950.0, dwell_us=800.0).position(np.array([500.0, temperature]))


@pytest.mark.parametrize(("peak", "dwell", "name"), [(0.0, 1.0, "peak"), (900.0, -1.0, "dwell"), (np.nan, 1.0, "peak")])
def test_impossible_conditions_are_refused(peak, dwell, name):
    with pytest.raises(ValueError, match=f"the {name}.* of a stripe must be positive"):
        Profile.of(peak_temperature_c=peak, dwell_us=dwell)
