import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_t, t

from surrogate.matern_gp import Kernel, fit_gp
from surrogate.transfer import mixture as module
from surrogate.transfer.components import components
from surrogate.transfer.mixture import RATE, SHAPE, WIDENING, Mixture
from surrogate.transfer.sources import Source, prepare
from tests.surrogate.transfer.worlds import bump, source_of

TEST = np.random.default_rng(5).random((200, 2))


def prepared(*functions):
    return prepare([source_of(one, name=str(i), seed=i) for i, one in enumerate(functions)], d=2)[0]


def measured(function, n, seed=9, noise=0.02):
    rng = np.random.default_rng(seed)
    X = rng.random((n, 2))
    return X, function(X) + noise * rng.normal(size=n)


def rmse(mean, function=bump):
    return float(np.sqrt(((mean - function(TEST)) ** 2).mean()) / function(TEST).std())


def cold(X, y):
    gp = fit_gp(X, (y - y.mean()) / y.std(), None)
    return y.mean() + y.std() * gp.posterior(TEST)[0]


def direct(mix, component, points, y):
    """Return offset and covariance of values at ``X`` and then of the function at points, by their definition."""
    both = np.vstack([mix.X, points])
    means = np.column_stack([one.gp.posterior(both)[0] for one in mix.sources])
    F = component.features(means, mix._constant_sd)
    C = F @ F.T + component.own_sd**2 * Kernel(np.array(component.lengths), 1.0)(both, both)
    for share, one in zip(component.shares(len(mix.sources)), mix.sources, strict=True):
        C = C + share * one.gp.covariance(both, both)
    C[: len(y), : len(y)] += component.noise * mix._typical * np.eye(len(y))
    return component.offset(means), C


def test_evidence_and_prediction_are_those_of_student_t(monkeypatch):
    sources = prepared(bump, lambda X: bump(X, 0.3))
    chosen = components(sources)[100]
    monkeypatch.setattr(module, "components", lambda *_: [chosen])
    X, y = measured(bump, 6)
    mix = Mixture(sources, X, y)
    points = TEST[:3]
    offset, C = direct(mix, chosen, points, y)
    scaled = y / mix.scale - mix._centre
    n = len(y)
    shape_matrix = RATE / SHAPE * C[:n, :n]
    expected = multivariate_t(loc=offset[:n], shape=shape_matrix, df=2 * SHAPE).logpdf(scaled)
    assert mix.log_evidence == pytest.approx(expected + chosen.log_prior - n * np.log(mix.scale))
    solved = np.linalg.solve(C[:n, :n], np.column_stack([scaled - offset[:n], C[:n, n:]]))
    mean = offset[n:] + C[n:, :n] @ solved[:, 0]
    left = np.diag(C[n:, n:] - C[n:, :n] @ solved[:, 1:])
    a, b = SHAPE + n / 2, RATE + 0.5 * (scaled - offset[:n]) @ solved[:, 0]
    found = mix.predict(points)
    assert found.mean == pytest.approx(mix.scale * (mix._centre + mean))
    assert found.sd == pytest.approx(WIDENING * mix.scale * np.sqrt(left * b / (a - 1)))
    spread = WIDENING * np.sqrt((left + chosen.noise * mix._typical) * b / a)
    values = np.array([0.1, 0.5, 2.0])
    scores = t(df=2 * a, loc=mean, scale=spread).logpdf(values / mix.scale - mix._centre) - np.log(mix.scale)
    assert mix.log_score(points, values) == pytest.approx(scores)


def test_related_sources_help_and_negated_ones_too():
    X, y = measured(bump, 5)
    start = rmse(cold(X, y))
    related = Mixture(prepared(lambda X: bump(X, 0.58), lambda X: bump(X, 0.63)), X, y)
    negated = Mixture(prepared(lambda X: bump(X, 0.58, -1.0), lambda X: bump(X, 0.63, -1.0)), X, y)
    assert rmse(related.predict(TEST).mean) < 0.5 * start
    assert rmse(negated.predict(TEST).mean) < 0.7 * start
    assert related.weight_of_nothing < 0.1


def test_misleading_sources_are_left_alone():
    X, y = measured(bump, 15)
    mix = Mixture(prepared(lambda X: bump(X, 0.15), lambda X: np.sin(9 * X[:, 0])), X, y)
    assert mix.weight_of_nothing > 0.8
    assert rmse(mix.predict(TEST).mean) < 1.2 * rmse(cold(X, y))


