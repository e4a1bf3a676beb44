from dataclasses import replace

import numpy as np
import pytest

from surrogate.spectra.errors import CannotTell
from surrogate.spectra.normalise import RawSpectrum, references, reflectance

P = 600
WAVELENGTH = np.linspace(350.0, 900.0, P)
LAMP = 2e5 * (0.3 + 0.7 * np.exp(-0.5 * ((WAVELENGTH - 620.0) / 115.0) ** 2))
DARK = 900.0
FILM = 0.3 + 0.15 * np.sin(WAVELENGTH / 30.0)


def raw(level, *, exposure_s=0.1, sd=20.0, seed=0, **facts):
    """Return a spectrum of something that reflects so much of the lamp."""
    noise = np.random.default_rng(seed).normal(0.0, sd, P)
    counts = DARK + LAMP * level * exposure_s + noise
    return RawSpectrum(wavelength_nm=WAVELENGTH, counts=counts, exposure_s=exposure_s, **facts)


def against(**facts):
    return references([raw(1.0, seed=1, **facts)], [raw(0.0, seed=2)])


def spoiled(one, pixels, value):
    counts = one.counts.copy()
    counts[pixels] = value
    return replace(one, counts=counts)


def test_reflectance_is_film_over_mirror():
    found = reflectance([raw(FILM, seed=3)], against())
    np.testing.assert_allclose(found.values[0], FILM, atol=0.012)
    assert found.valid.mean() > 0.995
    assert found.dropped == ()


def test_the_noise_is_estimated_from_the_spectrum_itself():
    film = [raw(FILM, seed=3 + i, sd=60.0, offset_mm=0.1 * i) for i in range(12)]
    found = reflectance(film, against())
    expected = 60.0 / (0.1 * LAMP)
    np.testing.assert_allclose(np.median(found.noise_sd, axis=0), expected, rtol=0.35)
    residual = np.std(found.values - FILM, axis=0)
    assert np.median(residual / expected) == pytest.approx(1.0, abs=0.15)


def test_exposures_need_not_be_equal_where_each_has_its_blank():
    known = references([raw(1.0, seed=1)], [raw(0.0, seed=2), raw(0.0, seed=4, exposure_s=0.2)])
    found = reflectance([raw(FILM, seed=3, exposure_s=0.2)], known)
    np.testing.assert_allclose(found.values[0], FILM, atol=0.012)


def test_a_drifting_lamp_is_followed_between_two_mirrors():
    mirrors = [raw(1.0, seed=1, taken_s=0.0), raw(1.1, seed=5, taken_s=100.0)]
    known = references(mirrors[::-1], [raw(0.0, seed=2)])
    for taken_s, lamp in ((-5.0, 1.0), (0.0, 1.0), (25.0, 1.025), (100.0, 1.1), (500.0, 1.1)):
        found = reflectance([raw(FILM * lamp, sd=0.0, taken_s=taken_s)], known)
        np.testing.assert_allclose(found.values[0], FILM, atol=0.004)


def test_spectra_are_ordered_by_place():
    film = [raw(FILM, seed=i, offset_mm=x) for i, x in enumerate((0.3, -0.2, 0.1))]
    found = reflectance(film, against())
    np.testing.assert_array_equal(found.offset_mm, [-0.2, 0.1, 0.3])
    np.testing.assert_array_equal(found.values, reflectance(film[::-1], against()).values)


@pytest.mark.parametrize("value", [0.0, 30_000.0, np.nan, np.inf], ids=["dead", "struck", "nan", "inf"])
def test_bad_pixels_are_masked_and_no_others(value):
    found = reflectance([spoiled(raw(FILM, seed=3), [100, 400], value)], against())
    assert not found.valid[0, [100, 400]].any()
    assert found.valid[0].sum() >= P - 6
    assert np.isfinite(found.values).all()


