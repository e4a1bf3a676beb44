import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surrogate.transfer.draws import Draws, _shared_out
from surrogate.transfer.mixture import WIDENING, Mixture
from surrogate.transfer.sources import prepare
from tests.surrogate.transfer.worlds import bump, source_of

AT = np.array([[0.2, 0.3], [0.6, 0.55], [0.9, 0.1]])


def mixture_of(n=6, **more):
    sources = prepare([source_of(bump), source_of(lambda X: bump(X, 0.3), name="two", seed=1)], d=2)[0]
    rng = np.random.default_rng(5)
    X = rng.random((n, 2))
    return Mixture(sources, X, 3.0 + 2.0 * bump(X) + 0.02 * rng.normal(size=n), **more)


def test_draws_have_the_moments_of_the_mixture():
    mixture = mixture_of()
    draws = Draws(mixture, AT, n_draws=4000, rng=np.random.default_rng(0))
    expected = mixture.predict(AT)
    sd = expected.sd / WIDENING
    assert draws.values.shape == (3, 4000)
    np.testing.assert_allclose(draws.values.mean(axis=1), expected.mean, atol=4.0 * sd.max() / 4000**0.5)
    np.testing.assert_allclose(draws.values.std(axis=1), sd, rtol=0.12)


def test_posteriors_given_draws_have_the_moments_of_the_mixture_together():
    mixture = mixture_of()
    draws = Draws(mixture, np.vstack([mixture.X, AT[:1]]), n_draws=3000, rng=np.random.default_rng(1))
    mean, sd = draws.posterior(AT)
    expected = mixture.predict(AT)
    np.testing.assert_allclose(mean.mean(axis=1), expected.mean, atol=0.1)
    together = np.sqrt(mean.var(axis=1) + (sd**2).mean(axis=1))
    np.testing.assert_allclose(together, expected.sd / WIDENING, rtol=0.15)


def test_a_posterior_goes_through_the_draws():
    mixture = mixture_of()
    draws = Draws(mixture, AT, n_draws=16, rng=np.random.default_rng(2))
    mean, sd = draws.posterior(AT)
    np.testing.assert_allclose(mean, draws.values, atol=1e-3)
    assert sd.max() < 1e-2
    before = draws.values.copy()
    more = np.array([0.4, 0.8])
    _, wide = draws.posterior(more[None])
    draws.add(more, np.random.default_rng(3))
    np.testing.assert_allclose(draws.values[:3], before)
    mean, sd = draws.posterior(more[None])
    np.testing.assert_allclose(mean[0], draws.values[3], atol=1e-3)
    assert (sd < 0.1 * wide).all()


def test_with_nothing_measured_draws_are_those_of_the_sources():
    mixture = mixture_of(0)
    nowhere = Draws(mixture, np.zeros((0, 2)), n_draws=8, rng=np.random.default_rng(0))
    assert nowhere.values.shape == (0, 8)
    mean, sd = nowhere.posterior(AT)
    assert mean.shape == sd.shape == (3, 8) and np.isfinite(mean).all() and (sd > 0).all()
    nowhere.add(AT[0], np.random.default_rng(0))
    assert nowhere.values.shape == (1, 8)


def test_known_noise_and_replicates_are_no_obstacle():
    mixture = mixture_of(6, noise=np.full(6, 0.05))
    twice = Mixture(mixture.sources, np.vstack([mixture.X, mixture.X]), np.tile(mixture.y, 2))
    for one in (mixture, twice):
        assert np.isfinite(Draws(one, mixture.X, n_draws=8, rng=np.random.default_rng(0)).values).all()


def test_equal_seeds_give_equal_draws():
    one, other = (Draws(mixture_of(), AT, n_draws=32, rng=np.random.default_rng(4)).values for _ in range(2))
    assert np.array_equal(one, other)


@settings(max_examples=100, deadline=None)
@given(
    weights=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30).filter(lambda one: sum(one) > 1e-6),
    n=st.integers(1, 64),
    seed=st.integers(0, 100),
)
def test_each_component_has_its_share_of_draws(weights, n, seed):
    counts = _shared_out(np.array(weights), n, np.random.default_rng(seed))
    assert counts.sum() == n and len(counts) == len(weights)
    shares = n * np.array(weights) / sum(weights)
    assert (np.abs(counts - shares) <= 1.0 + 1e-6).all()


def test_noise_is_in_the_targets_unit():
    assert mixture_of(6, noise=np.full(6, 0.05)).noise_sd == pytest.approx(0.05)
    assert 0.0 < mixture_of(12).noise_sd < 0.5
