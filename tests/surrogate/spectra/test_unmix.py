from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surrogate.spectra.errors import CannotTell
from surrogate.spectra.factors import Constraints, Data, fit_weights
from surrogate.spectra.rank import choose_rank
from surrogate.spectra.unmix import grid_edges, line_edges, match, unmix

SHAPE = (8, 10)
P = 70


@cache
def world(k, seed=0, snr=40.0):
    """Return spectra, sd, weights and components of a phase map: regions that pass into each other."""
    generator = np.random.default_rng([k, seed])
    index = np.arange(P)
    components = np.zeros((k, P))
    for row in components:
        for _ in range(4):
            row += generator.uniform(0.3, 1.0) * np.exp(
                -0.5 * ((index - generator.uniform(0, P)) / generator.uniform(2, 5)) ** 2
            )
    y, x = np.indices(SHAPE).reshape(2, -1) / np.array(SHAPE)[:, None]
    # one centre in each sector, so that each phase has a place of its own
    angle = 2.0 * np.pi * (np.arange(k) + generator.uniform(0, 0.3, k)) / k
    away = (y[:, None] - 0.5 - 0.4 * np.sin(angle)) ** 2 + (x[:, None] - 0.5 - 0.4 * np.cos(angle)) ** 2
    weights = np.exp(-away / 0.03)
    weights /= weights.sum(axis=1, keepdims=True)
    clean = weights @ components
    sd = np.sqrt(0.3 + clean) / snr
    return clean + sd * generator.standard_normal(clean.shape), sd, weights, components


def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("k", [3, 5])
def test_the_number_of_phases_is_found(k):
    values, sd, _, _ = world(k)
    choice = choose_rank(values, sd, range(k - 1, 8), generator=rng())
    assert choice.rank == k
    assert choice.is_determined, choice.reason
    assert choice.scores[1].log_probability == 0.0
    assert choice.scores[1].chi2_per_entry == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize("is_closed", [False, True], ids=["free", "closed"])
@pytest.mark.parametrize("k", [3, 4, 5])
def test_phases_and_their_shares_are_found_in_whatever_order(k, is_closed):
    values, sd, weights, components = world(k)
    found = unmix(values, sd, k, generator=rng(), constraints=Constraints(is_closed=is_closed))
    paired = match(found.components, components)
    assert min(paired.cosines) > 0.98
    shares = found.weights[:, paired.order]
    shares = shares / shares.sum(axis=1, keepdims=True)
    # without closure the scale of a component is nobody's to tell, and shares inherit that
    assert np.abs(shares - weights).mean() < (0.03 if is_closed else 0.06)
    assert (found.weights >= 0).all() and (found.components >= 0).all()
    assert found.reduced_chi2 == pytest.approx(1.0, abs=0.1)
    if is_closed:
        np.testing.assert_allclose(found.weights.sum(axis=1), 1.0, atol=1e-9)


def test_fixed_components_stay_and_their_weights_have_honest_sds():
    values, sd, weights, components = world(4)
    for is_closed in (False, True):
        constraints = Constraints(is_closed=is_closed, fixed=components)
        found = unmix(values, sd, 4, generator=rng(), constraints=constraints, restarts=1)
        np.testing.assert_array_equal(found.components, components)
        inner = found.weights > 3.0 * found.weight_sds
        z = ((found.weights - weights) / found.weight_sds)[inner]
        assert np.mean(np.abs(z) < 1.0) == pytest.approx(0.70, abs=0.08)
        assert np.mean(np.abs(z) < 1.96) == pytest.approx(0.95, abs=0.035)


def test_an_unknown_phase_beside_known_ones_is_found():
    values, sd, _, components = world(4)
    found = unmix(values, sd, 4, generator=rng(), constraints=Constraints(fixed=components[:3]))
    assert match(found.components[3:], components[3:]).cosines[0] > 0.98


def test_smooth_weights_are_better_where_noise_is_large():
    values, sd, weights, components = world(3, snr=0.7)
    errors = []
    for smoothness in (0.0, 3.0):
        constraints = Constraints(is_closed=True, fixed=components, smoothness=smoothness, edges=grid_edges(*SHAPE))
        found = unmix(values, sd, 3, generator=rng(), constraints=constraints, restarts=1)
        errors.append(np.sqrt(np.mean((found.weights - weights) ** 2)))
    assert errors[1] < 0.8 * errors[0]