@pytest.mark.parametrize("value", [0.0, 60_000.0, np.nan], ids=["dead", "struck", "nan"])
def test_a_bad_pixel_of_a_reference_does_not_spread(value):
    mirror, blank = raw(1.0, seed=1), raw(0.0, seed=2)
    for known in (
        references([spoiled(mirror, [300], value)], [blank]),
        references([mirror], [spoiled(blank, [300], value)]),
    ):
        found = reflectance([raw(FILM, seed=3)], known)
        good = found.valid[0]
        np.testing.assert_allclose(found.values[0, good], FILM[good], atol=0.015)


def test_saturated_pixels_are_masked():
    full = DARK + 16_000.0
    one = raw(0.9, seed=3)
    clipped = replace(one, saturation_counts=full, counts=np.minimum(one.counts, full))
    found = reflectance([clipped], against())
    assert (clipped.counts == full).sum() > 100
    assert not found.valid[0, clipped.counts == full].any()
    assert found.valid[0, clipped.counts < full].mean() > 0.98


def test_an_average_close_to_the_clip_may_hold_clipped_exposures():
    one = spoiled(raw(FILM, sd=1.0), slice(200, 220), 9_950.0)
    one = replace(one, saturation_counts=10_000.0, counts=np.minimum(one.counts, 9_950.0))
    near = one.counts > 9_900.0
    assert near.sum() >= 20
    assert not reflectance([replace(one, averages=4)], against()).valid[0, near].any()


def test_spectra_with_few_good_pixels_are_dropped_and_named():
    dark = replace(raw(FILM, seed=4, offset_mm=0.25), saturation_counts=2_000.0)
    gap = spoiled(raw(FILM, seed=5, offset_mm=-0.5), slice(0, 400), np.nan)
    found = reflectance([raw(FILM, seed=3), dark, gap], against())
    np.testing.assert_array_equal(found.offset_mm, [0.0])
    assert any(s.startswith("at 0.25 mm") and "shorten the exposure" in s for s in found.dropped)
    assert any(s.startswith("at -0.5 mm") for s in found.dropped)


def with_exposure(seconds, averages=1):
    return replace(raw(FILM), exposure_s=seconds, averages=averages)


@pytest.mark.parametrize(
    ("mirrors", "blanks", "film", "reason"),
    [
        ([], [raw(0.0)], [raw(FILM)], "0 mirror and 1 blank spectra; one of each"),
        ([raw(1.0)], [], [raw(FILM)], "1 mirror and 0 blank"),
        ([raw(1.0)], [raw(0.0)], [], "no spectrum of the film"),
        ([raw(1.0)], [raw(0.0, exposure_s=0.2)], [raw(FILM)], "0.1 s and the nearest blank with 0.2 s"),
        ([raw(1.0)], [raw(0.0)], [raw(FILM, exposure_s=0.3)], "0.3 s and the nearest blank with 0.1 s"),
        ([raw(0.0, seed=9)], [raw(0.0)], [raw(FILM)], "mirror reference is too dim: .*check lamp"),
        ([replace(raw(1.0), saturation_counts=2000.0)], [raw(0.0)], [raw(FILM)], "saturated in .*shorten the exposure"),
        ([raw(1.0)], [raw(0.0)], [replace(raw(FILM), wavelength_nm=WAVELENGTH + 1.0)], "different wavelengths"),
        ([raw(1.0)], [raw(0.0)], [replace(raw(FILM), counts=np.ones(5))], "spectra of 5 and 600 pixels"),
        ([raw(1.0)], [raw(0.0)], [with_exposure(0.0)], "1 exposures of 0 s"),
        ([raw(1.0)], [raw(0.0)], [with_exposure(0.1, averages=0)], "0 exposures of 0.1 s"),
        ([raw(1.0)], [raw(0.0)], [spoiled(raw(FILM), slice(None), np.nan)], "none of 1 spectra is usable"),
    ],
    ids=[
        "no mirror",
        "no blank",
        "no film",
        "mirror exposure",
        "film exposure",
        "dim",
        "saturated",
        "wavelengths",
        "pixels",
        "no time",
        "no exposure",
        "nan",
    ],
)
def test_what_cannot_be_divided_has_a_reason(mirrors, blanks, film, reason):
    with pytest.raises(CannotTell, match=reason):
        reflectance(film, references(mirrors, blanks))
