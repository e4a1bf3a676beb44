from dataclasses import replace

import numpy as np
import pytest

from surrogate.spectra.detector import Corrected, Detector, Frames, correct, divide
from surrogate.spectra.errors import CannotTell
from surrogate.spectra.photon_transfer import photon_transfer

P = 400
LIGHT = 3e4 * (0.3 + np.exp(-0.5 * ((np.arange(P) - 180.0) / 60.0) ** 2))
"""Counts per second."""
BIAS, DARK_RATE, READ, GAIN = 900.0, 200.0, 12.0, 0.5


def frames(level=1.0, *, repeats=8, exposure_s=0.2, seed=0, averages=1):
    generator = np.random.default_rng(seed)
    electrons = (LIGHT * level + DARK_RATE) * exposure_s / GAIN
    counts = GAIN * generator.poisson(electrons, (repeats, averages, P)) + generator.normal(
        BIAS, READ, (repeats, averages, P)
    )
    return Frames(counts=counts.mean(axis=1), exposure_s=exposure_s, averages=averages)


def dark(**settings):
    return frames(0.0, **{"seed": 1, "repeats": 40, **settings})


def changed(one, pixels, value, repeat=slice(None)):
    counts = one.counts.copy()
    counts[repeat, pixels] = value
    return replace(one, counts=counts)


def deviations(found, truth=LIGHT):
    return ((found.values - truth) / found.sd)[found.valid]


@pytest.mark.parametrize(
    ("detector", "repeats", "source"),
    [
        (Detector(), 8, "repeats"),
        (Detector(counts_per_electron=GAIN, read_noise_counts=READ), 1, "detector"),
        (Detector(), 2, "neighbours"),
    ],
    ids=["repeats", "detector", "neighbours"],
)
def test_the_signal_is_recovered_with_honest_sd_however_the_noise_is_known(detector, repeats, source):
    found = [correct(frames(repeats=repeats, seed=s), [dark(seed=s + 50)], detector=detector) for s in range(6)]
    z = np.concatenate([deviations(one) for one in found])
    assert found[0].noise_from == source
    assert abs(z.mean()) < 0.1
    assert z.std() == pytest.approx(1.0, abs=0.12)


def test_the_photon_transfer_tells_read_noise_and_gain():
    a, b = photon_transfer(frames(repeats=30).counts)
    assert b == pytest.approx(GAIN, rel=0.15)
    assert a + b * BIAS == pytest.approx(READ**2, rel=0.6)


def test_a_struck_repeat_is_left_out_and_the_rest_kept():
    clean = frames()
    found = correct(changed(clean, 77, 50_000.0, repeat=3), [dark()])
    whole = correct(clean, [dark()])
    assert found.valid[77]
    assert found.n_outliers == whole.n_outliers + 1
    assert abs(found.values[77] - LIGHT[77]) < 5 * found.sd[77]
    assert found.sd[77] == pytest.approx(whole.sd[77] * np.sqrt(8 / 7), rel=0.05)


def test_of_two_repeats_that_disagree_neither_is_believed():
    found = correct(changed(frames(repeats=2), 77, 50_000.0, repeat=1), [dark()])
    assert found.masked["disagreeing"][77] and not found.valid[77]
    assert found.valid.sum() == P - 1


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda one: changed(one, 100, 60_000.0), "saturated"),
        (lambda one: changed(one, 100, 60_000.0, repeat=2), "saturated"),
        (lambda one: changed(one, 100, np.nan, repeat=0), "not finite"),
        (lambda one: changed(one, 100, np.inf), "not finite"),
    ],
    ids=["always", "once", "nan", "inf"],
)
def test_unusable_pixels_are_masked_with_the_reason_and_never_bridged(spoil, reason):
    found = correct(spoil(frames()), [dark()], detector=Detector(saturation_counts=60_000.0))
    assert found.masked[reason][100]
    assert np.isnan(found.values[100]) and np.isnan(found.sd[100]) and not found.valid[100]
    assert found.valid.sum() == P - 1


def test_averages_of_the_instrument_close_to_the_clip_are_masked_too():
    near = changed(frames(averages=4), 100, 59_500.0)
    detector = Detector(saturation_counts=60_000.0)
    assert correct(near, [dark()], detector=detector).masked["saturated"][100]
    assert not correct(replace(near, averages=1), [dark()], detector=detector).masked["saturated"][100]