def test_masked_entries_do_not_count():
    values, sd, _, components = world(3)
    spoiled, valid = values.copy(), np.ones(values.shape, dtype=bool)
    spoiled[5, :20], valid[5, :20] = 1e6, False
    spoiled[:, 33] = np.where(np.arange(len(values)) % 2, np.nan, spoiled[:, 33])
    found = unmix(spoiled, sd, 3, generator=rng(), valid=valid)
    assert min(match(found.components, components).cosines) > 0.98


def test_a_rank_that_noise_hides_is_called_not_determined():
    values, sd, _, _ = world(3)
    for choice, words in (
        (choose_rank(values, sd, [2, 3], generator=rng()), "the most that were tried, are needed: try more"),
        (choose_rank(values, sd / 3.0, [3, 4, 5], generator=rng()), "noise is larger than said"),
        (choose_rank(*_faint(), [1, 2, 3], generator=rng()), "equally well"),
    ):
        assert not choice.is_determined
        assert words in choice.reason


def _faint():
    """Return a map whose second phase stands at the limit of what noise lets see, and its sd."""
    values, sd, weights, components = world(3)
    one = np.outer(np.ones(len(values)), components[0])
    trace = 0.21 * weights[:, :1] * components[1]
    noise = 0.3 * np.random.default_rng(5).standard_normal(values.shape)
    return one + trace + noise, 0.3


def test_the_same_seed_gives_the_same_answer():
    values, sd, _, _ = world(3)
    one, other = (unmix(values, sd, 3, generator=rng()) for _ in range(2))
    np.testing.assert_array_equal(one.weights, other.weights)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**31), st.booleans())
def test_weights_are_the_best_allowed_ones(seed, is_closed):
    generator = np.random.default_rng(seed)
    components = generator.uniform(0.0, 1.0, (3, 20))
    values = generator.normal(0.5, 1.0, (4, 20))
    data = Data(values=values, precision=np.ones(values.shape))
    weights = fit_weights(data, components, Constraints(is_closed=is_closed), steps=600)
    best = np.sum((values - weights @ components) ** 2, axis=1)
    trials = generator.dirichlet(np.ones(3), 300) if is_closed else generator.exponential(0.5, (300, 3))
    near = np.abs(weights[:, None, :] + 0.01 * generator.standard_normal((4, 100, 3)))
    near = near / near.sum(axis=2, keepdims=True) if is_closed else near
    for row in range(4):
        for others in (trials, near[row]):
            assert (np.sum((values[row] - others @ components) ** 2, axis=1) >= best[row] - 1e-6).all()


def test_matching_ignores_order_and_scale():
    components = np.eye(4) + 0.1
    paired = match(5.0 * components[[2, 0, 3, 1]], components[:3])
    assert paired.order == (1, 3, 0)
    assert paired.cosines == pytest.approx((1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="2 components cannot be matched with 3"):
        match(components[:2], components[:3])


def test_neighbours_on_a_line_and_on_a_grid():
    np.testing.assert_array_equal(line_edges(3), [[0, 1], [1, 2]])
    np.testing.assert_array_equal(grid_edges(2, 2), [[0, 1], [2, 3], [0, 2], [1, 3]])


@pytest.mark.parametrize(
    ("values", "sd", "rank", "constraints", "reason"),
    [
        (np.ones(5), 1.0, 1, Constraints(), r"not an array of shape \(5,\)"),
        (np.ones((5, 6)), 0.0, 1, Constraints(), "noise of the map is zero"),
        (np.ones((5, 6)), 1.0, 5, Constraints(), "5 components cannot be told from 5 spectra of 6 points"),
        (np.ones((5, 6)), 1.0, 0, Constraints(), "at least one is needed"),
        (np.ones((5, 6)), 1.0, 1, Constraints(fixed=np.ones((2, 6))), "2 components are fixed"),
        (np.ones((5, 6)), 1.0, 2, Constraints(fixed=np.ones((1, 9))), r"shape \(1, 9\) do not fit"),
        (np.ones((5, 6)), 1.0, 2, Constraints(fixed=-np.ones((1, 6))), "negative"),
        (np.where(np.eye(5, 6), np.nan, 1.0) * [[np.nan], [1], [1], [1], [1]], 1.0, 1, Constraints(), "1 spectra"),
    ],
    ids=["1-d", "no noise", "too many", "none", "too few", "length", "negative", "empty"],
)
def test_what_cannot_be_unmixed_has_a_reason(values, sd, rank, constraints, reason):
    with pytest.raises(CannotTell, match=reason):
        unmix(values, sd, rank, generator=rng(), constraints=constraints)
