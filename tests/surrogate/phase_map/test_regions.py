import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surrogate.phase_map.endmembers import MixtureOptions, find_endmembers
from surrogate.phase_map.patterns import prepare
from surrogate.phase_map.presence import Amounts, fit_presences
from surrogate.phase_map.regions import fit_phase_map
from surrogate.phase_map.unmix import Dictionary, moved

OPTIONS = MixtureOptions(most_shift=3.0, most_phases=3, least_share=0.02, most_endmembers=6)
CHANNELS = 160
LINES = ((30, 75, 120), (45, 90, 131), (22, 60, 104, 140))
STRENGTHS = ((1.0, 0.5, 0.3), (0.8, 1.0, 0.2), (0.4, 0.3, 1.0, 0.5))


def shape(phase, by=0.0, width=1.4):
    x = np.arange(CHANNELS)
    lines = zip(LINES[phase], STRENGTHS[phase], strict=True)
    found = sum(strength * np.exp(-0.5 * ((x - at - by) / width) ** 2) for at, strength in lines)
    return found / found.sum()


def pattern(shares, rng, *, shifts=(0.0, 0.0, 0.0), counts=20_000.0, background=30.0):
    mean = sum(share * shape(k, by) for k, (share, by) in enumerate(zip(shares, shifts, strict=True)))
    return rng.poisson(counts * mean + background * (1.5 - np.arange(CHANNELS) / CHANNELS)).astype(float)


def sets_of(shares):
    return [tuple(np.flatnonzero(row).tolist()) for row in np.asarray(shares) > 0]


def is_one_to_one(left, right):
    """Say whether two labellings are the same up to names."""
    pairs = set(zip(left, right, strict=True))
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2), st.floats(-4.0, 4.0))
def test_a_shift_is_a_translation_and_comes_back(phase, by):
    there = moved(shape(phase), by)
    assert np.allclose(there, shape(phase, by), atol=2e-3)
    assert np.allclose(moved(there, -by), shape(phase), atol=2e-3)


def test_background_and_scale_are_taken_off():
    rng = np.random.default_rng(0)
    prepared = prepare(np.array([pattern((1.0, 0, 0), rng), 7.0 * pattern((1.0, 0, 0), rng)]))
    assert np.abs(prepared.values - shape(0)).max() < 0.1 * shape(0).max()
    off = (prepared.values - shape(0)) / prepared.sd
    assert 0.5 < np.sqrt(np.mean(off**2)) < 2.0


@pytest.mark.parametrize("values", [np.zeros(CHANNELS), np.full(CHANNELS, 3.0), np.linspace(0, 9, CHANNELS)])
def test_what_has_no_lines_is_no_phase(values):
    found = fit_phase_map(np.zeros((1, 2)), values[None], OPTIONS)
    assert found.measured == ((),)
    assert np.allclose(found.probabilities(np.ones((3, 2))), 1.0)


def test_noise_alone_is_no_phase():
    patterns = np.random.default_rng(1).poisson(50.0, (6, CHANNELS)).astype(float)
    found = fit_phase_map(np.random.default_rng(2).random((6, 2)), patterns, OPTIONS)
    assert found.measured == ((),) * 6


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.floats(0.05, 0.9), st.floats(-2.5, 2.5), st.floats(-2.5, 2.5))
def test_a_mixture_is_taken_apart_at_any_shift(seed, share, first, second):
    rng = np.random.default_rng(seed)
    mixed = prepare(pattern((1.0 - share, share, 0.0), rng, shifts=(first, second, 0.0))[None])
    found = Dictionary(np.array([shape(k) for k in range(3)]), 3.0).unmix(mixed, most_phases=3, least_share=0.02)
    assert sets_of(found.shares) == [(0, 1)]
    assert found.shares[0, 1] == pytest.approx(share, abs=0.06)
    assert found.shifts[0, 0] == pytest.approx(first, abs=0.6 if share > 0.6 else 0.25)


