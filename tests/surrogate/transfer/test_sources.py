import numpy as np
import pytest

from surrogate.matern_gp import fit_gp
from surrogate.transfer.sources import MOST, Source, left_out_r_squared, prepare
from tests.surrogate.transfer.worlds import bump, source_of


def reason(source, **more):
    taken, refused = prepare([source], d=2, **more)
    assert not taken
    return refused[0].reason


def test_a_source_is_modelled_in_units_of_its_own_spread():
    source = source_of(lambda X: 40.0 + 7.0 * bump(X))
    (one,), refused = prepare([source], d=2)
    assert not refused and one.name == "one"
    assert one.centre == pytest.approx(source.y.mean()) and one.spread == pytest.approx(source.y.std())
    points = np.random.default_rng(1).random((50, 2))
    mean, _ = one.gp.posterior(points)
    assert np.abs(one.centre + one.spread * mean - 40.0 - 7.0 * bump(points)).max() < 1.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"unit": "K"}, "in K, the target's in no unit"),
        ({"X": np.zeros((30, 3))}, "n x 2"),
        ({"y": np.zeros(29)}, "n x 2"),
        ({"y": np.full(30, 5.0)}, "constant"),
        ({"y": np.full(30, np.nan)}, "NaN"),
        ({"noise": np.ones(3)}, "3 standard deviations"),
        ({"noise": np.full(30, np.inf)}, "NaN or infinity"),
    ],
)
def test_what_tells_nothing_is_refused_with_the_reason(change, words):
    plain = source_of(bump)
    fields = {"name": plain.name, "X": plain.X, "y": plain.y} | change
    assert words in reason(Source(**fields))


def test_few_values_and_pure_noise_are_refused():
    assert "it has 1 value" in reason(source_of(bump, n=1))
    noise = source_of(lambda X: np.random.default_rng(4).normal(size=len(X)), n=40)
    assert "left-out" in reason(noise)


def test_two_sources_of_one_name_are_an_error():
    with pytest.raises(ValueError, match="two sources are called 'one'"):
        prepare([source_of(bump), source_of(bump, seed=1)], d=2)


def test_of_ten_thousand_values_some_are_taken_from_the_whole():
    (one,), _ = prepare([source_of(bump, n=10_000)], d=2)
    assert len(one.gp.y) == MOST


def test_known_noise_is_kept():
    plain = source_of(bump)
    (one,), _ = prepare([Source(name="a", X=plain.X, y=plain.y, noise=np.full(30, 0.02))], d=2)
    assert one.noise == pytest.approx((0.02 / plain.y.std()) ** 2)


def test_left_out_errors_are_those_of_leaving_each_out():
    source = source_of(bump, n=12, noise=0.1)
    gp = fit_gp(source.X, source.y - source.y.mean(), None)
    errors = []
    for i in range(12):
        rest = np.arange(12) != i
        K = gp.kernel(gp.X[rest], gp.X[rest]) + np.diag(gp.noise[rest])
        mean = gp.mean + gp.kernel(gp.X[i : i + 1], gp.X[rest]) @ np.linalg.solve(K, gp.y[rest] - gp.mean)
        errors.append(gp.y[i] - mean[0])
    assert left_out_r_squared(gp) == pytest.approx(1.0 - np.mean(np.square(errors)) / gp.y.var())


def test_of_many_values_some_are_taken_and_counted():
    rng = np.random.default_rng(3)
    X = rng.random((3 * MOST, 2))
    (one,), _ = prepare([Source(name="one", X=X, y=bump(X), noise=np.full(len(X), 0.01))], d=2)
    assert (len(one.gp.y), one.of) == (MOST, 3 * MOST)
    few, _ = prepare([Source(name="one", X=X[:50], y=bump(X[:50]))], d=2)
    assert few[0].of is None
    told, _ = prepare([Source(name="one", X=X[:50], y=bump(X[:50]), of=900)], d=2)
    assert told[0].of == 900


def test_a_source_whose_selected_values_are_constant_is_refused():
    X = np.linspace(0.0, 1.0, 3 * MOST)[:, None] ** np.ones((1, 2))
    y = np.zeros(len(X))
    (taken,), _ = prepare([Source(name="one", X=X, y=X[:, 0])], d=2)
    lonely = next(i for i in range(len(X)) if not np.isclose(taken.gp.X[:, 0], X[i, 0], atol=1e-12).any())
    y[lonely] = 1.0
    assert "made of are constant" in reason(Source(name="one", X=X, y=y))
