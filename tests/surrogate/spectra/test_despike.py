import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surrogate.spectra.despike import despike, despike_repeats, least_share, modified_z
from surrogate.spectra.errors import CannotTell

P = 600
FWHM = 4.0


def lines(generator, *, n=15, strongest=5000.0, fwhm=FWHM):
    """Return a signal of lines that are as narrow as the instrument allows, and wider ones."""
    index = np.arange(P)
    signal = np.full(P, 200.0) + 80.0 * np.exp(-index / 200.0)
    for _ in range(n):
        u = (index - generator.uniform(0, P)) / (fwhm * generator.uniform(1.0, 2.5))
        share = generator.uniform(0.0, 1.0)
        height = strongest * generator.uniform(0.02, 1.0) ** 2
        signal += height * (share / (1.0 + 4.0 * u**2) + (1.0 - share) * 2.0 ** (-4.0 * u**2))
    return signal


def measured(signal, generator):
    return signal + np.sqrt(signal) * generator.standard_normal(signal.shape)


def test_real_lines_of_any_strength_are_never_eaten():
    eaten = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        signal = lines(generator, strongest=10.0 ** generator.uniform(2, 6))
        eaten += despike(measured(signal, generator), line_fwhm=FWHM, sd=np.sqrt(signal)).struck.sum()
    assert eaten == 0


def test_first_differences_alone_would_eat_them():
    generator = np.random.default_rng(1)
    jump = np.abs(modified_z(np.diff(measured(lines(generator, n=4), generator))))
    assert np.sum(jump > 6.0) > 10


@pytest.mark.parametrize("profile", [(1.0,), (1.0, 0.6), (0.5, 1.0, 0.4)], ids=["one", "two", "three"])
def test_spikes_are_found_masked_and_bridged_within_the_stated_sd(profile):
    found, z = 0, []
    for seed in range(40):
        generator = np.random.default_rng(seed)
        signal = lines(generator, n=3, strongest=1000.0)
        y = measured(signal, generator)
        at = int(generator.integers(10, P - 10))
        struck = slice(at, at + len(profile))
        y[struck] += 60.0 * np.sqrt(signal[at]) * np.array(profile)
        result = despike(y, line_fwhm=FWHM, sd=np.sqrt(signal))
        top = at + int(np.argmax(profile))
        found += result.struck[top]
        z += list(((result.values - signal) / result.sd)[result.struck])
        assert result.struck.sum() <= 9
        assert (result.sd[result.struck] > np.sqrt(signal)[result.struck]).all()
        np.testing.assert_array_equal(result.values[~result.struck], y[~result.struck])
    assert found >= 36
    assert np.sqrt(np.mean(np.square(z))) < 1.6


def test_the_noise_need_not_be_given():
    generator = np.random.default_rng(5)
    signal = lines(generator, n=3, strongest=1000.0)
    y = measured(signal, generator)
    y[[77, 400]] += 4000.0
    np.testing.assert_array_equal(np.flatnonzero(despike(y, line_fwhm=FWHM).struck), [77, 400])


@pytest.mark.parametrize("at", [0, P - 1], ids=["first", "last"])
def test_a_spike_at_an_end_is_found(at):
    generator = np.random.default_rng(6)
    y = 100.0 + generator.standard_normal(P)
    y[at] += 500.0
    result = despike(y, line_fwhm=FWHM, sd=np.ones(P))
    np.testing.assert_array_equal(np.flatnonzero(result.struck), [at])
    assert result.values[at] == pytest.approx(100.0, abs=5.0)


@settings(max_examples=40, deadline=None)
@given(st.floats(3.0, 8.0), st.floats(-0.5, 0.5), st.booleans(), st.floats(10.0, 1e7))
def test_no_single_line_of_the_instrument_is_a_spike(fwhm, shift, is_lorentzian, height):
    u = (np.arange(200) - 100.0 - shift) / fwhm
    signal = height * (1.0 / (1.0 + 4.0 * u**2) if is_lorentzian else 2.0 ** (-4.0 * u**2)) + 10.0
    assert not despike(signal, line_fwhm=fwhm, sd=np.sqrt(signal)).struck.any()


def test_the_sharpest_line_keeps_what_is_said():
    assert least_share(2.0, 4.0) == pytest.approx(0.5)
    assert least_share(1.0, 4.0) == pytest.approx(0.8)
    assert least_share(4.0, 4.0) == pytest.approx(2.0**-4)


def test_spikes_in_repeats_give_way_to_the_other_repeats():
    generator = np.random.default_rng(2)
    signal = lines(generator)
    strength = np.array([1.0, 1.05, 0.97, 1.02])[:, None]
    counts = measured(strength * signal, generator)
    clean = despike_repeats(counts, np.sqrt(signal))
    assert clean.struck.sum() == 0
    counts[1, 50] += 30.0 * np.sqrt(signal[50])
    counts[3, 300:302] += 50.0 * np.sqrt(signal[300])
    result = despike_repeats(counts, np.sqrt(signal))
    np.testing.assert_array_equal(np.argwhere(result.struck), [[1, 50], [3, 300], [3, 301]])
    expected = (strength * signal)[result.struck]
    assert (np.abs(result.values[result.struck] - expected) < 5.0 * result.sd[result.struck]).all()
    assert (result.sd[result.struck] > np.broadcast_to(np.sqrt(signal), counts.shape)[result.struck]).all()


def test_of_two_repeats_the_higher_one_is_struck():
    generator = np.random.default_rng(3)
    counts = 100.0 + generator.standard_normal((2, P))
    counts[0, 9] += 60.0
    result = despike_repeats(counts, np.ones(P))
    np.testing.assert_array_equal(np.argwhere(result.struck), [[0, 9]])
    assert result.values[0, 9] == pytest.approx(counts[1, 9], rel=0.01)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: despike(np.ones(100), line_fwhm=1.5), "as narrow as spikes: take repeats"),
        (lambda: despike(np.ones(10), line_fwhm=4.0), "10 points are too few"),
        (lambda: despike(np.full(100, np.nan), line_fwhm=4.0), "100 points are not finite"),
        (lambda: despike(np.tile([0.0, 0.0, 0.0, 90.0], 50), line_fwhm=4.0, sd=np.ones(200)), "look struck"),
        (lambda: despike_repeats(np.ones((1, 9)), np.ones(9)), "at least two"),
        (lambda: despike_repeats(np.outer([1, 1, 1], np.tile([0, 50.0], 9)) * [[1], [1], [9]] + [[0], [0], [90]],
                                 np.ones(18)), "repeats' values stand out"),
    ],
    ids=["narrow", "short", "nan", "comb", "one repeat", "other repeats"],
)  # fmt: skip
def test_what_cannot_be_told_has_a_reason(call, reason):
    with pytest.raises(CannotTell, match=reason):
        call()