def test_of_two_sources_the_right_one_is_taken():
    X, y = measured(bump, 12)
    mix = Mixture(prepared(lambda X: bump(X, 0.61), lambda X: bump(X, 0.2)), X, y)
    assert mix.weight_of("0") > 0.6 and mix.weight_of("1") < 0.05
    total = mix.weight_of_nothing + mix.weight_of_all + mix.weight_of("0") + mix.weight_of("1")
    assert total == pytest.approx(1.0)


def test_without_a_value_the_sources_are_all_that_is_known():
    mix = Mixture(prepared(bump), np.zeros((0, 2)), np.zeros(0))
    found = mix.predict(TEST)
    assert mix.log_evidence == pytest.approx(0.0)
    assert np.corrcoef(found.mean, bump(TEST))[0, 1] > 0.9
    assert (np.abs(found.mean - bump(TEST)) < 2.0 * found.sd).all()


@given(factor=st.floats(0.001, 1e4), shift=st.floats(-1e3, 1e3))
@settings(max_examples=10, deadline=None)
def test_units_do_not_matter(factor, shift):
    X, y = measured(bump, 6)
    plain = source_of(bump)
    scaled = Source(name="one", X=plain.X, y=factor * plain.y + shift)
    one = Mixture(prepare([plain], d=2)[0], X, y).predict(TEST)
    other = Mixture(prepare([scaled], d=2)[0], X, factor * y + shift).predict(TEST)
    assert other.mean == pytest.approx(factor * one.mean + shift, rel=1e-4, abs=1e-4 * factor)
    assert other.sd == pytest.approx(factor * one.sd, rel=1e-3)


def test_known_noise_is_used():
    X, y = measured(bump, 8)
    y[3] += 1.5
    noise = np.full(8, 0.02)
    doubted = noise.copy()
    doubted[3] = 3.0
    sources = prepared(bump)
    trusting, careful = Mixture(sources, X, y, noise), Mixture(sources, X, y, doubted)
    assert rmse(careful.predict(TEST).mean) < 0.5 * rmse(trusting.predict(TEST).mean)
    with_noise = careful.predict(TEST, noise=True)
    assert (with_noise.sd > careful.predict(TEST).sd).all()


def test_noise_that_is_inferred_is_part_of_a_value():
    X, y = measured(bump, 8, noise=0.2)
    mix = Mixture(prepared(bump), X, y)
    assert (mix.predict(TEST, noise=True).sd > mix.predict(TEST).sd).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(bad):
    X, y = measured(bump, 5)
    y[2] = bad
    with pytest.raises(ValueError, match="NaN or infinity"):
        Mixture(prepared(bump), X, y)


def test_equal_points_equal_values_and_outliers_do_no_harm():
    X = np.full((6, 2), 0.5)
    sources = prepared(bump)
    for y in (np.zeros(6), np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1e6]), np.full(6, 1e12)):
        found = Mixture(sources, X, y).predict(TEST)
        assert np.isfinite(found.mean).all() and (found.sd > 0).all()


@pytest.mark.parametrize(
    ("X", "y", "noise"),
    [((5, 3), (5,), None), ((5, 2), (1,), None), ((5, 2), (5, 1), None), ((5, 2), (5,), (1,)), ((5,), (5,), None)],
)
def test_shapes_that_do_not_agree_are_refused(X, y, noise):
    with pytest.raises(ValueError, match="n x 2 points with n values"):
        Mixture(prepared(bump), np.zeros(X), np.zeros(y), None if noise is None else np.ones(noise))


def test_none_is_an_error():
    with pytest.raises(ValueError, match="needs a source"):
        Mixture([], *measured(bump, 3))


@pytest.mark.parametrize("function", [bump, lambda X: bump(X, 0.2), lambda X: np.sin(9 * X[:, 0])], ids=["a", "b", "c"])
def test_leaving_out_what_is_out_of_the_question_changes_nothing(function, monkeypatch):
    sources = prepared(bump, lambda X: bump(X, 0.3))
    X, y = measured(function, 130)
    few = Mixture(sources, X, y)
    monkeypatch.setattr(module, "MANY", 10_000)
    every = Mixture(sources, X, y)
    assert len(few.fitted) < 0.6 * len(every.fitted)
    assert few.weights.sum() == pytest.approx(1.0)
    assert few.weight_of_nothing == pytest.approx(every.weight_of_nothing, abs=1e-4)
    for one, other in zip(*(vars_of(mixture.predict(TEST)) for mixture in (few, every)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


def vars_of(prediction):
    return prediction.mean, prediction.sd