def test_a_hot_pixel_is_known_by_its_dark_and_listed_ones_are_masked():
    found = correct(frames(), [changed(dark(), 33, 4000.0)], detector=Detector(bad_pixels=(5,)))
    assert found.masked["hot"][33] and found.masked["bad"][5]
    assert found.valid.sum() == P - 2


def test_nonlinearity_is_undone_and_its_sd_follows():
    coefficients = (1.0, -8e-6)
    straight = frames(repeats=12)
    above = straight.counts - BIAS - DARK_RATE * 0.2
    # what is seen is N with N / (c0 + c1 N) = above
    bent = replace(straight, counts=coefficients[0] * above / (1.0 - coefficients[1] * above) + BIAS + DARK_RATE * 0.2)
    found = correct(bent, [dark()], detector=Detector(nonlinearity=coefficients))
    z = deviations(found)
    assert abs(z.mean()) < 0.2 and z.std() < 1.3
    assert np.abs(deviations(correct(bent, [dark()]))).max() > 20.0


def test_a_linearity_polynomial_that_folds_is_refused():
    with pytest.raises(CannotTell, match="does not rise over the counts seen"):
        correct(frames(), [dark()], detector=Detector(nonlinearity=(1.0, -4e-4)))


def test_a_dark_of_another_exposure_is_refused_unless_scaling_is_asked_for():
    long = dark(exposure_s=1.0)
    with pytest.raises(CannotTell, match=r"with 0\.2 s and the nearest dark with 1 s"):
        correct(frames(), [long])
    with pytest.raises(CannotTell, match="only above a bias"):
        correct(frames(), [long], scale_dark=True)
    found = correct(frames(), [long], bias_counts=BIAS, scale_dark=True)
    assert "in proportion to the exposure" in found.assumptions[0]
    assert abs(deviations(found).mean()) < 0.2
    assert correct(frames(), [long, dark()], bias_counts=BIAS, scale_dark=True).assumptions == ()


def test_a_ratio_carries_the_noise_of_both_and_masks_what_the_reference_does_not_light():
    whole = [
        divide(correct(frames(0.4, seed=s), [dark(seed=90 + s)]), correct(frames(seed=40 + s), [dark(seed=80 + s)]))
        for s in range(6)
    ]
    z = np.concatenate([deviations(one, 0.4) for one in whole])
    assert abs(z.mean()) < 0.12 and z.std() == pytest.approx(1.0, abs=0.12)
    lamp = correct(frames(seed=3), [dark()])
    values = lamp.values.copy()
    values[50], values[200:240] = 0.02 * values[50], 0.5 * lamp.sd[200:240]
    found = divide(correct(frames(0.4), [dark()]), replace(lamp, values=values))
    assert found.masked["dead"][50] and not found.valid[50]
    assert (found.masked["dim reference"] | found.masked["dead"])[200:240].all()
    assert np.isnan(found.values[200:240]).all()


def plain(values):
    values = np.asarray(values, dtype=float)
    ok = np.ones(len(values), dtype=bool)
    return Corrected(values=values, sd=np.ones(len(values)), valid=ok, masked={}, noise_from="repeats")


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: correct(frames(), []), "there is no dark spectrum"),
        (lambda: correct(frames(), [Frames(counts=np.ones((2, 5)), exposure_s=0.2)]), r"shape \(2, 5\)"),
        (lambda: correct(replace(frames(), exposure_s=0.0), [dark()]), "1 exposures of 0 s"),
        (lambda: correct(frames(), [dark()], detector=Detector(bad_pixels=(P,))), "400 pixels do not have: 400"),
        (lambda: divide(plain(np.ones(4)), plain(np.ones(5))), "4 pixels cannot be divided by a reference of 5"),
        (lambda: divide(plain(np.ones(4)), plain(np.zeros(4))), "no pixel of the reference is lit"),
    ],
    ids=["no dark", "shapes", "no time", "bad pixel", "pixels", "no light"],
)
def test_what_cannot_be_corrected_has_a_reason(call, reason):
    with pytest.raises(CannotTell, match=reason):
        call()
