import numpy as np
import pytest

from surrogate.spectra.picture import column_positions, column_profile

RAMP = np.repeat(np.linspace(20.0, 200.0, 64)[None, :, None], 8, axis=0).repeat(3, axis=2)


def test_columns_are_averaged_and_specks_do_not_count():
    specked = RAMP.copy()
    specked[0, 10:20] = 255.0
    np.testing.assert_allclose(column_profile(specked, 5.0), RAMP[0], atol=1e-9)


def test_the_middle_of_the_picture_is_the_nominal_centre():
    x = column_positions(101, 5.0)
    assert x[50] == 0.0
    np.testing.assert_allclose(np.diff(x), 0.005)


@pytest.mark.parametrize(
    ("pixels", "pixel_um"),
    [
        (np.zeros((4, 64, 3)), 5.0),
        (np.full((4, 64, 3), 90.0), 5.0),
        (RAMP[:, :20], 5.0),
        (RAMP[..., 0], 5.0),
        (RAMP[..., :2], 5.0),
        (RAMP[:0], 5.0),
        (RAMP * np.nan, 5.0),
        (RAMP, 0.0),
        (RAMP, np.nan),
    ],
    ids=["black", "uniform", "narrow", "grey", "two colours", "no row", "nan", "no pixel size", "nan pixel size"],
)
def test_what_is_no_picture_is_none(pixels, pixel_um):
    assert column_profile(pixels, pixel_um) is None