def test_no_more_phases_than_the_phase_rule_allows():
    rng = np.random.default_rng(3)
    mixed = prepare(pattern((0.4, 0.35, 0.25), rng)[None])
    endmembers = np.array([shape(k) for k in range(3)])
    for most in (1, 2, 3):
        found = Dictionary(endmembers, 3.0).unmix(mixed, most_phases=most, least_share=0.02)
        assert np.count_nonzero(found.shares) == most


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_phases_are_found_though_cells_change(seed):
    rng = np.random.default_rng(seed)
    shares = [(1, 0, 0)] * 4 + [(0, 1, 0)] * 4 + [(0, 0, 1)] * 3
    shares += (
        [(t, 1 - t, 0) for t in (0.1, 0.3, 0.6, 0.9)] + [(0, t, 1 - t) for t in (0.2, 0.5, 0.8)] + [(0.3, 0.4, 0.3)]
    )
    patterns = np.array([pattern(each, rng, shifts=rng.uniform(-1.2, 1.2, 3)) for each in shares])
    endmembers, unmixed = find_endmembers(prepare(patterns), OPTIONS)
    assert len(endmembers) == 3
    assert is_one_to_one(sets_of(shares), sets_of(unmixed.shares))


def test_a_phase_that_never_was_alone_is_found():
    rng = np.random.default_rng(5)
    shares = [(1, 0, 0)] * 3 + [(1 - t, t, 0) for t in (0.15, 0.3, 0.45, 0.6)]
    _, unmixed = find_endmembers(prepare(np.array([pattern(each, rng) for each in shares])), OPTIONS)
    assert is_one_to_one(sets_of(shares), sets_of(unmixed.shares))


def test_one_kind_of_pattern_is_one_region():
    rng = np.random.default_rng(6)
    points = rng.random((9, 2))
    found = fit_phase_map(points, np.array([pattern((1, 0, 0), rng) for _ in range(9)]), OPTIONS)
    assert found.regions == ((0,),)
    assert np.allclose(found.probabilities(rng.random((20, 2))), 1.0)


def test_one_pattern_is_enough_for_a_map():
    found = fit_phase_map(np.array([[0.5, 0.5]]), pattern((1, 0, 0), np.random.default_rng(0))[None], OPTIONS)
    assert found.measured == ((0,),)


def line_shares(x):
    """Return the shares along an edge: the first phase to 0.3, the second from 0.7, by the lever rule between."""
    second = np.clip((x - 0.3) / 0.4, 0.0, 1.0)
    return np.column_stack([1.0 - second, second])


def test_boundaries_are_where_amounts_run_out():
    """Points 0.15 apart give the ends of a two-phase region, which lie between them, to within a fifth of that."""
    x = np.array([0.0, 0.15, 0.4, 0.5, 0.6, 0.85, 1.0])
    fits = fit_presences([Amounts(x[:, None], column) for column in line_shares(x).T])
    fine = np.linspace(0.0, 1.0, 401)[:, None]
    first, second = (fit.probability(fine) for fit in fits)
    assert fine[np.flatnonzero(first > 0.5)[-1], 0] == pytest.approx(0.7, abs=0.03)
    assert fine[np.flatnonzero(second > 0.5)[0], 0] == pytest.approx(0.3, abs=0.03)
    latent, sd = fits[1].latent(x[:, None])
    assert latent[2:5] == pytest.approx(line_shares(x)[2:5, 1], abs=0.03)
    assert latent[0] < 0.0 and latent[-1] > 1.0
    assert (sd[2:5] < 0.05).all()


def test_probabilities_add_up_and_pending_points_are_as_good_as_known():
    rng = np.random.default_rng(7)
    x = np.array([0.0, 0.1, 0.45, 0.55, 1.0])
    shares = np.column_stack([line_shares(x), np.zeros(5)])
    points = np.column_stack([x, np.zeros(5)])
    found = fit_phase_map(points, np.array([pattern(each, rng) for each in shares]), OPTIONS)
    everywhere = np.column_stack([np.linspace(0, 1, 50), np.zeros(50)])
    chances = found.probabilities(everywhere)
    assert np.allclose(chances.sum(axis=1), 1.0)
    assert set(found.measured) == {(0,), (1,), (0, 1)}
    doubtful = everywhere[[int(np.argmin(chances.max(axis=1)))]]
    after = found.with_pending(doubtful).probabilities(everywhere)
    risk_before, risk_after = (float(np.mean(1.0 - each.max(axis=1))) for each in (chances, after))
    assert risk_after < risk_before
